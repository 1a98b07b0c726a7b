//! The lease protocol (`docs/races.md`), walked from end to end by a model checker: every order of what
//! readers, writers and misfortune may do within the bounds. With all the guards nothing goes wrong; for
//! each guard there is a story of what happens without it.
//!
//! `cargo test --test protocol_model -- --nocapture` prints how far each walk went, and the stories.

mod model;

use std::collections::HashMap;

use model::{Action, Bounds, Guards, State, protocol::*};
use stateright::{Checker, HasDiscoveries, Model};

const PROMISES: [&str; 6] =
    [NO_OLDER_READ, NOTHING_OLDER_KEPT, FLIES, EVERY_READ_ENDS, DELIVERED, GIVEN_BACK];

/// Walks through all states within `bounds`. Fails if a promise is broken in any of them, if one of the
/// `sights` is in none, or if there are fewer than `states_min`: then the model stands still somewhere.
fn holds(bounds: Bounds, sights: &[&'static str], states_min: usize) {
    let checker = Protocol { guards: Guards::ALL, bounds }.checker().threads(2).spawn_dfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    println!("{states} states by {steps} steps, none left");
    for promise in PROMISES {
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
    walk(promise, Guards::ALL, bounds).assert_no_discovery(promise);
    unguarded(promise, guards, bounds)
}

/// A short story, too, where the walk with all guards would take too long.
fn unguarded(promise: &'static str, guards: Guards, bounds: Bounds) -> Vec<Action> {
    let story = walk(promise, guards, bounds).assert_any_discovery(promise).into_actions();
    println!("{promise}: broken after");
    story.iter().for_each(|action| println!("  {action:?}"));
    story
}

/// Walks through the states within `bounds` until `promise` is broken.
fn walk(promise: &'static str, guards: Guards, bounds: Bounds) -> impl Checker<Protocol> {
    let broken = HasDiscoveries::AnyOf([promise].into());
    Protocol { guards, bounds }.checker().finish_when(broken).spawn_bfs().join()
}

#[test]
fn three_reads_and_a_write_keep_every_promise() {
    let bounds = Bounds { reads: 3, writes: 1, leavers: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, RELEASED], 10_000);
}

#[test]
fn two_writes_and_a_crash_keep_every_promise() {
    let bounds = Bounds { reads: 2, writes: 2, crashes: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, TAKEN_OVER, LEFT_OVER], 10_000);
}

#[test]
fn a_restart_of_memcached_and_a_crash_keep_every_promise() {
    let bounds = Bounds { reads: 2, writes: 1, restarts: 1, crashes: 1, ..Bounds::NONE };
    holds(bounds, &[SHARED, SUPERSEDED, VOID, TAKEN_OVER], 10_000);
}

#[test]
fn stale_values_failing_loads_and_choosy_readers_keep_every_promise() {
    let one_of_each = Bounds { agings: 1, choosy_reads: 1, failures: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 2, writes: 1, ..one_of_each };
    holds(bounds, &[SHARED, SUPERSEDED, TAKEN_OVER, REFRESHED, PUT_BACK], 5000);
}

#[test]
fn connections_that_break_and_loads_that_fail_keep_every_promise() {
    let one_of_each = Bounds { breaks: 1, failures: 1, restarts: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 2, writes: 1, ..one_of_each };
    holds(bounds, &[SHARED, SUPERSEDED, VOID, TAKEN_OVER, RELEASED], 10_000);
}

#[test]
fn values_that_are_lost_and_callers_that_leave_keep_every_promise() {
    let one_of_each = Bounds { agings: 1, leavers: 1, losses: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 2, writes: 1, ..one_of_each };
    holds(bounds, &[SHARED, SUPERSEDED, REFRESHED, RELEASED], 10_000);
}

#[test]
fn a_link_of_one_replica_that_is_cut_keeps_every_promise() {
    let bounds = Bounds { servers: 2, reads: 2, writes: 1, cuts: 1, ..Bounds::NONE };
    holds(bounds, &[FAILED_OVER, LEFT_OVER, SUPERSEDED], 10_000);
}

#[test]
fn links_that_are_cut_and_mended_keep_every_promise() {
    let bounds = Bounds { servers: 2, reads: 1, writes: 1, cuts: 2, mends: 1, ..Bounds::NONE };
    holds(bounds, &[FAILED_OVER, LEFT_OVER, CAUGHT_UP], 10_000);
}

#[test]
fn sweeps_that_are_early_and_confirmations_that_are_late_keep_every_promise() {
    let mixed = Bounds { cuts: 1, crashes: 1, early_sweeps: 1, late_confirms: 1, ..Bounds::NONE };
    let bounds = Bounds { reads: 1, writes: 2, ..mixed };
    holds(bounds, &[LEFT_OVER, SWEPT], 10_000);
}

#[test]
#[ignore = "takes minutes: run it after a change to the protocol"]
fn more_of_everything_keeps_every_promise() {
    let none = Bounds::NONE;
    let walks = [
        Bounds { reads: 3, writes: 2, crashes: 1, ..none },
        Bounds { reads: 3, writes: 1, restarts: 1, crashes: 1, ..none },
        Bounds { reads: 3, writes: 1, agings: 1, choosy_reads: 1, failures: 1, ..none },
        Bounds { servers: 2, reads: 2, writes: 1, cuts: 2, ..none },
        Bounds { servers: 2, reads: 2, writes: 1, cuts: 1, mends: 1, ..none },
        Bounds { servers: 2, reads: 3, writes: 1, cuts: 1, ..none },
    ];
    for bounds in walks {
        holds(bounds, &[SHARED, SUPERSEDED], 100_000);
    }
}

