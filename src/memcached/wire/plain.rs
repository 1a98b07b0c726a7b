//! `mg` without leases, of what is kept and not cached.

use async_memcached::MetaProtocol;
use bytes::Bytes;

use super::{Looks, WireError, is_for};
use crate::memcached::operation::{Kept, Read};

impl Looks {
    /// `mg <key> v t O<round trip> [T<renew>]` for each, in one round trip.
    pub(super) async fn read(
        &mut self,
        renew_s: Option<u32>,
        reads: Vec<Read>,
    ) -> Result<(), WireError> {
        let opaque = self.next_opaque();
        let opaque_flag = format!("O{opaque}");
        let renew_flag = renew_s.map(|renew_s| format!("T{renew_s}"));
        let mut flags = vec!["v", "t", &opaque_flag];
        flags.extend(renew_flag.as_deref());
        let mut replies = self.client.meta_get_multi(&reads, Some(&flags)).await?.into_iter();
        let mut reply = replies.next();
        let (mut answered, mut left_out) = (Vec::with_capacity(reads.len()), Vec::new());
        for read in reads {
            let meta = match reply {
                Some(meta) if is_for(&meta, &read.key, opaque) => meta,
                // What is absent is left out.
                other => {
                    reply = other;
                    left_out.push(read.reply);
                    continue;
                }
            };
            reply = replies.next();
            // Below zero is "for ever".
            let left_s = meta.ttl_remaining.and_then(|left_s| u32::try_from(left_s).ok());
            let value = meta.data.map_or_else(Bytes::new, Bytes::from);
            answered.push((read.reply, Kept { value, left_s }));
        }
        // As for looks: if one is left over and one is missing, nobody is told anything.
        let is_left_over = reply.is_some();
        if is_left_over && !left_out.is_empty() {
            return Err(WireError::Crosstalk);
        }
        for (reply, kept) in answered {
            let _ = reply.send(Ok(Some(kept)));
        }
        if is_left_over {
            return Err(WireError::Crosstalk);
        }
        // A stray `MN` must not end a session.
        if !left_out.is_empty() {
            self.is_in_step().await?;
        }
        for reply in left_out {
            let _ = reply.send(Ok(None));
        }
        Ok(())
    }
}
