//! The log of changes on PostgreSQL as others hear of it, walked from end to end by a model checker: transactions are given
//! numbers and positions in any order, commit in any other, tell of themselves or not, and what they tell is late or lost.
//!
//! One process that keeps entries in its memory follows the log (`database/postgres/ear.rs`, `database/watch.rs`), and its
//! sweeps deliver to a server (`delivery/sweep.rs`). With all the rules both hear of each change, and without the poll that
//! is behind them; for each rule there is a story of what is missed without it.
//!
//! Time is left out but for one thing: `SecondPasses` is the moment from which a change that was committed before spares
//! nobody a notification any more, and a follower that has heard of nothing since may fall asleep.

use stateright::{Checker, HasDiscoveries, Model, Property};

const WRITERS: usize = 3;

const HEARD: &str = "whoever follows the log hears of each change";
const DELIVERED: &str = "sweeps deliver each change";
const SLEEPS: &str = "a follower falls asleep, and hears of a change after that";
const OUT_OF_ORDER: &str = "a change is committed after one with a later position";
const SPARED: &str = "a change tells nobody of itself";
const LOST: &str = "a notification is lost";

/// The rules. The checker must find what is missed without each of them.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// A follower goes by the transactions that it has seen, not by the last position.
    by_transactions: bool,
    /// It stays awake until the transactions have ended that may have relied on that.
    awake_until_they_end: bool,
    /// Those are all that have begun, not only those up to the last that has ended, where a snapshot ends.
    all_that_have_begun: bool,
    /// It looks whenever its connection was lost.
    awake_without_connection: bool,
    /// A sweep passes a position when the transactions have ended that may have been given an earlier one.
    complete_before_passed: bool,
}

