//! `ms` and `md`: what a lease allows, what is kept, and forgetting; all changes of a batch in one round trip.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::{Wire, WireError, line::Line};
use crate::{
    cache::Key,
    memcached::{
        Address,
        operation::{Changing, Reply, Said},
    },
};

/// The largest value that is sent. memcached's own limit for an item is 1 MiB, its header and key
/// included; a larger one it refuses *and removes the old value*.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// Keys that are forgotten in one round trip, which must end by the deadline of an operation. Past it, another follows.
const FORGOTTEN_AT_ONCE: usize = 512;

/// A connection for changes.
pub(in crate::memcached) struct Changes {
    pub(super) line: Line,
    connected_at: Instant,
}

impl Changes {
    pub(in crate::memcached) async fn to(
        address: &Address,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        let line = Line::connect(address, round_trip_timeout).await?;
        Ok(Self { line, connected_at: Instant::now() })
    }

    /// Forgets keys that were written while the server was away.
    pub(in crate::memcached) async fn forget(&mut self, keys: &[Key]) -> Result<(), WireError> {
        for keys in keys.chunks(FORGOTTEN_AT_ONCE) {
            for key in keys {
                self.line.write(key, None, None);
            }
            let mut is_refused = false;
            let hear = |said| is_refused |= matches!(said, Said::Refused | Said::TooLarge);
            self.line.round_trip(hear).await?;
            // A refusal is as bad as a broken connection here: the old value would be served again.
            if is_refused {
                return Err(WireError::Backlog("the server refuses to delete a key".to_owned()));
            }
        }
        Ok(())
    }

    /// Writes `change` and gives it back; `None` if there is nothing to be sent.
    fn written(&mut self, change: Changing) -> Option<Changing> {
        // A lease from before this connection is perhaps from before a restart, and another version bears its number now.
        let is_void = change.lease.is_some_and(|lease| lease.asked_at < self.connected_at);
        let unsent = match &change.value {
            Some(_) if is_void => Some(Said::Void),
            // If it was to be put back, nobody is chosen until the entry is past its grace.
            Some(value) if value.body.len() > VALUE_BYTES_MAX => Some(Said::TooLarge),
            _ => None,
        };
        if let Some(said) = unsent {
            change.answer(said);
            return None;
        }
        // While those before it were carried out its caller may have left.
        if Self::is_abandoned(&change) {
            return None;
        }
        // A lease that is void here can't say which version it was given for, so that whatever is there goes: to
        // forget too much costs a load, and to leave a placeholder behind costs its waiters their patience.
        let cas = change.lease.filter(|_| !is_void).map(|lease| lease.cas);
        self.line.write(&change.key, cas, change.value.as_ref());
        Some(change)
    }
}

impl Wire for Changes {
    type Operation = Changing;

    fn is_abandoned(change: &Changing) -> bool {
        change.reply.as_ref().is_some_and(Reply::is_closed)
    }

    async fn is_alive(&mut self) -> bool {
        self.line.round_trip(|_| ()).await.is_ok()
    }

    async fn carry_out(&mut self, batch: &mut Vec<Changing>) -> Result<(), WireError> {
        let mut queued = VecDeque::from(mem::take(batch));
        while !queued.is_empty() {
            let mut sent = VecDeque::with_capacity(queued.len());
            while !self.line.is_full()
                && let Some(change) = queued.pop_front()
            {
                sent.extend(self.written(change));
            }
            if sent.is_empty() {
                continue;
            }
            let mut refused = Vec::new();
            let hear = |said| match (said, sent.pop_front()) {
                // It bears no number: it is this change's only if all the others have their replies.
                (Said::Refused | Said::TooLarge, Some(change)) => refused.push((change, said)),
                (_, Some(change)) => change.answer(said),
                (_, None) => {}
            };
            if let Err(error) = self.line.round_trip(hear).await {
                let unanswered = refused.into_iter().map(|(change, _)| change).chain(sent);
                let tried = unanswered.filter(|change| change.again);
                batch.extend(tried.map(|change| Changing { again: false, ..change }));
                batch.extend(queued.into_iter().filter(|change| change.again));
                return Err(error);
            }
            for (change, said) in refused {
                change.answer(said);
            }
        }
        Ok(())
    }
}
