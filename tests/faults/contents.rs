//! What memcached holds is of no use, or not to be stored in it.

use support::{aside::Aside, memcached::Memcached};

use crate::{
    fault::{Fault, out_of_memory},
    load::WARM_IDS,
    replies::bears,
    trial::{Trial, sum},
};

#[tokio::test]
async fn entries_of_another_schema_and_no_json() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &servers, "--memcached-timeout", "2s"]).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    let mut sets = String::new();
    for id in 1..=WARM_IDS {
        // Sound flags have the schema's version, 1, in their first byte.
        let (flags, body) = match id % 4 {
            0 => (0, r#"{"id":0}"#),
            1 => (2 << 24 | 60, r#"{"id":0}"#),
            2 => (1 << 24 | 60, "id=0"),
            _ => (1 << 24 | 60, ""),
        };
        sets += &format!("set user:{id} {flags} 400 {} noreply\r\n{body}\r\n", body.len());
    }
    memcached.ask(&format!("{sets}mn\r\n"), "MN\r\n").await.unwrap();
    trial.ends();
    let outcome = trial.recovers().await;
    let row = "it holds entries of another schema, or not JSON";
    outcome.enter(row, r#"aside_cache_gets_total{source="users",outcome="miss"}"#);
    let loads = outcome.moved("aside_loads_total{");
    let keys = outcome.keys();
    assert!(loads <= keys, "{loads} loads of {keys} keys");
}

#[tokio::test]
async fn everything_flushed() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &servers, "--memcached-timeout", "2s"]).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    memcached.ask("flush_all\r\n", "OK\r\n").await.unwrap();
    trial.ends();
    let outcome = trial.recovers().await;
    outcome.enter(
        "everything in it is flushed",
        r#"aside_loads_total{source="users",result="found"}"#,
    );
    let (loads, keys) = (outcome.moved("aside_loads_total{"), outcome.keys());
    assert!(loads <= keys, "{loads} loads of {keys} keys");
}

#[tokio::test]
async fn no_memory_left_for_a_write() {
    let outcome = bears(Fault::Altered(out_of_memory)).await;
    let failed = r#"aside_fills_total{source="users",result="failed"}"#;
    outcome.enter("it has no memory left for a write", failed);
    assert!(outcome.moved(failed) <= outcome.moved("aside_loads_total{"), "a fill was tried again");
    let failures = outcome.moved("aside_memcached_failures_total");
    assert!(failures < 0.5, "an error that was read whole is none of the connection's");
}

#[tokio::test]
async fn a_user_over_a_mebibyte_is_served_and_not_stored() {
    let memcached = Memcached::start().await;
    let servers = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &servers, "--slow-query", "0s"]).await;
    aside.place.execute("UPDATE users SET name = printf('%.*c', 1100000, 'x') WHERE id = 7").await;
    for _ in 0..3 {
        let answer = aside.get("/users/7").await;
        assert_eq!(answer.user(7).x_cache(), "MISS");
        let status = answer.cache_status();
        assert_eq!((&*status["stored"], &*status["detail"]), ("false", "too-large"));
    }
    assert_eq!(aside.get("/users/8").await.user(8).cache_status()["stored"], "true");
    let metrics = aside.metrics().await;
    let too_large = sum(&metrics, r#"aside_fills_total{source="users",result="too_large"}"#);
    assert!((2.5..3.5).contains(&too_large), "{too_large}");
}
