//! A connection's task: takes what is queued and carries it out in as few round trips as there can be.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc::Receiver,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{
    breaker::State,
    operation::Queued,
    peer::Peer,
    wire::{Changes, Gets, Wire, WireError},
};
use crate::cache::Origin;

/// Operations taken from the queue at once. What is over stays queued for the next round trip.
const BATCH_MAX: usize = 256;

/// Deadline, in operation deadlines, of making a connection: it takes a round trip and a name lookup.
const CONNECT_TIMEOUTS: u32 = 4;

/// Longest wait in the queue, in operation deadlines: of one second, with the default deadline. Past it an operation is not
/// sent any more, and its caller is told that there is no answer. The deadline itself counts from the sending.
const QUEUED_TIMEOUTS: u32 = 20;

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
    let mut gets = timeout(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
    gets.probe().await?;
    Ok(Some(gets))
}

/// Connects for changes. Lets a server that is not in service forget what it has missed, which puts it into service.
pub(crate) async fn changes(peer: &Peer) -> Result<Option<Changes>, WireError> {
    let _turn = peer.breaker.turn().await;
    let connecting = Changes::to(&peer.address, peer.operation_timeout);
    let mut changes = timeout(peer.operation_timeout * CONNECT_TIMEOUTS, connecting).await??;
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
    mut queued: Receiver<Queued<W::Operation>>,
    connect: impl AsyncFn(&Peer) -> Result<Option<W>, WireError>,
) {
    // What is left over from a connection that broke.
    let mut batch = Vec::new();
    while !queued.is_closed() && !peer.breaker.is_retired() {
        let end = match connected(&peer, &mut queued, connect(&peer)).await {
            Ok(Some(wire)) => work(&peer, &mut queued, wire, &mut batch).await,
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

/// Waits for the connection. What is queued meanwhile waits for it no longer than for an answer, and is dropped, which
/// tells its callers that there is none.
async fn connected<O, W>(
    peer: &Peer,
    queued: &mut Receiver<Queued<O>>,
    connecting: impl Future<Output = Result<Option<W>, WireError>>,
) -> Result<Option<W>, WireError> {
    let mut connecting = pin!(connecting);
    loop {
        match timeout(peer.operation_timeout, &mut connecting).await {
            Ok(wire) => return wire,
            Err(_) => while queued.try_recv().is_ok() {},
        }
    }
}

/// Works the queue until the connection breaks (the cause is returned), is found broken in idleness, the
/// server goes out of service, or the queue is closed.
async fn work<W: Wire>(
    peer: &Peer,
    queued: &mut Receiver<Queued<W::Operation>>,
    mut wire: W,
    batch: &mut Vec<W::Operation>,
) -> Result<(), WireError> {
    let queued_max = peer.operation_timeout * QUEUED_TIMEOUTS;
    let mut broken = pin!(peer.breaker.reaches(|state| state == State::OutOfService));
    // It is set anew only when it has passed: to do so for each operation would cost each a system call.
    let mut idle = pin!(sleep(IDLE_MAX));
    let (mut used_at, mut taken) = (Instant::now(), Vec::new());
    loop {
        if batch.is_empty() {
            tokio::select! {
                biased;
                () = &mut broken => return Ok(()),
                count = queued.recv_many(&mut taken, BATCH_MAX) => if count == 0 { return Ok(()) },
                () = &mut idle => {
                    // Nothing was lost with it. If it can't be made anew, that is the failure.
                    if used_at.elapsed() >= IDLE_MAX {
                        if !wire.is_alive().await {
                            return Ok(());
                        }
                        used_at = Instant::now();
                    }
                    idle.as_mut().reset(used_at + IDLE_MAX);
                    continue;
                }
            }
            // Where there are two there may be more, and where there are several servers, others have just answered callers
            // who will ask this one: a caller that can run now asks in the same round trip.
            for _ in 0..usize::from(taken.len() > 1) + usize::from(peer.routing.has_many()) {
                yield_now().await;
            }
        }
        while batch.len() + taken.len() < BATCH_MAX
            && let Ok(next) = queued.try_recv()
        {
            taken.push(next);
        }
        used_at = Instant::now();
        let mut longest = Duration::ZERO;
        for Queued { operation, at } in taken.drain(..) {
            let waited = used_at.saturating_duration_since(at);
            longest = longest.max(waited);
            if waited < queued_max && !W::is_abandoned(&operation) {
                batch.push(operation);
            }
        }
        peer.metrics.queue_seconds.observe(longest.as_secs_f64());
        if batch.is_empty() {
            continue;
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        peer.metrics.batch_size.observe(batch.len() as f64);
        wire.carry_out(batch).await?;
        peer.breaker.succeeded();
    }
}
