//! Looks in a history for reads that are older than they may be.
//!
//! A read may be older than a write that was acknowledged before the read began in two cases, both of which
//! the answers themselves tell of, and for so long only:
//!
//! - The read says `detail=fallback`. The replica can't reach memcached, and what it keeps meanwhile may be
//!   [`HEARD_MAX`] old: so long it may take to hear of a write from the database. While it can't reach that either, or is
//!   stopped itself, [`FALLBACK_AGE_MAX`].
//! - The write was acknowledged with `detail=pending`. Its key could not be deleted from each memcached. At each
//!   that is made up for once any replica has reached it for [`DELIVERY_MAX`], whatever the others are, or when it
//!   loses all that it has.
//!
//! What somebody else commits, of whom no replica knows, must be seen once all have been well for [`HEARD_MAX`], or as what
//! is pending.
//!
//! A write that was not acknowledged, because it was refused or its replica was killed, may have been made
//! or not: no read must see it, and any read may. It can't be made after its writer was told so, or after
//! the connection broke: the process had ended by then, and so had its lock on the database.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use crate::history::{FALLBACK, History, Outage, Read, Said, Seen, Write};

/// The age that an answer may have that says `detail=fallback`, from when the replica and the database were both well.
const HEARD_MAX: Duration = Duration::from_millis(250);

/// The age that it may have in any case: what stands in for memcached lives for 5 s at most from when its load was asked
/// for.
const FALLBACK_AGE_MAX: Duration = Duration::from_secs(5);

/// The time that a memcached may go on with an old value after a write that said `detail=pending`, counted from when a
/// replica can reach it. A replica whose breaker is open probes after 1 s at the latest, and delivers first; one that
/// is not sweeps every second what the sweep before has seen already. Half of it is for a busy machine.
const DELIVERY_MAX: Duration = Duration::from_secs(4);

/// The result of the check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    reads: BTreeMap<String, usize>,
    writes: BTreeMap<String, usize>,
    /// Reads that are older than an acknowledged write, but no older than they may be.
    allowed_as_fallback: usize,
    allowed_as_pending: usize,
    pub(crate) violations: Vec<Violation>,
}

/// A read that should not have been.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// It is older than `write`, which had been acknowledged before it began.
    Stale { read: Read, write: Write },
    /// Its version had not been written yet.
    FromNowhere(Read),
    /// It is no version at all.
    Wrong(Read),
}

/// The writes of one key, in the order of their versions, and so of time.
#[derive(Debug, Default)]
struct Versions<'history> {
    all: Vec<&'history Write>,
    /// The moment from which each acknowledged write must be seen, whatever is allowed for its being pending.
    due: Vec<(Duration, &'history Write)>,
}

pub(crate) fn check(history: &History) -> Report {
    let mut report = Report::default();
    let mut keys: HashMap<i64, Versions> = HashMap::new();
    for write in &history.writes {
        *report.writes.entry(format!("{:?}", write.said)).or_default() += 1;
        let versions = keys.entry(write.key).or_default();
        versions.all.push(write);
        if write.said.is_acknowledgement() {
            versions.due.push((history.due_at(write), write));
        }
    }
    for versions in keys.values_mut() {
        versions.all.sort_by_key(|write| write.version);
        versions.due.sort_by_key(|(due_at, _)| *due_at);
    }
    let none = Versions::default();
    for read in &history.reads {
        report.judge(history, read, keys.get(&read.key).unwrap_or(&none));
    }
    for read in &history.last {
        report.judge_last(read, keys.get(&read.key).unwrap_or(&none));
    }
    report
}

impl History {
    /// From when on no read may be older than `write`, unless it comes out of the fallback.
    fn due_at(&self, write: &Write) -> Duration {
        let acknowledged_at = write.span.ended_at;
        if write.said == Said::Forgotten {
            return acknowledged_at;
        }
        let servers = (0..self.servers).map(|server| self.forgotten_at(server, acknowledged_at));
        let delivered_at = servers.max().expect("no write is pending where there is no memcached");
        if write.said == Said::Committed {
            return delivered_at.min(calm(acknowledged_at, HEARD_MAX, self.outages.iter()));
        }
        delivered_at
    }

    /// From when on `replica` must have heard of `write`, so that what it keeps itself is no older.
    fn heard_at(&self, replica: usize, write: &Write) -> Duration {
        let acknowledged_at = write.span.ended_at;
        let of_all =
            |it: &&Outage| it.server.is_none() && it.replica.is_none_or(|it| it == replica);
        let outages = self.outages.iter().filter(of_all);
        calm(acknowledged_at, HEARD_MAX, outages).min(acknowledged_at + FALLBACK_AGE_MAX)
    }

    /// The moment at which `server` must have forgotten what was written before `moment`, by whichever replica.
    fn forgotten_at(&self, server: usize, moment: Duration) -> Duration {
        let replicas = 0..self.replicas;
        let delivered = replicas.map(|replica| self.delivered_at(replica, server, moment));
        let renewals = self.renewals.iter().filter(|it| it.server == server && it.at > moment);
        delivered.chain(renewals.map(|renewal| renewal.at)).min().expect("there is a replica")
    }

