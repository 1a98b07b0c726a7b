//! What befalls a world. Each world has a weather of its own: with everything at once in all of them, some
//! things would hide others.

use std::sync::Arc;

use aside::cache::Store;

use super::{
    chance, pause,
    rows::{KEYS_MAX, key},
    server::Server,
    wire::Wire,
};

/// The odds of all that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Keys in use; with one, everybody meets there.
    pub(crate) keys: i64,
    /// Longest pause of a writer between two writes, in milliseconds.
    pub(crate) write_pause_ms: u64,
    /// In a hundred operations: legs of an operation that take long, and operations that are lost.
    pub(crate) slow_percent: u32,
    pub(crate) lost_percent: u32,
    /// In a hundred loads: those that take long, and those that fail, panic or hang.
    pub(crate) slow_loads_percent: u32,
    pub(crate) bad_loads_percent: u32,
    /// Longest pause between two strokes of fate, in milliseconds.
    fate_pause_ms: u64,
    /// Weights of the strokes of fate.
    evictions: u32,
    flushes: u32,
    restarts: u32,
    cuts: u32,
}

impl Weather {
    /// One key, loads that take long, writes in quick succession, and a server that is always restarted.
    pub(crate) const RESTARTS: Self = Self {
        keys: 1,
        write_pause_ms: 300,
        slow_percent: 0,
        lost_percent: 0,
        slow_loads_percent: 60,
        bad_loads_percent: 0,
        fate_pause_ms: 100,
        evictions: 0,
        flushes: 0,
        restarts: 3,
        cuts: 0,
    };

    pub(crate) fn draw() -> Self {
        let some = |most: u32| if chance(50) { most } else { 0 };
        Self {
            keys: fastrand::i64(1..=KEYS_MAX),
            write_pause_ms: fastrand::choice([300, 1000, 3000]).unwrap(),
            slow_percent: some(5),
            lost_percent: some(3),
            slow_loads_percent: fastrand::choice([5, 30, 60]).unwrap(),
            bad_loads_percent: some(15),
            fate_pause_ms: fastrand::choice([100, 400, 2000]).unwrap(),
            evictions: some(3),
            flushes: some(1),
            restarts: some(3),
            cuts: some(3),
        }
    }

    /// Lets it happen, until aborted.
    pub(crate) async fn befall(self, server: Arc<Server>, wires: Vec<Wire>) {
        let Self { evictions, flushes, restarts, cuts, .. } = self;
        loop {
            pause(fastrand::u64(1..self.fate_pause_ms)).await;
            let fate = fastrand::u32(0..=evictions + flushes + restarts + cuts);
            if fate < evictions {
                let _ = server.memory().forget(&key(fastrand::i64(0..self.keys))).await;
            } else if fate < evictions + flushes {
                for id in 0..self.keys {
                    let _ = server.memory().forget(&key(id)).await;
                }
            } else if fate < evictions + flushes + restarts {
                server.restart();
                wires.iter().for_each(Wire::cut);
            } else if fate < evictions + flushes + restarts + cuts {
                fastrand::choice(&wires).unwrap().cut();
            }
        }
    }
}
