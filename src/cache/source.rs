//! The source behind the cache: the slow thing, and the ways in which a load of it can fail.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::Key;

/// The slow backend behind a stack: everything else in [`cache`](super) is the same for all of them.
pub trait Source: Send + Sync + 'static {
    /// Names one thing that can be loaded.
    type Id: Clone + Send + Sync + 'static;

    /// The cache key of `id`. Two ids must never share one.
    fn key(&self, id: &Self::Id) -> Key;

    /// Loads `id` and returns its body, a JSON object, or `None` if there is no such thing.
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

/// The end of a load: the body, or `None` if there is no such thing; or the reason why it gave no answer.
pub type LoadEnd = Result<Option<Bytes>, LoadError>;

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
    /// The load panicked.
    #[error("the load panicked")]
    Panicked,
}
