//! Sessions in memcached: who is logged in, for all replicas and for any other web server that knows its ids.
//!
//! A session is no cache entry: there is no source to load it from again. So it has one place, the home server of
//! its key, and while that is away nobody can tell whether it exists: the answer is an error, never "no such
//! session". What is kept is the JSON of [`Session`], under the hash of the id.

mod id;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

pub use self::id::SessionId;
use crate::{
    cache::{Key, StoreError},
    memcached::Memcached,
    users::is_name,
};

/// Most ids drawn until one's home server is in service. With one of two servers away, all of these
/// miss once in 2^64 log-ins; past it, the log-in fails as if all were away.
const DRAWS_MAX: u32 = 64;

/// A log-in.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The id of a user, from 1.
    pub user_id: i64,
    /// The user's name meanwhile: 1 to 200 characters, as in a user's name.
    pub username: String,
}

/// A session, and the JSON object that memcached keeps. It can be written to no log: there is no `Debug`. What another program has added to it is left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the user who is logged in.
    pub user_id: i64,
    /// As it was at the log-in.
    pub username: String,
    /// RFC 3339 in UTC with milliseconds, as in `2024-03-05T10:20:30.000Z`.
    pub login_time: String,
}

/// Nothing can be said of a session, or no new one can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// A field is no good; the text names it and what it takes.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no memcached at all, by the setting.
    #[error("there is no memcached to keep sessions in")]
    NoMemcached,
    /// The server that has it, or every server, does not answer or refuses.
    #[error("memcached keeps no session at the moment: {0}")]
    Unavailable(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("no id can be drawn")]
    NoRandomness,
}

impl Login {
    /// Checks every field. Whether there is such a user is for the caller to find out.
    ///
    /// # Errors
    /// [`SessionError::Invalid`].
    pub fn check(&self) -> Result<(), SessionError> {
        if self.user_id < 1 {
            return Err(SessionError::Invalid("user_id takes a number from 1"));
        }
        if !is_name(&self.username) {
            let takes = "username takes 1 to 200 characters, one of them visible, without control characters or spaces at its ends";
            return Err(SessionError::Invalid(takes));
        }
        Ok(())
    }
}

/// The sessions. Clones share them.
#[derive(Clone)]
pub struct Sessions {
    memcached: Option<Memcached>,
    life_s: u32,
}

impl Sessions {
    /// Sessions that live for `life` (1 s to 30 days, in whole seconds) from their last use; without memcached
    /// there are none.
    pub fn new(memcached: Option<Memcached>, life: Duration) -> Self {
        let life_s = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
        Self { memcached, life_s }
    }

    /// Seconds that a session lives from its last use.
    pub fn life_s(&self) -> u32 {
        self.life_s
    }

    /// Begins a session under a new id.
    ///
    /// # Errors
    /// [`SessionError`]; no session was begun that anybody knows of.
    pub async fn create(&self, login: Login) -> Result<(SessionId, Session), SessionError> {
        login.check()?;
        let memcached = self.memcached()?;
        let (id, key) = draw(memcached)?;
        let login_time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let session = Session { user_id: login.user_id, username: login.username, login_time };
        // Two strings and a number always serialise.
        let value = serde_json::to_vec(&session).unwrap_or_default();
        memcached.keep(&key, value.into(), self.life_s).await?;
        Ok((id, session))
    }

    /// The session of `id`, which lives anew from now; `None` if there is none.
    ///
    /// # Errors
    /// [`SessionError::NoMemcached`] or [`SessionError::Unavailable`]: it may be there or not.
    pub async fn read(&self, id: &SessionId) -> Result<Option<Session>, SessionError> {
        let kept = self.memcached()?.read(&id.key(), Some(self.life_s)).await?;
        // What is no session was put there by another program, and logs nobody in.
        Ok(kept.and_then(|kept| serde_json::from_slice(&kept.value).ok()))
    }

    /// Ends the session of `id`; whether there was one.
    ///
    /// # Errors
    /// [`SessionError::NoMemcached`] or [`SessionError::Unavailable`]: it may be there still.
    pub async fn delete(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.memcached()?.remove(&id.key()).await?)
    }

    fn memcached(&self) -> Result<&Memcached, SessionError> {
        self.memcached.as_ref().ok_or(SessionError::NoMemcached)
    }
}

/// Draws ids until the home server of one is in service, so that log-ins go on while another server is away.
fn draw(memcached: &Memcached) -> Result<(SessionId, Key), SessionError> {
    for _ in 0..DRAWS_MAX {
        let id = SessionId::draw().map_err(|_| SessionError::NoRandomness)?;
        let key = id.key();
        if memcached.reaches(&key) {
            return Ok((id, key));
        }
    }
    Err(StoreError::Unavailable.into())
}
