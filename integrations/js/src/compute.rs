//! The CPU path on the bytes of arrays.

use crate::{Result, dtype, error, operation};
use hard_sigmoid::{Binary, DType, Op, OpError, Scalar, bf16, cpu, f16};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

/// Applies an operation to arrays of one length, and returns its results.
#[wasm_bindgen]
pub fn compute(name: &str, definition: &str, dtype_name: &str, inputs: Vec<Uint8Array>) -> Result<Vec<Uint8Array>> {
    let op = operation(name, definition)?;
    match dtype(dtype_name)? {
        DType::F32 => bytes_of(&computed::<f32>(op, &elements(op, &inputs)?)?),
        DType::F16 => bytes_of(&computed::<f16>(op, &elements(op, &inputs)?)?),
        DType::Bf16 => bytes_of(&computed::<bf16>(op, &elements(op, &inputs)?)?),
    }
}

fn bytes_of<T: Scalar>(results: &[Vec<T>]) -> Result<Vec<Uint8Array>> {
    let bytes = results
        .iter()
        .map(|result| Uint8Array::from(bytemuck::cast_slice(result)));
    Ok(bytes.collect())
}

/// The arrays that an operation reads: its operands, and then what it adds to.
pub fn elements<T: Scalar>(op: Op, inputs: &[Uint8Array]) -> Result<Vec<Vec<T>>> {
    let mut names = op.inputs().to_vec();
    if matches!(op, Op::Binary(Binary::BackwardAccumulate(_))) {
        names.extend(op.outputs());
    }
    if inputs.len() != names.len() {
        return Err(error(format_args!(
            "{} takes {} arrays ({}), but {} were given",
            op.name(),
            names.len(),
            names.join(", "),
            inputs.len()
        )));
    }
    Ok(inputs.iter().map(values).collect())
}

/// The elements of an array, which JavaScript may have put anywhere.
pub fn values<T: bytemuck::Pod>(bytes: &Uint8Array) -> Vec<T> {
    let mut values = vec![T::zeroed(); bytes.length() as usize / size_of::<T>()];
    bytes.copy_to(bytemuck::cast_slice_mut(&mut values));
    values
}

pub fn computed<T: Scalar>(op: Op, inputs: &[Vec<T>]) -> std::result::Result<Vec<Vec<T>>, OpError> {
    let mut out = match inputs.get(op.inputs().len()) {
        Some(before) => vec![before.clone()],
        None => vec![vec![T::zeroed(); inputs[0].len()]; op.outputs().len()],
    };
    match (op, inputs, &mut out[..]) {
        (Op::Unary(op), [x], [y]) => cpu::unary(op, x, y)?,
        (Op::Binary(op), [first, second, ..], [out]) => cpu::binary(op, first, second, out)?,
        (Op::GateBackward(definition), [a, b, g], [da, db]) => {
            cpu::gate_backward(definition, a, b, g, da, db)?;
        }
        _ => unreachable!("`operation` gives no other"),
    }
    Ok(out)
}
