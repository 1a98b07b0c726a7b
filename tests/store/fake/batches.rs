//! What is queued together.

use std::sync::Arc;

use aside::cache::{Look, Store};
use futures_util::future::{join, join_all};
use support::{
    client::{LEASED, UNLEASED, body, key},
    fake::{Act, CONNECTIONS, block, value_of},
};
use tokio::sync::Semaphore;

use super::{UNHURRIED, connected};

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
