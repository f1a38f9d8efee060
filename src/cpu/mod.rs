//! The CPU path: slices in, slices out. It is the fallback if there is no GPU, and the ground truth of the GPU kernels,
//! which give the same bits.
//!
//! Each function applies an operation's scalar function to every element; half floats are widened to `f32` for it and
//! rounded once. With the default feature `parallel`, long slices are shared among all cores and the machine's widest
//! vectors are used. The bits stay the same.
//!
//! ```
//! use hard_sigmoid::{Binary, HardSigmoid, Unary, cpu};
//!
//! let x = [-4.0_f32, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! cpu::unary(Unary::Forward(HardSigmoid::PYTORCH), &x, &mut y)?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//!
//! let mut g = [1.0; 3];
//! cpu::binary_in_place(Binary::Backward(HardSigmoid::COURBARIAUX), &x, &mut g)?;
//! assert_eq!(g, [0.0, 0.5, 0.0]);
//! # Ok::<(), hard_sigmoid::OpError>(())
//! ```
//!
//! [`run()`] takes any [`Op`] and the bytes of its tensors.
//!
//! [`gate_broadcast`] and [`gate_broadcast_sums`], its gradients, take one gate for many elements, in the shape of a
//! [`BroadcastGate`](crate::BroadcastGate).
//!
//! A function fails with [`OpError::LengthMismatch`] if the lengths of its slices don't match, and with
//! [`OpError::ScaleTooLarge`] if `T` can't hold the scale of a binarization. A call that fails has written nothing.

/// Calls `$compute` with values, inputs and outputs. The functions in between aren't generic, so that the loops are compiled
/// here, once, and not in every crate that calls them.
macro_rules! compiled_here {
    ($T:ident: $compute:ident($($value:ident: $Value:ty),*)[$($input:ident: $Input:ty),*][$($output:ident: $Output:ty),*]) => {
        compiled_here!(@ $T: F32 f32, F16 f16, Bf16 bf16, {
            fn compiled($($value: $Value,)* $($input: &[$Input],)* $($output: &mut [$Output],)*) {
                $compute($($value,)* [$($input),*], [$($output),*]);
            }
            compiled($($value,)* $(bytemuck::cast_slice($input),)* $(bytemuck::cast_slice_mut($output),)*)
        })
    };
    (@ $T:ident: $($Variant:ident $Element:ident,)* $call:block) => {
        match $T::DTYPE {
            $(DType::$Variant => {
                type $T = $Element;
                $call
            })*
            DType::U8 => unreachable!("bytes aren't numbers of T"),
        }
    };
}

mod broadcast;
mod compare;
mod elementwise;
mod lookup;
mod run;
mod signs;
mod tasks;
mod vectors;

use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    definition::HardSigmoid,
    dtype::{DType, Scalar},
    error::OpError,
    finite::Finite,
    op::{Binary, Op, Unary},
};
pub use broadcast::{gate_broadcast, gate_broadcast_in_place, gate_broadcast_sums};
pub use compare::{Comparison, WrongResult, compare};
use elementwise::Specialize;
use half::{bf16, f16};
pub use lookup::{lookup, lookup_gate, lookup_gate_in_place, lookup_in_place};
pub use run::run;

/// The fastest operation that has the bits of `op` in `T`. Rounded to a half float, a product with 1/6 and a division
/// by 6 give the same number; `tests/host/halves.rs` tries all halves.
fn cheapest<T: Scalar>(op: Unary) -> Unary {
    match op {
        Unary::Forward(HardSigmoid::PYTORCH | HardSigmoid::KERAS3) if T::DTYPE != DType::F32 => {
            Unary::Forward(HardSigmoid::JAX)
        }
        // In bf16 the product may overflow before it is divided.
        Unary::HardSwish(HardSigmoid::PYTORCH) if T::DTYPE == DType::F16 => Unary::HardSwish(HardSigmoid::JAX),
        op => op,
    }
}

/// `y[i] = op(x[i])`.
///
/// # Errors
/// See the [module](self).
pub fn unary<T: Scalar>(op: Unary, x: &[T], y: &mut [T]) -> Result<(), OpError> {
    check_sizes::<T, _>(op.into(), [size_of_val(x), size_of_val(y)])?;
    if let Unary::Binarize(signs) = op {
        compiled_here!(T: binarize(signs: Signs)[x: T][y: T]);
    } else {
        compiled_here!(T: map_unary(op: Unary)[x: T][y: T]);
    }
    Ok(())
}

fn map_unary<T: Scalar>(op: Unary, x: [&[T]; 1], y: [&mut [T]; 1]) {
    elementwise::map(
        cheapest::<T>(op),
        x,
        y,
        #[inline(always)]
        |op: Unary, i, [x], _| [op.apply(x, i as u64)],
    );
}

