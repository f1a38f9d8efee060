//! What every backend has to compute.

use crate::{host, op::Differentiable};
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use hard_sigmoid::{Binary, HardSigmoid};

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
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        host::unary::<Self>(x, of.op)
    }

    /// `a` and `b` are the operands in the order of the operation.
    #[fusion(dtype = a, shape = a)]
    fn hard_sigmoid_binary(a: FloatTensor<Self>, b: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
        host::binary::<Self>(a, b, op)
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
