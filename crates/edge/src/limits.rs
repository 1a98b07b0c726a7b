//! The limits of the edge, each with its default and what happens past it.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that connections leave to the database, memcached and the log.
const DESCRIPTORS_RESERVED: u64 = 128;

/// The limits on clients: on their number, their size and their slowness. The defaults suit a service that answers small
/// JSON.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once, 10,000; one more is answered 503 and closed. When the process may open fewer files
    /// than that, the edge serves fewer connections.
    pub connections_max: u64,
    /// Connections open at once from one IPv4 address or one /64 of IPv6, half of all; one more is answered 503 and closed.
    pub connections_per_address: PerAddress,
    /// Time for the whole head of a request, 10 s from its first byte, and of the first one from the connection. Past
    /// it, the connection is closed without an answer.
    pub head_deadline: Duration,
    /// Time from an answer to the end of the next head, 75 s: how long a kept-alive connection may be idle. Past it,
    /// the connection is closed without an answer. Longer than the usual 60 s for which load balancers keep idle
    /// connections, so that none of theirs is closed just when they send over it.
    pub idle_deadline: Duration,
    /// Time for the whole body of a request, 10 s from its head; past it, 408 and the connection is closed.
    pub body_deadline: Duration,
    /// Time in which a client must take some of the bytes that wait for it, here or in the kernel, 10 s; past it, the
    /// connection is closed. A connection with nothing to write is not timed.
    pub write_deadline: Duration,
    /// Header fields in one head, 64; past it, 431 and the connection is closed.
    pub headers_max: usize,
    /// Bytes in one head, 16 KiB; past it, 431 and the connection is closed. The same number of bytes bounds one line
    /// of chunked framing and the trailers.
    pub head_bytes_max: usize,
    /// Bytes in one body, 64 KiB; past it, 413 and the connection is closed.
    pub body_bytes_max: usize,
}

/// The share of all connections that one address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerAddress {
    /// Half of them, rounded up: one client leaves room for the others.
    Half,
    /// This many.
    AtMost(u64),
    /// All of them: the address is a proxy's, whose clients are many.
    All,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address: PerAddress::Half,
            head_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(75),
            body_deadline: Duration::from_secs(10),
            write_deadline: Duration::from_secs(10),
            headers_max: 64,
            head_bytes_max: 16 * 1024,
            body_bytes_max: 64 * 1024,
        }
    }
}

impl Limits {
    /// `connections_max`, or less when the process may not open that many files and keep 128 for its own use.
    ///
    /// A client that is told 503 knows what to do; one that waits in the kernel's queue for a descriptor does not,
    /// and neither does the database when it finds none left.
    pub(super) fn connections_possible(&self) -> u64 {
        getrlimit(Resource::Nofile).current.map_or(self.connections_max, |descriptors| {
            self.connections_max.min(descriptors_for_connections(descriptors))
        })
    }
}

/// Raises the process's soft limit on open files to the hard one, and returns what it is then; `None` if there is none.
///
/// The soft limit is low for programs that use `select`, which this one does not.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // A limit that can't be raised is as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// Of a very small limit, half is left to the connections, so that the service can still be reached.
fn descriptors_for_connections(descriptors: u64) -> u64 {
    descriptors.saturating_sub(DESCRIPTORS_RESERVED).max(descriptors / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_rest_of_the_process() {
        assert_eq!(descriptors_for_connections(1024), 896);
        assert_eq!(descriptors_for_connections(100), 50);
        let unbounded = Limits { connections_max: u64::MAX, ..Limits::default() };
        let few = Limits { connections_max: 3, ..Limits::default() };
        assert_eq!(few.connections_possible(), 3);
        if let Some(descriptors) = getrlimit(Resource::Nofile).current {
            assert!(unbounded.connections_possible() < descriptors);
        }
    }
}
