//! A memcached that does wrong: every reply that is not whole and the one asked for is an error of the
//! one operation, never somebody's value; and the same client serves rightly again.

mod batches;
mod broken;
mod changes;
mod limits;
mod nobodys;
mod pipelined;
use std::time::Duration;

use aside::cache::{Look, StoreError};
use support::{
    client::{Client, body},
    eventually,
    fake::{Act, Asked, CONNECTIONS, Fake, Verb, value_of},
};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

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
