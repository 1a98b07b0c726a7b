//! A source whose type is forgotten, so that all resources are of one type and their stacks are compiled once.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::argument::Arguments;
use crate::cache::{Key, LoadEnd, LoadError, Source};

/// A source of any kind.
#[derive(Clone)]
pub struct AnySource(Arc<dyn Load>);

impl AnySource {
    /// The source `source`.
    pub fn new(source: impl Source<Id = Arguments>) -> Self {
        Self(Arc::new(source))
    }
}

impl Source for AnySource {
    type Id = Arguments;

    fn key(&self, id: &Arguments) -> Key {
        self.0.key(id)
    }

    async fn load(&self, id: Arguments, deadline: Instant) -> LoadEnd {
        self.0.load(id, deadline).await
    }

    async fn may_have(&self, id: &Arguments) -> bool {
        self.0.may_have(id).await
    }
}

/// [`Source`] with a future in a box: a load is slow, and does not notice.
trait Load: Send + Sync {
    fn key(&self, id: &Arguments) -> Key;

    fn load(&self, id: Arguments, deadline: Instant) -> BoxFuture<'_, LoadEnd>;

    fn may_have<'a>(&'a self, id: &'a Arguments) -> BoxFuture<'a, bool>;
}

impl<S: Source<Id = Arguments>> Load for S {
    fn key(&self, id: &Arguments) -> Key {
        Source::key(self, id)
    }

    fn load(&self, id: Arguments, deadline: Instant) -> BoxFuture<'_, LoadEnd> {
        Box::pin(Source::load(self, id, deadline))
    }

    fn may_have<'a>(&'a self, id: &'a Arguments) -> BoxFuture<'a, bool> {
        Box::pin(Source::may_have(self, id))
    }
}

/// A source that loads by number, for a resource whose one parameter is a number.
pub struct Numbered<S>(pub S);

impl<S: Source<Id = i64>> Source for Numbered<S> {
    type Id = Arguments;

    fn key(&self, id: &Arguments) -> Key {
        self.0.key(&id.number().unwrap_or_default())
    }

    async fn load(&self, id: Arguments, deadline: Instant) -> LoadEnd {
        let number = id.number().ok_or_else(|| LoadError::Failed("it is no number".into()))?;
        self.0.load(number, deadline).await
    }

    async fn may_have(&self, id: &Arguments) -> bool {
        self.0.may_have(&id.number().unwrap_or_default()).await
    }
}
