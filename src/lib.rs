#![doc = include_str!("../README.md")]
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
    broadcast::BroadcastGate,
    contract::{Difference, Element},
    definition::{HardSigmoid, KinkRule, Preset, Region},
    dtype::{DType, Scalar},
    error::{NotFinite, OpError, ParseError},
    finite::Finite,
    op::{Binary, Op, Other, Unary},
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
