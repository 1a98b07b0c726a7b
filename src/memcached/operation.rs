//! One operation on a server, from the caller's side to the connection that carries it out.

use tokio::sync::oneshot;

use crate::cache::{Ask, Filled, Key, Lease, Look, StoreError, Value};

/// Where the answer of an operation goes. A caller may have left; then nobody minds.
pub(crate) type Reply<R> = oneshot::Sender<Result<R, StoreError>>;

/// What a server is asked to do.
#[derive(Debug)]
pub(crate) enum Operation {
    /// `mg`; all that are queued with the same `ask` share a round trip.
    Lookup(Lookup),
    /// `ms` under a CAS.
    Fill { key: Key, lease: Lease, value: Value, reply: Reply<Filled> },
    /// `md`, under a CAS if there is a lease.
    Delete { key: Key, lease: Option<Lease>, reply: Reply<()> },
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

impl Operation {
    /// Whether the caller has left, so that nothing need be sent any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Lookup(lookup) => lookup.reply.is_closed(),
            Self::Fill { reply, .. } => reply.is_closed(),
            Self::Delete { reply, .. } => reply.is_closed(),
        }
    }
}
