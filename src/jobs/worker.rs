//! One worker: takes a job, does it, rests, and goes on; begun anew whenever the queue was away.

use std::{sync::Arc, time::Duration};

use apalis_core::{
    task::Task,
    worker::{builder::WorkerBuilder, event::Event, ext::event_listener::EventListenerExt},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tower::service_fn;
use ulid::Ulid;

use super::{Queue, QueueError, message::Message, queue::unavailable, warm_up::WarmUp};

/// Pause after the queue was found to be away; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// The longest pause while the queue is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a worker looks whether the queue is where it was: it can go on taking jobs from a file that was
/// removed, and would never see those that are put into another one of its name.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// How often jobs that are done for long are removed.
const PRUNE_PAUSE: Duration = Duration::from_secs(60);

/// A worker. It ends with [`ended`](Worker::ended), or at once when this is dropped; its job then is another's
/// after the lease.
pub struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Begins to work on `queue`.
    pub fn start(queue: Queue, warm_up: WarmUp) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(work_until(queue, warm_up, stopped)) }
    }

    /// What makes it take no further job when it is called.
    pub fn stopping(&self) -> impl Fn() + use<> {
        let stop = self.stop.clone();
        move || {
            stop.send_replace(true);
        }
    }

    /// Takes no further job, and waits until the one under way is done and noted.
    pub async fn ended(&mut self) {
        self.stop.send_replace(true);
        // A panic has been told by the panic hook.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn work_until(queue: Queue, warm_up: WarmUp, mut stopped: watch::Receiver<bool>) {
    let mut pause = PAUSE_FIRST;
    let mut pruning = interval(PRUNE_PAUSE);
    pruning.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let prune = async {
        loop {
            pruning.tick().await;
            // If the queue is away, its worker says so.
            let _ = queue.prune().await;
        }
    };
    let work = async {
        let mut away = false;
        while !*stopped.borrow() {
            match work(&queue, &warm_up, stopped.clone(), &mut away).await {
                Ok(()) => return,
                Err(error) => {
                    queue.failed(&error);
                    if !std::mem::replace(&mut away, true) {
                        pause = PAUSE_FIRST;
                    }
                }
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = prune => {}
    }
}

/// Works until told to stop, or until the queue fails. A job that was under way then is another's after
/// the lease.
async fn work(
    queue: &Queue,
    warm_up: &WarmUp,
    mut stopped: watch::Receiver<bool>,
    away: &mut bool,
) -> Result<(), QueueError> {
    queue.open().await?;
    if *away {
        // It may have been one row of the table that ended the last worker. This reads all of them.
        queue.put_unreadable_aside().await?;
        *away = false;
        queue.works();
    }
    // A worker that has ended may count as alive for a while, so each has a name of its own.
    let name: Arc<str> = format!("aside-{}", Ulid::generate()).into();
    let rest = warm_up.clone();
    let storage = queue.storage(Arc::new(move || rest.rest())).await?;
    let service = {
        let (queue, warm_up, worker) = (queue.clone(), warm_up.clone(), name.clone());
        service_fn(move |job: Task<Message>| {
            let (queue, warm_up, worker) = (queue.clone(), warm_up.clone(), worker.clone());
            async move { warm_up.attempt(&queue, &worker, job).await }
        })
    };
    let until_stopped = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        Ok::<_, std::io::Error>(())
    };
    let beats = Arc::new(Notify::new());
    let (lease, beat) = (queue.timing().lease, beats.clone());
    let worker = WorkerBuilder::new(&*name)
        .backend(storage)
        .on_event(move |_, event| {
            if matches!(event, Event::HeartBeat) {
                beat.notify_one();
            }
        })
        .build(service);
    // Boxed here, where its type is known: within a spawned future the compiler can't tell that it may be sent.
    let running: BoxFuture<'static, _> = Box::pin(worker.run_until(until_stopped));
    tokio::select! {
        ended = running => ended.map_err(unavailable),
        // To the others it is dead by now. It waits for an answer that a broken network has swallowed.
        () = silence(&beats, lease) => Err(unavailable("no heartbeat was possible for a whole lease")),
        error = loss(queue) => Err(error),
    }
}

/// Ends when the queue is not where it was.
async fn loss(queue: &Queue) -> QueueError {
    loop {
        sleep(LOOK_PAUSE).await;
        if let Err(error) = queue.open().await {
            return error;
        }
    }
}

/// Ends when there was no beat for `lease`.
async fn silence(beats: &Notify, lease: Duration) {
    while timeout(lease, beats.notified()).await.is_ok() {}
}