/// `x[i] = op(x[i])`.
///
/// # Errors
/// [`OpError::ScaleTooLarge`]: see the [module](self).
pub fn unary_in_place<T: Scalar>(op: Unary, x: &mut [T]) -> Result<(), OpError> {
    Op::from(op).check_dtype(T::DTYPE)?;
    if let Unary::Binarize(signs) = op {
        compiled_here!(T: binarize(signs: Signs)[][x: T]);
    } else {
        compiled_here!(T: map_unary_in_place(op: Unary)[][x: T]);
    }
    Ok(())
}

fn map_unary_in_place<T: Scalar>(op: Unary, none: [&[T]; 0], x: [&mut [T]; 1]) {
    elementwise::map_in_place(
        cheapest::<T>(op),
        none,
        x,
        #[inline(always)]
        |op: Unary, i, [], [x]| [op.apply(x, i as u64)],
    );
}

/// `out[i] = op(first[i], second[i])`, with the operands in the order of [`Op::inputs`]. [`Binary::BackwardAccumulate`]
/// adds to what `out` holds; half floats too are rounded only once, after the sum.
///
/// # Errors
/// See the [module](self).
pub fn binary<T: Scalar>(op: Binary, first: &[T], second: &[T], out: &mut [T]) -> Result<(), OpError> {
    let sizes = [size_of_val(first), size_of_val(second), size_of_val(out)];
    check_sizes::<T, _>(op.into(), sizes)?;
    compiled_here!(T: map_binary(op: Binary)[first: T, second: T][out: T]);
    Ok(())
}

fn map_binary<T: Scalar>(op: Binary, inputs: [&[T]; 2], out: [&mut [T]; 1]) {
    elementwise::map(
        op,
        inputs,
        out,
        #[inline(always)]
        |op: Binary, _, [first, second], [before]| [op.apply(first, second, before)],
    );
}

/// Replaces the operand that [`Op::replaces`] names with the result: `g` with `dx`, or `a` with the gated tensor.
/// `kept` is the other operand.
///
/// # Errors
/// [`OpError::NotInPlace`] for [`Binary::BackwardAccumulate`]; for the rest see the [module](self).
pub fn binary_in_place<T: Scalar>(op: Binary, kept: &[T], replaced: &mut [T]) -> Result<(), OpError> {
    let Some(index) = Op::from(op).replaces() else {
        return Err(OpError::NotInPlace { op: op.name() });
    };
    let mut sizes = [size_of_val(kept), size_of_val(kept), size_of_val(replaced)];
    sizes[index] = size_of_val(replaced);
    check_sizes::<T, _>(op.into(), sizes)?;
    compiled_here!(T: map_binary_in_place(op: Binary)[kept: T][replaced: T]);
    Ok(())
}

fn map_binary_in_place<T: Scalar>(op: Binary, kept: [&[T]; 1], replaced: [&mut [T]; 1]) {
    elementwise::map_in_place(
        op,
        kept,
        replaced,
        // Each loop knows the operation's variant, so the compiler knows the answer in each.
        #[inline(always)]
        |op: Binary, _, [kept], [replaced]| {
            let [first, second] = match Op::from(op).replaces() {
                Some(0) => [replaced, kept],
                _ => [kept, replaced],
            };
            [op.apply(first, second, 0.0)]
        },
    );
}

/// Both gradients of a gate: `(da[i], db[i])` is [`HardSigmoid::gate_backward`] of `(a[i], b[i], g[i])`.
///
/// # Errors
/// See the [module](self).
pub fn gate_backward<T: Scalar>(
    definition: HardSigmoid,
    a: &[T],
    b: &[T],
    g: &[T],
    da: &mut [T],
    db: &mut [T],
) -> Result<(), OpError> {
    let sizes = [
        size_of_val(a),
        size_of_val(b),
        size_of_val(g),
        size_of_val(da),
        size_of_val(db),
    ];
    check_sizes::<T, _>(Op::GateBackward(definition), sizes)?;
    compiled_here!(T: map_gate_backward(definition: HardSigmoid)[a: T, b: T, g: T][da: T, db: T]);
    Ok(())
}

fn map_gate_backward<T: Scalar>(definition: HardSigmoid, inputs: [&[T]; 3], outputs: [&mut [T]; 2]) {
    elementwise::map(
        definition,
        inputs,
        outputs,
        #[inline(always)]
        |definition: HardSigmoid, _, [a, b, g], _| definition.gate_backward(a, b, g).into(),
    );
}

