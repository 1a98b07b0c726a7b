//! The real pymemcache, run by the system's Python.

use std::{fmt::Display, process::Stdio, time::Duration};

use support::PYTHON;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// No run takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a command of `hash_client.py` over `lines`, and gives the lines that come out.
pub(crate) async fn hash_client(
    command: &str,
    servers: &[String],
    lines: &[impl Display],
) -> Vec<String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/pymemcache/hash_client.py");
    let mut python = Command::new(PYTHON)
        .args([program, command])
        .args(servers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{PYTHON} can't be run ({error}): install python3"));
    let mut stdin = python.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let feed = async move {
        // A program that has ended early says on standard error why.
        let _ = stdin.write_all(text.as_bytes()).await;
    };
    let (output, ()) = timeout(PATIENCE, async { tokio::join!(python.wait_with_output(), feed) })
        .await
        .expect("hash_client.py hangs");
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named 'pymemcache'"),
        "pymemcache is missing: script/test installs it (Debian: python3-pymemcache)"
    );
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
