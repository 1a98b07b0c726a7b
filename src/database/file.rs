//! The identity of the file of an open database.

use std::{io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use tokio::task::spawn_blocking;

/// The file itself, whatever its name: a deleted one stays readable, and swallows writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that has this name now.
    ///
    /// # Errors
    /// There is none, or it can't be looked at.
    pub(crate) async fn of(path: &Arc<Path>) -> io::Result<Self> {
        let path = path.clone();
        // The metadata alone: opening and closing the file here would drop SQLite's locks on it.
        let looked = spawn_blocking(move || std::fs::metadata(path)).await;
        let metadata = looked.map_err(io::Error::other)??;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}
