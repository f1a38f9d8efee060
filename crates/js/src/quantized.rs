//! Tables of quantized functions.

use crate::{Result, error, parsed};
use hard_sigmoid::{Byte, Op, Parameters, Quantization, QuantizationError, Quantized};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// What a tensor's numbers stand for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tensor {
    dtype: String,
    scale: f32,
    zero_point: i32,
}

/// y for each of the 256 values of x.
#[wasm_bindgen]
pub fn table(name: &str, definition: &str, x: JsValue, y: JsValue, rounding: &str) -> Result<Vec<u8>> {
    let given = Parameters {
        definition: Some(parsed(definition)?),
        ..Default::default()
    };
    let op = match Op::new(name, &given)? {
        Op::Unary(op) => op,
        other => return Err(QuantizationError::Op { op: other.name() }.into()),
    };
    let of = |tensor: &str, given: JsValue| -> Result<Quantization> {
        let given: Tensor = serde_wasm_bindgen::from_value(given).map_err(error)?;
        let byte: Byte = given.dtype.parse()?;
        Quantization::new(byte, given.scale, given.zero_point).map_err(|why| error(format_args!("{tensor}: {why}")))
    };
    let quantized = Quantized::new(op, of("x", x)?, of("y", y)?, rounding.parse()?)?;
    Ok(quantized.table().to_vec())
}
