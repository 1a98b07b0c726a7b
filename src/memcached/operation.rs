//! One operation on a server, from the caller's side to the connection that carries it out.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::cache::{Ask, Filled, Found, Key, Lease, Look, StoreError, Token, Value};

/// Where the answer of an operation goes. A caller may have left; then nobody minds.
pub(crate) type Reply<R> = oneshot::Sender<Result<R, StoreError>>;

/// Where the caller waits for it.
pub(crate) type Answer<R> = oneshot::Receiver<Result<R, StoreError>>;

/// What a server is asked to do.
#[derive(Debug)]
pub(crate) enum Operation {
    /// `mg` under leases; all that are queued with the same `ask` share a round trip.
    Lookup(Lookup),
    /// `mg`; all that are queued with the same `renew_s` share a round trip.
    Read(Read),
    /// `ms` under a CAS.
    Fill { key: Key, lease: Lease, value: Value, reply: Reply<Filled> },
    /// `ms`.
    Keep { key: Key, value: Bytes, life_s: u32, reply: Reply<()> },
    /// `md`; answered with whether it was there.
    Delete { key: Key, reply: Reply<bool> },
    /// `md` under a CAS, for which nobody waits; so nobody but the connection can try it `again`, once, where
    /// the connection turns out to be broken.
    Release { key: Key, lease: Lease, again: bool },
    /// `ms` under a CAS of the entry that was to be refreshed, for which nobody waits either.
    PutBack { key: Key, lease: Lease, found: Found },
}

/// A plain item as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The bytes; empty if it is a placeholder, which means "being loaded".
    pub value: Bytes,
    /// Seconds until memcached would have dropped it, before this read renewed it; `None` is never.
    pub left_s: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) key: Key,
    pub(crate) ask: Ask,
    pub(crate) reply: Reply<Look>,
}

impl AsRef<[u8]> for Lookup {
    fn as_ref(&self) -> &[u8] {
        self.key.as_ref()
    }
}

#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) key: Key,
    pub(crate) renew_s: Option<u32>,
    pub(crate) reply: Reply<Option<Kept>>,
}

impl AsRef<[u8]> for Read {
    fn as_ref(&self) -> &[u8] {
        self.key.as_ref()
    }
}

impl Operation {
    /// Whether the caller has left, so that nothing need be sent any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Lookup(lookup) => lookup.reply.is_closed(),
            Self::Read(read) => read.reply.is_closed(),
            Self::Fill { reply, .. } => reply.is_closed(),
            Self::Keep { reply, .. } => reply.is_closed(),
            Self::Delete { reply, .. } => reply.is_closed(),
            Self::Release { .. } | Self::PutBack { .. } => false,
        }
    }

    /// The operation by which another is chosen in place of a caller that has left before it heard `look`; `None` if
    /// it was not chosen.
    pub(crate) fn give_back(key: &Key, look: Look) -> Option<Self> {
        let key = key.clone();
        match look {
            Look::Placeholder { lease, token: Token::Won } => {
                Some(Self::Release { key, lease, again: true })
            }
            Look::Found { found, lease, token: Token::Won } => {
                Some(Self::PutBack { key, lease, found })
            }
            _ => None,
        }
    }

    /// What is to be done once more, over the next connection, if this one breaks.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Release { key, lease, again: true } => {
                Some(Self::Release { key: key.clone(), lease: *lease, again: false })
            }
            _ => None,
        }
    }
}
