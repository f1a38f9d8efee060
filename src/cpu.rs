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

use elementwise::Cases;

use crate::{Binarization, Error, HardSigmoid, Scalar, StraightThrough, element::Unit};

/// `y[i] = forward(x[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn forward<T: Scalar>(definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
    unary(definition, ("x", x), ("y", y), HardSigmoid::forward)
}

/// `x[i] = forward(x[i])`.
pub fn forward_in_place<T: Scalar>(definition: HardSigmoid, x: &mut [T]) {
    unary_in_place(definition, x, HardSigmoid::forward);
}

/// `dx[i] = backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(definition, ("x", x), ("g", g), ("dx", dx), HardSigmoid::backward)
}

/// `g[i] = backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_in_place<T: Scalar>(definition: HardSigmoid, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(definition, ("x", x), ("g", g), HardSigmoid::backward)
}

/// `dx[i] = backward_from_output(y[i], g[i])`, from the saved output `y`: see [`HardSigmoid::backward_from_output`].
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_from_output<T: Scalar>(definition: HardSigmoid, y: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(
        definition,
        ("y", y),
        ("g", g),
        ("dx", dx),
        HardSigmoid::backward_from_output,
    )
}

/// `g[i] = backward_from_output(y[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_from_output_in_place<T: Scalar>(definition: HardSigmoid, y: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(definition, ("y", y), ("g", g), HardSigmoid::backward_from_output)
}

/// `dx[i] += backward(x[i], g[i])`. In half floats too there is one rounding, of the sum.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_accumulate<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    same_length(("x", x), ("dx", dx))?;
    elementwise::update(definition, [x, g], [dx], |definition, [x, g], [dx]| {
        [definition.backward_accumulate(x, g, dx)]
    });
    Ok(())
}

/// `y[i] = a[i]·forward(b[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn gate<T: Scalar>(definition: HardSigmoid, a: &[T], b: &[T], y: &mut [T]) -> Result<(), Error> {
    binary(definition, ("a", a), ("b", b), ("y", y), HardSigmoid::gate)
}

/// `a[i] = a[i]·forward(b[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn gate_in_place<T: Scalar>(definition: HardSigmoid, a: &mut [T], b: &[T]) -> Result<(), Error> {
    binary_in_place(definition, ("b", b), ("a", a), |definition, b, a| definition.gate(a, b))
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
    elementwise::update(definition, [a, b, g], [da, db], |definition, [a, b, g], _| {
        definition.gate_backward(a, b, g).into()
    });
    Ok(())
}

/// `y[i] = x[i]·forward(x[i])`, the hard swish.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish<T: Scalar>(definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
    unary(definition, ("x", x), ("y", y), HardSigmoid::hard_swish)
}

/// `x[i] = x[i]·forward(x[i])`.
pub fn hard_swish_in_place<T: Scalar>(definition: HardSigmoid, x: &mut [T]) {
    unary_in_place(definition, x, HardSigmoid::hard_swish);
}

/// `dx[i] = hard_swish_backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish_backward<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(
        definition,
        ("x", x),
        ("g", g),
        ("dx", dx),
        HardSigmoid::hard_swish_backward,
    )
}

/// `g[i] = hard_swish_backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn hard_swish_backward_in_place<T: Scalar>(definition: HardSigmoid, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(definition, ("x", x), ("g", g), HardSigmoid::hard_swish_backward)
}

/// `y[i]` is `scale` or `-scale`, as [`Binarization::is_plus`] has it of `x[i]`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length, [`Error::NotFinite`] if `scale` isn't finite in `T`.
pub fn binarize<T: Scalar>(binarization: Binarization, scale: f32, x: &[T], y: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("y", y))?;
    elementwise::choose(
        [x],
        y,
        signed(scale)?,
        #[inline(always)]
        move |start, x| binarization.are_plus(start as u64, x),
    );
    Ok(())
}

/// `x[i]` becomes `scale` or `-scale`.
///
/// # Errors
/// [`Error::NotFinite`] if `scale` isn't finite in `T`.
pub fn binarize_in_place<T: Scalar>(binarization: Binarization, scale: f32, x: &mut [T]) -> Result<(), Error> {
    elementwise::choose(
        [],
        x,
        signed(scale)?,
        #[inline(always)]
        move |start, x| binarization.are_plus(start as u64, x),
    );
    Ok(())
}

/// Bit `i % 32` of `bits[i / 32]`, counted from the lowest, is 1 where element `i` gets the plus sign; the bits behind the
/// last element are 0.
///
/// # Errors
/// [`Error::PackedLength`] if `bits` isn't one word for each 32 elements begun.
pub fn binarize_packed<T: Scalar>(binarization: Binarization, x: &[T], bits: &mut [u32]) -> Result<(), Error> {
    packed_length(("x", x), bits)?;
    elementwise::pack(
        x,
        bits,
        #[inline(always)]
        move |start, x| binarization.are_plus(start as u64, x),
    );
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
    elementwise::unpack(bits, y, signed(scale)?);
    Ok(())
}

/// `dx[i] = backward(x[i], g[i])` of the estimator: the gradient of a binarization, from its input `x` and the upstream
/// gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn binarize_backward<T: Scalar>(estimator: StraightThrough, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    binary(estimator, ("x", x), ("g", g), ("dx", dx), StraightThrough::backward)
}

/// `g[i] = backward(x[i], g[i])` of the estimator: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn binarize_backward_in_place<T: Scalar>(estimator: StraightThrough, x: &[T], g: &mut [T]) -> Result<(), Error> {
    binary_in_place(estimator, ("x", x), ("g", g), StraightThrough::backward)
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

impl Cases for HardSigmoid {
    #[inline(always)]
    fn each_by_itself(self, run: impl FnOnce(Self)) {
        self.by_form(run);
    }
}

impl Cases for StraightThrough {
    #[inline(always)]
    fn each_by_itself(self, run: impl FnOnce(Self)) {
        match self {
            Self::HardTanh => run(Self::HardTanh),
            Self::Identity => run(Self::Identity),
        }
    }
}

fn unary<D: Cases, T: Scalar>(
    rule: D,
    x: Named<T>,
    y: NamedMut<T>,
    of: impl Fn(D, f32) -> f32 + Copy + Sync,
) -> Result<(), Error> {
    same_length(x, (y.0, y.1))?;
    elementwise::update(rule, [x.1], [y.1], move |rule, [x], _| [of(rule, x)]);
    Ok(())
}

fn unary_in_place<D: Cases, T: Scalar>(rule: D, x: &mut [T], of: impl Fn(D, f32) -> f32 + Copy + Sync) {
    elementwise::update(rule, [], [x], move |rule, [], [x]| [of(rule, x)]);
}

fn binary<D: Cases, T: Scalar>(
    rule: D,
    a: Named<T>,
    b: Named<T>,
    out: NamedMut<T>,
    of: impl Fn(D, f32, f32) -> f32 + Copy + Sync,
) -> Result<(), Error> {
    same_length(a, b)?;
    same_length(a, (out.0, out.1))?;
    elementwise::update(rule, [a.1, b.1], [out.1], move |rule, [a, b], _| [of(rule, a, b)]);
    Ok(())
}

/// The result replaces `b`.
fn binary_in_place<D: Cases, T: Scalar>(
    rule: D,
    a: Named<T>,
    b: NamedMut<T>,
    of: impl Fn(D, f32, f32) -> f32 + Copy + Sync,
) -> Result<(), Error> {
    same_length(a, (b.0, b.1))?;
    elementwise::update(rule, [a.1], [b.1], move |rule, [a], [b]| [of(rule, a, b)]);
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
