//! How numbers were rounded on their way: the arithmetic of a definition in another precision, and fused.

use super::{double::Double, function::Function};
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
    /// Everything was computed in float64, and `y` and `dx` rounded once, unless the data are float64 too. A constant such as 0.2 or
    /// 1/6 was the float64 next to it, as in NumPy, JAX and Keras.
    Double,
    /// Like [`Self::Double`], but a constant was rounded to float32 first, as in ONNX Runtime and in PyTorch's gradient.
    DoubleOfSingles,
}

impl Precision {
    /// The definition in `f32`.
    pub const EXACT: Self = Self::of(DType::F32, DType::F32, Rounding::AsDefined);

    /// Every precision, the plainest first.
    pub(super) const ALL: [Self; 13] = {
        use DType::{Bf16, F16, F32};
        use Rounding::*;
        [
            Self::EXACT,
            Self::of(F32, F32, EachOperation),
            Self::of(F32, F32, Fused),
            Self::DOUBLES[0],
            Self::DOUBLES[1],
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

    /// The precisions of data in float64.
    pub(super) const DOUBLES: [Self; 2] = [
        Self::of(DType::F32, DType::F32, Rounding::Double),
        Self::of(DType::F32, DType::F32, Rounding::DoubleOfSingles),
    ];

    pub(super) const fn of(input: DType, output: DType, rounding: Rounding) -> Self {
        Self {
            input,
            output,
            rounding,
        }
    }

    /// The arithmetic in float64, if it was used.
    pub(super) fn double(self) -> Option<Double> {
        match self.rounding {
            Rounding::Double => Some(Double { of_singles: false }),
            Rounding::DoubleOfSingles => Some(Double { of_singles: true }),
            _ => None,
        }
    }

    /// Whether the gradient of the function is known in this precision. The gradient of a hard swish that is rounded in between
    /// depends on how it was differentiated.
    pub(super) fn has_gradient(self, function: Function) -> bool {
        function == Function::HardSigmoid || self.rounding == Rounding::AsDefined || self.double().is_some()
    }

    pub(super) fn forward(self, function: Function, definition: HardSigmoid, x: f32) -> f32 {
        let x = self.input.rounded(x);
        let r = |value| self.output.rounded(value);
        if let Some(double) = self.double() {
            return double.forward(function, definition, x.into()) as f32;
        }
        match (function, self.rounding, definition.form()) {
            (Function::HardSigmoid, Rounding::AsDefined, _) => r(definition.forward(x)),
            (Function::HardSwish, Rounding::AsDefined, _) => r(definition.hard_swish(x)),
            (Function::HardSigmoid, ..) => self.value(definition, x),
            (Function::HardSwish, _, Form::Relu6Divide) => r(r(x * self.limited(definition, x)) / 6.0),
            (Function::HardSwish, ..) => r(x * self.value(definition, x)),
        }
    }

    /// y of the hard sigmoid, rounded after each operation.
    fn value(self, definition: HardSigmoid, x: f32) -> f32 {
        let limited = self.limited(definition, x);
        match definition.form() {
            Form::Affine { .. } => limited,
            Form::Relu6Divide | Form::Relu6DivideBoth => self.output.rounded(limited / 6.0),
            Form::Relu6Multiply => self.output.rounded(limited * self.factor(SIXTH)),
        }
    }

    fn limited(self, definition: HardSigmoid, x: f32) -> f32 {
        let (v, top) = self.before_limits(definition, x);
        if v.is_nan() { v } else { v.clamp(0.0, top) }
    }

    pub(super) fn backward(self, function: Function, definition: HardSigmoid, x: f32, g: f32) -> f32 {
        let (x, g) = (self.input.rounded(x), self.input.rounded(g));
        if let Some(double) = self.double() {
            return double.backward(function, definition, x.into(), g.into()) as f32;
        }
        if function == Function::HardSwish {
            return self.output.rounded(definition.hard_swish_backward(x, g));
        }
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
        if self.rounding == Rounding::AsDefined || self.double().is_some() {
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
