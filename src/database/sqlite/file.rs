//! The identity of the file of an open database.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf, absolute},
    sync::Arc,
};

use tokio::task::spawn_blocking;

use super::url::options_of;

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

/// The place of an open database: the file, and the name under which it is to stay.
#[derive(Clone, Debug)]
pub(in crate::database) struct Home {
    pub(in crate::database) path: Arc<Path>,
    pub(in crate::database) file: FileIdentity,
}

impl Home {
    /// The file at `path` now.
    pub(super) async fn of(path: Arc<Path>) -> io::Result<Self> {
        Ok(Self { file: FileIdentity::of(&path).await?, path })
    }

    /// True if the name is still that of the file. What is written to a file that has lost its name is lost with the last
    /// connection to it.
    pub(in crate::database) async fn is_kept(&self) -> bool {
        FileIdentity::of(&self.path).await.is_ok_and(|now| now == self.file)
    }
}

/// True if two URLs name one SQLite file, by whatever names, be it there or not.
pub(crate) fn is_same_file(one: &str, other: &str) -> bool {
    let file = |url| {
        let path: PathBuf = options_of(url).ok()?.get_filename().into();
        path.canonicalize().or_else(|_| absolute(path)).ok()
    };
    file(one).is_some_and(|one| file(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let is_same = |one: &str, other: &str| is_same_file(&url(one), &url(other));
        // Before the file is there, and then.
        for _ in 0..2 {
            assert!(is_same("a.db", "a.db") && is_same("./a.db", "a.db?mode=rwc"));
            assert!(!is_same("a.db-jobs", "a.db") && !is_same("b/a.db", "a.db"));
            std::fs::write(folder.path().join("a.db"), "").unwrap();
        }
        std::os::unix::fs::symlink("a.db", folder.path().join("link")).unwrap();
        assert!(is_same("link", "a.db") && is_same("a.db", "link"));
        assert!(is_same_file("sqlite:a.db", "sqlite://./a.db"));
        assert!(!is_same_file("sqlite:a.db", &url("a.db")));
        for other in ["redis://a.db", "sqlite://", "a.db"] {
            assert!(!is_same_file("sqlite:a.db", other) && !is_same_file(other, other), "{other}");
        }
    }
}
