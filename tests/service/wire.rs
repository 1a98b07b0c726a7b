//! A client of memcached that sees bytes.

use support::{PATIENCE, eventually, memcached::Memcached};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Sends one command, and returns all that memcached answers.
pub(crate) async fn tell(memcached: &Memcached, command: &str) -> String {
    let mut socket = TcpStream::connect(memcached.address().to_string()).await.unwrap();
    socket.write_all(format!("{command}\r\nquit\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// The value of `key`: `None` if it is not there, empty while it is being loaded.
pub(crate) async fn value(memcached: &Memcached, key: &str) -> Option<String> {
    let answer = tell(memcached, &format!("get {key}")).await;
    let (_, rest) = answer.strip_prefix("VALUE ")?.split_once("\r\n")?;
    Some(rest.strip_suffix("\r\nEND\r\n").unwrap().to_owned())
}

/// Waits until somebody loads `key`.
pub(crate) async fn until_loading(memcached: &Memcached, key: &str) {
    let loading = async || value(memcached, key).await?.is_empty().then_some(());
    eventually(&format!("a placeholder under {key}"), loading).await;
}

/// One number of memcached's `stats`.
pub(crate) async fn statistic(memcached: &Memcached, name: &str) -> u64 {
    let stats = tell(memcached, "stats").await;
    let line = format!("STAT {name} ");
    stats.lines().find_map(|stat| stat.strip_prefix(&line)).unwrap().parse().unwrap()
}
