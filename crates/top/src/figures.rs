//! A moment as `/events` tells of it, and what it means beside the one before.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

/// Seconds that are remembered.
const SECONDS: usize = 300;

/// The part of a moment that is shown.
#[derive(Deserialize)]
pub(crate) struct Moment {
    at_ms: u64,
    pub(crate) service: Ledger,
    pub(crate) sources: BTreeMap<String, Ledger>,
    pub(crate) verdict: String,
    pub(crate) memcached: Vec<Server>,
    pub(crate) resources: BTreeMap<String, Going>,
    #[serde(default)]
    pub(crate) keys: Option<Keys>,
}

/// The gets of a service, or of a resource, since its start.
#[derive(Clone, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) gets: u64,
    pub(crate) hits: u64,
    pub(crate) stale: u64,
    pub(crate) misses: u64,
    pub(crate) collapsed: u64,
    pub(crate) bypasses: u64,
    pub(crate) loads: u64,
    pub(crate) loads_failed: u64,
    pub(crate) hit_rate: Option<f64>,
}

/// A memcached server.
#[derive(Deserialize)]
pub(crate) struct Server {
    pub(crate) server: String,
    #[serde(default)]
    pub(crate) state: String,
    pub(crate) curr_items: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) evictions: Option<u64>,
    pub(crate) hit_rate_without_leases: Option<f64>,
}

/// The loads of a resource.
#[derive(Deserialize)]
pub(crate) struct Going {
    pub(crate) running: i64,
    pub(crate) running_max: usize,
    pub(crate) waiting: i64,
    pub(crate) waiting_max: usize,
}

#[derive(Deserialize)]
pub(crate) struct Keys {
    pub(crate) asked: Hottest,
    pub(crate) missed: Hottest,
}

#[derive(Deserialize)]
pub(crate) struct Hottest {
    pub(crate) keys: Vec<(String, u64)>,
}

/// The pace of the service.
#[derive(Default)]
pub(crate) struct Pace {
    last: Option<(u64, Ledger)>,
    /// Requests a second, the latest last.
    pub(crate) requests: VecDeque<u64>,
    said: String,
}

impl Moment {
    /// The loads, and the servers that are away.
    pub(crate) fn loads_said(&self) -> String {
        let sum = |part: fn(&Going) -> i64| self.resources.values().map(part).sum::<i64>();
        let away = self.memcached.iter().filter(|it| it.state != "in service");
        let away: Vec<_> = away.map(|it| format!(", {} {}", it.server, it.state)).collect();
        let (running, waiting) = (sum(|it| it.running), sum(|it| it.waiting));
        format!("{running} loads running, {waiting} waiting{}", away.concat())
    }
}

impl Pace {
    /// Takes note of a moment. A service that was started anew begins anew.
    pub(crate) fn add(&mut self, moment: &Moment) {
        let now = &moment.service;
        let last = self.last.replace((moment.at_ms, now.clone()));
        let Some((then_ms, then)) = last.filter(|(_, then)| then.gets <= now.gets) else { return };
        let passed_ms = moment.at_ms.saturating_sub(then_ms).max(1);
        let rate = |part: fn(&Ledger) -> u64| (part(now) - part(&then)) * 1000 / passed_ms;
        let requests = rate(|ledger| ledger.gets);
        self.requests.push_back(requests);
        if self.requests.len() > SECONDS {
            self.requests.pop_front();
        }
        self.said = format!(
            "{requests} requests/s: {} hit, {} stale, {} miss ({} collapsed), {} bypass",
            rate(|ledger| ledger.hits),
            rate(|ledger| ledger.stale),
            rate(|ledger| ledger.misses),
            rate(|ledger| ledger.collapsed),
            rate(|ledger| ledger.bypasses),
        );
    }

    /// The pace between the last two moments.
    pub(crate) fn said(&self) -> &str {
        if self.said.is_empty() { "watching" } else { &self.said }
    }
}
