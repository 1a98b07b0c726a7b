//! A source whose type is forgotten, so that all resources are of one type and their stacks are compiled once.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::cache::{Key, LoadEnd, Source};

/// A source of any kind.
#[derive(Clone)]
pub struct AnySource(Arc<dyn LoadByNumber>);

impl AnySource {
    /// The source `source`, which loads by number.
    pub fn new(source: impl Source<Id = i64>) -> Self {
        Self(Arc::new(source))
    }
}

impl Source for AnySource {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        self.0.key(id)
    }

    async fn load(&self, id: i64, deadline: Instant) -> LoadEnd {
        self.0.load(id, deadline).await
    }

    async fn may_have(&self, id: &i64) -> bool {
        self.0.may_have(*id).await
    }
}

/// [`Source`] with a future in a box: a load is slow, and does not notice.
trait LoadByNumber: Send + Sync {
    fn key(&self, id: &i64) -> Key;

    fn load(&self, id: i64, deadline: Instant) -> BoxFuture<'_, LoadEnd>;

    fn may_have(&self, id: i64) -> BoxFuture<'_, bool>;
}

impl<S: Source<Id = i64>> LoadByNumber for S {
    fn key(&self, id: &i64) -> Key {
        Source::key(self, id)
    }

    fn load(&self, id: i64, deadline: Instant) -> BoxFuture<'_, LoadEnd> {
        Box::pin(Source::load(self, id, deadline))
    }

    fn may_have(&self, id: i64) -> BoxFuture<'_, bool> {
        Box::pin(async move { Source::may_have(self, &id).await })
    }
}
