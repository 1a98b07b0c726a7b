//! What must hold, whatever comes.

use stateright::{Model, Property};

use super::{
    Action, Bounds, Guards, READS_MAX, REPLICAS, Replica, SERVERS, State, WRITES_MAX,
    links::Service,
    loading::Stage,
    memcached::{Filled, Item, Memcached, Role},
    reading::Read,
    writing::Write,
};

// Promises: the checker looks for a state, or for a way to the end, that breaks one.
pub(crate) const NO_OLDER_READ: &str =
    "no read that begins after an acknowledged write returns an older version";
pub(crate) const NOTHING_OLDER_KEPT: &str =
    "no memcached keeps anything older than what is settled";
pub(crate) const FLIES: &str = "whoever waits, waits for a flight that flies";
pub(crate) const EVERY_READ_ENDS: &str = "every read ends";
pub(crate) const DELIVERED: &str = "a note is delivered to each server that any replica reaches";
pub(crate) const GIVEN_BACK: &str = "whatever a look has won is used or given back";

// Sights: the checker looks for a state that shows each, so that none of the promises holds only because
// nothing of interest ever happens.
pub(crate) const SHARED: &str = "callers share a load";
pub(crate) const SUPERSEDED: &str = "a write supersedes a fill";
pub(crate) const VOID: &str = "a lease from before a restart is void";
pub(crate) const TAKEN_OVER: &str = "a waiter takes over from a holder that is slow or dead";
pub(crate) const REFRESHED: &str = "a stale value is refreshed";
pub(crate) const PUT_BACK: &str = "a refresh that fails puts the stale value back";
pub(crate) const RELEASED: &str = "a lease waits to be given back";
pub(crate) const FAILED_OVER: &str = "the second choice gives a lease";
pub(crate) const LEFT_OVER: &str = "a writer is through, and a server has yet to forget its key";
pub(crate) const SWEPT: &str = "a sweep delivers what its writer could not";
pub(crate) const CAUGHT_UP: &str = "a server has caught up and is about to be used";

/// The protocol under some guards, within some bounds.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) guards: Guards,
    pub(crate) bounds: Bounds,
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            left: self.bounds,
            row: 0,
            settled: 0,
            missing: 0,
            servers: [Memcached::new(); SERVERS],
            replicas: [Replica::new(self.bounds); REPLICAS],
            reads: [Read::NotBegun; READS_MAX],
            flights: [None; READS_MAX],
            releases: [None; READS_MAX],
            writes: [Write::NotBegun; WRITES_MAX],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.begin(actions);
        state.go_on(self.guards, actions);
        state.interfere(actions);
    }

    /// `None` where the action changes nothing, such as a look at a placeholder that is still there.
    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        next.act(self.guards, action);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = promises();
        properties.extend(sights());
        properties
    }
}

impl Protocol {
    /// True once nothing goes on by itself any more.
    fn is_at_rest(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        state.go_on(self.guards, &mut actions);
        actions.into_iter().all(|action| self.next_state(state, action).is_none())
    }
}

fn promises() -> Vec<Property<Protocol>> {
    vec![
        Property::always(NO_OLDER_READ, |_, state: &State| {
            !state.reads.contains(&Read::Ended { older: true })
        }),
        Property::always(NOTHING_OLDER_KEPT, |_, state: &State| {
            state.servers.iter().all(|server| match server.item {
                Item::Value { version, .. } => version >= state.settled,
                Item::Absent | Item::Placeholder { .. } => true,
            })
        }),
        Property::always(FLIES, |_, state: &State| {
            state.waited_for().all(|(_, flight)| state.flights[flight].is_some())
        }),
        // Sound because the model never comes back to a state that it has left, and because a read that
        // has ended stays so: each way leads to an end, and there every read must have ended.
        Property::eventually(EVERY_READ_ENDS, |model, state: &State| {
            let ended = state.reads.iter().filter(|read| matches!(read, Read::Ended { .. }));
            ended.count() == usize::from(model.bounds.reads)
        }),
        Property::always(DELIVERED, |model, state: &State| {
            !state.is_missing_within_reach() || !model.is_at_rest(state)
        }),
        // Whoever crashes, or loses its way to the server, gives nothing back: that lapses.
        Property::always(GIVEN_BACK, |model, state: &State| {
            !state.has_claims() || state.had_accidents(model.bounds) || !model.is_at_rest(state)
        }),
    ]
}

