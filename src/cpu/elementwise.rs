//! One function applied to every element of some slices, each widened to `f32` and rounded back. With the feature
//! `parallel` it runs on the machine's widest vectors and on all cores.

use crate::{
    cpu::vectors::{Vectors, vectorized},
    math::dtype::Scalar,
};
use std::hint::black_box;
#[cfg(feature = "parallel")]
use std::{
    hint::spin_loop,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// An operation whose cases are worth a loop each. In one loop, vectors would compute every case for every element.
pub(super) trait Specialize: Copy + Sync {
    /// Runs `run` with this operation; the compiler sees each case separately.
    fn specialize(self, run: impl FnOnce(Self));
    /// Whether it reads the outputs, given this number of inputs.
    fn reads_outputs(self, inputs: usize) -> bool;
}

/// Each output becomes what `of` returns for the operation, the element's index, the inputs, and what the outputs hold.
/// All slices have the same length.
pub(super) fn update<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M] + Copy + Sync,
) {
    parts(
        outputs[0].len(),
        Split::of(inputs, 1),
        Split::of(outputs, 1),
        #[inline(always)]
        move |vectors, start, inputs, outputs| {
            // See `HardSigmoid::specialize`.
            if cfg!(debug_assertions) {
                return apply_converting(op, vectors, start, inputs, outputs, of);
            }
            op.specialize(
                #[inline(always)]
                |op| apply_converting(op, vectors, start, inputs, outputs, of),
            );
        },
    );
}

/// The number of half floats that are converted before the next step. They stay in registers; with fewer of them the
/// compiler doesn't vectorize.
pub(super) const STRIP: usize = 64;

/// Computes every element. It converts f16 in strips with the processor's own instructions; other types are left to the
/// compiler.
#[inline(always)]
pub(super) fn apply_converting<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    vectors: Vectors,
    start: usize,
    inputs: [&[T]; N],
    mut outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M] + Copy,
) {
    if !vectors.converts(T::DTYPE) {
        return apply(op, start, inputs, outputs, of);
    }
    let len = outputs[0].len();
    // The compiler doesn't know this zero. Otherwise it sees that the numbers come from f16 and compares them as f16,
    // slowly.
    let zero = black_box(0_u32);
    let opaque = |wide: f32| f32::from_bits(wide.to_bits() ^ zero);
    let whole = len / STRIP * STRIP;
    for first in (0..whole).step_by(STRIP) {
        let strip = first..first + STRIP;
        let mut wide = [[0.0; STRIP]; N];
        let mut new = [[0.0; STRIP]; M];
        for (wide, input) in wide.iter_mut().zip(&inputs) {
            vectors.widen(&input[strip.clone()], wide);
        }
        if op.reads_outputs(N) {
            for (new, output) in new.iter_mut().zip(&outputs) {
                vectors.widen(&output[strip.clone()], new);
            }
        }
        for i in 0..STRIP {
            let operands = std::array::from_fn(|n| opaque(wide[n][i]));
            let result = of(
                op,
                start + first + i,
                operands,
                std::array::from_fn(|m| opaque(new[m][i])),
            );
            for m in 0..M {
                new[m][i] = result[m];
            }
        }
        for (new, output) in new.iter().zip(&mut outputs) {
            vectors.narrow(new, &mut output[strip.clone()]);
        }
    }
    apply(
        op,
        start + whole,
        inputs.map(|input| &input[whole..]),
        outputs.map(|output| &mut output[whole..]),
        of,
    );
}

/// One loop from slices to slices. Copying blocks in between would keep a core from reading ahead.
#[inline(always)]
fn apply<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    start: usize,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M],
) {
    // The compiler then knows that the lengths are equal, and leaves out the checks of indices.
    let len = outputs[0].len();
    let inputs = inputs.map(|input| &input[..len]);
    let outputs = outputs.map(|output| &mut output[..len]);
    for i in 0..len {
        let held = std::array::from_fn(|m| outputs[m][i].widened());
        let new = of(op, start + i, inputs.map(|input| input[i].widened()), held);
        for m in 0..M {
            outputs[m][i] = T::narrowed(new[m]);
        }
    }
}

/// The number of elements whose random numbers are drawn at a time.
const BLOCK: usize = 64;

