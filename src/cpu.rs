//! The CPU path: slices in, slices out. It is the fallback where there is no GPU, and the ground truth of the GPU
//! kernels, which give the same bits.
//!
//! Every function is the scalar [`HardSigmoid::forward`] or [`HardSigmoid::backward`] applied to each element; half
//! floats are widened to `f32` for it and rounded once.
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

use crate::{Error, HardSigmoid, Scalar};

/// `y[i] = forward(x[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn forward<T: Scalar>(definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("y", y))?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = T::from_f32(definition.forward(x.to_f32()));
    }
    Ok(())
}

/// `x[i] = forward(x[i])`.
pub fn forward_in_place<T: Scalar>(definition: HardSigmoid, x: &mut [T]) {
    for x in x {
        *x = T::from_f32(definition.forward(x.to_f32()));
    }
}

/// `dx[i] = backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward<T: Scalar>(definition: HardSigmoid, x: &[T], g: &[T], dx: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    same_length(("x", x), ("dx", dx))?;
    for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
        *dx = T::from_f32(definition.backward(x.to_f32(), g.to_f32()));
    }
    Ok(())
}

/// `g[i] = backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_in_place<T: Scalar>(definition: HardSigmoid, x: &[T], g: &mut [T]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    for (g, &x) in g.iter_mut().zip(x) {
        *g = T::from_f32(definition.backward(x.to_f32(), g.to_f32()));
    }
    Ok(())
}

pub(crate) fn same_length<T>((a, of_a): (&'static str, &[T]), (b, of_b): (&'static str, &[T])) -> Result<(), Error> {
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
