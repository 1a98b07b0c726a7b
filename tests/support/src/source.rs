//! A source that the test drives by hand: it learns of each load and answers it when it likes.

use aside::cache::{Found, Key, LoadEnd, LoadError, Source};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// The answer to one load.
pub type Loaded = Result<Option<Bytes>, LoadError>;

/// A load that waits for its answer. Dropped without one, it panics inside the stack.
#[derive(Debug)]
pub struct Asked {
    answer: oneshot::Sender<Loaded>,
}

impl Asked {
    /// Answers.
    pub fn answer(self, answer: Loaded) {
        let _ = self.answer.send(answer);
    }

    /// Answers with a body that says which version it is.
    pub fn version(self, version: u32) {
        let body = body(version);
        self.answer(Ok(Some(body)));
    }
}

/// The body of a version.
pub fn body(version: u32) -> Bytes {
    Bytes::from(format!(r#"{{"version":{version}}}"#))
}

/// The source's side of the wire that the test holds the other end of.
pub struct ByHand {
    asked: mpsc::UnboundedSender<Asked>,
}

/// The source, and the loads it is asked for.
pub fn by_hand() -> (ByHand, mpsc::UnboundedReceiver<Asked>) {
    let (asked, loads) = mpsc::unbounded_channel();
    (ByHand { asked }, loads)
}

impl Source for ByHand {
    type Id = i64;

    fn key(&self, id: &i64) -> Key {
        Key::numbered("thing", *id)
    }

    async fn load(&self, _: i64, _: Instant) -> LoadEnd {
        let (answer, answered) = oneshot::channel();
        let _ = self.asked.send(Asked { answer });
        answered.await.expect("the test dropped the load: this is its panic").map(Found::from)
    }
}
