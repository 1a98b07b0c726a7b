//! The promises of this module, kept by real files and real processes.

mod fail;
mod load;
mod processes;
mod written;

use std::time::Duration;

use super::UserSource;
use crate::database::tests::{Place, far};

/// Fast queries, one at a time.
async fn fast(place: &Place) -> UserSource {
    UserSource::new(place.open(Duration::ZERO, 1).await)
}
