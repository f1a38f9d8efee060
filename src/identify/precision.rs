//! How numbers were rounded on their way: the arithmetic of a definition in another precision, and fused.

use crate::math::{
    definition::{Form, HardSigmoid, KinkRule, SIXTH},
    dtype::DType,
};

/// How numbers were rounded on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Precision {
    /// The type to which `x` and `g` were rounded before anything else; `f32` means not at all.
    pub input: DType,
    /// The type to which `y` and `dx` were rounded.
    pub output: DType,
    /// What was rounded in between.
    pub rounding: Rounding,
}

/// What was rounded between input and output.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The definition's own roundings, in `f32`.
    AsDefined,
    /// `alpha·x + beta` with one rounding: a fused multiply-add, which compilers make of two operations.
    Fused,
    /// Each operation is rounded to the output's type. The function was written out, and differentiated operation by
    /// operation: the gradient of a division is a division too. A summand is of that type too, but a factor stays `f32`, as in
    /// PyTorch.
    EachOperation,
    /// Like [`Self::EachOperation`], but a factor is rounded to the output's type too, as in JAX and TensorFlow.
    EachOperationAndFactor,
}

impl Precision {
    /// The definition in `f32`.
    pub const EXACT: Self = Self::of(DType::F32, DType::F32, Rounding::AsDefined);

    /// Every precision, the plainest first.
    pub(super) const ALL: [Self; 11] = {
        use DType::{Bf16, F16, F32};
        use Rounding::*;
        [
            Self::EXACT,
            Self::of(F32, F32, EachOperation),
            Self::of(F32, F32, Fused),
            Self::of(F32, F16, AsDefined),
            Self::of(F16, F16, AsDefined),
            Self::of(F16, F16, EachOperation),
            Self::of(F16, F16, EachOperationAndFactor),
            Self::of(F32, Bf16, AsDefined),
            Self::of(Bf16, Bf16, AsDefined),
            Self::of(Bf16, Bf16, EachOperation),
            Self::of(Bf16, Bf16, EachOperationAndFactor),
        ]
    };

    pub(super) const fn of(input: DType, output: DType, rounding: Rounding) -> Self {
        Self {
            input,
            output,
            rounding,
        }
    }

    pub(super) fn forward(self, definition: HardSigmoid, x: f32) -> f32 {
        let x = self.input.rounded(x);
        if self.rounding == Rounding::AsDefined {
            return self.output.rounded(definition.forward(x));
        }
        let (v, top) = self.before_limits(definition, x);
        let limited = if v.is_nan() { v } else { v.clamp(0.0, top) };
        match definition.form() {
            Form::Affine { .. } => limited,
            Form::Relu6Divide | Form::Relu6DivideBoth => self.output.rounded(limited / 6.0),
            Form::Relu6Multiply => self.output.rounded(limited * self.factor(SIXTH)),
        }
    }

    pub(super) fn backward(self, definition: HardSigmoid, x: f32, g: f32) -> f32 {
        let (x, g) = (self.input.rounded(x), self.input.rounded(g));
        if self.rounding == Rounding::AsDefined {
            return self.output.rounded(definition.backward(x, g));
        }
        let (v, low, high) = self.gradient_window(definition, x);
        if !definition.kink_rule().passes(v, low, high) {
            return 0.0;
        }
        let whole = match definition.form() {
            Form::Relu6Divide | Form::Relu6DivideBoth => g / 6.0,
            _ => self.factor(definition.slope()) * g,
        };
        let is_halved = definition.kink_rule() == KinkRule::Half && (v == low || v == high);
        // Halving rounds only subnormals.
        let whole = self.output.rounded(whole);
        if is_halved {
            self.output.rounded(0.5 * whole)
        } else {
            whole
        }
    }

    /// The value that decides whether the gradient passes at `x`, and the two ends of the range where it passes.
    pub(super) fn gradient_window(self, definition: HardSigmoid, x: f32) -> (f32, f32, f32) {
        if self.rounding == Rounding::AsDefined {
            return definition.gradient_window(x);
        }
        let (v, top) = self.before_limits(definition, x);
        (v, 0.0, top)
    }

    /// The value before clamping, and its upper limit.
    fn before_limits(self, definition: HardSigmoid, x: f32) -> (f32, f32) {
        // A product or a sum of halves that is rounded to f32 and then to a half has the bits of one rounding.
        let r = |value| self.output.rounded(value);
        match definition.form() {
            Form::Affine { alpha, beta, .. } if self.rounding == Rounding::Fused => {
                (r(alpha.get().mul_add(x, beta.get())), 1.0)
            }
            Form::Affine { alpha, beta, .. } => (r(r(self.factor(alpha.get()) * x) + r(beta.get())), 1.0),
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => (r(x + 3.0), 6.0),
        }
    }

    fn factor(self, value: f32) -> f32 {
        match self.rounding {
            Rounding::EachOperationAndFactor => self.output.rounded(value),
            _ => value,
        }
    }
}
