use crate::math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::{Broadcast, BroadcastGate},
    definition::HardSigmoid,
    finite::Finite,
    op::{Binary, Op, Unary},
};

impl Op {
    /// Every operation with `definition`, for tests and tables: with both kinds of binarization, both estimators, and a
    /// broadcast gate that shares each number among 3 of 2 elements. [`Op::sizes`] tells how long its tensors are.
    pub fn all(definition: HardSigmoid) -> Vec<Self> {
        let drawn = Binarization::Stochastic {
            probability: definition,
            seed: 0x0123_4567_89ab_cdef,
            // The draws begin within a block, and go on beyond a multiple of 2^32.
            offset: (1 << 33) - 1001,
        };
        // The scale is exact in half floats.
        let scale = Finite::known(0.75);
        let signs = |how| Unary::Binarize(Signs { how, scale });
        let shape = Broadcast::new(3, 2).expect("rows of 6 elements");
        let gate = BroadcastGate::new(definition, shape.middle(), shape.inner()).expect("that shape");
        vec![
            Self::Unary(Unary::Forward(definition)),
            Self::Unary(Unary::HardSwish(definition)),
            Self::Unary(signs(drawn)),
            Self::Unary(signs(Binarization::Deterministic)),
            Self::Binary(Binary::Backward(definition)),
            Self::Binary(Binary::BackwardFromOutput(definition)),
            Self::Binary(Binary::BackwardAccumulate(definition)),
            Self::Binary(Binary::HardSwishBackward(definition)),
            Self::Binary(Binary::Gate(definition)),
            Self::Binary(Binary::StraightThrough(StraightThrough::HardTanh)),
            Self::Binary(Binary::StraightThrough(StraightThrough::Identity)),
            Self::GateBackward(definition),
            Self::Pack(drawn),
            Self::Pack(Binarization::Deterministic),
            Self::Unpack(scale),
            Self::GateBroadcast(gate),
            Self::GateBroadcastSums(gate),
            Self::Lookup,
            Self::LookupGate(shape),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Tests, tables and [`Op::new`] know an operation from here.
    #[test]
    fn every_row_has_a_sample() {
        let rows = include_str!("op.rs").matches("=> row(\"").count();
        let names: BTreeSet<_> = Op::all(HardSigmoid::JAX).iter().map(|op| op.name()).collect();
        assert_eq!(names.len(), rows, "Op::all lacks an operation: {names:?}");
    }
}
