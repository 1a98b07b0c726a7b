//! A memcached that does wrong: every reply that is not whole and the one asked for is an error of the
//! one operation, never somebody's value; and the same client serves rightly again.

// Tells the lints that the functions beside the tests are of the tests.
#![cfg(test)]

#[path = "support/store.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::{fs, pin::pin, sync::Arc, time::Duration};

use aside::cache::{Filled, Lease, Look, Store, StoreError};
use futures_util::future::{join, join_all};
use support::{
    client::{Client, LEASED, UNLEASED, body, key, value},
    eventually::eventually,
    fake::{Act, Asked, CONNECTIONS, Fake, Verb, block, value_of},
};
use tokio::{sync::Semaphore, time::timeout};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

/// For those that wait for the deadline to pass.
const HURRIED: Duration = Duration::from_millis(50);

/// What the other tests of this process may take at the same time.
const MEMORY_BYTES_SLACK: u64 = 64 << 20;

type Looked = Result<Look, StoreError>;

async fn connected(operation_timeout: Duration) -> (Fake, Client) {
    let fake = Fake::start().await;
    let client = Client::start(fake.address(), operation_timeout);
    fake.is_connected(CONNECTIONS).await;
    client.is_in_service().await;
    (fake, client)
}

/// Nobody is ever given anything but the value of the key that was asked for.
fn is_right_or_an_error(name: &str, look: &Looked) {
    match look {
        Ok(Look::Found { found, .. }) => assert_eq!(found.body, value_of(name)),
        Ok(look) => panic!("{name}: {look:?}"),
        Err(error) => assert_eq!(*error, StoreError::NoAnswer),
    }
}

/// Looks until both connections have served rightly once more, however long it takes to make them anew.
async fn serves_again(client: &Client) {
    eventually("ten right answers in a row", async || {
        for number in 0..10 {
            let name = format!("again:{number}");
            let look = client.look_up(&name).await;
            if !matches!(look, Err(StoreError::Unavailable)) {
                is_right_or_an_error(&name, &look);
            }
            body(&look)?;
        }
        Some(())
    })
    .await;
}

/// Whether `asked` looks up this very key and no other.
fn looks_up(asked: &Asked, name: &str) -> bool {
    asked.verb == Verb::Lookup && asked.keys == [name]
}

/// The answer to a lookup of `user:1` to which `fault` happens; its connection must have been dropped.
async fn struck(fault: impl FnOnce(&Asked) -> Vec<Act> + Send + 'static) -> (Looked, f64) {
    let (fake, client) = connected(UNHURRIED).await;
    let mut fault = Some(fault);
    fake.once(move |asked| looks_up(asked, "user:1").then(|| fault.take().unwrap()(asked)));
    let look = client.look_up("user:1").await;
    fake.is_connected(CONNECTIONS + 1).await;
    serves_again(&client).await;
    (look, client.metric("crosstalk_total"))
}

