//! Being told by SQLite that others have committed.
//!
//! Each commit writes to the write-ahead log, or to the file and a journal beside it, which the system tells of (inotify on
//! Linux). That is a hint, and cheap to wait for; the truth is `data_version`, which is looked at after each hint and now and then without one.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// The shortest pause between two looks: what a change may go unnoticed for while others are being made.
const LOOK_PAUSE: Duration = Duration::from_millis(25);

/// Looks after a hint: the file is written before the commit is done, and others may be slow at that.
const LOOKS_AFTER_HINT: u8 = 4;

/// The longest: what a change may go unnoticed for of which the system does not tell.
const POLL_PAUSE: Duration = Duration::from_millis(200);

/// The ends of the names of files that a commit may write to, after that of the database.
const WRITTEN: [&str; 3] = ["", "-wal", "-journal"];

/// A connection that is told that others have committed, and the version that it has seen.
pub(in crate::database) struct Ear {
    pool: SqlitePool,
    seen: Option<(PoolConnection<Sqlite>, i64)>,
    hint: Arc<Notify>,
    /// Looks that are due without another hint.
    looks: u8,
    /// Watches for as long as it is there; `None` where the system does not tell.
    _watcher: Option<RecommendedWatcher>,
}

impl Ear {
    /// An ear at the file of `pool`.
    pub(in crate::database) fn at(pool: &SqlitePool) -> Self {
        let hint = Arc::new(Notify::new());
        let watcher = watch(pool, hint.clone()).inspect_err(|error| {
            tracing::debug!(%error, "the database file can't be watched: it is looked at instead");
        });
        Self { pool: pool.clone(), seen: None, hint, looks: 0, _watcher: watcher.ok() }
    }

    /// Waits until a look is due.
    pub(in crate::database) async fn due(&mut self) {
        sleep(LOOK_PAUSE).await;
        if let Some(left) = self.looks.checked_sub(1) {
            self.looks = left;
            return;
        }
        if timeout(POLL_PAUSE - LOOK_PAUSE, self.told()).await.is_ok() {
            self.looks = LOOKS_AFTER_HINT;
        }
    }

    /// Waits until it is told of a change. Cancel-safe.
    pub(in crate::database) async fn told(&self) {
        self.hint.notified().await;
    }

    /// False if nobody else has committed since the last call: that costs no read.
    /// <https://sqlite.org/pragma.html#pragma_data_version>
    pub(in crate::database) async fn is_new(&mut self) -> sqlx::Result<bool> {
        let (mut connection, seen) = match self.seen.take() {
            Some(seen) => seen,
            None => (self.pool.acquire().await?, -1),
        };
        let version = sqlx::query_scalar("PRAGMA data_version");
        let version: i64 = version.fetch_one(&mut *connection).await?;
        self.seen = Some((connection, version));
        Ok(seen != version)
    }

    /// The news could not be read: it is to be looked for again, although nobody commits meanwhile.
    pub(in crate::database) fn forget(&mut self) {
        self.seen = None;
    }
}

/// Gives a hint whenever one of the files is written. Their folder is watched: they come and go, and the queue may have others
/// beside them.
fn watch(pool: &SqlitePool, hint: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let options = pool.connect_options();
    let file = options.get_filename().canonicalize()?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let written = WRITTEN.map(|end| OsString::from(name.clone() + end));
    let is_written = move |path: &PathBuf| written.iter().any(|it| path.file_name() == Some(it));
    let is_ours = move |event: &Event| event.paths.iter().any(&is_written);
    let told = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, &is_ours) {
            hint.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(told)?;
    watcher.watch(file.parent().unwrap_or(&file), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
