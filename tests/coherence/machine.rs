//! The machine beneath the test: each of its processors may be taken away for a while, and with it all that runs there.

use std::{
    thread::{JoinHandle, park_timeout, spawn},
    time::Duration,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::history::{Clock, Span};

/// Pause between two looks at a processor, and by how much one is later where the processor stood still.
const BEAT: Duration = Duration::from_millis(5);
const STILL_MIN: Duration = Duration::from_millis(50);

/// The times until `end` at which a processor stood still. A thread of its own beats on each: one alone would run on where
/// others can't.
pub(crate) async fn stood_still(clock: Clock, end: Duration) -> Vec<Span> {
    let ours = sched_getaffinity(None).unwrap();
    let processors = (0..CpuSet::MAX_CPU).filter(|processor| ours.is_set(*processor));
    let beats: Vec<_> = processors.map(|processor| beat(processor, clock, end)).collect();
    let ended = tokio::task::spawn_blocking(|| beats.into_iter().flat_map(|it| it.join().unwrap()));
    ended.await.unwrap().collect()
}

fn beat(processor: usize, clock: Clock, end: Duration) -> JoinHandle<Vec<Span>> {
    spawn(move || {
        let mut only = CpuSet::new();
        only.set(processor);
        sched_setaffinity(None, &only).unwrap();
        let mut still = Vec::new();
        while clock.now() < end {
            let begun_at = clock.now();
            park_timeout(BEAT);
            let ended_at = clock.now();
            if ended_at - begun_at > BEAT + STILL_MIN {
                still.push(Span { begun_at, ended_at });
            }
        }
        still
    })
}
