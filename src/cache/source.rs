//! The source behind the cache: the slow thing, what it gives, and the ways in which a load of it can fail.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::Key;

/// The slow backend behind a stack: everything else in [`cache`](super) is the same for all of them.
pub trait Source: Send + Sync + 'static {
    /// Names one thing that can be loaded.
    type Id: Clone + Send + Sync + 'static;

    /// The cache key of `id`. Two ids must never share one.
    fn key(&self, id: &Self::Id) -> Key;

    /// Loads `id`.
    ///
    /// `deadline` is when the caller stops waiting. The source gives up at about that time, and returns
    /// only when the backend is really free again: the permit of the bulkhead comes back with the return.
    fn load(&self, id: Self::Id, deadline: Instant) -> impl Future<Output = LoadEnd> + Send;

    /// True if there may be such a thing, found out sooner than by a load. Of what there is not, nobody notes that it
    /// is to be forgotten.
    fn may_have(&self, _: &Self::Id) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// The end of a load: what was found, or the reason why it gave no answer.
pub type LoadEnd = Result<Found, LoadError>;

/// The finding of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The body; `None` if there is no such thing.
    pub body: Option<Bytes>,
    /// The source's own wish.
    pub keep: Keep,
}

/// The time for which a source lets what it gives be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As long as the policy says.
    AsPolicy,
    /// No longer than this; less than a second is not at all.
    AtMost(Duration),
    /// Not at all, and nobody but the caller may have it: whoever waits for the same loads it anew.
    Unshared,
}

impl From<Option<Bytes>> for Found {
    fn from(body: Option<Bytes>) -> Self {
        Self { body, keep: Keep::AsPolicy }
    }
}

/// The reason why a load gave no answer. `Clone`, as one load may have many callers; never cached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The source did not answer by its deadline.
    #[error("the source did not answer within its deadline")]
    Timeout,
    /// Too many loads run or wait already; this one was not begun.
    #[error("too many loads are waiting")]
    Overloaded,
    /// The source can't be reached or has no connection free: the same request may succeed soon.
    #[error("the source is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// The source answered with an error.
    #[error("the source failed: {0}")]
    Failed(Arc<str>),
    /// The service behind the source answered with an error, or not to its end.
    #[error("the source's service failed: {0}")]
    Faulty(Arc<str>),
    /// The service behind the source refused, or gave what is no answer. It is not away: nothing old stands in.
    #[error("the source's service gave no answer that is of use: {0}")]
    Unusable(Arc<str>),
    /// The load panicked.
    #[error("the load panicked")]
    Panicked,
}

impl LoadError {
    /// True if an old answer is better than this.
    pub(super) fn is_outage(&self) -> bool {
        !matches!(self, Self::Unusable(_))
    }
}
