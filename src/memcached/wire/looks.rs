//! `mg` under leases: all lookups of a batch in one round trip.

use async_memcached::{MetaProtocol, MetaValue};
use bytes::Bytes;
use tokio::time::Instant;

use super::{Wire, WireError, is_for};
use crate::{
    cache::{Ask, Found, Key, Lease, Look, Token},
    memcached::operation::Lookup,
};

impl Wire {
    /// `mg <key> v t f c O<round trip> [N<lease>] [R<refresh>]` for each, in one round trip.
    pub(in crate::memcached) async fn look_up(
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
        let mut unheard = Vec::new();
        for (Lookup { key, reply, .. }, look) in answered {
            if let Err(Ok(look)) = reply.send(Ok(look)) {
                unheard.push((key, look));
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
        for (key, look) in unheard {
            self.give_back(&key, look).await?;
        }
        Ok(())
    }

    /// Who was chosen to load, or to refresh, has left before it heard of it: another is chosen at the next look.
    async fn give_back(&mut self, key: &Key, look: Look) -> Result<(), WireError> {
        match look {
            Look::Placeholder { lease, token: Token::Won } => self.release(key, &lease).await,
            Look::Found { found, lease, token: Token::Won } => {
                self.put_back(key, &lease, found).await
            }
            _ => Ok(()),
        }
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
}
