//! The decision: whether what a look saw is served, refreshed behind its back, or loaded. No I/O, no clock.

use super::{
    Detail, Directives, Entry, Forward, Look, Policy, StoreError, Token,
    load::{Claim, Role},
    policy::seconds,
};

/// The step after a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The entry is the answer.
    Serve {
        entry: Entry,
        /// The refresh that begins behind the answer, if the caller was chosen for it.
        refresh: Option<Claim>,
        detail: Option<Detail>,
    },
    /// The source is asked.
    Load(Need),
    /// The caller wants a stored answer only, and there is none that suits.
    NotCached { detail: Option<Detail> },
    /// Nothing is stored, and no lease was asked for, as there is no room for a load.
    Refuse,
}

/// A load that is needed, and what is known before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) why: Forward,
    /// The claim that the look gave; `None` if the store was not asked, or gives nothing.
    pub(super) claim: Option<Claim>,
    /// A stale entry that may stand in if the load fails.
    pub(super) stand_in: Option<Entry>,
    pub(super) detail: Option<Detail>,
}

impl Need {
    fn new(why: Forward, claim: Option<Claim>, detail: Option<Detail>) -> Self {
        Self { why, claim, stand_in: None, detail }
    }
}

/// Decides what becomes of a request that wants nothing of the store (`no-store`), so that it is not asked.
pub(super) fn decide_unasked(directives: Directives) -> Decision {
    loaded(Need::new(Forward::Request, None, None), directives)
}

/// Decides what becomes of a request after its look. `took_lease` says whether the look asked for one, `failing`
/// whether loads of the key are known to fail.
pub(super) fn decide(
    look: Result<Look, StoreError>,
    took_lease: bool,
    directives: Directives,
    policy: &Policy,
    failing: bool,
) -> Decision {
    let need = match look {
        Ok(Look::Found { found, lease, token }) => {
            let detail = Detail::of(&lease);
            match Entry::read(&found, policy) {
                Some(entry) => {
                    let refresh = Claim { lease, role: Role::Refresh(found) };
                    if directives.allow(&entry, grace_s(policy, failing)) {
                        let chosen = entry.fresh_s < 0 && token == Token::Won;
                        return Decision::Serve {
                            entry,
                            refresh: chosen.then_some(refresh),
                            detail,
                        };
                    }
                    unsuitable(entry, refresh, token, directives, policy, detail)
                }
                // Another schema, or another program's: replaced, even if somebody else loads.
                None => {
                    let claim = Claim { lease, role: Role::Replace };
                    Need::new(Forward::Miss, Some(claim), detail)
                }
            }
        }
        Ok(Look::Placeholder { lease, token }) => {
            let role = if token == Token::Won { Role::Hold } else { Role::Wait };
            Need::new(Forward::Miss, Some(Claim { lease, role }), Detail::of(&lease))
        }
        Ok(Look::Absent) if !took_lease && !directives.only_if_cached => return Decision::Refuse,
        // The store is full, and was told not to evict.
        Ok(Look::Absent) if took_lease => Need::new(Forward::Miss, None, Some(Detail::NotStored)),
        Ok(Look::Absent) => Need::new(Forward::Miss, None, None),
        Err(_) => Need::new(Forward::Bypass, None, Some(Detail::Unavailable)),
    };
    loaded(need, directives)
}

/// The load, unless the caller wants none.
fn loaded(need: Need, directives: Directives) -> Decision {
    if directives.only_if_cached {
        return Decision::NotCached { detail: need.detail };
    }
    Decision::Load(need)
}

/// The seconds after its fresh life for which an entry is served at once. While the source is known to fail, they are
/// as many as the policy lets it stand in, for a caller that has just won the refresh as well.
fn grace_s(policy: &Policy, failing: bool) -> u32 {
    let grace = policy.stale_while_revalidate;
    seconds(if failing { grace.max(policy.stale_if_error) } else { grace })
}

