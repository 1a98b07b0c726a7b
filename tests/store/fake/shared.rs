//! Callers of one key share a command.

use std::sync::Arc;

use aside::cache::{Look, Store, Token};
use futures_util::{
    future::{join, join_all},
    poll,
};
use support::{
    client::{LEASED, UNLEASED, body, key},
    fake::{Act, Asked, value_of},
};
use tokio::sync::Semaphore;

use super::{UNHURRIED, connected};

/// What memcached says to the first look at an absent key.
fn won(asked: &Asked) -> Act {
    let Asked { keys, opaque, .. } = asked;
    Act::send(format!("VA 0 t30 f0 c9 O{opaque} k{} W\r\n\r\nMN\r\n", keys[0]))
}

#[tokio::test]
async fn of_all_who_ask_for_one_key_at_once_one_is_chosen_by_one_command() {
    let (fake, client) = connected(UNHURRIED).await;
    fake.once(|asked| {
        assert_eq!(asked.keys, ["user:1"]);
        Some(vec![won(asked)])
    });
    let looks = join_all((0..64).map(async |_| client.look_up("user:1").await)).await;
    let tokens = looks.into_iter().map(|look| match look {
        Ok(Look::Placeholder { lease, token }) if lease.cas == 9 => token,
        other => panic!("{other:?}"),
    });
    let (chosen, others): (Vec<_>, Vec<_>) = tokens.partition(|token| *token == Token::Won);
    assert_eq!((chosen.len(), others.len()), (1, 63));
    assert!(others.iter().all(|token| *token == Token::Taken));
}

#[tokio::test]
async fn whoever_asks_for_the_same_key_otherwise_asks_alone() {
    let (fake, client) = connected(UNHURRIED).await;
    let round_trips = Arc::new(Semaphore::new(0));
    for _ in 0..2 {
        let counted = round_trips.clone();
        fake.once(move |asked| {
            assert_eq!(asked.keys, ["user:1"]);
            counted.add_permits(1);
            Some(vec![Act::send(asked.honest())])
        });
    }
    let asks = [LEASED, UNLEASED].into_iter().cycle().take(64);
    let looks = asks.map(async |ask| client.store.lookup(&key("user:1"), ask).await);
    for look in join_all(looks).await {
        assert_eq!(body(&look).unwrap(), &value_of("user:1"));
    }
    assert_eq!(round_trips.available_permits(), 2);
}

#[tokio::test]
async fn if_the_first_has_left_the_next_is_chosen() {
    let (fake, client) = connected(UNHURRIED).await;
    let (sent, answered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (is_sent, wait) = (sent.clone(), answered.clone());
    fake.once(move |asked| {
        is_sent.add_permits(1);
        Some(vec![Act::Await(wait.clone()), won(asked)])
    });
    let mut first = Box::pin(client.look_up("user:1"));
    assert!(poll!(&mut first).is_pending());
    let leave = async {
        sent.acquire().await.unwrap().forget();
        drop(first);
        answered.add_permits(1);
    };
    let (second, ()) = join(client.look_up("user:1"), leave).await;
    let is_chosen = matches!(second, Ok(Look::Placeholder { token: Token::Won, .. }));
    assert!(is_chosen, "{second:?}");
}
