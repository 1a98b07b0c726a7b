//! A connection's task: takes what is queued and carries it out in as few round trips as there can be.

use std::{sync::Arc, time::Duration};

use async_channel::Receiver;
use tokio::time::timeout;

use super::{
    Address,
    deadline::within,
    emptying::empty_or_flush,
    health::{Health, State},
    operation::Operation,
    routing::Routing,
    wire::{Changes, Kind, Wire, WireError},
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

/// One of a server's connections: makes it, works the queue over it, and makes it anew when it breaks.
pub(crate) struct Worker {
    pub(crate) kind: Kind,
    pub(crate) address: Address,
    pub(crate) place: u16,
    pub(crate) queued: Receiver<Operation>,
    pub(crate) health: Arc<Health>,
    pub(crate) round_trip_timeout: Duration,
    pub(crate) metrics: ServerMetrics,
    pub(crate) backlog: Arc<dyn Backlog>,
    pub(crate) routing: Arc<Routing>,
}

impl Worker {
    /// Runs until the queue is closed.
    pub(crate) async fn run(self) {
        // What is left over from a connection that broke.
        let mut batch = Vec::new();
        while !self.queued.is_closed() && !self.health.is_retired() {
            let turn = match self.kind {
                Kind::Changes => self.health.turn().await,
                // What a server has missed is forgotten over a connection for changes, which puts it into service.
                Kind::Looks { .. } if self.health.in_service().await => None,
                Kind::Looks { .. } => {
                    self.refuse_queued(&mut batch);
                    continue;
                }
            };
            let broken = match self.connect().await {
                Ok(wire) => {
                    drop(turn);
                    self.work(wire, &mut batch).await
                }
                Err(error) => Some(error),
            };
            if let Some(error) = broken {
                if matches!(error, WireError::Crosstalk) {
                    self.metrics.crosstalk.inc();
                }
                match error {
                    WireError::Unusable(reason) => self.health.unusable(reason),
                    error => self.health.failed(&error),
                }
            }
            self.refuse_queued(&mut batch);
        }
    }

    /// Tells those who wait for a server that is out of service so, rather than let each wait out its deadline.
    fn refuse_queued(&self, batch: &mut Vec<Operation>) {
        if self.health.state() == State::OutOfService {
            batch.clear();
        }
        while self.health.state() == State::OutOfService
            && let Ok(operation) = self.queued.try_recv()
        {
            drop(operation);
        }
    }

    /// Connects, sees whether the server answers, and lets one that is not in service forget what it has
    /// missed, which puts it into service.
    async fn connect(&self) -> Result<Wire, WireError> {
        let connect = Wire::connect(
            &self.kind,
            &self.address,
            Origin::Server(self.place),
            self.round_trip_timeout,
        );
        let limit = self.round_trip_timeout * CONNECT_TIMEOUTS;
        let mut wire = within(limit, connect).await.map_err(|_| WireError::TimedOut)??;
        wire.probe().await?;
        if let Wire::Changes(changes) = &mut wire
            && self.health.state() != State::InService
        {
            self.catch_up(changes).await?;
            self.health.reached();
        }
        Ok(wire)
    }

    /// Lets the server forget all that was written while it was away. What is written meanwhile says `pending`, and
    /// is delivered as any other change that is.
    async fn catch_up(&self, server: &mut Changes) -> Result<(), WireError> {
        let mut after = None;
        loop {
            let missed = self.backlog.missed(self.place, after).await;
            match missed.map_err(WireError::Backlog)? {
                Missed::TooMuch { up_to } => {
                    let limit = self.round_trip_timeout * CONNECT_TIMEOUTS;
                    let emptied =
                        empty_or_flush(&self.address, limit, &self.backlog.spaces()).await;
                    emptied.map_err(WireError::Backlog)?;
                    self.backlog.emptied(self.place, up_to);
                    after = Some(up_to);
                }
                Missed::Changes { changes, up_to, is_full } => {
                    let (positions, keys): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
                    let held: Vec<_> = keys.into_iter().filter(|key| self.may_hold(key)).collect();
                    server.forget(&held).await?;
                    self.backlog.forgotten(self.place, positions, up_to);
                    if !is_full {
                        break;
                    }
                    after = Some(up_to);
                }
            }
        }
        self.backlog.caught_up(self.place);
        Ok(())
    }

    fn may_hold(&self, key: &Key) -> bool {
        self.routing.choices(key).is_some_and(|choices| choices.places().has(self.place))
    }

    /// Works the queue until the connection breaks (the cause is returned), is found broken in idleness, the
    /// server goes out of service, or the queue is closed.
    async fn work(&self, mut wire: Wire, batch: &mut Vec<Operation>) -> Option<WireError> {
        let mut broken = std::pin::pin!(self.health.broken());
        loop {
            if batch.is_empty() {
                let first = tokio::select! {
                    biased;
                    () = &mut broken => return None,
                    first = timeout(IDLE_MAX, self.queued.recv()) => first,
                };
                match first {
                    Ok(first) => batch.push(first.ok()?),
                    Err(_) if wire.is_alive().await => continue,
                    // Nothing was lost with it. If it can't be made anew, that is the failure.
                    Err(_) => return None,
                }
            }
            while batch.len() < BATCH_MAX
                && let Ok(next) = self.queued.try_recv()
            {
                batch.push(next);
            }
            batch.retain(|operation| !operation.is_abandoned());
            if batch.is_empty() {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
            self.metrics.batch_size.observe(batch.len() as f64);
            match wire.carry_out(batch).await {
                Ok(()) => self.health.succeeded(),
                Err(error) => return Some(error),
            }
        }
    }
}
