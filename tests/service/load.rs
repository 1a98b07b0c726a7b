//! Clients that ask for users without a pause, until they are told to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use support::{answer::Answer, aside::Aside};
use tokio::task::JoinSet;

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Tally>,
}

/// The fate of the requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answers: usize,
    /// Answers other than the user that was asked for, and requests without an answer.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Lets `clients` clients ask for the users 1 to `ids` in turn, each from another one on.
    pub(crate) fn start(aside: &Aside, clients: i64, ids: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let (client, address, stop) = (aside.client.clone(), aside.address, stop.clone());
            async move {
                let mut tally = Tally::default();
                let mut id = number * ids / clients;
                while !stop.load(Ordering::Relaxed) {
                    id = id % ids + 1;
                    let request = client.get(format!("http://{address}/users/{id}"));
                    tally.answers += 1;
                    match Answer::to(request).await {
                        Ok(answer) if answer.status == 200 && answer.json()["id"] == id => {}
                        other => tally.failures.push(format!("{other:?}")),
                    }
                }
                tally
            }
        });
        Self { clients: clients.collect(), stop }
    }

    /// Lets all clients finish the request that they are at.
    pub(crate) async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let tallies = self.clients.join_all().await.into_iter();
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum.answers += tally.answers;
            sum.failures.extend(tally.failures);
            sum
        })
    }
}
