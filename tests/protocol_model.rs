//! The lease protocol of design.md, walked from end to end by a model checker: every order of what
//! readers, writers and misfortune may do within the bounds. With all the guards nothing goes wrong; for
//! each guard there is a story of what happens without it.
//!
//! `cargo test --test protocol_model -- --nocapture` prints how far each walk went, and the stories.

mod model;

use std::collections::HashMap;

use model::{Action, Bounds, Guards, State, protocol::*};
use stateright::{Checker, HasDiscoveries, Model};

/// Walks through all states within `bounds`. Fails if a promise is broken in any of them, if one of the
/// `sights` is in none, or if there are fewer than `states_min`: then the model stands still somewhere.
fn holds(bounds: Bounds, sights: &[&'static str], states_min: usize) {
    let checker = Protocol { guards: Guards::ALL, bounds }.checker().threads(2).spawn_dfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    println!("{states} states by {steps} steps, none left");
    for promise in [NO_OLDER_READ, NOTHING_OLDER_KEPT, FLIES, EVERY_READ_ENDS] {
        checker.assert_no_discovery(promise);
    }
    for sight in sights {
        checker.assert_any_discovery(sight);
    }
    assert!(states > states_min, "{states} states are not the whole space");
}

/// A short story in which `promise` is broken under `guards`. With all guards there is none within
/// the same bounds.
fn story(promise: &'static str, guards: Guards, bounds: Bounds) -> Vec<Action> {
    let walk = |guards| {
        let broken = HasDiscoveries::AnyOf([promise].into());
        Protocol { guards, bounds }.checker().finish_when(broken).spawn_bfs().join()
    };
    walk(Guards::ALL).assert_no_discovery(promise);
    let story = walk(guards).assert_any_discovery(promise).into_actions();
    println!("{promise}: broken after");
    story.iter().for_each(|action| println!("  {action:?}"));
    story
}

#[test]
fn three_reads_two_writes_and_a_crash_keep_every_promise() {
    let bounds = Bounds { reads: 3, writes: 2, crashes: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, TAKEN_OVER], 300_000);
}

#[test]
fn a_restart_of_memcached_and_a_crash_keep_every_promise() {
    let bounds = Bounds { reads: 3, writes: 1, restarts: 1, crashes: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, VOID, TAKEN_OVER], 100_000);
}

#[test]
fn stale_values_failing_loads_and_choosy_readers_keep_every_promise() {
    let one_of_each = Bounds { agings: 1, choosy_reads: 1, failures: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 3, writes: 1, ..one_of_each };
    holds(bounds, &[SHARED, SUPERSEDED, TAKEN_OVER, REFRESHED, PUT_BACK], 100_000);
}

#[test]
fn one_misfortune_of_every_kind_keeps_every_promise() {
    let every_kind = Bounds {
        agings: 1,
        breaks: 1,
        choosy_reads: 1,
        crashes: 1,
        failures: 1,
        leavers: 1,
        losses: 1,
        restarts: 1,
        ..Bounds::NONE
    };
    let bounds = Bounds { reads: 2, writes: 1, ..every_kind };
    holds(bounds, &[SHARED, SUPERSEDED, VOID, TAKEN_OVER, REFRESHED, PUT_BACK], 300_000);
}

#[test]
#[ignore = "takes a minute or two: run it after a change to the protocol"]
fn more_of_everything_keeps_every_promise() {
    let bounds = Bounds { reads: 3, writes: 2, restarts: 1, crashes: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, VOID, TAKEN_OVER], 1_000_000);
}

#[test]
fn without_the_cas_of_its_lease_a_fill_puts_an_old_value_back() {
    let guards = Guards { fill_under_cas: false, ..Guards::ALL };
    story(NO_OLDER_READ, guards, Bounds { reads: 2, writes: 1, ..Bounds::NONE });
}

#[test]
fn without_the_age_of_its_lease_a_fill_from_before_a_restart_puts_an_old_value_back() {
    let guards = Guards { void_leases: false, ..Guards::ALL };
    let bounds = Bounds { reads: 3, writes: 1, restarts: 1, ..Bounds::NONE };
    assert!(story(NO_OLDER_READ, guards, bounds).contains(&Action::Restart));
}

#[test]
fn without_the_age_of_a_flight_a_caller_joins_one_from_before_a_restart() {
    let guards = Guards { flights_by_age: false, ..Guards::ALL };
    let bounds = Bounds { reads: 3, writes: 1, restarts: 1, ..Bounds::NONE };
    assert!(story(NO_OLDER_READ, guards, bounds).contains(&Action::Restart));
}

#[test]
fn without_the_cas_in_its_name_a_flight_from_before_a_write_is_joined_after_it() {
    let guards = Guards { flights_by_cas: false, ..Guards::ALL };
    story(NO_OLDER_READ, guards, Bounds { reads: 3, writes: 1, ..Bounds::NONE });
}

#[test]
fn without_its_jobs_delivered_a_replica_is_ready_too_early_after_a_crash() {
    let guards = Guards { jobs_before_ready: false, ..Guards::ALL };
    let bounds = Bounds { reads: 2, writes: 1, crashes: 1, ..Bounds::NONE };
    let story = story(NO_OLDER_READ, guards, bounds);
    assert!(story.iter().any(|action| matches!(action, Action::Recover { .. })));
}

#[test]
fn without_a_takeover_whoever_waits_for_a_dead_holder_waits_for_ever() {
    let guards = Guards { waiters_take_over: false, ..Guards::ALL };
    story(EVERY_READ_ENDS, guards, Bounds { reads: 2, crashes: 1, ..Bounds::NONE });
}

/// What makes "every read ends" sound: the checker takes a circle for an end that is elsewhere.
#[test]
fn no_way_leads_back_to_a_state_that_was_left() {
    let one_of_each = Bounds { agings: 1, failures: 1, losses: 1, restarts: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 2, writes: 1, crashes: 1, ..one_of_each };
    let protocol = Protocol { guards: Guards::ALL, bounds };
    // `true` while the way that is being walked leads through the state.
    let mut under_way: HashMap<State, bool> = HashMap::new();
    let mut way: Vec<(State, Vec<State>)> = Vec::new();
    let mut next = protocol.init_states().pop();
    loop {
        if let Some(state) = next.take() {
            assert_ne!(under_way.get(&state), Some(&true), "a circle through {state:#?}");
            if under_way.insert(state, true).is_none() {
                way.push((state, protocol.next_states(&state)));
            } else {
                under_way.insert(state, false);
            }
        }
        let Some((state, ahead)) = way.last_mut() else { break };
        next = ahead.pop();
        if next.is_none() {
            under_way.insert(*state, false);
            way.pop();
        }
    }
    assert!(under_way.len() > 10_000);
}
