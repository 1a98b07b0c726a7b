//! What other clients of the same memcached have stored under our keys.

use support::{aside::Aside, memcached::Memcached};

#[tokio::test]
async fn what_is_not_ours_is_a_miss_and_is_replaced() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    for (id, flags, text) in [
        (1, 0, r#"{"id":99}"#),
        (2, 1 << 24 | 60, "hello"),
        (3, 2 << 24 | 60, r#"{"id":99}"#),
        (4, 0, ""),
        (5, 1 << 24 | 60, "{"),
    ] {
        let set = format!("set user:{id} {flags} 60 {}\r\n{text}", text.len());
        assert!(memcached.tell(&set).await.starts_with("STORED"));
        assert_eq!(aside.get(&format!("/users/{id}")).await.user(id).x_cache(), "MISS");
        let hit = aside.get(&format!("/users/{id}")).await;
        assert_eq!(hit.user(id).x_cache(), "HIT");
        assert_eq!(memcached.value(&format!("user:{id}")).await.unwrap().as_bytes(), hit.body);
    }
}

#[tokio::test]
async fn a_restarted_and_a_flushed_memcached_are_cold_and_nothing_worse() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let _core = support::core().await;
    let load = crate::load::Load::start(&aside, 8, 50);
    for _ in 0..3 {
        memcached.tell("flush_all").await;
        memcached.restart().await;
        let before = aside.ledger("hits").await;
        support::eventually("hits again", async || {
            (aside.ledger("hits").await > before + 500).then_some(())
        })
        .await;
    }
    let tally = load.stop().await;
    assert!(
        tally.failures.is_empty(),
        "{} of {}: {:?}",
        tally.failures.len(),
        tally.answers,
        tally.failures.first()
    );
}
