//! Tests that need no GPU and no device: the CPU path, and the `offload` example as a process.

mod binarize;
#[path = "../common/mod.rs"]
mod common;
mod cpu;
mod examples;
mod halves;
mod identify;
#[cfg(feature = "offload")]
mod offload_cli;
