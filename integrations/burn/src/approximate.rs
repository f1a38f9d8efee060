//! The same functions by burn's own operations, for where the last bits don't matter. With burn's feature `fusion` they become part
//! of the kernels around them, which the exact functions don't.
//!
//! The results lie within a few roundings of the exact ones. The gradient passes at the kinks and where the input is NaN, whatever
//! the definition says.

use crate::HardSigmoid;
use burn::tensor::Tensor;

/// About [`hard_sigmoid`](crate::hard_sigmoid()): `clamp(slope·x + shift, 0, 1)`.
pub fn hard_sigmoid<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    (x * definition.slope() + definition.shift()).clamp(0.0, 1.0)
}

/// About [`hard_swish`](crate::hard_swish).
pub fn hard_swish<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    x.clone() * hard_sigmoid(x, definition)
}

/// About [`gate`](crate::gate()).
pub fn gate<const D: usize>(a: Tensor<D>, b: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    a * hard_sigmoid(b, definition)
}
