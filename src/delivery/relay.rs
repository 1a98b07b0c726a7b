//! Relays what the triggers of somebody else's database have noted: the entries are forgotten everywhere, and then the notes
//! are removed. Whoever dies between the two leaves them to the next.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;

use super::Delivery;
use crate::{
    cache::{Key, Places},
    database::{Inbox, Noted, SEEN_MAX},
    metrics::Metrics,
};

/// Pause after it could not be read, or could not be relayed; doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(10);

/// The longest pause.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Failures in a row of which the log is told: a connection that is lost is made anew, and no news.
const FAILURES_TOLD: u32 = 4;

/// Tells the key of an entry by its resource and by the values of its parameters, a JSON array; `None` if there can be none.
pub type KeyOf = Arc<dyn Fn(&str, &str) -> Option<Key> + Send + Sync>;

/// The notes of one database's triggers, on their way to the log.
pub struct Relay {
    name: String,
    inbox: Inbox,
    key_of: KeyOf,
    delivery: Delivery,
    /// In a row.
    failures: u32,
    is_relayed: Gauge,
}

impl Relay {
    /// The relay of what is in `inbox`, that of the database `name`.
    pub fn new(
        name: String,
        inbox: Inbox,
        key_of: KeyOf,
        delivery: Delivery,
        metrics: &Metrics,
    ) -> Self {
        let is_relayed = metrics.notes_relayed(&name);
        is_relayed.set(1);
        Self { name, inbox, key_of, delivery, failures: 0, is_relayed }
    }

    /// Relays all that is there now.
    pub async fn drain(&mut self) {
        let drained = self.try_drain().await;
        self.note(drained.err());
    }

    /// Relays for ever.
    pub async fn run(mut self) {
        loop {
            self.inbox.due().await;
            self.drain().await;
            if let Some(doublings) = self.failures.checked_sub(1) {
                sleep(RETRY_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(RETRY_MAX))
                    .await;
            }
        }
    }

    async fn try_drain(&mut self) -> Result<(), String> {
        loop {
            let seen = self.inbox.look().await?;
            if seen.is_empty() {
                return Ok(());
            }
            let (mut left, mut last, mut is_forgotten) = (HashMap::new(), i64::MAX, false);
            if seen.len() <= SEEN_MAX as usize {
                // Each process at once, before anybody has taken it: whoever does may be slow, or reach no server. What is
                // forgotten at all servers already is not yet in this memory.
                last = seen.iter().map(|it| it.id).max().unwrap_or(last);
                let (done, open): (Vec<_>, Vec<_>) =
                    seen.into_iter().partition(|it| it.is_forgotten);
                self.delivery.forget_here(&self.keys(&done)).await;
                left.extend(self.delivery.forget_now(&self.keys(&open)).await);
                is_forgotten = left.values().all(|left: &Places| left.is_empty());
            }
            let taken = self.inbox.take(last, is_forgotten).await?;
            if taken.is_empty() {
                return Ok(());
            }
            let keys = self.keys(&taken);
            left.retain(|key, _| keys.contains(key));
            let new: Vec<_> = keys.into_iter().filter(|key| !left.contains_key(key)).collect();
            left.extend(self.delivery.forget_now(&new).await);
            let left: Vec<_> = left.into_iter().collect();
            self.delivery.outdate(&left).await.map_err(|error| error.to_string())?;
            self.inbox.remove(taken.iter().map(|it| it.id).collect()).await?;
            let keys = left.len();
            let database = &self.name;
            tracing::debug!(database, keys, "forgot what others have changed");
        }
    }

    /// The keys of the entries that are outdated, each once.
    fn keys(&self, noted: &[Noted]) -> Vec<Key> {
        let key = |Noted { resource, arguments, .. }: &Noted| (self.key_of)(resource, arguments);
        let keys: HashSet<Key> = noted.iter().filter_map(key).collect();
        keys.into_iter().collect()
    }

    /// One line when it keeps failing, and one when it works again.
    fn note(&mut self, error: Option<String>) {
        let database = &self.name;
        match error {
            Some(error) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures == FAILURES_TOLD {
                    self.is_relayed.set(0);
                    tracing::warn!(
                        database,
                        error,
                        "what its triggers note can't be read: entries live until they lapse"
                    );
                }
            }
            None => {
                if self.failures >= FAILURES_TOLD {
                    tracing::info!(database, "what its triggers note is read again");
                }
                self.failures = 0;
                self.is_relayed.set(1);
            }
        }
    }
}
