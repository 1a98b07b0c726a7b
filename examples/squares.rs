//! The cache path in front of a slow source of one's own: `cargo run --example squares`.

use std::time::Duration;

use aside::{
    cache::{Directives, Failure, Get, Key, LoadEnd, Memory, Origin, Policy, Source, stack},
    metrics::Metrics,
};
use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

/// Takes a second for each square.
struct Squares;

impl Source for Squares {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered("square", *id)
    }

    async fn load(&self, id: i64, _deadline: Instant) -> LoadEnd {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let square = id.checked_mul(id);
        Ok(square.map(|it| Bytes::from(format!(r#"{{"square":{it}}}"#))).into())
    }
}

/// Asks twice for each of two squares: the first time takes a second, the second is a hit.
#[tokio::main]
async fn main() -> Result<(), Failure> {
    let store = Memory::new(1 << 20, Duration::MAX, Origin::Memory); // or `memcached::Memcached`
    let metrics = Metrics::default().cache("squares");
    let squares = stack(Squares, store, &Policy::default(), &metrics);
    for id in [12, 12, 13, 13] {
        let began = Instant::now();
        let get = Get { id, directives: Directives::default() };
        let answer = squares.clone().oneshot(get).await?;
        let body = answer.body.unwrap_or_default();
        let outcome = answer.account.served.outcome();
        println!("{id}: {} {outcome:?} in {:.1?}", String::from_utf8_lossy(&body), began.elapsed());
    }
    Ok(())
}
