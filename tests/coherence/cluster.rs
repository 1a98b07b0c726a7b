//! Three replicas over one database and a memcached or several.

use sqlx::SqliteConnection;

use crate::{
    clients::Reach,
    history::{Clock, Read},
    support::{
        aside::{Aside, Place},
        eventually,
        memcached::Memcached,
    },
};

const REPLICAS: usize = 3;

/// The processes.
pub(crate) struct Cluster {
    pub(crate) clock: Clock,
    pub(crate) reach: Reach,
    pub(crate) place: Place,
    pub(crate) memcached: Vec<Memcached>,
    pub(crate) replicas: Vec<Aside>,
}

impl Cluster {
    pub(crate) async fn start(servers: usize) -> Self {
        let (place, mut memcached, mut replicas) = (Place::seeded().await, vec![], vec![]);
        for _ in 0..servers {
            memcached.push(Memcached::start().await);
        }
        for _ in 0..REPLICAS {
            replicas.push(start_replica(&place, &addresses(&memcached)).await);
        }
        let clock = Clock::start();
        let reach = Reach::new(clock, replicas.iter().map(|replica| replica.address));
        Self { clock, reach, place, memcached, replicas }
    }

    /// Waits until nothing is left to be forgotten and every replica uses memcached, and reads the users
    /// 1 to `keys` through each.
    pub(crate) async fn last_reads(&self, keys: i64) -> Vec<Read> {
        let mut connection = self.place.connect().await;
        eventually("all is forgotten", async || left(&mut connection).await.eq(&0).then_some(()))
            .await;
        for replica in &self.replicas {
            eventually("in service", async || {
                let stats = replica.get("/stats").await.json();
                let mut servers = stats["memcached"].as_array().unwrap().iter();
                servers.all(|server| server["state"] == "in service").then_some(())
            })
            .await;
        }
        let mut reads = Vec::new();
        for key in 1..=keys {
            for replica in 0..REPLICAS {
                reads.push(self.reach.read(key, replica, false).await);
            }
        }
        reads
    }
}

/// The setting `--memcached`.
pub(crate) fn addresses(memcached: &[Memcached]) -> String {
    let addresses: Vec<_> = memcached.iter().map(|server| server.address().to_string()).collect();
    addresses.join(",")
}

async fn left(connection: &mut SqliteConnection) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM changes WHERE missing <> 0");
    count.fetch_one(connection).await.unwrap()
}

/// Starts a replica with lives so short that refreshes are part of it.
pub(crate) async fn start_replica(place: &Place, memcached: &str) -> Aside {
    let arguments = [
        ["--memcached", memcached],
        ["--memcached-timeout", "50ms"],
        ["--slow-query", "20ms"],
        ["--query-timeout", "1s"],
        ["--ttl", "2s"],
    ];
    Aside::start_at(place, arguments.as_flattened()).await
}
