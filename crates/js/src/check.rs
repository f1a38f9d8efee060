//! Compares results of a device with the CPU path.

use crate::{
    Result,
    compute::{computed, elements, values},
    dtype, error, object, operation,
};
use hard_sigmoid::{DType, Difference, Element, Op, Scalar, bf16, f16};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Default, Serialize)]
struct Comparison {
    compared: usize,
    differing: usize,
    flushed: usize,
}

/// Counts results, those that differ in any bit, and those that only differ because a subnormal counted as zero.
#[wasm_bindgen]
pub fn check(
    name: &str,
    definition: &str,
    dtype_name: &str,
    inputs: Vec<Uint8Array>,
    results: Vec<Uint8Array>,
) -> Result<JsValue> {
    let op = operation(name, definition)?;
    let compared = match dtype(dtype_name)? {
        DType::F32 => compared::<f32>(op, &inputs, &results),
        DType::F16 => compared::<f16>(op, &inputs, &results),
        DType::Bf16 => compared::<bf16>(op, &inputs, &results),
    };
    object(&compared?)
}

fn compared<T: Scalar>(op: Op, inputs: &[Uint8Array], results: &[Uint8Array]) -> Result<Comparison> {
    let inputs = elements::<T>(op, inputs)?;
    let expected = computed(op, &inputs)?;
    if expected.len() != results.len() {
        let (wanted, given) = (expected.len(), results.len());
        return Err(error(format_args!(
            "{} has {wanted} results, but {given} were given",
            op.name()
        )));
    }
    let zero = T::from_f32(0.0);
    let mut comparison = Comparison::default();
    for (number, (expected, actual)) in expected.iter().zip(results).enumerate() {
        let actual: Vec<T> = values(actual);
        if actual.len() != expected.len() {
            let (wanted, given) = (expected.len(), actual.len());
            return Err(error(format_args!(
                "a result has {given} elements, but the inputs have {wanted}"
            )));
        }
        comparison.compared += actual.len();
        for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
            if bytemuck::bytes_of(expected) == bytemuck::bytes_of(&actual) {
                continue;
            }
            let operand = |i: usize| inputs.get(i).map_or(zero, |input| input[index]);
            let element = Element {
                operands: [0, 1, 2].map(operand),
                before: operand(op.inputs().len()),
                index: index as u64,
            };
            match element.compare(op, number, actual) {
                // Two NaNs may have other payloads.
                Difference::None => {}
                Difference::Subnormal => comparison.flushed += 1,
                Difference::Wrong => comparison.differing += 1,
            }
        }
    }
    Ok(comparison)
}
