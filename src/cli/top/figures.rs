//! A moment as `/events` tells of it, and what it means beside the one before.

use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use crate::operator::Ledger;

/// Seconds that are remembered.
const SECONDS: usize = 300;

/// The part of a moment that is shown.
#[derive(Deserialize)]
pub(super) struct Moment {
    at_ms: u64,
    pub(super) service: Ledger,
    pub(super) sources: BTreeMap<String, Ledger>,
    pub(super) verdict: String,
    pub(super) memcached: Vec<Server>,
    pub(super) resources: BTreeMap<String, Going>,
    #[serde(default)]
    pub(super) keys: Option<Keys>,
}

/// A memcached server.
#[derive(Deserialize)]
pub(super) struct Server {
    pub(super) server: String,
    #[serde(default)]
    pub(super) state: String,
    pub(super) curr_items: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) evictions: Option<u64>,
    pub(super) hit_rate_without_leases: Option<f64>,
}

/// The loads of a resource.
#[derive(Deserialize)]
pub(super) struct Going {
    pub(super) running: i64,
    pub(super) running_max: usize,
    pub(super) waiting: i64,
    pub(super) waiting_max: usize,
}

#[derive(Deserialize)]
pub(super) struct Keys {
    pub(super) asked: Hottest,
    pub(super) missed: Hottest,
}

#[derive(Deserialize)]
pub(super) struct Hottest {
    pub(super) keys: Vec<(String, u64)>,
}

/// The pace of the service.
#[derive(Default)]
pub(super) struct Pace {
    last: Option<(u64, Ledger)>,
    /// Requests a second, the latest last.
    pub(super) requests: VecDeque<u64>,
    said: String,
}

impl Moment {
    /// The loads, and the servers that are away.
    pub(super) fn loads_said(&self) -> String {
        let sum = |part: fn(&Going) -> i64| self.resources.values().map(part).sum::<i64>();
        let away = self.memcached.iter().filter(|it| it.state != "in service");
        let away: Vec<_> = away.map(|it| format!(", {} {}", it.server, it.state)).collect();
        let (running, waiting) = (sum(|it| it.running), sum(|it| it.waiting));
        format!("{running} loads running, {waiting} waiting{}", away.concat())
    }
}

impl Pace {
    /// Takes note of a moment. A service that was started anew begins anew.
    pub(super) fn add(&mut self, moment: &Moment) {
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
    pub(super) fn said(&self) -> &str {
        if self.said.is_empty() { "watching" } else { &self.said }
    }
}
