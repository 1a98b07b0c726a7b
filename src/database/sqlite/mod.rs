//! SQLite: a file, its connections, and the slowness of its queries.

mod checkpoint;
mod connections;
mod ear;
mod file;
mod migration;
mod slowness;
mod url;

#[cfg(test)]
pub(super) use self::{
    checkpoint::LOG_BYTES_MAX,
    migration::{MIGRATIONS, migrate},
};
pub(crate) use self::{
    connections::writer_pool,
    file::{FileIdentity, is_same_file},
    migration::while_locked,
    url::options_of,
};
pub(super) use self::{
    connections::{begin, load, open, open_foreign},
    ear::Ear,
    file::Home,
};
