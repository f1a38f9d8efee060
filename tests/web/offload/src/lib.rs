//! `hard_sigmoid::offload` in a browser: a Rust program compiled to WebAssembly finds WebGPU by wgpu, or computes on the CPU.
#![cfg(target_family = "wasm")]

use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op,
    offload::{Offload, Target},
};
use wasm_bindgen::prelude::*;

/// Computes the backward pass of every preset on a `gpu` or the `cpu`. Says how many results were compared, and how many differ from
/// the CPU path; the second number counts a result that was made wrong on purpose too.
#[wasm_bindgen]
pub async fn check(target: &str) -> Result<String, JsError> {
    let offload = Offload::new(target.parse::<Target>()?).await?;
    let x: Vec<f32> = (0..1 << 16).map(|i| f32::from_bits(i << 16 | 0x5a5a)).collect();
    let g: Vec<f32> = (0..1 << 16).map(|i| 0.1 + i as f32 / 7.0).collect();
    let (mut compared, mut differing) = (0, 0);
    for preset in HardSigmoid::PRESETS {
        let op = Binary::Backward(preset.definition);
        let mut dx = vec![f32::NAN; x.len()];
        offload.binary(op, &x, &g, &mut dx).await?;
        dx[0] = 7.0;
        let is_wrong = |&i: &usize| {
            let element = Element {
                operands: [x[i], g[i], 0.0],
                before: 0.0,
                index: i as u64,
            };
            element.compare(Op::from(op), 0, dx[i]) == Difference::Wrong
        };
        differing += (0..x.len()).filter(is_wrong).count();
        compared += x.len();
    }
    let adapter = offload.adapter_info().map_or("no adapter", |_| "an adapter");
    Ok(format!("{compared} compared, {differing} differ, {adapter}"))
}
