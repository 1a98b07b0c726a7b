//! The parts of a command: its runtime, the memcached servers that it asks, what it prints, and how it fails.

use std::{
    io::{self, ErrorKind, Write, stderr, stdout},
    process::ExitCode,
};

use tokio::runtime::Builder;

use crate::{
    app,
    config::ServerSettings,
    cores::Cores,
    escape::Escaped,
    memcached::{Inspector, Memcached},
    metrics::Metrics,
};

/// Exit status when a setting is refused.
pub(super) const REFUSED: u8 = 2;

/// Exit status of a command that could not do what was asked for.
pub(super) const FAILURE: u8 = 1;

/// Why a command came to nothing, in one line.
pub(super) enum Failed {
    /// It makes no sense, or can't be begun: exit status 2.
    Refused(String),
    /// It could not be done, or there is nothing: exit status 1.
    Failure(String),
    /// It was told already; only the exit status is left to say.
    Told(u8),
}

/// The end of a command, or of a part of one.
pub(super) type Result<T = (), E = Failed> = std::result::Result<T, E>;

/// Standard output can't be written, though somebody is there to read it: a full disk, for one.
impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Failure(format!("standard output can't be written: {error}"))
    }
}

impl Failed {
    /// Refuses for this reason.
    pub(super) fn refused(why: impl ToString) -> Self {
        Self::Refused(why.to_string())
    }

    /// Says why.
    pub(super) fn told(self) -> ExitCode {
        let (why, code) = match self {
            Self::Refused(why) => (why, REFUSED),
            Self::Failure(why) => (why, FAILURE),
            Self::Told(code) => return code.into(),
        };
        complain(&why);
        code.into()
    }
}

/// Looks at the servers of `settings`, which must name some.
pub(super) fn inspector(settings: &ServerSettings) -> Result<Inspector> {
    let servers = app::servers(&settings.memcached).map_err(Failed::refused)?;
    let none = "invalid value 'none' for '--memcached <SERVERS>': a client needs a server";
    let inspector = || Inspector::new(&servers, settings.memcached_timeout);
    (!servers.is_empty()).then(inspector).ok_or_else(|| Failed::refused(none))
}

/// Connects to the servers, and waits until it is known of each whether it can be reached.
pub(super) async fn connect(inspector: &Inspector) -> Memcached {
    // A command has the time of a question: its connection is made while it waits.
    let memcached = Memcached::start(
        &Cores::here(),
        inspector.servers(),
        inspector.question_timeout(),
        &Metrics::default(),
        // Nothing is written here that a server could have missed.
        None,
    );
    memcached.known().await;
    memcached
}

/// Carries out a command on the runtime that `threads` builds.
pub(super) fn block_on(mut threads: Builder, command: impl Future<Output = Result>) -> Result {
    let runtime = threads.enable_all().build();
    let runtime =
        runtime.map_err(|error| Failed::refused(format!("no threads can be started: {error}")))?;
    let done = runtime.block_on(command);
    // A query that can't be interrupted must not hold up the end of the process.
    runtime.shutdown_background();
    done
}

/// Prints `text` to standard output, all of it before this returns. A reader that has gone away is no error of ours.
///
/// # Errors
/// [`Failed::Failure`].
pub(super) fn print(text: impl AsRef<[u8]>) -> Result {
    let mut out = stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says on standard error what is wrong, in one line. Where that can't be written nobody can be told so, and what
/// has been done stays done: the exit status says whether it was.
pub(super) fn complain(why: &str) {
    // It may repeat what came from outside.
    let _ = writeln!(stderr(), "error: {}", Escaped(why));
}
