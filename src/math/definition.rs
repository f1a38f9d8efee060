//! The definition of a hard sigmoid: a line, how it is rounded, and the gradient where it bends.

use crate::math::{error::NotFinite, finite::Finite, names::named};

/// 1/6 rounded to `f32`; slightly more than a sixth.
pub(crate) const SIXTH: f32 = 1.0 / 6.0;

/// One definition of the hard sigmoid: a forward formula with its rounding order, and a gradient rule.
///
/// The named ones are constants; [`HardSigmoid::affine`] makes any other. In the formulas, `fl` is one rounding to
/// `f32`, to nearest, ties to even, and `v` is the value before clamping. Two definitions that are equal on paper can differ in
/// bits.
///
/// For every definition: NaN in `x` gives NaN in `y` (sign and payload kept, quieted) and gradient 0; a gradient
/// outside the linear zone is exactly `+0`, whatever the upstream gradient is; `y` is never `-0`.
///
/// ```
/// use hard_sigmoid::HardSigmoid;
///
/// assert_eq!(HardSigmoid::PYTORCH.forward(1.0), 4.0 / 6.0);
/// assert_eq!(HardSigmoid::KERAS.forward(1.0), 0.7);
/// // At the kink Keras passes the gradient, PyTorch doesn't.
/// assert_eq!(HardSigmoid::KERAS.backward(2.5, 1.0), 0.2);
/// assert_eq!(HardSigmoid::PYTORCH.backward(3.0, 1.0), 0.0);
/// // Any other slope and shift.
/// let steep: HardSigmoid = "affine(1.5, 0.25, inclusive)".parse()?;
/// assert_eq!(steep.forward(0.5), 1.0);
/// # Ok::<(), hard_sigmoid::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HardSigmoid {
    pub(super) form: Form,
}

/// The forward formula, with its order of roundings, and the gradient rule. The relu6 forms are always strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// `clamp(fl(fl(alpha·x) + beta), 0, 1)`
    Affine {
        alpha: Finite,
        beta: Finite,
        kinks: KinkRule,
    },
    /// `fl(clamp(fl(x + 3), 0, 6) / 6)`; the gradient is multiplied by `fl(1/6)`
    Relu6Divide,
    /// `fl(clamp(fl(x + 3), 0, 6) / 6)`; the gradient is divided by 6 too
    Relu6DivideBoth,
    /// `fl(clamp(fl(x + 3), 0, 6) · fl(1/6))`; the gradient is multiplied by `fl(1/6)` too
    Relu6Multiply,
}

/// The gradient where the curve bends: at the two kinks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KinkRule {
    /// Zero at both kinks: the gradient passes only between them.
    Strict,
    /// The slope at both kinks: the gradient passes between them and at them.
    Inclusive,
    /// Half the slope at both kinks: `fl(dx / 2)` with the `dx` of `Inclusive`. JAX's minimum and maximum share the
    /// gradient of a tie.
    Half,
}

/// Which of the three pieces of the curve an input lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    /// `y` is 0 and the gradient is 0.
    Low,
    /// The gradient passes.
    Linear,
    /// `y` is 1 and the gradient is 0.
    High,
}

named!(KinkRule, "kink rule", Strict => "strict", Inclusive => "inclusive", Half => "half");

impl HardSigmoid {
    /// `y = clamp(fl(fl(alpha·x) + beta), 0, 1)`, `dx = fl(alpha·g)` in the linear zone: ONNX's operator with any
    /// `alpha` and `beta`, and a gradient rule.
    ///
    /// `alpha` may be negative (a falling curve), tiny or zero; `-0` counts as `0`. `alpha = 0` with an infinite `x`
    /// gives NaN, as in ONNX Runtime: zero times infinity.
    ///
    /// # Errors
    /// If `alpha` or `beta` is infinite or NaN.
    pub fn affine(alpha: f32, beta: f32, kinks: KinkRule) -> Result<Self, NotFinite> {
        // Adding +0 turns -0 into +0, so that equal definitions have equal bits.
        let alpha = Finite::new("alpha", alpha + 0.0)?;
        let beta = Finite::new("beta", beta + 0.0)?;
        Ok(Self {
            form: Form::Affine { alpha, beta, kinks },
        })
    }

    #[inline(always)]
    pub(crate) const fn form(self) -> Form {
        self.form
    }

    /// The gradient rule at the kinks.
    #[inline(always)]
    pub fn kink_rule(self) -> KinkRule {
        match self.form {
            Form::Affine { kinks, .. } => kinks,
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => KinkRule::Strict,
        }
    }

