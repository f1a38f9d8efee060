//! One function applied to every element of some slices: in blocks that are widened to `f32` and rounded back, and with the
//! feature `parallel` on the machine's widest vectors and all its cores.

use crate::Scalar;

/// Elements that are worked on at a time. Their `f32` stay in the first-level cache.
const BLOCK: usize = 512;

/// A block of a slice. What stands behind the end of the slice is anything.
pub(super) type Wide = [f32; BLOCK];

/// Fills `outputs` by `of`, which turns blocks of the inputs into blocks of the outputs. All slices are equally long.
pub(super) fn replace<T: Scalar, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(&[Wide; N], &mut [Wide; M]) + Copy + Sync,
) {
    parts(
        inputs,
        outputs,
        #[inline(always)]
        move |inputs: [&[T]; N], outputs: [&mut [T]; M]| blocks::<T, N, M, false>(inputs, outputs, of),
    );
}

/// The same, the blocks of the outputs holding what stands there before.
pub(super) fn update<T: Scalar, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(&[Wide; N], &mut [Wide; M]) + Copy + Sync,
) {
    parts(
        inputs,
        outputs,
        #[inline(always)]
        move |inputs: [&[T]; N], outputs: [&mut [T]; M]| blocks::<T, N, M, true>(inputs, outputs, of),
    );
}

/// A part of the slices, block by block. Inlined, so that it is compiled for the vectors of whoever calls it.
#[inline(always)]
fn blocks<T: Scalar, const N: usize, const M: usize, const UPDATES: bool>(
    inputs: [&[T]; N],
    mut outputs: [&mut [T]; M],
    of: impl Fn(&[Wide; N], &mut [Wide; M]),
) {
    let len = outputs[0].len();
    let (mut from, mut to): ([Wide; N], [Wide; M]) = ([[0.0; BLOCK]; N], [[0.0; BLOCK]; M]);
    for start in (0..len).step_by(BLOCK) {
        let part = start..len.min(start + BLOCK);
        for (wide, input) in from.iter_mut().zip(inputs) {
            T::widen(&input[part.clone()], &mut wide[..part.len()]);
        }
        if UPDATES {
            for (wide, output) in to.iter_mut().zip(&outputs) {
                T::widen(&output[part.clone()], &mut wide[..part.len()]);
            }
        }
        of(&from, &mut to);
        for (wide, output) in to.iter().zip(&mut outputs) {
            T::narrow(&wide[..part.len()], &mut output[part.clone()]);
        }
    }
}

#[cfg(not(feature = "parallel"))]
fn parts<T: Scalar, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    run: impl Fn([&[T]; N], [&mut [T]; M]),
) {
    run(inputs, outputs);
}

/// Elements from which on several cores are faster than one: some 10 microseconds of work for each.
#[cfg(feature = "parallel")]
const SHARED_FROM: usize = 1 << 17;

#[cfg(feature = "parallel")]
fn parts<T: Scalar, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    run: impl Fn([&[T]; N], [&mut [T]; M]) + Copy + Sync,
) {
    struct Vectorized<F>(F);
    impl<F: FnOnce()> pulp::NullaryFnOnce for Vectorized<F> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            (self.0)();
        }
    }
    fn halve<T: Scalar, const N: usize, const M: usize>(
        inputs: [&[T]; N],
        outputs: [&mut [T]; M],
        run: impl Fn([&[T]; N], [&mut [T]; M]) + Copy + Sync,
    ) {
        let len = outputs[0].len();
        if len < SHARED_FROM {
            pulp::Arch::new().dispatch(Vectorized(
                #[inline(always)]
                || run(inputs, outputs),
            ));
            return;
        }
        let middle = (len / 2).next_multiple_of(BLOCK);
        let inputs = inputs.map(|input| input.split_at(middle));
        let mut outputs = outputs.map(|output| output.split_at_mut(middle));
        let left = (
            inputs.map(|(left, _)| left),
            outputs.each_mut().map(|(left, _)| std::mem::take(left)),
        );
        let right = (inputs.map(|(_, right)| right), outputs.map(|(_, right)| right));
        rayon::join(|| halve(left.0, left.1, run), || halve(right.0, right.1, run));
    }
    halve(inputs, outputs, run);
}