#[tokio::test]
async fn a_reply_cut_anywhere_is_an_error_and_never_part_of_a_value() {
    let whole = Asked { verb: Verb::Lookup, keys: vec!["user:1".to_owned()], opaque: 1 }.honest();
    let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let value = header + value_of("user:1").len();
    let cuts = [0, 1, header / 2, header, header + 1, value - 1, value, value + 2, value + 4];
    for cut in cuts {
        for end in [|| Act::Reset, || Act::Close] {
            let (look, crosstalk) =
                struck(move |asked| vec![Act::send(&asked.honest()[..cut]), end()]).await;
            assert!(matches!(look, Err(StoreError::NoAnswer)), "cut at {cut}: {look:?}");
            assert_eq!(crosstalk, 0.0, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn of_a_batch_that_is_cut_no_value_is_part_of_another() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let cut = block(asked.keys.first()?, asked.opaque).len() + 40;
        (asked.keys.len() > 1).then(|| vec![Act::send(&asked.honest()[..cut]), Act::Reset])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    for (name, look) in names.iter().zip(&looks) {
        is_right_or_an_error(name, look);
    }
    assert!(looks.iter().any(Result::is_err), "no batch was cut");
    serves_again(&client).await;
}

/// While a round trip is under way others are queued, which ask in turn for one thing and the other.
#[tokio::test]
async fn lookups_that_ask_the_same_share_a_round_trip_whatever_is_queued_between_them() {
    let (fake, client) = connected(UNHURRIED).await;
    let (sent, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (is_sent, wait) = (sent.clone(), answered.clone());
    fake.once(move |asked| {
        is_sent.add_permits(1);
        Some(vec![Act::Await(wait.clone()), Act::Send(asked.honest())])
    });
    let round_trips = Arc::new(Semaphore::new(0));
    let counted = round_trips.clone();
    fake.once(move |_| {
        counted.add_permits(1);
        None
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let ahead = client.look_up("user:ahead");
    let queued = async {
        sent.acquire().await.unwrap().forget();
        let looks = names.iter().zip([LEASED, UNLEASED].iter().cycle());
        let looks =
            looks.map(async |(name, ask)| (name, client.store.lookup(&key(name), *ask).await));
        let answer = async { answered.add_permits(1) };
        // In this order, so that all are queued by then.
        join(join_all(looks), answer).await.0
    };
    let (_, looks) = join(ahead, queued).await;
    for (name, look) in looks {
        assert_eq!(body(&look).unwrap(), &value_of(name));
    }
    assert_eq!(round_trips.available_permits(), 2);
}

#[tokio::test]
async fn a_reply_in_pieces_of_one_byte_is_put_together() {
    let (fake, client) = connected(UNHURRIED).await;
    let pieces = |asked: &Asked| {
        let whole = asked.honest();
        Some(whole.iter().map(|&byte| Act::Send(vec![byte])).collect())
    };
    fake.once(pieces);
    let look = client.look_up("user:1").await;
    assert_eq!(body(&look).unwrap(), &value_of("user:1"));
    let Ok(Look::Found { lease, .. }) = look else { unreachable!() };
    fake.once(pieces);
    assert_eq!(client.store.fill(&key("user:1"), &lease, value("{}")).await, Ok(Filled::Stored));
    fake.once(pieces);
    assert_eq!(client.store.forget(&key("user:1")).await, Ok(()));
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

/// A server that is far away takes its time for each, and is well.
#[tokio::test]
async fn changes_that_were_queued_together_have_a_deadline_each() {
    const TIMEOUT: Duration = Duration::from_secs(4);
    // All of them together take longer than one deadline, and each much less.
    const PAUSE: Duration = Duration::from_millis(1600);
    const COUNT: usize = 3;
    let (fake, client) = connected(TIMEOUT).await;
    let Ok(Look::Found { lease, .. }) = client.look_up("user:1").await else { unreachable!() };
    let released = Arc::new(Semaphore::new(0));
    for _ in 0..COUNT {
        let released = released.clone();
        fake.once(move |asked| {
            assert_eq!(asked.verb, Verb::Delete);
            released.add_permits(1);
            Some(vec![Act::Pause(PAUSE), Act::Send(asked.honest())])
        });
        client.store.release(&key("user:1"), &lease);
    }
    eventually("they are sent", async || (released.available_permits() == COUNT).then_some(()))
        .await;
    // The next over the same connection: by then they are all answered.
    client.store.release(&key("user:1"), &lease);
    eventually("all are carried out", async || {
        (client.metric("batch_size_sum") >= 1.0 + 4.0).then_some(())
    })
    .await;
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

#[tokio::test]
async fn what_is_no_reply_is_an_error() {
    let http = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let wrongs = [
        "\r\n",
        "\0\u{1}\u{2}\u{3}\u{4}\u{5}\r\n",
        "hello\r\n",
        http,
        "VA four t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA -1 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 4294967296 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 2 t60 f7 c18446744073709551616 O1 kuser:1\r\n{}\r\nMN\r\n",
        "VA 1 t60 f7 c9 O1 kuser:1\r\n{}\r\nMN\r\n",
        "ERROR\r\n",
        "ERROR Too many open connections\r\n",
        "CLIENT_ERROR bad command line format\r\n",
        "SERVER_ERROR out of memory\r\n",
    ];
    for wrong in wrongs {
        let (look, _) = struck(move |_| vec![Act::send(wrong)]).await;
        assert!(matches!(look, Err(StoreError::NoAnswer)), "{wrong:?}: {look:?}");
    }
}

#[tokio::test]
async fn a_reply_without_a_version_or_a_number_or_a_key_is_nobodys() {
    for flags in [" t60 f7 O1 kuser:1", " t60 f7 c9 kuser:1", " t60 f7 c9 O1", ""] {
        let (look, crosstalk) =
            struck(move |_| vec![Act::send(format!("VA 2{flags}\r\n{{}}\r\nMN\r\n"))]).await;
        assert!(matches!(look, Err(StoreError::NoAnswer)), "{flags:?}: {look:?}");
        assert_eq!(crosstalk, 1.0, "{flags:?}");
    }
}

#[tokio::test]
async fn a_reply_for_another_key_is_nobodys() {
    let (look, crosstalk) = struck(|asked| {
        let another = block("user:2", asked.opaque) + "MN\r\n";
        vec![Act::send(another)]
    })
    .await;
    assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
    assert_eq!(crosstalk, 1.0);
}

#[tokio::test]
async fn replies_in_another_order_are_nobodys() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let turned = asked.keys.iter().rev().map(|key| block(key, asked.opaque));
        let turned = turned.collect::<String>() + "MN\r\n";
        (asked.keys.len() > 1).then(|| vec![Act::send(turned)])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    for (name, look) in names.iter().zip(&looks) {
        is_right_or_an_error(name, look);
    }
    assert!(looks.iter().any(Result::is_err), "no batch was turned");
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    serves_again(&client).await;
}

/// One reply bears the key that the next should have, and the next one that nobody asked for.
#[tokio::test]
async fn a_reply_under_the_key_of_another_of_its_batch_is_nobodys() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let [one, other] = asked.keys.first_chunk()?;
        let under_the_other =
            block(one, asked.opaque).replace(&format!("k{one}"), &format!("k{other}"));
        let rest = asked.keys.iter().skip(2).map(|key| block(key, asked.opaque));
        let replies = [under_the_other, block("nobody:1", asked.opaque)].into_iter().chain(rest);
        Some(vec![Act::send(replies.collect::<String>() + "MN\r\n")])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    for (name, look) in names.iter().zip(&looks) {
        is_right_or_an_error(name, look);
    }
    assert!(looks.iter().any(Result::is_err), "no batch was altered");
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    serves_again(&client).await;
}

#[tokio::test]
async fn a_reply_for_another_key_is_nobodys_when_none_need_come() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| Some(vec![Act::send(block("user:2", asked.opaque) + "MN\r\n")]));
    let look = client.store.lookup(&key("user:1"), UNLEASED).await;
    assert!(
        matches!(look, Err(StoreError::NoAnswer)),
        "absent is what nothing is said of: {look:?}"
    );
    fake.is_connected(CONNECTIONS + 1).await;
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    serves_again(&client).await;
}

/// As a memcached does that evicts nothing (`-M`) and has no room for a placeholder.
#[tokio::test]
async fn a_key_of_which_nothing_is_said_is_absent_and_the_others_are_found() {
    let (fake, client) = connected(UNHURRIED).await;
    let is_odd = |name: &str| name.ends_with(['1', '3', '5', '7', '9']);
    fake.once(move |asked| {
        let even = asked.keys.iter().filter(|key| !is_odd(key));
        let even = even.map(|key| block(key, asked.opaque)).collect::<String>() + "MN\r\n";
        (asked.keys.len() > 1).then(|| vec![Act::send(even)])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    let mut absent = 0;
    for (name, look) in names.iter().zip(&looks) {
        match look {
            Ok(Look::Absent) if is_odd(name) => absent += 1,
            look => assert_eq!(body(look), Some(&value_of(name).into()), "{name}"),
        }
    }
    assert!(absent > 0, "nothing was left out");
    let metrics = ["failures_total", "crosstalk_total"].map(|name| client.metric(name));
    assert_eq!((fake.connections(), metrics), (CONNECTIONS, [0.0, 0.0]));
}

/// One reply of an earlier round trip comes in place of all.
#[tokio::test]
async fn a_reply_that_is_nobodys_makes_nobody_absent() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let mut replies = asked.keys.iter().map(|key| block(key, asked.opaque - 1));
        let shifted = replies.next()? + "MN\r\n";
        (asked.keys.len() > 1).then(|| vec![Act::send(shifted)])
    });
    let names: Vec<_> = (0..64).map(|number| format!("user:{number}")).collect();
    let looks = join_all(names.iter().map(|name| client.look_up(name))).await;
    for (name, look) in names.iter().zip(&looks) {
        is_right_or_an_error(name, look);
    }
    assert!(looks.iter().any(Result::is_err), "no batch was shifted");
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    serves_again(&client).await;
}

#[tokio::test]
async fn of_two_replies_for_one_command_one_is_used_and_the_connection_no_more() {
    let (look, crosstalk) = struck(|asked| {
        let one = block("user:1", asked.opaque);
        vec![Act::send(format!("{one}{one}MN\r\n"))]
    })
    .await;
    assert_eq!(body(&look).unwrap(), &value_of("user:1"));
    assert_eq!(crosstalk, 1.0);
}

/// The replies of a key's first round trip come once more before those of its second, with what was the
/// value then.
#[tokio::test]
async fn a_reply_of_an_earlier_round_trip_is_nobodys() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        let [before, now] = [asked.opaque - 1, asked.opaque].map(|opaque| block("user:1", opaque));
        let before = before.replace("the value", "old value");
        looks_up(asked, "user:1").then(|| vec![Act::send(format!("{before}MN\r\n{now}MN\r\n"))])
    });
    let look = client.look_up("user:1").await;
    assert!(matches!(look, Err(StoreError::NoAnswer)), "{look:?}");
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    serves_again(&client).await;
}

