//! The WebAssembly half of the npm package: plain functions on bytes and text. `index.js` converts the user's arguments to these.
#![cfg(target_family = "wasm")]

mod check;
mod compute;
mod identify;
mod npy;
mod plan;
mod quantized;

use hard_sigmoid::{DType, HardSigmoid, Op, Parameters};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use wasm_bindgen::prelude::*;

type Result<T> = std::result::Result<T, JsError>;

fn error(error: impl Display) -> JsError {
    JsError::new(&error.to_string())
}

fn object(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true);
    value.serialize(&serializer).map_err(error)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    text: String,
    name: &'static str,
    formula: String,
    slope: f32,
    shift: f32,
    kinks: Option<(f32, f32)>,
    kink_rule: String,
    source: Option<&'static str>,
}

/// Describes a definition, by a preset's name or alias, or `affine(ALPHA, BETA, RULE)`.
#[wasm_bindgen]
pub fn definition(text: &str) -> Result<JsValue> {
    let definition = parsed(text)?;
    object(&Described {
        text: definition.to_string(),
        name: definition.name(),
        formula: definition.formula(),
        slope: definition.slope(),
        shift: definition.shift(),
        kinks: definition.kinks(),
        kink_rule: definition.kink_rule().to_string(),
        source: definition.preset().map(|preset| preset.source),
    })
}

/// The names of the presets.
#[wasm_bindgen]
pub fn presets() -> Vec<String> {
    HardSigmoid::PRESETS
        .iter()
        .map(|preset| preset.name.to_owned())
        .collect()
}

/// The version of the package.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// A sample of an operation: its name, its parameters as `index.js` takes them, and the types of elements that it takes.
#[derive(Serialize)]
struct Sample {
    operation: &'static str,
    parameters: Given,
    dtypes: Vec<String>,
}

/// Every operation with a definition.
#[wasm_bindgen]
pub fn operations(definition: &str) -> Result<JsValue> {
    let sample = |op: Op| {
        let given = op.parameters();
        let parameters = Given {
            definition: given.definition.map(|it| it.to_string()),
            seed: given.seed,
            offset: given.offset,
            scale: given.scale,
            estimator: given.estimator.map(|it| it.to_string()),
            middle: given.middle,
            inner: given.inner,
        };
        let operation = op.name();
        let dtypes = op.dtypes().iter().map(DType::to_string).collect();
        Sample {
            operation,
            parameters,
            dtypes,
        }
    };
    let all: Vec<_> = Op::all(parsed(definition)?).into_iter().map(sample).collect();
    // A seed may be beyond 2^53. What is missing is undefined.
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_large_number_types_as_bigints(true);
    all.serialize(&serializer).map_err(error)
}

fn parsed(definition: &str) -> Result<HardSigmoid> {
    Ok(definition.parse::<HardSigmoid>()?)
}

fn dtype(name: &str) -> Result<DType> {
    Ok(name.parse::<DType>()?)
}

/// What `index.js` gives besides tensors.
#[derive(Serialize, Deserialize)]
struct Given {
    definition: Option<String>,
    seed: Option<u64>,
    offset: Option<u64>,
    scale: Option<f32>,
    estimator: Option<String>,
    middle: Option<u32>,
    inner: Option<u32>,
}

/// The operation of this name, with an object of parameters.
fn operation(name: &str, parameters: JsValue) -> Result<Op> {
    let given: Given = serde_wasm_bindgen::from_value(parameters).map_err(error)?;
    let parameters = Parameters {
        definition: given.definition.as_deref().map(parsed).transpose()?,
        seed: given.seed,
        offset: given.offset,
        scale: given.scale,
        estimator: given.estimator.map(|text| text.parse()).transpose()?,
        middle: given.middle,
        inner: given.inner,
    };
    Ok(Op::new(name, &parameters)?)
}