impl Rules {
    const ALL: Self = Self {
        by_transactions: true,
        awake_until_they_end: true,
        all_that_have_begun: true,
        awake_without_connection: true,
        complete_before_passed: true,
    };
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Write {
    #[default]
    NotBegun,
    Begun {
        number: u8,
    },
    Appended {
        number: u8,
        position: u8,
        tells: bool,
    },
    Committed {
        position: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Awake {
    /// Nothing was new since, and for a second or not.
    Since {
        second: bool,
    },
    /// Until the transactions before this number have ended.
    Until(u8),
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    writes: [Write; WRITERS],
    /// The first number and the first position that nobody was given, and the first number after those that have ended.
    next_number: u8,
    next_position: u8,
    past_ended: u8,
    /// A change was committed less than a second ago.
    recent: bool,
    /// A notification is under way to the follower.
    told: bool,
    connected: bool,
    awake: Awake,
    /// The writes that the follower has seen, and the last position among them.
    seen: u8,
    seen_to: u8,
    heard: u8,
    /// The end of the log at the last sweep; up to where nothing can appear any more, and once which have ended; what is
    /// passed by, and the writes that were delivered.
    swept_to: u8,
    complete_to: u8,
    then: (u8, u8),
    passed: u8,
    delivered: u8,
    seconds_left: u8,
    breaks_left: u8,
    slept: bool,
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Begin(usize),
    Append(usize),
    Commit(usize),
    SecondPasses,
    Break,
    Notice,
    Wake,
    Look,
    Sweep,
}

impl State {
    const FIRST: Self = Self {
        writes: [Write::NotBegun; WRITERS],
        next_number: 1,
        next_position: 1,
        past_ended: 1,
        recent: false,
        told: false,
        connected: true,
        awake: Awake::Since { second: false },
        seen: 0,
        seen_to: 0,
        heard: 0,
        swept_to: 0,
        complete_to: 0,
        then: (0, 0),
        passed: 0,
        delivered: 0,
        seconds_left: 1,
        breaks_left: 1,
        slept: false,
        lost: false,
    };

    /// The committed writes and their positions.
    fn committed(&self) -> impl Iterator<Item = (u8, u8)> {
        self.writes.iter().enumerate().filter_map(|(place, write)| match write {
            Write::Committed { position } => Some((1 << place, *position)),
            _ => None,
        })
    }

    fn all_committed(&self) -> u8 {
        self.committed().map(|(write, _)| write).sum()
    }

    fn last(&self) -> u8 {
        self.committed().map(|(_, position)| position).max().unwrap_or(0)
    }

    /// The first transaction that has not ended, and the first that has not begun.
    fn under_way(&self, rules: Rules) -> (u8, u8) {
        let numbers = self.writes.iter().filter_map(|write| match write {
            Write::Begun { number } | Write::Appended { number, .. } => Some(*number),
            _ => None,
        });
        let end = if rules.all_that_have_begun { self.next_number } else { self.past_ended };
        (numbers.min().unwrap_or(end).min(end), end)
    }

    fn write(&mut self, place: usize) {
        self.writes[place] = match self.writes[place] {
            Write::NotBegun => {
                self.next_number += 1;
                Write::Begun { number: self.next_number - 1 }
            }
            Write::Begun { number } => {
                self.next_position += 1;
                let position = self.next_position - 1;
                Write::Appended { number, position, tells: !self.recent }
            }
            Write::Appended { number, position, tells } => {
                self.recent = true;
                self.told |= tells && self.connected;
                self.past_ended = self.past_ended.max(number + 1);
                Write::Committed { position }
            }
            committed @ Write::Committed { .. } => committed,
        };
    }

    fn look(&mut self, rules: Rules) {
        let seen = |state: &Self, (write, position): (u8, u8)| {
            if rules.by_transactions { state.seen & write != 0 } else { position <= state.seen_to }
        };
        let new: Vec<_> = self.committed().filter(|it| !seen(self, *it)).collect();
        new.iter().for_each(|(write, _)| self.heard |= write);
        self.seen = self.all_committed();
        self.seen_to = self.last();
        let (running, end) = self.under_way(rules);
        let told = std::mem::take(&mut self.told);
        self.awake = match self.awake {
            _ if told || !new.is_empty() => Awake::Since { second: false },
            Awake::Since { second: true } if rules.awake_until_they_end => Awake::Until(end),
            Awake::Since { second: true } => Awake::No,
            Awake::Until(end) if running >= end => Awake::No,
            awake => awake,
        };
        self.slept |= self.awake == Awake::No;
    }

    fn sweep(&mut self, rules: Rules) {
        let (running, end) = self.under_way(rules);
        if running >= self.then.1 {
            self.complete_to = self.then.0;
            self.then = (self.last(), end);
        }
        let last = self.last();
        let due = std::mem::replace(&mut self.swept_to, last);
        let found: u8 = (self.committed())
            .filter(|(_, position)| (self.passed + 1..=due).contains(position))
            .map(|(write, _)| write)
            .sum();
        self.delivered |= found;
        let complete_to = if rules.complete_before_passed { self.complete_to } else { due };
        self.passed = self.passed.max(due.min(complete_to));
    }
}

#[derive(Clone, Debug)]
struct Hearing(Rules);

impl Model for Hearing {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::FIRST]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // Which of those that have not begun is the next makes no difference.
        let next = state.writes.iter().position(|write| *write == Write::NotBegun);
        actions.extend(next.map(Action::Begin));
        for (place, write) in state.writes.iter().enumerate() {
            match write {
                Write::Begun { .. } => actions.push(Action::Append(place)),
                Write::Appended { .. } => actions.push(Action::Commit(place)),
                Write::NotBegun | Write::Committed { .. } => {}
            }
        }
        if state.seconds_left > 0 {
            actions.push(Action::SecondPasses);
        }
        if state.connected && state.breaks_left > 0 {
            actions.push(Action::Break);
        }
        if !state.connected {
            actions.push(Action::Notice);
        }
        if state.awake == Awake::No && state.told {
            actions.push(Action::Wake);
        }
        if state.awake != Awake::No && state.connected {
            actions.push(Action::Look);
        }
        actions.push(Action::Sweep);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Begin(place) | Action::Append(place) | Action::Commit(place) => {
                next.write(place);
            }
            Action::SecondPasses => {
                next.seconds_left -= 1;
                next.recent = false;
                if let Awake::Since { second } = &mut next.awake {
                    *second = true;
                }
            }
            Action::Break => {
                next.breaks_left -= 1;
                next.connected = false;
                next.lost |= std::mem::take(&mut next.told);
            }
            Action::Notice => {
                next.connected = true;
                if self.0.awake_without_connection {
                    next.awake = Awake::Since { second: false };
                }
            }
            Action::Wake => next.awake = Awake::Since { second: false },
            Action::Look => next.look(self.0),
            Action::Sweep => next.sweep(self.0),
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(HEARD, |model, state: &State| {
                state.heard == state.all_committed() || !model.is_at_rest(state)
            }),
            Property::always(DELIVERED, |model, state: &State| {
                state.delivered == state.all_committed() || !model.is_at_rest(state)
            }),
            Property::sometimes(SLEEPS, |_, state: &State| {
                state.slept && state.heard != 0 && state.seconds_left == 0
            }),
            Property::sometimes(OUT_OF_ORDER, |_, state: &State| {
                state.writes.iter().any(|write| {
                    matches!(write, Write::Appended { position, .. } if *position < state.last())
                })
            }),
            Property::sometimes(SPARED, |_, state: &State| {
                state
                    .writes
                    .iter()
                    .any(|write| matches!(write, Write::Appended { tells: false, .. }))
            }),
            Property::sometimes(LOST, |_, state: &State| state.lost),
        ]
    }
}

