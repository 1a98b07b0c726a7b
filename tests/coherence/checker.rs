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
mod tests {
    use super::*;
    use crate::history::{Renewal, Span};

    fn span(begun_ms: u64, ended_ms: u64) -> Span {
        let [begun_at, ended_at] = [begun_ms, ended_ms].map(Duration::from_millis);
        Span { begun_at, ended_at }
    }

    fn write(version: u64, begun_ms: u64, ended_ms: u64, said: Said) -> Write {
        Write { key: 1, version, span: span(begun_ms, ended_ms), said }
    }

    fn read(version: u64, begun_ms: u64, fallback: bool) -> Read {
        let detail = if fallback { FALLBACK } else { "" };
        let seen = Seen::Version { version, x_cache: "HIT", collapsed: false, detail };
        Read { key: 1, replica: 0, span: span(begun_ms, begun_ms + 10), seen }
    }

    /// Version 1, and version 2 written from 100 ms to 200 ms, of which the writer was told this.
    fn second(said: Said) -> History {
        let writes = vec![write(1, 0, 10, Said::Forgotten), write(2, 100, 200, said)];
        History { writes, replicas: 1, servers: 1, ..History::default() }
    }

    /// An outage of one replica's link, or of several: `None` stands for all of them.
    fn outage(
        replica: impl Into<Option<usize>>,
        server: impl Into<Option<usize>>,
        span: Span,
    ) -> Outage {
        Outage { replica: replica.into(), server: server.into(), span }
    }

    /// The judgement of a single read: stale, allowed as fallback, allowed as pending.
    fn judged(mut history: History, read: Read) -> (usize, usize, usize) {
        history.reads = vec![read];
        let report = check(&history);
        (report.violations.len(), report.allowed_as_fallback, report.allowed_as_pending)
    }

    #[test]
    fn an_old_version_after_the_acknowledgement_is_found() {
        assert_eq!(judged(second(Said::Forgotten), read(1, 201, false)), (1, 0, 0));
        assert_eq!(judged(second(Said::Forgotten), read(1, 200, false)), (0, 0, 0), "not after it");
        assert_eq!(judged(second(Said::Forgotten), read(1, 50, false)), (0, 0, 0));
        assert_eq!(
            judged(second(Said::Forgotten), read(2, 150, false)),
            (0, 0, 0),
            "may be seen early"
        );
        assert_eq!(
            judged(second(Said::Forgotten), read(2, 80, false)),
            (1, 0, 0),
            "but not that early"
        );
        assert_eq!(
            judged(second(Said::Forgotten), read(3, 500, false)),
            (1, 0, 0),
            "never written"
        );
    }

    #[test]
    fn a_write_that_was_not_acknowledged_may_be_seen_or_not() {
        for said in [Said::Nothing, Said::Refused(503)] {
            for version in [1, 2] {
                assert_eq!(judged(second(said), read(version, 9000, false)), (0, 0, 0), "{said:?}");
            }
        }
        let mut history = second(Said::Nothing);
        history.writes.push(write(3, 300, 400, Said::Forgotten));
        assert_eq!(judged(history, read(2, 401, false)), (1, 0, 0));
    }

    #[test]
    fn a_fallback_may_be_older_only_until_its_replica_has_heard_of_the_write() {
        for said in [Said::Forgotten, Said::Pending] {
            assert_eq!(judged(second(said), read(1, 450, true)), (0, 1, 0));
            assert_eq!(judged(second(said), read(1, 451, true)), (1, 0, 0));
        }
        // Its links to memcached have nothing to do with that, nor has another replica.
        for other in [outage(0, 0, span(300, 9000)), outage(1, None, span(300, 9000))] {
            let history = History { outages: vec![other], ..second(Said::Forgotten) };
            assert_eq!(judged(history, read(1, 451, true)), (1, 0, 0), "{other:?}");
        }
        // It is stopped, or the database is.
        for own in [outage(0, None, span(300, 3000)), outage(None, None, span(300, 3000))] {
            let away = || History { outages: vec![own], ..second(Said::Forgotten) };
            assert_eq!(judged(away(), read(1, 3250, true)), (0, 1, 0), "{own:?}");
            assert_eq!(judged(away(), read(1, 3251, true)), (1, 0, 0), "{own:?}");
        }
    }

    #[test]
    fn a_fallback_is_never_older_than_an_entry_lives_there() {
        let lasting = vec![outage(None, None, span(100, 60_000))];
        let away = || History { outages: lasting.clone(), ..second(Said::Forgotten) };
        assert_eq!(judged(away(), read(1, 5200, true)), (0, 1, 0));
        assert_eq!(judged(away(), read(1, 5201, true)), (1, 0, 0));
    }

