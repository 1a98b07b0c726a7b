//! A connection's task: takes what is queued and carries it out in as few round trips as there can be.

use std::{pin::pin, sync::Arc, time::Duration};

use async_channel::Receiver;
use tokio::time::timeout;

use super::{
    breaker::State,
    deadline::within,
    peer::Peer,
    wire::{Changes, Gets, Wire, WireError},
};
use crate::cache::Origin;

/// Operations taken from the queue at once. What is over stays queued for the next round trip.
const BATCH_MAX: usize = 256;

/// Deadline, in operation deadlines, of making a connection: it takes a round trip and a name lookup.
const CONNECT_TIMEOUTS: u32 = 4;

/// Time without an operation after which a connection is tried. Servers (`idle_timeout`), firewalls and restarts end
/// connections that nobody uses, and async-memcached tells of it only when the next operation is lost. Nobody waits
/// for the trial, and a connection that is tried is not idle to the server. To try over a new connection what was
/// lost would do for some operations, but a fill is void over a connection that is younger than its lease.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// Connects for lookups, once a connection for changes has put the server into service; `None` if it is out of service.
pub(crate) async fn gets(peer: &Peer) -> Result<Option<Gets>, WireError> {
    if !peer.breaker.in_service().await {
        return Ok(None);
    }
    let (origin, releases) = (Origin::Server(peer.place), peer.releases.clone());
    let connecting = Gets::to(&peer.address, origin, releases, peer.operation_timeout);
    let mut gets = within(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
    gets.probe().await?;
    Ok(Some(gets))
}

/// Connects for changes. Lets a server that is not in service forget what it has missed, which puts it into service.
pub(crate) async fn changes(peer: &Peer) -> Result<Option<Changes>, WireError> {
    let _turn = peer.breaker.turn().await;
    let connecting = Changes::to(&peer.address, peer.operation_timeout);
    let mut changes = within(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
    changes.probe().await?;
    if peer.breaker.state() != State::InService {
        peer.catch_up(&mut changes).await?;
        peer.breaker.reached();
    }
    Ok(Some(changes))
}

/// Works what is `queued` over a connection that `connect` makes, and makes anew when it breaks, until the queue is
/// closed.
pub(crate) async fn run<W: Wire>(
    peer: Arc<Peer>,
    queued: Receiver<W::Operation>,
    connect: impl AsyncFn(&Peer) -> Result<Option<W>, WireError>,
) {
    // What is left over from a connection that broke.
    let mut batch = Vec::new();
    while !queued.is_closed() && !peer.breaker.is_retired() {
        let end = match connect(&peer).await {
            Ok(Some(wire)) => work(&peer, &queued, wire, &mut batch).await,
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
async fn work<W: Wire>(
    peer: &Peer,
    queued: &Receiver<W::Operation>,
    mut wire: W,
    batch: &mut Vec<W::Operation>,
) -> Result<(), WireError> {
    let mut broken = pin!(peer.breaker.reaches(|state| state == State::OutOfService));
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
