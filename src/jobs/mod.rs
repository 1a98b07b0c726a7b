//! Work that goes on beside the requests.

mod invalidation;

pub use invalidation::{Invalidations, pending};
