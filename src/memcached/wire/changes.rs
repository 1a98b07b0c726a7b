//! `ms` and `md`: what a lease allows, and forgetting.

use async_memcached::{Error, ErrorKind, MetaProtocol, Status};

use super::{VALUE_BYTES_MAX, Wire, WireError, is_for};
use crate::cache::{Filled, Found, Key, Lease, StoreError, Value};

impl Wire {
    /// `ms <key> <length> C<cas> T<ttl> F<flags> k O<round trip>`.
    pub(in crate::memcached) async fn fill(
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

    /// Forgets keys that were written while the server was away.
    pub(in crate::memcached) async fn forget(&mut self, keys: &[Key]) -> Result<(), WireError> {
        // A refusal is as bad as a broken connection here: the old value would be served again.
        let refused = |_| WireError::Backlog("the server refuses to delete a key".to_owned());
        for key in keys {
            self.delete(key, None).await?.map(drop).map_err(refused)?;
        }
        Ok(())
    }

    /// Gives back what `lease` was given for. Another version is left alone.
    ///
    /// A lease that is void here can't say which version it was given for, so that whatever is there goes: to
    /// forget too much costs a load, and to leave a placeholder behind costs its waiters their patience.
    pub(in crate::memcached) async fn release(
        &mut self,
        key: &Key,
        lease: &Lease,
    ) -> Result<(), WireError> {
        let cas = (lease.asked_at >= self.connected_at).then_some(lease.cas);
        // Nobody waits for this, so that a refusal need not be told: the lease lapses.
        let _ = self.delete(key, cas).await?;
        Ok(())
    }

    /// Gives back the duty to refresh: memcached takes no token back, so the entry is stored anew. Another version is
    /// left alone.
    pub(in crate::memcached) async fn put_back(
        &mut self,
        key: &Key,
        lease: &Lease,
        Found { body, flags, left_s }: Found,
    ) -> Result<(), WireError> {
        let value = Value { body, flags, left_s: left_s.max(1) };
        // Nobody waits for this. If it is refused, nobody is chosen until the entry is past its grace.
        let _ = self.fill(key, lease, &value).await?;
        Ok(())
    }

    /// `md <key> [C<cas>] k O<round trip>`; whether it was there, in that version.
    pub(in crate::memcached) async fn delete(
        &mut self,
        key: &Key,
        cas: Option<u64>,
    ) -> Result<Result<bool, StoreError>, WireError> {
        let cas = cas.map(|cas| format!("C{cas}"));
        let opaque = self.next_opaque();
        let token = opaque.to_string();
        let mut flags = vec!["k"];
        flags.extend(cas.as_deref());
        let result =
            self.client.meta_delete(key, false, Some(token.as_bytes()), Some(&flags)).await;
        Ok(match result {
            Ok(Some(meta)) if is_for(&meta, key, opaque) => match meta.status {
                Some(Status::Deleted) => Ok(true),
                Some(Status::NotFound | Status::Exists) => Ok(false),
                _ => return Err(WireError::Crosstalk),
            },
            Ok(_) => return Err(WireError::Crosstalk),
            Err(error) => Err(self.refused(error)?),
        })
    }
}
