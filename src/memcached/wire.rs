//! The meta commands, and the check that every reply is the one that was asked for.

use async_memcached::{Client, Error, ErrorKind, MetaProtocol, MetaValue, Status};
use bytes::Bytes;
use tokio::time::Instant;

use super::operation::{Lookup, Operation};
use crate::cache::{Ask, Filled, Found, Key, Lease, Look, Origin, StoreError, Token, Value};

/// The largest value that is sent. memcached's own limit for an item is 1 MiB, its header and key
/// included; a larger one it refuses *and removes the old value*.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// A key that nobody stores: reading it tells whether the server answers.
const PROBE_KEY: &str = "aside:probe";

/// A connection to one server, with what its leases need to know.
pub(super) struct Wire {
    client: Client,
    origin: Origin,
    connected_at: Instant,
    round_trips: u64,
}

/// Why a connection can't be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The round trip took too long.
    #[error("no answer within the deadline")]
    TimedOut,
    /// A reply that nobody had asked for, or none where there must be one.
    #[error("a reply was not the one asked for")]
    Crosstalk,
    /// It is not known what the server must forget before it is used.
    #[error("what it has missed can't be told: {0}")]
    Backlog(String),
    /// Anything else, from a refused connection to a reply that is no memcached's.
    #[error(transparent)]
    Client(#[from] Error),
}

/// Lookups that ask the same and so share a round trip.
pub(super) struct Batch {
    pub(super) ask: Ask,
    pub(super) lookups: Vec<Lookup>,
}

impl Wire {
    pub(super) fn new(client: Client, origin: Origin, connected_at: Instant) -> Self {
        Self { client, origin, connected_at, round_trips: 0 }
    }

    /// Reads a key, so that it is known that the server not only accepts connections but answers.
    pub(super) async fn probe(&mut self) -> Result<(), WireError> {
        self.client.meta_get(PROBE_KEY, false, None, Some(&["v"])).await?;
        Ok(())
    }

    /// `mg <key> v t f c O<round trip> [N<lease>] [R<refresh>]` for each, in one round trip.
    pub(super) async fn look_up(&mut self, Batch { ask, lookups }: Batch) -> Result<(), WireError> {
        let asked_at = Instant::now();
        let opaque = self.next_opaque();
        let opaque_flag = format!("O{opaque}");
        let lease_flag = ask.lease_s.map(|lease_s| format!("N{lease_s}"));
        let refresh_flag = ask.refresh_s.map(|refresh_s| format!("R{refresh_s}"));
        let mut flags = vec!["v", "t", "f", "c", &opaque_flag];
        flags.extend(lease_flag.as_deref());
        flags.extend(refresh_flag.as_deref());
        let mut replies = self.client.meta_get_multi(&lookups, Some(&flags)).await?.into_iter();
        let mut reply = replies.next();
        let mut unheard = Vec::new();
        for lookup in lookups {
            let look = match reply {
                Some(meta) if is_for(&meta, &lookup.key, opaque) => {
                    reply = replies.next();
                    self.look(meta, asked_at)?
                }
                // With `N`, memcached answers every key; without, it leaves out those that are absent.
                other if ask.lease_s.is_none() => {
                    reply = other;
                    Look::Absent
                }
                _ => return Err(WireError::Crosstalk),
            };
            if let Err(Ok(Look::Placeholder { lease, token: Token::Won })) =
                lookup.reply.send(Ok(look))
            {
                unheard.push((lookup.key, lease));
            }
        }
        // A reply is left over: it is nobody's.
        if reply.is_some() {
            return Err(WireError::Crosstalk);
        }
        // Who was chosen to load has left before it heard of it: another is chosen at the next look.
        for (key, lease) in unheard {
            let _ = self.delete(&key, Some(&lease)).await?;
        }
        Ok(())
    }

    fn look(&self, meta: MetaValue, asked_at: Instant) -> Result<Look, WireError> {
        let cas = meta.cas.ok_or(WireError::Crosstalk)?;
        let lease = Lease { cas, origin: self.origin, asked_at, connected_at: self.connected_at };
        let token = match meta.is_recache_winner {
            Some(true) => Token::Won,
            Some(false) => Token::Taken,
            None => Token::Unclaimed,
        };
        let body = meta.data.map_or_else(Bytes::new, Bytes::from);
        if body.is_empty() && token != Token::Unclaimed {
            return Ok(Look::Placeholder { lease, token });
        }
        // Below zero is "for ever": another client's entry, whose flags will not be known either.
        let left_s = u32::try_from(meta.ttl_remaining.unwrap_or(0)).unwrap_or(0);
        let found = Found { body, flags: meta.flags.unwrap_or(0), left_s };
        Ok(Look::Found { found, lease, token })
    }