/// The load that an entry makes necessary which is there but is not the answer.
fn unsuitable(
    entry: Entry,
    refresh: Claim,
    token: Token,
    directives: Directives,
    policy: &Policy,
    detail: Option<Detail>,
) -> Need {
    // Whether it would do for a request that asks for nothing: then only the request's directives are against it.
    let plain = Directives::default().allow(&entry, grace_s(policy, false));
    let claim = match token {
        Token::Won => refresh,
        Token::Taken if !plain => Claim { role: Role::Wait, ..refresh },
        Token::Taken | Token::Unclaimed => Claim { role: Role::Replace, ..refresh },
    };
    let patient = Directives { max_stale_s: None, ..directives };
    let stands_in = patient.allow(&entry, seconds(policy.stale_if_error));
    Need {
        why: if plain { Forward::Request } else { Forward::Stale },
        claim: Some(claim),
        stand_in: stands_in.then_some(entry),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::cache::{Flags, Lease, Origin, SCHEMA, Value};

    /// 60 s fresh, 10 s more while it is refreshed, 300 s more if the source fails; so 360 s of life.
    fn policy() -> Policy {
        Policy::default()
    }

    fn lease() -> Lease {
        let now = Instant::now();
        Lease { cas: 7, origin: Origin::Memory, asked_at: now, connected_at: now }
    }

    fn entry(left_s: u32, token: Token) -> Result<Look, StoreError> {
        let flags = Flags { schema: SCHEMA, negative: false, lifetime_s: 360 }.pack();
        let found = Value { body: Bytes::from_static(b"{}"), flags, left_s };
        Ok(Look::Found { found, lease: lease(), token })
    }

    fn unreadable() -> Result<Look, StoreError> {
        let found = Value { body: Bytes::from_static(b"hello"), flags: 0, left_s: 60 };
        Ok(Look::Found { found, lease: lease(), token: Token::Unclaimed })
    }

    fn placeholder(token: Token) -> Result<Look, StoreError> {
        Ok(Look::Placeholder { lease: lease(), token })
    }

    fn absent() -> Result<Look, StoreError> {
        Ok(Look::Absent)
    }

    fn away() -> Result<Look, StoreError> {
        Err(StoreError::Unavailable)
    }

    /// A decision in the words of the table.
    fn words(decision: Decision) -> String {
        match decision {
            Decision::Serve { refresh: None, .. } => "serve".to_owned(),
            Decision::Serve { refresh: Some(_), .. } => "serve, refresh behind".to_owned(),
            Decision::NotCached { .. } => "504".to_owned(),
            Decision::Refuse => "503".to_owned(),
            Decision::Load(Need { why, claim, stand_in, .. }) => {
                let role = match claim.map(|claim| claim.role) {
                    Some(Role::Hold) => "hold",
                    Some(Role::Refresh(_)) => "refresh",
                    Some(Role::Replace) => "replace",
                    Some(Role::Wait) => "wait",
                    None => "alone",
                };
                let stand_in = if stand_in.is_some() { ", or stale" } else { "" };
                format!("{why:?}: {role}{stand_in}").to_lowercase()
            }
        }
    }

    const FRESH: u32 = 340;
    const STALE: u32 = 295;
    const OLD: u32 = 200;

    #[test]
    fn the_table_of_what_is_done_after_a_look() {
        use Token::{Taken, Unclaimed, Won};
        for (line, asked, failing, look, done) in [
            // What memcached says to a request that asks for nothing.
            (1, "", false, entry(FRESH, Unclaimed), "serve"),
            (2, "", false, entry(STALE, Won), "serve, refresh behind"),
            (3, "", false, entry(STALE, Taken), "serve"),
            (4, "", false, entry(OLD, Won), "stale: refresh, or stale"),
            (5, "", false, entry(OLD, Taken), "stale: wait, or stale"),
            (6, "", false, entry(OLD, Unclaimed), "stale: replace, or stale"),
            (7, "", false, unreadable(), "miss: replace"),
            (8, "", false, placeholder(Won), "miss: hold"),
            (9, "", false, placeholder(Taken), "miss: wait"),
            (10, "", false, absent(), "miss: alone"),
            (11, "", false, away(), "bypass: alone"),
            // While loads of the key are known to fail.
            (12, "", true, entry(STALE, Unclaimed), "serve"),
            (13, "", true, entry(OLD, Unclaimed), "serve"),
            (14, "", true, entry(OLD, Won), "serve, refresh behind"),
            (15, "", true, placeholder(Won), "miss: hold"),
            // Directives of the request.
            (16, "no-cache", false, entry(FRESH, Unclaimed), "request: replace"),
            (17, "no-cache", false, entry(STALE, Won), "request: refresh"),
            (18, "no-cache", false, entry(STALE, Taken), "request: replace"),
            (19, "max-age=5", false, entry(FRESH, Unclaimed), "request: replace"),
            (20, "min-fresh=50", false, entry(FRESH, Unclaimed), "request: replace"),
            (21, "max-stale=0", false, entry(STALE, Taken), "request: replace, or stale"),
            (22, "max-stale", false, entry(OLD, Won), "serve, refresh behind"),
            (23, "only-if-cached", false, entry(STALE, Unclaimed), "serve"),
            (24, "only-if-cached", false, entry(OLD, Unclaimed), "504"),
            (25, "only-if-cached", false, placeholder(Taken), "504"),
            (26, "only-if-cached", false, away(), "504"),
        ] {
            let mut directives = Directives::default();
            directives.read(asked);
            let took_lease = !directives.only_if_cached;
            let decision = decide(look, took_lease, directives, &policy(), failing);
            assert_eq!(words(decision), done, "row {line}");
        }
        // Where there is no room for a load, no lease is taken.
        let plain = Directives::default();
        assert_eq!(decide(absent(), false, plain, &policy(), false), Decision::Refuse);
        let only_if_cached = Directives { only_if_cached: true, ..plain };
        let decision = decide(absent(), false, only_if_cached, &policy(), false);
        assert_eq!(words(decision), "504");
        // With `no-store` nothing is looked for.
        assert_eq!(words(decide_unasked(plain)), "request: alone");
        assert_eq!(words(decide_unasked(only_if_cached)), "504");
    }

    #[test]
    fn an_answer_that_depends_on_the_fallback_says_so() {
        let of = |origin| {
            let look = Look::Placeholder { lease: Lease { origin, ..lease() }, token: Token::Won };
            match decide(Ok(look), true, Directives::default(), &policy(), false) {
                Decision::Load(need) => need.detail,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(Origin::Fallback), Some(Detail::Fallback));
        assert_eq!((of(Origin::Memory), of(Origin::Server(0))), (None, None));
    }
}
