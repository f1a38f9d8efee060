//! The definitions computed in float64.

use super::function::Function;
use crate::math::definition::{Form, HardSigmoid, KinkRule, SIXTH};

/// Arithmetic in float64.
#[derive(Clone, Copy)]
pub(super) struct Double {
    /// Whether constants were rounded to float32, as in PyTorch's gradient and in ONNX Runtime.
    pub(super) of_singles: bool,
}

impl Double {
    pub(super) fn forward(self, function: Function, definition: HardSigmoid, x: f64) -> f64 {
        match (function, definition.form()) {
            (Function::HardSigmoid, _) => self.value(definition, x),
            (Function::HardSwish, Form::Relu6Divide) => x * limited(x + 3.0, 6.0) / 6.0,
            (Function::HardSwish, _) => x * self.value(definition, x),
        }
    }

    pub(super) fn backward(self, function: Function, definition: HardSigmoid, x: f64, g: f64) -> f64 {
        match (function, definition.form()) {
            (Function::HardSigmoid, _) => self.gradient(definition, x, g),
            (Function::HardSwish, Form::Relu6Divide) => match x {
                x if x <= -3.0 => 0.0,
                x if x >= 3.0 => g,
                x => (x / 3.0 + 0.5) * g,
            },
            (Function::HardSwish, _) => g * self.value(definition, x) + self.gradient(definition, x, g * x),
        }
    }

    /// The value that decides whether the gradient passes at `x`, and the two ends of the range where it passes.
    pub(super) fn gradient_window(self, definition: HardSigmoid, x: f64) -> (f64, f64, f64) {
        match definition.form() {
            Form::Affine { alpha, beta, .. } => (self.number(alpha.get()) * x + self.number(beta.get()), 0.0, 1.0),
            Form::Relu6Divide => (x, -3.0, 3.0),
            Form::Relu6DivideBoth | Form::Relu6Multiply => (x + 3.0, 0.0, 6.0),
        }
    }

    fn value(self, definition: HardSigmoid, x: f64) -> f64 {
        match definition.form() {
            Form::Affine { .. } => limited(self.gradient_window(definition, x).0, 1.0),
            Form::Relu6Divide | Form::Relu6DivideBoth => limited(x + 3.0, 6.0) / 6.0,
            Form::Relu6Multiply => limited(x + 3.0, 6.0) * self.sixth(),
        }
    }

    fn gradient(self, definition: HardSigmoid, x: f64, g: f64) -> f64 {
        let (v, low, high) = self.gradient_window(definition, x);
        let rule = definition.kink_rule();
        if !rule.passes(v, low, high) {
            return 0.0;
        }
        let whole = match definition.form() {
            Form::Affine { alpha, .. } => self.number(alpha.get()) * g,
            Form::Relu6DivideBoth => g / 6.0,
            Form::Relu6Divide | Form::Relu6Multiply => self.sixth() * g,
        };
        let is_halved = rule == KinkRule::Half && (v == low || v == high);
        if is_halved { 0.5 * whole } else { whole }
    }

    fn sixth(self) -> f64 {
        if self.of_singles { SIXTH.into() } else { 1.0 / 6.0 }
    }

    fn number(self, single: f32) -> f64 {
        if self.of_singles { single.into() } else { meant(single) }
    }
}

fn limited(v: f64, top: f64) -> f64 {
    if v.is_nan() { v } else { v.clamp(0.0, top) }
}

/// The number that a person wrote where float32 has `single`: a fraction of small numbers or a decimal, if there is one.
fn meant(single: f32) -> f64 {
    let wide = f64::from(single);
    let divisors = (1..=12).chain((2..=9).map(|digits| 10_i64.pow(digits)));
    let written = divisors.map(|divisor| (wide * divisor as f64).round() / divisor as f64);
    let mut same = written.filter(|&number| number as f32 == single);
    same.next().unwrap_or(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_were_meant() {
        for number in [0.2, 0.5, 1.0 / 6.0, -0.7, 0.37, 0.0, 3.0, 1e30_f32 as f64, 0.123456] {
            assert_eq!(meant(number as f32), number);
        }
    }
}
