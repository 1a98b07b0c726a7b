//! Lookup: a fresh or a stale entry is the answer and goes straight back; what is absent is loaded.

use std::sync::Arc;

use tokio::time::Instant;
use tower::{Layer, Service, service_fn};

use super::{
    Account, Answer, Ask, Cache, Detail, Directives, Entry, Failure, Forward, Get, GetError, Key,
    LoadError, Look, Policy, Served, Source, Store, Token,
    backoff::Backoff,
    bulkhead::Room,
    decide::{Decision, Need, decide, decide_unasked},
    load::{Fills, Load, Loaded},
    policy::seconds,
};
use crate::metrics::{CacheMetrics, LoadResult, Outcome};

/// Answers from the store. See the module's first line.
pub(super) struct LookupLayer<Src, T>(Arc<Parts<Src, T>>);

/// Everything that a lookup needs but the flights.
struct Parts<Src, T> {
    source: Arc<Src>,
    store: T,
    policy: Policy,
    backoff: Backoff,
    room: Arc<Room>,
    metrics: CacheMetrics,
}

impl<Src: Source, T: Store> LookupLayer<Src, T> {
    /// Looks the keys of `source` up in `store`, and takes no lease while there is no `room` for a load.
    pub(super) fn new(
        source: &Arc<Src>,
        store: &T,
        policy: &Policy,
        backoff: &Backoff,
        room: Arc<Room>,
        metrics: &CacheMetrics,
    ) -> Self {
        let (source, store, policy) = (source.clone(), store.clone(), policy.clone());
        let (backoff, metrics) = (backoff.clone(), metrics.clone());
        Self(Arc::new(Parts { source, store, policy, backoff, room, metrics }))
    }
}

impl<Src: Source, T: Store> Layer<Fills<Src::Id>> for LookupLayer<Src, T> {
    type Service = Cache<Src::Id>;

    fn layer(&self, flights: Fills<Src::Id>) -> Cache<Src::Id> {
        let lookup = Arc::new(Lookup { parts: self.0.clone(), flights });
        Cache::new(service_fn(move |get| lookup.clone().answer(get)))
    }
}

/// Answers from `T` what it can, and sends the rest to the flights.
struct Lookup<Src: Source, T> {
    parts: Arc<Parts<Src, T>>,
    flights: Fills<Src::Id>,
}

impl<Src: Source, T: Store> Lookup<Src, T> {
    /// Counts and times the answer.
    async fn answer(self: Arc<Self>, get: Get<Src::Id>) -> Result<Answer, Failure> {
        let begun_at = Instant::now();
        let result = self.get(get, begun_at).await;
        let (Ok(Answer { account, .. }) | Err(Failure { account, .. })) = &result;
        let (outcome, metrics) = (account.served.outcome(), &self.parts.metrics);
        metrics.gets.count(outcome);
        metrics.asked.sample(account.key.as_str(), begun_at);
        if matches!(outcome, Outcome::Hit | Outcome::NegativeHit | Outcome::Stale) {
            metrics.hit_seconds.observe(begun_at.elapsed().as_secs_f64());
        }
        result
    }

    async fn get(&self, get: Get<Src::Id>, begun_at: Instant) -> Result<Answer, Failure> {
        let Parts { source, store, policy, backoff, metrics, .. } = &*self.parts;
        let Get { id, directives } = get;
        let key = source.key(&id);
        let decision = if directives.no_store {
            decide_unasked(directives)
        } else {
            // Ask and look: the one round trip of a hit.
            let ask = self.ask(&key, directives);
            let look = store.lookup(&key, ask).await;
            if let Ok(Look::Found { token: Token::Won, .. }) = look {
                // It was chosen to refresh: if loads of the key fail, this is the next try.
                backoff.tried(&key);
            }
            let failing = backoff.is_failing(&key);
            decide(look, ask.lease_s.is_some(), directives, policy, failing)
        };
        let lookup = begun_at.elapsed();
        let served = Served::Unanswered;
        let account = Account { key, served, detail: None, lookup, load: None };
        match decision {
            // To the caller: a fresh entry, or a stale one, whose answer does not wait for its refresh.
            Decision::Serve { entry: Entry { body, age_s, fresh_s }, refresh, detail } => {
                if refresh.is_some() {
                    // The flight begins with the call; its answer is for later callers.
                    let load = Load { id, key: account.key.clone(), claim: refresh };
                    drop(self.flights.clone().call(load));
                }
                let served = Served::Hit { ttl_s: fresh_s, negative: body.is_none() };
                Ok(Answer { body, age_s, account: Account { served, detail, ..account } })
            }
            // Through the flights to the source: nothing is there, or an entry that does not suit.
            Decision::Load(need) => self.load(id, need, account).await,
            // To the caller, with nothing: it wants a stored answer only.
            Decision::NotCached { detail } => {
                let error = GetError::NotCached;
                Err(Failure { error, account: Account { detail, ..account } })
            }
            // To the caller, with nothing: there is no room for a load, and no lease was taken for one.
            Decision::Refuse => {
                metrics.loads.count(LoadResult::Overloaded);
                Err(not_loaded(LoadError::Overloaded, Forward::Miss, account))
            }
        }
    }

    /// The terms of a look. While the key backs off nobody refreshes it, so nobody takes the token. A caller that
    /// could not load takes no lease either: to give it back takes a round trip, for which others would wait.
    fn ask(&self, key: &Key, directives: Directives) -> Ask {
        let Parts { policy, backoff, room, .. } = &*self.parts;
        if directives.only_if_cached || !room.is_left() {
            return Ask { lease_s: None, refresh_s: None };
        }
        policy.ask(!backoff.holds(key))
    }

    async fn load(&self, id: Src::Id, need: Need, account: Account) -> Result<Answer, Failure> {
        let Need { why, claim, stand_in, detail } = need;
        let begun_at = Instant::now();
        self.parts.metrics.missed.count(account.key.as_str(), begun_at);
        let load = Load { id, key: account.key.clone(), claim };
        let result = self.flights.clone().call(load).await;
        let gone = begun_at.elapsed();
        let account = Account { detail, load: Some(gone), ..account };
        match (result, stand_in) {
            // The source's, or that of another load of the same.
            (Ok(Loaded { body, age_s, collapsed, stored, detail: of_load, .. }), _) => {
                let served = Served::Forwarded { why, collapsed, stored };
                let detail = match detail {
                    // That it may be old matters more than why it was not stored.
                    Some(Detail::Fallback) => detail,
                    _ => of_load.or(detail),
                };
                Ok(Answer { body, age_s, account: Account { served, detail, ..account } })
            }
            // The source failed, and the stale entry of the look stands in. It has grown older meanwhile.
            (Err(error), Some(Entry { body, age_s, fresh_s })) if error.is_outage() => {
                let gone_s = seconds(gone);
                let served = Served::StaleIfError { ttl_s: fresh_s - i64::from(gone_s) };
                let age_s = age_s.saturating_add(gone_s);
                Ok(Answer { body, age_s, account: Account { served, ..account } })
            }
            // The source failed, and there is nothing else that may stand in.
            (Err(error), _) => Err(not_loaded(error, why, account)),
        }
    }
}

fn not_loaded(error: LoadError, why: Forward, account: Account) -> Failure {
    let served = Served::Forwarded { why, collapsed: false, stored: Some(false) };
    Failure { error: error.into(), account: Account { served, ..account } }
}
