//! The program itself: started with a database of its own, and ended with the value.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ::aside::database::Database;
use reqwest::{Client, Method, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    time::timeout,
};

use super::{
    PATIENCE,
    answer::Answer,
    eventually,
    raw::RawClient,
    servers::{Server, new_database, shared_postgres},
};

/// A folder, and a database in it or on a PostgreSQL; both go with the last clone.
#[derive(Clone, Debug)]
pub struct Place {
    folder: Arc<TempDir>,
    /// The server, if it lives as long as the place, and the URL of the database on it.
    postgres: Option<(Option<Arc<Server>>, String)>,
}

/// True if the tests that leave the choice to this run on PostgreSQL: `ASIDE_TEST_DATABASE=postgres`.
pub fn on_postgres() -> bool {
    env::var("ASIDE_TEST_DATABASE").is_ok_and(|name| name == "postgres")
}

impl Place {
    /// A place whose database is not there yet.
    pub fn empty() -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), postgres: None }
    }

    /// A place with a database of 10,000 users. They are made once; each place has a copy.
    pub async fn seeded() -> Self {
        if on_postgres() { Self::seeded_on_server().await } else { Self::in_file().await }
    }

    /// A place with such a database on a server.
    pub async fn seeded_on_server() -> Self {
        // Held, so that the copy is made where the template is.
        let _server = shared_postgres().await;
        Self::on_server(&Self::template().await).await
    }

    /// A place with such a database in a file.
    pub async fn in_file() -> Self {
        static SEEDED: OnceCell<Vec<u8>> = OnceCell::const_new();
        let database = SEEDED.get_or_init(async || {
            let place = Self::empty();
            // The last connection that closes writes all into the one file.
            Database::open(&place.url(), Duration::ZERO, 1).await.unwrap().close().await;
            fs::read(place.database()).unwrap()
        });
        let place = Self::empty();
        fs::write(place.database(), database.await).unwrap();
        place
    }

    /// A place whose database is a copy of `template` on the server that these tests share.
    pub async fn on_server(template: &str) -> Self {
        let server = shared_postgres().await;
        let url = server.url_of(&new_database(&server, template).await);
        Self { postgres: Some((Some(server), url)), ..Self::empty() }
    }

    /// A place whose database is at `url`, on a server that somebody else sees to.
    pub fn at(url: String) -> Self {
        Self { postgres: Some((None, url)), ..Self::empty() }
    }

    /// The name of a database of 10,000 users.
    async fn template() -> String {
        let server = shared_postgres().await;
        let seeded = server.seeded.get_or_init(async || {
            let name = new_database(&server, "template0").await;
            Database::open(&server.url_of(&name), Duration::ZERO, 1).await.unwrap().close().await;
            name
        });
        seeded.await.clone()
    }

    /// The path of the file `name` here.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of the database, if it is a file.
    pub fn database(&self) -> PathBuf {
        assert!(self.postgres.is_none(), "it is no file");
        self.file("aside.db")
    }

    /// The database as `--database` takes it.
    pub fn url(&self) -> String {
        match &self.postgres {
            Some((_, url)) => url.clone(),
            None => format!("sqlite://{}", self.database().display()),
        }
    }

    /// Connects to the file as another program would.
    pub async fn connect(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url()).await.unwrap()
    }

    async fn connect_to_server(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    /// Runs `statement` as another program would.
    pub async fn execute(&self, statement: impl Into<String>) {
        self.try_execute(statement).await.unwrap();
    }

    /// The same while the database may be away.
    pub async fn try_execute(&self, statement: impl Into<String>) -> sqlx::Result<()> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.into()));
        if self.postgres.is_some() {
            let mut connection = PgConnection::connect(&self.url()).await?;
            statement.execute(&mut connection).await?;
            // What is committed is committed.
            let _ = connection.close().await;
        } else {
            let mut connection = self.connect().await;
            statement.execute(&mut connection).await?;
            let _ = connection.close().await;
        }
        Ok(())
    }

    /// The one number that `query` gives.
    pub async fn number(&self, query: &'static str) -> i64 {
        let text = AssertSqlSafe(format!("SELECT CAST(({query}) AS BIGINT)"));
        if self.postgres.is_some() {
            let mut connection = self.connect_to_server().await;
            let number = sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            return number;
        }
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(text).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Keeps everybody else from writing to the log of changes until this is dropped.
    pub async fn lock(&self) -> Box<dyn Send> {
        if self.postgres.is_some() {
            let mut connection = self.connect_to_server().await;
            let lock = "BEGIN; LOCK TABLE changes IN EXCLUSIVE MODE";
            sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
            return Box::new(connection);
        }
        let mut connection = self.connect().await;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        Box::new(connection)
    }
}

