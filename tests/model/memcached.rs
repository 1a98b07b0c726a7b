//! A memcached as the model knows it: one key, and the number that its next version will bear.

use super::Version;

/// What is stored under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Absent,
    /// Somebody holds the lease; nobody else is told to load.
    Placeholder {
        cas: u8,
    },
    Value {
        cas: u8,
        version: Version,
        /// Less than `R` seconds are left: one caller is told to refresh.
        stale: bool,
        /// That caller was told already.
        taken: bool,
    },
}

/// `cache::Lease`, with time counted in breaks of connections to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    /// `Lease::origin`.
    pub(crate) server: usize,
    pub(crate) cas: u8,
    pub(crate) asked_at: u8,
    pub(crate) connected_at: u8,
}

/// `cache::Role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Hold,
    /// With what is put back if the load fails.
    Refresh(Version),
    Replace,
    Wait,
}

/// `cache::Claim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) lease: Lease,
    pub(crate) role: Role,
}

/// `cache::Filled`, and `Unreached` for its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Filled {
    Stored,
    Superseded,
    Void,
    Unreached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Memcached {
    pub(crate) item: Item,
    /// Counts the items that were ever linked, from 1 again after a restart.
    cas_next: u8,
    /// The time, as far as leases can tell: how often connections broke.
    pub(crate) now: u8,
}

impl Memcached {
    pub(crate) fn new() -> Self {
        Self { item: Item::Absent, cas_next: 1, now: 0 }
    }

    /// `mg … N R` (`memcached/wire.rs`, `look_up`; `cache/memory.rs`, `look`): the version of the value
    /// if there is one, and what the caller may do. A placeholder is made where nothing is.
    pub(crate) fn look(&mut self, server: usize, connected_at: u8) -> (Option<Found>, Claim) {
        let lease = |cas, now| Lease { server, cas, asked_at: now, connected_at };
        match &mut self.item {
            Item::Absent => {
                let cas = self.number();
                self.item = Item::Placeholder { cas };
                (None, Claim { lease: lease(cas, self.now), role: Role::Hold })
            }
            Item::Placeholder { cas } => {
                (None, Claim { lease: lease(*cas, self.now), role: Role::Wait })
            }
            Item::Value { cas, version, stale, taken } => {
                let won = *stale && !*taken;
                let found = Found { version: *version, stale: *stale };
                *taken |= won;
                let role = match (won, *stale) {
                    (true, _) => Role::Refresh(*version),
                    (false, true) => Role::Wait,
                    (false, false) => Role::Replace,
                };
                (Some(found), Claim { lease: lease(*cas, self.now), role })
            }
        }
    }

    /// Stores `version` as if nobody had given a lease: what a fill must not do.
    pub(crate) fn set(&mut self, version: Version, stale: bool) -> Filled {
        let cas = self.number();
        self.item = Item::Value { cas, version, stale, taken: false };
        Filled::Stored
    }

    /// `ms … C<cas>` (`memcached/wire.rs`, `fill`).
    pub(crate) fn set_under(&mut self, cas: u8, version: Version, stale: bool) -> Filled {
        if self.cas() == Some(cas) { self.set(version, stale) } else { Filled::Superseded }
    }

    /// `md … C<cas>` (`memcached/wire.rs`, `delete` with a lease).
    pub(crate) fn delete_under(&mut self, cas: u8) {
        if self.cas() == Some(cas) {
            self.item = Item::Absent;
        }
    }

    /// Killed and started again: empty, and its numbers begin anew.
    pub(crate) fn restart(&mut self) {
        *self = Self { now: self.now + 1, ..Self::new() };
    }

    pub(crate) fn cas(&self) -> Option<u8> {
        match self.item {
            Item::Absent => None,
            Item::Placeholder { cas } | Item::Value { cas, .. } => Some(cas),
        }
    }

    fn number(&mut self) -> u8 {
        self.cas_next += 1;
        self.cas_next - 1
    }
}

/// A value that a look gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Found {
    pub(crate) version: Version,
    pub(crate) stale: bool,
}
