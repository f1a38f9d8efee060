//! Our functions made of burn's own operations, for programs that don't need the last bits. With burn's feature
//! `fusion` they become part of the kernels around them; of the exact functions only the hard sigmoid in `f32` does.
//!
//! The results lie within a few roundings of the exact ones. Whatever the definition's rule, the gradient passes at the kinks and
//! where the input is NaN.

use crate::HardSigmoid;
use burn::tensor::Tensor;

/// Approximates [`hard_sigmoid`](crate::hard_sigmoid()) by `clamp(slope·x + shift, 0, 1)`.
pub fn hard_sigmoid<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    (x * definition.slope() + definition.shift()).clamp(0.0, 1.0)
}

/// Approximates [`hard_swish`](crate::hard_swish).
pub fn hard_swish<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    x.clone() * hard_sigmoid(x, definition)
}

/// Approximates [`gate`](crate::gate()).
pub fn gate<const D: usize>(a: Tensor<D>, b: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    a * hard_sigmoid(b, definition)
}
