//! Delivery to the memory of a process, over real databases.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::{Delivery, Log};
use crate::{
    cache::{Ask, Change, Key, Look, Memory, Origin, Places, Store, Value, forget},
    database::{Database, Outdated},
};

/// The longest that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that keeps entries for as long as nobody makes it forget them.
struct Process {
    memory: Memory,
    delivery: Delivery,
}

async fn open(folder: &TempDir) -> Database {
    let url = format!("sqlite://{}/users.db", folder.path().display());
    Database::open(&url, Duration::ZERO, 1).await.unwrap()
}

impl Process {
    async fn start(database: Database) -> Self {
        let memory = Memory::new(1 << 20, Duration::MAX, Origin::Fallback);
        let serving = database.serve(&["a:1".to_owned()], false).await.unwrap();
        let opened = Log::open(database, serving, memory.clone(), Box::new(|_: &str| true)).await;
        let (log, notes) = opened.unwrap();
        let delivery = Delivery::start(Arc::new(log), notes, forget(memory.clone()), None);
        Self { memory, delivery }
    }

    async fn keep(&self, id: i64) {
        let (key, ask) = (Key::numbered("user", id), Ask { lease_s: Some(60), refresh_s: None });
        let Ok(Look::Placeholder { lease, .. }) = self.memory.lookup(&key, ask).await else {
            panic!("it is there already")
        };
        let value = Value { body: Bytes::from_static(b"{}"), flags: 0, left_s: 3600 };
        self.memory.fill(&key, &lease, value).await.unwrap();
    }

    async fn has(&self, id: i64) -> bool {
        let ask = Ask { lease_s: None, refresh_s: None };
        let look = self.memory.lookup(&Key::numbered("user", id), ask).await;
        matches!(look, Ok(Look::Found { .. }))
    }

    async fn forgets(&self, id: i64) {
        let gone = async {
            while self.has(id).await {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("it hears of the change");
    }
}

#[tokio::test]
async fn a_memory_forgets_what_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (open(&folder).await, open(&folder).await);
    let process = Process::start(ours).await;
    for round in 0..3 {
        for id in 1..=2 {
            if !process.has(id).await {
                process.keep(id).await;
            }
        }
        theirs.outdate(0, &[(Key::numbered("user", 1), Places::NONE)]).await.unwrap();
        process.forgets(1).await;
        assert!(process.has(2).await, "round {round}");
    }
}

#[tokio::test]
async fn a_change_for_another_list_of_servers_is_pending() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(open(&folder).await).await;
    let change = Change { position: 1, key: Key::numbered("user", 1) };
    for (list, is_done) in [(1, true), (2, false)] {
        let outdated = Outdated { change: change.clone(), list };
        assert_eq!(process.delivery.carry_out(outdated).await, is_done, "list {list}");
    }
}

#[tokio::test]
async fn a_memory_that_is_too_far_behind_is_dropped_whole() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(open(&folder).await).await;
    process.keep(1).await;
    // As a process finds it that was stopped for long: what came between is not in the log any more.
    let behind = "INSERT INTO changes (position, key, missing) VALUES (100000, 'user:2', 0);
                  UPDATE serving SET pruned = 99999";
    let url = format!("sqlite://{}/users.db", folder.path().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(behind).execute(&mut connection).await.unwrap();
    process.forgets(1).await;
}
