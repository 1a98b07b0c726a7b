//! The cache path: a stack of tower layers that reads top to bottom, the same for every source.
//!
//! ```text
//!   Lookup         ask the store; a fresh or a stale entry is the answer and goes straight back
//!   SingleFlight   one load per key in this process; the others wait for its answer
//!   Fill           holds the lease, or waits for the replica that does; stores under the lease
//!   Bulkhead       so many loads run, so many wait, the rest are refused at once
//!   Source         the slow thing
//! ```
//!
//! Every layer is always ready: what bounds a load happens inside its future, so that a hit never
//! waits behind a miss.
//!
//! For a slow backend of your own, say what it loads and stack the layers in front of it:
//!
//! ```
//! use std::time::Duration;
//!
//! use aside::{
//!     cache::{Directives, Get, Key, LoadEnd, Memory, Origin, Policy, Source, stack},
//!     metrics::{Metrics, Outcome},
//! };
//! use bytes::Bytes;
//! use tokio::time::Instant;
//! use tower::ServiceExt;
//!
//! /// Takes a second for each square.
//! struct Squares;
//!
//! impl Source for Squares {
//!     type Id = i64;
//!
//!     fn key(&self, id: &i64) -> Key {
//!         Key::numbered("square", *id)
//!     }
//!
//!     async fn load(&self, id: i64, _deadline: Instant) -> LoadEnd {
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!         let square = id.checked_mul(id);
//!         Ok(square.map(|it| Bytes::from(format!(r#"{{"square":{it}}}"#))).into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let store = Memory::new(1 << 20, Duration::MAX, Origin::Memory); // or `memcached::Memcached`
//! let metrics = Metrics::default().cache("squares");
//! let squares = stack(Squares, store, &Policy::default(), &metrics);
//! for outcome in [Outcome::Miss, Outcome::Hit] {
//!     let get = Get { id: 12, directives: Directives::default() };
//!     let answer = squares.clone().oneshot(get).await.unwrap();
//!     assert_eq!(answer.body.unwrap(), r#"{"square":144}"#);
//!     assert_eq!(answer.account.served.outcome(), outcome);
//! }
//! # }
//! ```

mod answer;
mod backlog;
mod backoff;
mod bulkhead;
mod decide;
mod directives;
mod entry;
mod explanation;
mod fallback;
mod fill;
mod key;
mod load;
mod lookup;
mod memory;
mod pace;
mod places;
mod policy;
mod single_flight;
mod source;
mod store;

use tower::{ServiceBuilder, service_fn, util::BoxCloneSyncService};

pub use self::{
    answer::{Account, Answer, Cache, Detail, Failure, Forward, Get, GetError, Served},
    backlog::{Backlog, Change, Missed, Page, Servers},
    directives::Directives,
    entry::{Entry, Flags, SCHEMA},
    explanation::{Condition, Explanation, Item},
    fallback::Fallback,
    key::{InvalidKey, KEY_BYTES_MAX, Key},
    memory::Memory,
    places::{PLACES_MAX, Places},
    policy::{Form, LIFE_S_MAX, Policy, TTL_S_MIN},
    single_flight::InFlight,
    source::{Found, Keep, LoadEnd, LoadError, Source},
    store::{Ask, Filled, Lease, Look, Origin, Store, StoreError, Token, Value},
};
use self::{
    backoff::Backoff, bulkhead::BulkheadLayer, fill::FillLayer, lookup::LookupLayer,
    single_flight::SingleFlightLayer,
};
use crate::metrics::CacheMetrics;

/// Makes a store forget a key, or tells which places may still hold it: a [`tower::Service`] for those who write.
pub type Forget = BoxCloneSyncService<Key, (), Places>;

/// The [`Forget`] of `store`.
pub fn forget<T: Store>(store: T) -> Forget {
    BoxCloneSyncService::new(service_fn(move |key: Key| {
        let store = store.clone();
        async move { store.forget(&key).await }
    }))
}

/// Stacks the layers in front of `source`.
pub fn stack<S: Source, T: Store>(
    source: S,
    store: T,
    policy: &Policy,
    metrics: &CacheMetrics,
) -> Cache<S::Id> {
    stack_counted(source, store, policy, metrics, &InFlight::default())
}

/// Stacks the layers in front of `source`, and counts what is `in_flight`, for a process that waits for it before
/// it ends.
pub fn stack_counted<S: Source, T: Store>(
    source: S,
    store: T,
    policy: &Policy,
    metrics: &CacheMetrics,
    in_flight: &InFlight,
) -> Cache<S::Id> {
    let backoff = Backoff::new(policy.load_timeout);
    let bulkhead = BulkheadLayer::new(policy, metrics);
    let source = std::sync::Arc::new(source);
    ServiceBuilder::new()
        // Answers hits and stale hits; starts the refresh of an entry that grows stale.
        .layer(LookupLayer::new(&source, &store, policy, &backoff, bulkhead.room(), metrics))
        // Lets the callers that saw one version of one key share a load.
        .layer(SingleFlightLayer::new(in_flight))
        // Stores what was loaded under the lease, or waits for the replica that holds it.
        .layer(FillLayer::new(&store, policy, &backoff, metrics))
        // Protects the source from too many loads at once.
        .layer(bulkhead)
        .service(source)
}
