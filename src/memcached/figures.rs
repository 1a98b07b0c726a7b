//! The figures that one memcached server counts.

use std::collections::HashMap;

use serde::Serialize;

/// Declares the figures by the names that memcached's `stats` has for them. One that a server does not give, or
/// gives as something else than a number, is left out.
macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The figures of one server, by memcached's own names; counters run from its start.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct ServerFigures {
            /// Its version, such as `1.6.18`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub version: Option<String>,
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>),+
        }

        impl ServerFigures {
            /// Reads the answer to `stats`.
            pub fn read<S: std::hash::BuildHasher>(mut stats: HashMap<String, String, S>) -> Self {
                $(let $name = stats.get(stringify!($name)).and_then(|figure| figure.parse().ok());)+
                Self { version: stats.remove("version"), $($name),+ }
            }
        }
    };
}

figures! {
    /// Seconds since it started.
    uptime,
    /// Items in it, those among them that have run out but were not removed yet.
    curr_items,
    /// Items ever made, placeholders of leases among them.
    total_items,
    /// Bytes of its items.
    bytes,
    /// Bytes that its items may take; past it, it evicts.
    limit_maxbytes,
    /// Connections open, the one that asked among them.
    curr_connections,
    /// Gets of any kind.
    cmd_get,
    /// Gets that found an item. The placeholder of a lease counts, also the one that the get itself has made.
    get_hits,
    /// Gets that found none and took no lease.
    get_misses,
    /// Sets of any kind, also those that were refused.
    cmd_set,
    /// Sets under a lease whose item was gone.
    cas_misses,
    /// Sets under a lease whose item had been replaced.
    cas_badval,
    /// Items dropped before they had run out, to make room.
    evictions,
    /// Those of them that nobody had ever read.
    evicted_unfetched,
    /// Items that ran out and that nobody had ever read; counted when their memory is reclaimed.
    expired_unfetched,
}

impl ServerFigures {
    /// Sets that stored something.
    pub fn stored(&self) -> Option<u64> {
        let refused = self.cas_misses? + self.cas_badval?;
        Some(self.cmd_set?.saturating_sub(refused))
    }

    /// Leases given on absent keys: the items that no set has made. memcached does not count them itself.
    pub fn leases(&self) -> Option<u64> {
        Some(self.total_items?.saturating_sub(self.stored()?))
    }

    /// Gets, and those of them that found an item which they had not made themselves.
    pub fn gets(&self) -> Option<(u64, u64)> {
        let (hits, misses) = (self.get_hits?, self.get_misses?);
        Some((hits.saturating_add(misses), hits.saturating_sub(self.leases()?)))
    }
}
