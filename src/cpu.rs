//! The CPU path: slices in, slices out. It is the fallback where there is no GPU, and the ground truth of the GPU
//! kernels, which give the same bits.
//!
//! Every function is the scalar one of the same name in [`HardSigmoid`], [`Binarization`] or [`StraightThrough`], applied to
//! each element; half floats are widened to `f32` for it and rounded once. With the default feature `parallel` long slices
//! are shared among all cores, and the widest vectors that the machine has are used; the bits are the same.
//!
//! ```
//! use hard_sigmoid::{cpu, HardSigmoid};
//!
//! let x = [-4.0_f32, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! cpu::forward(HardSigmoid::PYTORCH, &x, &mut y)?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//!
//! let mut g = [1.0; 3];
//! cpu::backward_in_place(HardSigmoid::COURBARIAUX, &x, &mut g)?;
//! assert_eq!(g, [0.0, 0.5, 0.0]);
//! # Ok::<(), hard_sigmoid::Error>(())
//! ```

mod elementwise;

use elementwise::Wide;

use crate::{Binarization, Error, HardSigmoid, Scalar, StraightThrough, element::Unit};

/// `y[i] = forward(x[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn forward<T: Scalar>(definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
    unary(("x", x), ("y", y), move |x| definition.forward(x))
}

/// `x[i] = forward(x[i])`.
pub fn forward_in_place<T: Scalar>(definition: HardSigmoid, x: &mut [T]) {
    unary_in_place(x, move |x| definition.forward(x));
}

/// `dx[i] = backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(("x", x), ("g", g), ("dx", dx), move |x, g| definition.backward(x, g))
}

/// `g[i] = backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_in_place<T: Scalar>(definition: HardSigmoid, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(("x", x), ("g", g), move |x, g| definition.backward(x, g))
}

/// `dx[i] = backward_from_output(y[i], g[i])`, from the saved output `y`: see [`HardSigmoid::backward_from_output`].
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_from_output<T: Scalar>(definition: HardSigmoid, y: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(("y", y), ("g", g), ("dx", dx), move |y, g| {
        definition.backward_from_output(y, g)
    })
}

/// `g[i] = backward_from_output(y[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_from_output_in_place<T: Scalar>(definition: HardSigmoid, y: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(("y", y), ("g", g), move |y, g| definition.backward_from_output(y, g))
}

/// `dx[i] += backward(x[i], g[i])`. In half floats too there is one rounding, of the sum.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_accumulate<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    same_length(("x", x), ("dx", dx))?;
    let blocks = move |[x, g]: &[Wide; 2], [dx]: &mut [Wide; 1]| {
        for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
            *dx = definition.backward_accumulate(x, g, *dx);
        }
    };
    elementwise::update([x, g], [dx], blocks);
    Ok(())
}

/// `y[i] = a[i]·forward(b[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn gate<T: Scalar>(definition: HardSigmoid, a: &[T], b: &[T], y: &mut [T]) -> Result<(), Error> {
    binary(("a", a), ("b", b), ("y", y), move |a, b| definition.gate(a, b))
}

/// `a[i] = a[i]·forward(b[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn gate_in_place<T: Scalar>(definition: HardSigmoid, a: &mut [T], b: &[T]) -> Result<(), Error> {
    binary_in_place(("b", b), ("a", a), move |b, a| definition.gate(a, b))
}

/// `(da[i], db[i]) = gate_backward(a[i], b[i], g[i])`: both gradients of [`gate`].
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn gate_backward<T: Scalar>(
    definition: HardSigmoid,
    a: &[T],
    b: &[T],
    g: &[T],
    da: &mut [T],
    db: &mut [T],
) -> Result<(), Error> {
    same_length(("a", a), ("b", b))?;
    same_length(("a", a), ("g", g))?;
    same_length(("a", a), ("da", da))?;
    same_length(("a", a), ("db", db))?;
    let blocks = move |[a, b, g]: &[Wide; 3], [da, db]: &mut [Wide; 2]| {
        for ((da, db), ((&a, &b), &g)) in da.iter_mut().zip(db).zip(a.iter().zip(b).zip(g)) {
            (*da, *db) = definition.gate_backward(a, b, g);
        }
    };
    elementwise::replace([a, b, g], [da, db], blocks);
    Ok(())
}

/// `y[i] = x[i]·forward(x[i])`, the hard swish.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish<T: Scalar>(definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
    unary(("x", x), ("y", y), move |x| definition.hard_swish(x))
}

/// `x[i] = x[i]·forward(x[i])`.
pub fn hard_swish_in_place<T: Scalar>(definition: HardSigmoid, x: &mut [T]) {
    unary_in_place(x, move |x| definition.hard_swish(x));
}

/// `dx[i] = hard_swish_backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish_backward<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(("x", x), ("g", g), ("dx", dx), move |x, g| {
        definition.hard_swish_backward(x, g)
    })
}

/// `g[i] = hard_swish_backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish_backward_in_place<T: Scalar>(definition: HardSigmoid, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(("x", x), ("g", g), move |x, g| definition.hard_swish_backward(x, g))
}

/// `y[i]` is `scale` or `-scale`, as [`Binarization::is_plus`] has it of `x[i]`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length, [`Error::NotFinite`] if `scale` isn't finite in `T`.
pub fn binarize<T: Scalar>(binarization: Binarization, scale: f32, x: &[T], y: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("y", y))?;
    let [minus, plus] = signed(scale)?;
    let mut is_plus = binarization.in_order();
    for (y, x) in y.iter_mut().zip(x) {
        *y = if is_plus(x.to_f32()) { plus } else { minus };
    }
    Ok(())
}

