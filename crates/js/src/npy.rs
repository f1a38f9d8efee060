//! The header of NumPy's `.npy` files.

use crate::{Result, error, object};
use hard_sigmoid_cli::npy::header::{Header, shown};
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    dtype: String,
    shape: Vec<u64>,
    is_fortran: bool,
    is_big_endian: bool,
    start: u64,
}

/// Reads the header from the first bytes of a file, and checks that the file is as long as the header promises. The dtype is that of
/// little-endian numbers.
#[wasm_bindgen]
pub fn npy(mut first: &[u8], file_len: f64) -> Result<JsValue> {
    let mut header = Header::read(&mut first).map_err(error)?;
    let is_big_endian = header.dtype.starts_with('>');
    if is_big_endian {
        header.dtype.replace_range(..1, "<");
    }
    let len = file_len as u64 - header.bytes;
    let size: u64 = match &*header.dtype {
        "<f8" => 8,
        "<f4" => 4,
        "<f2" | "<u2" => 2,
        other => {
            return Err(error(format_args!(
                "its dtype is '{other}'; save it as float64, float32 or float16, or the bits of bfloat16 as uint16"
            )));
        }
    };
    if header.elements().and_then(|elements| elements.checked_mul(size)) != Some(len) {
        let shape = shown(&header.shape);
        return Err(error(format_args!(
            "shape {shape} doesn't fit its {len} bytes of data: truncated or damaged"
        )));
    }
    object(&Described {
        start: header.bytes,
        dtype: header.dtype,
        is_fortran: header.is_fortran,
        is_big_endian,
        shape: header.shape,
    })
}
