//! What a terminal is shown.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::fd::OwnedFd,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    program::demo,
    support::{PATIENCE, aside::Place, memcached::Memcached},
};

/// The two ends of a terminal: what is written to the second one is read from the first.
fn terminal() -> (File, File) {
    let keeper: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keeper).unwrap();
    unlockpt(&keeper).unwrap();
    let path = ptsname(&keeper, Vec::new()).unwrap().into_string().unwrap();
    (keeper.into(), OpenOptions::new().read(true).write(true).open(path).unwrap())
}

/// Walks `ttl` on a terminal, and returns what that was shown.
async fn shown(variable: (&str, &str)) -> String {
    let (mut keeper, screen) = terminal();
    let (memcached, place) = (Memcached::start().await, Place::empty());
    let mut command = demo(&place, &memcached.address().to_string(), &["ttl", "--ttl", "3s"]);
    command.env("TERM", "xterm").env(variable.0, variable.1).stdout(screen);
    let mut child = command.spawn().unwrap();
    // Its end of the terminal must not stay open here.
    drop(command);
    let reading = spawn_blocking(move || {
        let mut bytes = Vec::new();
        // A terminal whose other end is closed answers with an error, after all that was written.
        let _ = keeper.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    });
    let shown = timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert!(child.wait().await.unwrap().success(), "{shown:?}");
    shown
}

#[tokio::test]
async fn a_terminal_is_shown_a_bar_and_colours() {
    let shown = shown(("COLORTERM", "")).await;
    assert!(shown.contains("█") && shown.contains(" s left"), "{shown:?}");
    assert!(shown.contains("\u{1b}[32mok\u{1b}[0m"), "{shown:?}");
    assert!(shown.contains("all 3 steps as expected"), "{shown:?}");
}

#[tokio::test]
async fn no_color_is_minded() {
    let shown = shown(("NO_COLOR", "1")).await;
    assert!(shown.contains("   ok\r\n"), "{shown:?}");
}
