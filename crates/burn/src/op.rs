//! Operations with their gradients, for autodiff.

use hard_sigmoid::{Binarization, Binary, BroadcastGate, Finite, HardSigmoid, Op, Signs, StraightThrough, Unary};

/// An operation on one tensor, and the one that computes its gradient from that tensor and the upstream gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differentiable {
    pub op: Unary,
    pub gradient: Binary,
}

impl Differentiable {
    pub fn forward(definition: HardSigmoid) -> Self {
        Self {
            op: Unary::Forward(definition),
            gradient: Binary::Backward(definition),
        }
    }

    pub fn hard_swish(definition: HardSigmoid) -> Self {
        Self {
            op: Unary::HardSwish(definition),
            gradient: Binary::HardSwishBackward(definition),
        }
    }

    /// Binarizes to 1 and -1. A binarization has no gradient of its own, so `estimator` takes its place.
    pub fn binarize(how: Binarization, estimator: StraightThrough) -> Self {
        let scale = Finite::ONE;
        Self {
            op: Unary::Binarize(Signs { how, scale }),
            gradient: Binary::StraightThrough(estimator),
        }
    }
}

/// Whether the gate is as large as its other operand. Such a gate has kernels of its own, since its gradient needs no sum.
pub fn is_plain(gate: BroadcastGate) -> bool {
    gate.middle() == 1
}

/// The operation `a·hs(b)`.
pub fn gate(gate: BroadcastGate) -> Op {
    match is_plain(gate) {
        true => Binary::Gate(gate.definition()).into(),
        false => Op::GateBroadcast(gate),
    }
}
