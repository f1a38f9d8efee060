//! `inspect`. What it finds is tested in `src/inspect/tests.rs`.

use crate::{command, succeeded, text, tool};
use std::path::Path;

fn models() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

#[test]
fn it_names_the_activations_of_a_model() {
    let output = tool(&models(), "inspect keras3_export.onnx");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert_eq!(
        text(&output.stdout),
        "\
keras3_export.onnx: ONNX, opset 15, made by tf2onnx 1.17.0 None
  sequential_1/dense_1/truediv  hard_sigmoid  + 3, clip 0 to 6, * 0.16666667  jax

jax: clamp(x + 3, 0, 6) · (1/6)
  the same bits:   jax (jax.nn.hard_sigmoid (XLA), Keras 3 on JAX)
  other roundings: pytorch (by 6e-8), keras3 (by 6e-8)
  other functions: keras (by 0.08), onnx (by 0.08), courbariaux (by 0.33), tangent (by 0.17), sparse (by 0.33)

"
    );
}

/// A Keras 3 file doesn't name its backend, so its hard sigmoid may be one of several functions.
#[test]
fn functions_with_other_results_have_headings_of_their_own() {
    let output = text(&tool(&models(), "inspect keras3.json").stdout);
    let headings = output.lines().filter(|line| line.contains("clamp"));
    assert_eq!(
        headings.collect::<Vec<_>>(),
        [
            "keras3 or pytorch: clamp(x + 3, 0, 6) / 6",
            "jax: clamp(x + 3, 0, 6) · (1/6)",
            "hard swish of keras3: x · (clamp(x + 3, 0, 6) / 6)",
            "hard swish of pytorch: (x · clamp(x + 3, 0, 6)) / 6",
            "hard swish of jax: x · (clamp(x + 3, 0, 6) · (1/6))",
        ]
    );
}

#[test]
fn json_has_an_entry_for_each_file() {
    let output = tool(&models(), "inspect --json keras2.h5 make.py");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("hard-sigmoid: make.py: not an ONNX, Keras"));
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all[0]["file"], "keras2.h5");
    assert_eq!(all[0]["made_by"], "Keras 2.21.0 on tensorflow");
    assert_eq!(
        all[0]["activations"][1],
        serde_json::json!({
            "name": "model/dense",
            "function": "hard_sigmoid",
            "written": "activation: hard_sigmoid",
            "definitions": ["keras"],
        })
    );
    assert!(all[1]["error"].as_str().unwrap().starts_with("not an ONNX, Keras"));
}

#[test]
fn a_model_without_any_is_the_answer_no() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("m.json"),
        r#"{"class_name": "M", "config": {"name": "\u001b[31m"}}"#,
    )
    .unwrap();
    let output = tool(folder.path(), "inspect m.json");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), String::new()));
    assert_eq!(text(&output.stdout), "m.json: Keras JSON\n  no hard sigmoid\n\n");
}

#[test]
fn a_model_may_come_from_standard_input() {
    let mut command = command(&models(), "inspect -");
    command.stdin(std::fs::File::open(models().join("keras3.json")).unwrap());
    let piped = succeeded(&command.output().unwrap());
    let named = succeeded(&tool(&models(), "inspect keras3.json"));
    assert_eq!(piped, named.replacen("keras3.json", "-", 1));
}
