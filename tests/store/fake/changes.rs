//! Replies to changes.

use aside::cache::{Filled, Lease, Look, Store, StoreError};
use support::{
    client::{Client, key, value},
    eventually,
    fake::{Act, Asked, CONNECTIONS, Fake, Verb, block},
};

use super::{UNHURRIED, connected, serves_again};

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
        assert_eq!(client.forget("user:1").await, Ok(()));
        eventually("the connection is dropped", async || {
            let _ = client.forget("user:1").await;
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
        fake.once(move |asked| {
            (asked.verb == verb).then(|| vec![Act::send(fault(asked) + "MN\r\n")])
        });
    }
    let lease = lease(&client).await;
    let filled = client.store.fill(&key("user:1"), &lease, value("{}")).await;
    let deleted = client.forget("user:1").await;
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
