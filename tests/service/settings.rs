//! Settings: what is refused, and how it is said.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use support::{
    PATIENCE,
    aside::{Aside, Place, command},
};
use tokio::time::timeout;

/// Starts the program, which must refuse, and returns the one line that says why.
pub(crate) async fn refused(
    place: &Place,
    arguments: &[&str],
    variable: Option<(&str, &str)>,
) -> String {
    let mut command = command(place, arguments);
    if let Some((name, value)) = variable {
        command.env(name, value);
    }
    // What is not refused would serve for ever.
    let output = timeout(PATIENCE, command.output()).await.expect("it is refused").unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((lines.len(), text.lines().count()), (1, 1), "{arguments:?}: {text}");
    lines[0].to_owned()
}

#[tokio::test]
async fn a_bad_setting_is_refused_with_one_line_that_names_it_and_what_it_takes() {
    let place = Place::empty();
    for (arguments, names, takes) in [
        (&["--ttl", "10ms"][..], "--ttl", "1s to 30d"),
        (&["--ttl", "31d"], "--ttl", "1s to 30d"),
        (&["--ttl", "10"], "--ttl", "1s to 30d"),
        (&["--ttl", "20d", "--stale-if-error", "20d"], "30 days", ""),
        (&["--ttl", "2500ms"], "--ttl", "whole seconds from 1s to 30d, such as 10s or 5m"),
        (&["--stale-while-revalidate", "1500ms"], "--stale-while-revalidate", "whole seconds"),
        (&["--stale-if-error", "1500ms"], "--stale-if-error", "whole seconds"),
        (&["--negative-ttl", "1500ms"], "--negative-ttl", "whole seconds"),
        (&["--job-lease", "3500ms"], "--job-lease", "whole seconds from 3s to 1h"),
        (&["cache", "set", "a", "x", "--ttl", "1500ms"], "--ttl", "whole seconds"),
        (&["cache", "explain", "a", "--stale-if-error", "1500ms"], "--stale-if-error", "whole"),
        (&["--session-ttl", "1900ms"], "--session-ttl", "whole seconds from 1s to 30d"),
        (&["--session-ttl", "999ms"], "--session-ttl", "1s to 30d"),
        (&["--session-ttl", "31d"], "--session-ttl", "1s to 30d"),
        (&["--negative-ttl=-1s"], "--negative-ttl", "0s to 30d"),
        (
            &["--listen", "localhost:8080"],
            "--listen",
            "an IP address and a port, such as 127.0.0.1:8080",
        ),
        (&["healthcheck", "--listen", "8080"], "--listen", "such as 127.0.0.1:8080"),
        (&["--memcached", ":x"], "--memcached", "host:port"),
        (&["--memcached", ""], "--memcached", "host:port"),
        (
            &["--memcached", "none,127.0.0.1:1"],
            "'none,127.0.0.1:1' for '--memcached",
            "stands alone",
        ),
        (&["--memcached", "127.0.0.1:1,127.0.0.1:1"], "--memcached", "127.0.0.1:1 is named twice"),
        (&["--memcached", "a,b,a:11211"], "--memcached", "a:11211 is named twice"),
        (&["cache", "stats", "--memcached", "none,none"], "--memcached", "stands alone"),
        (&["--max-queries", "0"], "--max-queries", "1..=256"),
        (&["--connections-per-address", "0"], "--connections-per-address", "half, all, or a whole"),
        (&["--connections-per-address", "none"], "--connections-per-address", "1 to 1000000"),
        (&["--host", "http://a.example"], "'http://a.example' for '--host", "cache.example.com"),
        (&["--host", "a.example,u@b.example"], "'u@b.example' for '--host", "without a scheme"),
        (&["--cors-origin", "a.example"], "'a.example' for '--cors-origin", "https://app.example"),
        (&["--cors-origin", "*,https://a.example"], "--cors-origin", "* alone"),
        (&["--log-format", "xml"], "xml", "[possible values: text, json]"),
        (&["--work-jobs", "1"], "--work-jobs", "[possible values: true, false]"),
        (&["--unknown"], "--unknown", ""),
        (&["--databse", "x"], "--databse", "tip: a similar argument exists: '--database'"),
        (&["jobs", "prduce"], "prduce", "tip: a similar subcommand exists: 'produce'"),
        (&["cache", "get"], "not provided: <KEY>", ""),
        (&["cache", "set"], "not provided: <KEY> <VALUE>", ""),
        (&["--api-token", "sec ret"], "--api-token", "letters"),
        (&["--api-token", "--sec ret"], "--api-token", "letters"),
        (&["--api-token", "sec ret", "--unknown"], "--unknown", ""),
        (&["--api-token", "sec ret", "--api-token", "sec ret"], "--api-token", "multiple times"),
        (&["--queue", "sec ret"], "--queue", "sqlite://PATH"),
    ] {
        let line = refused(&place, arguments, None).await;
        assert!(line.contains(names) && line.contains(takes), "{arguments:?}: {line}");
        assert!(!line.contains("sec ret"), "{line}");
    }
    let line = refused(&place, &[], Some(("ASIDE_TTL", "rubbish"))).await;
    assert!(line.contains("--ttl") && line.contains("rubbish"), "{line}");
    let line = refused(&place, &[], Some(("RUST_LOG", "a=b=c"))).await;
    assert!(line.contains("RUST_LOG") && line.contains("a=b=c"), "{line}");
}

