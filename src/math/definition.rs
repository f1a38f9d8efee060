use crate::math::{
    error::{NotFinite, ParseError},
    finite::Finite,
    names::named,
};
use std::{fmt, str::FromStr};

/// 1/6 rounded to `f32`; slightly more than a sixth.
pub(crate) const SIXTH: f32 = 1.0 / 6.0;

/// The NaN of `0·∞` and of `∞ - ∞` (x86's own; ONNX Runtime and NumPy give it too).
pub(crate) const INVALID_NAN: u32 = 0xffc0_0000;

const QUIET_BIT: u32 = 0x0040_0000;

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
    form: Form,
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

/// A named definition: one row of [`HardSigmoid::PRESETS`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name that [`HardSigmoid`]'s `Display` writes.
    pub name: &'static str,
    /// Other names that [`str::parse`] accepts.
    pub aliases: &'static [&'static str],
    /// The definition.
    pub definition: HardSigmoid,
    /// Who defines it, and the framework and version whose bits it has been compared with.
    pub source: &'static str,
}

impl HardSigmoid {
    /// `y = clamp(fl(fl(0.2·x) + 0.5), 0, 1)`, `dx = fl(0.2·g)` where `0 <= v <= 1`.
    ///
    /// The formula of Theano's `hard_sigmoid`, Keras 1 and 2, `tf.keras` and TensorFlow.js. Kinks at ±2.5. Bits
    /// compared with TensorFlow 2.21.0 on the CPU. (Theano's C code may fuse the two roundings into one.)
    pub const KERAS: Self = Self::plain(0.2, KinkRule::Inclusive);

    /// `y = clamp(fl(fl(0.2·x) + 0.5), 0, 1)`, `dx = fl(0.2·g)` where `0 < v < 1`.
    ///
    /// The `HardSigmoid` operator of ONNX (opsets 1, 6 and 22) and WebNN at its default alpha and beta; for other
    /// values use [`HardSigmoid::affine`]. ONNX defines no gradient; the rule here is oneDNN's and MXNet's. Bits
    /// compared with ONNX Runtime 1.32.0 on the CPU.
    pub const ONNX: Self = Self::plain(0.2, KinkRule::Strict);

    /// `y = clamp((x + 1) / 2, 0, 1)`, `dx = fl(0.5·g)` where `0 <= v <= 1`.
    ///
    /// Courbariaux, Bengio, David 2015 (BinaryConnect, arXiv 1511.00363) and Courbariaux et al. 2016 (BinaryNet, arXiv
    /// 1602.02830), eq. 3. Kinks at ±1. Halving is exact, so `0.5·x + 0.5` has the same bits. Bits compared with the
    /// same expression in TensorFlow 2.21.0 on the CPU, the gradient with its autodiff.
    pub const COURBARIAUX: Self = Self::plain(0.5, KinkRule::Inclusive);

    /// `y = clamp((x + 2) / 4, 0, 1)`, `dx = fl(0.25·g)` where `0 < v < 1`.
    ///
    /// The tangent of the logistic sigmoid at 0, where both have the value 1/2 and the slope 1/4 (Noisy Activation
    /// Functions, arXiv 1603.00391). Kinks at ±2.
    pub const TANGENT: Self = Self::plain(0.25, KinkRule::Strict);

    /// `y = fl(clamp(fl(x + 3), 0, 6) / 6)`, `dx = fl(g·fl(1/6))` where `-3 < x < 3`.
    ///
    /// `torch.nn.functional.hardsigmoid`, and so Keras 3 on torch. Bits compared with PyTorch 2.15.0 on the CPU and
    /// Keras 3.15.1 on it. By its source, PyTorch on CUDA has this gradient and the `y` of [`JAX`](Self::JAX). Its hard
    /// swish is `torch.nn.functional.hardswish`.
    pub const PYTORCH: Self = Self {
        form: Form::Relu6Divide,
    };

