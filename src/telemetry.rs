//! The log: one line a failure, to standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::LogFormat;

/// The levels without `RUST_LOG`. sqlx passes on what PostgreSQL remarks on tables that are there already, and each
/// connection that it has found broken and made anew.
const LEVELS: &str = "info,sqlx=warn";

/// Begins to write the log. `RUST_LOG` sets the levels; without it, or if it is malformed, `info`.
///
/// The standard formats escape control characters of what they print, so that nothing from outside
/// can begin a line of its own or colour a terminal.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let registry = tracing_subscriber::registry().with(filter);
    // A second start, as in tests that run several services in one process, keeps the first.
    let _ = match format {
        LogFormat::Text => {
            let layer = fmt::layer().with_target(false).with_ansi(io::stderr().is_terminal());
            registry.with(layer.with_writer(io::stderr)).try_init()
        }
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(io::stderr))
            .try_init(),
    };
}
