//! The command line: one binary, `serve` unless told otherwise. One file a subcommand.

mod cache;
mod check;
mod command;
mod demo;
mod healthcheck;
mod init;
mod jobs;
mod manual;
mod serve;
mod service;
mod signals;
mod top;
mod triggers;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::Builder;

use self::{
    cache::CacheCommand,
    check::Check,
    command::{Failed, Result, block_on},
    demo::DemoCommand,
    healthcheck::healthcheck,
    init::Init,
    jobs::Jobs,
    serve::serve,
    service::Service,
    top::Top,
    triggers::TriggersCommand,
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
    /// Print a resource for a table of your own, to begin with
    Init(Init),
    /// Read the file of resources, prepare every query, and show what would be served; exit status 1 if it can't be
    Check(Check),
    /// Print, install or take out the triggers by which a database notes what its changes outdate
    Triggers(TriggersCommand),
    /// Show the figures of a running service, live
    Top(Top),
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
            Command::Init(init) => init.run(),
            Command::Check(check) => check.run(),
            Command::Triggers(command) => command.run(),
            Command::Top(top) => block_on(Builder::new_current_thread(), top.run()),
            Command::Cache(command) => command.run(),
            Command::Jobs(jobs) => jobs.run(),
            Command::Demo(command) => command.run(),
            Command::Completions { shell } => manual::completions(shell, Self::command()),
            Command::Man => manual::man(Self::command()),
        }
    }
}
