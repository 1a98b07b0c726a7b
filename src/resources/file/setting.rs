//! A value that may stand in the environment, so that no file has a secret in it.

use std::env;

use super::fault::{At, Fault};
use crate::config::Secret;

/// A value that may be a secret.
#[derive(Clone, Debug)]
pub enum Setting {
    /// It stands in the file.
    Given(Secret),
    /// It is this variable of the environment.
    From(String),
}

impl Setting {
    /// The value.
    ///
    /// # Errors
    /// The text at this place names no variable of the environment.
    pub fn value(&self, at: &At) -> Result<Secret, Fault> {
        match self {
            Self::Given(value) => Ok(value.clone()),
            Self::From(name) => env::var(name).map(Secret::from).map_err(|_| {
                at.fault(format_args!("{name:?}: the environment has no such variable"))
            }),
        }
    }
}