/// `x[i]` becomes `scale` or `-scale`.
///
/// # Errors
/// [`Error::NotFinite`] if `scale` isn't finite in `T`.
pub fn binarize_in_place<T: Scalar>(binarization: Binarization, scale: f32, x: &mut [T]) -> Result<(), Error> {
    let [minus, plus] = signed(scale)?;
    let mut is_plus = binarization.in_order();
    for x in x {
        *x = if is_plus(x.to_f32()) { plus } else { minus };
    }
    Ok(())
}

/// Bit `i % 32` of `bits[i / 32]`, counted from the lowest, is 1 where element `i` gets the plus sign; the bits behind the
/// last element are 0.
///
/// # Errors
/// [`Error::PackedLength`] if `bits` isn't one word for each 32 elements begun.
pub fn binarize_packed<T: Scalar>(binarization: Binarization, x: &[T], bits: &mut [u32]) -> Result<(), Error> {
    packed_length(("x", x), bits)?;
    bits.fill(0);
    let mut is_plus = binarization.in_order();
    for (i, x) in x.iter().enumerate() {
        bits[i / 32] |= u32::from(is_plus(x.to_f32())) << (i % 32);
    }
    Ok(())
}

/// `y[i]` is `scale` where bit `i` of `bits` is 1, else `-scale`: what [`binarize`] gives for the signs that
/// [`binarize_packed`] packed.
///
/// # Errors
/// [`Error::PackedLength`] if `bits` isn't one word for each 32 elements begun, [`Error::NotFinite`] if `scale` isn't finite
/// in `T`.
pub fn unpack<T: Scalar>(scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), Error> {
    packed_length(("y", y), bits)?;
    let numbers = signed(scale)?;
    for (i, y) in y.iter_mut().enumerate() {
        *y = numbers[(bits[i / 32] >> (i % 32) & 1) as usize];
    }
    Ok(())
}

/// `dx[i] = backward(x[i], g[i])` of the estimator: the gradient of a binarization, from its input `x` and the upstream
/// gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn binarize_backward<T: Scalar>(estimator: StraightThrough, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(("x", x), ("g", g), ("dx", dx), move |x, g| estimator.backward(x, g))
}

/// `g[i] = backward(x[i], g[i])` of the estimator: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn binarize_backward_in_place<T: Scalar>(estimator: StraightThrough, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(("x", x), ("g", g), move |x, g| estimator.backward(x, g))
}

/// `-scale` and `scale`.
fn signed<T: Scalar>(scale: f32) -> Result<[T; 2], Error> {
    T::ELEMENT.check_scale(scale)?;
    Ok([-scale, scale].map(T::from_f32))
}

pub(crate) fn packed_length<T>((operand, values): Named<T>, bits: &[u32]) -> Result<(), Error> {
    let len = values.len() as u64;
    let bits_size = size_of_val(bits) as u64;
    if Unit::Bits.size(len) == bits_size {
        return Ok(());
    }
    Err(Error::PackedLength {
        operand,
        len,
        bits_size,
    })
}

type Named<'a, T> = (&'static str, &'a [T]);
type NamedMut<'a, T> = (&'static str, &'a mut [T]);

fn unary<T: Scalar>(x: Named<T>, y: NamedMut<T>, of: impl Fn(f32) -> f32 + Copy + Sync) -> Result<(), Error> {
    same_length(x, (y.0, y.1))?;
    let blocks = move |[x]: &[Wide; 1], [y]: &mut [Wide; 1]| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = of(x);
        }
    };
    elementwise::replace([x.1], [y.1], blocks);
    Ok(())
}

fn unary_in_place<T: Scalar>(x: &mut [T], of: impl Fn(f32) -> f32 + Copy + Sync) {
    let blocks = move |[]: &[Wide; 0], [x]: &mut [Wide; 1]| {
        for x in x {
            *x = of(*x);
        }
    };
    elementwise::update([], [x], blocks);
}

fn binary<T: Scalar>(
    a: Named<T>,
    b: Named<T>,
    out: NamedMut<T>,
    of: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Result<(), Error> {
    same_length(a, b)?;
    same_length(a, (out.0, out.1))?;
    let blocks = move |[a, b]: &[Wide; 2], [out]: &mut [Wide; 1]| {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = of(a, b);
        }
    };
    elementwise::replace([a.1, b.1], [out.1], blocks);
    Ok(())
}

/// The result replaces `b`.
fn binary_in_place<T: Scalar>(
    a: Named<T>,
    b: NamedMut<T>,
    of: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Result<(), Error> {
    same_length(a, (b.0, b.1))?;
    let blocks = move |[a]: &[Wide; 1], [b]: &mut [Wide; 1]| {
        for (b, &a) in b.iter_mut().zip(a) {
            *b = of(a, *b);
        }
    };
    elementwise::update([a.1], [b.1], blocks);
    Ok(())
}

pub(crate) fn same_length<T>((a, of_a): Named<T>, (b, of_b): Named<T>) -> Result<(), Error> {
    if of_a.len() == of_b.len() {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        a,
        a_len: of_a.len() as u64,
        b,
        b_len: of_b.len() as u64,
    })
}
