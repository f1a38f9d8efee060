//! The CPU path: slices in, slices out. It is the fallback where there is no GPU, and the ground truth of the GPU
//! kernels, which give the same bits.
//!
//! Every function is the scalar [`HardSigmoid::forward`] or [`HardSigmoid::backward`] applied to each element.
//!
//! ```
//! use hard_sigmoid::{cpu, HardSigmoid};
//!
//! let x = [-4.0, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! cpu::forward(HardSigmoid::PYTORCH, &x, &mut y)?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//!
//! let mut g = [1.0; 3];
//! cpu::backward_in_place(HardSigmoid::COURBARIAUX, &x, &mut g)?;
//! assert_eq!(g, [0.0, 0.5, 0.0]);
//! # Ok::<(), hard_sigmoid::Error>(())
//! ```

use crate::{Error, HardSigmoid};

/// `y[i] = forward(x[i])`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn forward(definition: HardSigmoid, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
    same_length(("x", x), ("y", y))?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = definition.forward(x);
    }
    Ok(())
}

/// `x[i] = forward(x[i])`.
pub fn forward_in_place(definition: HardSigmoid, x: &mut [f32]) {
    for x in x {
        *x = definition.forward(*x);
    }
}

/// `dx[i] = backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward(definition: HardSigmoid, x: &[f32], g: &[f32], dx: &mut [f32]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    same_length(("x", x), ("dx", dx))?;
    for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
        *dx = definition.backward(x, g);
    }
    Ok(())
}

/// `g[i] = backward(x[i], g[i])`: the gradient replaces the upstream gradient.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
pub fn backward_in_place(definition: HardSigmoid, x: &[f32], g: &mut [f32]) -> Result<(), Error> {
    same_length(("x", x), ("g", g))?;
    for (g, &x) in g.iter_mut().zip(x) {
        *g = definition.backward(x, *g);
    }
    Ok(())
}

pub(crate) fn same_length((a, of_a): (&'static str, &[f32]), (b, of_b): (&'static str, &[f32])) -> Result<(), Error> {
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
