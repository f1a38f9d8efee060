//! What a hard sigmoid computes, with its roundings and NaNs: the ground truth.

use crate::math::definition::{Form, HardSigmoid, KinkRule, Region, SIXTH};

/// The NaN of `0·∞` and of `∞ - ∞` (x86's own; ONNX Runtime and NumPy give it too).
pub(crate) const INVALID_NAN: u32 = 0xffc0_0000;

const QUIET_BIT: u32 = 0x0040_0000;

impl HardSigmoid {
    /// The hard sigmoid of `x`.
    #[inline(always)]
    pub fn forward(self, x: f32) -> f32 {
        if x.is_nan() {
            return quieted(x);
        }
        match self.form {
            Form::Affine { alpha, beta, .. } => clamp(alpha.get() * x + beta.get(), 1.0),
            Form::Relu6Divide | Form::Relu6DivideBoth => clamp(x + 3.0, 6.0) / 6.0,
            Form::Relu6Multiply => clamp(x + 3.0, 6.0) * SIXTH,
        }
    }

    /// The gradient with respect to `x`, from the saved input `x` and the upstream gradient `g`.
    #[inline(always)]
    pub fn backward(self, x: f32, g: f32) -> f32 {
        // Computed always, since a branch around it would keep some loops from being vectorized.
        let dx = self.scaled(g);
        let dx = match self.kink_rule() {
            KinkRule::Half if self.is_kink(x) => product(0.5, dx),
            _ => dx,
        };
        if self.passes(x) { dx } else { 0.0 }
    }

    /// The upstream gradient times the slope, in the definition's rounding.
    #[inline(always)]
    fn scaled(self, g: f32) -> f32 {
        match self.form {
            Form::Relu6DivideBoth => quotient(g, 6.0),
            _ => product(self.slope(), g),
        }
    }

    #[inline(always)]
    fn is_kink(self, x: f32) -> bool {
        let (v, low, high) = self.gradient_window(x);
        (v == low) | (v == high)
    }

    /// Whether the gradient rule passes the gradient at `x`.
    #[inline(always)]
    fn passes(self, x: f32) -> bool {
        let (v, low, high) = self.gradient_window(x);
        self.kink_rule().passes(v, low, high)
    }

    /// The value that decides whether the gradient passes at `x`, and the two ends of the range where it passes.
    #[inline(always)]
    pub(crate) fn gradient_window(self, x: f32) -> (f32, f32, f32) {
        match self.form {
            Form::Affine { alpha, beta, .. } => (alpha.get() * x + beta.get(), 0.0, 1.0),
            // PyTorch's rule looks at x itself, JAX's at the rounded sum: they differ at 2.9999998.
            Form::Relu6Divide => (x, -3.0, 3.0),
            Form::Relu6DivideBoth | Form::Relu6Multiply => (x + 3.0, 0.0, 6.0),
        }
    }

    /// The gradient from the saved output `y = forward(x)` instead of the saved input, for a forward pass in place.
    ///
    /// `dx = fl(slope·g)`, with [`KERAS3`](Self::KERAS3) `fl(g / 6)`, where `0 < y < 1`, else `+0`; NaN in `y` gives 0. This
    /// equals [`backward`](Self::backward) except where `x` lies in the linear zone but `y` is 0 or 1, because saturation
    /// and the kink look alike in `y`.
    /// The exceptions are:
    /// - for `ONNX`, `TANGENT`, `JAX` and `KERAS3` none, since their rule looks at the rounded value too;
    /// - for `PYTORCH` one input, 2.9999998, just inside the upper kink, whose `y` rounds to 1;
    /// - for definitions that include the kinks, the inputs at the kinks, where `y` is exactly 0 or 1.
    ///
    /// A `y` that was rounded to a half float is 0 or 1 more often, so its gradient ends a little earlier.
    ///
    /// ```
    /// use hard_sigmoid::HardSigmoid;
    ///
    /// assert_eq!(HardSigmoid::PYTORCH.backward(2.9999998, 6.0), 1.0);
    /// let y = HardSigmoid::PYTORCH.forward(2.9999998);
    /// assert_eq!(HardSigmoid::PYTORCH.backward_from_output(y, 6.0), 0.0);
    /// ```
    #[inline(always)]
    pub fn backward_from_output(self, y: f32, g: f32) -> f32 {
        let dx = self.scaled(g);
        if (y > 0.0) & (y < 1.0) { dx } else { 0.0 }
    }

    /// `fl(dx + backward(x, g))`: adds the gradient to an existing one.
    #[inline(always)]
    pub fn backward_accumulate(self, x: f32, g: f32, dx: f32) -> f32 {
        sum(dx, self.backward(x, g))
    }

    /// `fl(a·forward(b))`: scales `a` by the gate `b`, as in squeeze-and-excitation.
    ///
    /// If both factors are NaN, the result is the NaN of `a`.
    #[inline(always)]
    pub fn gate(self, a: f32, b: f32) -> f32 {
        product(a, self.forward(b))
    }

    /// The gradients `(da, db)` of [`gate`](Self::gate): `da = fl(g·forward(b))`, `db = backward(b, fl(g·a))`.
    #[inline(always)]
    pub fn gate_backward(self, a: f32, b: f32, g: f32) -> (f32, f32) {
        (product(g, self.forward(b)), self.backward(b, product(g, a)))
    }

