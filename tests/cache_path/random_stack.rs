//! The real layers over real stores at the end of bad wires, against a small reference that knows what
//! each read may return. Every chance is drawn from a seed; a failure prints it, and
//! `ASIDE_SEED=<seed> cargo test --test cache_path random_stack` lives through the same world again.

use std::{env, ops::Range, thread};

use aside::metrics::{FillResult, Outcome};

use crate::random::{
    server::Flaw,
    weather::Weather,
    world::{Tally, live},
};

/// Worlds in a run.
const WORLDS: u64 = 1000;

/// The number of times that each outcome must have come about in half of a run, or the worlds have grown dull.
const SEEN_MIN: u64 = 30;

/// Fails with the seed of the first world that breaks a promise.
fn fail_if_broken(seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        if let Err(promise) = live(seed, None, Flaw::None, &mut tally) {
            panic!("{promise}\nASIDE_SEED={seed} lives through it again");
        }
    }
    tally
}

/// True if one of the worlds finds `flaw`, by a read of an older version.
fn finds(flaw: Flaw, weather: Option<Weather>) -> bool {
    (0..WORLDS).any(|seed| match live(seed, weather, flaw, &mut Tally::default()) {
        Err(promise) => {
            println!("{flaw:?}: world {seed}: {promise}");
            promise.contains("is none of")
        }
        Ok(()) => false,
    })
}

#[test]
fn no_world_breaks_a_promise() {
    if let Ok(seed) = env::var("ASIDE_SEED") {
        let seed = seed.parse().unwrap();
        fail_if_broken(seed..seed + 1);
        return;
    }
    // Other worlds with each run, half of them on each of two threads.
    let first = fastrand::u64(..u64::MAX / 2);
    let halves = [first..first + WORLDS / 2, first + WORLDS / 2..first + WORLDS];
    let tallies = thread::scope(|scope| {
        halves.map(|half| scope.spawn(|| fail_if_broken(half))).map(|thread| thread.join())
    });
    for tally in tallies {
        let tally = tally.expect("a world breaks a promise: see above");
        println!("{tally:?}");
        for outcome in Outcome::ALL {
            let seen = tally.outcomes[*outcome as usize];
            assert!(seen >= SEEN_MIN, "only {seen} of {}", outcome.word());
        }
        for result in
            [FillResult::Stored, FillResult::Superseded, FillResult::Void, FillResult::Failed]
        {
            let seen = tally.fills[result as usize];
            assert!(seen >= SEEN_MIN, "only {seen} fills of {}", result.word());
        }
    }
}

#[test]
fn a_store_whose_fills_ignore_their_leases_is_found_out() {
    assert!(finds(Flaw::FillsIgnoreLeases, None));
}

#[test]
fn a_store_whose_leases_are_never_void_is_found_out() {
    assert!(finds(Flaw::LeasesAreNeverVoid, Some(Weather::RESTARTS)));
}
