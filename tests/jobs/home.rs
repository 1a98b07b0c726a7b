//! Where a queue lives during a test.

use std::{sync::Arc, time::Duration};

use aside::jobs::{Queue, QueueLimits, Timing};
use sqlx::{Connection, PgConnection, SqliteConnection};
use support::aside::Place;

use support::servers::{Kind, Server, new_database, shared_postgres};

/// A queue of no name, in a file, on a server of its own, or in a database of its own.
pub(crate) enum Home {
    File(Place),
    Server(Server),
    Database(#[expect(dead_code, reason = "it ends when this is dropped")] Arc<Server>, String),
}

/// Without a pause before a retry. The lease is so long that a busy machine never makes a worker miss it.
pub(crate) const QUICK: Timing =
    Timing { lease: Duration::from_secs(30), retry: Duration::ZERO, rest: Duration::ZERO };

/// With the shortest lease, for those that wait for its end.
pub(crate) const SHORT: Timing = Timing { lease: Duration::from_secs(3), ..QUICK };

impl Home {
    pub(crate) async fn sqlite() -> Self {
        Self::File(Place::empty())
    }

    pub(crate) async fn postgres() -> Self {
        let server = shared_postgres().await;
        let url = server.url_of(&new_database(&server, "template1").await);
        Self::Database(server, url)
    }

    /// A PostgreSQL that may be killed.
    pub(crate) async fn lone_postgres() -> Self {
        Self::Server(Server::start(Kind::Postgres).await)
    }

    pub(crate) async fn redis() -> Self {
        Self::Server(Server::start(Kind::Redis).await)
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(place) => format!("sqlite://{}", place.file("queue.db").display()),
            Self::Server(server) => server.url(),
            Self::Database(_, url) => url.clone(),
        }
    }

    /// The server that this queue has to itself.
    pub(crate) fn server(&mut self) -> &mut Server {
        let Self::Server(server) = self else { panic!("others use its server, too") };
        server
    }

    /// One more process's view of the queue, so to speak.
    pub(crate) fn queue(&self) -> Queue {
        self.queue_with(QueueLimits::default())
    }

    pub(crate) fn queue_with(&self, limits: QueueLimits) -> Queue {
        Queue::new(&self.url(), limits).unwrap()
    }

    /// Puts on the queue what nobody has checked, past all code of ours.
    pub(crate) async fn push_raw(&self, message: &[u8]) {
        const PUSH: &str = "INSERT INTO aside_jobs (message) VALUES ($1)";
        let url = self.url();
        match url.split(':').next().unwrap() {
            "sqlite" => {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(PUSH).bind(message).execute(&mut connection).await.unwrap();
            }
            "postgres" => {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                sqlx::query(PUSH).bind(message).execute(&mut connection).await.unwrap();
            }
            _ => {
                let mut push = redis::cmd("XADD");
                push.arg("aside:jobs").arg("*").arg("message").arg(message);
                let mut connection = redis_at(&url).await;
                let _: String = push.query_async(&mut connection).await.unwrap();
            }
        }
    }

    /// Lets the leases of all running jobs lapse.
    pub(crate) async fn lapse(&self) {
        const LAPSE: &str = "UPDATE aside_jobs SET due = 0 WHERE state = 'running'";
        let url = self.url();
        match url.split(':').next().unwrap() {
            "sqlite" => {
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query(LAPSE).execute(&mut connection).await.unwrap();
            }
            "postgres" => {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                sqlx::query(LAPSE).execute(&mut connection).await.unwrap();
            }
            _ => {
                let mut lapse = redis::cmd("EVAL");
                lapse.arg(
                    "for _, job in ipairs(redis.call('XPENDING', KEYS[1], 'workers', '-', '+', 9)) do
                        redis.call('XCLAIM', KEYS[1], 'workers', 'worker', 0, job[1],
                            'IDLE', 1000000000, 'JUSTID')
                    end",
                );
                let mut connection = redis_at(&url).await;
                let lapse = lapse.arg(1).arg("aside:jobs");
                let () = lapse.query_async(&mut connection).await.unwrap();
            }
        }
    }
}

async fn redis_at(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}
