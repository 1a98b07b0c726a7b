//! The log of changes, and the sweeps that deliver what a writer could not.

use super::{Guards, Servers, State, Version, links::Service, memcached::Item, writing::Write};

/// What a sweep has delivered: one row of the log, to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delivered {
    pub(crate) version: Version,
    pub(crate) server: usize,
}

impl State {
    /// All servers there are.
    pub(crate) fn all(&self) -> Servers {
        (1 << self.left.servers) - 1
    }

    /// Whether the log says that `server` has yet to forget the key.
    pub(crate) fn misses(&self, server: usize) -> bool {
        self.missing & 1 << server != 0
    }

    /// Whether a sweep of the replica tries to deliver to `server`.
    pub(crate) fn may_deliver(&self, guards: Guards, at: usize, server: usize) -> bool {
        let replica = &self.replicas[at];
        let is_in = |server: usize| matches!(replica.links[server].service, Service::In(_));
        let others = guards.each_place_by_itself || (0..self.left.servers).all(is_in);
        let is_left = self.left.early_sweeps > 0 || !self.is_being_written();
        replica.ready
            && is_left
            && replica.delivered.is_none()
            && self.misses(server)
            && is_in(server)
            && others
    }

    /// Whether the writer of the row is still at it.
    fn is_being_written(&self) -> bool {
        self.writes.iter().any(|write| match *write {
            Write::Committed { version, .. } | Write::Acknowledged { version, .. } => {
                version == self.row
            }
            Write::NotBegun | Write::Ended => false,
        })
    }

    /// A sweep forgets the key on `server`. If that fails, the log stays as it is.
    pub(crate) fn deliver(&mut self, guards: Guards, at: usize, server: usize) {
        self.left.early_sweeps -= u8::from(self.is_being_written());
        if self.replicas[at].links[server].up {
            self.servers[server].item = Item::Absent;
            self.replicas[at].delivered = Some(Delivered { version: self.row, server });
            if self.left.late_confirms == 0 {
                self.clear_delivered(guards, at);
            } else {
                self.left.late_confirms -= 1;
            }
        } else if !guards.note_kept_until_confirmed {
            self.clear(guards, self.row, 1 << server);
        }
    }

    /// The sweep tells the log what it has delivered.
    pub(crate) fn clear_delivered(&mut self, guards: Guards, at: usize) {
        if let Some(Delivered { version, server }) = self.replicas[at].delivered.take() {
            self.clear(guards, version, 1 << server);
        }
    }

    /// These servers have confirmed that they have forgotten the key since `version` was committed. Bits are taken off by
    /// row: what is confirmed of an older row of the log says nothing of a later one, which alone is modelled.
    pub(crate) fn clear(&mut self, guards: Guards, version: Version, confirmed: Servers) {
        if guards.confirm_only_the_row_that_was_read && version != self.row {
            return;
        }
        let only = guards.confirm_only_the_place_that_answered;
        self.missing &= if only { !confirmed } else { 0 };
        if self.missing == 0 {
            self.settled = self.settled.max(self.row);
        }
    }
}
