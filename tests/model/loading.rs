//! Flights, as `cache/single_flight.rs` shares and `cache/fill.rs` flies them.

use super::{
    Guards, State, Version,
    memcached::{Claim, Filled, Item, Lease, Role},
    reading::Read,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) at: usize,
    /// The CAS that its first caller saw, and when: what it is known by.
    cas: u8,
    asked_at: u8,
    /// It is in the map; another with the same CAS may have taken its place there.
    listed: bool,
    pub(crate) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Waits for the holder of the lease (`Shared::wait`).
    Waits(Lease),
    /// Has the right to load.
    Loads(Claim),
    /// The source has answered.
    Loaded(Claim, Version),
    /// Its task is about to end. `answer` is `None` if the load failed.
    Settled { answer: Option<Version>, filled: Option<Filled> },
}

impl Flight {
    /// `Flight::takes`: whether the holder of `claim` may join.
    fn takes(&self, guards: Guards, claim: Claim) -> bool {
        let young = claim.lease.connected_at > self.asked_at;
        let waits = matches!(claim.role, Role::Replace | Role::Wait);
        waits && self.listed && !(guards.flights_by_age && young)
    }
}

impl State {
    /// `SingleFlight::call`: joins the flight of this version or begins one. Gives its place.
    pub(crate) fn fly(&mut self, guards: Guards, read: usize, at: usize, claim: Claim) -> usize {
        for place in 0..self.flights.len() {
            if let Some(flight) = &mut self.flights[place]
                && flight.at == at
                && (flight.cas == claim.lease.cas || !guards.flights_by_cas)
            {
                if flight.takes(guards, claim) {
                    return place;
                }
                flight.listed = false;
            }
        }
        let Lease { cas, asked_at, .. } = claim.lease;
        let stage = match claim.role {
            Role::Wait => Stage::Waits(claim.lease),
            Role::Hold | Role::Refresh(_) | Role::Replace => Stage::Loads(claim),
        };
        self.flights[read] = Some(Flight { at, cas, asked_at, listed: true, stage });
        read
    }

    /// A round of `Shared::wait`.
    pub(crate) fn look_again(&mut self, flight: &mut Flight) {
        let (found, claim) = self.memcached.look(self.replicas[flight.at].connected_at);
        flight.stage = match (found, claim.role) {
            (_, Role::Hold | Role::Refresh(_)) => Stage::Loads(claim),
            (_, Role::Wait) => Stage::Waits(claim.lease),
            (found, Role::Replace) => {
                Stage::Settled { answer: found.map(|found| found.version), filled: None }
            }
        };
    }

    /// The end of `Shared::wait`, at its deadline: the placeholder's number is the lease.
    pub(crate) fn take_over(flight: &mut Flight) {
        if let Stage::Waits(lease) = flight.stage {
            flight.stage = Stage::Loads(Claim { lease, role: Role::Hold });
        }
    }

    /// The source's query.
    pub(crate) fn read_row(&self, flight: &mut Flight) {
        if let Stage::Loads(claim) = flight.stage {
            flight.stage = Stage::Loaded(claim, self.row);
        }
    }

    /// `Shared::settle` with an error: what was held is given back.
    pub(crate) fn fail_to_load(&mut self, guards: Guards, flight: &mut Flight) {
        if let Stage::Loads(claim) = flight.stage {
            let filled = self.abandon(guards, flight.at, claim);
            flight.stage = Stage::Settled { answer: None, filled };
        }
    }

    /// `Shared::settle` with an answer.
    pub(crate) fn fill(&mut self, guards: Guards, flight: &mut Flight) {
        if let Stage::Loaded(claim, version) = flight.stage {
            let filled = self.store(guards, flight.at, claim.lease, version, false);
            if filled == Filled::Void {
                self.release(guards, flight.at, claim.lease);
            }
            flight.stage = Stage::Settled { answer: Some(version), filled: Some(filled) };
        }
    }

    /// The task ends: `Landing` takes it off the map and every caller has the same answer.
    pub(crate) fn land(&mut self, place: usize, answer: Option<Version>) {
        for read in &mut self.reads {
            if let Read::Waits { floor, flight, .. } = *read
                && flight == place
            {
                *read = Read::answered(floor, answer);
            }
        }
    }

    /// `Shared::abandon`.
    fn abandon(&mut self, guards: Guards, at: usize, claim: Claim) -> Option<Filled> {
        match claim.role {
            Role::Hold => {
                self.release(guards, at, claim.lease);
                None
            }
            Role::Refresh(version) => Some(self.store(guards, at, claim.lease, version, true)),
            Role::Replace | Role::Wait => None,
        }
    }

    /// `Wire::delete` with a lease. One that is void can't say what it was given for: all is forgotten.
    fn release(&mut self, guards: Guards, at: usize, lease: Lease) {
        if self.is_void(guards, at, lease) {
            self.memcached.item = Item::Absent;
        } else {
            self.memcached.delete_under(lease.cas);
        }
    }

    /// `Wire::fill`.
    fn store(
        &mut self,
        guards: Guards,
        at: usize,
        lease: Lease,
        version: Version,
        stale: bool,
    ) -> Filled {
        if self.is_void(guards, at, lease) {
            Filled::Void
        } else if guards.fill_under_cas {
            self.memcached.set_under(lease.cas, version, stale)
        } else {
            self.memcached.set(version, stale)
        }
    }

    fn is_void(&self, guards: Guards, at: usize, lease: Lease) -> bool {
        guards.void_leases && lease.asked_at < self.replicas[at].connected_at
    }
}
