//! The reasons why the queue did not do it.

use std::time::Duration;

/// The longest that an operation waits for a lock or a connection of a database. Past it, it fails. When the network has
/// swallowed all connections, it takes as many waits to find that out.
pub(super) const WAIT: Duration = Duration::from_secs(2);

/// The file of the queue is not where it was.
pub(super) const GONE: &str = "its file is gone";

/// Longest text that is noted or told of an error, in characters; the rest is cut off.
const ERROR_CHARACTERS_MAX: usize = 200;

/// Why the queue did not do it. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// So many jobs wait already that these would be too many.
    #[error("the queue is full")]
    Full,
    /// The queue can't be reached or written. One line, without a password.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
}

impl From<sqlx::Error> for QueueError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // Connections are closed under those who have them when their file is gone.
            sqlx::Error::PoolClosed => unavailable(GONE),
            // In sqlx's own words it reads as if there were too much to do.
            sqlx::Error::PoolTimedOut => {
                unavailable(format!("no connection within {} s", WAIT.as_secs()))
            }
            error => unavailable(error),
        }
    }
}

/// Unavailability for this reason, as one line that is fit for a log.
pub(super) fn unavailable(reason: impl ToString) -> QueueError {
    QueueError::Unavailable(one_line(&reason.to_string()))
}

/// The text without control characters, and no longer than an error may be.
pub(super) fn one_line(text: &str) -> String {
    let letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    letters.take(ERROR_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_short_line() {
        assert_eq!(one_line("a\nb"), "a b");
        assert_eq!(one_line("\u{1b}[31mred"), " [31mred");
        assert_eq!(one_line(&"x".repeat(1000)).len(), ERROR_CHARACTERS_MAX);
    }
}
