//! What must hold, whatever comes.

use stateright::{Model, Property};

use super::{
    Action, Bounds, Guards, READS_MAX, REPLICAS, Replica, State, WRITES_MAX,
    loading::Stage,
    memcached::{Filled, Item, Memcached, Role},
    reading::Read,
    writing::Write,
};

// Promises: the checker looks for a state, or for a way to the end, that breaks one.
pub(crate) const NO_OLDER_READ: &str =
    "no read that begins after an acknowledged write returns an older version";
pub(crate) const NOTHING_OLDER_KEPT: &str = "memcached keeps nothing older than what is settled";
pub(crate) const FLIES: &str = "whoever waits, waits for a flight that flies";
pub(crate) const EVERY_READ_ENDS: &str = "every read ends";

// Sights: the checker looks for a state that shows each, so that none of the promises holds only because
// nothing of interest ever happens.
pub(crate) const SHARED: &str = "callers share a load";
pub(crate) const SUPERSEDED: &str = "a write supersedes a fill";
pub(crate) const VOID: &str = "a lease from before a restart is void";
pub(crate) const TAKEN_OVER: &str = "a waiter takes over from a holder that is slow or dead";
pub(crate) const REFRESHED: &str = "a stale value is refreshed";
pub(crate) const PUT_BACK: &str = "a refresh that fails puts the stale value back";

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
            memcached: Memcached::new(),
            replicas: [Replica { ready: true, connected_at: 0, job: 0 }; REPLICAS],
            reads: [Read::NotBegun; READS_MAX],
            flights: [None; READS_MAX],
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

fn promises() -> Vec<Property<Protocol>> {
    vec![
        Property::always(NO_OLDER_READ, |_, state: &State| {
            !state.reads.contains(&Read::Ended { older: true })
        }),
        Property::always(NOTHING_OLDER_KEPT, |_, state: &State| match state.memcached.item {
            Item::Value { version, .. } => version >= state.settled,
            Item::Absent | Item::Placeholder { .. } => true,
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
                matches!(stage, Stage::Loads(claim) if matches!(claim.role, Role::Refresh(_)))
            })
        }),
        Property::sometimes(PUT_BACK, |_, state: &State| {
            state
                .stages()
                .any(|stage| stage == Stage::Settled { answer: None, filled: Some(Filled::Stored) })
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
        let Item::Placeholder { cas } = self.memcached.item else { return 0 };
        self.stages()
            .filter(|stage| match stage {
                Stage::Loads(claim) => claim.role == Role::Hold && claim.lease.cas == cas,
                _ => false,
            })
            .count()
    }

    fn has_filled(&self, how: Filled) -> bool {
        self.stages()
            .any(|stage| matches!(stage, Stage::Settled { filled: Some(it), .. } if it == how))
    }
}
