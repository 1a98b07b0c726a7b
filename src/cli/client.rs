//! Asking the memcached servers from a command, and how that can fail.

use std::{future::Future, process::ExitCode, sync::Arc};

use super::output::{Unwritten, complain, refuse};
use crate::{
    app,
    cache::NoBacklog,
    config::ServerSettings,
    memcached::{Inspector, Memcached},
    metrics::Metrics,
};

/// Why a command came to nothing, in one line.
pub(super) enum Failed {
    /// What was asked for makes no sense: exit status 2.
    Refused(String),
    /// It could not be done, or there is nothing: exit status 1.
    Failure(String),
}

impl From<Unwritten> for Failed {
    fn from(why: Unwritten) -> Self {
        Self::Failure(why.to_string())
    }
}

impl Failed {
    /// Says why.
    pub(super) fn told(self) -> ExitCode {
        match self {
            Self::Refused(why) => refuse(&why),
            Self::Failure(why) => {
                complain(&why);
                ExitCode::FAILURE
            }
        }
    }
}

/// Looks at the servers of `settings`, which must name some.
pub(super) fn inspector(settings: &ServerSettings) -> Result<Inspector, Failed> {
    match app::inspector(settings) {
        Ok(Some(inspector)) => Ok(inspector),
        Ok(None) => Err(Failed::Refused(
            "invalid value 'none' for '--memcached <SERVERS>': a client needs a server".to_owned(),
        )),
        Err(error) => Err(Failed::Refused(error.to_string())),
    }
}

/// Connects to the servers, and waits until it is known of each whether it can be reached.
pub(super) async fn connect(inspector: &Inspector) -> Memcached {
    // A command has the time of a question: its connection is made while it waits.
    let memcached = Memcached::start(
        inspector.servers(),
        inspector.question_timeout(),
        &Metrics::default(),
        // Nothing is written here that a server could have missed.
        Arc::new(NoBacklog),
    );
    memcached.known().await;
    memcached
}

pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failed::Failure(format!("no runtime can be started: {error}")))?;
    runtime.block_on(command)
}
