//! What goes into the stack and what comes out of it, each answer with the reason why it is what it is.

use std::time::Duration;

use bytes::Bytes;

use super::{Directives, Key, Lease, LoadError, Origin};
use crate::metrics::Outcome;

/// A question to the stack.
#[derive(Clone, Debug)]
pub struct Get<I> {
    /// What is asked for.
    pub id: I,
    /// What the caller asks of the cache.
    pub directives: Directives,
}

/// The stack's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON body; `None` says that there is no such thing.
    pub body: Option<Bytes>,
    /// Seconds since the source gave it.
    pub age_s: u32,
    /// Why it is what it is, and how long it took.
    pub account: Account,
}

/// There is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why there is none.
    pub error: GetError,
    /// What the cache did before.
    pub account: Account,
}

/// Why the stack has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GetError {
    /// The caller wants no answer but a stored one (`only-if-cached`), and none is stored that suits it.
    #[error("not in the cache")]
    NotCached,
    /// The load failed, and nothing stored could stand in for it.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// How an answer came about: what `Cache-Status` and `Server-Timing` say.
#[derive(Clone, Debug)]
pub struct Account {
    /// The cache key.
    pub key: Key,
    /// Where the answer came from.
    pub served: Served,
    /// What else is worth knowing.
    pub detail: Option<Detail>,
    /// How long the look into the store took.
    pub lookup: Duration,
    /// How long the source was queried or waited for, if it was.
    pub load: Option<Duration>,
}

/// Where an answer came from, in the words of RFC 9211 (`hit` and `fwd` exclude each other).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// From the store, the source was not asked.
    Hit {
        /// Seconds for which it is fresh; negative for a stale one.
        ttl_s: i64,
        /// It says that there is no such thing.
        negative: bool,
    },
    /// The source was asked.
    Forwarded {
        /// Why.
        why: Forward,
        /// The answer is another caller's load.
        collapsed: bool,
        /// Whether the answer is stored; `None` if that is for another to know.
        stored: Option<bool>,
    },
    /// The source was asked and failed; a stale entry stands in.
    StaleIfError {
        /// Seconds for which it is fresh, so negative.
        ttl_s: i64,
    },
    /// Neither: the caller wanted a stored answer only, and there was none.
    Unanswered,
}

/// Why the source was asked: RFC 9211 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nothing usable was stored.
    Miss,
    /// The request's directives did not allow what was stored.
    Request,
    /// What was stored was stale.
    Stale,
    /// The store could not be asked.
    Bypass,
}

/// What else `Cache-Status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// This process's own memory answered in place of memcached.
    Fallback,
    /// The store could not be asked.
    Unavailable,
    /// The value is over the store's limit.
    TooLarge,
    /// A write came between: the value was not stored.
    Superseded,
    /// The store did not take the value.
    NotStored,
}

impl Detail {
    /// What is to be said of an answer that depends on this lease.
    pub(super) fn of(lease: &Lease) -> Option<Self> {
        (lease.origin == Origin::Fallback).then_some(Self::Fallback)
    }
}

impl Served {
    /// What this is in the ledger.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Hit { ttl_s, .. } if ttl_s < 0 => Outcome::Stale,
            Self::Hit { negative: true, .. } => Outcome::NegativeHit,
            Self::Hit { .. } => Outcome::Hit,
            Self::StaleIfError { .. } => Outcome::Stale,
            Self::Forwarded { why: Forward::Request | Forward::Bypass, .. } => Outcome::Bypass,
            Self::Forwarded { collapsed: true, .. } => Outcome::Collapsed,
            Self::Forwarded { .. } | Self::Unanswered => Outcome::Miss,
        }
    }
}
