//! Replies to changes that went together in one round trip.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aside::cache::{Look, Servers, Store, StoreError};
use futures_util::future::{join, join_all};
use support::{
    client::{Client, key},
    eventually,
    fake::{Act, Asked, CONNECTIONS, Fake, Verb, done},
};
use tokio::sync::Semaphore;

use super::{UNHURRIED, connected, serves_again};

/// Deletes that are sent together.
const COUNT: usize = 8;

/// The word to its caller: done, refused, or nothing.
fn letter(answer: &Result<(), StoreError>) -> char {
    match answer {
        Ok(()) => 'd',
        Err(StoreError::Refused) => 'r',
        Err(_) => '-',
    }
}

/// Keeps the connection busy with a delete until all the others are queued, and lets `fault` answer those.
async fn deleted_together(
    fake: &Fake,
    client: &Client,
    mut fault: impl FnMut(&Asked) -> Vec<Act> + Send + 'static,
) -> String {
    let (sent, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (is_sent, wait) = (sent.clone(), answered.clone());
    fake.once(move |asked| {
        is_sent.add_permits(1);
        Some(vec![Act::Await(wait.clone()), Act::Send(asked.honest())])
    });
    fake.once(move |asked| {
        assert_eq!((asked.verb, asked.keys.len()), (Verb::Delete, COUNT), "one round trip");
        Some(fault(asked))
    });
    let keys: Vec<_> = (0..COUNT).map(|number| key(&format!("user:{number}"))).collect();
    let ahead = key("user:ahead");
    let queued = async {
        sent.acquire().await.unwrap().forget();
        let answer = async { answered.add_permits(1) };
        // In this order, so that all are queued by then.
        join(join_all(keys.iter().map(|key| client.store.forget_at(0, key))), answer).await.0
    };
    let (first, answers) = join(client.store.forget_at(0, &ahead), queued).await;
    assert_eq!(first, Ok(()));
    answers.iter().map(letter).collect()
}

/// The replies to all of `asked`, as lines that a test may change.
fn lines(asked: &Asked) -> Vec<String> {
    let replies = asked.changes().map(|(key, number)| done(key, number));
    replies.chain(["MN\r\n".to_owned()]).collect()
}

type Change = fn(&mut Vec<String>);

const REFUSAL: &str = "SERVER_ERROR out of memory\r\n";

#[tokio::test]
async fn each_caller_is_told_what_its_own_reply_says_or_nothing() {
    let faults: [(&str, Change, &str); 16] = [
        ("two swapped", |lines| lines.swap(3, 4), "ddd-----"),
        ("the first and the last swapped", |lines| lines.swap(0, 7), "--------"),
        ("one twice", |lines| lines.insert(4, lines[3].clone()), "dddd----"),
        ("one in place of the next", |lines| lines[4] = lines[3].clone(), "dddd----"),
        ("one missing", |lines| drop(lines.remove(3)), "ddd-----"),
        ("the first missing", |lines| drop(lines.remove(0)), "--------"),
        ("the last missing", |lines| drop(lines.remove(7)), "ddddddd-"),
        ("all missing", |lines| drop(lines.drain(..8)), "--------"),
        ("another key's", |lines| lines[3] = lines[3].replace("user", "session"), "ddd-----"),
        ("an earlier number's", |lines| lines[0] = "HD kuser:0 O1\r\n".to_owned(), "--------"),
        ("without a key or number", |lines| lines[3] = "HD\r\n".to_owned(), "ddd-----"),
        ("another status", |lines| lines[3] = lines[3].replace("HD", "NS"), "ddd-----"),
        ("one left over", |lines| lines.insert(8, "HD kuser:0 O1\r\n".to_owned()), "dddddddd"),
        ("an error ahead of all", |lines| lines.insert(0, REFUSAL.to_owned()), "--------"),
        (
            "an error, and one missing after it",
            |lines| {
                lines[2] = REFUSAL.to_owned();
                lines.remove(5);
            },
            "dd-dd---",
        ),
        (
            "an error, and one left over",
            |lines| {
                lines[2] = REFUSAL.to_owned();
                lines.push(REFUSAL.to_owned());
            },
            "dd-ddddd",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, change, told) in faults {
        let (fake, client) = connected(UNHURRIED).await;
        let fault = move |asked: &Asked| {
            let mut lines = lines(asked);
            change(&mut lines);
            vec![Act::send(lines.concat())]
        };
        let heard = deleted_together(&fake, &client, fault).await;
        if heard != told {
            wrong.push((name, heard));
            continue;
        }
        fake.is_connected(CONNECTIONS + 1).await;
        serves_again(&client).await;
        assert_eq!(client.metric("crosstalk_total"), 1.0, "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn a_change_that_is_refused_among_others_leaves_them_and_the_connection_alone() {
    let (fake, client) = connected(UNHURRIED).await;
    let fault = |asked: &Asked| {
        let mut lines = lines(asked);
        lines[2] = REFUSAL.to_owned();
        lines[4] = lines[4].replace("HD", "NF");
        vec![Act::send(lines.concat())]
    };
    assert_eq!(deleted_together(&fake, &client, fault).await, "ddrddddd");
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

#[tokio::test]
async fn of_replies_that_are_cut_those_that_came_whole_count() {
    for end in [|| Act::Reset, || Act::Close] {
        let (fake, client) = connected(UNHURRIED).await;
        let fault = move |asked: &Asked| {
            let mut lines = lines(asked);
            lines.truncate(4);
            lines[3].truncate(9);
            // By a reset, what was not read yet may be lost.
            vec![Act::send(lines.concat()), Act::Pause(Duration::from_millis(100)), end()]
        };
        assert_eq!(deleted_together(&fake, &client, fault).await, "ddd-----");
        assert_eq!(client.metric("crosstalk_total"), 0.0);
        serves_again(&client).await;
    }
}

/// A line without an end is let go at its limit, and takes neither memory nor the whole deadline.
#[tokio::test]
async fn a_reply_without_an_end_is_none() {
    let (fake, client) = connected(UNHURRIED).await;
    let fault = |asked: &Asked| {
        let mut lines = lines(asked);
        lines.truncate(3);
        vec![Act::send(lines.concat() + "SERVER_ERROR "), Act::Flood(vec![b'a'; 64 << 10])]
    };
    assert_eq!(deleted_together(&fake, &client, fault).await, "ddd-----");
    assert_eq!(client.metric("crosstalk_total"), 1.0);
    fake.flooded_bytes().await;
    serves_again(&client).await;
}

#[tokio::test]
async fn replies_in_pieces_are_put_together() {
    let (fake, client) = connected(UNHURRIED).await;
    let fault = |asked: &Asked| {
        let honest = asked.honest();
        honest.chunks(7).map(Act::send).collect()
    };
    assert_eq!(deleted_together(&fake, &client, fault).await, "dddddddd");
    assert_eq!((fake.connections(), client.metric("failures_total")), (CONNECTIONS, 0.0));
}

#[tokio::test]
async fn releases_whose_replies_were_lost_are_made_once_more_and_the_others_are_not() {
    let (fake, client) = connected(UNHURRIED).await;
    let Ok(Look::Found { lease, .. }) = client.look_up("user:1").await else { unreachable!() };
    let (sent, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (is_sent, wait) = (sent.clone(), answered.clone());
    fake.once(move |asked| {
        is_sent.add_permits(1);
        Some(vec![Act::Await(wait.clone()), Act::Send(asked.honest())])
    });
    let made = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let made = made.clone();
        fake.once(move |asked| {
            made.lock().unwrap().push(asked.keys.clone());
            let mut lines = lines(asked);
            lines.truncate(2);
            Some(vec![Act::send(lines.concat()), Act::Close])
        });
    }
    client.store.release(&key("user:ahead"), &lease);
    sent.acquire().await.unwrap().forget();
    for number in 0..5 {
        client.store.release(&key(&format!("user:{number}")), &lease);
    }
    answered.add_permits(1);
    let both = async || (made.lock().unwrap().len() == 2).then_some(());
    eventually("they are made once more", both).await;
    client.store.released().await;
    let names =
        |numbers: std::ops::Range<u32>| numbers.map(|n| format!("user:{n}")).collect::<Vec<_>>();
    let made: Vec<Vec<String>> = made.lock().unwrap().clone();
    assert_eq!(made, [names(0..5), names(2..5)]);
}
