//! The slow backends that are not somebody's own rows: one file each.

pub mod calculation;
