//! The parts of a running service that a person may ask about, and the operator who answers.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use super::shared::SharedLook;
use crate::{
    cache::Memory,
    database::{Database, NotReady},
    delivery::Delivery,
    memcached::{InspectError, Inspector, Memcached, ServerFigures},
    resources::Resources,
};

/// The figures of all servers, in the order of the setting.
pub(super) type Figures = Arc<[Result<ServerFigures, InspectError>]>;

/// A moment as JSON. Clones share the texts.
#[derive(Clone, Default)]
pub struct Moment {
    /// For anybody: what `/stats` has, and how it goes.
    pub open: Arc<str>,
    /// For the bearer of the API token: with keys.
    pub whole: Arc<str>,
}

/// Time for which a look whether the database is ready is shared. Probes come every few seconds, each from its own
/// place.
const READY_FOR: Duration = Duration::from_millis(250);

/// Time for which figures are shared: a server is asked at most once in this time.
const FIGURES_FOR: Duration = Duration::from_secs(1);

/// Time for which a moment is shared: those who watch are told once a second.
const MOMENT_FOR: Duration = Duration::from_millis(500);

/// The parts of a running service that a person may ask about.
pub struct Equipment {
    /// Everything that is served through the cache.
    pub resources: Resources,
    /// This process's own memory.
    pub memory: Memory,
    /// The servers, and the client that looks at them; `None` if there are none.
    pub servers: Option<(Memcached, Inspector)>,
    /// The database.
    pub database: Database,
    /// Delivers what is outdated.
    pub delivery: Delivery,
}

/// Answers for a running service. Clones share what was seen last.
#[derive(Clone)]
pub struct Operator {
    pub(super) parts: Arc<Equipment>,
    pub(super) ready: SharedLook<Result<(), NotReady>>,
    /// True if the log was told last that the database is ready, or nothing yet.
    pub(super) told: Arc<AtomicBool>,
    pub(super) figures: SharedLook<Figures>,
    pub(super) moment: SharedLook<Moment>,
}

impl Operator {
    /// An operator of these parts.
    pub fn new(parts: Equipment) -> Self {
        let (ready, figures) = (SharedLook::new(READY_FOR), SharedLook::new(FIGURES_FOR));
        let (moment, told) = (SharedLook::new(MOMENT_FOR), Arc::new(AtomicBool::new(true)));
        Self { parts: Arc::new(parts), ready, told, figures, moment }
    }
}