#[tokio::test]
async fn bytes_after_a_reply_are_never_the_next_answer() {
    let after: [fn(&Asked) -> String; 4] = [
        |asked| String::from_utf8(asked.honest()).unwrap(),
        |asked| block("user:1", asked.opaque),
        |_| "MN\r\n".to_owned(),
        |_| "xyz".to_owned(),
    ];
    for extra in after {
        let (fake, client) = connected(UNHURRIED).await;
        fake.once(move |asked| {
            let whole = [asked.honest(), extra(asked).into_bytes()].concat();
            looks_up(asked, "user:1").then(|| vec![Act::Send(whole)])
        });
        let look = client.look_up("user:1").await;
        assert_eq!(body(&look).unwrap(), &value_of("user:1"));
        eventually("the connection is dropped at its next use", async || {
            is_right_or_an_error("user:1", &client.look_up("user:1").await);
            (fake.connections() > 2).then_some(())
        })
        .await;
        serves_again(&client).await;
    }
}

/// To be told so ends a session.
#[tokio::test]
async fn what_is_kept_is_never_absent_because_of_bytes_after_a_reply() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| Some(vec![Act::Send([asked.honest(), b"MN\r\n".to_vec()].concat())]));
    let name = key("session:1");
    let read = async || client.store.read(&name, None).await;
    assert_eq!(read().await.unwrap().unwrap().value, value_of("session:1"));
    eventually("the connection is dropped", async || {
        match read().await {
            Ok(kept) => assert_eq!(kept.unwrap().value, value_of("session:1")),
            Err(error) => assert_eq!(error, StoreError::NoAnswer),
        }
        (fake.connections() > CONNECTIONS).then_some(())
    })
    .await;
}