    /// `y = fl(clamp(fl(x + 3), 0, 6)·fl(1/6))`, `dx = fl(g·fl(1/6))` where `0 < fl(x + 3) < 6`.
    ///
    /// `jax.nn.hard_sigmoid` under XLA, which turns the division into a product, and so Keras 3 on JAX. Keras 3 on
    /// TensorFlow has these bits in `fit` and `predict`, where TensorFlow compiles it. Bits compared with JAX 0.10.2 on the
    /// CPU. Its hard swish is `jax.nn.hard_silu`.
    pub const JAX: Self = Self {
        form: Form::Relu6Multiply,
    };

    /// `y = fl(clamp(fl(x + 3), 0, 6) / 6)`, `dx = fl(g / 6)` where `0 < fl(x + 3) < 6`.
    ///
    /// `keras.activations.hard_sigmoid` of Keras 3 on TensorFlow, its default backend, in eager mode: where a model is
    /// called, and with `run_eagerly=True`. In `fit` and `predict` it is [`JAX`](Self::JAX). It has PyTorch's `y`, JAX's rule
    /// at the kinks, and a gradient that is divided by 6. Bits compared with Keras 3.15.1 on TensorFlow 2.21.0 on
    /// the CPU, except that TensorFlow multiplies by a mask: outside the kinks it gives a zero with the sign of `g`, or
    /// NaN where `g` isn't finite. Its hard swish is `keras.activations.hard_silu`.
    pub const KERAS3: Self = Self {
        form: Form::Relu6DivideBoth,
    };

    /// `y = clamp((x + 1) / 2, 0, 1)`, `dx = fl(0.5·g)` where `0 < v < 1`, and half of that at the kinks.
    ///
    /// `jax.nn.sparse_sigmoid`: [`COURBARIAUX`](Self::COURBARIAUX) with JAX's gradient of a tie. Bits compared with JAX
    /// 0.10.2 on the CPU, except that JAX multiplies by a mask, as TensorFlow does for [`KERAS3`](Self::KERAS3).
    pub const SPARSE: Self = Self::plain(0.5, KinkRule::Half);

