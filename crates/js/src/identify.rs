//! Identifies the hard sigmoid that made some data.

use crate::{Result, dtype, error, object};
use hard_sigmoid::{
    DType, HardSigmoid, Scalar, bf16, f16,
    identify::{Gradient, Real, identify_within},
};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identification {
    function: String,
    verdict: &'static str,
    definitions: Vec<String>,
    within: f64,
    outliers: Vec<usize>,
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
    let stored = [stored(&dtypes[0])?, stored(&dtypes[1])?];
    let arrays = arrays.iter().zip(&dtypes);
    if dtypes.iter().any(|name| name == F64) {
        let arrays: Result<Vec<Vec<f64>>> = arrays.map(|(array, name)| doubles(array, name)).collect();
        identified(&arrays?, stored, atol)
    } else {
        let arrays: Result<Vec<Vec<f32>>> = arrays.map(|(array, name)| singles(array, name)).collect();
        identified(&arrays?, stored, atol)
    }
}

fn identified<T: Real>(arrays: &[Vec<T>], [x_dtype, y_dtype]: [DType; 2], atol: f32) -> Result<JsValue> {
    let (x, y) = (&arrays[0], &arrays[1]);
    let gradient = match &arrays[2..] {
        [g, dx] => Some(Gradient { g, dx }),
        _ => None,
    };
    let found = identify_within(x, y, gradient, atol)?;
    object(&Identification {
        function: found.function.to_string(),
        verdict: found.verdict.name(),
        definitions: found.verdict.definitions().iter().map(HardSigmoid::to_string).collect(),
        within: shortest(found.within),
        outliers: found.outliers.clone(),
        nearest: found.nearest().definition.to_string(),
        ranges: found.ranges.map(|ranges| Ranges {
            alpha: ranges.alpha,
            beta: ranges.beta,
        }),
        report: found.report(x, y, x_dtype, y_dtype),
    })
}

/// The number that a person would write for it.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().expect("it is a number")
}

/// The name of float64.
const F64: &str = "f64";

fn stored(name: &str) -> Result<DType> {
    if name == F64 { Ok(DType::F32) } else { dtype(name) }
}

fn doubles(array: &Uint8Array, name: &str) -> Result<Vec<f64>> {
    if name == F64 {
        return Ok(bytemuck::pod_collect_to_vec(&array.to_vec()));
    }
    Ok(singles(array, name)?.into_iter().map(f64::from).collect())
}

fn singles(array: &Uint8Array, name: &str) -> Result<Vec<f32>> {
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
