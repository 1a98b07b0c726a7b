//! A store that is a real [`Memory`] at the other end of a bad wire.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aside::cache::{Ask, Filled, Key, Lease, Look, Memory, Places, Store, StoreError, Value};
use futures_util::FutureExt;
use tokio::{
    task::yield_now,
    time::{Instant, timeout},
};

use super::{
    chance, pause,
    server::{Flaw, Server},
};

/// The time that a caller waits for an operation, which goes on without it.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_millis(50);

/// One replica's connection. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    server: Arc<Server>,
    connection: Arc<Mutex<Connection>>,
}

#[derive(Debug)]
struct Connection {
    /// The moment at which it was made; `None` while it is broken.
    made_at: Option<Instant>,
    cuts: u32,
}

impl Wire {
    pub(crate) fn new(server: &Arc<Server>) -> Self {
        let connection = Connection { made_at: Some(Instant::now()), cuts: 0 };
        Self { server: server.clone(), connection: Arc::new(Mutex::new(connection)) }
    }

    /// Breaks the connection, and makes it again a little later, unless it is cut once more before that.
    pub(crate) fn cut(&self) {
        let connection = self.connection.clone();
        let cuts = {
            let mut connection = connection.lock().unwrap();
            connection.made_at = None;
            connection.cuts += 1;
            connection.cuts
        };
        tokio::spawn(async move {
            pause(fastrand::u64(1..30)).await;
            let mut connection = connection.lock().unwrap();
            if connection.cuts == cuts {
                connection.made_at = Some(Instant::now());
            }
        });
    }

    fn connection(&self) -> Result<Instant, StoreError> {
        self.connection.lock().unwrap().made_at.ok_or(StoreError::NoAnswer)
    }

    /// Fails if the connection is another one by now: what was on its way is lost.
    fn still(&self, connection: Instant) -> Result<(), StoreError> {
        let now = self.connection()?;
        if now == connection { Ok(()) } else { Err(StoreError::NoAnswer) }
    }

    /// Lets `operation` wait for its turn, travel to the server, happen, and its answer travel back; each
    /// of these may take longer than the caller waits. It goes on when the caller has left.
    async fn send<R: Send + 'static>(
        &self,
        operation: impl FnOnce(&Memory, Instant, Instant) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let [queued, there, back] = [self.delay(), self.delay(), self.delay()];
        let wire = self.clone();
        let trip = async move {
            pause(queued).await;
            let (connection, asked_at) = (wire.connection()?, Instant::now());
            pause(there).await;
            wire.still(connection)?;
            if wire.server.loses() {
                return Err(StoreError::Refused);
            }
            let result = operation(&wire.server.memory(), asked_at, connection);
            pause(back).await;
            wire.still(connection)?;
            if wire.server.loses() { Err(StoreError::NoAnswer) } else { result }
        };
        if queued + there + back == 0 {
            // Spares the timers; the others have their turn before it and after it.
            yield_now().await;
            let result = trip.await;
            yield_now().await;
            return result;
        }
        match timeout(OPERATION_TIMEOUT, tokio::spawn(trip)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(StoreError::NoAnswer),
        }
    }

    /// Milliseconds; now and then more than a caller waits.
    fn delay(&self) -> u64 {
        if self.server.is_slow() { fastrand::u64(0..80) } else { u64::from(chance(15)) }
    }
}

/// The operations of [`Memory`] never wait.
fn now<R>(operation: impl Future<Output = R>) -> R {
    operation.now_or_never().unwrap()
}

impl Store for Wire {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        let key = key.clone();
        self.send(move |memory, asked_at, connected_at| {
            let over_this = |lease| Lease { asked_at, connected_at, ..lease };
            Ok(match now(memory.lookup(&key, ask))? {
                Look::Found { found, lease, token } => {
                    Look::Found { found, lease: over_this(lease), token }
                }
                Look::Placeholder { lease, token } => {
                    Look::Placeholder { lease: over_this(lease), token }
                }
                Look::Absent => Look::Absent,
            })
        })
        .await
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        let (key, lease, flaw) = (key.clone(), *lease, self.server.flaw);
        self.send(move |memory, _, connected_at| match flaw {
            Flaw::FillsIgnoreLeases => {
                now(memory.forget(&key)).map_err(|_| StoreError::Refused)?;
                let ask = Ask { lease_s: Some(1), refresh_s: None };
                let Look::Placeholder { lease, .. } = now(memory.lookup(&key, ask))? else {
                    return Err(StoreError::Refused);
                };
                now(memory.fill(&key, &lease, value))
            }
            Flaw::None if lease.asked_at < connected_at => Ok(Filled::Void),
            Flaw::None | Flaw::LeasesAreNeverVoid => now(memory.fill(&key, &lease, value)),
        })
        .await
    }

    fn release(&self, key: &Key, lease: &Lease) {
        let (wire, key, lease) = (self.clone(), key.clone(), *lease);
        // It travels like all others; nobody waits for it.
        tokio::spawn(async move {
            wire.send(move |memory, _, connected_at| {
                if lease.asked_at < connected_at {
                    now(memory.forget(&key)).map_err(|_| StoreError::Refused)
                } else {
                    memory.release(&key, &lease);
                    Ok(())
                }
            })
            .await
        });
    }

    async fn forget(&self, key: &Key) -> Result<(), Places> {
        let key = key.clone();
        let forgotten = self.send(move |memory, _, _| Ok(now(memory.forget(&key)))).await;
        forgotten.unwrap_or(Err(Places::only(0)))
    }
}
