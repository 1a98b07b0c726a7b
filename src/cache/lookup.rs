//! Lookup: a fresh or a stale entry is the answer and goes straight back; what is absent is loaded.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use tower::{Layer, Service};

use super::{
    Account, Answer, Ask, Backoff, Claim, Detail, Directives, Entry, Failure, Forward, Get,
    GetError, Key, Load, LoadError, Loaded, Look, Policy, Room, Served, Source, Store, Token,
    decide::{Decision, Need, decide, decide_unasked},
    policy::seconds,
};
use crate::metrics::{CacheMetrics, LoadResult, Outcome};

/// Answers from the store. See the module's first line.
#[derive(Debug)]
pub struct LookupLayer<Src, T> {
    source: Arc<Src>,
    store: T,
    policy: Policy,
    backoff: Backoff,
    room: Room,
    metrics: CacheMetrics,
}

impl<Src: Source, T: Store> LookupLayer<Src, T> {
    /// Looks the keys of `source` up in `store`, and takes no lease while there is no `room` for a load.
    pub fn new(
        source: &Arc<Src>,
        store: &T,
        policy: &Policy,
        backoff: &Backoff,
        room: Room,
        metrics: &CacheMetrics,
    ) -> Self {
        let (source, store, policy) = (source.clone(), store.clone(), policy.clone());
        Self { source, store, policy, backoff: backoff.clone(), room, metrics: metrics.clone() }
    }
}

impl<Src: Source, T: Store, S> Layer<S> for LookupLayer<Src, T> {
    type Service = Lookup<Src, T, S>;

    fn layer(&self, flights: S) -> Lookup<Src, T, S> {
        Lookup {
            shared: Arc::new(Shared {
                source: self.source.clone(),
                store: self.store.clone(),
                policy: self.policy.clone(),
                backoff: self.backoff.clone(),
                room: self.room.clone(),
                metrics: self.metrics.clone(),
                flights,
            }),
        }
    }
}

/// Answers from `T` what it can, and sends the rest to `S`.
pub struct Lookup<Src, T, S> {
    shared: Arc<Shared<Src, T, S>>,
}

struct Shared<Src, T, S> {
    source: Arc<Src>,
    store: T,
    policy: Policy,
    backoff: Backoff,
    room: Room,
    metrics: CacheMetrics,
    flights: S,
}

impl<Src, T, S> Clone for Lookup<Src, T, S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<Src, T, S> fmt::Debug for Lookup<Src, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}

impl<Src, T, S> Service<Get<Src::Id>> for Lookup<Src, T, S>
where
    Src: Source,
    T: Store,
    S: Service<Load<Src::Id>, Response = Loaded, Error = LoadError> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Answer, Failure>>;

    /// Always ready: what bounds a load happens inside its future.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, get: Get<Src::Id>) -> Self::Future {
        let shared = self.shared.clone();
        async move {
            let begun_at = Instant::now();
            let result = shared.get(get, begun_at).await;
            let account = match &result {
                Ok(answer) => &answer.account,
                Err(failure) => &failure.account,
            };
            let outcome = account.served.outcome();
            shared.metrics.get(outcome);
            if matches!(outcome, Outcome::Hit | Outcome::NegativeHit | Outcome::Stale) {
                shared.metrics.hit_seconds.observe(begun_at.elapsed().as_secs_f64());
            }
            result
        }
        .boxed()
    }
}

