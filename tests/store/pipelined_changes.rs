//! Changes that are asked for at the same time share round trips, so that a server that is far away keeps up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aside::cache::{Filled, Store};
use bytes::Bytes;
use futures_util::future::{join_all, try_join};
use support::{
    client::{Client, key, value},
    memcached::Memcached,
    proxy::{Flow, Proxy, Way},
};

/// The delay with which either side hears of what the other has sent.
const DELAY: Duration = Duration::from_millis(20);

/// Changes that are asked for at once: one after another they would take several operation deadlines.
const COUNT: usize = 256;

const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Round trips for so many: what was queued first, and the rest.
const ROUND_TRIPS_MAX: usize = 4;

/// A way to a memcached that is long, and counts the batches that are sent along it.
struct LongWay {
    proxy: Proxy,
    batches: Arc<AtomicUsize>,
}

impl LongWay {
    fn start(server: &Memcached) -> Self {
        let proxy = Proxy::start(&server.address());
        proxy.set(Flow::Slow(Way::Both, DELAY));
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = batches.clone();
        proxy.meddle(move |_, bytes| {
            // A batch is closed by it; the values of these tests have none.
            let ends = bytes.windows(4).filter(|end| end == b"mn\r\n").count();
            counted.fetch_add(ends, Ordering::Relaxed);
            None
        });
        Self { proxy, batches }
    }

    /// The batches that are sent while `changing` is under way, and its result.
    async fn batches_of<T>(&self, changing: impl Future<Output = T>) -> (usize, T) {
        let before = self.batches.load(Ordering::Relaxed);
        let result = changing.await;
        (self.batches.load(Ordering::Relaxed) - before, result)
    }
}

async fn connected(way: &LongWay) -> Client {
    let client = Client::start(way.proxy.address(), OPERATION_TIMEOUT);
    client.is_connected().await;
    client
}

fn names() -> Vec<String> {
    (0..COUNT).map(|number| format!("user:{number}")).collect()
}

#[tokio::test]
async fn fills_and_deletes_that_come_at_once_share_round_trips_and_none_is_refused() {
    let server = Memcached::start().await;
    let way = LongWay::start(&server);
    let client = connected(&way).await;
    let names = names();
    let leases = join_all(names.iter().map(|name| client.won(name))).await;

    let fills = names
        .iter()
        .zip(&leases)
        .map(async |(name, lease)| client.store.fill(&key(name), lease, value(name.clone())).await);
    let (batches, filled) = way.batches_of(join_all(fills)).await;
    assert_eq!(filled, vec![Ok(Filled::Stored); COUNT]);
    assert!((1..=ROUND_TRIPS_MAX).contains(&batches), "{batches} round trips to fill");
    assert_eq!(server.statistic("curr_items").await, Some(COUNT as u64));

    // Every other is there; a fill under a lease that was used is superseded, and must not be taken for stored.
    let changes = names.iter().zip(&leases).map(async |(name, lease)| {
        let forget = client.forget(name);
        let key = key(name);
        let fill = client.store.fill(&key, lease, value("old"));
        try_join(forget, fill).await
    });
    let (batches, changed) = way.batches_of(join_all(changes)).await;
    assert_eq!(changed, vec![Ok(((), Filled::Superseded)); COUNT]);
    assert!((1..=2 * ROUND_TRIPS_MAX).contains(&batches), "{batches} round trips to forget");
    assert_eq!(server.statistic("curr_items").await, Some(0));
    assert_eq!(client.metric("failures_total"), 0.0);
}

#[tokio::test]
async fn what_is_kept_and_removed_at_once_shares_round_trips() {
    let server = Memcached::start().await;
    let way = LongWay::start(&server);
    let client = connected(&way).await;
    let names = names();
    let (batches, kept) = way
        .batches_of(join_all(
            names.iter().map(async |name| {
                client.store.keep(&key(name), Bytes::from(name.clone()), 60).await
            }),
        ))
        .await;
    assert_eq!(kept, vec![Ok(()); COUNT]);
    assert!((1..=ROUND_TRIPS_MAX).contains(&batches), "{batches} round trips to keep");
    let read = join_all(names.iter().map(async |name| client.store.read(&key(name), None).await));
    for (name, kept) in names.iter().zip(read.await) {
        assert_eq!(kept.unwrap().unwrap().value, *name);
    }
    let removing = join_all(names.iter().map(async |name| client.store.remove(&key(name)).await));
    let (batches, removed) = way.batches_of(removing).await;
    assert_eq!(removed, vec![Ok(true); COUNT]);
    assert!((1..=ROUND_TRIPS_MAX).contains(&batches), "{batches} round trips to remove");
}

#[tokio::test]
async fn values_of_a_megabyte_each_that_come_at_once_are_all_stored() {
    const LARGE: usize = 8;
    let server = Memcached::start().await;
    let way = LongWay::start(&server);
    // Eight megabytes may take a busy machine longer than any operation's usual deadline.
    let client = Client::start(way.proxy.address(), OPERATION_TIMEOUT * 10);
    client.is_connected().await;
    let body = Bytes::from(vec![b'x'; 1_000_000]);
    let names = &names()[..LARGE];
    let leases = join_all(names.iter().map(|name| client.won(name))).await;
    let fills = names
        .iter()
        .zip(&leases)
        .map(async |(name, lease)| client.store.fill(&key(name), lease, value(body.clone())).await);
    assert_eq!(join_all(fills).await, vec![Ok(Filled::Stored); LARGE]);
    assert_eq!(client.metric("failures_total"), 0.0);
}

#[tokio::test]
async fn what_a_server_has_missed_is_forgotten_in_few_round_trips() {
    const MISSED: usize = 10_000;
    let server = Memcached::start().await;
    let missed: Vec<_> = (0..MISSED).map(|number| key(&format!("user:{number}"))).collect();
    let set = |key| format!("set {key} 0 0 1 noreply\r\nx\r\n");
    let sets: String = missed.iter().map(set).collect();
    server.ask(&format!("{sets}set kept 0 0 1\r\nx\r\nmn\r\n"), "MN\r\n").await.unwrap();
    let way = LongWay::start(&server);
    let back = async {
        let client = Client::start_behind(way.proxy.address(), OPERATION_TIMEOUT, missed);
        client.is_in_service().await;
    };
    let (batches, ()) = way.batches_of(back).await;
    // All is forgotten twice: before the server is used, and once more what was written between the two.
    assert!((1..=30).contains(&batches), "{batches} round trips to forget {MISSED} keys");
    assert_eq!(server.statistic("curr_items").await, Some(1), "only what was not missed is left");
}
