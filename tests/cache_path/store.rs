//! A store with something else in it, and one that loses things.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_another_client_stored_is_replaced_and_never_an_error() {
    let store = store();
    let mut replica = Replica::new(&store, &policy());
    let foreign = Flags { schema: SCHEMA + 1, negative: false, lifetime_s: 60 }.pack();
    for (id, (flags, bytes)) in (1..).zip([(0, "{}"), (foreign, "{}"), (1 << 24, "hello")]) {
        let ask = Ask { lease_s: Some(10), refresh_s: None };
        let Look::Placeholder { lease, .. } = store.lookup(&key(id), ask).await.unwrap() else {
            panic!("the key is new");
        };
        let value = Value { body: Bytes::from(bytes), flags, left_s: 60 };
        store.fill(&key(id), &lease, value).await.unwrap();
        replica.warm(id, 1).await;
        assert_eq!(outcome(&replica.get(id).await.unwrap()), Outcome::Hit);
    }
}

/// A store whose fills are lost on the way.
#[derive(Clone)]
struct LosesFills(Memory);

impl Store for LosesFills {
    async fn lookup(&self, key: &Key, ask: Ask) -> std::result::Result<Look, StoreError> {
        self.0.lookup(key, ask).await
    }

    async fn fill(&self, _: &Key, _: &Lease, _: Value) -> std::result::Result<Filled, StoreError> {
        Err(StoreError::NoAnswer)
    }

    fn release(&self, key: &Key, lease: &Lease) {
        self.0.release(key, lease);
    }

    async fn forget(&self, key: &Key) -> std::result::Result<(), Places> {
        self.0.forget(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_lost_leaves_nothing_to_wait_for() {
    let mut replica = Replica::new(&LosesFills(store()), &policy());
    let begun_at = Instant::now();
    for version in [1, 2] {
        let get = replica.get(1);
        replica.load().await.version(version);
        let get = get.await.unwrap();
        assert_eq!((version_of(&get), account(&get).detail), (version, Some(Detail::NotStored)));
        settle().await;
    }
    assert_eq!(begun_at.elapsed(), Duration::ZERO, "a lease was waited for");
}

/// A store that has no room for a placeholder.
#[derive(Clone)]
struct Full(Memory);

impl Store for Full {
    async fn lookup(&self, key: &Key, ask: Ask) -> std::result::Result<Look, StoreError> {
        self.0.lookup(key, Ask { lease_s: None, ..ask }).await
    }

    async fn fill(
        &self,
        key: &Key,
        lease: &Lease,
        value: Value,
    ) -> std::result::Result<Filled, StoreError> {
        self.0.fill(key, lease, value).await
    }

    fn release(&self, key: &Key, lease: &Lease) {
        self.0.release(key, lease);
    }

    async fn forget(&self, key: &Key) -> std::result::Result<(), Places> {
        self.0.forget(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_no_lease_is_loaded_past() {
    let mut replica = Replica::new(&Full(store()), &policy());
    let get = replica.get(1);
    replica.load().await.version(1);
    let get = get.await.unwrap();
    assert_eq!((version_of(&get), account(&get).detail), (1, Some(Detail::NotStored)));
    let missed = Served::Forwarded { why: Forward::Miss, collapsed: false, stored: Some(false) };
    assert_eq!(account(&get).served, missed);
}
