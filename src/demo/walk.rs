//! A walk: its steps, each with what was expected and what was seen, and how many differ.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use console::{StyledObject, style};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Fuse},
};

use crate::cache::StoreError;

/// Resolves when somebody wants the walk to end, to the number of the signal that said so.
pub type Interrupt = BoxFuture<'static, u8>;

/// Tells what is done, step by step.
pub struct Walk {
    out: Box<dyn Write + Send>,
    is_terminal: bool,
    interrupt: Fuse<Interrupt>,
    steps: u32,
    differences: u32,
}

/// Why a walk ends before its last step.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Whoever read it has gone away.
    #[error("nobody reads this any more")]
    Unread,
    /// It can't be written, though somebody is there to read it.
    #[error("standard output can't be written: {0}")]
    Unwritten(io::Error),
    /// This signal has come.
    #[error("interrupted by signal {0}")]
    Interrupted(u8),
    /// A step can't be made.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
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
    /// A walk that is told on standard output: with colours and a live countdown to a terminal, in plain lines to
    /// anything else.
    pub fn to_stdout(interrupt: Interrupt) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self::new(Box::new(io::stdout()), is_terminal, interrupt)
    }

    fn new(out: Box<dyn Write + Send>, is_terminal: bool, interrupt: Interrupt) -> Self {
        Self { out, is_terminal, interrupt: interrupt.fuse(), steps: 0, differences: 0 }
    }

    /// Whether it is told to a terminal.
    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Says what is walked through.
    ///
    /// # Errors
    /// [`Stop::Unread`] and [`Stop::Unwritten`].
    pub fn begin(&mut self, title: impl Display) -> Result<(), Stop> {
        let title = self.styled(title).bold();
        Ok(writeln!(self.out, "{title}")?)
    }

    /// Begins a step, which `does` says.
    pub(super) fn step(&mut self, does: impl Display) -> Result<(), Stop> {
        if let Some(signal) = (&mut self.interrupt).now_or_never() {
            return Err(Stop::Interrupted(signal));
        }
        self.steps += 1;
        let number = self.styled(format!("{}.", self.steps)).bold();
        Ok(writeln!(self.out, "\n{number} {does}")?)
    }

    /// Ends a step of which `expected` and `saw` ought to be the same.
    pub(super) fn same(
        &mut self,
        expected: impl AsRef<str>,
        saw: impl AsRef<str>,
    ) -> Result<(), Stop> {
        let (expected, saw) = (expected.as_ref(), saw.as_ref());
        self.verdict(expected, saw, expected == saw)
    }

    /// Ends a step; `holds` is whether what it `saw` is what it `expected`.
    pub(super) fn verdict(
        &mut self,
        expected: impl Display,
        saw: impl Display,
        holds: bool,
    ) -> Result<(), Stop> {
        let verdict = if holds {
            self.styled("ok").green()
        } else {
            self.differences += 1;
            self.styled("differs").red()
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
            signal = &mut self.interrupt => Err(Stop::Interrupted(signal)),
            value = future => Ok(value),
        }
    }

    /// Says how many steps differ; whether none does.
    ///
    /// # Errors
    /// [`Stop::Unread`] and [`Stop::Unwritten`].
    pub fn end(&mut self) -> Result<bool, Stop> {
        let Self { steps, differences, .. } = *self;
        let sum = match differences {
            0 => self.styled(format!("all {steps} steps as expected")).green(),
            1 => self.styled(format!("1 of {steps} steps differs")).red(),
            _ => self.styled(format!("{differences} of {steps} steps differ")).red(),
        };
        writeln!(self.out, "\n{sum}")?;
        self.out.flush()?;
        Ok(differences == 0)
    }

    /// `text`, to be given a style. `NO_COLOR` and the like are minded.
    fn styled<T>(&self, text: T) -> StyledObject<T> {
        style(text).force_styling(self.is_terminal && console::colors_enabled())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    impl Walk {
        /// A walk that is told to nobody.
        pub(in crate::demo) fn untold(interrupt: Interrupt) -> Self {
            Self::new(Box::new(io::sink()), false, interrupt)
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
        assert!(matches!(waiting.wait(pending::<()>()).await, Err(Stop::Interrupted(2))));
        let mut stepping = Walk::untold(Box::pin(ready(15)));
        assert!(matches!(stepping.step("one"), Err(Stop::Interrupted(15))));
    }
}
