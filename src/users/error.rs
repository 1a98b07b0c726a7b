//! The reasons why a user is not written.

use crate::database::Unwritten;

/// A user was not written. Nothing of the write is in the database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A field is no good; the text names it and what it takes.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no user with this id.
    #[error("no such user")]
    NoSuchUser,
    /// Another user has this email address.
    #[error("the email address is taken")]
    EmailTaken,
    /// The user is not the version that the client expects.
    #[error("the user has changed")]
    Changed,
    /// The database did not take it.
    #[error(transparent)]
    Unwritten(Unwritten),
}

impl From<Unwritten> for WriteError {
    fn from(why: Unwritten) -> Self {
        match why {
            Unwritten::Taken => Self::EmailTaken,
            why => Self::Unwritten(why),
        }
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Unwritten::from(error).into()
    }
}
