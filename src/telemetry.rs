//! The log: one line a failure, to standard error.

use std::{
    env, fmt,
    io::{self, IsTerminal},
};

use tracing_subscriber::{
    field::RecordFields,
    filter::{LevelFilter, Targets},
    fmt::{
        FormatFields,
        format::{DefaultFields, Writer},
        layer,
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{config::LogFormat, escape::Escaped};

/// The environment variable of the levels.
const VARIABLE: &str = "RUST_LOG";

/// The levels without `RUST_LOG`. sqlx passes on what PostgreSQL remarks on tables that are there already, and each
/// connection that it has found broken and made anew.
const LEVELS: &str = "info,sqlx=warn";

/// Begins to write the log. `RUST_LOG` sets the levels; without it, `info`.
///
/// # Errors
/// One line, if `RUST_LOG` says something else than levels.
pub fn start(format: LogFormat) -> Result<(), String> {
    let registry = tracing_subscriber::registry().with(levels()?);
    let layer = layer().with_writer(io::stderr);
    // A second start, as in tests that run several services in one process, keeps the first.
    let _ = match format {
        LogFormat::Text => {
            let layer = layer.with_target(false).with_ansi(has_colours());
            registry.with(layer.fmt_fields(EscapedFields)).try_init()
        }
        // JSON escapes what it quotes.
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

fn levels() -> Result<Targets, String> {
    let levels = env::var_os(VARIABLE).filter(|levels| !levels.is_empty());
    let levels = levels.unwrap_or_else(|| LEVELS.into());
    let levels = levels.to_string_lossy();
    let takes = "it takes levels, such as info or warn,aside=debug";
    let parsed: Result<Targets, _> = levels.parse();
    // It traces each write to the folder of a database, that of a log beside it as well, without an end.
    let parsed = parsed.map(|levels| levels.with_target("notify", LevelFilter::INFO));
    parsed.map_err(|_| format!("invalid value '{levels}' for {VARIABLE}: {takes}"))
}

/// A terminal has colours, unless its user wants none (<https://no-color.org>).
fn has_colours() -> bool {
    io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|text| text.is_empty())
}

/// The fields of an event or a span, message included, as text in which nothing is obeyed by a terminal or begins a line:
/// any of them may come from outside. What the line has besides, colours too, is this program's.
struct EscapedFields;

impl<'writer> FormatFields<'writer> for EscapedFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        write!(writer, "{}", Escaped(&text))
    }
}
