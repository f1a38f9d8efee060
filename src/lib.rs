#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod binarize;
pub mod cpu;
mod definition;
mod element;
mod error;
mod grid;
mod identify;
mod kernels;
mod launch;
#[cfg(feature = "offload")]
pub mod offload;
mod params;

pub use binarize::{Binarization, StraightThrough};
pub use definition::{HardSigmoid, Kinks, Preset, Region};
pub use element::{Element, Scalar};
pub use error::Error;
pub use half;
pub use identify::{
    Agreement, AtKinks, Identification, Match, Precision, Rounding, Separation, Verdict, identify, separation,
};
pub use kernels::{Kernel, Kernels, Placement, WGSL, wgsl_functions, wgsl_kernel};
pub use launch::{BufferRange, Launch};
pub use params::Params;
pub use wgpu;
