//! A connection's task: takes what is queued and carries it out in as few round trips as there can be.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use async_channel::{Receiver, WeakSender};
use tokio::time::timeout;

use super::{
    Address,
    breaker::{Breaker, State},
    deadline::within,
    inspect::{QUESTION_TIMEOUTS, Questions},
    operation::Change,
    routing::Routing,
    wire::{Changes, Gets, Wire, WireError},
};
use crate::{
    cache::{Backlog, Key, Missed, Origin},
    metrics::ServerMetrics,
};

/// Operations taken from the queue at once. What is over stays queued for the next round trip.
const BATCH_MAX: usize = 256;

/// Deadline, in operation deadlines, of making a connection: it takes a round trip and a name lookup.
const CONNECT_TIMEOUTS: u32 = 4;

/// Time without an operation after which a connection is tried. Servers (`idle_timeout`), firewalls and restarts end
/// connections that nobody uses, and async-memcached tells of it only when the next operation is lost. Nobody waits
/// for the trial, and a connection that is tried is not idle to the server. To try over a new connection what was
/// lost would do for some operations, but a fill is void over a connection that is younger than its lease.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// One server, as its connections and its callers share it.
pub(crate) struct Peer {
    pub(crate) address: Address,
    pub(crate) place: u16,
    pub(crate) operation_timeout: Duration,
    pub(crate) routing: Arc<Routing>,
    pub(crate) backlog: Arc<dyn Backlog>,
    pub(crate) breaker: Breaker,
    pub(crate) metrics: ServerMetrics,
    /// The queue of the connection that gives back what was won.
    pub(crate) releases: WeakSender<Change>,
}

/// One of a server's connections: makes it, works the queue over it, and makes it anew when it breaks.
pub(crate) struct Connection<W: Wire> {
    pub(crate) peer: Arc<Peer>,
    pub(crate) queued: Receiver<W::Operation>,
}

/// A wire that can be made to a server whose breaker is known.
pub(crate) trait Connect: Wire + Sized {
    /// Waits for the time to connect, connects, and sees whether the server answers; `None` if it is out of service.
    async fn connect(peer: &Peer) -> Result<Option<Self>, WireError>;
}

impl Connect for Gets {
    /// Waits for a connection for changes to put the server into service.
    async fn connect(peer: &Peer) -> Result<Option<Self>, WireError> {
        if !peer.breaker.in_service().await {
            return Ok(None);
        }
        let (origin, releases) = (Origin::Server(peer.place), peer.releases.clone());
        let connecting = Self::to(&peer.address, origin, releases, peer.operation_timeout);
        let mut gets = within(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
        gets.probe().await?;
        Ok(Some(gets))
    }
}

impl Connect for Changes {
    /// Lets a server that is not in service forget what it has missed, which puts it into service.
    async fn connect(peer: &Peer) -> Result<Option<Self>, WireError> {
        let _turn = peer.breaker.turn().await;
        let connecting = Self::to(&peer.address, peer.operation_timeout);
        let mut changes = within(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
        changes.probe().await?;
        if peer.breaker.state() != State::InService {
            peer.catch_up(&mut changes).await?;
            peer.breaker.reached();
        }
        Ok(Some(changes))
    }
}

impl Peer {
    /// Asks the server over connections that are made for that.
    pub(crate) fn questions(&self) -> Questions<'_> {
        Questions { address: &self.address, limit: self.operation_timeout * QUESTION_TIMEOUTS }
    }

    /// Lets the server forget all that was written while it was away. What is written meanwhile says `pending`, and
    /// is delivered as any other change that is.
    async fn catch_up(&self, server: &mut Changes) -> Result<(), WireError> {
        let (mut after, mut is_more) = (None, true);
        while is_more {
            let missed = self.backlog.missed(self.place, after).await;
            match missed.map_err(WireError::Backlog)? {
                Missed::TooMuch { up_to } => {
                    let emptied = self.questions().empty_or_flush(self.backlog.spaces()).await;
                    emptied.map_err(WireError::Backlog)?;
                    self.backlog.emptied(self.place, up_to);
                    after = Some(up_to);
                }
                Missed::Changes { changes, up_to, is_full } => {
                    is_more = is_full;
                    let (positions, keys): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
                    let may_hold = |key: &Key| self.routing.places(key).has(self.place);
                    let held: Vec<_> = keys.into_iter().filter(may_hold).collect();
                    server.forget(&held).await?;
                    self.backlog.forgotten(self.place, positions, up_to);
                    after = Some(up_to);
                }
            }
        }
        self.backlog.caught_up(self.place);
        Ok(())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

impl<W: Connect> Connection<W> {
    /// Runs until the queue is closed.
    pub(crate) async fn run(self) {
        let Self { peer, queued } = &self;
        // What is left over from a connection that broke.
        let mut batch = Vec::new();
        while !queued.is_closed() && !peer.breaker.is_retired() {
            let end = match W::connect(peer).await {
                Ok(Some(wire)) => self.work(wire, &mut batch).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = end {
                peer.breaker.failed(&error);
            }
            // Those who wait for a server that is out of service are told so, rather than let each wait out its deadline.
            while peer.breaker.state() == State::OutOfService {
                batch.clear();
                if queued.try_recv().is_err() {
                    break;
                }
            }
        }
    }

    /// Works the queue until the connection breaks (the cause is returned), is found broken in idleness, the
    /// server goes out of service, or the queue is closed.
    async fn work(&self, mut wire: W, batch: &mut Vec<W::Operation>) -> Result<(), WireError> {
        let Self { peer, queued } = self;
        let mut broken = pin!(peer.breaker.broken());
        loop {
            if batch.is_empty() {
                let first = tokio::select! {
                    biased;
                    () = &mut broken => return Ok(()),
                    first = timeout(IDLE_MAX, queued.recv()) => first,
                };
                match first {
                    Ok(Ok(first)) => batch.push(first),
                    Err(_) if wire.is_alive().await => continue,
                    // Nothing was lost with it. If it can't be made anew, that is the failure.
                    Ok(Err(_)) | Err(_) => return Ok(()),
                }
            }
            while batch.len() < BATCH_MAX
                && let Ok(next) = queued.try_recv()
            {
                batch.push(next);
            }
            batch.retain(|operation| !W::is_abandoned(operation));
            if batch.is_empty() {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
            peer.metrics.batch_size.observe(batch.len() as f64);
            wire.carry_out(batch).await?;
            peer.breaker.succeeded();
        }
    }
}
