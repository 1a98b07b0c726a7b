//! Which action may come when, and what it does.

use super::{
    Action, Guards, REPLICAS, State, loading::Stage, memcached::Item, reading::Read, writing::Write,
};

impl State {
    /// Reads and writes begin in the order of their places, and the first of them at the first replica:
    /// any other order is the same with other numbers.
    pub(crate) fn begin(&self, actions: &mut Vec<Action>) {
        let first = self.row == 0 && self.reads[0] == Read::NotBegun;
        let places = if first { 1 } else { REPLICAS };
        for at in (0..places).filter(|at| self.replicas[*at].ready) {
            if let Some(read) = self.reads.iter().position(|read| *read == Read::NotBegun)
                && self.left.reads > 0
            {
                actions.push(Action::Look { read, at, choosy: false });
                if self.left.choosy_reads > 0 && matches!(self.memcached.item, Item::Value { .. }) {
                    actions.push(Action::Look { read, at, choosy: true });
                }
            }
            if let Some(write) = self.writes.iter().position(|write| *write == Write::NotBegun)
                && self.left.writes > 0
            {
                actions.push(Action::Commit { write, at });
            }
        }
    }

    /// What has begun goes on; each of these can always be taken, now or after some others.
    pub(crate) fn go_on(&self, guards: Guards, actions: &mut Vec<Action>) {
        for (read, state) in self.reads.iter().enumerate() {
            if matches!(state, Read::Looked { .. }) {
                actions.push(Action::Call { read });
            }
        }
        for (flight, state) in self.flights.iter().enumerate() {
            match state.map(|flight| flight.stage) {
                Some(Stage::Waits(_)) => {
                    actions.push(Action::LookAgain { flight });
                    if guards.waiters_take_over {
                        actions.push(Action::TakeOver { flight });
                    }
                }
                Some(Stage::Loads(_)) => actions.push(Action::ReadRow { flight }),
                Some(Stage::Loaded(..)) => actions.push(Action::Fill { flight }),
                Some(Stage::Settled { .. }) => actions.push(Action::Land { flight }),
                None => {}
            }
        }
        for (write, state) in self.writes.iter().enumerate() {
            if matches!(state, Write::Committed { .. }) {
                actions.push(Action::Forget { write });
            }
        }
        for (at, replica) in self.replicas.iter().enumerate() {
            match (replica.ready, replica.job) {
                (false, _) => actions.push(Action::Recover { at }),
                (true, 0) => {}
                (true, _) => actions.push(Action::Deliver { at }),
            }
        }
    }

    /// What goes wrong.
    pub(crate) fn interfere(&self, actions: &mut Vec<Action>) {
        for (read, state) in self.reads.iter().enumerate() {
            if self.left.leavers > 0 && state.at().is_some() {
                actions.push(Action::Leave { read });
            }
        }
        for (flight, state) in self.flights.iter().enumerate() {
            if self.left.failures > 0
                && matches!(state.map(|flight| flight.stage), Some(Stage::Loads(_)))
            {
                actions.push(Action::FailToLoad { flight });
            }
        }
        match self.memcached.item {
            Item::Value { stale: false, .. } if self.left.agings > 0 => {
                actions.push(Action::GrowStale);
            }
            _ => {}
        }
        if self.left.losses > 0 && self.memcached.item != Item::Absent {
            actions.push(Action::LoseItem);
        }
        if self.left.restarts > 0 && self.memcached.cas().is_some() {
            actions.push(Action::Restart);
        }
        for at in 0..REPLICAS {
            if self.left.breaks > 0 {
                actions.push(Action::BreakConnection { at });
            }
            if self.left.crashes > 0 && self.is_busy(at) {
                actions.push(Action::Crash { at });
            }
        }
    }

    pub(crate) fn act(&mut self, guards: Guards, action: Action) {
        match action {
            Action::Look { read, at, choosy } => {
                self.left.reads -= 1;
                self.look(read, at, choosy);
            }
            Action::Call { read } => self.call(guards, read),
            Action::Leave { read } => {
                self.left.leavers -= 1;
                self.leave(read);
            }
            Action::Commit { write, at } => {
                self.left.writes -= 1;
                self.commit(write, at);
            }
            Action::Forget { write } => self.forget(write),
            Action::Crash { at } => {
                self.left.crashes -= 1;
                self.crash(at);
            }
            Action::Recover { at } => self.recover(guards, at),
            Action::Deliver { at } => self.deliver(at),
            Action::GrowStale => {
                self.left.agings -= 1;
                if let Item::Value { stale, .. } = &mut self.memcached.item {
                    *stale = true;
                }
            }
            Action::LoseItem => {
                self.left.losses -= 1;
                self.memcached.item = Item::Absent;
            }
            Action::Restart => {
                self.left.restarts -= 1;
                self.memcached.restart();
                self.replicas.iter_mut().for_each(|it| it.connected_at = self.memcached.now);
            }
            Action::BreakConnection { at } => {
                self.left.breaks -= 1;
                self.memcached.now += 1;
                self.replicas[at].connected_at = self.memcached.now;
            }
            Action::LookAgain { flight }
            | Action::TakeOver { flight }
            | Action::ReadRow { flight }
            | Action::FailToLoad { flight }
            | Action::Fill { flight }
            | Action::Land { flight } => self.fly_on(guards, flight, action),
        }
    }

    fn fly_on(&mut self, guards: Guards, place: usize, action: Action) {
        let Some(mut flight) = self.flights[place].take() else { return };
        match action {
            Action::LookAgain { .. } => self.look_again(&mut flight),
            Action::TakeOver { .. } => Self::take_over(&mut flight),
            Action::ReadRow { .. } => self.read_row(&mut flight),
            Action::FailToLoad { .. } => {
                self.left.failures -= 1;
                self.fail_to_load(guards, &mut flight);
            }
            Action::Fill { .. } => self.fill(guards, &mut flight),
            _ => {
                if let Stage::Settled { answer, .. } = flight.stage {
                    return self.land(place, answer);
                }
            }
        }
        self.flights[place] = Some(flight);
    }

    /// Whether a crash of the replica changes anything.
    fn is_busy(&self, at: usize) -> bool {
        self.flights.iter().flatten().any(|flight| flight.at == at)
            || self.reads.iter().any(|read| read.at() == Some(at))
            || self
                .writes
                .iter()
                .any(|write| matches!(write, Write::Committed { at: place, .. } if *place == at))
    }
}