    /// Carries out one change and answers its caller. An error is one of the connection.
    pub(super) async fn change(&mut self, operation: Operation) -> Result<(), WireError> {
        match operation {
            Operation::Fill { key, lease, value, reply } => {
                let filled = self.fill(&key, &lease, &value).await?;
                let _ = reply.send(filled);
            }
            Operation::Delete { key, lease, reply } => {
                let deleted = self.delete(&key, lease.as_ref()).await?;
                let _ = reply.send(deleted);
            }
            Operation::Lookup(lookup) => {
                let ask = lookup.ask;
                self.look_up(Batch { ask, lookups: vec![lookup] }).await?;
            }
        }
        Ok(())
    }

    /// `ms <key> <length> C<cas> T<ttl> F<flags> k O<round trip>`.
    async fn fill(
        &mut self,
        key: &Key,
        lease: &Lease,
        value: &Value,
    ) -> Result<Result<Filled, StoreError>, WireError> {
        // A lease from before this connection may be one from before a restart, whose number another
        // version bears by now.
        if lease.asked_at < self.connected_at {
            return Ok(Ok(Filled::Void));
        }
        if value.body.len() > VALUE_BYTES_MAX {
            return Ok(Ok(Filled::TooLarge));
        }
        let [cas, ttl, bits] =
            [('C', lease.cas), ('T', value.left_s.into()), ('F', value.flags.into())]
                .map(|(flag, number)| format!("{flag}{number}"));
        let opaque = self.next_opaque();
        let token = opaque.to_string();
        let flags = ["k", &cas, &ttl, &bits];
        let result = self
            .client
            .meta_set(key, &value.body[..], false, Some(token.as_bytes()), Some(&flags))
            .await;
        Ok(match result {
            Ok(Some(meta)) if is_for(&meta, key, opaque) => match meta.status {
                Some(Status::Stored) => Ok(Filled::Stored),
                Some(Status::Exists | Status::NotFound) => Ok(Filled::Superseded),
                _ => return Err(WireError::Crosstalk),
            },
            Ok(_) => return Err(WireError::Crosstalk),
            Err(Error::Protocol(Status::Error(ErrorKind::Server(why))))
                if why.contains("too large") =>
            {
                Ok(Filled::TooLarge)
            }
            Err(error) => Err(self.refused(error)?),
        })
    }

    /// Forgets a key that was written while the server was away.
    pub(super) async fn forget(&mut self, key: &Key) -> Result<(), WireError> {
        // A refusal is as bad as a broken connection here: the old value would be served again.
        let refused = |_| WireError::Backlog("the server refuses to delete a key".to_owned());
        self.delete(key, None).await?.map_err(refused)
    }

    /// `md <key> [C<cas>] k O<round trip>`. What is not there, or another version by now, is deleted.
    ///
    /// A lease that is void here can't say which version it was given for, so that whatever is there goes: to
    /// forget too much costs a load, and to leave a placeholder behind costs its waiters their patience.
    async fn delete(
        &mut self,
        key: &Key,
        lease: Option<&Lease>,
    ) -> Result<Result<(), StoreError>, WireError> {
        let lease = lease.filter(|lease| lease.asked_at >= self.connected_at);
        let cas = lease.map(|lease| format!("C{}", lease.cas));
        let opaque = self.next_opaque();
        let token = opaque.to_string();
        let mut flags = vec!["k"];
        flags.extend(cas.as_deref());
        let result =
            self.client.meta_delete(key, false, Some(token.as_bytes()), Some(&flags)).await;
        Ok(match result {
            Ok(Some(meta)) if is_for(&meta, key, opaque) => match meta.status {
                Some(Status::Deleted | Status::NotFound | Status::Exists) => Ok(()),
                _ => return Err(WireError::Crosstalk),
            },
            Ok(_) => return Err(WireError::Crosstalk),
            Err(error) => Err(self.refused(error)?),
        })
    }

    /// An error line that was read whole is the operation's; anything else is the connection's.
    fn refused(&self, error: Error) -> Result<StoreError, WireError> {
        match error {
            Error::Protocol(Status::Error(ErrorKind::Server(_) | ErrorKind::Client(_)))
                if !self.client.is_closed() =>
            {
                Ok(StoreError::Refused)
            }
            error => Err(error.into()),
        }
    }

    fn next_opaque(&mut self) -> u64 {
        self.round_trips += 1;
        self.round_trips
    }
}

/// Whether `meta` answers this key in this round trip. A late or doubled reply bears another number.
fn is_for(meta: &MetaValue, key: &Key, opaque: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    meta.key.as_deref() == Some(key.as_ref())
        && meta.opaque_token.as_deref() == Some(digits.format(opaque).as_bytes())
}
