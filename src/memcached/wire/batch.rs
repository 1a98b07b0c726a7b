//! Lookups and reads that were queued together: one round trip for all that ask the same.

use super::{Looks, WireError};
use crate::memcached::{
    deadline::within,
    operation::{Lookup, Operation, Read},
};

impl Looks {
    /// Carries out all of `batch`, in one round trip for the lookups, or reads, that ask the same. Each has the
    /// deadline of one round trip, however many of them a batch takes.
    pub(super) async fn carry_out(&mut self, batch: &mut Vec<Operation>) -> Result<(), WireError> {
        let mut lookups: Vec<Lookup> = Vec::with_capacity(batch.len());
        let mut reads: Vec<Read> = Vec::new();
        for operation in batch.drain(..) {
            match operation {
                Operation::Lookup(lookup) => lookups.push(lookup),
                Operation::Read(read) => reads.push(read),
                // Changes have a connection of their own.
                _ => {}
            }
        }
        while let Some(ask) = lookups.first().map(|lookup| lookup.ask) {
            let rest = others(&mut lookups, |lookup| lookup.ask != ask);
            within(self.round_trip_timeout, self.look_up(ask, lookups))
                .await
                .unwrap_or(Err(WireError::TimedOut))?;
            lookups = rest;
        }
        while let Some(renew_s) = reads.first().map(|read| read.renew_s) {
            let rest = others(&mut reads, |read| read.renew_s != renew_s);
            within(self.round_trip_timeout, self.read(renew_s, reads))
                .await
                .unwrap_or(Err(WireError::TimedOut))?;
            reads = rest;
        }
        Ok(())
    }
}

/// Takes out all that ask something else, wherever they are; both parts keep their order.
fn others<T>(batch: &mut Vec<T>, is_other: impl Fn(&T) -> bool) -> Vec<T> {
    batch.extract_if(.., |one| is_other(one)).collect()
}
