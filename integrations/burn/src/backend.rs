//! What every backend has to compute.

use crate::host;
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use hard_sigmoid::{Binarization, HardSigmoid, StraightThrough};

/// A tensor from one other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    Forward(HardSigmoid),
    HardSwish(HardSigmoid),
    /// The estimator is for the gradient.
    Binarize(Binarization, StraightThrough),
}

/// A tensor from two others of its shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    /// Of `a` and `b`, with gradients of both.
    Gate(HardSigmoid),
    /// Of `x` and the upstream gradient, as the two below.
    Backward(HardSigmoid),
    HardSwishBackward(HardSigmoid),
    StraightThrough(StraightThrough),
}

/// The operations. By default they are computed on the host, by the CPU path, which has the bits of the kernels.
#[backend_extension(
    Autodiff,
    Cube,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Fusion: cfg(feature = "fusion")
)]
pub trait HardSigmoidBackend: Backend {
    #[fusion(dtype = x, shape = x)]
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Unary) -> FloatTensor<Self> {
        host::unary::<Self>(x, of)
    }

    #[fusion(dtype = a, shape = a)]
    fn hard_sigmoid_binary(a: FloatTensor<Self>, b: FloatTensor<Self>, of: Binary) -> FloatTensor<Self> {
        host::binary::<Self>(a, b, of)
    }

    /// `da` and `db` of a gate.
    #[fusion(meta = |a, b, _g, _definition| (a.clone(), b.clone()))]
    fn hard_sigmoid_gate_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        g: FloatTensor<Self>,
        definition: HardSigmoid,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        host::gate_backward::<Self>(a, b, g, definition)
    }
}

#[cfg(feature = "flex")]
impl HardSigmoidBackend for burn::backend::Flex {}

#[cfg(feature = "ndarray")]
impl HardSigmoidBackend for burn::backend::NdArray {}
