//! The kinds of histories: how many servers there are, who writes how much, and what goes wrong how often.

use std::{ops::Range, time::Duration};

/// One kind.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) servers: usize,
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
    /// Between two faults of the replicas.
    pub(crate) replicas_ms: Range<u64>,
    /// Between two faults of a link.
    pub(crate) links_ms: Range<u64>,
    /// One fault of a link, or pause between two, in so many is long, in a run that is.
    pub(crate) long_link_one_in: u8,
}

impl Plan {
    /// So few hot users that reads and writes of one meet all the time. The entries of the others live long enough
    /// to be refreshed.
    pub(crate) const HOT_KEYS: i64 = 10;

    /// Everything goes wrong, and all the time. Lives are so short that refreshes are part of it.
    pub(crate) fn everything(servers: usize) -> Self {
        Self {
            servers,
            ttl: "2s",
            keys: 30,
            cold_write_one_in: 50,
            writer_rest: Duration::ZERO,
            memcached_ms: Some(20..1500),
            replicas_ms: 20..1500,
            links_ms: 20..6000,
            long_link_one_in: 15,
        }
    }

    /// Each replica's links go wrong apart from the others', and seldom a replica. Entries live for long, and most users
    /// are written seldom, so that one which is not forgotten is seen for long.
    pub(crate) fn links() -> Self {
        Self {
            servers: 2,
            ttl: "60s",
            keys: 100,
            cold_write_one_in: 2,
            writer_rest: Duration::from_millis(100),
            memcached_ms: None,
            replicas_ms: 1000..8000,
            links_ms: 20..4000,
            long_link_one_in: 4,
        }
    }
}
