//! Where a key lives and why, in the words of `/cache` and of `aside cache explain`.

use crate::{
    cache::{Explanation, Key},
    http::ServerPlace,
    memcached::{Inspector, Place},
};

/// Explains what each server has under `key`, its first choice first.
pub async fn explain(inspector: &Inspector, key: &Key, kept_stale_s: u32) -> Vec<ServerPlace> {
    let places = inspector.places(key).await;
    let servers = places.len();
    let ranks = (0..).zip(places);
    ranks.map(|(rank, place)| explained(rank, servers, place, kept_stale_s)).collect()
}

fn explained(rank: usize, servers: usize, place: Place, kept_stale_s: u32) -> ServerPlace {
    let why = match (rank, servers) {
        (0, 1) => "the only server".to_owned(),
        (0, _) => format!("first choice: the highest of {servers} scores (rendezvous hashing)"),
        (1, _) => "second choice: used while the first is out of service".to_owned(),
        _ => "not asked: only the two highest scores count".to_owned(),
    };
    let (entry, error) = match place.item {
        Some(Ok(item)) => (Some(Explanation::of(item, kept_stale_s)), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    ServerPlace { server: place.address.to_string(), score: place.score, why, entry, error }
}
