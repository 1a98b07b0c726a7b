//! The threads that serve: one a core, each with a runtime of its own.
//!
//! A hit stays on one of them from its first byte to its last. The task of its connection, the queue of lookups and the
//! connection to memcached that works it are all there, so that no thread wakes another: on a runtime whose workers
//! share their tasks those wake-ups cost more than everything else that Aside does for a hit. What takes longer than a hit
//! (a load, a write, a look at the database) is given to those workers: to make a connection to a database alone may
//! take milliseconds of computing, for which others would wait.

use std::{
    cell::{Cell, OnceCell},
    io,
    sync::Arc,
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinHandle,
};

/// Threads at most. Each has a connection to each memcached, which takes 1,024 by default from all replicas together.
const CORES_MAX: usize = 16;

thread_local! {
    /// The place of the core whose thread this is.
    static HERE: Cell<usize> = const { Cell::new(0) };
    /// The runtime of those who work behind this core.
    static WORKERS: OnceCell<Handle> = const { OnceCell::new() };
}

/// The runtimes of the threads that serve. The threads, and what is left on them, end when the last clone is dropped.
#[derive(Clone)]
pub struct Cores {
    handles: Vec<Handle>,
    _stop: Arc<Vec<oneshot::Sender<()>>>,
}

impl Cores {
    /// Starts a thread for each core that this process may use, up to 16; the caller's runtime works behind them.
    ///
    /// # Errors
    /// No thread or no runtime could be made.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn start() -> io::Result<Self> {
        let workers = Handle::current();
        let count = thread::available_parallelism()?.get().min(CORES_MAX);
        let (mut handles, mut stop) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for place in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (stopper, stopped) = oneshot::channel::<()>();
            handles.push(runtime.handle().clone());
            stop.push(stopper);
            let workers = workers.clone();
            thread::Builder::new().name(format!("core-{place}")).spawn(move || {
                HERE.set(place);
                WORKERS.with(|it| it.get_or_init(|| workers).clone());
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })?;
        }
        Ok(Self { handles, _stop: Arc::new(stop) })
    }

    /// The caller's own runtime and no other, for programs that serve nobody. Outside a runtime there is none.
    pub fn here() -> Self {
        Self { handles: Handle::try_current().into_iter().collect(), _stop: Arc::default() }
    }

    /// The runtimes, by the places of their cores.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }
}

/// The part of `each` that belongs to one core: for the core whose thread this is; on any other thread the first.
pub fn own<T>(each: &[T]) -> Option<&T> {
    each.get(HERE.get()).or(each.first())
}

/// Spawns what takes longer than a hit: behind the core whose thread this is, else on the caller's own runtime.
///
/// # Panics
/// Outside a runtime.
pub fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let workers = WORKERS.with(|workers| workers.get().cloned());
    workers.unwrap_or_else(Handle::current).spawn(task)
}