    /// The hard swish (hard SiLU), `fl(x·forward(x))`; with `PYTORCH` `fl(fl(x·clamp(fl(x + 3), 0, 6)) / 6)`.
    ///
    /// | definition | the function with these bits |
    /// |---|---|
    /// | `PYTORCH` | `torch.nn.functional.hardswish` |
    /// | `JAX` | `jax.nn.hard_silu` |
    /// | `KERAS3` | `keras.activations.hard_silu` on TensorFlow in eager mode; `x * hardsigmoid(x)` in PyTorch (not its gradient) |
    /// | `affine(0.16666667, 0.5)` | `HardSwish` of ONNX Runtime, `hard_swish` of burn |
    ///
    /// Negative infinity gives NaN (it is multiplied by zero), and other `x` below the lower kink give `-0`.
    #[inline(always)]
    pub fn hard_swish(self, x: f32) -> f32 {
        match self.form {
            Form::Relu6Divide => quotient(product(x, clamp(x + 3.0, 6.0)), 6.0),
            _ => self.gate(x, x),
        }
    }

    /// The gradient of [`hard_swish`](Self::hard_swish): the sum of the two gradients of the gate,
    /// `fl(fl(g·forward(x)) + backward(x, fl(g·x)))`. With `PYTORCH` it is that of `torch.nn.functional.hardswish`:
    /// `+0` where `x <= -3`, `g` where `x >= 3`, else `fl(fl(fl(x / 3) + 0.5)·g)`.
    ///
    /// `KERAS3` has the bits of Keras 3 on TensorFlow, except that TensorFlow multiplies `g·x` by a mask outside the
    /// kinks: there it gives NaN if that product isn't finite. `JAX` has JAX's formula, but not its bits: XLA fuses the
    /// sum, which no GPU does in the same way. If `x` is NaN, PyTorch's vector code gives NaN, as this does; its scalar
    /// code, which handles the elements after the last whole vector, gives `g`.
    #[inline(always)]
    pub fn hard_swish_backward(self, x: f32, g: f32) -> f32 {
        match self.form {
            Form::Relu6Divide => {
                let inside = nan_settled(x / 3.0 + 0.5, x, x);
                let dx = product(if x >= 3.0 { 1.0 } else { inside }, g);
                if x <= -3.0 { 0.0 } else { dx }
            }
            _ => {
                let (da, db) = self.gate_backward(x, x, g);
                sum(da, db)
            }
        }
    }

    /// The piece of the curve that `x` lies on by the gradient rule; `None` if the value there is NaN.
    #[inline(always)]
    pub fn region(self, x: f32) -> Option<Region> {
        let (v, low, high) = self.gradient_window(x);
        match v {
            _ if v.is_nan() => None,
            _ if self.passes(x) => Some(Region::Linear),
            _ if v <= low => Some(Region::Low),
            _ => {
                debug_assert!(v >= high);
                Some(Region::High)
            }
        }
    }
}

impl KinkRule {
    /// Whether the gradient passes at `v`, with kinks at `low` and `high`.
    #[inline(always)]
    pub(crate) fn passes<T: PartialOrd>(self, v: T, low: T, high: T) -> bool {
        match self {
            // `&` instead of `&&` avoids a jump, so that loops can be vectorized. NaN passes neither comparison.
            Self::Strict => (v > low) & (v < high),
            Self::Inclusive | Self::Half => (v >= low) & (v <= high),
        }
    }
}

/// `v` limited to `[0, top]`, with `+0` for `-0`; a NaN `v` (zero times infinity) gives [`INVALID_NAN`].
#[inline(always)]
fn clamp(v: f32, top: f32) -> f32 {
    if v.is_nan() {
        f32::from_bits(INVALID_NAN)
    } else if v <= 0.0 {
        0.0
    } else if v >= top {
        top
    } else {
        v
    }
}

/// `fl(a·b)`; NaN as in [`nan_settled`].
#[inline(always)]
pub(crate) fn product(a: f32, b: f32) -> f32 {
    nan_settled(a * b, a, b)
}

/// `fl(a / b)`; NaN as in [`nan_settled`].
#[inline(always)]
fn quotient(a: f32, b: f32) -> f32 {
    nan_settled(a / b, a, b)
}

/// `fl(a + b)`; NaN as in [`nan_settled`].
#[inline(always)]
fn sum(a: f32, b: f32) -> f32 {
    nan_settled(a + b, a, b)
}

/// Returns `result`, that of an operation on `a` and `b`, if it isn't NaN. Otherwise returns the first operand that is
/// NaN, with its sign and payload, or [`INVALID_NAN`] if neither is.
#[inline(always)]
fn nan_settled(result: f32, a: f32, b: f32) -> f32 {
    // In this order vectorized code needs no nested masks.
    let of_b = if b.is_nan() { b } else { f32::from_bits(INVALID_NAN) };
    let nan = if a.is_nan() { a } else { of_b };
    if result.is_nan() { quieted(nan) } else { result }
}

/// A NaN with its quiet bit set, spelt out because Rust doesn't promise which NaN arithmetic gives.
#[inline(always)]
pub(crate) fn quieted(nan: f32) -> f32 {
    f32::from_bits(nan.to_bits() | QUIET_BIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_times_infinity_is_nan_and_passes_no_gradient() {
        let flat = HardSigmoid::affine(0.0, 0.25, KinkRule::Strict).unwrap();
        assert_eq!(flat.forward(1e38), 0.25);
        for x in [f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(flat.forward(x).to_bits(), INVALID_NAN);
            assert_eq!(flat.backward(x, 1.0).to_bits(), 0);
        }
        assert_eq!(flat.backward(1.0, f32::INFINITY).to_bits(), INVALID_NAN);
    }
}
