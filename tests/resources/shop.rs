//! Somebody else's database, and a service with a file that declares resources on it.

use std::{fs, sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, raw_sql};
use support::{
    aside::{Aside, Place, command},
    servers::{Server, new_database, shared_postgres},
};
use tokio::time::sleep;

/// A schema whose keys are of all kinds.
pub(crate) const PRODUCTS: &str = "CREATE TABLE products (sku text PRIMARY KEY, name text NOT NULL, price integer NOT NULL);
    INSERT INTO products VALUES ('A-1', 'Grüner Tee', 450), ('A 2/ü', 'Mate', 325), ('B-1', 'Kaffee', 700);";

/// A resource for it.
pub(crate) const PRODUCT: &str = r#"
[resource.product]
path = "/products/{sku}"
database = "shop"
query = "SELECT sku, name, price FROM products WHERE sku = :sku"
ttl = "60s"
changed_by = [{ table = "products", columns = { sku = "sku" } }]
"#;

/// A database of somebody else's.
pub(crate) struct Shop {
    pub(crate) place: Place,
    pub(crate) url: String,
    _server: Option<Arc<Server>>,
}

impl Shop {
    /// One in a file, with `schema`.
    pub(crate) async fn in_file(schema: &str) -> Self {
        let place = Place::in_file().await;
        let file = place.file("shop.db");
        fs::write(&file, "").unwrap();
        let shop = Self { url: format!("sqlite://{}", file.display()), place, _server: None };
        shop.execute(schema).await;
        shop
    }

    /// One on a server, with `schema`.
    pub(crate) async fn on_server(schema: &str) -> Self {
        let server = shared_postgres().await;
        let url = server.url_of(&new_database(&server, "template0").await);
        let shop = Self { url, place: Place::in_file().await, _server: Some(server) };
        shop.execute(schema).await;
        shop
    }

    /// One of each.
    pub(crate) async fn of_each(schema: &str) -> [Self; 2] {
        [Self::in_file(schema).await, Self::on_server(schema).await]
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Runs `statements` as another program would: in one transaction, and again while the file is locked.
    pub(crate) async fn execute(&self, statements: &str) {
        let statements = || raw_sql(AssertSqlSafe(statements.to_owned()));
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            statements().execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            return;
        }
        let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
        while let Err(error) = statements().execute(&mut connection).await {
            assert!(error.to_string().contains("locked"), "{error}");
            sleep(Duration::from_millis(5)).await;
        }
        connection.close().await.unwrap();
    }

    /// The only number that `query` finds.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        }
    }

    /// Declares `resources`, on the database `shop`, which this is.
    pub(crate) fn declare(&self, resources: &str) {
        let file = format!("[database.shop]\nurl = \"{}\"\n{resources}", self.url);
        fs::write(self.place.file("aside.toml"), file).unwrap();
    }

    /// Runs the program to its end; what it printed, and what it complained of.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = command(&self.place, arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Installs the triggers of what is declared.
    pub(crate) async fn install(&self) {
        let (status, _, complaint) = self.run(&["triggers", "--install"]).await;
        assert_eq!((status, &*complaint), (Some(0), ""));
    }

    /// Starts a service.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Aside {
        Aside::start_at(&self.place, arguments).await
    }
}
