//! Which action may come when, and what it does.

use super::{
    Action, Guards, REPLICAS, State,
    links::{CONNECTIONS, Service},
    loading::Stage,
    memcached::Item,
    reading::Read,
    writing::Write,
};

impl State {
    /// Reads and writes begin in the order of their places, and the first of them at the first replica:
    /// any other order is the same with other numbers.
    pub(crate) fn begin(&self, actions: &mut Vec<Action>) {
        let first = self.row == 0 && self.reads[0] == Read::NotBegun;
        let places = if first { 1 } else { REPLICAS };
        for at in (0..places).filter(|at| self.replicas[*at].ready) {
            let asked = self.replicas[at].asked().map(|(server, _)| server);
            if let Some(read) = self.reads.iter().position(|read| *read == Read::NotBegun)
                && let Some(server) = asked
                && self.replicas[at].links[server].up
                && self.left.reads > 0
            {
                actions.push(Action::Look { read, at, choosy: false });
                let is_value = matches!(self.servers[server].item, Item::Value { .. });
                if self.left.choosy_reads > 0 && is_value {
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
        for (place, release) in self.releases.iter().enumerate() {
            if let Some(release) = release
                && self.replicas[release.at].links[release.claim.lease.server].up
            {
                actions.push(Action::GiveBack { place });
            }
        }
        for (write, state) in self.writes.iter().enumerate() {
            match *state {
                Write::Committed { noted: false, .. } => actions.push(Action::Note { write }),
                Write::Committed { at, tried, .. } => {
                    let first = self.replicas[at].asked().map_or(0, |(server, _)| server);
                    let is_choice = |server| guards.forget_on_both_choices || server == first;
                    let choices = (0..self.left.servers).filter(|server| is_choice(*server));
                    let left = choices.filter(|server| tried & 1 << server == 0);
                    actions.extend(left.map(|server| Action::Forget { write, server }));
                }
                Write::Acknowledged { .. } => actions.push(Action::Confirm { write }),
                Write::NotBegun | Write::Ended => {}
            }
        }
        for at in 0..REPLICAS {
            self.serve(guards, at, actions);
        }
    }

    /// What a replica does by itself.
    fn serve(&self, guards: Guards, at: usize, actions: &mut Vec<Action>) {
        let replica = &self.replicas[at];
        if !replica.ready {
            actions.push(Action::Recover { at });
            return;
        }
        if replica.delivered.is_some() {
            actions.push(Action::Clear { at });
        }
        for server in 0..self.left.servers {
            if self.may_deliver(guards, at, server) {
                actions.push(Action::Deliver { at, server });
            }
            let link = &replica.links[server];
            match (link.service, link.up) {
                (Service::In(_), false) => actions.push(Action::Notice { at, server }),
                (Service::Out, true) => actions.push(Action::CatchUp { at, server }),
                (Service::CaughtUp(_), _) => actions.push(Action::Return { at, server }),
                (Service::Out, false) | (Service::In(_), true) => {}
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
        for server in 0..self.left.servers {
            let memcached = &self.servers[server];
            if self.left.agings > 0 && matches!(memcached.item, Item::Value { stale: false, .. }) {
                actions.push(Action::GrowStale { server });
            }
            if self.left.losses > 0 && memcached.item != Item::Absent {
                actions.push(Action::LoseItem { server });
            }
            if self.left.restarts > 0 && memcached.cas().is_some() {
                actions.push(Action::Restart { server });
            }
        }
        for at in 0..REPLICAS {
            for server in 0..self.left.servers {
                let up = self.replicas[at].links[server].up;
                if self.left.breaks > 0 && up {
                    let each = 0..CONNECTIONS;
                    actions.extend(each.map(|connection| Action::BreakConnection {
                        at,
                        server,
                        connection,
                    }));
                }
                if self.left.cuts > 0 && up {
                    actions.push(Action::Cut { at, server });
                }
                if self.left.mends > 0 && !up {
                    actions.push(Action::Mend { at, server });
                }
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
            Action::GiveBack { place } => self.give_back(guards, place),
            Action::Commit { write, at } => {
                self.left.writes -= 1;
                self.commit(guards, write, at);
            }
            Action::Note { write } => self.note(write),
            Action::Forget { write, server } => self.forget(guards, write, server),
            Action::Confirm { write } => self.confirm(guards, write),
            Action::Deliver { at, server } => self.deliver(guards, at, server),
            Action::Clear { at } => self.clear_delivered(guards, at),
            Action::Recover { at } => self.recover(guards, at),
            Action::Notice { at, server } => self.notice(at, server),
            Action::CatchUp { at, server } => self.catch_up(guards, at, server),
            Action::Return { at, server } => self.put_into_service(at, server),
            Action::LookAgain { flight }
            | Action::TakeOver { flight }
            | Action::ReadRow { flight }
            | Action::FailToLoad { flight }
            | Action::Fill { flight }
            | Action::Land { flight } => self.fly_on(guards, flight, action),
            _ => self.suffer(guards, action),
        }
        self.forget_what_is_settled();
    }

    fn fly_on(&mut self, guards: Guards, place: usize, action: Action) {
        let Some(mut flight) = self.flights[place].take() else { return };
        match action {
            Action::LookAgain { .. } => self.look_again(&mut flight),
            Action::TakeOver { .. } => Self::take_over(&mut flight),
            Action::ReadRow { .. } => self.read_row(&mut flight),
            Action::FailToLoad { .. } => {
                self.left.failures -= 1;
                self.fail_to_load(guards, place, &mut flight);
            }
            Action::Fill { .. } => self.fill(guards, place, &mut flight),
            _ => {
                if let Stage::Settled { answer, .. } = flight.stage {
                    return self.land(place, answer);
                }
            }
        }
        self.flights[place] = Some(flight);
    }

    /// What goes wrong, once.
    fn suffer(&mut self, guards: Guards, action: Action) {
        match action {
            Action::Leave { read } => {
                self.left.leavers -= 1;
                self.leave(guards, read);
            }
            Action::Crash { at } => {
                self.left.crashes -= 1;
                self.crash(at);
            }
            Action::Cut { at, server } => {
                self.left.cuts -= 1;
                self.cut(at, server);
            }
            Action::Mend { at, server } => {
                self.left.mends -= 1;
                self.mend(at, server);
            }
            Action::GrowStale { server } => {
                self.left.agings -= 1;
                if let Item::Value { stale, .. } = &mut self.servers[server].item {
                    *stale = true;
                }
            }
            Action::LoseItem { server } => {
                self.left.losses -= 1;
                self.servers[server].item = Item::Absent;
            }
            Action::Restart { server } => {
                self.left.restarts -= 1;
                self.servers[server].restart();
                let links = self.replicas.iter_mut().map(|replica| &mut replica.links[server]);
                for link in links.filter(|link| link.up) {
                    link.connected_at = [self.servers[server].now; CONNECTIONS];
                }
            }
            Action::BreakConnection { at, server, connection } => {
                self.left.breaks -= 1;
                self.servers[server].now += 1;
                let now = self.servers[server].now;
                self.replicas[at].links[server].connected_at[connection] = now;
            }
            _ => unreachable!("{action:?} is no misfortune"),
        }
    }

    /// Whether a crash of the replica changes anything.
    fn is_busy(&self, at: usize) -> bool {
        self.flights.iter().flatten().any(|flight| flight.at == at)
            || self.releases.iter().flatten().any(|release| release.at == at)
            || self.reads.iter().any(|read| read.at() == Some(at))
            || self.writes.iter().any(|write| write.at() == Some(at))
            || self.replicas[at].delivered.is_some()
    }
}
