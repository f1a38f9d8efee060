//! The operations that every backend has to compute.

use crate::{composed, host, op::Differentiable};
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
    /// With fusion it is made of burn's operations if it can be.
    #[fusion(default)]
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        composed::unary::<Self>(&x, of.op).unwrap_or_else(|| Self::hard_sigmoid_unary_kernel(x, of))
    }

    /// The gradient `op` at `x`, for the upstream gradient `g`.
    #[fusion(default)]
    fn hard_sigmoid_gradient(x: FloatTensor<Self>, g: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
        composed::gradient::<Self>(&x, &g, op).unwrap_or_else(|| Self::hard_sigmoid_gradient_kernel(x, g, op))
    }

    #[fusion(dtype = x, shape = x)]
    fn hard_sigmoid_unary_kernel(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        host::unary::<Self>(x, of.op)
    }

    #[fusion(dtype = x, shape = x)]
    fn hard_sigmoid_gradient_kernel(x: FloatTensor<Self>, g: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
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

/// The methods of a backend that doesn't fuse: one kernel is faster there than several operations.
macro_rules! kernels_only {
    () => {
        fn hard_sigmoid_unary(
            x: burn::backend::tensor::FloatTensor<Self>,
            of: crate::op::Differentiable,
        ) -> burn::backend::tensor::FloatTensor<Self> {
            Self::hard_sigmoid_unary_kernel(x, of)
        }

        fn hard_sigmoid_gradient(
            x: burn::backend::tensor::FloatTensor<Self>,
            g: burn::backend::tensor::FloatTensor<Self>,
            op: hard_sigmoid::Binary,
        ) -> burn::backend::tensor::FloatTensor<Self> {
            Self::hard_sigmoid_gradient_kernel(x, g, op)
        }
    };
}
pub(crate) use kernels_only;

#[cfg(feature = "flex")]
impl HardSigmoidBackend for burn::backend::Flex {
    kernels_only!();
}

#[cfg(feature = "ndarray")]
impl HardSigmoidBackend for burn::backend::NdArray {
    kernels_only!();
}
