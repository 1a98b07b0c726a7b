//! Bounds on what a memcached that does wrong may take: time, and memory. The memory is the process's own, so these
//! tests are alone in their binary.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

use std::{fs, pin::pin, sync::Arc, time::Duration};

use aside::cache::StoreError;
use support::{
    eventually,
    fake::{Act, CONNECTIONS, connected, serves_again},
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::timeout,
};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

/// For those that wait for the deadline to pass.
const HURRIED: Duration = Duration::from_millis(50);

/// Memory that may be taken meanwhile for something else.
const MEMORY_BYTES_SLACK: u64 = 64 << 20;

/// The turn of a test that looks at the memory.
static MEMORY: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn silence_ends_at_the_deadline_with_the_connection() {
    let (fake, client) = connected(HURRIED).await;
    let late = Arc::new(Semaphore::new(0));
    let wait = late.clone();
    fake.once(move |asked| {
        let late = asked.honest();
        Some(vec![Act::Await(wait.clone()), Act::Send(late)])
    });
    let look = timeout(UNHURRIED, client.look_up("user:1")).await.expect("it ends at the deadline");
    assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
    fake.is_connected(CONNECTIONS + 1).await;
    late.add_permits(1);
    serves_again(&client).await;
    assert_eq!(client.metric("crosstalk_total"), 0.0);
}

#[tokio::test]
async fn a_length_of_four_gigabytes_takes_no_memory_before_the_bytes_come() {
    let _turn = MEMORY.lock().await;
    let (fake, client) = connected(HURRIED).await;
    let before = memory_bytes();
    let header = "VA 4294967295 t60 f7 c9 O1 kuser:1\r\nhello";
    fake.once(move |_| Some(vec![Act::send(header), Act::Await(Arc::new(Semaphore::new(0)))]));
    let (look, most) = with_most_memory(client.look_up("user:1")).await;
    assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
    assert!(most < before + MEMORY_BYTES_SLACK, "{before} grew to {most}");
    serves_again(&client).await;
}

/// The deadline of the round trip is the bound: until then what comes is kept once, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_reply_is_read_until_the_deadline_and_let_go() {
    let _turn = MEMORY.lock().await;
    let endless = [
        ("VA 4294967295 t60 f7 c9 O1 kuser:1\r\n", "0"),
        ("VA 2 t60 f7 c9 O1 k", "a"),
        ("SERVER_ERROR ", "a"),
    ];
    for (beginning, byte) in endless {
        let (fake, client) = connected(HURRIED).await;
        let before = memory_bytes();
        let chunk = byte.repeat(64 << 10).into_bytes();
        fake.once(move |_| Some(vec![Act::send(beginning), Act::Flood(chunk.clone())]));
        let (look, most) = with_most_memory(client.look_up("user:1")).await;
        assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
        let flooded = fake.flooded_bytes().await;
        let grown = most.saturating_sub(before);
        assert!(grown < flooded + MEMORY_BYTES_SLACK, "{beginning:?}: {flooded} took {grown}");
        serves_again(&client).await;
        eventually("the memory is given back", async || {
            (memory_bytes() < before + MEMORY_BYTES_SLACK).then_some(())
        })
        .await;
    }
}

/// The look, and the most memory that was seen meanwhile, in bytes.
async fn with_most_memory<T>(looking: impl Future<Output = T>) -> (T, u64) {
    let mut looking = pin!(looking);
    let mut most = 0;
    loop {
        most = most.max(memory_bytes());
        if let Ok(look) = timeout(Duration::from_millis(1), &mut looking).await {
            return (look, most.max(memory_bytes()));
        }
    }
}

/// The memory that this process has now, in bytes.
fn memory_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
