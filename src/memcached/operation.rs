//! One operation on a server, from the caller's side to the connection that carries it out.

use bytes::Bytes;
use tokio::{
    sync::{mpsc::WeakSender, oneshot},
    time::Instant,
};

use crate::cache::{Ask, Key, Lease, Look, Token, Value};

/// The way back to the caller. It may have left; then nobody minds.
pub(crate) type Reply<R> = oneshot::Sender<R>;

/// An operation in a queue.
pub(crate) struct Queued<O> {
    pub(crate) operation: O,
    /// The time at which it was queued.
    pub(crate) at: Instant,
}

/// `mg`: one key is read.
pub(crate) struct Reading {
    pub(crate) key: Key,
    pub(crate) wanted: Wanted,
    /// Told nothing if nothing is there.
    pub(crate) reply: Reply<Option<Seen>>,
}

/// The flags of an `mg`. All that are queued and want the same share a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// An entry of the cache, or the lease to load it.
    Entry(Ask),
    /// A plain item, which has `renew_s` seconds to live from now.
    Plain { renew_s: Option<u32> },
}

/// `ms` or `md`: one key is changed.
pub(crate) struct Changing {
    pub(crate) key: Key,
    /// The version that is replaced or removed; `None` is whatever is there.
    pub(crate) lease: Option<Lease>,
    /// The value that is stored; `None` removes.
    pub(crate) value: Option<Value>,
    /// `None` if nobody waits for it.
    pub(crate) reply: Option<Reply<Said>>,
    /// Nobody else can try it again, so the connection does, once, where it turns out to be broken.
    pub(crate) again: bool,
}

/// The answer to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// `HD`.
    Done,
    /// `NF`.
    NotFound,
    /// `EX`.
    Exists,
    /// `SERVER_ERROR` or `CLIENT_ERROR`. It bears neither key nor number.
    Refused,
    /// The value is over our limit, or over the server's own, which is a `SERVER_ERROR` as well.
    TooLarge,
    /// Nothing was sent: the lease is older than the connection.
    Void,
}

/// The value under a key, and who loads it.
pub(crate) struct Seen {
    pub(crate) body: Bytes,
    pub(crate) flags: u32,
    /// `None` is for ever.
    pub(crate) left_s: Option<u32>,
    pub(crate) lease: Lease,
    pub(crate) token: Token,
    /// The lease or token that was won, until the caller has heard of it. In a box, as few looks win one.
    pub(crate) unheard: Option<Box<Unheard>>,
}

/// A lease or a token that was won. It is given back if the caller has left, or leaves, before it hears of it: when
/// the reply is dropped unread, this is dropped with it.
pub(crate) struct Unheard {
    change: Option<Changing>,
    releases: WeakSender<Queued<Changing>>,
}

impl<O> Queued<O> {
    pub(crate) fn now(operation: O) -> Self {
        Self { operation, at: Instant::now() }
    }
}

impl Changing {
    /// Gives back what `lease` was given for, so that another is chosen: a placeholder is removed. memcached takes no
    /// token back, so of a `stale` entry the same is stored anew.
    pub(crate) fn giving_back(key: &Key, lease: &Lease, stale: Option<Value>) -> Self {
        Self { key: key.clone(), lease: Some(*lease), value: stale, reply: None, again: true }
    }

    /// Tells the caller what was said. A refusal of what nobody waits for need not be told.
    pub(crate) fn answer(self, said: Said) {
        if let Some(reply) = self.reply {
            let _ = reply.send(said);
        }
    }
}

impl Seen {
    /// The outcome for another caller who has looked with the same command: it was not chosen, if anybody was.
    pub(crate) fn of_another(&self) -> Self {
        let Self { body, flags, left_s, lease, token, .. } = self;
        let token = if *token == Token::Won { Token::Taken } else { *token };
        let (body, flags, left_s, lease) = (body.clone(), *flags, *left_s, *lease);
        Self { body, flags, left_s, lease, token, unheard: None }
    }

    /// Sees to it that what was won is given back if the caller does not hear of it.
    pub(crate) fn watched(mut self, key: &Key, releases: &WeakSender<Queued<Changing>>) -> Self {
        if self.token == Token::Won {
            let Self { body, flags, left_s, lease, .. } = &self;
            let left_s = left_s.unwrap_or(0).max(1);
            let stale = Value { body: body.clone(), flags: *flags, left_s };
            let stale = (!body.is_empty()).then_some(stale);
            let change = Some(Changing::giving_back(key, lease, stale));
            self.unheard = Some(Box::new(Unheard { change, releases: releases.clone() }));
        }
        self
    }

    /// The look that its caller has heard.
    pub(crate) fn look(self) -> Look {
        let Self { body, flags, left_s, lease, token, unheard } = self;
        if let Some(mut unheard) = unheard {
            unheard.change = None;
        }
        if body.is_empty() && token != Token::Unclaimed {
            return Look::Placeholder { lease, token };
        }
        // What is kept for ever is another client's, whose flags will not be known either.
        let found = Value { body, flags, left_s: left_s.unwrap_or(0) };
        Look::Found { found, lease, token }
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        if let Some(change) = self.change.take()
            && let Some(releases) = self.releases.upgrade()
        {
            // Where it can't be queued, what was won lapses by itself.
            let _ = releases.try_send(Queued::now(change));
        }
    }
}