/// The path of the program, which cargo tells the tests that it runs.
pub fn program() -> String {
    env::var("CARGO_BIN_EXE_aside").expect("cargo runs these tests")
}

/// The program at `place`, with settings that suit tests; `arguments` come before those.
pub fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env_clear()
        .current_dir(place.folder.path())
        .env("ASIDE_LISTEN", "127.0.0.1:0")
        .env("ASIDE_DATABASE", place.url())
        .env("ASIDE_MEMCACHED", "none")
        // A busy machine must not look like a memcached that is away.
        .env("ASIDE_MEMCACHED_TIMEOUT", "5s")
        .env("ASIDE_SLOW_QUERY", "20ms")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A running service. It is killed when this is dropped.
pub struct Aside {
    /// Its address, as it has printed it.
    pub address: SocketAddr,
    /// Its database and its log.
    pub place: Place,
    /// A client with a deadline.
    pub client: Client,
    child: Child,
    log: PathBuf,
}

impl Aside {
    /// Starts the service on a database of its own, and waits until it is ready.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_at(&Place::seeded().await, arguments).await
    }

    /// Starts one more service at `place`, and waits until it is ready.
    pub async fn start_at(place: &Place, arguments: &[&str]) -> Self {
        Self::run(place, command(place, arguments)).await
    }

    /// Starts `command`, and waits until it is ready.
    pub async fn run(place: &Place, mut command: Command) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let log = place.file(&format!("{}.log", STARTED.fetch_add(1, Ordering::Relaxed)));
        let stderr = fs::File::create(&log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.and_then(|address| address.parse().ok()).unwrap_or_else(|| {
            panic!("it does not listen: {line}{}", fs::read_to_string(&log).unwrap())
        });
        let client = Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        let aside = Self { address, place: place.clone(), client, child, log };
        eventually("ready", async || (aside.get("/readyz").await.status == 200).then_some(()))
            .await;
        aside
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// `GET` with a `Cache-Control` field.
    pub async fn get_with(&self, path: &str, directives: &str) -> Answer {
        self.send(Method::GET, path, &[("cache-control", directives)]).await
    }

    /// A request without a body.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::to(request).await.unwrap()
    }

    /// Sends `bytes` on a connection of its own, and returns all that comes back until it is closed.
    pub async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        RawClient::exchange(self.address, bytes).await
    }

    /// A request with a JSON body.
    pub fn request(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address)).json(body)
    }

    /// Sends a JSON body.
    pub async fn send_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(method, path, body)).await.unwrap()
    }

    /// Gives the user `id` this name, and asserts that this is acknowledged.
    pub async fn rename(&self, id: i64, name: &str) -> Answer {
        let path = format!("/users/{id}");
        let answer = self.send_json(Method::PATCH, &path, &json!({ "name": name })).await;
        assert_eq!(answer.user(id).json()["name"], name);
        answer
    }

    /// The name of the user `id`, as a read has it.
    pub async fn name(&self, id: i64) -> String {
        let answer = self.get(&format!("/users/{id}")).await;
        answer.user(id).json()["name"].as_str().unwrap().to_owned()
    }

    /// All that `/metrics` says.
    pub async fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").await.body.to_vec()).unwrap()
    }

    /// The states of its servers, in their order.
    pub async fn states(&self) -> Vec<String> {
        let stats = self.get("/stats").await.json();
        let servers = stats["memcached"].as_array().unwrap();
        servers.iter().map(|server| server["state"].as_str().unwrap().to_owned()).collect()
    }

    /// One number of the service's own ledger, in `/stats`.
    pub async fn ledger(&self, name: &str) -> u64 {
        self.get("/stats").await.json()["service"][name].as_u64().unwrap()
    }

    /// Its standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends `signal` to the process.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    /// Tells it to end, and waits for that.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }
}
