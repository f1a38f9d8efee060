//! One function applied to every element of some slices, each widened to `f32` and rounded back: with the feature `parallel` on
//! the machine's widest vectors and all its cores.

use crate::Scalar;
#[cfg(feature = "parallel")]
use std::sync::{Mutex, PoisonError};

/// A rule with cases that are worth a loop each: vectors would compute all of them for every element.
pub(super) trait Cases: Copy + Sync {
    /// Runs `run` with this rule, compiled for each case by itself.
    fn each_by_itself(self, run: impl FnOnce(Self));
}

/// The outputs become what `of` makes of the rule, the inputs, and what the outputs hold. All slices are equally long.
pub(super) fn update<D: Cases, T: Scalar, const N: usize, const M: usize>(
    rule: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, [f32; N], [f32; M]) -> [f32; M] + Copy + Sync,
) {
    parts(
        outputs[0].len(),
        Shares::of(inputs, 1),
        Shares::of(outputs, 1),
        #[inline(always)]
        move |_, inputs, outputs| {
            rule.each_by_itself(
                #[inline(always)]
                |rule| elements(rule, inputs, outputs, of),
            );
        },
    );
}

/// One loop from slices to slices: copies of blocks in between would keep a core from reading ahead.
#[inline(always)]
fn elements<D: Cases, T: Scalar, const N: usize, const M: usize>(
    rule: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, [f32; N], [f32; M]) -> [f32; M],
) {
    // Known to the compiler, so that it checks no index.
    let len = outputs[0].len();
    let inputs = inputs.map(|input| &input[..len]);
    let outputs = outputs.map(|output| &mut output[..len]);
    for i in 0..len {
        let held = std::array::from_fn(|m| outputs[m][i].widened());
        let new = of(rule, inputs.map(|input| input[i].widened()), held);
        for m in 0..M {
            outputs[m][i] = T::narrowed(new[m]);
        }
    }
}

/// Elements whose random numbers are drawn at a time.
const BLOCK: usize = 64;

/// A block of a slice. What stands behind the end of the slice is anything.
pub(super) type Wide = [f32; BLOCK];

/// `y[i]` becomes `values[1]` where `of`, which is told the first element of a block, says so, else `values[0]`. The blocks
/// are those of `x`, or in place, where there is none, of `y`.
pub(super) fn choose<T: Scalar, const N: usize>(
    x: [&[T]; N],
    y: &mut [T],
    values: [T; 2],
    of: impl Fn(usize, &Wide) -> [bool; BLOCK] + Copy + Sync,
) {
    parts(
        y.len(),
        Shares::of(x, 1),
        Shares::of([y], 1),
        #[inline(always)]
        move |start, x: [&[T]; N], [y]: [&mut [T]; 1]| {
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

/// Fills `bits` by a bit for each element, 32 to a word; 0 behind the last.
pub(super) fn pack<T: Scalar>(x: &[T], bits: &mut [u32], of: impl Fn(usize, &Wide) -> [bool; BLOCK] + Copy + Sync) {
    parts(
        x.len(),
        Shares::of([x], 1),
        Shares::of([bits], 32),
        #[inline(always)]
        move |start, [x]: [&[T]; 1], [bits]: [&mut [u32]; 1]| {
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

/// Fills `y` by one value where its bit is 0, and another where it is 1.
pub(super) fn unpack<T: Scalar>(bits: &[u32], y: &mut [T], values: [T; 2]) {
    parts(
        y.len(),
        Shares::of([bits], 32),
        Shares::of([y], 1),
        #[inline(always)]
        move |_, [bits]: [&[u32]; 1], [y]: [&mut [T]; 1]| {
            for (y, &word) in y.chunks_mut(32).zip(bits) {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = values[(word >> i & 1) as usize];
                }
            }
        },
    );
}

#[inline(always)]
fn widen<T: Scalar>(wide: &mut Wide, values: &[T]) {
    for (wide, value) in wide.iter_mut().zip(values) {
        *wide = value.widened();
    }
}

/// Slices of which each item holds so many elements.
struct Shares<S, const N: usize> {
    slices: [S; N],
    #[cfg_attr(not(feature = "parallel"), expect(dead_code, reason = "one core cuts nothing"))]
    elements: usize,
}

impl<S, const N: usize> Shares<S, N> {
    fn of(slices: [S; N], elements: usize) -> Self {
        Self { slices, elements }
    }
}

#[cfg(not(feature = "parallel"))]
fn parts<I, O, const N: usize, const M: usize>(
    _len: usize,
    inputs: Shares<&[I], N>,
    outputs: Shares<&mut [O], M>,
    run: impl Fn(usize, [&[I]; N], [&mut [O]; M]),
) {
    run(0, inputs.slices, outputs.slices);
}

/// Elements that a core takes at a time: some 10 microseconds of work.
#[cfg(feature = "parallel")]
const SHARE: usize = 1 << 15;

/// Elements from which on several cores are faster than one, though others have to be woken.
#[cfg(feature = "parallel")]
const SHARED_FROM: usize = 1 << 18;

/// Runs `run` on all of `len` elements, cut among the cores, each told the number of its first element.
#[cfg(feature = "parallel")]
fn parts<I: Sync, O: Send, const N: usize, const M: usize>(
    len: usize,
    inputs: Shares<&[I], N>,
    outputs: Shares<&mut [O], M>,
    run: impl Fn(usize, [&[I]; N], [&mut [O]; M]) + Copy + Sync,
) {
    struct Vectorized<F>(F);
    impl<F: FnOnce()> pulp::NullaryFnOnce for Vectorized<F> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            (self.0)();
        }
    }
    let run = |start, inputs, outputs| {
        pulp::Arch::new().dispatch(Vectorized(
            #[inline(always)]
            || run(start, inputs, outputs),
        ));
    };
    if len < SHARED_FROM {
        return run(0, inputs.slices, outputs.slices);
    }
    let rest = Mutex::new((0, outputs.slices));
    let next = || {
        let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, slices) = &mut *rest;
        let part = *start..len.min(*start + SHARE);
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
    // The caller's core works too, from the start on, and does everything where the others are busy.
    let work = || {
        while let Some((start, inputs, outputs)) = next() {
            run(start, inputs, outputs);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
        work();
    });
}
