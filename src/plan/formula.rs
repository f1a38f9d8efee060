//! Which of the shader's formulas a pipeline is compiled for.

use crate::math::{
    definition::{Form, HardSigmoid, KinkRule},
    dtype::DType,
    op::{Binary, Op, Unary},
};

/// The values of `FORMULA` in `hard_sigmoid.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Formula {
    Affine,
    Rare,
    Relu6Divide,
    Relu6Multiply,
    Relu6DivideBoth,
    HalfKinks,
    Halves,
}

impl Formula {
    pub(crate) fn of(op: Op, dtype: DType) -> Self {
        let is_preset_of_halves =
            |definition: HardSigmoid| dtype != DType::F32 && definition.hides_roundings_in_halves();
        match op {
            Op::Unary(Unary::Forward(definition)) if is_preset_of_halves(definition) => Self::Halves,
            Op::Binary(Binary::StraightThrough(_)) if dtype != DType::F32 => Self::Halves,
            Op::Binary(
                Binary::Backward(definition)
                | Binary::BackwardAccumulate(definition)
                | Binary::HardSwishBackward(definition),
            )
            | Op::GateBackward(definition)
                if definition.kink_rule() == KinkRule::Half =>
            {
                Self::HalfKinks
            }
            Op::GateBroadcastSums(gate) if gate.definition().kink_rule() == KinkRule::Half => Self::HalfKinks,
            // In f16 a product with 1/6 gives the same halves. In bf16 the division matters where the product
            // overflows.
            Op::Unary(Unary::HardSwish(HardSigmoid::PYTORCH)) if dtype == DType::F16 => Self::Relu6Multiply,
            Op::Binary(Binary::Backward(definition) | Binary::BackwardFromOutput(definition)) => {
                match Self::of_definition(definition) {
                    _ if is_preset_of_halves(definition) => Self::Halves,
                    Self::Rare => Self::Rare,
                    Self::Relu6DivideBoth => Self::Relu6DivideBoth,
                    // A gradient uses only the slope.
                    _ => Self::Affine,
                }
            }
            _ => op.definition().map_or(Self::Affine, Self::of_definition),
        }
    }

    /// The formula for f32.
    pub(crate) fn of_definition(definition: HardSigmoid) -> Self {
        match definition.form() {
            Form::Affine { alpha, beta, .. } => {
                // Where the sum cancels it is exact, and a multiple of half of beta's last place: 0, or at least
                // 2^-124.
                let is_never_subnormal = beta.get().abs() >= 2.0f32.powi(-100);
                if alpha.get().is_normal() && is_never_subnormal {
                    Self::Affine
                } else {
                    Self::Rare
                }
            }
            Form::Relu6Divide => Self::Relu6Divide,
            Form::Relu6DivideBoth => Self::Relu6DivideBoth,
            Form::Relu6Multiply => Self::Relu6Multiply,
        }
    }
}
