//! What the service says of a server that is lost and found: `/stats`, `/readyz`, `/metrics`, and the log.

use serde_json::{Value, json};
use support::{aside::Aside, eventually, memcached::Memcached};

use crate::{lost::aside, trial::sum};

/// Lines of the log that tell of a change.
fn changes(aside: &Aside) -> Vec<&'static str> {
    let log = aside.log();
    let states = ["memcached is in service", "memcached is out of service"];
    let change = |line: &str| states.into_iter().find(|state| line.contains(state));
    log.lines().filter_map(change).collect()
}

/// Waits until all three places say the same of one of two servers.
async fn eventually_says(aside: &Aside, servers: &[Memcached; 2], states: [&str; 2]) {
    let report = |(server, state): (&Memcached, &str)| json!({ "server": server.address().to_string(), "state": state });
    let reports: Vec<Value> = servers.iter().zip(states).map(report).collect();
    eventually("the state in /stats and /readyz", async || {
        // Somebody must ask for a server to be found missing.
        for id in 1..=20 {
            aside.get(&format!("/users/{id}")).await.user(id);
        }
        let (stats, ready) = (aside.get("/stats").await, aside.get("/readyz").await);
        // A lost memcached does not make the service unready; a database that is slow for a moment may.
        if ready.status != 200 {
            return None;
        }
        // `/stats` tells more of each.
        let row = |row: &Value| json!({ "server": row["server"], "state": row["state"] });
        let says = |answer: Value| {
            answer["memcached"].as_array().unwrap().iter().map(row).eq(reports.iter().cloned())
        };
        (says(stats.json()) && says(ready.json())).then_some(())
    })
    .await;
    let metrics = aside.metrics().await;
    for (server, state) in servers.iter().zip(states) {
        let series = format!("aside_memcached_in_service{{server=\"{}\"}}", server.address());
        let used = sum(&metrics, &series) > 0.5;
        assert_eq!(used, state == "in service", "{metrics}");
    }
}

#[tokio::test]
async fn each_change_is_in_the_stats_the_metrics_and_one_line_of_the_log() {
    let mut servers = [Memcached::start().await, Memcached::start().await];
    let addresses = servers.each_ref().map(|server| server.address().to_string());
    let aside = aside(&addresses.join(",")).await;
    eventually_says(&aside, &servers, ["in service", "in service"]).await;
    servers[1].kill();
    eventually_says(&aside, &servers, ["in service", "out of service"]).await;
    eventually("the second choice takes over, and not this process's memory", async || {
        let mut hits = 0;
        for id in 1..=20 {
            let answer = aside.get(&format!("/users/{id}")).await;
            hits += u32::from(
                answer.x_cache() == "HIT" && !answer.cache_status().contains_key("detail"),
            );
        }
        (hits == 20).then_some(())
    })
    .await;
    servers[1].restart().await;
    eventually_says(&aside, &servers, ["in service", "in service"]).await;
    let [used, lost] = ["memcached is in service", "memcached is out of service"];
    assert_eq!(changes(&aside), [used, used, lost, used]);
    let lines = aside.log();
    let lost = lines.lines().find(|line| line.contains(lost)).unwrap();
    assert!(lost.contains(&addresses[1]) && lost.contains("cause="), "{lost}");
}