/// The reply to one read comes where that to another is due.
#[tokio::test]
async fn what_is_kept_is_never_absent_because_of_another_reply() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| Some(vec![Act::send(block("session:2", asked.opaque) + "MN\r\n")]));
    let read = client.store.read(&key("session:1"), None).await;
    assert_eq!(read, Err(StoreError::NoAnswer));
    assert_eq!(client.metric("crosstalk_total"), 1.0);
}

#[tokio::test]
async fn bytes_after_a_reply_are_never_the_answer_to_a_change() {
    let after: [fn(&Asked) -> String; 5] = [
        |asked| String::from_utf8(asked.honest()).unwrap(),
        |_| "HD\r\n".to_owned(),
        |_| "NF\r\n".to_owned(),
        |_| "EX\r\n".to_owned(),
        |_| "SERVER_ERROR out of memory\r\n".to_owned(),
    ];
    for extra in after {
        let (fake, client) = connected(UNHURRIED).await;
        fake.once(move |asked| {
            let whole = [asked.honest(), extra(asked).into_bytes()].concat();
            Some(vec![Act::Send(whole)])
        });
        assert_eq!(client.store.forget(&key("user:1")).await, Ok(()));
        eventually("the connection is dropped", async || {
            let _ = client.store.forget(&key("user:1")).await;
            (fake.connections() > 2).then_some(())
        })
        .await;
        serves_again(&client).await;
    }
}