fn sights() -> Vec<Property<Protocol>> {
    vec![
        Property::sometimes(SHARED, |_, state: &State| {
            state.waited_for().any(|(read, flight)| read != flight)
        }),
        Property::sometimes(SUPERSEDED, |_, state: &State| state.has_filled(Filled::Superseded)),
        Property::sometimes(VOID, |_, state: &State| state.has_filled(Filled::Void)),
        Property::sometimes(TAKEN_OVER, |_, state: &State| state.holders() > 1),
        Property::sometimes(REFRESHED, |_, state: &State| {
            state.stages().any(|stage| {
                matches!(stage, Stage::Loads(Some(claim)) if matches!(claim.role, Role::Refresh(_)))
            })
        }),
        Property::sometimes(PUT_BACK, |_, state: &State| {
            state
                .stages()
                .any(|stage| stage == Stage::Settled { answer: None, filled: Some(Filled::Stored) })
        }),
        Property::sometimes(RELEASED, |_, state: &State| {
            state.releases.iter().any(Option::is_some)
        }),
        Property::sometimes(FAILED_OVER, |_, state: &State| {
            state
                .reads
                .iter()
                .any(|read| matches!(read, Read::Looked { claim, .. } if claim.lease.server > 0))
        }),
        Property::sometimes(LEFT_OVER, |_, state: &State| {
            state.missing != 0 && state.writes.iter().all(|write| write.at().is_none())
        }),
        Property::sometimes(SWEPT, |_, state: &State| {
            let ended = state.writes.iter().all(|write| write.at().is_none());
            ended && state.replicas.iter().any(|replica| replica.delivered.is_some())
        }),
        Property::sometimes(CAUGHT_UP, |_, state: &State| {
            let mut links = state.replicas.iter().flat_map(|replica| &replica.links);
            links.any(|link| matches!(link.service, Service::CaughtUp(version) if version > 0))
        }),
    ]
}

impl State {
    /// The reads that wait, and the flights that they wait for.
    fn waited_for(&self) -> impl Iterator<Item = (usize, usize)> {
        self.reads.iter().enumerate().filter_map(|(read, state)| match state {
            Read::Waits { flight, .. } => Some((read, *flight)),
            _ => None,
        })
    }

    /// How far each flight is.
    fn stages(&self) -> impl Iterator<Item = Stage> {
        self.flights.iter().flatten().map(|flight| flight.stage)
    }

    /// The loads that go on under the placeholder that is there.
    fn holders(&self) -> usize {
        let Item::Placeholder { cas } = self.servers[0].item else { return 0 };
        self.stages()
            .filter(|stage| match stage {
                Stage::Loads(Some(claim)) => {
                    let lease = claim.lease;
                    claim.role == Role::Hold && (lease.server, lease.cas) == (0, cas)
                }
                _ => false,
            })
            .count()
    }

    /// True if the log has something for a server that some replica reaches.
    fn is_missing_within_reach(&self) -> bool {
        let mut links = self.replicas.iter().flat_map(|replica| replica.links.iter().enumerate());
        self.missing != 0 && links.any(|(server, link)| link.up && self.misses(server))
    }

    /// Whether a placeholder, or a value whose refresh was given to somebody, is on a server.
    fn has_claims(&self) -> bool {
        self.servers.iter().any(|server| match server.item {
            Item::Absent => false,
            Item::Placeholder { .. } => true,
            Item::Value { stale, taken, .. } => stale && taken,
        })
    }

    /// Whether anything has happened that keeps a claim from being given back.
    fn had_accidents(&self, bounds: Bounds) -> bool {
        let count = |it: Bounds| (it.crashes, it.cuts, it.restarts, it.breaks);
        count(self.left) != count(bounds)
    }

    fn has_filled(&self, how: Filled) -> bool {
        self.stages()
            .any(|stage| matches!(stage, Stage::Settled { filled: Some(it), .. } if it == how))
    }
}
