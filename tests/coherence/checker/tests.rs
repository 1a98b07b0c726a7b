//! The checker finds what it must, in histories made up for it, and excuses no more than it may.

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
    assert_eq!(judged(second(Said::Forgotten), read(3, 500, false)), (1, 0, 0), "never written");
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
