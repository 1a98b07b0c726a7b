//! The connections that are open: in all, and from each address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    counters::EdgeCounters,
    limits::{Limits, PerAddress},
};

/// Bits of an IPv6 address that one client can't choose: it is given a network of the others.
const NETWORK: u128 = !0 << 64;

/// Lets connections in up to a number, and up to a smaller one from each address.
pub(super) struct Connections {
    max: u64,
    of_address_max: u64,
    /// Addresses without a connection are left out.
    of_addresses: Mutex<HashMap<IpAddr, u64>>,
    counters: EdgeCounters,
}

impl Connections {
    pub(super) fn new(limits: &Limits, counters: EdgeCounters) -> Arc<Self> {
        let max = limits.connections_possible();
        if max < limits.connections_max {
            tracing::warn!(
                connections_max = max,
                wanted = limits.connections_max,
                "the limit on open files (ulimit -n) allows fewer connections than configured"
            );
        }
        let of_address_max = match limits.connections_per_address {
            PerAddress::Half => max.div_ceil(2),
            PerAddress::AtMost(count) => count,
            PerAddress::All => max,
        };
        Arc::new(Self { max, of_address_max, of_addresses: Mutex::default(), counters })
    }

    /// Counts a connection from `address` as open until the returned value is dropped. `None`, and counts it as refused,
    /// if there are too many.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<OpenConnection> {
        let address = network(address);
        // Both limits are exact: nothing is counted without the lock.
        let mut of_addresses = self.lock();
        let of_address = of_addresses.get(&address).map_or(0, |open| *open);
        if self.counters.open.get() >= self.max || of_address >= self.of_address_max {
            self.counters.refused.inc();
            return None;
        }
        of_addresses.insert(address, of_address + 1);
        self.counters.open.inc();
        Some(OpenConnection { address, all: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u64>> {
        self.of_addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection that is counted as open.
pub(super) struct OpenConnection {
    address: IpAddr,
    all: Arc<Connections>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut of_addresses = self.all.lock();
        if let Some(open) = of_addresses.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                of_addresses.remove(&self.address);
            }
        }
        self.all.counters.open.dec();
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections_max: u64, of_address: u64) -> Arc<Connections> {
        let connections_per_address = PerAddress::AtMost(of_address);
        let limits = Limits { connections_max, connections_per_address, ..Limits::default() };
        Connections::new(&limits, EdgeCounters::default())
    }

    #[test]
    fn each_address_has_its_own_number_and_a_network_of_ipv6_is_one() {
        let connections = connections(10, 1);
        let admit = |address: &str| connections.admit(address.parse().unwrap());
        let held = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"].map(admit);
        assert!(held.iter().all(Option::is_some));
        for taken in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8::2"] {
            assert!(admit(taken).is_none(), "{taken}");
        }
        drop(held);
        assert!(connections.lock().is_empty());
        assert!(admit("192.0.2.1").is_some());
    }

    #[test]
    fn of_all_connections_no_more_are_open_and_the_refused_leave_nothing_behind() {
        let connections = connections(2, 2);
        let admit = |last| connections.admit([192, 0, 2, last].into());
        let held = [1, 2].map(admit);
        assert!(held.iter().all(Option::is_some) && admit(3).is_none());
        assert_eq!((connections.counters.open.get(), connections.counters.refused.get()), (2, 1));
        assert_eq!(connections.lock().len(), 2);
        drop(held);
        assert_eq!(connections.counters.open.get(), 0);
        assert!(admit(3).is_some());
    }
}
