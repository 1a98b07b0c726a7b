//! The example for Python reads what Aside has stored.

use support::{PATIENCE, PYTHON, aside::Aside, eventually, memcached::Memcached};
use tokio::{process::Command, time::timeout};

/// Runs the example, and gives the lines that come out.
async fn read_users(servers: &str, ids: &[&str]) -> Vec<String> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/read_users.py");
    let mut python = Command::new(PYTHON);
    let output = python.args([program, servers]).args(ids).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.expect("read_users.py hangs").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // pymemcache comes with script/test (Debian: python3-pymemcache).
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_example_for_python_reads_entries_wherever_they_live() {
    let servers =
        [Memcached::start().await, Memcached::start().await, Memcached::start_on_socket().await];
    let setting = servers.each_ref().map(|server| server.address().to_string()).join(",");
    let aside = Aside::start(&["--memcached", &setting]).await;
    // Enough that every server has some.
    let ids: Vec<_> = (1..=30).collect();
    let mut expected = Vec::new();
    for id in &ids {
        let user = aside.get(&format!("/users/{id}")).await.user(*id).json();
        let [name, email] = ["name", "email"].map(|field| user[field].as_str().unwrap().to_owned());
        expected.push(format!("user:{id}: {name} <{email}>, given "));
    }
    for server in &servers {
        assert!(server.statistic("curr_items").await.unwrap() > 0, "{}", server.address());
    }
    let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
    let lines = read_users(&setting, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(&expected) {
        let given = line.strip_prefix(expected).and_then(|rest| rest.strip_suffix(" s to live"));
        let given_s: u32 = given.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        // 60 s less up to a tenth, and 5 minutes of stale time.
        assert!((354..=360).contains(&given_s), "{line}");
    }
}

#[tokio::test]
async fn the_example_for_python_tells_absent_from_loading_from_no_such_user() {
    let memcached = Memcached::start().await;
    let setting = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &setting, "--negative-ttl", "50s"]).await;
    assert_eq!(aside.get("/users/20000").await.status, 404);
    let lease = memcached.ask("mg user:2 N30\r\n", "\r\n").await.unwrap();
    assert!(lease.ends_with(" W\r\n"), "{lease}");
    memcached.ask("ms user:3 2 T60\r\n{}\r\n", "\r\n").await.unwrap();
    let lines = read_users(&setting, &["1", "2", "3", "20000"]).await;
    assert_eq!(
        lines,
        [
            "user:1: absent",
            "user:2: being loaded",
            "user:3: no entry of Aside's, or of another version: 0x0",
            "user:20000: no such user, given 50 s to live",
        ]
    );
    // A load under way is told, too, and then what came of it.
    // Each look starts a Python, which takes its time.
    let slow = ["--memcached", &setting, "--slow-query", "5s", "--query-timeout", "60s"];
    let slow = Aside::start(&slow).await;
    let loading = tokio::spawn(async move { slow.get("/users/5").await.user(5).status });
    eventually("the load", async || {
        (read_users(&setting, &["5"]).await == ["user:5: being loaded"]).then_some(())
    })
    .await;
    assert_eq!(loading.await.unwrap(), 200);
    assert!(read_users(&setting, &["5"]).await[0].starts_with("user:5: "));
}
