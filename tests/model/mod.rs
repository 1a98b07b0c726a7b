//! The lease protocol as a state machine that a model checker can walk through from end to end.
//!
//! One key, one memcached, two replicas. Whatever may happen next is an [`Action`]; the checker tries
//! every order of them that the [`Bounds`] allow. Between two actions anything else may come, so that
//! an action is what the real code does without an await, or what memcached does for one command.
//! Left out: the fallback store, several servers, and operations that get no answer, which
//! `random_stack.rs` tries on the real code.
//!
//! - `memcached`: the server, and what a lease and a claim are;
//! - `reading`: `cache/lookup.rs`;
//! - `loading`: `cache/single_flight.rs` and `cache/fill.rs`;
//! - `writing`: a write of design.md §4, and what a crash leaves of it;
//! - `steps`: which action may come when;
//! - `protocol`: what must hold.

pub(crate) mod loading;
pub(crate) mod memcached;
pub(crate) mod protocol;
pub(crate) mod reading;
pub(crate) mod steps;
pub(crate) mod writing;

use self::{loading::Flight, memcached::Memcached, reading::Read, writing::Write};

/// The row's version: 0 at first, and one more with each write.
pub(crate) type Version = u8;

pub(crate) const REPLICAS: usize = 2;
pub(crate) const READS_MAX: usize = 3;
pub(crate) const WRITES_MAX: usize = 2;

/// The rules of the protocol. The checker must find what goes wrong without each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// A fill is stored only under the CAS of its lease.
    pub(crate) fill_under_cas: bool,
    /// A lease is void on a connection that is younger than the lease.
    pub(crate) void_leases: bool,
    /// A flight takes nobody whose connection is younger than the flight.
    pub(crate) flights_by_age: bool,
    /// A flight is known by the CAS that its caller saw, not by the key alone.
    pub(crate) flights_by_cas: bool,
    /// A waiter loads for itself once its deadline has passed.
    pub(crate) waiters_take_over: bool,
    /// After a crash, the jobs left behind are delivered before the replica is ready.
    pub(crate) jobs_before_ready: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self {
        fill_under_cas: true,
        void_leases: true,
        flights_by_age: true,
        flights_by_cas: true,
        waiters_take_over: true,
        jobs_before_ready: true,
    };
}

/// How much may happen in one run: without an end to it the checker would find none either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) reads: u8,
    pub(crate) writes: u8,
    /// Requests that what is stored does not suit (`no-cache`, or an entry past its grace).
    pub(crate) choosy_reads: u8,
    /// Callers that leave before they have their answer.
    pub(crate) leavers: u8,
    /// Loads that fail.
    pub(crate) failures: u8,
    /// Times that a fresh value grows stale.
    pub(crate) agings: u8,
    /// Times that the item is lost: a lease lapses, a value expires, is evicted or flushed. Which it was
    /// nobody can tell.
    pub(crate) losses: u8,
    /// Restarts of memcached.
    pub(crate) restarts: u8,
    /// Connections that break and are made anew while memcached stays up.
    pub(crate) breaks: u8,
    /// Crashes of a replica.
    pub(crate) crashes: u8,
}

impl Bounds {
    pub(crate) const NONE: Self = Self {
        reads: 0,
        writes: 0,
        choosy_reads: 0,
        leavers: 0,
        failures: 0,
        agings: 0,
        losses: 0,
        restarts: 0,
        breaks: 0,
        crashes: 0,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What may still happen.
    pub(crate) left: Bounds,
    /// The version in the database.
    pub(crate) row: Version,
    /// The oldest version that a read which begins now may return: the newest write that was
    /// acknowledged, or whose replica is ready again after the crash that kept it from being so.
    pub(crate) settled: Version,
    pub(crate) memcached: Memcached,
    pub(crate) replicas: [Replica; REPLICAS],
    pub(crate) reads: [Read; READS_MAX],
    /// Each at the place of the read that began it.
    pub(crate) flights: [Option<Flight>; READS_MAX],
    pub(crate) writes: [Write; WRITES_MAX],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) ready: bool,
    /// When its connection was made; the real one has two, which differ in age only.
    pub(crate) connected_at: u8,
    /// The newest write whose invalidation job a crash has left in the queue, or 0.
    pub(crate) job: Version,
}

/// What may happen; the functions of the same names say where the real code does it. A number is the place of a read, a write, a flight or a replica in the [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Look { read: usize, at: usize, choosy: bool },
    Call { read: usize },
    Leave { read: usize },
    LookAgain { flight: usize },
    TakeOver { flight: usize },
    ReadRow { flight: usize },
    FailToLoad { flight: usize },
    Fill { flight: usize },
    Land { flight: usize },
    Commit { write: usize, at: usize },
    Forget { write: usize },
    Crash { at: usize },
    Recover { at: usize },
    Deliver { at: usize },
    GrowStale,
    LoseItem,
    Restart,
    BreakConnection { at: usize },
}
