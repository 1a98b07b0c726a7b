//! The list of memcached servers: one for all processes on a database.

use rustix::process::Signal;
use support::{
    aside::{Aside, Place},
    eventually,
    memcached::Memcached,
};

use crate::settings::refused;

async fn two() -> [String; 2] {
    // Nobody need be there.
    [Memcached::start().await, Memcached::start().await].map(|server| server.address().to_string())
}

#[tokio::test]
async fn a_process_with_another_list_of_servers_is_refused() {
    let (place, [ours, theirs]) = (Place::seeded().await, two().await);
    let _aside = Aside::start_at(&place, &["--memcached", &theirs]).await;
    for arguments in [
        &["--memcached", &ours][..],
        &["--memcached", &format!("{ours},{theirs}")],
        &["--memcached", "none"],
        &["jobs", "consume", "--memcached", &ours],
    ] {
        let line = refused(&place, arguments, None).await;
        let list = arguments.last().unwrap();
        assert!(line.contains(&format!("'--memcached {list}'")), "{line}");
        assert!(line.contains(&theirs) && line.contains("--adopt-servers"), "{line}");
    }
}

#[tokio::test]
async fn a_second_process_without_servers_is_refused() {
    let place = Place::seeded().await;
    let mut first = Aside::start_at(&place, &[]).await;
    let line = refused(&place, &[], None).await;
    assert!(line.contains("'--memcached none' is for one process"), "{line}");
    // The lock goes with the process, however that ends.
    first.signal(Signal::KILL);
    first.ended().await;
    Aside::start_at(&place, &[]).await;
}

#[tokio::test]
async fn a_list_that_is_adopted_is_that_of_all_and_processes_with_the_old_one_use_theirs_no_longer()
{
    let (place, servers) =
        (Place::seeded().await, [Memcached::start().await, Memcached::start().await]);
    let [old, new] = servers.each_ref().map(|server| server.address().to_string());
    let before = Aside::start_at(&place, &["--memcached", &old]).await;
    before.get("/users/1").await.user(1);
    servers[1].ask("ms user:1 2 T600\r\n{}\r\n", "HD\r\n").await.unwrap();
    let after = Aside::start_at(&place, &["--memcached", &new, "--adopt-servers"]).await;
    let left = servers[1].ask("mg user:1 v\r\n", "\r\n").await.unwrap();
    assert_eq!(left, "EN\r\n", "what an earlier list may have left is gone before it is used");
    let not_ready = eventually("it is not ready", async || {
        let answer = before.get("/readyz").await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    let detail = not_ready.problem(503);
    assert!(format!("{detail:?}").contains("list of memcached servers was replaced"), "{detail:?}");
    // It serves on, from its own memory, which hears of what others write.
    for new in ["Ada", "Grace"] {
        after.rename(1, new).await;
        eventually("it hears of it", async || (before.name(1).await == new).then_some(())).await;
    }
    assert_eq!(before.get("/users/1").await.cache_status()["detail"], "fallback");
    assert!(before.log().contains("another list of memcached servers"));
    assert_eq!(after.get("/readyz").await.status, 200);
}
