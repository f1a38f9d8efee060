//! Threads, which don't survive a fork: a forked process would wait for its parent's for ever.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    process,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The process that imported the module. Its threads are rayon's own.
static FIRST: OnceLock<u32> = OnceLock::new();

/// The threads of a process that was forked from it, by its number.
static FORKED: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// When the module is imported.
pub fn remember_process() {
    FIRST.get_or_init(process::id);
}

/// Does the work where it finds threads that live.
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
                // The parent's can't be ended from here.
                std::mem::forget(forked.replace((id, pool.clone())));
                pool
            }
        }
    };
    pool.install(work)
}
