//! The slow backends that are not our own rows: one folder or file each.

pub mod calculation;
pub mod origin;
pub mod query;