    #[test]
    fn a_pending_write_may_go_unseen_until_memcached_has_been_well_for_long_enough() {
        assert_eq!(judged(second(Said::Pending), read(1, 4200, false)), (0, 0, 1));
        assert_eq!(judged(second(Said::Pending), read(1, 4201, false)), (1, 0, 0));
        let away = || {
            let spans = [span(50, 90), span(150, 3000), span(6900, 7000), span(11_001, 12_000)];
            let outages = spans.map(|span| outage(None, 0, span)).to_vec();
            History { outages, ..second(Said::Pending) }
        };
        assert_eq!(judged(away(), read(1, 11_000, false)), (0, 0, 1));
        assert_eq!(judged(away(), read(1, 11_001, false)), (1, 0, 0));
        // What memcached had is gone.
        let at = |ms| Renewal { server: 0, at: Duration::from_millis(ms) };
        let renewals = [100, 1000].map(at).to_vec();
        let renewed = || History { renewals: renewals.clone(), ..away() };
        assert_eq!(judged(renewed(), read(1, 1000, false)), (0, 0, 1));
        assert_eq!(judged(renewed(), read(1, 1001, false)), (1, 0, 0));
        // A pending write excuses nothing but itself.
        let mut history = second(Said::Forgotten);
        history.writes.push(write(3, 300, 400, Said::Pending));
        assert_eq!(judged(history, read(1, 401, false)), (1, 0, 0));
    }

    #[test]
    fn what_somebody_else_commits_must_be_seen_once_all_have_been_well() {
        assert_eq!(judged(second(Said::Committed), read(1, 450, false)), (0, 0, 1));
        assert_eq!(judged(second(Said::Committed), read(1, 451, false)), (1, 0, 0));
        for any in [outage(0, 0, span(300, 2000)), outage(0, None, span(300, 2000))] {
            let away = || History { outages: vec![any], ..second(Said::Committed) };
            assert_eq!(judged(away(), read(1, 2250, false)), (0, 0, 1), "{any:?}");
            assert_eq!(judged(away(), read(1, 2251, false)), (1, 0, 0), "{any:?}");
        }
    }

    #[test]
    fn it_may_go_unseen_at_a_server_until_any_replica_has_reached_that_for_long_enough() {
        // One replica can't reach one of two servers, and the other can't reach the other, ever.
        let lasting = span(0, 60_000);
        let crossed = || History {
            replicas: 2,
            servers: 2,
            outages: vec![outage(0, 0, lasting), outage(1, 1, lasting)],
            ..second(Said::Pending)
        };
        assert_eq!(judged(crossed(), read(1, 4200, false)), (0, 0, 1));
        assert_eq!(judged(crossed(), read(1, 4201, false)), (1, 0, 0));
        // For a while none of them reaches the second server, or is there at all.
        for more in [outage(0, 1, span(100, 3000)), outage(0, None, span(100, 3000))] {
            let outages = [crossed().outages, vec![more]].concat();
            let away = || History { outages: outages.clone(), ..crossed() };
            assert_eq!(judged(away(), read(1, 7000, false)), (0, 0, 1), "{more:?}");
            assert_eq!(judged(away(), read(1, 7001, false)), (1, 0, 0), "{more:?}");
            // What one server has lost is not what the other has.
            for (server, found) in [(0, (0, 0, 1)), (1, (1, 0, 0))] {
                let renewals = vec![Renewal { server, at: Duration::from_secs(1) }];
                let renewed = History { renewals, ..away() };
                assert_eq!(judged(renewed, read(1, 4201, false)), found, "{more:?}");
            }
        }
    }

    #[test]
    fn when_all_has_come_to_rest_nothing_is_excused() {
        for fallback in [false, true] {
            let last = vec![read(1, 201, fallback)];
            assert_eq!(check(&History { last, ..second(Said::Pending) }).violations.len(), 1);
        }
    }

    #[test]
    fn an_answer_that_is_no_version_is_a_violation_and_a_refusal_is_none() {
        let judged = |seen| {
            let read = Read { seen, ..read(1, 500, false) };
            check(&History { reads: vec![read], ..second(Said::Forgotten) }).violations.len()
        };
        assert_eq!(judged(Seen::Wrong("user 2".to_owned())), 1);
        assert_eq!(judged(Seen::Refused(503)), 0);
        assert_eq!(judged(Seen::None), 0);
    }

    #[test]
    fn keys_have_nothing_to_do_with_each_other() {
        let other = Read { key: 2, ..read(1, 500, false) };
        let mut history = second(Said::Forgotten);
        history.writes.push(Write { key: 2, ..write(1, 0, 10, Said::Forgotten) });
        assert_eq!(judged(history, other), (0, 0, 0));
    }
}
