//! `sessions`: log in, read, log out.

use std::time::Duration;

use tokio::time::sleep;

use super::{LIFE_S, Stop, Walk, item::text, tidied};
use crate::{
    cache::Key,
    memcached::Memcached,
    sessions::{Login, Session, SessionError, SessionId, Sessions},
};

/// Characters of an id that are shown: whoever knows all of it is logged in.
const SHOWN: usize = 4;

/// Characters of a key that are shown.
const KEY_SHOWN: usize = 16;

/// Between two looks at a session that grows older.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Seconds by which a session grows older before it is read, so that its renewal shows even if memcached's clock
/// ticks between the two.
const OLDER_S: u32 = 2;

/// Logs a made-up user in, shows what memcached knows of that and that a read renews it, and logs out.
///
/// # Errors
/// [`Stop`].
pub async fn sessions(walk: &mut Walk, memcached: &Memcached) -> Result<(), Stop> {
    let sessions = Sessions::new(Some(memcached.clone()), Duration::from_secs(LIFE_S.into()));
    let mut keys = Vec::new();
    let steps = steps(walk, memcached, &sessions, &mut keys).await;
    tidied(steps, memcached, &keys).await
}

async fn steps(
    walk: &mut Walk,
    memcached: &Memcached,
    sessions: &Sessions,
    keys: &mut Vec<Key>,
) -> Result<(), Stop> {
    let login = Login { user_id: 42, username: "Ada Lovelace".to_owned() };
    walk.step(format_args!("log {} in, for {LIFE_S} s from the last use", login.username))?;
    let (id, session) = sessions.create(login).await?;
    let key = id.key();
    keys.push(key.clone());
    let id_text = id.reveal();
    walk.verdict(
        "an id of 43 characters, 256 random bits",
        format_args!("{}… ({} characters)", shown(id_text, SHOWN), id_text.len()),
        SessionId::parse(id_text).is_some(),
    )?;

    let short_key = shown(key.as_str(), KEY_SHOWN);
    walk.step(format_args!("look at what memcached has under {short_key}…, the hash of the id"))?;
    let expected = serde_json::to_string(&session).unwrap_or_default();
    let kept = memcached.read(&key, None).await?.map_or("nothing".to_owned(), |kept| text(&kept));
    let is_hidden = !key.as_str().contains(id_text) && !kept.contains(id_text);
    let holds = kept == expected && is_hidden;
    let kept = kept.replace(id_text, "THE ID");
    walk.verdict(format_args!("{expected}, and not the id"), kept, holds)?;

    renewed(walk, memcached, sessions, &id, &session).await?;

    walk.step("log out")?;
    let was_there = sessions.delete(&id).await?;
    walk.same(
        "the session is ended",
        if was_there { "the session is ended" } else { "there was none" },
    )?;

    walk.step("read the session again")?;
    let read = sessions.read(&id).await?;
    walk.same(
        "no such session",
        read.map_or("no such session".to_owned(), |session| told(&session)),
    )
}

/// Reads the session once it has grown older, which renews it.
async fn renewed(
    walk: &mut Walk,
    memcached: &Memcached,
    sessions: &Sessions,
    id: &SessionId,
    session: &Session,
) -> Result<(), Stop> {
    let left_s = async || {
        let kept = memcached.read(&id.key(), None).await?;
        Ok::<_, Stop>(kept.and_then(|kept| kept.left_s))
    };
    walk.step(format_args!("read the session when it is {OLDER_S} s old, which renews it"))?;
    let mut before = left_s().await?;
    while before.is_some_and(|left_s| left_s > LIFE_S - OLDER_S) {
        walk.wait(sleep(LOOK_PAUSE)).await?;
        before = left_s().await?;
    }
    let read = sessions.read(id).await?;
    let after = left_s().await?;
    let lived = |left_s: Option<u32>| left_s.map_or("no".to_owned(), |left_s| left_s.to_string());
    let saw = read.as_ref().map_or("no such session".to_owned(), told);
    walk.verdict(
        format_args!("{}; more time left than before", told(session)),
        format_args!("{saw}; {} s left before, {} s after", lived(before), lived(after)),
        read.as_ref() == Some(session) && before.is_some() && after > before,
    )
}

/// A session as it is shown: its JSON has no secret.
fn told(session: &Session) -> String {
    format!("{} is logged in", session.username)
}

/// The first `characters` of `text`.
fn shown(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

impl From<SessionError> for Stop {
    fn from(why: SessionError) -> Self {
        match why {
            SessionError::Unavailable(why) => why.into(),
            why => Self::Failed(why.to_string()),
        }
    }
}