/// A block of a slice. Lanes past the slice's end are unspecified.
pub(super) type WideBlock = [f32; BLOCK];

/// `y[i]` becomes `values[1]` where `of` is true, else `values[0]`. `of` gets the index of a block's first element and
/// the block. The block is one of `x`, or of `y` if there is no `x` (in place).
pub(super) fn choose<T: Scalar, const N: usize>(
    x: [&[T]; N],
    y: &mut [T],
    values: [T; 2],
    of: impl Fn(usize, &WideBlock) -> [bool; BLOCK] + Copy + Sync,
) {
    parts(
        y.len(),
        Split::of(x, 1),
        Split::of([y], 1),
        #[inline(always)]
        move |_, start, x: [&[T]; N], [y]: [&mut [T]; 1]| {
            for (i, y) in y.chunks_mut(BLOCK).enumerate() {
                let at = i * BLOCK;
                let mut wide = [0.0; BLOCK];
                widen(&mut wide, x.first().map_or(y, |x| &x[at..][..y.len()]));
                for (y, is_one) in y.iter_mut().zip(of(start + at, &wide)) {
                    *y = values[usize::from(is_one)];
                }
            }
        },
    );
}

/// Fills `bits` with one bit for each element, 32 to a word, and with 0 after the last.
pub(super) fn pack<T: Scalar>(
    x: &[T],
    bits: &mut [u32],
    of: impl Fn(usize, &WideBlock) -> [bool; BLOCK] + Copy + Sync,
) {
    parts(
        x.len(),
        Split::of([x], 1),
        Split::of([bits], 32),
        #[inline(always)]
        move |_, start, [x]: [&[T]; 1], [bits]: [&mut [u32]; 1]| {
            for (i, (x, bits)) in x.chunks(BLOCK).zip(bits.chunks_mut(BLOCK / 32)).enumerate() {
                let mut wide = [0.0; BLOCK];
                widen(&mut wide, x);
                let mut are_set = of(start + i * BLOCK, &wide);
                are_set[x.len()..].fill(false);
                for (word, are_set) in bits.iter_mut().zip(are_set.chunks_exact(32)) {
                    *word = (0..32).fold(0, |word, i| word | u32::from(are_set[i]) << i);
                }
            }
        },
    );
}

/// Fills `y` with `values[0]` where its bit is 0, and with `values[1]` where it is 1.
pub(super) fn unpack<T: Scalar>(bits: &[u32], y: &mut [T], values: [T; 2]) {
    parts(
        y.len(),
        Split::of([bits], 32),
        Split::of([y], 1),
        #[inline(always)]
        move |_, _, [bits]: [&[u32]; 1], [y]: [&mut [T]; 1]| {
            for (y, &word) in y.chunks_mut(32).zip(bits) {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = values[(word >> i & 1) as usize];
                }
            }
        },
    );
}

#[inline(always)]
fn widen<T: Scalar>(wide: &mut WideBlock, values: &[T]) {
    for (wide, value) in wide.iter_mut().zip(values) {
        *wide = value.widened();
    }
}

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

/// Runs `run` on all of `len` elements, split among the cores. `run` gets the index of its part's first element.
fn parts<I: Sync, O: Send, const N: usize, const M: usize>(
    len: usize,
    inputs: Split<&[I], N>,
    outputs: Split<&mut [O], M>,
    run: impl Fn(Vectors, usize, [&[I]; N], [&mut [O]; M]) + Copy + Sync,
) {
    tasks(
        len,
        TASK_LEN,
        inputs,
        outputs,
        #[inline(always)]
        move |vectors, start, inputs, outputs| run(vectors, start, inputs, outputs),
    );
}

/// The number of elements that a core takes at a time: about 10 microseconds of work.
pub(super) const TASK_LEN: usize = 1 << 15;

/// Like [`parts`], with `task` elements in a part.
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

/// Runs `run` on a part. Inlined, it would be compiled twice: here and in what rayon calls.
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

/// Like [`parts`], with `task` elements in a part.
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
        // A sleeping thread takes longer to wake than the others need for their last parts.
        for _ in 0..LAST_SPINS {
            if helpers.load(Ordering::Relaxed) == 0 {
                break;
            }
            spin_loop();
        }
    });
}
