//! A question to the stack, and its answer with the account of how it came about.

use std::time::Duration;

use bytes::Bytes;
use tower::util::BoxCloneSyncService;

use super::{Directives, Key, Lease, LoadError, Origin};
use crate::metrics::Outcome;

/// The finished stack, whatever its source and its store: a [`tower::Service`] from [`Get`] to [`Answer`]. Always ready:
/// what bounds a load happens inside its future.
pub type Cache<I> = BoxCloneSyncService<Get<I>, Answer, Failure>;

/// A question to the stack.
#[derive(Clone, Debug)]
pub struct Get<I> {
    /// The thing that is asked for.
    pub id: I,
    /// The caller's wishes to the cache.
    pub directives: Directives,
}

/// The stack's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON body; `None` says that there is no such thing.
    pub body: Option<Bytes>,
    /// Seconds since the source gave it.
    pub age_s: u32,
    /// The way in which it came about, and the time that it took.
    pub account: Account,
}

/// There is no answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The reason.
    pub error: GetError,
    /// The steps of the cache before.
    pub account: Account,
}

/// The reason why the stack has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GetError {
    /// The caller wants no answer but a stored one (`only-if-cached`), and none is stored that suits it.
    #[error("not in the cache")]
    NotCached,
    /// The load failed, and nothing stored could stand in for it.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The way in which an answer came about, as `Cache-Status` and `Server-Timing` say it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The cache key.
    pub key: Key,
    /// The origin of the answer.
    pub served: Served,
    /// Anything else that is worth knowing.
    pub detail: Option<Detail>,
    /// The time that the look into the store took.
    pub lookup: Duration,
    /// The time for which the source was queried or waited for, if it was.
    pub load: Option<Duration>,
}

/// The origin of an answer, in the words of RFC 9211 (`hit` and `fwd` exclude each other).
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
        /// The reason.
        why: Forward,
        /// The answer is another caller's load.
        collapsed: bool,
        /// True if the answer is stored; `None` if that is for another to know.
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

/// The reason why the source was asked: RFC 9211 §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// Nothing usable was stored.
    Miss,
    /// The request's directives did not allow what was stored.
    Request,
    /// The stored entry was stale.
    Stale,
    /// The store could not be asked.
    Bypass,
}

/// The `detail` of `Cache-Status`.
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
    /// The source gave it to this caller alone.
    Private,
}

impl Detail {
    /// The detail of an answer that depends on this lease.
    pub(super) fn of(lease: &Lease) -> Option<Self> {
        (lease.origin == Origin::Fallback).then_some(Self::Fallback)
    }
}

impl Served {
    /// The outcome in the ledger.
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
