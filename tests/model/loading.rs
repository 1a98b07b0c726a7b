//! Flights, as `cache/single_flight.rs` shares and `cache/fill.rs` flies them.

use super::{
    Guards, State, Version,
    links::{CHANGES, LOOKUPS},
    memcached::{Claim, Filled, Lease, Role},
    reading::Read,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) at: usize,
    /// The server that its first caller saw, the CAS, and when: what it is known by.
    server: usize,
    cas: u8,
    asked_at: u8,
    /// It is in the map; another of the same name may have taken its place there.
    listed: bool,
    pub(crate) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Waits for the holder of the lease (`Shared::wait`).
    Waits(Lease),
    /// Has the right to load, or the need to: then there is no claim.
    Loads(Option<Claim>),
    /// The source has answered.
    Loaded(Option<Claim>, Version),
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

    /// Whether this is the flight of the version that `lease` tells of.
    fn is_of(&self, guards: Guards, at: usize, lease: Lease) -> bool {
        self.at == at
            && (self.server == lease.server || !guards.flights_by_server)
            && (self.cas == lease.cas || !guards.flights_by_cas)
    }
}

impl State {
    /// `SingleFlight::call`: joins the flight of this version or begins one. Gives its place.
    pub(crate) fn fly(&mut self, guards: Guards, read: usize, at: usize, claim: Claim) -> usize {
        for place in 0..self.flights.len() {
            if let Some(flight) = &mut self.flights[place]
                && flight.is_of(guards, at, claim.lease)
            {
                if flight.takes(guards, claim) {
                    return place;
                }
                flight.listed = false;
            }
        }
        let Lease { server, cas, asked_at, .. } = claim.lease;
        let stage = match claim.role {
            Role::Wait => Stage::Waits(claim.lease),
            Role::Hold | Role::Refresh(_) | Role::Replace => Stage::Loads(Some(claim)),
        };
        self.flights[read] = Some(Flight { at, server, cas, asked_at, listed: true, stage });
        read
    }

    /// A round of `Shared::wait`. Where no server can be asked it loads without a claim.
    pub(crate) fn look_again(&mut self, flight: &mut Flight) {
        let replica = &self.replicas[flight.at];
        let asked = replica.asked().filter(|(server, _)| replica.links[*server].up);
        let Some((server, _)) = asked else {
            flight.stage = Stage::Loads(None);
            return;
        };
        let connected_at = replica.links[server].connected_at[LOOKUPS];
        let (found, claim) = self.servers[server].look(server, connected_at);
        flight.stage = match (found, claim.role) {
            (_, Role::Hold | Role::Refresh(_)) => Stage::Loads(Some(claim)),
            (_, Role::Wait) => Stage::Waits(claim.lease),
            (found, Role::Replace) => {
                Stage::Settled { answer: found.map(|found| found.version), filled: None }
            }
        };
    }

    /// The end of `Shared::wait`, at its deadline: the placeholder's number is the lease.
    pub(crate) fn take_over(flight: &mut Flight) {
        if let Stage::Waits(lease) = flight.stage {
            flight.stage = Stage::Loads(Some(Claim { lease, role: Role::Hold }));
        }
    }

    /// The source's query.
    pub(crate) fn read_row(&self, flight: &mut Flight) {
        if let Stage::Loads(claim) = flight.stage {
            flight.stage = Stage::Loaded(claim, self.row);
        }
    }

    /// `Shared::settle` with an error: what was held is given back (`Shared::abandon`).
    pub(crate) fn fail_to_load(&mut self, guards: Guards, place: usize, flight: &mut Flight) {
        let Stage::Loads(claim) = flight.stage else { return };
        let filled = claim.and_then(|claim| match claim.role {
            Role::Hold => {
                self.release(place, flight.at, claim);
                None
            }
            Role::Refresh(version) => {
                Some(self.store(guards, flight.at, claim.lease, version, true))
            }
            Role::Replace | Role::Wait => None,
        });
        flight.stage = Stage::Settled { answer: None, filled };
    }

    /// `Shared::settle` with an answer.
    pub(crate) fn fill(&mut self, guards: Guards, place: usize, flight: &mut Flight) {
        let Stage::Loaded(claim, version) = flight.stage else { return };
        let filled = claim.map(|Claim { lease, .. }| {
            let filled = self.store(guards, flight.at, lease, version, false);
            if matches!(filled, Filled::Void | Filled::Unreached) {
                self.release(place, flight.at, Claim { lease, role: Role::Hold });
            }
            filled
        });
        flight.stage = Stage::Settled { answer: Some(version), filled };
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

    /// `Wire::fill`.
    fn store(
        &mut self,
        guards: Guards,
        at: usize,
        lease: Lease,
        version: Version,
        stale: bool,
    ) -> Filled {
        if !self.replicas[at].links[lease.server].reaches() {
            Filled::Unreached
        } else if self.is_void(guards, at, lease, CHANGES) {
            Filled::Void
        } else if guards.fill_under_cas {
            self.servers[lease.server].set_under(lease.cas, version, stale)
        } else {
            self.servers[lease.server].set(version, stale)
        }
    }
}
