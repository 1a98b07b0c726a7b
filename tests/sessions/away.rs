//! memcached is away: 503, never "you are logged out".

use support::{answer::Answer, aside::Aside, eventually, memcached::Memcached};

use crate::request::{delete, get, key, log_in, start, try_log_in};

/// Asserts that `answer` says nothing but "not now", and leaves a browser its cookie.
#[track_caller]
fn assert_away(answer: &Answer) {
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

/// Asks for the current session, by the cookie.
async fn current(aside: &Aside, method: reqwest::Method, id: &str) -> Answer {
    let cookie = format!("aside_session={id}");
    aside.send(method, "/sessions/current", &[("cookie", &cookie)]).await
}

async fn everything_is_away(aside: &Aside, id: &str) {
    for _ in 0..5 {
        assert_away(&get(aside, id).await);
        assert_away(&delete(aside, id).await);
        assert_away(&current(aside, reqwest::Method::GET, id).await);
        assert_away(&current(aside, reqwest::Method::DELETE, id).await);
        assert_away(&try_log_in(aside).await);
    }
    get(aside, "nonsense").await.problem(404);
    aside.get("/users/1").await.user(1);
}

#[tokio::test]
async fn while_memcached_is_killed_nobody_is_logged_out_and_after_it_the_session_is_lost() {
    let mut memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let id = log_in(&aside).await;
    memcached.kill();
    everything_is_away(&aside, &id).await;
    memcached.restart().await;
    eventually("log-ins go on", async || (try_log_in(&aside).await.status == 201).then_some(()))
        .await;
    get(&aside, &id).await.problem(404);
    let id = log_in(&aside).await;
    assert_eq!(get(&aside, &id).await.status, 200);
}

#[tokio::test]
async fn while_memcached_is_stopped_nobody_is_logged_out_and_after_it_the_session_is_there() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--memcached-timeout", "2s"]).await;
    let id = log_in(&aside).await;
    memcached.stop();
    everything_is_away(&aside, &id).await;
    memcached.go_on();
    // A delete that memcached received while it was stopped may be carried out now; nothing else may end it.
    eventually("an answer", async || {
        let answer = get(&aside, &id).await;
        assert!([200, 404, 503].contains(&answer.status), "{answer:?}");
        (answer.status != 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_only_read_outlives_a_stop() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--memcached-timeout", "2s"]).await;
    let id = log_in(&aside).await;
    memcached.stop();
    for _ in 0..5 {
        assert_away(&get(&aside, &id).await);
    }
    memcached.go_on();
    eventually("the session is back", async || {
        let answer = get(&aside, &id).await;
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn with_one_of_two_servers_killed_log_ins_go_on_and_its_sessions_are_away_and_no_others() {
    let mut servers = [Memcached::start().await, Memcached::start().await];
    let aside = start(&servers.each_ref(), &[]).await;
    let (mut lost, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let id = log_in(&aside).await;
        let is_there = servers[0].tell(&format!("mg {} t", key(&id))).await.starts_with("HD ");
        if is_there { lost.push(id) } else { kept.push(id) }
    }
    assert!(lost.len() >= 20 && kept.len() >= 20, "{} and {}", lost.len(), kept.len());
    servers[0].kill();
    // The first few failures are what the service learns it from.
    eventually("out of service", async || {
        assert_away(&get(&aside, &lost[0]).await);
        (aside.states().await[0] == "out of service").then_some(())
    })
    .await;
    for _ in 0..40 {
        let id = log_in(&aside).await;
        assert_eq!(get(&aside, &id).await.status, 200);
    }
    for id in &lost {
        assert_away(&get(&aside, id).await);
        assert_away(&delete(&aside, id).await);
    }
    for id in &kept {
        assert_eq!(get(&aside, id).await.status, 200);
    }
    servers[1].kill();
    for id in kept.iter().chain(&lost) {
        assert_away(&get(&aside, id).await);
    }
    assert_away(&try_log_in(&aside).await);
}

#[tokio::test]
async fn without_memcached_by_the_setting_there_are_no_sessions() {
    let aside = Aside::start(&["--memcached", "none"]).await;
    let id = "A".repeat(43);
    let told = [
        try_log_in(&aside).await,
        get(&aside, &id).await,
        delete(&aside, &id).await,
        current(&aside, reqwest::Method::GET, &id).await,
    ];
    for answer in told {
        assert_away(&answer);
        assert!(answer.problem(503).contains("set to do without"), "{answer:?}");
    }
}
