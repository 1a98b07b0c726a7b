//! The store in memory, asked by two threads at once.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::Duration,
};

use aside::cache::{Ask, Filled, Key, Look, Memory, Origin, Store, Value};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::advance;

/// Races that are run. Some hundreds of them go wrong if a forget can fall into the middle of a fill.
const RACES: i64 = 20_000;

/// Steps of a spin loop by which the second thread starts later; each race takes another of them.
const DELAYS: i64 = 64;

/// The operations of [`Memory`] never wait.
fn now<T>(operation: impl Future<Output = T>) -> T {
    operation.now_or_never().unwrap()
}

/// Waits for the other thread without going to sleep, which would give it a head start.
fn reach(counter: &AtomicI64, race: i64) {
    while counter.load(Ordering::Acquire) < race {
        spin_loop();
        thread::yield_now();
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_as_old_as_the_question_for_its_load_and_never_older_than_it_may_be() {
    let store = Memory::new(1 << 20, Duration::from_secs(5), Origin::Fallback);
    let key = Key::numbered("thing", 1);
    let ask = Ask { lease_s: Some(8), refresh_s: None };
    let Ok(Look::Placeholder { lease, .. }) = store.lookup(&key, ask).await else { panic!() };
    // A load that took four seconds, and may have read its row in the first of them.
    advance(Duration::from_secs(4)).await;
    let value = Value { body: Bytes::from_static(b"{}"), flags: 0, left_s: 60 };
    assert_eq!(store.fill(&key, &lease, value).await, Ok(Filled::Stored));
    advance(Duration::from_millis(900)).await;
    assert!(matches!(store.lookup(&key, ask).await, Ok(Look::Found { .. })));
    advance(Duration::from_millis(100)).await;
    assert!(matches!(store.lookup(&key, ask).await, Ok(Look::Placeholder { .. })));
}

#[test]
fn a_value_that_is_filled_while_its_key_is_forgotten_is_not_there_afterwards() {
    let store = Memory::new(1 << 30, Duration::MAX, Origin::Memory);
    let look = |key: &Key, lease_s| now(store.lookup(key, Ask { lease_s, refresh_s: None }));
    let (begun, ended) = (AtomicI64::new(0), AtomicI64::new(0));
    let mut put_back = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for race in 1..=RACES {
                let key = Key::numbered("thing", race);
                reach(&begun, race);
                (0..race % DELAYS).for_each(|_| spin_loop());
                now(store.forget(&key)).unwrap();
                ended.store(race, Ordering::Release);
            }
        });
        for race in 1..=RACES {
            let key = Key::numbered("thing", race);
            let leased = look(&key, Some(8));
            let value = Value { body: Bytes::from_static(b"{}"), flags: 0, left_s: 60 };
            begun.store(race, Ordering::Release);
            if let Ok(Look::Placeholder { lease, .. }) = leased {
                now(store.fill(&key, &lease, value)).unwrap();
            }
            reach(&ended, race);
            put_back += i32::from(!matches!(look(&key, None), Ok(Look::Absent)));
        }
    });
    assert_eq!(put_back, 0, "of {RACES} values were put back after they had been forgotten");
}
