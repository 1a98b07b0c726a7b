//! The limits of the edge, each with its default and what happens past it.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::PerAddress;

/// Connections open at once; one more is answered 503 and closed.
const CONNECTIONS_MAX: u64 = 10_000;
/// Time for the whole head of a request, from its first byte, and of the first one from the connection; past it,
/// the connection is closed.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Time from an answer to the end of the next head; past it, the connection is closed. Longer than the usual 60 s for
/// which load balancers keep idle connections, so that none of theirs is closed just when they send over it.
const IDLE_DEADLINE: Duration = Duration::from_secs(75);
/// Time for the whole body of a request, from its head; past it, the request is answered 408 and the connection closed.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Time in which a client must take some bytes that wait for it, here or in the kernel; past it, the connection is closed.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Header fields in one head; a request with more is answered 431 and the connection closed.
const HEADERS_MAX: usize = 64;
/// Bytes in one head; a request with more is answered 431 and the connection closed.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes in one body; a request with more is answered 413 and the connection closed.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// File descriptors that connections leave to the database, memcached and the log.
const DESCRIPTORS_RESERVED: u64 = 128;

/// How many, how large and how slow the clients may be. The defaults suit a service that answers small JSON.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once, 10,000; one more is answered 503 and closed. When the process may open fewer files
    /// than that, the edge serves fewer connections ([`Limits::connections_possible`]).
    pub connections_max: u64,
    /// Connections open at once from one IPv4 address or one /64 of IPv6, half of all; one more is answered 503 and closed.
    pub connections_per_address: PerAddress,
    /// Time for the whole head of a request, 10 s from its first byte, and of the first one from the connection. Past
    /// it, the connection is closed without an answer.
    pub head_deadline: Duration,
    /// Time from an answer to the end of the next head, 75 s: how long a kept-alive connection may be idle. Past it,
    /// the connection is closed without an answer.
    pub idle_deadline: Duration,
    /// Time for the whole body of a request, 10 s from its head; past it, 408 and the connection is closed.
    pub body_deadline: Duration,
    /// Time in which a client must take some of the bytes that wait for it, 10 s; past it, the connection is closed.
    /// A connection with nothing to write is not timed.
    pub write_deadline: Duration,
    /// Header fields in one head, 64; past it, 431 and the connection is closed.
    pub headers_max: usize,
    /// Bytes in one head, 16 KiB; past it, 431 and the connection is closed. The same number of bytes bounds one line
    /// of chunked framing and the trailers.
    pub head_bytes_max: usize,
    /// Bytes in one body, 64 KiB; past it, 413 and the connection is closed.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            connections_per_address: PerAddress::Half,
            head_deadline: HEAD_DEADLINE,
            idle_deadline: IDLE_DEADLINE,
            body_deadline: BODY_DEADLINE,
            write_deadline: WRITE_DEADLINE,
            headers_max: HEADERS_MAX,
            head_bytes_max: HEAD_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

impl Limits {
    /// `connections_max`, or less when the process may not open that many files and keep 128 for its own use.
    ///
    /// A client that is told 503 knows what to do; one that waits in the kernel's queue for a descriptor does not,
    /// and neither does the database when it finds none left.
    pub fn connections_possible(&self) -> u64 {
        getrlimit(Resource::Nofile).current.map_or(self.connections_max, |descriptors| {
            self.connections_max.min(descriptors_for_connections(descriptors))
        })
    }
}

impl Limits {
    /// Connections from one address, of `connections_max` in all; `None` if it may have them all.
    pub(super) fn connections_of_an_address(&self, connections_max: u64) -> Option<u64> {
        match self.connections_per_address {
            PerAddress::Half => Some(connections_max.div_ceil(2)),
            PerAddress::AtMost(count) => Some(count),
            PerAddress::All => None,
        }
    }
}

/// Raises the process's soft limit on open files to the hard one, and returns what it is then; `None` if there is none.
///
/// The soft limit is low for programs that use `select`, which this one does not.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it can't be raised, it is as it was.
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
