//! The reference: what every read may return, told by the rows' own history.

use std::sync::{Mutex, MutexGuard};

use aside::cache::{Answer, Key, Served};
use bytes::Bytes;
use tokio::time::Instant;

/// Keys in a world at most, 0 and up.
pub(crate) const KEYS_MAX: i64 = 3;

/// The rows, each with all that ever happened to it.
#[derive(Debug)]
pub(crate) struct Rows {
    rows: Mutex<Vec<Row>>,
    /// The first promise that was broken.
    broken: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Row {
    /// The moment at which each version was committed; the first is version 0.
    committed_at: Vec<Instant>,
    /// The newest version whose write was acknowledged.
    acknowledged: usize,
}

impl Rows {
    pub(crate) fn new() -> Self {
        let row = |_| Row { committed_at: vec![Instant::now()], acknowledged: 0 };
        Self { rows: Mutex::new((0..KEYS_MAX).map(row).collect()), broken: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap()
    }

    /// The row that a query returns now.
    pub(crate) fn read(&self, id: i64) -> Option<Bytes> {
        body(self.newest(id))
    }

    pub(crate) fn newest(&self, id: i64) -> usize {
        self.lock()[place(id)].committed_at.len() - 1
    }

    /// Commits a new version and gives its number.
    pub(crate) fn commit(&self, id: i64) -> usize {
        self.lock()[place(id)].committed_at.push(Instant::now());
        self.newest(id)
    }

    pub(crate) fn acknowledge(&self, id: i64, version: usize) {
        let row = &mut self.lock()[place(id)];
        row.acknowledged = row.acknowledged.max(version);
    }

    /// The oldest version that a read which begins now may return.
    pub(crate) fn floor(&self, id: i64) -> usize {
        self.lock()[place(id)].acknowledged
    }

    /// Judges the answer to a read that began when `floor` was the oldest version allowed.
    pub(crate) fn judge(&self, id: i64, floor: usize, answer: &Answer) {
        let row = &self.lock()[place(id)];
        let allowed = floor..row.committed_at.len();
        // A body says its version; that there is none may be any version of which that is true.
        let version = match &answer.body {
            Some(body) => Some(version(body)).filter(|version| allowed.contains(version)),
            None => allowed.clone().find(|version| body(*version).is_none()),
        };
        let Some(version) = version else {
            let Answer { body, account, .. } = answer;
            self.broke(format!("{id}: {body:?} is none of {allowed:?}: {account:?}"));
            return;
        };
        // The store counts whole seconds, so that an entry may seem one older than it is.
        let life_s = row.committed_at[version].elapsed().as_secs() + 1;
        if u64::from(answer.age_s) > life_s {
            self.broke(format!(
                "{id}: aged {}s, but {life_s}s ago there was no such",
                answer.age_s
            ));
        }
        if let Served::Hit { ttl_s, .. } = answer.account.served
            && ttl_s > i64::from(super::world::TTL_S)
        {
            self.broke(format!("{id}: fresh for {ttl_s}s, which is longer than anything"));
        }
    }

    /// Notes a broken promise; the first is told.
    pub(crate) fn broke(&self, promise: String) {
        self.broken.lock().unwrap().get_or_insert(promise);
    }

    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap().clone()
    }
}

pub(crate) fn key(id: i64) -> Key {
    Key::numbered("thing", id)
}

/// The body of a version. Every fourth says that there is no such thing.
pub(crate) fn body(version: usize) -> Option<Bytes> {
    (version % 4 != 3).then(|| Bytes::from(format!(r#"{{"version":{version}}}"#)))
}

fn version(body: &Bytes) -> usize {
    let text = std::str::from_utf8(body).unwrap();
    text.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn place(id: i64) -> usize {
    usize::try_from(id).unwrap()
}