    /// Every named definition.
    pub const PRESETS: &'static [Preset] = &[
        Preset {
            name: "keras",
            aliases: &["theano", "tf.keras", "keras1", "keras2", "tfjs"],
            definition: Self::KERAS,
            source: "Keras 1 and 2, tf.keras to 2.15, tf_keras, Theano, TensorFlow.js; bits of TensorFlow 2.21.0",
        },
        Preset {
            name: "onnx",
            aliases: &["webnn", "onnxruntime", "ort"],
            definition: Self::ONNX,
            source: "ONNX HardSigmoid-22 and WebNN by default; bits of ONNX Runtime 1.32.0 on the CPU",
        },
        Preset {
            name: "courbariaux",
            aliases: &["binarynet", "binaryconnect", "bnn"],
            definition: Self::COURBARIAUX,
            source: "BinaryConnect (arXiv 1511.00363), BinaryNet (arXiv 1602.02830); bits of TensorFlow 2.21.0",
        },
        Preset {
            name: "tangent",
            aliases: &["correct-at-zero"],
            definition: Self::TANGENT,
            source: "Noisy Activation Functions (arXiv 1603.00391), the tangent at 0; bits of NumPy 2.4.6",
        },
        Preset {
            name: "pytorch",
            aliases: &["torch", "keras3-torch"],
            definition: Self::PYTORCH,
            source: "torch.nn.functional.hardsigmoid, Keras 3 on torch; bits of PyTorch 2.15.0 on the CPU",
        },
        Preset {
            name: "jax",
            aliases: &["xla", "flax", "keras3-jax", "torch-cuda"],
            definition: Self::JAX,
            source: "jax.nn.hard_sigmoid (XLA), Keras 3 on JAX; bits of JAX 0.10.2 on the CPU",
        },
        Preset {
            name: "keras3",
            aliases: &["keras3-tensorflow", "keras3-tf"],
            definition: Self::KERAS3,
            source: "Keras 3.0.1 and later on TensorFlow, eager; bits of Keras 3.15.1 on TensorFlow 2.21.0 on the CPU",
        },
        Preset {
            name: "sparse",
            aliases: &["sparse-sigmoid", "jax-sparse"],
            definition: Self::SPARSE,
            source: "jax.nn.sparse_sigmoid, sparse_sigmoid of Keras 3 on JAX; bits of JAX 0.10.2 on the CPU",
        },
    ];

    const fn plain(alpha: f32, kinks: KinkRule) -> Self {
        Self {
            form: Form::Affine {
                alpha: Finite::known(alpha),
                beta: Finite::known(0.5),
                kinks,
            },
        }
    }

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

    pub(crate) fn form(self) -> Form {
        self.form
    }

    /// The preset that equals this definition, if there is one.
    pub fn preset(self) -> Option<&'static Preset> {
        Self::PRESETS.iter().find(|preset| preset.definition == self)
    }

    /// The preset's name, or `"affine"`.
    pub fn name(self) -> &'static str {
        self.preset().map_or("affine", |preset| preset.name)
    }

    /// The forward formula as text.
    pub fn formula(self) -> String {
        match self.form {
            Form::Affine { alpha, beta, .. } => match (alpha.get(), beta.get()) {
                (0.5, 0.5) => "clamp((x + 1) / 2, 0, 1)".into(),
                (0.25, 0.5) => "clamp((x + 2) / 4, 0, 1)".into(),
                (_, shift) if shift < 0.0 => {
                    format!("clamp({alpha}·x - {}, 0, 1)", beta.to_string().trim_start_matches('-'))
                }
                _ => format!("clamp({alpha}·x + {beta}, 0, 1)"),
            },
            Form::Relu6Divide | Form::Relu6DivideBoth => "clamp(x + 3, 0, 6) / 6".into(),
            Form::Relu6Multiply => "clamp(x + 3, 0, 6) · (1/6)".into(),
        }
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

    /// Whether every order of roundings gives the same halves, fused and flushed ones too. `tests/host/halves.rs` tries every
    /// half with the presets; it isn't known of other definitions.
    pub(crate) fn hides_roundings_in_halves(self) -> bool {
        self.is_moderate() && self.preset().is_some()
    }

    /// Whether the slope lies between 2^-14 and 1 and the shift is 1/2. Then a subnormal number on the way to `y` is lost in
    /// the sum with the shift, and `y` is 0 or at least 2^-25. The shader's functions for halves rely on it.
    pub(crate) const fn is_moderate(self) -> bool {
        self.slope() >= 1.0 / 16384.0 && self.slope() <= 1.0 && self.shift() == 0.5
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

    /// Runs `run` with this definition, compiled separately for each form and gradient rule. A debug build compiles it
    /// once: it would take a minute and 2.5 GB for loops that it doesn't optimize.
    #[inline(always)]
    pub(crate) fn specialize(self, run: impl FnOnce(Self)) {
        if cfg!(debug_assertions) {
            return run(self);
        }
        use KinkRule::{Half, Inclusive, Strict};
        let affine = |alpha, beta, kinks| Self {
            form: Form::Affine { alpha, beta, kinks },
        };
        match self.form {
            Form::Affine { alpha, beta, kinks } => match kinks {
                Strict => run(affine(alpha, beta, Strict)),
                Inclusive => run(affine(alpha, beta, Inclusive)),
                Half => run(affine(alpha, beta, Half)),
            },
            Form::Relu6Divide => run(Self::PYTORCH),
            Form::Relu6DivideBoth => run(Self::KERAS3),
            Form::Relu6Multiply => run(Self::JAX),
        }
    }

    /// [`specialize`](Self::specialize) for what has no gradient: its gradient rule changes nothing.
    #[inline(always)]
    pub(crate) fn specialize_forward(self, run: impl FnOnce(Self)) {
        if cfg!(debug_assertions) {
            return run(self);
        }
        match self.form {
            Form::Affine { alpha, beta, .. } => run(Self {
                form: Form::Affine {
                    alpha,
                    beta,
                    kinks: KinkRule::Strict,
                },
            }),
            Form::Relu6Divide => run(Self::PYTORCH),
            Form::Relu6DivideBoth => run(Self::KERAS3),
            Form::Relu6Multiply => run(Self::JAX),
        }
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
        // Computed always: inside a branch it keeps some loops from being vectorized.
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
fn product(a: f32, b: f32) -> f32 {
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

named!(KinkRule, "kink rule", Strict => "strict", Inclusive => "inclusive", Half => "half");

impl KinkRule {
    /// Whether the gradient passes at `v`, with kinks at `low` and `high`.
    #[inline(always)]
    pub(crate) fn passes(self, v: f32, low: f32, high: f32) -> bool {
        match self {
            // `&` instead of `&&` avoids a jump, so that loops can be vectorized. NaN passes neither comparison.
            Self::Strict => (v > low) & (v < high),
            Self::Inclusive | Self::Half => (v >= low) & (v <= high),
        }
    }
}

/// Writes the preset's name, or `affine(ALPHA, BETA, strict|inclusive|half)`; [`str::parse`] reads it back.
impl fmt::Display for HardSigmoid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.preset(), self.form) {
            (None, Form::Affine { alpha, beta, kinks }) => f.pad(&format!("affine({alpha}, {beta}, {kinks})")),
            _ => f.pad(self.name()),
        }
    }
}

/// Reads a preset's name, one of its aliases, or `affine(ALPHA, BETA[, strict|inclusive|half])`; case doesn't matter,
/// and the gradient rule is strict if none is given.
impl FromStr for HardSigmoid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wanted = text.trim().to_ascii_lowercase();
        let named = Self::PRESETS
            .iter()
            .find(|preset| preset.name == wanted || preset.aliases.contains(&wanted.as_str()));
        if let Some(preset) = named {
            return Ok(preset.definition);
        }
        let unknown = || {
            let names = Self::PRESETS.iter().map(|preset| preset.name);
            let names: Vec<_> = names.chain(["affine(ALPHA, BETA, strict|inclusive|half)"]).collect();
            ParseError::Unknown {
                what: "hard sigmoid",
                given: text.into(),
                names: names.join(", "),
            }
        };
        let arguments = wanted.strip_prefix("affine").ok_or_else(unknown)?.trim_start();
        let count = || ParseError::ArgumentCount { given: text.into() };
        let arguments = arguments
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(count)?;
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let (alpha, beta, kinks) = match arguments[..] {
            [alpha, beta] => (alpha, beta, "strict"),
            [alpha, beta, kinks] => (alpha, beta, kinks),
            _ => return Err(count()),
        };
        let wrong = |argument, given: &str, expected| ParseError::Argument {
            argument,
            given: given.into(),
            expected,
        };
        let number = |argument, text: &str| {
            let number = text.parse().ok().filter(|number: &f32| number.is_finite());
            number.ok_or_else(|| wrong(argument, text, "a finite f32 number, such as 0.2"))
        };
        let (alpha, beta) = (number("alpha", alpha)?, number("beta", beta)?);
        let rule = kinks
            .parse()
            .map_err(|_| wrong("kink rule", kinks, "strict, inclusive or half"))?;
        Self::affine(alpha, beta, rule).map_err(|error| wrong(error.parameter, text, "a finite f32 number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_unique_and_round_trip() {
        let mut seen = std::collections::HashSet::new();
        for preset in HardSigmoid::PRESETS {
            for name in preset.aliases.iter().chain([&preset.name]) {
                assert!(seen.insert(*name), "{name} is listed twice");
                assert_eq!(name.to_uppercase().parse(), Ok(preset.definition));
            }
            assert_eq!(preset.definition.to_string(), preset.name);
            assert_eq!(preset.definition.preset(), Some(preset));
        }
    }

    #[test]
    fn kink_rules_round_trip() {
        for rule in KinkRule::ALL {
            assert_eq!(rule.to_string().parse(), Ok(*rule));
        }
        assert!(
            "none"
                .parse::<KinkRule>()
                .unwrap_err()
                .to_string()
                .contains("strict, inclusive, half")
        );
    }

    /// An alias is another name of the same function, and relu6 is a different function.
    #[test]
    fn relu6_is_no_hard_sigmoid() {
        assert!("relu6".parse::<HardSigmoid>().is_err());
    }

    #[test]
    fn a_custom_definition_equal_to_a_preset_has_its_name() {
        let same = HardSigmoid::affine(0.2, 0.5, KinkRule::Inclusive).unwrap();
        assert_eq!(same.to_string(), "keras");
        assert_eq!("affine(0.2, 0.5)".parse(), Ok(HardSigmoid::ONNX));
    }

    #[test]
    fn bad_texts_and_parameters_are_refused() {
        for text in ["", "sigmoid", "affin(1, 2)"] {
            let error = text.parse::<HardSigmoid>().unwrap_err();
            assert!(
                matches!(&error, ParseError::Unknown { given, .. } if given == text),
                "{error}"
            );
            assert!(error.to_string().contains("courbariaux"));
        }
        for (text, message) in [
            ("affine", "affine takes alpha, beta"),
            ("affine(1, 2", "affine takes alpha, beta"),
            ("affine()", "affine takes alpha, beta"),
            ("affine(1)", "\"affine(1)\" was given"),
            ("affine(1,2,strict,4)", "affine takes alpha, beta"),
            (
                "affine(1, 2, inclusiv)",
                "kink rule of affine must be strict, inclusive or half, but \"inclusiv\" was given",
            ),
            (
                "affine(1/6, 0.5)",
                "alpha of affine must be a finite f32 number, such as 0.2, but \"1/6\" was given",
            ),
            ("affine(1e39, 0)", "\"1e39\""),
            ("affine(nan,0)", "alpha of affine"),
            ("affine(0,inf)", "beta of affine"),
        ] {
            let error = text.parse::<HardSigmoid>().unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert_eq!(" Affine (0.2, 0.5, INCLUSIVE)".parse(), Ok(HardSigmoid::KERAS));
    }

    #[test]
    fn presets_are_moderate() {
        for preset in HardSigmoid::PRESETS {
            assert!(preset.definition.is_moderate(), "{}: see `is_moderate`", preset.name);
            assert!(preset.definition.hides_roundings_in_halves());
        }
        for other in [
            "affine(1.0000001, 0.5)",
            "affine(6.1e-5, 0.5)",
            "affine(-0.2, 0.5)",
            "affine(0.2, 0.25)",
        ] {
            assert!(!other.parse::<HardSigmoid>().unwrap().is_moderate(), "{other}");
        }
        let no_preset: HardSigmoid = "affine(0.3, 0.5)".parse().unwrap();
        assert!(no_preset.is_moderate() && !no_preset.hides_roundings_in_halves());
    }

    #[test]
    fn formulas_and_kinks_of_the_presets() {
        let falling = HardSigmoid::affine(-2.0, -1e-40, KinkRule::Strict).unwrap();
        assert_eq!(falling.formula(), "clamp(-2·x - 1e-40, 0, 1)");
        let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
        let rows: Vec<_> = presets.map(|d| (d.formula(), d.kinks().unwrap())).collect();
        let rows: Vec<_> = rows.iter().map(|(formula, kinks)| (formula.as_str(), *kinks)).collect();
        assert_eq!(
            rows,
            [
                ("clamp(0.2·x + 0.5, 0, 1)", (-2.5, 2.5)),
                ("clamp(0.2·x + 0.5, 0, 1)", (-2.5, 2.5)),
                ("clamp((x + 1) / 2, 0, 1)", (-1.0, 1.0)),
                ("clamp((x + 2) / 4, 0, 1)", (-2.0, 2.0)),
                ("clamp(x + 3, 0, 6) / 6", (-3.0, 3.0)),
                ("clamp(x + 3, 0, 6) · (1/6)", (-3.0, 3.0)),
                ("clamp(x + 3, 0, 6) / 6", (-3.0, 3.0)),
                ("clamp((x + 1) / 2, 0, 1)", (-1.0, 1.0)),
            ]
        );
        let falling = HardSigmoid::affine(-2.0, 0.5, KinkRule::Strict).unwrap();
        assert_eq!(falling.kinks(), Some((-0.25, 0.25)));
        assert_eq!(HardSigmoid::affine(-0.0, 0.5, KinkRule::Strict).unwrap().kinks(), None);
    }

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

    proptest! {
        #[test]
        fn display_round_trips(alpha: f32, beta: f32, rule in 0..KinkRule::ALL.len()) {
            if let Ok(definition) = HardSigmoid::affine(alpha, beta, KinkRule::ALL[rule]) {
                prop_assert_eq!(definition.to_string().parse(), Ok(definition));
            }
        }
    }
}
