//! Replies that were not asked for: to another key, of another round trip, or once too often.

use aside::cache::{Store, StoreError};
use futures_util::future::join_all;
use support::{
    client::{UNLEASED, body, key},
    eventually,
    fake::{Act, Asked, CONNECTIONS, block, value_of},
};

use super::{UNHURRIED, connected, is_right_or_an_error, looks_up, serves_again, struck};

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
