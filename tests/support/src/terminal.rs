//! A terminal without a screen.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Read,
    os::fd::OwnedFd,
    path::Path,
    process::Stdio,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::{process::Command, task::spawn_blocking, time::timeout};

use super::PATIENCE;

/// The two ends of a terminal: what is written to the second one is read from the first.
pub fn terminal() -> (File, File) {
    let keeper: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keeper).unwrap();
    unlockpt(&keeper).unwrap();
    let path = ptsname(&keeper, Vec::new()).unwrap().into_string().unwrap();
    (keeper.into(), OpenOptions::new().read(true).write(true).open(path).unwrap())
}

/// All that a program has written whose ends of the terminal are closed, or will be.
pub async fn shown_by(mut keeper: File) -> String {
    let reading = spawn_blocking(move || {
        let mut bytes = Vec::new();
        // A terminal whose other end is closed answers with an error, after all that was written.
        let _ = keeper.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    });
    timeout(PATIENCE, reading).await.unwrap().unwrap()
}

/// A command that runs another in a terminal, and writes what that shows to the file `shown` in `folder`.
pub fn in_terminal(folder: &Path, run: &str) -> Command {
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--flush", "--command", run, "shown"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap())
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    script
}
