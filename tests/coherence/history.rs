//! What clients saw. All times count from the start of the run, by one clock.

use std::time::Duration;

use tokio::time::Instant;

/// The clock of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// A span of time, from a moment before something happened to a moment after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begun_at: Duration,
    pub(crate) ended_at: Duration,
}

/// A read of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) key: i64,
    pub(crate) replica: usize,
    pub(crate) span: Span,
    pub(crate) seen: Seen,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This version of the user.
    Version {
        version: u64,
        /// `X-Cache`.
        x_cache: &'static str,
        /// Another caller's load was waited for.
        collapsed: bool,
        /// `detail` of `Cache-Status`; empty if there is none.
        detail: &'static str,
    },
    /// An answer that no read of a user that is there may get: another user's data, 404, 500.
    Wrong(String),
    /// A refusal that says so: 503, 504.
    Refused(u16),
    /// No answer at all: the replica was killed.
    None,
}

/// A write of one user. Those of one user come one after the other, and count its versions up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: i64,
    pub(crate) version: u64,
    pub(crate) span: Span,
    pub(crate) said: Said,
}

/// The answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is made, and forgotten by the cache.
    Forgotten,
    /// It is made, and the cache will be told.
    Pending,
    /// It is made, by somebody who knows of no cache.
    Committed,
    /// It is refused, but for all that is known of the database it may have been made.
    Refused(u16),
    /// Nothing: the replica was killed. It may have been made.
    Nothing,
}

/// The detail of a read that comes out of the memory of a replica that could not reach memcached.
pub(crate) const FALLBACK: &str = "fallback";

impl Said {
    pub(crate) fn is_acknowledgement(self) -> bool {
        matches!(self, Self::Forgotten | Self::Pending | Self::Committed)
    }
}

/// All of a run.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) reads: Vec<Read>,
    /// Reads after everything had come to rest, for which nothing is allowed.
    pub(crate) last: Vec<Read>,
    pub(crate) writes: Vec<Write>,
    /// The numbers of replicas and of memcached servers.
    pub(crate) replicas: usize,
    pub(crate) servers: usize,
    /// In the order in which they began.
    pub(crate) outages: Vec<Outage>,
    pub(crate) renewals: Vec<Renewal>,
}

/// A time in which a replica could not do its part at a memcached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// `None` if it was so for all of them.
    pub(crate) replica: Option<usize>,
    /// `None` if it was so at all of them.
    pub(crate) server: Option<usize>,
    pub(crate) span: Span,
}

impl Outage {
    pub(crate) fn touches(&self, replica: usize, server: usize) -> bool {
        self.replica.is_none_or(|it| it == replica) && self.server.is_none_or(|it| it == server)
    }
}

/// The moment by which a memcached had lost all that was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal {
    pub(crate) server: usize,
    pub(crate) at: Duration,
}