impl<Src, T, S> Shared<Src, T, S>
where
    Src: Source,
    T: Store,
    S: Service<Load<Src::Id>, Response = Loaded, Error = LoadError> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    async fn get(
        &self,
        Get { id, directives }: Get<Src::Id>,
        begun_at: Instant,
    ) -> Result<Answer, Failure> {
        let key = self.source.key(&id);
        let (decision, lookup) = if directives.no_store {
            (decide_unasked(directives), begun_at.elapsed())
        } else {
            // Ask and look: the one round trip of a hit.
            let ask = self.ask(&key, directives);
            let look = self.store.lookup(&key, ask).await;
            let lookup = begun_at.elapsed();
            if let Ok(Look::Found { token: Token::Won, .. }) = look {
                // It was chosen to refresh: if loads of the key fail, this is the next try.
                self.backoff.tried(&key);
            }
            let failing = self.backoff.is_failing(&key);
            (decide(look, ask.lease_s.is_some(), directives, &self.policy, failing), lookup)
        };
        match decision {
            // A hit, or a stale one; the answer does not wait for its refresh.
            Decision::Serve { entry, refresh, detail } => {
                if let Some(claim) = refresh {
                    self.refresh(id, &key, claim);
                }
                Ok(hit(key, entry, detail, lookup))
            }
            // A miss, or an entry that does not suit: through the flights, to the source.
            Decision::Load(need) => self.load(id, key, need, lookup).await,
            Decision::NotCached { detail } => Err(not_cached(key, detail, lookup)),
            Decision::Refuse => Err(self.refused(key, lookup)),
        }
    }

    /// Begins a refresh. The flight begins with the call; its answer is for later callers.
    fn refresh(&self, id: Src::Id, key: &Key, claim: Claim) {
        drop(self.flights.clone().call(Load { id, key: key.clone(), claim: Some(claim) }));
    }

    /// What the look asks for. While the key backs off nobody refreshes it, so nobody takes the token. Who
    /// could not load takes no lease either: to give it back takes a round trip, for which others would wait.
    fn ask(&self, key: &Key, directives: Directives) -> Ask {
        if directives.only_if_cached || !self.room.is_left() {
            Ask { lease_s: None, refresh_s: None }
        } else {
            self.policy.ask(!self.backoff.holds(key))
        }
    }

    /// The refusal of a load for which there is no room, and for which no lease was taken.
    fn refused(&self, key: Key, lookup: Duration) -> Failure {
        self.metrics.load(LoadResult::Overloaded);
        let why = Forward::Miss;
        let served = Served::Forwarded { why, collapsed: false, stored: Some(false) };
        let account = Account { key, served, detail: None, lookup, load: None };
        Failure { error: LoadError::Overloaded.into(), account }
    }

    async fn load(
        &self,
        id: Src::Id,
        key: Key,
        Need { why, claim, stand_in, detail }: Need,
        lookup: Duration,
    ) -> Result<Answer, Failure> {
        let begun_at = Instant::now();
        let result = self.flights.clone().call(Load { id, key: key.clone(), claim }).await;
        let load = Some(begun_at.elapsed());
        let account = |served, detail| Account { key, served, detail, lookup, load };
        match (result, stand_in) {
            (Ok(loaded), _) => {
                let Loaded { body, age_s, collapsed, stored, detail: of_load } = loaded;
                let served = Served::Forwarded { why, collapsed, stored };
                let detail = match detail {
                    // That it may be old matters more than why it was not stored.
                    Some(Detail::Fallback) => detail,
                    _ => of_load.or(detail),
                };
                Ok(Answer { body, age_s, account: account(served, detail) })
            }
            (Err(_), Some(Entry { body, age_s, fresh_s })) => {
                let gone_s = seconds(begun_at.elapsed());
                let served = Served::StaleIfError { ttl_s: fresh_s - i64::from(gone_s) };
                let age_s = age_s.saturating_add(gone_s);
                Ok(Answer { body, age_s, account: account(served, detail) })
            }
            (Err(error), None) => {
                let served = Served::Forwarded { why, collapsed: false, stored: Some(false) };
                Err(Failure { error: error.into(), account: account(served, detail) })
            }
        }
    }
}

fn not_cached(key: Key, detail: Option<Detail>, lookup: Duration) -> Failure {
    let account = Account { key, served: Served::Unanswered, detail, lookup, load: None };
    Failure { error: GetError::NotCached, account }
}

fn hit(key: Key, entry: Entry, detail: Option<Detail>, lookup: Duration) -> Answer {
    let Entry { body, age_s, fresh_s } = entry;
    let served = Served::Hit { ttl_s: fresh_s, negative: body.is_none() };
    Answer { body, age_s, account: Account { key, served, detail, lookup, load: None } }
}
