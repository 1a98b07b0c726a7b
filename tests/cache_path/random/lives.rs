//! What readers and writers do.

use std::{sync::Arc, time::Duration};

use aside::cache::{Directives, Get, Served, Store};
use bytes::Bytes;
use tokio::time::timeout;
use tower::ServiceExt;

use super::{
    chance, pause,
    rows::{Rows, key},
    weather::Weather,
    wire::Wire,
    world::{GET_MAX, Replica},
};

/// Gets of one reader, and writes of one writer.
const READS: usize = 6;
const WRITES: usize = 3;

/// One get, judged. `None` if it ended with an error, which it may.
pub(crate) async fn get(
    replica: &Replica,
    rows: &Rows,
    id: i64,
    directives: Directives,
) -> Option<(Option<Bytes>, Served)> {
    let floor = rows.floor(id);
    let get = replica.cache.clone().oneshot(Get { id, directives });
    let Ok(result) = timeout(GET_MAX, get).await else {
        rows.broke(format!("{id}: a get has not ended after {GET_MAX:?}"));
        return None;
    };
    let answer = result.ok()?;
    rows.judge(id, floor, &answer);
    Some((answer.body, answer.account.served))
}

pub(crate) async fn read_on(replica: Replica, rows: Arc<Rows>, weather: Weather) {
    for _ in 0..READS {
        pause(fastrand::u64(0..if chance(25) { 2500 } else { 200 })).await;
        let id = fastrand::i64(0..weather.keys);
        let get = get(&replica, &rows, id, directives());
        if chance(10) {
            // The client leaves before it has its answer.
            let _ = timeout(Duration::from_millis(fastrand::u64(0..50)), get).await;
        } else {
            get.await;
        }
    }
}

/// Mostly none; now and then one that what is stored may not satisfy.
fn directives() -> Directives {
    let mut directives = Directives::default();
    match fastrand::u32(0..100) {
        0..5 => directives.no_cache = true,
        5..8 => directives.no_store = true,
        8..11 => directives.only_if_cached = true,
        11..14 => directives.max_age_s = Some(1),
        14..17 => directives.min_fresh_s = Some(1),
        17..20 => directives.max_stale_s = Some(u32::MAX),
        _ => {}
    }
    directives
}

/// Writes: the row, then the key is forgotten, however often it takes, then the acknowledgement.
pub(crate) async fn write_on(wire: Wire, rows: Arc<Rows>, weather: Weather) {
    for _ in 0..WRITES {
        pause(fastrand::u64(0..weather.write_pause_ms)).await;
        let id = fastrand::i64(0..weather.keys);
        let version = rows.commit(id);
        while wire.forget(&key(id)).await.is_err() {
            pause(fastrand::u64(1..20)).await;
        }
        rows.acknowledge(id, version);
    }
}
