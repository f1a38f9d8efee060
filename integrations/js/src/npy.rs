//! The header of NumPy's `.npy` files.

// The command's, so that both read the same files.
#[path = "../../../cli/src/npy/header.rs"]
mod header;

use crate::{Result, error, object};
use header::{Header, shown};
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    dtype: String,
    shape: Vec<u64>,
    is_fortran: bool,
    start: usize,
}

/// Reads the header of a file, and checks that the file has the bytes that the header promises.
#[wasm_bindgen]
pub fn npy(file: &[u8]) -> Result<JsValue> {
    let mut rest = file;
    let header = Header::read(&mut rest).map_err(error)?;
    let size: u64 = match &*header.dtype {
        "<f8" => 8,
        "<f4" => 4,
        "<f2" | "<u2" => 2,
        other => {
            return Err(error(format_args!(
                "its dtype is '{other}'; save it as little-endian float64, float32 or float16, or the bits of bfloat16 as uint16"
            )));
        }
    };
    if header.len().and_then(|len| len.checked_mul(size)) != Some(rest.len() as u64) {
        let (shape, len) = (shown(&header.shape), rest.len());
        return Err(error(format_args!(
            "shape {shape} doesn't fit its {len} bytes of data: truncated or damaged"
        )));
    }
    object(&Described {
        start: file.len() - rest.len(),
        dtype: header.dtype,
        is_fortran: header.is_fortran,
        shape: header.shape,
    })
}
