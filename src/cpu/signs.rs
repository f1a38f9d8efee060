//! Signs of elements: as numbers and as bits.

use crate::{
    cpu::tasks::{Split, TASK_LEN, tasks},
    math::dtype::Scalar,
};

/// The number of elements whose random numbers are drawn at a time.
const BLOCK: usize = 64;

/// A block of a slice. Lanes past the slice's end are unspecified.
pub(super) type WideBlock = [f32; BLOCK];

/// Sets `y[i]` to `values[1]` where `of` is true, else to `values[0]`. `of` gets the index of a block's first element,
/// and the block: one of `x`, or of `y` if there is no `x` (in place).
pub(super) fn choose<T: Scalar, const N: usize>(
    x: [&[T]; N],
    y: &mut [T],
    values: [T; 2],
    of: impl Fn(usize, &WideBlock) -> [bool; BLOCK] + Copy + Sync,
) {
    tasks(
        y.len(),
        TASK_LEN,
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

/// Fills `bits` with one bit for each element, 32 to a word. The bits after the last element are 0.
pub(super) fn pack<T: Scalar>(
    x: &[T],
    bits: &mut [u32],
    of: impl Fn(usize, &WideBlock) -> [bool; BLOCK] + Copy + Sync,
) {
    tasks(
        x.len(),
        TASK_LEN,
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
    tasks(
        y.len(),
        TASK_LEN,
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
