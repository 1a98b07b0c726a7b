//! Three replicas over one database and a memcached or several, each replica with links of its own to them.

use std::{fs, time::Duration};

use aside::database::Database;
use support::{
    aside::{Aside, Place, command, on_postgres},
    eventually,
    link::Links,
    memcached::Memcached,
    servers::{Kind, Server},
};

use crate::{
    clients::Reach,
    history::{Clock, Read},
    plan::Plan,
};

const REPLICAS: usize = 3;

/// The number of keys that are left to be forgotten.
const LEFT: &str = "SELECT count(*) FROM changes WHERE missing <> 0";

/// What triggers have noted and nobody has taken care of yet.
const NOTED: &str = "SELECT count(*) FROM aside_outdated";

/// A table of somebody else's, in the same database.
const THINGS: &str = "CREATE TABLE things (id integer PRIMARY KEY, name text)";

/// The resource that it is.
const THING: &str = r#"
[resource.thing]
path = "/things/{id}"
parameters = { id = "integer" }
query = "SELECT id, name FROM things WHERE id = :id"
changed_by = [{ table = "things", columns = { id = "id" } }]
"#;

/// The processes.
pub(crate) struct Cluster {
    pub(crate) clock: Clock,
    pub(crate) reach: Reach,
    pub(crate) place: Place,
    /// The server of the database, if it has one.
    pub(crate) postgres: Option<Server>,
    pub(crate) plan: Plan,
    pub(crate) memcached: Vec<Memcached>,
    /// Each replica's links, in the order of the replicas.
    pub(crate) links: Vec<Links>,
    pub(crate) replicas: Vec<Aside>,
}

impl Cluster {
    pub(crate) async fn start(plan: Plan) -> Self {
        let postgres = if on_postgres() { Some(Server::start(Kind::Postgres).await) } else { None };
        let place = match &postgres {
            Some(server) => {
                Database::open(&server.url(), Duration::ZERO, 1).await.unwrap().close().await;
                Place::at(server.url())
            }
            None => Place::in_file().await,
        };
        if plan.is_foreign {
            place.execute(THINGS).await;
            fs::write(place.file("aside.toml"), THING).unwrap();
            let install = command(&place, &["triggers", "--install"]).status().await.unwrap();
            assert!(install.success());
        }
        let (mut memcached, mut replicas) = (vec![], vec![]);
        for _ in 0..plan.servers {
            memcached.push(Memcached::start().await);
        }
        let links: Vec<_> = (0..REPLICAS).map(|_| Links::start(&memcached)).collect();
        for links in &links {
            replicas.push(start_replica(&place, links, &plan).await);
        }
        let clock = Clock::start();
        let foreign = plan.is_foreign.then(|| place.clone());
        let reach = Reach::new(clock, replicas.iter().map(|replica| replica.address), foreign);
        Self { clock, reach, place, postgres, plan, memcached, links, replicas }
    }

    /// Waits until nothing is left to be forgotten and every replica uses memcached, and reads all users through
    /// each.
    pub(crate) async fn last_reads(&self) -> Vec<Read> {
        eventually("all is forgotten", async || (self.place.number(LEFT).await == 0).then_some(()))
            .await;
        if self.plan.is_foreign {
            let noted = async || (self.place.number(NOTED).await == 0).then_some(());
            eventually("all is noted", noted).await;
        }
        for replica in &self.replicas {
            eventually("in service", async || {
                let states = replica.states().await;
                states.iter().all(|state| state == "in service").then_some(())
            })
            .await;
        }
        let mut reads = Vec::new();
        for key in 1..=self.plan.keys {
            for replica in 0..REPLICAS {
                reads.push(self.reach.read(key, replica, false).await);
            }
        }
        reads
    }
}

/// Starts a replica.
pub(crate) async fn start_replica(place: &Place, links: &Links, plan: &Plan) -> Aside {
    let arguments = [
        ["--memcached-timeout", "50ms"],
        ["--slow-query", "20ms"],
        ["--query-timeout", "1s"],
        ["--ttl", plan.ttl],
    ];
    let mut command = links.command(place, arguments.as_flattened());
    if plan.is_foreign {
        command.arg("--resources").arg(place.file("aside.toml"));
    }
    Aside::run(place, command).await
}
