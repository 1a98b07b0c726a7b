//! What a terminal is shown.

use support::{
    aside::Place,
    memcached::Memcached,
    terminal::{shown_by, terminal},
};

use crate::program::demo;

/// Walks `ttl` on a terminal, and returns what that was shown.
async fn shown(variable: (&str, &str)) -> String {
    let (keeper, screen) = terminal();
    let (memcached, place) = (Memcached::start().await, Place::empty());
    let mut command = demo(&place, &memcached.address().to_string(), &["ttl", "--ttl", "3s"]);
    command.env("TERM", "xterm").env(variable.0, variable.1).stdout(screen);
    let mut child = command.spawn().unwrap();
    // Its end of the terminal must not stay open here.
    drop(command);
    let shown = shown_by(keeper).await;
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
