//! One memcached, several readers of its sessions.

use std::process::Stdio;

use support::{PATIENCE, PYTHON, memcached::Memcached};
use tokio::{process::Command, time::timeout};

use crate::request::{delete, get, log_in, start, start_at, try_log_in};

/// A program that finds a session as another web server would: servers and an id in, the session out.
const READER: &str = "
import hashlib, sys
from pymemcache.client.hash import HashClient
*servers, id = sys.argv[1:]
key = 'session:' + hashlib.sha256(id.encode()).hexdigest()
print((HashClient(servers, timeout=5).get(key) or b'').decode())
";

#[tokio::test]
async fn a_session_is_known_to_every_replica_at_once() {
    let memcached = [Memcached::start().await, Memcached::start().await];
    let memcached = memcached.each_ref();
    let a = start(&memcached, &[]).await;
    let b = start_at(&a.place, &memcached, &[]).await;
    for _ in 0..20 {
        let begun = try_log_in(&a).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        let read = get(&b, &id).await;
        assert_eq!((read.status, &read.body), (200, &begun.body));
        assert_eq!(delete(&b, &id).await.status, 204);
        get(&a, &id).await.problem(404);
    }
}

#[tokio::test]
async fn another_web_server_finds_a_session_by_its_id() {
    let memcached = [Memcached::start().await, Memcached::start().await, Memcached::start().await];
    let servers = memcached.each_ref().map(|server| server.address().to_string());
    let aside = start(&memcached.each_ref(), &[]).await;
    for _ in 0..5 {
        let id = log_in(&aside).await;
        let mut python = Command::new(PYTHON);
        python.args(["-c", READER]).args(&servers).arg(&id).stderr(Stdio::inherit());
        let output = timeout(PATIENCE, python.kill_on_drop(true).output()).await.unwrap().unwrap();
        assert!(output.status.success(), "script/test installs python3-pymemcache");
        let mut found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        found["id"] = id.as_str().into();
        assert_eq!(found, get(&aside, &id).await.json());
    }
}