    /// This curve with a gradient only between its kinks.
    pub(crate) fn with_strict_kinks(self) -> Self {
        let form = match self.form {
            Form::Affine { alpha, beta, .. } => Form::Affine {
                alpha,
                beta,
                kinks: KinkRule::Strict,
            },
            relu6 => relu6,
        };
        Self { form }
    }

    /// The slope of the linear zone. The gradient there is `fl(slope·g)`, but with [`KERAS3`](Self::KERAS3) `fl(g / 6)`:
    ///
    /// ```
    /// use hard_sigmoid::HardSigmoid;
    ///
    /// let g = 0.14285715;
    /// assert_eq!(HardSigmoid::KERAS3.slope() * g, 0.023809526);
    /// assert_eq!(HardSigmoid::JAX.backward(0.0, g), 0.023809526);
    /// assert_eq!(HardSigmoid::KERAS3.backward(0.0, g), 0.023809524);
    /// assert_eq!(HardSigmoid::KERAS3.backward_from_output(0.5, g), 0.023809524);
    /// ```
    #[inline(always)]
    pub const fn slope(self) -> f32 {
        match self.form {
            Form::Affine { alpha, .. } => alpha.get(),
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => SIXTH,
        }
    }

    /// The value at `x = 0` before clamping.
    pub const fn shift(self) -> f32 {
        match self.form {
            Form::Affine { beta, .. } => beta.get(),
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => 0.5,
        }
    }

    /// Where the curve bends: the two `x` at which `y` reaches 0 and 1, smaller one first, rounded to `f32`.
    /// `None` for a constant (`alpha = 0`).
    pub fn kinks(self) -> Option<(f32, f32)> {
        match self.form {
            Form::Affine { alpha, .. } if alpha.get() == 0.0 => None,
            Form::Affine { alpha, beta, .. } => {
                let (alpha, beta) = (f64::from(alpha.get()), f64::from(beta.get()));
                // Adding +0 turns -0 into +0.
                let (zero, one) = ((-beta / alpha) as f32 + 0.0, ((1.0 - beta) / alpha) as f32 + 0.0);
                Some((zero.min(one), zero.max(one)))
            }
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => Some((-3.0, 3.0)),
        }
    }

    /// Whether the slope lies between 2^-14 and 1 and the shift is 1/2. Then a subnormal number on the way to `y` is lost in
    /// the sum with the shift, and `y` is 0 or at least 2^-25. The shader's functions for halves rely on it.
    pub(crate) const fn is_moderate(self) -> bool {
        self.slope() >= 1.0 / 16384.0 && self.slope() <= 1.0 && self.shift() == 0.5
    }

    /// Runs `run` with this definition, compiled separately for each form and gradient rule. A debug build compiles it
    /// once: it would take a minute and 2.5 GB for loops that it doesn't optimize.
    #[inline(always)]
    pub(crate) fn specialize(self, run: impl FnOnce(Self)) {
        if cfg!(debug_assertions) {
            return run(self);
        }
        use KinkRule::{Half, Inclusive, Strict};
        let with = |form| Self { form };
        match self.form {
            Form::Affine { alpha, beta, kinks } => match kinks {
                Strict => run(with(Form::Affine {
                    alpha,
                    beta,
                    kinks: Strict,
                })),
                Inclusive => run(with(Form::Affine {
                    alpha,
                    beta,
                    kinks: Inclusive,
                })),
                Half => run(with(Form::Affine {
                    alpha,
                    beta,
                    kinks: Half,
                })),
            },
            Form::Relu6Divide => run(with(Form::Relu6Divide)),
            Form::Relu6DivideBoth => run(with(Form::Relu6DivideBoth)),
            Form::Relu6Multiply => run(with(Form::Relu6Multiply)),
        }
    }

    /// [`specialize`](Self::specialize) for an operation without a gradient, in which the gradient rule changes
    /// nothing.
    #[inline(always)]
    pub(crate) fn specialize_forward(self, run: impl FnOnce(Self)) {
        if cfg!(debug_assertions) {
            return run(self);
        }
        let with = |form| Self { form };
        match self.form {
            Form::Affine { alpha, beta, .. } => run(with(Form::Affine {
                alpha,
                beta,
                kinks: KinkRule::Strict,
            })),
            Form::Relu6Divide => run(with(Form::Relu6Divide)),
            Form::Relu6DivideBoth => run(with(Form::Relu6DivideBoth)),
            Form::Relu6Multiply => run(with(Form::Relu6Multiply)),
        }
    }
}
