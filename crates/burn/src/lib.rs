#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod approximate;
mod autodiff;
mod backend;
mod composed;
mod cube;
mod gate;
mod host;
mod layers;
mod op;
mod text;

pub use gate::gate;
pub use hard_sigmoid::{Binarization, HardSigmoid, StraightThrough};
pub use layers::{HardSigmoidLayer, HardSwishLayer, SqueezeExcitation, SqueezeExcitationConfig};

use backend::HardSigmoidBackend;
use burn::{backend::Dispatch, tensor::Tensor};
use op::Differentiable;

/// The hard sigmoid of each element, with the gradient rule of `definition`.
///
/// # Panics
/// If the tensor holds another type than f32, f16 or bf16. Every function here panics then.
pub fn hard_sigmoid<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    unary(x, Differentiable::forward(definition))
}

/// The hard swish `x·hard_sigmoid(x)` of each element.
pub fn hard_swish<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    unary(x, Differentiable::hard_swish(definition))
}

/// 1 or -1 for each element, by `binarization`. Its gradient is that of `estimator`.
///
/// A stochastic binarization draws the same signs whenever it has the same seed and offset: take another offset (or
/// [`advanced`](Binarization::advanced)) for each step.
pub fn binarize<const D: usize>(x: Tensor<D>, binarization: Binarization, estimator: StraightThrough) -> Tensor<D> {
    unary(x, Differentiable::binarize(binarization, estimator))
}

fn unary<const D: usize>(x: Tensor<D>, of: Differentiable) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::hard_sigmoid_unary(x.into_dispatch(), of))
}
