//! The database: an SQLite file or PostgreSQL, its connections and its schema, and the log of changes in it.
//!
//! What the two say differently is in `statement`: each statement in the words of both. What they do differently, opening,
//! bounding a query, beginning a write, has a folder for each.

mod append;
mod changes;
mod connections;
mod ear;
mod error;
mod foreign;
mod last_commit;
mod lent;
mod postgres;
mod ready;
mod servers;
mod sqlite;
mod statement;
#[cfg(test)]
pub(crate) mod tests;
mod under_way;
mod unwritten;
mod watch;
mod write;

pub use self::{
    changes::{Extent, Outdated},
    connections::Database,
    error::{OpenError, OpenFailure},
    foreign::{
        ColumnKind, Foreign, Found, Inbox, Noted, Noting, ParameterType, SEEN_MAX, TableColumn,
        Triggers,
    },
    ready::NotReady,
    servers::{Serving, ServingError},
    under_way::{Complete, UnderWay},
    unwritten::Unwritten,
    watch::{News, Watch},
};
pub(crate) use self::{
    error::is_locked,
    postgres::is_url as is_postgres,
    sqlite::{FileIdentity, is_same_file, options_of, while_locked, writer_pool},
    statement::{Row, Sql, Value, Writing},
};
