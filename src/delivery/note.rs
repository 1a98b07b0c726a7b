//! Notes of what was forgotten where, which are not in the log yet.

use crate::cache::Places;

/// Notes that may wait. Of a further one a sweep waits its turn; another is lost, and a sweep does its work again.
pub(super) const WAITING_MAX: usize = 10_000;

/// A note for the log.
pub(super) enum Note {
    /// These places have forgotten the changes at these positions.
    Forgotten(Places, Vec<i64>),
    /// The place was emptied after the change at this position.
    Emptied(u16, i64),
}
