//! Compares results of a device with the CPU path.

use crate::{Result, compute::bytes_of, dtype, object, operation};
use hard_sigmoid::cpu;
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
struct Comparison {
    compared: f64,
    differing: f64,
    flushed: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
}

/// Counts results, those that differ in any bit, and those that only differ because a subnormal counted as zero; and tells the
/// first one that differs.
#[wasm_bindgen]
pub fn check(
    name: &str,
    parameters: JsValue,
    dtype_name: &str,
    inputs: Vec<Uint8Array>,
    results: Vec<Uint8Array>,
) -> Result<JsValue> {
    let (op, dtype) = (operation(name, parameters)?, dtype(dtype_name)?);
    let inputs = bytes_of(op, &inputs)?;
    let results: Vec<_> = results.iter().map(Uint8Array::to_vec).collect();
    let [inputs, results] = [&inputs, &results].map(|all| all.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let found = cpu::compare(op, dtype, &inputs, &results)?;
    object(&Comparison {
        compared: found.compared as f64,
        differing: found.differing as f64,
        flushed: found.flushed as f64,
        first: found.first.map(|wrong| wrong.to_string()),
    })
}
