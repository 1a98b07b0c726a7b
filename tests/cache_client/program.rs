//! The program as a client, and bytes that are told to memcached past it.

use std::{
    fs::{self, File},
    process::Output,
};

use support::{
    aside::{Place, command},
    memcached::Memcached,
};

/// The remains of a run of the program: its exit status and what it wrote.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Asserts that it failed with `code` and said why in one line, which it returns.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.err.lines().count()), (code, 1), "{self:?}");
        self.err.trim_end().strip_prefix("error: ").unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// Asserts that it succeeded without a complaint, and returns what it wrote.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self.out
    }
}

/// Runs `aside cache` with these servers.
pub(crate) async fn cache(servers: &[&Memcached], arguments: &[&str]) -> Run {
    run(&addresses(servers), "127.0.0.1:1", arguments).await
}

/// Runs `aside cache` with these settings.
pub(crate) async fn run(memcached: &str, listen: &str, arguments: &[&str]) -> Run {
    fed(memcached, listen, arguments, b"").await
}

/// Runs `aside cache` with these settings, and `input` to be read.
pub(crate) async fn fed(memcached: &str, listen: &str, arguments: &[&str], input: &[u8]) -> Run {
    let place = Place::empty();
    let file = place.file("input");
    fs::write(&file, input).unwrap();
    let mut command = command(&place, &["cache"]);
    command.stdin(File::open(file).unwrap());
    command.args(arguments).env("ASIDE_MEMCACHED", memcached).env("ASIDE_LISTEN", listen);
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Run { code: status.code().unwrap(), out, err }
}

/// The servers as the setting has them.
pub(crate) fn addresses(servers: &[&Memcached]) -> String {
    servers.iter().map(|server| server.address().to_string()).collect::<Vec<_>>().join(",")
}

/// Stores `value` with these flags of the meta command `ms`.
pub(crate) async fn store(memcached: &Memcached, key: &str, value: &str, flags: &str) {
    let set = format!("ms {key} {} {flags}\r\n{value}", value.len());
    assert_eq!(memcached.tell(&set).await, "HD", "{set}");
}

/// The client flags of an entry of this lifetime, as Aside packs them.
pub(crate) fn flags(negative: bool, lifetime_s: u32) -> u32 {
    aside::cache::Flags { schema: aside::cache::SCHEMA, negative, lifetime_s }.pack()
}
