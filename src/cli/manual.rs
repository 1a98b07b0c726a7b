//! `aside completions` and `aside man`: what a package installs beside the program.

use clap::Command;
use clap_complete::{Shell, generate};

use super::command::{Result, print};

/// Prints completions of the command line of `program`.
pub(super) fn completions(shell: Shell, mut program: Command) -> Result {
    let mut script = Vec::new();
    generate(shell, &mut program, "aside", &mut script);
    print(script)
}

/// Prints the manual page of `program`: the settings, and the names of the commands.
pub(super) fn man(program: Command) -> Result {
    let mut page = Vec::new();
    clap_mangen::Man::new(program).render(&mut page)?;
    print(page)
}
