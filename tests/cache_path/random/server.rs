//! What stands for memcached: a real [`Memory`], which may be lost and begun anew.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aside::cache::{Memory, Origin};

use super::{chance, weather::Weather};

/// A rule of the protocol that the store does not keep, so that the test can be seen to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// A fill is stored whatever has become of its lease.
    FillsIgnoreLeases,
    /// A lease is taken over a connection that is younger than the lease.
    LeasesAreNeverVoid,
}

/// The stand-in for memcached.
#[derive(Debug)]
pub(crate) struct Server {
    memory: Mutex<Memory>,
    pub(crate) flaw: Flaw,
    weather: Weather,
    calm: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(flaw: Flaw, weather: Weather, calm: Arc<AtomicBool>) -> Self {
        Self { memory: Mutex::new(empty()), flaw, weather, calm }
    }

    pub(crate) fn memory(&self) -> Memory {
        self.memory.lock().unwrap().clone()
    }

    /// True if a leg of an operation takes long.
    pub(crate) fn is_slow(&self) -> bool {
        !self.calm.load(Ordering::Relaxed) && chance(self.weather.slow_percent)
    }

    /// True if an operation or its answer is lost.
    pub(crate) fn loses(&self) -> bool {
        !self.calm.load(Ordering::Relaxed) && chance(self.weather.lost_percent)
    }

    /// Killed and started again: empty, with numbers from 1. Whoever was connected must be cut off, too.
    pub(crate) fn restart(&self) {
        *self.memory.lock().unwrap() = empty();
    }
}

fn empty() -> Memory {
    Memory::new(1 << 20, Duration::MAX, Origin::Server(0))
}
