//! A write (design.md §4), and what a crash leaves of it.

use super::{Guards, State, Version, memcached::Item, reading::Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    NotBegun,
    /// The row and the invalidation job are committed, in one transaction.
    Committed {
        at: usize,
        version: Version,
    },
    Ended,
}

impl State {
    /// The transaction: the new row and the job that will forget its key.
    pub(crate) fn commit(&mut self, write: usize, at: usize) {
        self.row += 1;
        self.writes[write] = Write::Committed { at, version: self.row };
    }

    /// `Store::forget` of the direct delete, then the acknowledgement. (No read can tell a delete that
    /// is not yet acknowledged from one that is, so that the two need not be apart.)
    pub(crate) fn forget(&mut self, write: usize) {
        if let Write::Committed { version, .. } = self.writes[write] {
            self.memcached.item = Item::Absent;
            self.settled = self.settled.max(version);
            self.writes[write] = Write::Ended;
        }
    }

    /// A replica is killed: its reads get no answer, its flights are gone, its writes are never
    /// acknowledged. What it has committed stays, the jobs included.
    pub(crate) fn crash(&mut self, at: usize) {
        self.replicas[at].ready = false;
        for read in &mut self.reads {
            if read.at() == Some(at) {
                *read = Read::Ended { older: false };
            }
        }
        for flight in &mut self.flights {
            flight.take_if(|flight| flight.at == at);
        }
        for write in &mut self.writes {
            if let Write::Committed { at: place, version } = *write
                && place == at
            {
                self.replicas[at].job = self.replicas[at].job.max(version);
                *write = Write::Ended;
            }
        }
    }

    /// The replica starts again and says that it is ready. Whoever reads from then on relies on what
    /// was committed before the crash.
    pub(crate) fn recover(&mut self, guards: Guards, at: usize) {
        self.settled = self.settled.max(self.replicas[at].job);
        if guards.jobs_before_ready && self.replicas[at].job > 0 {
            self.deliver(at);
        }
        self.replicas[at].ready = true;
    }

    /// The worker of the queue takes the job: it forgets the key.
    pub(crate) fn deliver(&mut self, at: usize) {
        self.memcached.item = Item::Absent;
        self.replicas[at].job = 0;
    }
}
