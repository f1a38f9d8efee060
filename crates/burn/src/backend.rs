//! The operations that every backend has to compute.

use crate::{host, op::Differentiable};
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use hard_sigmoid::{Binary, BroadcastGate};

/// Our operations on a backend. By default the CPU path computes them on the host, with the bits of the kernels.
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

    /// The gradient `op` at `x`, for the upstream gradient `g`.
    #[fusion(dtype = x, shape = x)]
    fn hard_sigmoid_gradient(x: FloatTensor<Self>, g: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
        host::gradient::<Self>(x, g, op)
    }

    /// `a·hs(b)`.
    #[fusion(dtype = a, shape = a)]
    fn hard_sigmoid_gate(a: FloatTensor<Self>, b: FloatTensor<Self>, gate: BroadcastGate) -> FloatTensor<Self> {
        host::gate::<Self>(a, b, gate)
    }

    /// `da` and `db` of a gate.
    #[fusion(meta = |a, b, _g, _gate| (a.clone(), b.clone()))]
    fn hard_sigmoid_gate_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        g: FloatTensor<Self>,
        gate: BroadcastGate,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        host::gate_backward::<Self>(a, b, g, gate)
    }
}

#[cfg(feature = "flex")]
impl HardSigmoidBackend for burn::backend::Flex {}

#[cfg(feature = "ndarray")]
impl HardSigmoidBackend for burn::backend::NdArray {}
