//! A walk-through of the program, read line by line while it runs.

use std::{fs, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{
    PATIENCE,
    aside::{Place, command},
    memcached::Memcached,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// `aside demo` with these arguments, and a folder of its own for temporary files.
pub(crate) fn demo(place: &Place, memcached: &str, arguments: &[&str]) -> Command {
    let folder = place.file("temporary");
    fs::create_dir_all(&folder).unwrap();
    let mut command = command(place, &["demo"]);
    command.args(arguments).env("ASIDE_MEMCACHED", memcached).env("TMPDIR", folder);
    command
}

/// A walk that is under way.
pub(crate) struct Walk {
    child: Child,
    stdout: BufReader<ChildStdout>,
    out: String,
    place: Place,
}

/// The remains of a walk: its exit status and what it wrote.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Walk {
    pub(crate) fn start(memcached: &str, arguments: &[&str]) -> Self {
        let place = Place::empty();
        let mut command = demo(&place, memcached, arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, out: String::new(), place }
    }

    /// Waits for a line that contains `text`.
    pub(crate) async fn says(&mut self, text: &str) {
        loop {
            let begin = self.out.len();
            let read = timeout(PATIENCE, self.stdout.read_line(&mut self.out)).await;
            assert!(read.unwrap().unwrap() > 0, "it ends without {text:?}: {}", self.out);
            if self.out[begin..].contains(text) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) async fn ended(mut self) -> Run {
        let read = timeout(PATIENCE, self.stdout.read_to_string(&mut self.out)).await;
        read.unwrap().unwrap();
        self.left_unread().await
    }

    /// Reads no more, and waits until the process has ended.
    pub(crate) async fn left_unread(self) -> Run {
        let Self { child, stdout, out, place } = self;
        drop(stdout);
        let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        let left: Vec<_> = fs::read_dir(place.file("temporary")).unwrap().collect();
        assert!(left.is_empty(), "temporary files are left: {left:?}");
        assert!(!place.database().exists(), "the database of the settings is none of its business");
        let err = String::from_utf8(output.stderr).unwrap();
        Run { code: output.status.code().unwrap(), out, err }
    }
}

impl Run {
    /// Asserts that every step saw what it expected, and returns what it wrote.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        assert!(!self.out.contains("differ"), "{}", self.out);
        self.out
    }

    /// Asserts that steps saw something else than they expected, and returns what they saw.
    #[track_caller]
    pub(crate) fn differed(self) -> Vec<String> {
        assert_eq!((self.code, self.err.as_str()), (1, ""), "{self:?}");
        let lines: Vec<_> = self.out.lines().collect();
        let differing = lines.windows(2).filter(|pair| pair[1] == "   differs");
        let saw: Vec<_> = differing.map(|pair| pair[0].trim().to_owned()).collect();
        let last = self.out.lines().last().unwrap();
        assert!(last.starts_with(&format!("{} of ", saw.len())), "{}", self.out);
        saw
    }

    /// Asserts that it ended with `code` and said why in one line, which it returns.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.err.lines().count()), (code, 1), "{self:?}");
        self.err.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// Walks with this memcached to the end.
pub(crate) async fn walk(memcached: &Memcached, arguments: &[&str]) -> Run {
    Walk::start(&memcached.address().to_string(), arguments).ended().await
}

/// Asserts that nothing is left in a memcached that nobody else has used.
#[track_caller]
pub(crate) fn assert_empty(items: Option<u64>) {
    assert_eq!(items, Some(0), "keys are left behind");
}
