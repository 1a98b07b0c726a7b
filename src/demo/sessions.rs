//! `sessions`: log in, read, log out.

use std::time::Duration;

use tokio::time::sleep;

use super::{LIFE_S, Stop, Walk, item::text};
use crate::{
    memcached::Memcached,
    sessions::{Login, Session, SessionError, SessionId, Sessions},
};

/// Characters of an id that are shown: a reader who knew all of it would be logged in.
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
pub async fn sessions(walk: &mut Walk) -> Result<(), Stop> {
    let memcached = walk.memcached.clone();
    let sessions = Sessions::new(Some(memcached.clone()), Duration::from_secs(LIFE_S.into()));
    let login = Login { user_id: 42, username: "Ada Lovelace".to_owned() };
    walk.step(format_args!("log {} in, for {LIFE_S} s from the last use", login.username))?;
    let (id, session) = sessions.create(login).await?;
    let key = walk.removes(id.key());
    let id_text = id.reveal();
    walk.verdict(
        "an id of 43 characters, 256 random bits",
        format_args!("{id_text:.SHOWN$}… ({} characters)", id_text.len()),
        SessionId::parse(id_text).is_some(),
    )?;

    let hash = key.as_str();
    walk.step(format_args!(
        "look at what memcached has under {hash:.KEY_SHOWN$}…, the hash of the id"
    ))?;
    let expected = serde_json::to_string(&session).unwrap_or_default();
    let kept = memcached.read(&key, None).await?.map_or("nothing".to_owned(), |kept| text(&kept));
    let is_hidden = !hash.contains(id_text) && !kept.contains(id_text);
    let holds = kept == expected && is_hidden;
    let kept = kept.replace(id_text, "THE ID");
    walk.verdict(format_args!("{expected}, and not the id"), kept, holds)?;

    walk.step(format_args!("read the session when it is {OLDER_S} s old, which renews it"))?;
    let mut before = left_s(&memcached, &id).await?;
    while before.is_some_and(|left_s| left_s > LIFE_S - OLDER_S) {
        walk.wait(sleep(LOOK_PAUSE)).await?;
        before = left_s(&memcached, &id).await?;
    }
    let read = sessions.read(&id).await?;
    let after = left_s(&memcached, &id).await?;
    let lived = |left_s: Option<u32>| left_s.map_or("no".to_owned(), |left_s| left_s.to_string());
    walk.verdict(
        format_args!("{}; more time left than before", told(Some(&session))),
        format_args!(
            "{}; {} s left before, {} s after",
            told(read.as_ref()),
            lived(before),
            lived(after)
        ),
        read == Some(session) && before.is_some() && after > before,
    )?;

    walk.step("log out")?;
    let was_there = sessions.delete(&id).await?;
    let saw = if was_there { "the session is ended" } else { "there was none" };
    walk.same("the session is ended", saw)?;

    walk.step("read the session again")?;
    walk.same(told(None), told(sessions.read(&id).await?.as_ref()))
}

/// Seconds that the session of `id` has to live; `None` if there is none.
async fn left_s(memcached: &Memcached, id: &SessionId) -> Result<Option<u32>, Stop> {
    Ok(memcached.read(&id.key(), None).await?.and_then(|kept| kept.left_s))
}

/// A session as it is shown: its JSON has no secret.
fn told(session: Option<&Session>) -> String {
    session.map_or("no such session".to_owned(), |it| format!("{} is logged in", it.username))
}

impl From<SessionError> for Stop {
    fn from(why: SessionError) -> Self {
        match why {
            SessionError::Unavailable(why) => why.into(),
            why => Self::Failed(why.to_string()),
        }
    }
}
