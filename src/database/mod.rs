//! The database: an SQLite file, its connections and its schema, and the log of changes in it.

mod changes;
mod checkpoint;
mod connections;
mod error;
mod file;
mod migration;
mod ready;
mod servers;
mod slowness;
#[cfg(test)]
pub(crate) mod tests;
mod unwritten;
mod url;
mod watch;
mod write;

pub use self::{
    changes::{Extent, Outdated},
    connections::Database,
    error::{OpenError, OpenFailure},
    file::is_same_file,
    ready::NotReady,
    servers::{Serving, ServingError},
    unwritten::Unwritten,
    watch::Watch,
};
pub(crate) use self::{
    connections::{Writing, writer_pool},
    error::is_locked,
    file::FileIdentity,
    migration::while_locked,
    url::options_of,
};