impl Hearing {
    /// Whether nothing goes on any more, and nothing can happen but that time passes or a connection is lost.
    fn is_at_rest(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.actions(state, &mut actions);
        actions.retain(|action| !matches!(action, Action::SecondPasses | Action::Break));
        actions.into_iter().all(|action| self.next_state(state, action).is_none())
    }
}

/// A short story in which something is missed under `rules`.
fn story(promise: &'static str, rules: Rules) -> Vec<Action> {
    let broken = HasDiscoveries::AnyOf([promise].into());
    let checker = Hearing(rules).checker().finish_when(broken).spawn_bfs().join();
    let story = checker.assert_any_discovery(promise).into_actions();
    println!("{promise}: not so after");
    story.iter().for_each(|action| println!("  {action:?}"));
    story
}

#[test]
fn each_change_is_heard_of_whatever_is_late_or_lost() {
    let checker = Hearing(Rules::ALL).checker().threads(2).spawn_dfs().join();
    println!("{} states, none left", checker.unique_state_count());
    for promise in [HEARD, DELIVERED] {
        checker.assert_no_discovery(promise);
    }
    for sight in [SLEEPS, OUT_OF_ORDER, SPARED, LOST] {
        checker.assert_any_discovery(sight);
    }
    assert!(checker.unique_state_count() > 100_000);
}

#[test]
fn who_goes_by_the_last_position_misses_what_commits_after_a_later_one() {
    story(HEARD, Rules { by_transactions: false, ..Rules::ALL });
}

#[test]
fn who_falls_asleep_beside_a_transaction_misses_what_relied_on_its_being_awake() {
    let story = story(HEARD, Rules { awake_until_they_end: false, ..Rules::ALL });
    assert!(story.contains(&Action::SecondPasses));
}

#[test]
fn who_takes_the_end_of_a_snapshot_for_the_last_that_has_begun_falls_asleep_too_early() {
    story(HEARD, Rules { all_that_have_begun: false, ..Rules::ALL });
    story(DELIVERED, Rules { all_that_have_begun: false, ..Rules::ALL });
}

#[test]
fn who_sleeps_on_after_a_lost_connection_misses_what_was_told_meanwhile() {
    let story = story(HEARD, Rules { awake_without_connection: false, ..Rules::ALL });
    assert!(story.contains(&Action::Break));
}

#[test]
fn a_sweep_that_passes_by_what_is_under_way_never_delivers_it() {
    story(DELIVERED, Rules { complete_before_passed: false, ..Rules::ALL });
}
