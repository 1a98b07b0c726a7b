//! `aside completions` and `aside man`: what a package installs beside the program.

use std::{io, process::ExitCode};

use clap::{Command, Parser};
use clap_complete::{Shell, generate};

use super::output::{complain, print};

/// Prints completions of this command line.
#[derive(Debug, Parser)]
pub(super) struct Completions {
    /// Shell that they are for
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut program: Command) -> ExitCode {
        let mut script = Vec::new();
        generate(self.shell, &mut program, "aside", &mut script);
        printed(Ok(script))
    }
}

/// Prints the manual page: the settings, and the names of the commands.
pub(super) fn man(program: Command) -> ExitCode {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(program).render(&mut page);
    printed(rendered.map(|()| page))
}

fn printed(text: io::Result<Vec<u8>>) -> ExitCode {
    match text.map_err(Into::into).and_then(print) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unwritten) => {
            complain(&unwritten.to_string());
            ExitCode::FAILURE
        }
    }
}
