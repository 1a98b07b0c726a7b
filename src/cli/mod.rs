//! The command line: one binary, `serve` unless told otherwise. One file a subcommand.

mod cache;
mod command;
mod demo;
mod healthcheck;
mod jobs;
mod manual;
mod serve;
mod service;
mod signals;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::Builder;

use self::{
    cache::CacheCommand,
    command::{Failed, Result, block_on},
    demo::DemoCommand,
    healthcheck::healthcheck,
    jobs::Jobs,
    serve::serve,
    service::Service,
    usage::refused,
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
    Healthcheck(Service),
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
    Completions {
        /// Shell that they are for
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Runs the program as its arguments and its environment say.
pub fn run() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) if error.use_stderr() => Err(refused(&error)),
        // The help or the version that was asked for.
        Err(help) => command::print(help.to_string()),
    };
    done.map_or_else(Failed::told, |()| ExitCode::SUCCESS)
}

impl Cli {
    fn run(self) -> Result {
        let Some(command) = self.command else { return serve(&self.settings) };
        match command {
            Command::Serve(settings) => serve(&settings),
            Command::Healthcheck(service) => {
                block_on(Builder::new_current_thread(), healthcheck(&service))
            }
            Command::Cache(command) => command.run(),
            Command::Jobs(jobs) => jobs.run(),
            Command::Demo(command) => command.run(),
            Command::Completions { shell } => manual::completions(shell, Self::command()),
            Command::Man => manual::man(Self::command()),
        }
    }
}
