//! Identifies the hard sigmoid that made some data.

use crate::{Result, dtype, error, object};
use hard_sigmoid::{
    DType, HardSigmoid, Scalar, bf16, f16,
    identify::{Gradient, identify_within},
};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identification {
    verdict: &'static str,
    definitions: Vec<String>,
    within: f32,
    nearest: String,
    ranges: Option<Ranges>,
    report: String,
}

#[derive(Serialize)]
struct Ranges {
    alpha: (f64, f64),
    beta: (f64, f64),
}

/// Identifies x and y, and g and dx unless they are missing. Dtypes are those of x and y.
#[wasm_bindgen]
pub fn identify(arrays: Vec<Uint8Array>, dtypes: Vec<String>, atol: f32) -> Result<JsValue> {
    let arrays = arrays
        .iter()
        .zip(&dtypes)
        .map(|(array, name)| numbers(array, name))
        .collect::<Result<Vec<_>>>()?;
    let (x, y) = (&arrays[0], &arrays[1]);
    let gradient = match &arrays[2..] {
        [g, dx] => Some(Gradient { g, dx }),
        _ => None,
    };
    let found = identify_within(x, y, gradient, atol)?;
    let [x_dtype, y_dtype] = [stored(&dtypes[0])?, stored(&dtypes[1])?];
    object(&Identification {
        verdict: found.verdict.name(),
        definitions: found.verdict.definitions().iter().map(HardSigmoid::to_string).collect(),
        within: found.within,
        nearest: found.nearest().definition.to_string(),
        ranges: found.ranges.map(|ranges| Ranges {
            alpha: ranges.alpha,
            beta: ranges.beta,
        }),
        report: found.report(x, y, x_dtype, y_dtype),
    })
}

/// The name of float64, which is rounded to float32.
const F64: &str = "f64";

fn stored(name: &str) -> Result<DType> {
    if name == F64 { Ok(DType::F32) } else { dtype(name) }
}

fn numbers(array: &Uint8Array, name: &str) -> Result<Vec<f32>> {
    if name == F64 {
        return Ok(bytemuck::pod_collect_to_vec::<u8, f64>(&array.to_vec())
            .into_iter()
            .map(|value| value as f32)
            .collect());
    }
    fn of<T: Scalar>(array: &Uint8Array) -> Vec<f32> {
        bytemuck::pod_collect_to_vec::<u8, T>(&array.to_vec())
            .into_iter()
            .map(T::to_f32)
            .collect()
    }
    Ok(match dtype(name)? {
        DType::F32 => of::<f32>(array),
        DType::F16 => of::<f16>(array),
        DType::Bf16 => of::<bf16>(array),
        DType::U8 => {
            return Err(error(
                "8-bit numbers stand for others: compute those by their scale and zero point, and give them as a Float32Array",
            ));
        }
    })
}
