//! Names the commit that this is built from.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit().map_or(version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo:rustc-env=ASIDE_VERSION={version}");
}

/// The commit that is checked out here; `None` without git, or if this is no checkout of its own.
fn commit() -> Option<String> {
    // Sources that lie somewhere in another checkout are not of its commit.
    if !Path::new(".git").exists() || !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    // It has a line more with each commit and each checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo:rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
