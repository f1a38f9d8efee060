//! The WebAssembly half of the npm package: plain functions on bytes and text. `index.js` converts the user's arguments to these.
#![cfg(target_family = "wasm")]

mod check;
mod compute;
mod identify;
mod npy;
mod plan;

use hard_sigmoid::{DType, HardSigmoid, Op, Unary};
use serde::Serialize;
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

fn parsed(definition: &str) -> Result<HardSigmoid> {
    Ok(definition.parse::<HardSigmoid>()?)
}

fn dtype(name: &str) -> Result<DType> {
    Ok(name.parse::<DType>()?)
}

/// The operation of this name. JavaScript has those that need nothing but a definition.
fn operation(name: &str, definition: &str) -> Result<Op> {
    let all = Op::all(parsed(definition)?);
    let needs_no_more = |op: &&Op| match op {
        Op::Unary(op) => !matches!(op, Unary::Binarize { .. }),
        Op::Binary(op) => !matches!(op, hard_sigmoid::Binary::StraightThrough(_)),
        op => matches!(op, Op::GateBackward(_)),
    };
    let all: Vec<_> = all.iter().filter(needs_no_more).collect();
    if let Some(op) = all.iter().find(|op| op.name() == name) {
        return Ok(**op);
    }
    let names: Vec<_> = all.iter().map(|op| op.name()).collect();
    Err(error(format_args!(
        "no operation is called \"{name}\"; use one of {}",
        names.join(", ")
    )))
}
