//! Tests that need no GPU and no device: the CPU path, and `identify`.

mod binarize;
mod broadcast;
#[path = "../common/mod.rs"]
mod common;
mod cpu;
mod halves;
mod identify;
mod mobilenet;
mod quantized;
#[path = "../common/quantized_mobilenet.rs"]
mod quantized_mobilenet;
mod run;
#[path = "../common/slice.rs"]
mod slice;