    /// The moment at which `replica` must have delivered to `server` what was written before `moment`.
    fn delivered_at(&self, replica: usize, server: usize, moment: Duration) -> Duration {
        calm(moment, DELIVERY_MAX, self.outages.iter().filter(|it| it.touches(replica, server)))
    }
}

/// The end of the first time of this length after `moment` that no outage falls into.
fn calm<'a>(
    moment: Duration,
    length: Duration,
    outages: impl Iterator<Item = &'a Outage>,
) -> Duration {
    let mut calm_since = moment;
    for Outage { span, .. } in outages {
        if span.ended_at > calm_since && span.begun_at < calm_since + length {
            calm_since = span.ended_at;
        }
    }
    calm_since + length
}

impl<'history> Versions<'history> {
    /// The latest write that was acknowledged before `moment`.
    fn acknowledged_before(&self, moment: Duration) -> Option<&'history Write> {
        let begun = self.all.partition_point(|write| write.span.ended_at < moment);
        self.all[..begun].iter().rev().find(|write| write.said.is_acknowledgement()).copied()
    }

    /// The latest write that was heard of by `moment`, when `heard_at` says.
    fn heard_before(
        &self,
        moment: Duration,
        heard_at: impl Fn(&Write) -> Duration,
    ) -> Option<&'history Write> {
        let begun = self.all.partition_point(|write| write.span.ended_at < moment);
        let acknowledged = self.all[..begun].iter().rev().filter(|it| it.said.is_acknowledgement());
        acknowledged.copied().find(|write| heard_at(write) < moment)
    }

    /// The latest write that had to be seen by a read that began at `moment`.
    fn due_before(&self, moment: Duration) -> Option<&'history Write> {
        let due = self.due.partition_point(|(due_at, _)| *due_at < moment);
        self.due[..due].iter().map(|(_, write)| *write).max_by_key(|write| write.version)
    }
}

impl Report {
    fn judge(&mut self, history: &History, read: &Read, versions: &Versions) {
        *self.reads.entry(read.seen.word()).or_default() += 1;
        let Some((version, fallback)) = self.version(read, versions) else { return };
        let begun_at = read.span.begun_at;
        let newest = versions.acknowledged_before(begun_at);
        if newest.is_none_or(|write| version >= write.version) {
            return;
        }
        let required = if fallback {
            versions.heard_before(begun_at, |write| history.heard_at(read.replica, write))
        } else {
            versions.due_before(begun_at)
        };
        match required {
            Some(write) if version < write.version => {
                self.violations.push(Violation::Stale { read: read.clone(), write: write.clone() });
            }
            _ if fallback => self.allowed_as_fallback += 1,
            _ => self.allowed_as_pending += 1,
        }
    }

    fn judge_last(&mut self, read: &Read, versions: &Versions) {
        let Some((version, _)) = self.version(read, versions) else { return };
        let last = versions.all.iter().rev().find(|write| write.said.is_acknowledgement());
        if let Some(write) = last.filter(|write| version < write.version) {
            let (read, write) = (read.clone(), (*write).clone());
            self.violations.push(Violation::Stale { read, write });
        }
    }

    /// The version that was read, if the answer has one, and whether it comes out of the fallback.
    fn version(&mut self, read: &Read, versions: &Versions) -> Option<(u64, bool)> {
        match read.seen {
            Seen::Version { version, detail, .. } => {
                let write = versions.all.binary_search_by_key(&version, |write| write.version);
                let written =
                    write.is_ok_and(|place| versions.all[place].span.begun_at < read.span.ended_at);
                if !written {
                    self.violations.push(Violation::FromNowhere(read.clone()));
                }
                written.then_some((version, detail == FALLBACK))
            }
            Seen::Wrong(_) => {
                self.violations.push(Violation::Wrong(read.clone()));
                None
            }
            Seen::Refused(_) | Seen::None => None,
        }
    }

    /// True if there were hits to be stale and writes to make them so.
    pub(crate) fn proves_something(&self) -> bool {
        let hits = self.reads.get("HIT").copied().unwrap_or_default();
        let writes = |said| self.writes.get(said).copied().unwrap_or_default();
        hits > 100 && writes("Forgotten") + writes("Committed") > 30
    }
}

impl Seen {
    fn word(&self) -> String {
        match self {
            Self::Version { x_cache, collapsed, detail, .. } => {
                let collapsed = if *collapsed { " collapsed" } else { "" };
                let separator = if detail.is_empty() { "" } else { " " };
                format!("{x_cache}{collapsed}{separator}{detail}")
            }
            Self::Wrong(_) => "wrong".to_owned(),
            Self::Refused(status) => status.to_string(),
            Self::None => "no answer".to_owned(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [reads, writes] = [&self.reads, &self.writes].map(|map| map.values().sum::<usize>());
        writeln!(f, "{} operations", reads + writes)?;
        writeln!(f, "{reads} reads: {:?}", self.reads)?;
        writeln!(f, "{writes} writes: {:?}", self.writes)?;
        writeln!(
            f,
            "older than an acknowledged write, as allowed: {} fallback, {} pending",
            self.allowed_as_fallback, self.allowed_as_pending
        )?;
        write!(f, "{} violations", self.violations.len())
    }
}

#[cfg(test)]
mod tests;
