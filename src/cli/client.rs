//! Asking the memcached servers from a command, and how a command can fail.

use std::process::ExitCode;

use tokio::runtime::Builder;

use super::output::{REFUSED, Unwritten, complain};
use crate::{
    app,
    config::ServerSettings,
    memcached::{Inspector, Memcached},
    metrics::Metrics,
};

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

impl From<Unwritten> for Failed {
    fn from(why: Unwritten) -> Self {
        Self::Failure(why.to_string())
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
pub(super) fn inspector(settings: &ServerSettings) -> Result<Inspector, Failed> {
    let servers = app::servers(&settings.memcached).map_err(Failed::refused)?;
    let none = "invalid value 'none' for '--memcached <SERVERS>': a client needs a server";
    let inspector = || Inspector::new(&servers, settings.memcached_timeout);
    (!servers.is_empty()).then(inspector).ok_or_else(|| Failed::refused(none))
}

/// Connects to the servers, and waits until it is known of each whether it can be reached.
pub(super) async fn connect(inspector: &Inspector) -> Memcached {
    // A command has the time of a question: its connection is made while it waits.
    let memcached = Memcached::start(
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
pub(super) fn block_on(
    mut threads: Builder,
    command: impl Future<Output = Result<(), Failed>>,
) -> Result<(), Failed> {
    let runtime = threads.enable_all().build();
    let runtime =
        runtime.map_err(|error| Failed::refused(format!("no threads can be started: {error}")))?;
    let done = runtime.block_on(command);
    // A query that can't be interrupted must not hold up the end of the process.
    runtime.shutdown_background();
    done
}
