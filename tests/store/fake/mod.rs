//! A memcached that does wrong: every reply that is not whole and the one asked for is an error of the
//! one operation, never somebody's value; and the same client serves rightly again.

mod batches;
mod broken;
mod changes;
mod nobodys;
mod pipelined;
mod shared;

use std::time::Duration;

use aside::cache::{Look, StoreError};
use support::fake::{Act, Asked, CONNECTIONS, Verb, connected, is_right_or_an_error, serves_again};

/// More than a round trip of these tests takes on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(5);

type Looked = Result<Look, StoreError>;

/// True if `asked` looks up this very key and no other.
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
