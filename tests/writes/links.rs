//! Links that fail for one replica only, while the others reach what it can't.

use std::sync::atomic::Ordering;

use support::{
    aside::{Aside, Place},
    eventually,
    link::Links,
    memcached::Memcached,
    proxy::Flow,
};

use crate::request::assert_written;

/// Two servers, and three replicas over links of their own.
struct World {
    servers: [Memcached; 2],
    links: [Links; 3],
    replicas: [Aside; 3],
}

impl World {
    /// Starts the replicas, each of which can't reach one of the servers: the one at this place.
    async fn without(cut: [Option<usize>; 3]) -> Self {
        let (place, servers) =
            (Place::seeded().await, [Memcached::start().await, Memcached::start().await]);
        let links = [0; 3].map(|_| Links::start(&servers));
        let mut replicas = Vec::new();
        for (links, cut) in links.iter().zip(cut) {
            if let Some(server) = cut {
                links.to(server).set(Flow::Cut);
            }
            replicas.push(Aside::run(&place, links.command(&place, &["--ttl", "40s"])).await);
        }
        let replicas = replicas.try_into().unwrap_or_else(|_| unreachable!("there are three"));
        Self { servers, links, replicas }
    }
}

/// Reads the user until it comes from memcached, and gives its name.
async fn hit(aside: &Aside, id: i64) -> String {
    eventually("a hit", async || {
        let answer = aside.get(&format!("/users/{id}")).await;
        let hits = answer.x_cache() == "HIT" && !answer.cache_status().contains_key("detail");
        hits.then(|| answer.user(id).json()["name"].as_str().unwrap().to_owned())
    })
    .await
}

/// The writer can't reach the one server, and the readers, who use that one, can't reach the other. When they first try
/// to deliver what the writer could not, their connections are lost with it.
#[tokio::test]
async fn a_pending_write_is_seen_although_its_other_server_stays_away() {
    let (a, b) = (0, 1);
    let World { servers, links, replicas } = World::without([Some(a), Some(b), Some(b)]).await;
    let [writer, readers @ ..] = &replicas;
    let old = hit(&readers[0], 1).await;
    assert!(servers[a].stored("user:1").await.contains(&old));
    let left: Vec<_> = links[1..].iter().map(|links| links.to(a).lose("md user:1", 2)).collect();
    assert_written(&writer.rename(1, "Ada").await, "user:1", "pending");
    for reader in readers {
        eventually("the write is seen", async || (reader.name(1).await == "Ada").then_some(()))
            .await;
    }
    assert!(left.iter().any(|left| left.load(Ordering::Relaxed) < 2), "nothing was lost");
}

/// Keys of either first choice are among these, so that some are read from their second.
#[tokio::test]
async fn a_write_is_forgotten_on_both_servers_that_a_replica_may_read_it_from() {
    for away in [0, 1] {
        let world = World::without([None, Some(away), None]).await;
        let [writer, reader, _] = &world.replicas;
        for id in 1..=8 {
            hit(reader, id).await;
            assert_written(&writer.rename(id, "Ada").await, &format!("user:{id}"), "forgotten");
            assert_eq!(reader.name(id).await, "Ada", "user {id} without server {away}");
        }
    }
}