/// Packs signs into bits. Bit `i % 32` of `bits[i / 32]`, counted from the lowest, is 1 where element `i` gets the plus
/// sign. The bits after the last element are 0.
///
/// # Errors
/// [`OpError::PackedLength`] unless `bits` is one word for every 32 elements, rounded up.
pub fn pack<T: Scalar>(how: Binarization, x: &[T], bits: &mut [u32]) -> Result<(), OpError> {
    check_sizes::<T, _>(Op::Pack(how), [size_of_val(x), size_of_val(bits)])?;
    compiled_here!(T: pack_signs(how: Binarization)[x: T][bits: u32]);
    Ok(())
}

fn pack_signs<T: Scalar>(how: Binarization, [x]: [&[T]; 1], [bits]: [&mut [u32]; 1]) {
    signs::pack(
        x,
        bits,
        #[inline(always)]
        move |start, x| how.are_plus(start as u64, x),
    );
}

/// `y[i]` is `scale` where bit `i` of `bits` is 1, else `-scale`: the reverse of [`pack`].
///
/// # Errors
/// [`OpError::PackedLength`] unless `bits` is one word for every 32 elements, rounded up; for the rest see the
/// [module](self).
pub fn unpack<T: Scalar>(scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), OpError> {
    let scale = Finite::new("scale", scale)?;
    check_sizes::<T, _>(Op::Unpack(scale), [size_of_val(bits), size_of_val(y)])?;
    compiled_here!(T: unpack_signs(scale: Finite)[bits: u32][y: T]);
    Ok(())
}

fn unpack_signs<T: Scalar>(scale: Finite, [bits]: [&[u32]; 1], [y]: [&mut [T]; 1]) {
    signs::unpack(bits, y, signed(scale));
}

/// Binarizes `x` into `y`, or `y` in place if there is no `x`.
fn binarize<T: Scalar, const N: usize>(signs: Signs, x: [&[T]; N], [y]: [&mut [T]; 1]) {
    let Signs { how, scale } = signs;
    signs::choose(
        x,
        y,
        signed(scale),
        #[inline(always)]
        move |start, x| how.are_plus(start as u64, x),
    );
}

/// The numbers `-scale` and `scale`.
fn signed<T: Scalar>(scale: Finite) -> [T; 2] {
    [-scale.get(), scale.get()].map(T::from_f32)
}

/// Runs `$run` with an operation, specialized by the form of its definition. Code that isn't inlined isn't vectorized.
macro_rules! by_form {
    ($Op:path, $definition:ident, $run:ident) => {
        by_form!($Op, $definition.specialize, $run)
    };
    ($Op:path, $definition:ident.$specialize:ident, $run:ident) => {
        $definition.$specialize(
            #[inline(always)]
            |definition| $run($Op(definition)),
        )
    };
}

impl Specialize for Unary {
    #[inline(always)]
    fn by_case(self, run: impl FnOnce(Self)) {
        match self {
            Self::Forward(definition) => by_form!(Self::Forward, definition.specialize_forward, run),
            Self::HardSwish(definition) => by_form!(Self::HardSwish, definition.specialize_forward, run),
            Self::Binarize(_) => unreachable!("`binarize` computes it"),
        }
    }
}

impl Specialize for Binary {
    #[inline(always)]
    fn by_case(self, run: impl FnOnce(Self)) {
        use StraightThrough::{HardTanh, Identity};
        match self {
            Self::Backward(definition) => by_form!(Self::Backward, definition, run),
            Self::BackwardFromOutput(definition) => by_form!(Self::BackwardFromOutput, definition, run),
            Self::BackwardAccumulate(definition) => by_form!(Self::BackwardAccumulate, definition, run),
            Self::HardSwishBackward(definition) => by_form!(Self::HardSwishBackward, definition, run),
            Self::Gate(definition) => by_form!(Self::Gate, definition.specialize_forward, run),
            Self::StraightThrough(HardTanh) => run(Self::StraightThrough(HardTanh)),
            Self::StraightThrough(Identity) => run(Self::StraightThrough(Identity)),
        }
    }
    #[inline(always)]
    fn adds(self) -> bool {
        matches!(self, Self::BackwardAccumulate(_))
    }
}

impl Specialize for HardSigmoid {
    #[inline(always)]
    fn by_case(self, run: impl FnOnce(Self)) {
        self.specialize(run);
    }
}

/// [`Op::check_sizes`] of slices of numbers.
pub(crate) fn check_sizes<T: Scalar, const N: usize>(op: Op, sizes: [usize; N]) -> Result<(), OpError> {
    op.check_sizes(T::DTYPE, &sizes.map(|size| size as u64)).map(drop)
}
