//! Slices split into tasks among the cores. With the feature `parallel` each task runs on a core of its own, with the
//! machine's widest vectors.

use crate::cpu::vectors::{Vectors, vectorized};
#[cfg(feature = "parallel")]
use std::{
    hint::spin_loop,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Slices to split, and how many elements one of their items holds.
pub(super) struct Split<S, const N: usize> {
    slices: [S; N],
    #[cfg_attr(not(feature = "parallel"), expect(dead_code, reason = "one core splits nothing"))]
    elements: usize,
}

impl<S, const N: usize> Split<S, N> {
    pub(super) fn of(slices: [S; N], elements: usize) -> Self {
        Self { slices, elements }
    }
}

/// The number of elements that a core takes at a time: about 10 microseconds of work.
pub(super) const TASK_LEN: usize = 1 << 15;

/// Runs `run` on all of `len` elements, at most `task` of them at a time, split among the cores. `run` gets the index
/// of its task's first element.
#[cfg(not(feature = "parallel"))]
pub(super) fn tasks<I, O, const N: usize, const M: usize>(
    _len: usize,
    _task: usize,
    inputs: Split<&[I], N>,
    outputs: Split<&mut [O], M>,
    run: impl Fn(Vectors, usize, [&[I]; N], [&mut [O]; M]),
) {
    vectorized(|vectors| run(vectors, 0, inputs.slices, outputs.slices));
}

/// The number of tasks from which several cores are faster than one, although they have to be woken.
#[cfg(feature = "parallel")]
const PARALLEL_MIN_TASKS: usize = 4;

/// How many turns the caller waits for the others before it sleeps: about 20 microseconds.
#[cfg(feature = "parallel")]
const LAST_SPINS: usize = 1 << 11;

/// Runs `run` on a task. Inlined, it would be compiled twice: here and in what rayon calls.
#[cfg(feature = "parallel")]
#[inline(never)]
fn run_part<I, O, const N: usize, const M: usize>(
    run: impl Fn(Vectors, usize, [&[I]; N], [&mut [O]; M]),
    start: usize,
    inputs: [&[I]; N],
    outputs: [&mut [O]; M],
) {
    vectorized(
        #[inline(always)]
        |vectors| run(vectors, start, inputs, outputs),
    );
}

/// Runs `run` on all of `len` elements, at most `task` of them at a time, split among the cores. `run` gets the index
/// of its task's first element.
#[cfg(feature = "parallel")]
pub(super) fn tasks<I: Sync, O: Send, const N: usize, const M: usize>(
    len: usize,
    task: usize,
    inputs: Split<&[I], N>,
    outputs: Split<&mut [O], M>,
    run: impl Fn(Vectors, usize, [&[I]; N], [&mut [O]; M]) + Copy + Sync,
) {
    let run = |start, inputs, outputs| run_part(run, start, inputs, outputs);
    if len / PARALLEL_MIN_TASKS < task {
        return run(0, inputs.slices, outputs.slices);
    }
    let rest = Mutex::new((0, outputs.slices));
    let next = || {
        let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, slices) = &mut *rest;
        let part = *start..len.min(*start + task);
        *start = part.end;
        let outputs = slices.each_mut().map(|slice| {
            let items = part.len().div_ceil(outputs.elements);
            let (first, others) = std::mem::take(slice).split_at_mut(items);
            *slice = others;
            first
        });
        let inputs = inputs
            .slices
            .map(|slice| &slice[part.start / inputs.elements..part.end.div_ceil(inputs.elements)]);
        (!part.is_empty()).then_some((part.start, inputs, outputs))
    };
    // The caller's core works too, from the start, and does everything if the others are busy.
    let work = || {
        while let Some((start, inputs, outputs)) = next() {
            run(start, inputs, outputs);
        }
    };
    let helpers = AtomicUsize::new(rayon::current_num_threads() - 1);
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| {
                work();
                helpers.fetch_sub(1, Ordering::Relaxed);
            });
        }
        work();
        // A sleeping thread takes longer to wake than the others need for their last tasks.
        for _ in 0..LAST_SPINS {
            if helpers.load(Ordering::Relaxed) == 0 {
                break;
            }
            spin_loop();
        }
    });
}
