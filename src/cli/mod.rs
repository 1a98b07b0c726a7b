//! The command line: one binary, `serve` unless told otherwise. One file a subcommand.

mod cache;
mod client;
mod demo;
mod healthcheck;
mod jobs;
mod manual;
mod output;
mod serve;
mod service;
mod usage;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};

use self::{
    cache::CacheCommand,
    demo::DemoCommand,
    healthcheck::Healthcheck,
    jobs::Jobs,
    manual::Completions,
    output::{Unwritten, complain},
    serve::serve,
    usage::refuse_usage,
};
use crate::config::Settings;

/// The version, and the commit where that is known.
const VERSION: &str = env!("ASIDE_VERSION");

/// A caching HTTP service in front of a slow backend: cache-aside over memcached.
#[derive(Debug, Parser)]
#[command(version = VERSION, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP (the default)
    Serve(Box<Settings>),
    /// Ask a running service whether it is alive; exit status 0 if it is
    Healthcheck(Healthcheck),
    /// A small client of the memcached servers
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Put users on the warm-up queue, or work it
    #[command(subcommand)]
    Jobs(Jobs),
    /// Walk-throughs in the terminal, against a real memcached; exit status 1 if one sees what it did not expect
    #[command(subcommand)]
    Demo(DemoCommand),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
}

/// Runs the program as its arguments and its environment say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse_usage(&error),
        Err(help) => return show(&help),
    };
    match cli.command {
        None => serve(&cli.settings),
        Some(Command::Serve(settings)) => serve(&settings),
        Some(Command::Healthcheck(check)) => check.run(),
        Some(Command::Cache(command)) => command.run(),
        Some(Command::Jobs(jobs)) => jobs.run(),
        Some(Command::Demo(command)) => command.run(),
        Some(Command::Completions(completions)) => completions.run(Cli::command()),
        Some(Command::Man) => manual::man(Cli::command()),
    }
}

/// Shows the help or the version that was asked for.
fn show(help: &clap::Error) -> ExitCode {
    match help.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&Unwritten::from(error).to_string());
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
