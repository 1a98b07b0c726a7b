//! A read, as `cache/lookup.rs` makes it.

use super::{
    Guards, State, Version,
    links::LOOKUPS,
    memcached::{Claim, Role},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Read {
    NotBegun,
    /// memcached has answered; the answer is on its way.
    Looked {
        at: usize,
        /// The version that was settled when the read began.
        floor: Version,
        claim: Claim,
        /// The entry that was found, if it answers the read; the claim is for the refresh alone then.
        hit: Option<Version>,
    },
    Waits {
        at: usize,
        floor: Version,
        flight: usize,
    },
    Ended {
        /// It returned a version from before its floor.
        older: bool,
    },
}

impl Read {
    pub(crate) fn answered(floor: Version, answer: Option<Version>) -> Self {
        Self::Ended { older: answer.is_some_and(|version| version < floor) }
    }

    /// The replica that it is at, while it lasts.
    pub(crate) fn at(self) -> Option<usize> {
        match self {
            Self::Looked { at, .. } | Self::Waits { at, .. } => Some(at),
            Self::NotBegun | Self::Ended { .. } => None,
        }
    }
}

impl State {
    /// `Shared::get`: begins, and looks the key up. (A read that began earlier may return older versions,
    /// so that none is harder to serve than one that looks at once.)
    pub(crate) fn look(&mut self, read: usize, at: usize, choosy: bool) {
        let replica = &self.replicas[at];
        let Some((server, known)) = replica.asked() else { return };
        let floor = self.settled.max(known);
        let connected_at = replica.links[server].connected_at[LOOKUPS];
        let (found, claim) = self.servers[server].look(server, connected_at);
        self.left.choosy_reads -= u8::from(choosy);
        let hit = found.filter(|_| !choosy).map(|found| found.version);
        self.reads[read] = match (hit, claim.role) {
            (Some(_), Role::Replace | Role::Wait) => Read::answered(floor, hit),
            _ => Read::Looked { at, floor, claim, hit },
        };
    }

    /// `Shared::get`, when the answer is there: calls `SingleFlight` without an await between. A hit
    /// that is to be refreshed begins the flight and does not wait for it.
    pub(crate) fn call(&mut self, guards: Guards, read: usize) {
        if let Read::Looked { at, floor, claim, hit } = self.reads[read] {
            let flight = self.fly(guards, read, at, claim);
            self.reads[read] = match hit {
                Some(_) => Read::answered(floor, hit),
                None => Read::Waits { at, floor, flight },
            };
        }
    }

    /// The client closes its connection, and the future of `Lookup::call` is dropped. What the reply has won is given
    /// back (`Unheard`).
    pub(crate) fn leave(&mut self, guards: Guards, read: usize) {
        if let Read::Looked { at, claim, .. } = self.reads[read]
            && guards.give_back
        {
            self.release(read, at, claim);
        }
        self.reads[read] = Read::Ended { older: false };
    }
}