#[test]
fn without_the_cas_of_its_lease_a_fill_puts_an_old_value_back() {
    let guards = Guards { fill_under_cas: false, ..Guards::ALL };
    story(NO_OLDER_READ, guards, Bounds { reads: 2, writes: 1, ..Bounds::NONE });
}

#[test]
fn without_the_age_of_its_lease_a_fill_from_before_a_restart_puts_an_old_value_back() {
    let guards = Guards { void_leases: false, ..Guards::ALL };
    let bounds = Bounds { reads: 2, writes: 1, restarts: 1, ..Bounds::NONE };
    assert!(story(NOTHING_OLDER_KEPT, guards, bounds).contains(&Action::Restart { server: 0 }));
}

#[test]
fn without_the_age_of_a_flight_a_caller_joins_one_from_before_a_restart() {
    let guards = Guards { flights_by_age: false, ..Guards::ALL };
    let bounds = Bounds { reads: 3, writes: 1, restarts: 1, ..Bounds::NONE };
    assert!(unguarded(NO_OLDER_READ, guards, bounds).contains(&Action::Restart { server: 0 }));
}

#[test]
fn without_the_cas_in_its_name_a_flight_from_before_a_write_is_joined_after_it() {
    let guards = Guards { flights_by_cas: false, ..Guards::ALL };
    story(NO_OLDER_READ, guards, Bounds { reads: 3, writes: 1, ..Bounds::NONE });
}

#[test]
fn without_catching_up_a_replica_is_ready_too_early_after_a_crash() {
    let guards = Guards { catch_up_before_use: false, ..Guards::ALL };
    let bounds = Bounds { reads: 2, writes: 1, crashes: 1, ..Bounds::NONE };
    let story = story(NO_OLDER_READ, guards, bounds);
    assert!(story.iter().any(|action| matches!(action, Action::Recover { .. })));
}

#[test]
fn without_catching_up_a_server_that_comes_back_gives_an_old_value() {
    let guards = Guards { catch_up_before_use: false, ..Guards::ALL };
    let bounds = Bounds { reads: 2, writes: 1, cuts: 1, mends: 1, ..Bounds::NONE };
    let story = story(NO_OLDER_READ, guards, bounds);
    assert!(story.iter().any(|action| matches!(action, Action::Return { .. })));
}

#[test]
#[ignore = "takes a minute or two; single_flight.rs has a test of its own for it"]
fn without_the_server_in_its_name_a_flight_is_joined_by_who_saw_another_version() {
    let guards = Guards { flights_by_server: false, ..Guards::ALL };
    let bounds = Bounds { servers: 2, reads: 3, writes: 1, cuts: 1, ..Bounds::NONE };
    unguarded(NO_OLDER_READ, guards, bounds);
}

#[test]
fn forgotten_on_its_first_choice_only_a_key_is_old_on_its_second() {
    let guards = Guards { forget_on_both_choices: false, ..Guards::ALL };
    story(
        NO_OLDER_READ,
        guards,
        Bounds { servers: 2, reads: 2, writes: 1, cuts: 1, ..Bounds::NONE },
    );
}

#[test]
fn noted_after_its_transaction_a_write_is_lost_with_its_writer() {
    let guards = Guards { note_in_the_transaction: false, ..Guards::ALL };
    let bounds = Bounds { reads: 2, writes: 1, crashes: 1, ..Bounds::NONE };
    story(NO_OLDER_READ, guards, bounds);
}

#[test]
fn cleared_by_an_attempt_that_failed_a_note_is_lost() {
    let guards = Guards { note_kept_until_confirmed: false, ..Guards::ALL };
    story(NOTHING_OLDER_KEPT, guards, Bounds { reads: 1, writes: 1, cuts: 1, ..Bounds::NONE });
}

#[test]
fn cleared_by_another_server_a_note_is_lost() {
    let guards = Guards { confirm_only_the_place_that_answered: false, ..Guards::ALL };
    let bounds = Bounds { servers: 2, reads: 1, writes: 1, cuts: 1, ..Bounds::NONE };
    story(NOTHING_OLDER_KEPT, guards, bounds);
}

#[test]
fn cleared_by_an_earlier_write_a_note_is_lost() {
    let guards = Guards { confirm_only_the_row_that_was_read: false, ..Guards::ALL };
    let bounds = Bounds { reads: 1, writes: 2, crashes: 1, late_confirms: 1, ..Bounds::NONE };
    story(NOTHING_OLDER_KEPT, guards, bounds);
}

/// Each of the two replicas reaches one server, and so none reaches both.
#[test]
fn delivered_only_where_every_server_is_reached_a_note_stays_for_ever() {
    let guards = Guards { each_place_by_itself: false, ..Guards::ALL };
    let bounds = Bounds { servers: 2, reads: 1, writes: 1, cuts: 2, ..Bounds::NONE };
    story(DELIVERED, guards, bounds);
}

#[test]
fn without_giving_back_what_it_won_a_caller_leaves_a_placeholder_behind() {
    let guards = Guards { give_back: false, ..Guards::ALL };
    story(GIVEN_BACK, guards, Bounds { reads: 1, leavers: 1, ..Bounds::NONE });
}

#[test]
fn without_a_takeover_whoever_waits_for_a_dead_holder_waits_for_ever() {
    let guards = Guards { waiters_take_over: false, ..Guards::ALL };
    story(EVERY_READ_ENDS, guards, Bounds { reads: 2, crashes: 1, ..Bounds::NONE });
}

/// Asserts what makes "every read ends" sound: the checker takes a circle for an end that is elsewhere.
#[test]
fn no_way_leads_back_to_a_state_that_was_left() {
    let one_of_each = Bounds { cuts: 1, mends: 1, crashes: 1, failures: 1, ..Bounds::NONE };
    let bounds = Bounds { servers: 2, reads: 1, writes: 1, ..one_of_each };
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
