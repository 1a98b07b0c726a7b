//! `ms` and `md`: what a lease allows, what is kept, and forgetting; all changes of a batch in one round trip.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{
    WireError,
    change::{answer, written},
    line::{Line, Said},
    request::Request,
};
use crate::{
    cache::Key,
    memcached::{Address, operation::Operation},
};

/// Keys that are forgotten in one round trip, which must end by the deadline of an operation. Past it, another follows.
const FORGOTTEN_AT_ONCE: usize = 512;

/// A connection for changes.
pub(in crate::memcached) struct Changes {
    pub(super) line: Line,
    connected_at: Instant,
    /// The number of the last command.
    pub(super) number: u64,
}

impl Changes {
    pub(in crate::memcached) async fn connect(
        address: &Address,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        let line = Line::connect(address, round_trip_timeout).await?;
        Ok(Self { line, connected_at: Instant::now(), number: 0 })
    }

    /// Whether the server still answers over this connection.
    pub(super) async fn is_alive(&mut self) -> bool {
        let nothing = self.request();
        self.round_trip(nothing, |_| ()).await.is_ok()
    }

    /// Carries out all of `batch` and answers the callers.
    ///
    /// After an error those whose own reply has not come are dropped, and told so by that; only what nobody waits for
    /// stays in `batch`.
    pub(in crate::memcached) async fn carry_out(
        &mut self,
        batch: &mut Vec<Operation>,
    ) -> Result<(), WireError> {
        let mut queued = VecDeque::from(std::mem::take(batch));
        while !queued.is_empty() {
            let (mut request, mut sent) = (self.request(), VecDeque::with_capacity(queued.len()));
            while !request.is_full()
                && let Some(change) = queued.pop_front()
            {
                sent.extend(written(change, &mut request, self.connected_at));
            }
            if sent.is_empty() {
                continue;
            }
            let mut refused = Vec::new();
            let hear = |said| match (said, sent.pop_front()) {
                // It bears no number: it is this change's only if all the others have their replies.
                (Said::Refused | Said::TooLarge, Some(change)) => refused.push((change, said)),
                (_, Some(change)) => answer(change, said),
                (_, None) => {}
            };
            if let Err(error) = self.round_trip(request, hear).await {
                let unanswered = refused.into_iter().map(|(change, _)| change).chain(sent);
                batch.extend(unanswered.filter_map(|change| change.again()));
                batch.extend(queued.into_iter().filter(|change| change.again().is_some()));
                return Err(error);
            }
            for (change, said) in refused {
                answer(change, said);
            }
        }
        Ok(())
    }

    /// Forgets keys that were written while the server was away.
    pub(in crate::memcached) async fn forget(&mut self, keys: &[Key]) -> Result<(), WireError> {
        for keys in keys.chunks(FORGOTTEN_AT_ONCE) {
            let mut request = self.request();
            for key in keys {
                request.delete(key, None);
            }
            let mut is_refused = false;
            let hear = |said| is_refused |= matches!(said, Said::Refused | Said::TooLarge);
            self.round_trip(request, hear).await?;
            // A refusal is as bad as a broken connection here: the old value would be served again.
            if is_refused {
                return Err(WireError::Backlog("the server refuses to delete a key".to_owned()));
            }
        }
        Ok(())
    }

    fn request(&self) -> Request {
        Request::after(self.number)
    }

    async fn round_trip(
        &mut self,
        request: Request,
        hear: impl FnMut(Said),
    ) -> Result<(), WireError> {
        self.number = request.number();
        self.line.round_trip(request, hear).await
    }
}
