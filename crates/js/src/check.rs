//! Compares results of a device with the CPU path.

use crate::{
    Result,
    compute::{bytes_of, computed},
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
    parameters: JsValue,
    dtype_name: &str,
    inputs: Vec<Uint8Array>,
    results: Vec<Uint8Array>,
) -> Result<JsValue> {
    let op = operation(name, parameters)?;
    let compared = match dtype(dtype_name)? {
        DType::F32 => compared::<f32>(op, &inputs, &results),
        DType::F16 => compared::<f16>(op, &inputs, &results),
        DType::Bf16 => compared::<bf16>(op, &inputs, &results),
    };
    object(&compared?)
}

fn compared<T: Scalar>(op: Op, inputs: &[Uint8Array], results: &[Uint8Array]) -> Result<Comparison> {
    let inputs = bytes_of(op, inputs)?;
    if results.len() != op.outputs().len() {
        return Err(error(format_args!(
            "{} has {} results, but {} were given",
            op.name(),
            op.outputs().len(),
            results.len()
        )));
    }
    let of_unpacked = results[0].length() as usize / size_of::<T>();
    let expected = computed(op, T::DTYPE, &inputs, Some(of_unpacked as f64))?;
    let mut comparison = Comparison::default();
    for (output, (expected, actual)) in expected.iter().zip(results).enumerate() {
        let actual = actual.to_vec();
        if actual.len() != expected.len() {
            return Err(error(format_args!(
                "{} has {} bytes, but {} are needed",
                op.outputs()[output],
                actual.len(),
                expected.len()
            )));
        }
        if let Op::Pack(_) = op {
            comparison.add_signs(expected, &actual, inputs[0].len() / size_of::<T>());
        } else {
            comparison.add::<T>(op, output, &inputs, expected, &actual);
        }
    }
    Ok(comparison)
}

impl Comparison {
    fn add<T: Scalar>(&mut self, op: Op, output: usize, inputs: &[Vec<u8>], expected: &[u8], actual: &[u8]) {
        let inputs: Vec<Vec<T>> = match op {
            Op::Unpack(_) => vec![],
            _ => inputs.iter().map(|input| bytemuck::pod_collect_to_vec(input)).collect(),
        };
        let [expected, actual]: [Vec<T>; 2] = [expected, actual].map(bytemuck::pod_collect_to_vec);
        self.compared += actual.len();
        for (index, (&expected, &actual)) in expected.iter().zip(&actual).enumerate() {
            if bytemuck::bytes_of(&expected) == bytemuck::bytes_of(&actual) {
                continue;
            }
            let difference = match op {
                // An element isn't all that a sum depends on, and unpacking has no arithmetic.
                Op::GateBroadcastSums(_) | Op::Unpack(_) => of_sums(expected, actual),
                _ => {
                    let at = |input: usize| match op.broadcast() {
                        Some(gate) if input == 1 => {
                            let [row, inner] = [gate.row(), gate.inner()].map(|size| size as usize);
                            index / row * inner + index % inner
                        }
                        _ => index,
                    };
                    let operand = |i: usize| inputs.get(i).map_or(T::from_f32(0.0), |input| input[at(i)]);
                    let element = Element {
                        operands: [0, 1, 2].map(operand),
                        before: operand(op.inputs().len()),
                        index: index as u64,
                    };
                    element.compare(op, output, actual)
                }
            };
            match difference {
                // Two NaNs may have other payloads.
                Difference::None => {}
                Difference::Subnormal => self.flushed += 1,
                Difference::Wrong => self.differing += 1,
            }
        }
    }

    fn add_signs(&mut self, expected: &[u8], actual: &[u8], len: usize) {
        let differing = expected.iter().zip(actual).map(|(a, b)| (a ^ b).count_ones() as usize);
        self.compared += len;
        self.differing += differing.sum::<usize>();
    }
}

/// A result that is subnormal may be zero. Those of a sum that lost a subnormal on the way count as wrong.
fn of_sums<T: Scalar>(expected: T, actual: T) -> Difference {
    let [expected, actual] = [expected, actual].map(T::to_f32);
    if expected.to_bits() == actual.to_bits() {
        return Difference::None;
    }
    let is_flushed = expected.is_subnormal() && actual.to_bits() == 0.0_f32.copysign(expected).to_bits();
    if is_flushed {
        Difference::Subnormal
    } else {
        Difference::Wrong
    }
}
