//! Every hard sigmoid, forward and backward, as WGSL compute kernels for [wgpu](https://wgpu.rs) and on the CPU. Each preset
//! gives the same bits on the CPU and on every driver that we tested (so far drivers that run on the CPU), except subnormal
//! gradients, which WGSL lets a driver flush to zero. A preset named after a framework also gives that framework's bits on
//! the CPU.
//!
//! A hard sigmoid is a straight line that is cut off at 0 and 1: y = clamp(alpha·x + beta, 0, 1). It replaces the
//! logistic sigmoid 1 / (1 + e^-x), because it is cheaper. Each framework means a different line by this name:
//!
#![doc = include_str!("../docs/pictures/curves-light.svg")]
//!
//! | preset | y | kinks | who computes it |
//! |---|---|---|---|
//! | [`KERAS`](HardSigmoid::KERAS) | clamp(0.2·x + 0.5, 0, 1) | ±2.5 | Keras 1 and 2, `tf.keras`, Theano, TensorFlow.js |
//! | [`ONNX`](HardSigmoid::ONNX) | clamp(0.2·x + 0.5, 0, 1) | ±2.5 | ONNX `HardSigmoid` and WebNN at their defaults |
//! | [`COURBARIAUX`](HardSigmoid::COURBARIAUX) | clamp((x + 1) / 2, 0, 1) | ±1 | BinaryConnect, BinaryNet |
//! | [`TANGENT`](HardSigmoid::TANGENT) | clamp((x + 2) / 4, 0, 1) | ±2 | the tangent of the logistic sigmoid at 0 |
//! | [`PYTORCH`](HardSigmoid::PYTORCH) | clamp(x + 3, 0, 6) / 6 | ±3 | `torch.nn.functional.hardsigmoid` on the CPU |
//! | [`JAX`](HardSigmoid::JAX) | clamp(x + 3, 0, 6) · (1/6) | ±3 | `jax.nn.hard_sigmoid` |
//! | [`KERAS3`](HardSigmoid::KERAS3) | clamp(x + 3, 0, 6) / 6 | ±3 | Keras 3 on TensorFlow, eager |
//! | [`SPARSE`](HardSigmoid::SPARSE) | clamp((x + 1) / 2, 0, 1) | ±1 | `jax.nn.sparse_sigmoid` |
//! | [`affine`](HardSigmoid::affine) | clamp(alpha·x + beta, 0, 1) | any | ONNX `HardSigmoid` with alpha and beta |
//!
//! They differ in their gradients too: see each preset.
//!
//! # Where to start
//!
//! An operation is a value, such as `Unary::Forward(definition)`. Everything takes it:
//!
//! - [`cpu`]: slices in, slices out, without any device.
//! - `gpu`: kernels in a program that owns its wgpu device, buffers and pass (feature `wgpu`).
//! - `offload`: host slices, on a device that is found (feature `offload`, on by default).
//! - [`plan`]: what to compile, bind and dispatch, for any other WebGPU.
//! - [`wgsl`]: an operation as plain functions, for a kernel of your own.
//! - [`identify`]: which hard sigmoid made these numbers?
//!
//! ```
//! use hard_sigmoid::{Binary, HardSigmoid, Unary, cpu};
//!
//! let x = [-4.0_f32, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! cpu::unary(Unary::Forward(HardSigmoid::PYTORCH), &x, &mut y)?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//!
//! let (g, mut dx) = ([6.0; 3], [0.0; 3]);
//! cpu::binary(Binary::Backward(HardSigmoid::PYTORCH), &x, &g, &mut dx)?;
//! assert_eq!(dx, [0.0, 1.0, 1.0]);
//! # Ok::<_, hard_sigmoid::OpError>(())
//! ```
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | none | definitions, the CPU path, `identify`, the WGSL text, the plan | bytemuck, half |
//! | `wgpu` | `gpu::Kernels`, for a program that uses wgpu | wgpu without its default features |
//! | `parallel` (default) | all cores and the machine's widest vectors for the CPU path, all cores for `identify` | rayon, fearless_simd |
//! | `offload` (default) | host slices in and out, on a device that is found | `wgpu` with its backends |
//!
//! # Bits
//!
//! Every one of the 2^32 inputs gives the same bits on GPU and CPU, and the CPU path has the framework's. WGSL lets a GPU replace a
//! subnormal number by zero; the presets' y never shows it, but a gradient below 2^-126 may. The package's
//! `docs/numerics.md` lists every exception, and `docs/definitions.md` the sources and the history of each definition.
//!
//! MSRV is 1.89, and 1.94 on aarch64; without the feature `parallel` it is wgpu's, 1.87. One release goes with one major
//! version of wgpu.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod cpu;
#[cfg(feature = "wgpu")]
pub mod gpu;
pub mod identify;
mod math;
#[cfg(feature = "offload")]
pub mod offload;
pub mod plan;

pub use half::{bf16, f16};
pub use math::{
    binarize::{Binarization, Signs, StraightThrough},
    broadcast::{Broadcast, BroadcastGate},
    contract::{Difference, Element},
    definition::{HardSigmoid, KinkRule, Region},
    dtype::{DType, Scalar},
    error::{NotFinite, OpError, ParseError},
    finite::Finite,
    lengths::Sizes,
    op::{Binary, Op, Unary},
    parameters::Parameters,
    presets::Preset,
    quantized::{Byte, Quantization, QuantizationError, Quantized, QuantizedGate, Rounding},
};
#[doc(inline)]
pub use plan::wgsl;

/// `use hard_sigmoid::*` brings no name that shadows a crate of the user's.
///
/// ```compile_fail
/// use hard_sigmoid::wgpu;
/// ```
///
/// ```compile_fail
/// use hard_sigmoid::half;
/// ```
#[cfg(doctest)]
struct NoCrateIsShadowed;

/// The code of the documents compiles and runs.
#[cfg(all(doctest, feature = "wgpu"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/embedding.md")]
struct Documents;
