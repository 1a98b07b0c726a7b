//! The protocol as a state machine that a model checker can walk through from end to end.
//!
//! One key, its two choices of memcached (or the only one), two replicas. Whatever may happen next is an [`Action`];
//! the checker tries every order of them that the [`Bounds`] allow. Between two actions anything else may come, so
//! that an action is what the real code does without an await, or what memcached or SQLite does for one command.
//!
//! - `memcached`: a server, and what a lease and a claim are;
//! - `links`: a replica's ways to the servers, its breaker, and catching up;
//! - `reading`: `cache/lookup.rs`;
//! - `loading`: `cache/single_flight.rs` and `cache/fill.rs`;
//! - `releases`: what is given back behind the answer;
//! - `writing`: a write, and what a crash leaves of it;
//! - `delivery`: the log of changes, and the sweeps that work it off;
//! - `steps`: which action may come when;
//! - `protocol`: what must hold.
//!
//! Callers of one replica that share a look are two looks with nothing between them, one of the orders that are tried. Of a
//! replica's connections for lookups, one for each core, there is one here: whether a claim may be used depends on the age
//! of its own connection alone.
//!
//! Left out:
//! - time. A deadline, a pause or the end of a life may come at any moment, so that nothing here says how soon
//!   anything happens. A sweep takes a row once its writer is through with it, or earlier if the bounds say so.
//! - a process's own memory. A read that finds no server ends there, and a flight that finds none loads and stores
//!   nothing; that what comes out of that memory follows the log is not shown.
//! - replies that are lost. A command is carried out and heard of, or neither. That a change which was carried out is
//!   taken for failed, and that a look has won what nobody hears of, `random_stack.rs` tries on the real code.
//! - more servers than the two choices of a key, more keys than one, and emptying a server that is too far behind.
//! - the database's failures. It answers at once, and what is committed stays.

pub(crate) mod delivery;
pub(crate) mod links;
pub(crate) mod loading;
pub(crate) mod memcached;
pub(crate) mod protocol;
pub(crate) mod reading;
pub(crate) mod releases;
pub(crate) mod steps;
pub(crate) mod writing;

use self::{
    delivery::Delivered, links::Link, loading::Flight, memcached::Memcached, reading::Read,
    releases::Release, writing::Write,
};

/// The row's version: 0 at first, and one more with each write.
pub(crate) type Version = u8;

/// A set of servers: one bit each.
pub(crate) type Servers = u8;

pub(crate) const SERVERS: usize = 2;
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
    /// It is known by the server that gave that CAS, too.
    pub(crate) flights_by_server: bool,
    /// A waiter loads for itself once its deadline has passed.
    pub(crate) waiters_take_over: bool,
    /// Whoever leaves before using what a look has won gives it back.
    pub(crate) give_back: bool,
    /// A write forgets its key on both servers that it may live on.
    pub(crate) forget_on_both_choices: bool,
    /// The row and the note that its key must be forgotten are committed in one transaction.
    pub(crate) note_in_the_transaction: bool,
    /// A server's note stays until that server has confirmed that it has forgotten the key.
    pub(crate) note_kept_until_confirmed: bool,
    /// What one server has confirmed says nothing of the other.
    pub(crate) confirm_only_the_place_that_answered: bool,
    /// What was delivered of one write says nothing of a later one.
    pub(crate) confirm_only_the_row_that_was_read: bool,
    /// A note is delivered to a server that can be reached, whatever the other server is.
    pub(crate) each_place_by_itself: bool,
    /// Before a server is used (again) it forgets what is noted for it.
    pub(crate) catch_up_before_use: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self {
        fill_under_cas: true,
        void_leases: true,
        flights_by_age: true,
        flights_by_cas: true,
        flights_by_server: true,
        waiters_take_over: true,
        give_back: true,
        forget_on_both_choices: true,
        note_in_the_transaction: true,
        note_kept_until_confirmed: true,
        confirm_only_the_place_that_answered: true,
        confirm_only_the_row_that_was_read: true,
        each_place_by_itself: true,
        catch_up_before_use: true,
    };
}

/// How much may happen in one run: without an end to it the checker would find none either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// How many servers there are, at least 1.
    pub(crate) servers: usize,
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
    /// Restarts of a memcached.
    pub(crate) restarts: u8,
    /// Connections that break and are made anew while memcached stays up.
    pub(crate) breaks: u8,
    /// Links that are cut, for one replica.
    pub(crate) cuts: u8,
    /// Links that are mended again.
    pub(crate) mends: u8,
    /// Crashes of a replica.
    pub(crate) crashes: u8,
    /// Sweeps that deliver a row whose writer is still at it.
    pub(crate) early_sweeps: u8,
    /// Writers and sweeps that tell the log only some time later what has been forgotten.
    pub(crate) late_confirms: u8,
}

impl Bounds {
    pub(crate) const NONE: Self = Self {
        servers: 1,
        reads: 0,
        writes: 0,
        choosy_reads: 0,
        leavers: 0,
        failures: 0,
        agings: 0,
        losses: 0,
        restarts: 0,
        breaks: 0,
        cuts: 0,
        mends: 0,
        crashes: 0,
        early_sweeps: 0,
        late_confirms: 0,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What may still happen.
    pub(crate) left: Bounds,
    /// The version in the database.
    pub(crate) row: Version,
    /// The servers that have not confirmed yet that they have forgotten the key since that version was committed.
    pub(crate) missing: Servers,
    /// The oldest version that a read which begins now may return, at any replica: the newest that was
    /// acknowledged as forgotten, or that all servers have confirmed.
    pub(crate) settled: Version,
    pub(crate) servers: [Memcached; SERVERS],
    pub(crate) replicas: [Replica; REPLICAS],
    pub(crate) reads: [Read; READS_MAX],
    /// Each at the place of the read that began it.
    pub(crate) flights: [Option<Flight>; READS_MAX],
    /// Each at the place of the read that won what is given back.
    pub(crate) releases: [Option<Release>; READS_MAX],
    pub(crate) writes: [Write; WRITES_MAX],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) ready: bool,
    pub(crate) links: [Link; SERVERS],
    /// What its sweep has delivered and not yet told the log.
    pub(crate) delivered: Option<Delivered>,
}

/// What may happen; the functions of the same names say where the real code does it. A number is the place of a read,
/// a write, a flight, a replica or a server in the [`State`].
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
    GiveBack { place: usize },
    Commit { write: usize, at: usize },
    Note { write: usize },
    Forget { write: usize, server: usize },
    Confirm { write: usize },
    Deliver { at: usize, server: usize },
    Clear { at: usize },
    Crash { at: usize },
    Recover { at: usize },
    Cut { at: usize, server: usize },
    Notice { at: usize, server: usize },
    Mend { at: usize, server: usize },
    CatchUp { at: usize, server: usize },
    Return { at: usize, server: usize },
    GrowStale { server: usize },
    LoseItem { server: usize },
    Restart { server: usize },
    BreakConnection { at: usize, server: usize, connection: usize },
}
