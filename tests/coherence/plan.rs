//! The kinds of histories: how many servers there are, who writes how much, and what goes wrong how often.

use std::{ops::Range, time::Duration};

/// One kind.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) servers: usize,
    /// True if a table of somebody else's is read, who writes it by SQL.
    pub(crate) is_foreign: bool,
    /// The setting `--ttl`.
    pub(crate) ttl: &'static str,
    /// Users that are read and written. The first [`HOT_KEYS`](Self::HOT_KEYS) of them are hot.
    pub(crate) keys: i64,
    /// One write in so many is of a user that is not hot.
    pub(crate) cold_write_one_in: u8,
    /// For how long a writer rests after each write.
    pub(crate) writer_rest: Duration,
    /// Between two faults of a memcached, in milliseconds; `None` if it is left alone.
    pub(crate) memcached_ms: Option<Range<u64>>,
    /// Between two faults of the database, if it is a server.
    pub(crate) database_ms: Range<u64>,
    /// Between two faults of the replicas.
    pub(crate) replicas_ms: Range<u64>,
    /// Between two faults of links.
    pub(crate) links_ms: Range<u64>,
    pub(crate) link_faults: LinkFaults,
}

/// The ways in which links go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkFaults {
    /// Each by itself, as chance will have it.
    Single,
    /// All at once, so that no replica reaches both of two servers, and each server is reached by one.
    Crossed,
}

impl Plan {
    /// So few hot users that reads and writes of one meet all the time. The entries of the others live long enough
    /// to be refreshed.
    pub(crate) const HOT_KEYS: i64 = 10;

    /// Everything goes wrong, and all the time. Lives are so short that refreshes are part of it.
    pub(crate) fn everything(servers: usize) -> Self {
        Self {
            servers,
            is_foreign: false,
            ttl: "2s",
            keys: 30,
            cold_write_one_in: 50,
            writer_rest: Duration::ZERO,
            memcached_ms: Some(20..1500),
            database_ms: 500..3000,
            replicas_ms: 20..1500,
            links_ms: 20..6000,
            link_faults: LinkFaults::Single,
        }
    }

    /// Somebody else writes, who knows of no cache. Entries live for long, and there is a calm between two faults.
    pub(crate) fn foreign() -> Self {
        Self {
            servers: 1,
            is_foreign: true,
            ttl: "60s",
            keys: 30,
            cold_write_one_in: 10,
            writer_rest: Duration::from_millis(20),
            memcached_ms: Some(1000..4000),
            database_ms: 1000..4000,
            replicas_ms: 1000..4000,
            links_ms: 2000..8000,
            link_faults: LinkFaults::Single,
        }
    }

    /// Links are crossed, and seldom a replica goes wrong. Entries live for long, and each user is written seldom, so
    /// that one which is not forgotten is seen for long.
    pub(crate) fn crossed() -> Self {
        Self {
            servers: 2,
            is_foreign: false,
            ttl: "60s",
            keys: 100,
            cold_write_one_in: 2,
            writer_rest: Duration::from_millis(300),
            memcached_ms: None,
            database_ms: 3000..15_000,
            replicas_ms: 3000..15_000,
            links_ms: 20..500,
            link_faults: LinkFaults::Crossed,
        }
    }
}
