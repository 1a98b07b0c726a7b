//! What was queued together, carried out in as few round trips as there can be.

use std::time::Duration;

use super::{
    deadline::within,
    operation::{Lookup, Operation, Read},
    wire::{Wire, WireError},
};

/// Carries out all of `batch`: one round trip for the lookups, or reads, that ask the same, one for each change.
/// Each has the deadline of one round trip, however many of them a batch takes.
///
/// After an error the operations that are left are dropped, and their callers told so by that; only what nobody
/// waits for stays in `batch`.
pub(super) async fn carry_out(
    wire: &mut Wire,
    batch: &mut Vec<Operation>,
    round_trip_timeout: Duration,
) -> Result<(), WireError> {
    let mut lookups: Vec<Lookup> = Vec::with_capacity(batch.len());
    let mut reads: Vec<Read> = Vec::new();
    let mut changes: Vec<Operation> = Vec::new();
    for operation in batch.drain(..) {
        match operation {
            Operation::Lookup(lookup) => lookups.push(lookup),
            Operation::Read(read) => reads.push(read),
            change => changes.push(change),
        }
    }
    let mut changes = changes.into_iter();
    while let Some(change) = changes.next() {
        let again = change.again();
        let result = in_time(round_trip_timeout, carry_out_change(wire, change)).await;
        if result.is_err() {
            batch.extend(again);
            batch.extend(changes.filter(|change| change.again().is_some()));
            return result;
        }
    }
    while let Some(ask) = lookups.first().map(|lookup| lookup.ask) {
        let rest = others(&mut lookups, |lookup| lookup.ask != ask);
        in_time(round_trip_timeout, wire.look_up(ask, lookups)).await?;
        lookups = rest;
    }
    while let Some(renew_s) = reads.first().map(|read| read.renew_s) {
        let rest = others(&mut reads, |read| read.renew_s != renew_s);
        in_time(round_trip_timeout, wire.read(renew_s, reads)).await?;
        reads = rest;
    }
    Ok(())
}

async fn in_time(
    limit: Duration,
    round_trip: impl Future<Output = Result<(), WireError>>,
) -> Result<(), WireError> {
    within(limit, round_trip).await.unwrap_or(Err(WireError::TimedOut))
}

/// Takes out all that ask something else, wherever they are; both parts keep their order.
fn others<T>(batch: &mut Vec<T>, is_other: impl Fn(&T) -> bool) -> Vec<T> {
    batch.extract_if(.., |one| is_other(one)).collect()
}

/// Carries out one change and answers its caller. An error is one of the connection.
async fn carry_out_change(wire: &mut Wire, change: Operation) -> Result<(), WireError> {
    // While those before it were carried out its caller may have left.
    if change.is_abandoned() {
        return Ok(());
    }
    match change {
        Operation::Fill { key, lease, value, reply } => {
            let _ = reply.send(wire.fill(&key, &lease, &value).await?);
        }
        Operation::Keep { key, value, life_s, reply } => {
            let _ = reply.send(wire.keep(&key, &value, life_s).await?);
        }
        Operation::Delete { key, reply } => {
            let _ = reply.send(wire.delete(&key, None).await?);
        }
        Operation::Release { key, lease, .. } => wire.release(&key, &lease).await?,
        Operation::PutBack { key, lease, found } => wire.put_back(&key, &lease, found).await?,
        Operation::Lookup(lookup) => wire.look_up(lookup.ask, vec![lookup]).await?,
        Operation::Read(read) => wire.read(read.renew_s, vec![read]).await?,
    }
    Ok(())
}
