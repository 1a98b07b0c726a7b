//! How many connections are open from each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Bits of an IPv6 address that one client can't choose: it is given a network of the others.
const NETWORK: u128 = !0 << 64;

/// Counts connections by address, up to a number for each.
#[derive(Debug)]
pub(super) struct Addresses {
    open: Mutex<HashMap<IpAddr, u64>>,
    connections_max: u64,
}

impl Addresses {
    pub(super) fn new(connections_max: u64) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), connections_max })
    }

    /// Counts a connection from `address` until the returned value is dropped; `None` if there are too many.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.connections_max {
            return None;
        }
        *count += 1;
        Some(OfAddress { address, all: Arc::clone(self) })
    }
}

/// One connection that is counted for its address.
#[derive(Debug)]
pub(super) struct OfAddress {
    address: IpAddr,
    all: Arc<Addresses>,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
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

    #[test]
    fn each_address_has_its_own_number_and_a_network_of_ipv6_is_one() {
        let addresses = Addresses::new(1);
        let admit = |address: &str| addresses.admit(address.parse().unwrap());
        let held = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"].map(admit);
        assert!(held.iter().all(Option::is_some), "{held:?}");
        for taken in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8::2"] {
            assert!(admit(taken).is_none(), "{taken}");
        }
        drop(held);
        assert!(addresses.open.lock().unwrap().is_empty());
        assert!(admit("192.0.2.1").is_some());
    }
}
