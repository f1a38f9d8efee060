//! A thread pool for forked processes: threads don't survive a fork, so the child would wait for its parent's pool for ever.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    process,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The process that imported the module. Its threads are rayon's own.
static FIRST: OnceLock<u32> = OnceLock::new();

/// The pool of a process that was forked from it, with its process id.
static FORKED: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Call this when the module is imported.
pub fn remember_process() {
    FIRST.get_or_init(process::id);
}

/// Runs `work` on a pool whose threads exist in this process.
pub fn on_living<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let id = process::id();
    if FIRST.get() == Some(&id) {
        return work();
    }
    let pool = {
        let mut forked = FORKED.lock().unwrap_or_else(PoisonError::into_inner);
        match &*forked {
            Some((of, pool)) if *of == id => pool.clone(),
            _ => {
                let pool = Arc::new(ThreadPoolBuilder::new().build().expect("a process may start threads"));
                // Don't drop the parent's pool: its threads can't be joined here.
                std::mem::forget(forked.replace((id, pool.clone())));
                pool
            }
        }
    };
    pool.install(work)
}
