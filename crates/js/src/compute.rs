//! The CPU path on the bytes of arrays.

use crate::{Result, dtype, error, operation};
use hard_sigmoid::{Binary, DType, Op, cpu};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

/// Applies an operation to arrays, and returns its results. `length` is that of `unpack`'s result.
#[wasm_bindgen]
pub fn compute(
    name: &str,
    parameters: JsValue,
    dtype_name: &str,
    inputs: Vec<Uint8Array>,
    length: Option<f64>,
) -> Result<Vec<Uint8Array>> {
    let (op, dtype) = (operation(name, parameters)?, dtype(dtype_name)?);
    let results = computed(op, dtype, &bytes_of(op, &inputs)?, length)?;
    Ok(results.iter().map(|result| Uint8Array::from(&result[..])).collect())
}

/// The bytes of the arrays that an operation reads: its operands, and then what it adds to.
pub fn bytes_of(op: Op, inputs: &[Uint8Array]) -> Result<Vec<Vec<u8>>> {
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
    Ok(inputs.iter().map(Uint8Array::to_vec).collect())
}

/// The results of an operation.
pub fn computed(op: Op, dtype: DType, inputs: &[Vec<u8>], length: Option<f64>) -> Result<Vec<Vec<u8>>> {
    let (operands, before) = inputs.split_at(op.inputs().len());
    let len = match (op, length) {
        (Op::Unpack(_), Some(length)) => length as u64,
        (Op::Unpack(_), None) => 8 * operands[0].len() as u64,
        _ => operands[0].len() as u64 / dtype.size(),
    };
    let sizes = op.sizes(dtype, len)?;
    let empty = sizes[operands.len()..].iter().map(|&size| vec![0; size as usize]);
    let mut results: Vec<Vec<u8>> = if before.is_empty() {
        empty.collect()
    } else {
        before.to_vec()
    };
    let operands: Vec<&[u8]> = operands.iter().map(Vec::as_slice).collect();
    let mut slices: Vec<&mut [u8]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    cpu::run(op, dtype, &operands, &mut slices)?;
    Ok(results)
}
