//! `mg`: all keys of a batch that want the same are read in one round trip.

use std::{mem, time::Duration};

use async_channel::WeakSender;
use async_memcached::{Client, MetaProtocol, MetaValue, Status};
use bytes::Bytes;
use tokio::time::Instant;

use super::{PROBE_KEY, Unusable, Wire, WireError};
use crate::{
    cache::{Ask, Key, Lease, Origin, Token},
    memcached::{
        Address,
        deadline::within,
        operation::{Changing, Reading, Seen, Wanted},
    },
};

/// A connection for lookups and reads.
pub(in crate::memcached) struct Gets {
    client: Client,
    origin: Origin,
    connected_at: Instant,
    /// The queue of the connection that gives back what is won and not heard of.
    releases: WeakSender<Changing>,
    round_trip_timeout: Duration,
    round_trips: u64,
}

impl Gets {
    pub(in crate::memcached) async fn to(
        address: &Address,
        origin: Origin,
        releases: WeakSender<Changing>,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        let client = Client::new(address.dsn()).await?;
        let connected_at = Instant::now();
        Ok(Self { client, origin, connected_at, releases, round_trip_timeout, round_trips: 0 })
    }

    /// Reads a key. That the server can be used is seen over the connections for changes.
    pub(in crate::memcached) async fn probe(&mut self) -> Result<(), WireError> {
        let read = self.client.meta_get(PROBE_KEY, false, None, Some(&["v"]));
        within(self.round_trip_timeout, read).await??;
        Ok(())
    }

    /// `mg <key> v t f c O<round trip> [N<lease>] [R<refresh>] [T<renew>]` for each.
    async fn round_trip(&mut self, wanted: Wanted, gets: Vec<Reading>) -> Result<(), WireError> {
        let asked_at = Instant::now();
        let number = self.next_number();
        let number_flag = format!("O{number}");
        let wanted_flags = match wanted {
            Wanted::Entry(Ask { lease_s, refresh_s }) => {
                [lease_s.map(|it| format!("N{it}")), refresh_s.map(|it| format!("R{it}"))]
            }
            Wanted::Plain { renew_s } => [renew_s.map(|it| format!("T{it}")), None],
        };
        let mut flags = vec!["v", "t", "f", "c", &number_flag];
        flags.extend(wanted_flags.iter().flatten().map(String::as_str));
        let replies = self.client.meta_get_multi(&gets, Some(&flags)).await?;
        let mut replies = replies.into_iter().peekable();
        let (mut found, mut left_out) = (Vec::with_capacity(gets.len()), Vec::new());
        for get in gets {
            // Without `N`, memcached leaves out what is absent; with it, what it has no room to make a placeholder
            // for, when it was told not to evict (`-M`).
            match replies.next_if(|meta| is_for(meta, &get.key, number)) {
                Some(meta) => found.push((get, self.seen(meta, asked_at)?)),
                None => left_out.push(get),
            }
        }
        // A reply is left over: it is nobody's. If one is missing as well, they may stand for each other, and any
        // of the rest for another: nobody is told anything.
        let is_left_over = replies.next().is_some();
        if is_left_over && !left_out.is_empty() {
            return Err(WireError::Crosstalk);
        }
        for (Reading { key, reply, .. }, seen) in found {
            let seen = match wanted {
                Wanted::Entry(_) => seen.watched(&key, &self.releases),
                Wanted::Plain { .. } => seen,
            };
            let _ = reply.send(Some(seen));
        }
        if is_left_over {
            return Err(WireError::Crosstalk);
        }
        // To those who asked for no lease it means that they are refused; that is not worth a round trip. To others a
        // stray `MN` must not end a session.
        let is_refusal = matches!(wanted, Wanted::Entry(Ask { lease_s: None, .. }));
        if !is_refusal && !left_out.is_empty() {
            self.is_in_step().await?;
        }
        for get in left_out {
            let _ = get.reply.send(None);
        }
        Ok(())
    }

    /// Makes sure that the next reply is the one to the next command. Of what is left out of a reply there is nothing
    /// that bears a key and a number: the `MN` that ended it may have been a stray one.
    async fn is_in_step(&mut self) -> Result<(), WireError> {
        // Nobody stores this one either. Unlike a get of it, the answer bears both.
        let key = Key::numbered(PROBE_KEY, 0);
        let number = self.next_number();
        let token = number.to_string();
        let deleted = self.client.meta_delete(&key, false, Some(token.as_bytes()), Some(&["k"]));
        let is_the_answer = |meta: MetaValue| {
            let is_known = matches!(meta.status, Some(Status::Deleted | Status::NotFound));
            is_known && is_for(&meta, &key, number)
        };
        if deleted.await?.is_some_and(is_the_answer) { Ok(()) } else { Err(WireError::Crosstalk) }
    }

    fn next_number(&mut self) -> u64 {
        self.round_trips += 1;
        self.round_trips
    }

    fn seen(&self, meta: MetaValue, asked_at: Instant) -> Result<Seen, WireError> {
        let cas = match meta.cas.ok_or(WireError::Crosstalk)? {
            // The probe could not see it, for want of room, or this is another server than was probed.
            0 => return Err(Unusable::NoCas.into()),
            cas => cas,
        };
        Ok(Seen {
            body: meta.data.map_or_else(Bytes::new, Bytes::from),
            flags: meta.flags.unwrap_or(0),
            // Below zero is "for ever".
            left_s: meta.ttl_remaining.and_then(|left_s| u32::try_from(left_s).ok()),
            lease: Lease { cas, origin: self.origin, asked_at, connected_at: self.connected_at },
            token: match meta.is_recache_winner {
                Some(true) => Token::Won,
                Some(false) => Token::Taken,
                None => Token::Unclaimed,
            },
            unheard: None,
        })
    }
}

impl Wire for Gets {
    type Operation = Reading;

    fn is_abandoned(get: &Reading) -> bool {
        get.reply.is_closed()
    }

    async fn is_alive(&mut self) -> bool {
        let version = within(self.round_trip_timeout, self.client.version()).await;
        version.is_ok_and(|version| version.is_ok())
    }

    /// Each has the deadline of one round trip, however many of them a batch takes.
    async fn carry_out(&mut self, batch: &mut Vec<Reading>) -> Result<(), WireError> {
        // The next batch is about as long.
        let next = Vec::with_capacity(batch.len());
        let mut queued = mem::replace(batch, next);
        while let Some(wanted) = queued.first().map(|get| get.wanted) {
            // Those that want something else, wherever they are; both parts keep their order.
            let others = queued.extract_if(.., |get| get.wanted != wanted).collect();
            within(self.round_trip_timeout, self.round_trip(wanted, queued)).await??;
            queued = others;
        }
        Ok(())
    }
}

/// True if `meta` answers this key in this round trip. A late or doubled reply bears another number.
fn is_for(meta: &MetaValue, key: &Key, number: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    meta.key.as_deref() == Some(key.as_ref())
        && meta.opaque_token.as_deref() == Some(digits.format(number).as_bytes())
}