/// The answer to a fill and to a delete to which `fault` happens.
async fn struck_changes(
    fault: impl Fn(&Asked) -> String + Copy + Send + 'static,
) -> (Result<Filled, StoreError>, Result<(), StoreError>, Fake, Client) {
    let (fake, client) = connected(UNHURRIED).await;
    for verb in [Verb::Fill, Verb::Delete] {
        fake.once(move |asked| (asked.verb == verb).then(|| vec![Act::send(fault(asked))]));
    }
    let lease = lease(&client).await;
    let filled = client.store.fill(&key("user:1"), &lease, value("{}")).await;
    let deleted = client.store.forget(&key("user:1")).await;
    (filled, deleted, fake, client)
}

async fn lease(client: &Client) -> Lease {
    match client.look_up("user:1").await {
        Ok(Look::Found { lease, .. }) => lease,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_that_is_not_answered_by_its_own_reply_has_no_answer() {
    let wrongs: [fn(&Asked) -> String; 8] = [
        |asked| format!("HD kuser:2 O{}\r\n", asked.opaque),
        |asked| format!("HD kuser:1 O{}\r\n", asked.opaque - 1),
        |asked| format!("NS kuser:1 O{}\r\n", asked.opaque),
        |_| "HD\r\n".to_owned(),
        |_| "MN\r\n".to_owned(),
        |_| "ERROR\r\n".to_owned(),
        |asked| block("user:1", asked.opaque),
        |_| "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
    ];
    for (place, wrong) in wrongs.into_iter().enumerate() {
        let (filled, deleted, fake, client) = struck_changes(wrong).await;
        let no_answer = (Err(StoreError::NoAnswer), Err(StoreError::NoAnswer));
        assert_eq!((filled, deleted), no_answer, "the wrong at {place}");
        fake.is_connected(CONNECTIONS + 2).await;
        serves_again(&client).await;
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_refused_and_the_connection_is_kept() {
    for refusal in ["SERVER_ERROR out of memory storing object", "CLIENT_ERROR bad data chunk"] {
        let (filled, deleted, fake, client) =
            struck_changes(move |_| format!("{refusal}\r\n")).await;
        assert_eq!(filled, Err(StoreError::Refused), "{refusal}");
        assert_eq!(deleted, Err(StoreError::Refused), "{refusal}");
        serves_again(&client).await;
        assert_eq!(
            (fake.connections(), client.metric("failures_total")),
            (CONNECTIONS, 0.0),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn a_value_that_the_server_finds_too_large_is_too_large() {
    let (filled, _, fake, client) =
        struck_changes(|_| "SERVER_ERROR object too large for cache\r\n".to_owned()).await;
    assert_eq!(filled, Ok(Filled::TooLarge));
    serves_again(&client).await;
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

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

/// What `looking` gives, and the most memory that was seen meanwhile, in bytes.
async fn with_most_memory(looking: impl Future<Output = Looked>) -> (Looked, u64) {
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