#[tokio::test]
async fn a_variable_that_is_no_utf8_is_named() {
    let place = Place::empty();
    let mut command = command(&place, &[]);
    command.env("ASIDE_QUEUE", OsStr::from_bytes(b"sqlite://\xff"));
    let output = timeout(PATIENCE, command.output()).await.expect("it is refused").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("ASIDE_QUEUE") && said.contains("UTF-8"), "{said}");
}

#[tokio::test]
async fn the_version_names_the_commit_of_a_checkout() {
    let place = Place::empty();
    let output = command(&place, &["--version"]).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with(concat!("aside ", env!("CARGO_PKG_VERSION"))), "{said}");
    let mut git = tokio::process::Command::new("git");
    git.args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=12", "HEAD"]);
    let is_checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists();
    let head = git.output().await.ok().filter(|head| is_checkout && head.status.success());
    let commit = head.map(|head| String::from_utf8(head.stdout).unwrap());
    let commit = commit.map_or(String::new(), |commit| format!(" ({})", commit.trim()));
    assert_eq!(said.trim_end(), format!("aside {}{commit}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn completions_and_the_manual_page_know_the_settings() {
    let place = Place::empty();
    for arguments in [&["completions", "bash"][..], &["completions", "zsh"], &["man"]] {
        let output = command(&place, arguments).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap().replace('\\', "");
        assert!(output.status.success() && text.contains("--stale-if-error"), "{arguments:?}");
        assert!(text.contains("healthcheck"), "{arguments:?}");
    }
}

#[tokio::test]
async fn without_its_subcommand_a_command_shows_its_whole_help_on_standard_error() {
    let place = Place::empty();
    for (name, subcommands) in [
        ("cache", ["set", "explain"]),
        ("jobs", ["produce", "consume"]),
        ("demo", ["speedup", "lifecycle"]),
    ] {
        let output = command(&place, &[name]).output().await.unwrap();
        let help = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{help}");
        assert!(help.contains(&format!("Usage: aside {name} <COMMAND>")), "{help}");
        for subcommand in subcommands {
            assert!(help.contains(&format!("\n  {subcommand} ")), "{help}");
        }
    }
}

#[tokio::test]
async fn a_database_that_cant_be_opened_is_refused_with_its_path() {
    let place = Place::empty();
    let text = place.file("text");
    fs::write(&text, "this is no database, however long it is looked at").unwrap();
    let missing = place.file("missing/aside.db");
    let folder = place.file("");
    for path in [&missing, &folder, &text] {
        let url = format!("sqlite://{}", path.display());
        let line = refused(&place, &["--database", &url], None).await;
        assert!(line.contains(&path.display().to_string()), "{line}");
    }
    refused(&place, &["--database", "sqlite::memory:"], None).await;
    refused(&place, &["--database", "postgres://localhost/x"], None).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused() {
    let aside = Aside::start(&[]).await;
    let line = refused(&aside.place, &["--listen", &aside.address.to_string()], None).await;
    assert!(line.contains(&aside.address.to_string()), "{line}");
}

#[tokio::test]
async fn the_help_of_each_command_says_what_is_true_of_it() {
    let place = Place::empty();
    let help = async |arguments: &[&str]| {
        let output = command(&place, &[arguments, &["--help"]].concat()).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}");
        // Lines are wrapped as it comes.
        let words = String::from_utf8(output.stdout).unwrap();
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let none = "with `none` a service keeps entries in its own memory only, and a client has no server to ask";
    for arguments in [&["serve"][..], &["cache", "get"], &["demo", "ttl"], &["jobs", "consume"]] {
        let text = help(arguments).await;
        assert!(text.contains(none), "{arguments:?}: {text}");
    }
    let text = help(&["serve"]).await;
    assert!(text.contains("writes, sessions, jobs and the control of the cache"), "{text}");
    let text = help(&["jobs", "produce"]).await;
    assert!(text.contains("--queue") && !text.contains("--job-"), "{text}");
    let text = help(&["jobs", "consume"]).await;
    assert!(text.contains("[alias: --job-delay]") && text.contains("--job-lease"), "{text}");
}

#[tokio::test]
async fn the_help_names_every_setting_and_the_database_url_of_others_is_not_read() {
    let place = Place::seeded().await;
    let help = command(&place, &["--help"]).output().await.unwrap();
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).unwrap();
    for setting in [
        "listen",
        "host",
        "cors-origin",
        "connections-per-address",
        "database",
        "memcached",
        "ttl",
        "stale-while-revalidate",
        "stale-if-error",
        "negative-ttl",
        "slow-query",
        "query-timeout",
        "max-queries",
        "max-waiting",
        "session-ttl",
        "api-token",
        "shutdown-delay",
        "shutdown-grace",
        "log-format",
    ] {
        let variable = format!("ASIDE_{}", setting.replace('-', "_").to_uppercase());
        assert!(help.contains(&format!("--{setting} ")) && help.contains(&variable), "{setting}");
    }
    let mut command = command(&place, &["serve"]);
    command.env("DATABASE_URL", "postgres://nowhere/nothing");
    Aside::run(&place, command).await.get("/users/1").await.user(1);
}
