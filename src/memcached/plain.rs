//! Plain items: what is kept, and not cached.
//!
//! Each lives on the home server of its key and nowhere else. A second choice would say that it is absent,
//! which for a session means "logged out", when all that is known is that its server is away.

use bytes::Bytes;

use super::{
    Memcached, State,
    operation::{Kept, Operation, Read},
    routing::Choices,
    server::Server,
};
use crate::cache::{Key, StoreError};

impl Memcached {
    /// Keeps `value`, of at most a million bytes, under `key` for `life_s` seconds (1 to 30 days), whatever
    /// was there.
    ///
    /// # Errors
    /// [`StoreError`]; one of `Refused` is a value over the limit, or a server that has no room.
    pub async fn keep(&self, key: &Key, value: Bytes, life_s: u32) -> Result<(), StoreError> {
        let (server, key) = (self.home_server(key)?, key.clone());
        server.call(|reply| Operation::Keep { key, value, life_s, reply }).await
    }

    /// Reads `key`; with `renew_s` it has that many seconds to live from now.
    ///
    /// # Errors
    /// [`StoreError`]; what is not there is `None`, and no error.
    pub async fn read(&self, key: &Key, renew_s: Option<u32>) -> Result<Option<Kept>, StoreError> {
        let (server, key) = (self.home_server(key)?, key.clone());
        server.call(|reply| Operation::Read(Read { key, renew_s, reply })).await
    }

    /// Removes `key`, whatever it holds, and says whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove(&self, key: &Key) -> Result<bool, StoreError> {
        let (server, key) = (self.home_server(key)?, key.clone());
        server.call(|reply| Operation::Delete { key, reply }).await
    }

    /// Whether the home server of `key` is in service.
    pub fn reaches(&self, key: &Key) -> bool {
        self.home_server(key).is_ok_and(|server| server.state() == State::InService)
    }

    fn home_server(&self, key: &Key) -> Result<&Server, StoreError> {
        let Choices { first, .. } = self.routing.choices(key).ok_or(StoreError::Unavailable)?;
        self.servers.get(first).ok_or(StoreError::Unavailable)
    }
}
