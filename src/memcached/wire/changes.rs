//! `ms` and `md`: what a lease allows, what is kept, and forgetting; all changes of a batch in one round trip.

use std::{collections::VecDeque, mem, time::Duration};

use tokio::time::Instant;

use super::{
    Wire, WireError,
    line::{Line, is_for},
};
use crate::{
    cache::{Key, Value},
    memcached::{
        Address,
        operation::{Changing, Reply, Said},
    },
};

/// The largest value that is sent. memcached's own limit for an item is 1 MiB, its header and key
/// included; a larger one it refuses *and removes the old value*.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// Bytes after which a round trip takes no further change; the rest goes with the next, which has a deadline of its
/// own. One change goes in any case.
const ROUND_TRIP_BYTES_MAX: usize = 256 << 10;

/// Keys that are forgotten in one round trip, which must end by the deadline of an operation. Past it, another follows.
const FORGOTTEN_AT_ONCE: usize = 512;

/// A connection for changes.
pub(in crate::memcached) struct Changes {
    pub(super) line: Line,
    connected_at: Instant,
    /// The changes that are to be sent together, each with a number of its own.
    asked: Vec<(Key, u64)>,
}

impl Changes {
    pub(in crate::memcached) async fn to(
        address: &Address,
        deadline: Duration,
    ) -> Result<Self, WireError> {
        let line = Line::connect(address, deadline).await?;
        let (connected_at, asked) = (Instant::now(), Vec::new());
        Ok(Self { line, connected_at, asked })
    }

    /// Forgets keys that were written while the server was away.
    pub(in crate::memcached) async fn forget(&mut self, keys: &[Key]) -> Result<(), WireError> {
        for keys in keys.chunks(FORGOTTEN_AT_ONCE) {
            for key in keys {
                self.write(key, None, None);
            }
            let mut is_refused = false;
            let hear = |said| is_refused |= matches!(said, Said::Refused | Said::TooLarge);
            self.round_trip(hear).await?;
            // A refusal is as bad as a broken connection here: the old value would be served again.
            if is_refused {
                return Err(WireError::Backlog("the server refuses to delete a key".to_owned()));
            }
        }
        Ok(())
    }

    /// Writes `md <key> k O<number> [C<cas>]`; with a value `ms <key> <length> k O<number> [C<cas>] T<life> F<flags>`,
    /// and it.
    fn write(&mut self, key: &Key, cas: Option<u64>, value: Option<&Value>) {
        let number = self.line.next_number();
        self.asked.push((key.clone(), number));
        let cas = cas.map_or_else(String::new, |cas| format!(" C{cas}"));
        let Some(Value { body, flags, left_s }) = value else {
            return self.line.put(format!("md {key} k O{number}{cas}\r\n").as_bytes());
        };
        let length = body.len();
        let line = format!("ms {key} {length} k O{number}{cas} T{left_s} F{flags}\r\n");
        for part in [line.as_bytes(), body, b"\r\n"] {
            self.line.put(part);
        }
    }

    /// Sends what is written and tells `hear` what is said to each change, in their order, until a reply is not the
    /// one asked for.
    async fn round_trip(&mut self, mut hear: impl FnMut(Said)) -> Result<(), WireError> {
        let asked = mem::take(&mut self.asked);
        self.line.begin();
        self.line.put(b"mn\r\n");
        for (key, number) in asked {
            hear(reply(&self.line.line().await?, &key, number)?);
        }
        self.line.end().await
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
        self.write(&change.key, cas, change.value.as_ref());
        Some(change)
    }
}

impl Wire for Changes {
    type Operation = Changing;

    fn is_abandoned(change: &Changing) -> bool {
        change.reply.as_ref().is_some_and(Reply::is_closed)
    }

    async fn is_alive(&mut self) -> bool {
        self.round_trip(|_| ()).await.is_ok()
    }

    async fn carry_out(&mut self, batch: &mut Vec<Changing>) -> Result<(), WireError> {
        let mut queued = VecDeque::from(mem::take(batch));
        while !queued.is_empty() {
            let mut sent = VecDeque::with_capacity(queued.len());
            while self.line.unsent() < ROUND_TRIP_BYTES_MAX
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
            if let Err(error) = self.round_trip(hear).await {
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

fn reply(line: &[u8], key: &Key, number: u64) -> Result<Said, WireError> {
    if line.starts_with(b"SERVER_ERROR ") || line.starts_with(b"CLIENT_ERROR ") {
        let is_too_large = memchr::memmem::find(line, b"too large").is_some();
        return Ok(if is_too_large { Said::TooLarge } else { Said::Refused });
    }
    if !is_for(line, key, number) {
        return Err(WireError::Crosstalk);
    }
    match line.get(..3) {
        Some(b"HD ") => Ok(Said::Done),
        Some(b"NF ") => Ok(Said::NotFound),
        Some(b"EX ") => Ok(Said::Exists),
        _ => Err(WireError::Crosstalk),
    }
}
