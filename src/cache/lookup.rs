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
    GetError, Key, Lease, Load, LoadError, Loaded, Look, Origin, Policy, Room, Served, Source,
    Store, Token, single_flight::Role,
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

/// A load that is needed, and what is known before it is made.
struct Need {
    why: Forward,
    claim: Option<Claim>,
    /// A stale entry that may stand in if the load fails.
    stand_in: Option<Entry>,
    detail: Option<Detail>,
}

impl<Src, T, S> Shared<Src, T, S>
where
    Src: Source,
    T: Store,
    S: Service<Load<Src::Id>, Response = Loaded, Error = LoadError> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    async fn get(&self, get: Get<Src::Id>, begun_at: Instant) -> Result<Answer, Failure> {
        let Get { id, directives } = get;
        let key = self.source.key(&id);
        let need = if directives.no_store {
            Need { why: Forward::Request, claim: None, stand_in: None, detail: None }
        } else {
            let ask = self.ask(&key, directives);
            let look = self.store.lookup(&key, ask).await;
            let lookup = begun_at.elapsed();
            match look {
                Ok(Look::Found { found, lease, token }) => {
                    let detail = fallback(&lease);
                    let Some(entry) = Entry::read(&found, &self.policy) else {
                        let claim = Some(Claim { lease, role: Role::Replace });
                        let need = Need { why: Forward::Miss, claim, stand_in: None, detail };
                        return self.load(id, key, directives, need, lookup).await;
                    };
                    let refresh = Claim { lease, role: Role::Refresh(found) };
                    if token == Token::Won {
                        self.backoff.tried(&key);
                    }
                    if directives.allow(&entry, self.grace_s(&key)) {
                        if entry.fresh_s < 0 && token == Token::Won {
                            // The flight begins with the call; its answer is for later callers.
                            drop(self.flights.clone().call(Load::new(
                                id,
                                key.clone(),
                                Some(refresh),
                            )));
                        }
                        return Ok(hit(key, entry, detail, lookup));
                    }
                    self.unsuitable(entry, refresh, token, directives, detail)
                }
                Ok(Look::Placeholder { lease, token }) => Need {
                    why: Forward::Miss,
                    detail: fallback(&lease),
                    claim: Some(Claim {
                        lease,
                        role: if token == Token::Won { Role::Hold } else { Role::Wait },
                    }),
                    stand_in: None,
                },
                Ok(Look::Absent) if ask.lease_s.is_none() => {
                    return Err(self.not_loaded(key, directives, lookup));
                }
                Ok(Look::Absent) => Need {
                    why: Forward::Miss,
                    claim: None,
                    stand_in: None,
                    detail: Some(Detail::NotStored),
                },
                Err(_) => Need {
                    why: Forward::Bypass,
                    claim: None,
                    stand_in: None,
                    detail: Some(Detail::Unavailable),
                },
            }
        };
        self.load(id, key, directives, need, begun_at.elapsed()).await
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

    /// How long after its fresh life an entry is served at once: while the source is known to fail, for as long as
    /// the policy lets it stand in, to whoever has just won the refresh as well.
    fn grace_s(&self, key: &Key) -> u32 {
        let grace = self.policy.stale_while_revalidate;
        let failing = self.backoff.is_failing(key);
        seconds(if failing { grace.max(self.policy.stale_if_error) } else { grace })
    }

    /// What a found entry that is not the answer makes necessary.
    fn unsuitable(
        &self,
        entry: Entry,
        refresh: Claim,
        token: Token,
        directives: Directives,
        detail: Option<Detail>,
    ) -> Need {
        let grace_s = seconds(self.policy.stale_while_revalidate);
        let plain = Directives::default().allow(&entry, grace_s);
        let claim = match token {
            Token::Won => refresh,
            Token::Taken if !plain => Claim { role: Role::Wait, ..refresh },
            Token::Taken | Token::Unclaimed => Claim { role: Role::Replace, ..refresh },
        };
        let stale_s = seconds(self.policy.stale_if_error);
        let patient = Directives { max_stale_s: None, ..directives };
        Need {
            why: if plain { Forward::Request } else { Forward::Stale },
            claim: Some(claim),
            stand_in: patient.allow(&entry, stale_s).then_some(entry),
            detail,
        }
    }

    /// The answer where nothing is stored and no lease was asked for.
    fn not_loaded(&self, key: Key, directives: Directives, lookup: Duration) -> Failure {
        if directives.only_if_cached {
            return not_cached(key, None, lookup);
        }
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
        directives: Directives,
        need: Need,
        lookup: Duration,
    ) -> Result<Answer, Failure> {
        let Need { why, claim, stand_in, detail } = need;
        if directives.only_if_cached {
            return Err(not_cached(key, detail, lookup));
        }
        let begun_at = Instant::now();
        let result = self.flights.clone().call(Load::new(id, key.clone(), claim)).await;
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

/// What is to be said of an answer that depends on this lease.
pub(super) fn fallback(lease: &Lease) -> Option<Detail> {
    (lease.origin == Origin::Fallback).then_some(Detail::Fallback)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
