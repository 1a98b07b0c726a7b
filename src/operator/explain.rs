//! Explanations of a key, without touching it: where it lives and why, and what is there.

use serde::Serialize;

use super::Operator;
use crate::{
    cache::{Condition, Explanation, Key},
    memcached::{Inspector, Place},
};

/// All that is known of one key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyReport {
    /// The state of its entry, for the first server that answers, or for this process's memory.
    pub state: Condition,
    /// The first server that has something under the key.
    pub held_by: Option<String>,
    /// The key in the cache.
    pub key: String,
    /// The servers, the one where it lives first.
    pub servers: Vec<AtServer>,
    /// The entry in this process's own memory: the only store, or what stood in while a server was away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Explanation>,
}

/// One server as a place for the key.
#[derive(Clone, Debug, Serialize)]
pub struct AtServer {
    /// Its address as the setting has it.
    pub server: String,
    /// MurmurHash3 of `server-key`; the highest is the first choice.
    pub score: u32,
    /// Why the key lives here, or does not.
    pub why: String,
    /// The entry there; absent if it was not asked or gave no answer.
    #[serde(flatten)]
    pub entry: Option<Explanation>,
    /// Why it gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Operator {
    /// Explains the entry under `key`, of a resource whose entries are kept for `kept_stale_s` seconds after their
    /// fresh life; `None` if no server answers and the memory holds nothing.
    pub async fn explain(&self, key: &Key, kept_stale_s: u32) -> Option<KeyReport> {
        let memory = self.parts.memory.item(key);
        let memory = memory.map(|item| Explanation::of(Some(item), kept_stale_s));
        let servers = match &self.parts.servers {
            Some((_, inspector)) => explain(inspector, key, kept_stale_s).await,
            None => Vec::new(),
        };
        let entry = servers.iter().find_map(|place| place.entry.as_ref()).or(memory.as_ref());
        let state = match entry {
            Some(entry) => entry.state,
            // Without servers, an entry that is not in the memory is nowhere.
            None if servers.is_empty() => Condition::Absent,
            None => return None,
        };
        let holds = |place: &&AtServer| {
            place.entry.as_ref().is_some_and(|entry| entry.state != Condition::Absent)
        };
        let held_by = servers.iter().find(holds).map(|place| place.server.clone());
        Some(KeyReport { state, held_by, key: key.to_string(), servers, memory })
    }
}

/// Explains what each server has under `key`, its first choice first.
pub async fn explain(inspector: &Inspector, key: &Key, kept_stale_s: u32) -> Vec<AtServer> {
    let places = inspector.places(key).await;
    let servers = places.len();
    let ranks = (0..).zip(places);
    ranks.map(|(rank, place)| explained(rank, servers, place, kept_stale_s)).collect()
}

fn explained(rank: usize, servers: usize, place: Place, kept_stale_s: u32) -> AtServer {
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
    AtServer { server: place.address.to_string(), score: place.score, why, entry, error }
}
