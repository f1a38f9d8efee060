#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
