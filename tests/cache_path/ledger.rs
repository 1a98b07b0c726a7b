//! The ledger.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_ledger_holds_every_get_exactly_once() {
    let mut replica = Replica::new(&store(), &policy());
    replica.warm(1, 1).await;
    for _ in 0..3 {
        replica.get(1).await.unwrap().unwrap();
    }
    let no_store = replica.get_with(1, Directives { no_store: true, ..Directives::default() });
    replica.load().await.version(2);
    no_store.await.unwrap().unwrap();
    let all = Outcome::ALL.iter().map(|outcome| replica.metrics.gets.of(*outcome));
    assert_eq!(all.sum::<u64>(), 5);
    assert_eq!(body(1), Bytes::from(r#"{"version":1}"#));
}
