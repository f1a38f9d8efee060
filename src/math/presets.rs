//! The definitions that have a name: one for each framework or paper.

use crate::math::{
    definition::{Form, HardSigmoid, KinkRule},
    finite::Finite,
};

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
    /// This is the formula of Theano's `hard_sigmoid`, Keras 1 and 2, `tf.keras` and TensorFlow.js. The kinks are at
    /// ±2.5. The bits were compared with TensorFlow 2.21.0 on the CPU. (Theano's C code may fuse the two roundings into
    /// one.)
    pub const KERAS: Self = Self::plain(0.2, KinkRule::Inclusive);

    /// `y = clamp(fl(fl(0.2·x) + 0.5), 0, 1)`, `dx = fl(0.2·g)` where `0 < v < 1`.
    ///
    /// This is the `HardSigmoid` operator of ONNX (opsets 1, 6 and 22) and WebNN at its default alpha and beta; for
    /// other values use [`HardSigmoid::affine`]. The kinks are at ±2.5. ONNX defines no gradient, so the rule is that
    /// of oneDNN and MXNet. The bits were compared with ONNX Runtime 1.32.0 on the CPU.
    pub const ONNX: Self = Self::plain(0.2, KinkRule::Strict);

    /// `y = clamp((x + 1) / 2, 0, 1)`, `dx = fl(0.5·g)` where `0 <= v <= 1`.
    ///
    /// This is the hard sigmoid of Courbariaux, Bengio, David 2015 (BinaryConnect, arXiv 1511.00363) and Courbariaux et
    /// al. 2016 (BinaryNet, arXiv 1602.02830), eq. 3. The kinks are at ±1. Halving is exact, so `0.5·x + 0.5` has the
    /// same bits. The bits were compared with this expression in TensorFlow 2.21.0 on the CPU, the gradient with its
    /// autodiff.
    pub const COURBARIAUX: Self = Self::plain(0.5, KinkRule::Inclusive);

    /// `y = clamp((x + 2) / 4, 0, 1)`, `dx = fl(0.25·g)` where `0 < v < 1`.
    ///
    /// This is the tangent of the logistic sigmoid at 0, where both have the value 1/2 and the slope 1/4 (Noisy
    /// Activation Functions, arXiv 1603.00391). The kinks are at ±2.
    pub const TANGENT: Self = Self::plain(0.25, KinkRule::Strict);

    /// `y = fl(clamp(fl(x + 3), 0, 6) / 6)`, `dx = fl(g·fl(1/6))` where `-3 < x < 3`.
    ///
    /// This is `torch.nn.functional.hardsigmoid`, and so the hard sigmoid of Keras 3 on torch. The kinks are at ±3. The
    /// bits were compared with PyTorch 2.15.0 on the CPU, and with Keras 3.15.1 on it. By its source, PyTorch on CUDA
    /// has this gradient and the `y` of [`JAX`](Self::JAX). The hard swish is `torch.nn.functional.hardswish`.
    pub const PYTORCH: Self = Self {
        form: Form::Relu6Divide,
    };

    /// `y = fl(clamp(fl(x + 3), 0, 6)·fl(1/6))`, `dx = fl(g·fl(1/6))` where `0 < fl(x + 3) < 6`.
    ///
    /// This is `jax.nn.hard_sigmoid` under XLA, which turns the division into a product, and so the hard sigmoid of
    /// Keras 3 on JAX. Keras 3 on TensorFlow has these bits in `fit` and `predict`, where TensorFlow compiles it. The
    /// kinks are at ±3. The bits were compared with JAX 0.10.2 on the CPU. The hard swish is `jax.nn.hard_silu`.
    pub const JAX: Self = Self {
        form: Form::Relu6Multiply,
    };

    /// `y = fl(clamp(fl(x + 3), 0, 6) / 6)`, `dx = fl(g / 6)` where `0 < fl(x + 3) < 6`.
    ///
    /// This is `keras.activations.hard_sigmoid` of Keras 3 on TensorFlow, its default backend, in eager mode: where a
    /// model is called, and with `run_eagerly=True`. In `fit` and `predict` it is [`JAX`](Self::JAX). The kinks are at
    /// ±3. It has PyTorch's `y`, JAX's rule at the kinks, and a gradient that is divided by 6. The hard swish is
    /// `keras.activations.hard_silu`.
    ///
    /// The bits were compared with Keras 3.15.1 on TensorFlow 2.21.0 on the CPU. One difference is left: TensorFlow
    /// multiplies by a mask, so outside the kinks it gives a zero with the sign of `g`, or NaN where `g` isn't finite.
    pub const KERAS3: Self = Self {
        form: Form::Relu6DivideBoth,
    };

    /// `y = clamp((x + 1) / 2, 0, 1)`, `dx = fl(0.5·g)` where `0 < v < 1`, and half of that at the kinks.
    ///
    /// This is `jax.nn.sparse_sigmoid`: [`COURBARIAUX`](Self::COURBARIAUX) with JAX's gradient of a tie. The kinks are
    /// at ±1. The bits were compared with JAX 0.10.2 on the CPU. One difference is left: JAX multiplies by a mask, as
    /// TensorFlow does for [`KERAS3`](Self::KERAS3).
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

    /// The preset that equals this definition, if there is one.
    pub fn preset(self) -> Option<&'static Preset> {
        Self::PRESETS.iter().find(|preset| preset.definition == self)
    }

    /// The preset's name, or `"affine"`.
    pub fn name(self) -> &'static str {
        self.preset().map_or("affine", |preset| preset.name)
    }

    /// Whether every order of roundings gives the same halves, also if operations are fused or subnormals flushed.
    /// `tests/host/halves.rs` tries every half with the presets. Of other definitions it isn't known.
    pub(crate) fn hides_roundings_in_halves(self) -> bool {
        self.is_moderate() && self.preset().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
