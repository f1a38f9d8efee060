//! One function applied to every element of some slices. Each element is widened to `f32`, and each result rounded
//! back.

use crate::{
    cpu::{
        tasks::{Split, TASK_LEN, tasks},
        vectors::Vectors,
    },
    math::dtype::Scalar,
};
use std::hint::black_box;

/// An operation with several cases, such as the forms of a definition. Each case gets a loop of its own: a loop for all
/// of them would compute every case for every element, since vectors can't branch.
pub(super) trait Specialize: Copy + Sync {
    /// Runs `run` with this operation; the compiler sees each case separately.
    fn by_case(self, run: impl FnOnce(Self));
    /// Whether it adds to what its outputs hold.
    fn adds(self) -> bool {
        false
    }
}

/// Sets each element of the outputs to what `of` returns. `of` gets the operation, the element's index and the inputs
/// there, and what the outputs hold if the operation adds to it. All slices have the same length.
pub(super) fn map<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M] + Copy + Sync,
) {
    map_slices::<false, D, T, N, M>(op, inputs, outputs, of);
}

/// [`map`] in place: the outputs hold operands, which `of` gets too.
pub(super) fn map_in_place<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M] + Copy + Sync,
) {
    map_slices::<true, D, T, N, M>(op, inputs, outputs, of);
}

fn map_slices<const IN_PLACE: bool, D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M] + Copy + Sync,
) {
    tasks(
        outputs[0].len(),
        TASK_LEN,
        Split::of(inputs, 1),
        Split::of(outputs, 1),
        #[inline(always)]
        move |vectors, start, inputs, outputs| {
            // See `HardSigmoid::specialize`.
            if cfg!(debug_assertions) {
                return apply_converting::<IN_PLACE, D, T, N, M>(op, vectors, start, inputs, outputs, of);
            }
            op.by_case(
                #[inline(always)]
                |op| apply_converting::<IN_PLACE, D, T, N, M>(op, vectors, start, inputs, outputs, of),
            );
        },
    );
}

/// The number of half floats that are converted before the next step. So many stay in registers; for fewer of them the
/// compiler makes no vectors.
pub(super) const STRIP: usize = 64;

/// Computes every element. It converts f16 in strips with the processor's own instructions; other types are left to the
/// compiler.
#[inline(always)]
pub(super) fn apply_converting<const IN_PLACE: bool, D: Specialize, T: Scalar, const N: usize, const M: usize>(
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
    // This is zero, but the compiler doesn't know. If it did, it would see that the numbers come from f16, and compare
    // them as f16, which is slow.
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
        if IN_PLACE || op.adds() {
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

/// Computes with one loop from slices to slices. Copying blocks in between would keep a core from reading ahead.
#[inline(always)]
fn apply<D: Specialize, T: Scalar, const N: usize, const M: usize>(
    op: D,
    start: usize,
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    of: impl Fn(D, usize, [f32; N], [f32; M]) -> [f32; M],
) {
    // With slices of this length the compiler knows that the lengths are equal, and leaves out the checks of indices.
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
