//! A walk: its steps, each with what was expected and what was seen, and how many differ.

use std::{
    fmt::Display,
    io::{self, Write},
};

use console::style;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Fuse, join_all},
};

use crate::{
    cache::{Key, StoreError},
    memcached::Memcached,
};

/// The first part of every key but those of sessions.
const SPACE: &str = "aside:demo";

/// SIGPIPE, by which a program ends whose reader has gone.
const PIPE: u8 = 13;

/// Resolves when somebody wants the walk to end, to the number of the signal that said so.
pub type Interrupt = BoxFuture<'static, u8>;

/// Tells what is done, step by step.
pub struct Walk {
    pub(super) memcached: Memcached,
    /// Keys that it may have stored something under.
    keys: Vec<Key>,
    out: Box<dyn Write + Send>,
    interrupt: Fuse<Interrupt>,
    steps: u32,
    differences: u32,
}

/// Why a walk ends before its last step.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// This signal has come, or would have, as nobody reads this any more.
    #[error("ended by signal {0}")]
    Signalled(u8),
    /// It can't be written, though somebody is there to read it.
    #[error("standard output can't be written: {0}")]
    Unwritten(io::Error),
    /// A step can't be made.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Signalled(PIPE),
            _ => Self::Unwritten(error),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(why: StoreError) -> Self {
        let why = match why {
            StoreError::Refused => "memcached refuses",
            StoreError::NoAnswer | StoreError::Unavailable => "memcached does not answer any more",
        };
        Self::Failed(why.to_owned())
    }
}

impl Walk {
    /// A walk that is told to `out`: with colours if standard output is a terminal, in plain lines if it is not.
    pub fn new(memcached: Memcached, out: Box<dyn Write + Send>, interrupt: Interrupt) -> Self {
        let interrupt = interrupt.fuse();
        Self { memcached, keys: Vec::new(), out, interrupt, steps: 0, differences: 0 }
    }

    /// A key that nobody has, to be removed at the end.
    pub(super) fn draw(&mut self) -> Key {
        self.removes(Key::numbered(SPACE, fastrand::i64(0..i64::MAX)))
    }

    /// Has `key` removed at the end.
    pub(super) fn removes(&mut self, key: Key) -> Key {
        self.keys.push(key.clone());
        key
    }

    /// Says what is walked through.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn begin(&mut self, title: impl Display) -> Result<(), Stop> {
        Ok(writeln!(self.out, "{}", style(title).bold())?)
    }

    /// Begins a step, which `does` says.
    pub(super) fn step(&mut self, does: impl Display) -> Result<(), Stop> {
        if let Some(signal) = (&mut self.interrupt).now_or_never() {
            return Err(Stop::Signalled(signal));
        }
        self.steps += 1;
        let number = style(format!("{}.", self.steps)).bold();
        Ok(writeln!(self.out, "\n{number} {does}")?)
    }

    /// Ends a step of which `expected` and `saw` ought to be the same.
    pub(super) fn same(&mut self, expected: impl Display, saw: impl Display) -> Result<(), Stop> {
        let is_same = expected.to_string() == saw.to_string();
        self.verdict(expected, saw, is_same)
    }

    /// Ends a step; `holds` is true if what it `saw` is what it `expected`.
    pub(super) fn verdict(
        &mut self,
        expected: impl Display,
        saw: impl Display,
        holds: bool,
    ) -> Result<(), Stop> {
        let verdict = if holds {
            style("ok").green()
        } else {
            self.differences += 1;
            style("differs").red()
        };
        self.line(format_args!("expected: {expected}"))?;
        self.line(format_args!("saw:      {saw}"))?;
        self.line(verdict)
    }

    /// A line that belongs to the step.
    pub(super) fn line(&mut self, text: impl Display) -> Result<(), Stop> {
        Ok(writeln!(self.out, "   {text}")?)
    }

    /// Text as it is.
    pub(super) fn print(&mut self, text: impl Display) -> Result<(), Stop> {
        Ok(write!(self.out, "{text}")?)
    }

    /// Waits for `future`, but no longer than until somebody wants the walk to end.
    pub(super) async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            signal = &mut self.interrupt => Err(Stop::Signalled(signal)),
            value = future => Ok(value),
        }
    }

    /// Removes what was stored, whatever became of the walk, and returns that.
    ///
    /// # Errors
    /// [`Stop`]; of two the first, which says why.
    pub async fn tidied(&self, walked: Result<(), Stop>) -> Result<(), Stop> {
        let removed = join_all(self.keys.iter().map(|key| self.memcached.remove(key))).await;
        walked?;
        Ok(removed.into_iter().try_for_each(|removed| removed.map(drop))?)
    }

    /// Says how many steps differ; true if none does.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn end(&mut self) -> Result<bool, Stop> {
        let Self { steps, differences, .. } = *self;
        let sum = match differences {
            0 => style(format!("all {steps} steps as expected")).green(),
            1 => style(format!("1 of {steps} steps differs")).red(),
            _ => style(format!("{differences} of {steps} steps differ")).red(),
        };
        writeln!(self.out, "\n{sum}")?;
        self.out.flush()?;
        Ok(differences == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        time::Duration,
    };

    use super::*;
    use crate::{cores::Cores, metrics::Metrics};

    impl Walk {
        /// A walk that is told to nobody.
        pub(in crate::demo) fn untold(interrupt: Interrupt) -> Self {
            let nowhere =
                Memcached::start(&Cores::here(), &[], Duration::ZERO, &Metrics::default(), None);
            Self::new(nowhere, Box::new(io::sink()), interrupt)
        }
    }

    #[test]
    fn one_difference_is_enough_and_does_not_end_the_walk() {
        let mut walk = Walk::untold(Box::pin(pending()));
        walk.step("one").unwrap();
        walk.same("a", "a").unwrap();
        assert!(walk.end().unwrap());
        walk.step("two").unwrap();
        walk.same("a", "b").unwrap();
        walk.step("three").unwrap();
        walk.verdict("a", "a", true).unwrap();
        assert!(!walk.end().unwrap());
    }

    #[tokio::test]
    async fn a_signal_ends_a_wait_and_keeps_the_next_step_from_beginning() {
        let mut waiting = Walk::untold(Box::pin(ready(2)));
        assert!(matches!(waiting.wait(pending::<()>()).await, Err(Stop::Signalled(2))));
        let mut stepping = Walk::untold(Box::pin(ready(15)));
        assert!(matches!(stepping.step("one"), Err(Stop::Signalled(15))));
    }
}
