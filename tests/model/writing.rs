//! A write, and what a crash leaves of it.

use super::{Guards, Servers, State, Version, links::Service, memcached::Item, reading::Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    NotBegun,
    /// The row is committed, and with it the note.
    Committed {
        at: usize,
        version: Version,
        /// Only without the guard is it not.
        noted: bool,
        /// The servers that were told to forget the key, and those that have confirmed it.
        tried: Servers,
        confirmed: Servers,
    },
    /// The writer has its answer; what was confirmed is yet to be told the log.
    Acknowledged {
        at: usize,
        version: Version,
        confirmed: Servers,
    },
    Ended,
}

impl Write {
    /// The replica that it is at, while that has anything to do for it.
    pub(crate) fn at(self) -> Option<usize> {
        match self {
            Self::Committed { at, .. } | Self::Acknowledged { at, .. } => Some(at),
            Self::NotBegun | Self::Ended => None,
        }
    }
}

impl State {
    /// The transaction: the new row, and the note that every server has to forget its key.
    pub(crate) fn commit(&mut self, guards: Guards, write: usize, at: usize) {
        self.row += 1;
        let noted = guards.note_in_the_transaction;
        if noted {
            self.missing = self.all();
        }
        let version = self.row;
        self.writes[write] = Write::Committed { at, version, noted, tried: 0, confirmed: 0 };
    }

    /// A transaction of its own for the note: what must not be.
    pub(crate) fn note(&mut self, write: usize) {
        if let Write::Committed { noted, .. } = &mut self.writes[write] {
            *noted = true;
            self.missing = self.all();
        }
    }

    /// `Store::forget` on one of the choices; after the last one the acknowledgement. (No read can tell a delete that
    /// is not yet acknowledged from one that is, so that the two need not be apart.)
    pub(crate) fn forget(&mut self, guards: Guards, write: usize, server: usize) {
        let all = self.all();
        if let Write::Committed { at, version, tried, confirmed, .. } = &mut self.writes[write] {
            let done = if guards.forget_on_both_choices { 1 << server } else { all };
            *tried |= done;
            if self.replicas[*at].links[server].reaches() {
                self.servers[server].item = Item::Absent;
                *confirmed |= done;
            }
            let (at, version, confirmed) = (*at, *version, *confirmed);
            if *tried != all {
                return;
            }
            if confirmed == all {
                self.settled = self.settled.max(version);
            }
            self.writes[write] = Write::Acknowledged { at, version, confirmed };
            if self.left.late_confirms == 0 || confirmed == 0 {
                self.confirm(guards, write);
            } else {
                self.left.late_confirms -= 1;
            }
        }
    }

    /// What the writer has delivered itself is told the log, behind its answer.
    pub(crate) fn confirm(&mut self, guards: Guards, write: usize) {
        if let Write::Acknowledged { version, confirmed, .. } = self.writes[write] {
            self.clear(guards, version, confirmed);
            self.writes[write] = Write::Ended;
        }
    }

    /// A replica is killed: its reads get no answer, its flights and queues are gone, its writes are never
    /// acknowledged. What it has committed stays, the notes included.
    pub(crate) fn crash(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        replica.ready = false;
        replica.delivered = None;
        for link in &mut replica.links {
            link.service = Service::Out;
        }
        for read in &mut self.reads {
            if read.at() == Some(at) {
                *read = Read::Ended { older: false };
            }
        }
        for flight in &mut self.flights {
            flight.take_if(|flight| flight.at == at);
        }
        for release in &mut self.releases {
            release.take_if(|release| release.at == at);
        }
        for write in &mut self.writes {
            if write.at() == Some(at) {
                *write = Write::Ended;
            }
        }
    }

    /// The replica starts again, and says that it is ready once every server that it reaches has caught up. (When its
    /// connections were made is nothing to anybody: no lease of the replica's has survived.)
    pub(crate) fn recover(&mut self, guards: Guards, at: usize) {
        for server in 0..self.left.servers {
            if self.replicas[at].links[server].up {
                self.catch_up(guards, at, server);
                self.put_into_service(at, server);
            }
        }
        self.replicas[at].ready = true;
    }
}
