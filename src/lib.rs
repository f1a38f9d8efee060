#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod cpu;
mod definition;
mod error;
mod grid;
mod kernels;
mod launch;
#[cfg(feature = "offload")]
pub mod offload;
mod params;

pub use definition::{HardSigmoid, Kinks, Preset, Region};
pub use error::Error;
pub use kernels::{Kernel, Kernels, WGSL};
pub use launch::{BufferRange, Launch};
pub use wgpu;
