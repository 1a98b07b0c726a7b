//! Keeps the write-ahead log short.
//!
//! SQLite copies the log into the database by itself, but begins it anew only at a moment at which no query reads from
//! it. Slow queries that overlap have no such moment, and the log would grow until the disk is full. Once it is long, a
//! checkpoint makes one: it holds back the writes, and what is read from then on is read from the database.
//! <https://sqlite.org/wal.html#avoiding_excessively_large_wal_files>

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::SqlitePool;
use tokio::{fs, time::sleep};

use crate::database::error::one_line;

/// Greatest length of the log, in bytes. Past it, writes are held back until all of it is in the database and every query that
/// began before has ended, for as long as a write waits for its turn at most.
pub(in crate::database) const LOG_BYTES_MAX: u64 = 32 << 20;

/// Pause between two looks at the log.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Pause after a query outlasted the checkpoint, so that writes go on meanwhile.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// Looks after the log of the file at `path` until its writer is closed.
pub(super) fn keep_log_short(path: &Path, writer: SqlitePool) {
    let mut log = OsString::from(path);
    log.push("-wal");
    let log = PathBuf::from(log);
    tokio::spawn(async move {
        let mut pause = LOOK_PAUSE;
        loop {
            tokio::select! {
                () = writer.close_event() => return,
                () = sleep(pause) => {}
            }
            let bytes = fs::metadata(&log).await.map_or(0, |log| log.len());
            pause = if bytes <= LOG_BYTES_MAX || is_cut(&writer, bytes).await {
                LOOK_PAUSE
            } else {
                RETRY_PAUSE
            };
        }
    });
}

/// Copies all of the log into the database, and cuts it to nothing.
async fn is_cut(writer: &SqlitePool, bytes: u64) -> bool {
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy: Result<i64, _> = sqlx::query_scalar(checkpoint).fetch_one(writer).await;
    let why = match is_busy {
        Ok(0) => return true,
        Ok(_) => "a query outlasts the wait".to_owned(),
        Err(error) => one_line(&error),
    };
    tracing::warn!(bytes, why, "the database's write-ahead log can't be cut short yet");
    false
}
