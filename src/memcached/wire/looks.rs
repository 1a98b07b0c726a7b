//! `mg` under leases: all lookups of a batch in one round trip.

use std::time::Duration;

use async_channel::Sender;
use async_memcached::{Client, MetaProtocol, MetaValue, Status};
use bytes::Bytes;
use tokio::time::Instant;

use super::{PROBE_KEY, Unusable, WireError, is_for};
use crate::{
    cache::{Ask, Found, Key, Lease, Look, Origin, Token},
    memcached::{
        Address,
        deadline::within,
        operation::{Lookup, Operation},
    },
};

/// A connection for lookups and reads.
pub(in crate::memcached) struct Looks {
    pub(super) client: Client,
    origin: Origin,
    connected_at: Instant,
    releases: Sender<Operation>,
    pub(super) round_trip_timeout: Duration,
    round_trips: u64,
}

impl Looks {
    pub(super) async fn connect(
        address: &Address,
        origin: Origin,
        releases: Sender<Operation>,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        let client = Client::new(address.dsn()).await?;
        let connected_at = Instant::now();
        Ok(Self { client, origin, connected_at, releases, round_trip_timeout, round_trips: 0 })
    }

    /// Reads a key. That the server can be used is seen over the connections for changes.
    pub(super) async fn probe(&mut self) -> Result<(), WireError> {
        let read = self.client.meta_get(PROBE_KEY, false, None, Some(&["v"]));
        within(self.round_trip_timeout, read).await.map_err(|_| WireError::TimedOut)??;
        Ok(())
    }

    pub(super) async fn is_alive(&mut self) -> bool {
        let version = within(self.round_trip_timeout, self.client.version()).await;
        version.is_ok_and(|version| version.is_ok())
    }

    /// `mg <key> v t f c O<round trip> [N<lease>] [R<refresh>]` for each, in one round trip.
    pub(super) async fn look_up(
        &mut self,
        ask: Ask,
        lookups: Vec<Lookup>,
    ) -> Result<(), WireError> {
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
        let (mut answered, mut left_out) = (Vec::with_capacity(lookups.len()), Vec::new());
        for lookup in lookups {
            let meta = match reply {
                Some(meta) if is_for(&meta, &lookup.key, opaque) => meta,
                // Without `N`, memcached leaves out what is absent; with it, what it has no room to make a
                // placeholder for, when it was told not to evict (`-M`).
                other => {
                    reply = other;
                    left_out.push(lookup.reply);
                    continue;
                }
            };
            reply = replies.next();
            answered.push((lookup, self.look(meta, asked_at)?));
        }
        // A reply is left over: it is nobody's. If one is missing as well, they may stand for each other, and any
        // of the rest for another: nobody is told anything.
        let is_left_over = reply.is_some();
        if is_left_over && !left_out.is_empty() {
            return Err(WireError::Crosstalk);
        }
        for (Lookup { key, reply, .. }, look) in answered {
            if let Err(Ok(look)) = reply.send(Ok(look))
                && let Some(give_back) = Operation::give_back(&key, look)
            {
                // Where it can't be queued, what was won lapses by itself.
                let _ = self.releases.try_send(give_back);
            }
        }
        if is_left_over {
            return Err(WireError::Crosstalk);
        }
        // To those who asked for no lease it means that they are refused; that is not worth a round trip.
        if ask.lease_s.is_some() && !left_out.is_empty() {
            self.is_in_step().await?;
        }
        for reply in left_out {
            let _ = reply.send(Ok(Look::Absent));
        }
        Ok(())
    }

    /// Makes sure that the next reply is the one to the next command. Of what is left out of a reply there is nothing
    /// that bears a key and a number: the `MN` that ended it may have been a stray one.
    pub(super) async fn is_in_step(&mut self) -> Result<(), WireError> {
        // Nobody stores this one either. Unlike a get of it, the answer bears both.
        let key = Key::numbered(PROBE_KEY, 0);
        let opaque = self.next_opaque();
        let token = opaque.to_string();
        let deleted = self.client.meta_delete(&key, false, Some(token.as_bytes()), Some(&["k"]));
        match deleted.await? {
            Some(meta)
                if is_for(&meta, &key, opaque)
                    && matches!(meta.status, Some(Status::Deleted | Status::NotFound)) =>
            {
                Ok(())
            }
            _ => Err(WireError::Crosstalk),
        }
    }

    pub(super) fn next_opaque(&mut self) -> u64 {
        self.round_trips += 1;
        self.round_trips
    }

    fn look(&self, meta: MetaValue, asked_at: Instant) -> Result<Look, WireError> {
        let cas = match meta.cas.ok_or(WireError::Crosstalk)? {
            // The probe could not see it, for want of room, or this is another server than was probed.
            0 => return Err(Unusable::NoCas.into()),
            cas => cas,
        };
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
}
