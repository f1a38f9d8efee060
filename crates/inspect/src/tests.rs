//! Files that the real exporters made (`tests/models/make.py`), and what becomes of damaged ones.

use super::{Activation, Function, Model, Source, bits::Sample, damage::damaged, onnx, read_from};
use hard_sigmoid::HardSigmoid;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Reads a model without files beside it.
pub fn parsed(bytes: Vec<u8>) -> Result<Model, String> {
    let nothing = |_: &str| Err(ErrorKind::NotFound.into());
    read_from(Cursor::new(bytes), &mut { nothing }).map_err(|error| error.to_string())
}

/// Reads a model, with the files that may lie beside it.
fn parsed_file(name: &str) -> Result<Model, String> {
    super::read(&models().join(name)).map_err(|error| error.to_string())
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(models().join(name)).unwrap()
}

/// The name of each activation, with "swish" for a hard swish, and its definitions.
fn rows(model: &Model) -> Vec<(String, String)> {
    let row = |one: &Activation| {
        let names: Vec<_> = one.definitions.iter().map(ToString::to_string).collect();
        let swish = if one.function == Function::HardSwish {
            "swish "
        } else {
            ""
        };
        (one.name.clone(), format!("{swish}{}", names.join(" ")))
    };
    model.activations.iter().map(row).collect()
}

const SIXTH: &str = "affine(0.16666667, 0.5, strict)";
const SWISH: &str = "swish affine(0.16666667, 0.5, strict)";

/// Names and definitions as [`rows`] gives them.
type Rows = &'static [(&'static str, &'static str)];

/// Beside the ONNX files is what the onnx package prints of their graphs.
const EXPECTED: &[(&str, &str, Rows)] = &[
    (
        "torch_activations_dynamo_18.onnx",
        "ONNX, opset 18",
        &[
            ("node_hardsigmoid", SIXTH),
            ("n0", SWISH),
            ("node_div", "pytorch keras3"),
            ("node_mul", "jax"),
            ("node_div_1", "swish pytorch"),
            ("node_mul_2", "swish keras3"),
            ("node_Clip_54", "keras onnx"),
            ("node_Clip_55", "courbariaux sparse"),
        ],
    ),
    (
        "torch_activations_torchscript_11.onnx",
        "ONNX, opset 11",
        &[
            ("/sigmoid/HardSigmoid", SIXTH),
            ("/swish/Mul", SWISH),
            ("/Div", "pytorch keras3"),
            ("/Mul", "jax"),
            ("/Div_1", "swish pytorch"),
            ("/Mul_2", "swish keras3"),
            ("/Clip_1", "keras onnx"),
            ("/Clip_2", "courbariaux sparse"),
        ],
    ),
    (
        "torch_activations_torchscript_18.onnx",
        "ONNX, opset 18",
        &[
            ("/sigmoid/HardSigmoid", SIXTH),
            ("/swish/HardSwish", SWISH),
            ("/Div", "pytorch keras3"),
            ("/Mul", "jax"),
            ("/Div_1", "swish pytorch"),
            ("/Mul_2", "swish keras3"),
            ("/Clip_1", "keras onnx"),
            ("/Clip_2", "courbariaux sparse"),
        ],
    ),
    (
        "torch_block_dynamo_18.onnx",
        "ONNX, opset 18",
        &[("n0", SWISH), ("node_hardsigmoid", SIXTH)],
    ),
    (
        "torch_block_torchscript_11.onnx",
        "ONNX, opset 11",
        &[("/swish/Mul", SWISH), ("/gate/HardSigmoid", SIXTH)],
    ),
    (
        "torch_block_torchscript_18.onnx",
        "ONNX, opset 18",
        &[("/swish/HardSwish", SWISH), ("/gate/HardSigmoid", SIXTH)],
    ),
    (
        "onnx_written_out.onnx",
        "ONNX, opset 18",
        &[
            ("fifths_quotient", ""),
            ("fifths_product", ""),
            ("fifth_first", ""),
            ("sixth_first", ""),
            ("falling", ""),
            ("swish_product_last", "swish "),
            ("swish_quotient_last", "swish pytorch"),
            ("swish_quotient", "swish keras3"),
            ("sixths_quotient", "pytorch keras3"),
            ("sixths_product", "jax"),
            ("keras_2", "keras onnx"),
            ("relu_then_product", ""),
            ("binary_net", "courbariaux sparse"),
            ("where_of_y", "keras onnx"),
            ("where_of_x", ""),
            ("constant", "affine(0, 0.5, strict)"),
            ("sixth", SIXTH),
            ("swish", SWISH),
        ],
    ),
    (
        "onnx_functions.onnx",
        "ONNX, opset 18",
        &[
            ("steep/gate", "affine(0.75, 0.25, strict)"),
            ("default/gate", "keras onnx"),
            ("nested/inner/gate", SIXTH),
            ("passed/divide", "pytorch keras3"),
        ],
    ),
    (
        "onnx_layers.onnx",
        "ONNX, opset 18",
        &[("recurrent", "keras onnx"), ("fused", "keras onnx")],
    ),
    (
        "onnx_external.onnx",
        "ONNX, opset 18",
        &[("elsewhere", "pytorch keras3")],
    ),
    (
        "onnx_quantized_qdq.onnx",
        "ONNX, opset 18",
        &[("n0", SWISH), ("node_hardsigmoid", SIXTH)],
    ),
    (
        "onnx_quantized_qoperator.onnx",
        "ONNX, opset 18",
        &[("n0", SWISH), ("node_hardsigmoid", SIXTH)],
    ),
    // TensorFlow has made the division a product.
    (
        "keras3_export.onnx",
        "ONNX, opset 15",
        &[("sequential_1/dense_1/truediv", "jax")],
    ),
    (
        "keras2_tf2onnx.onnx",
        "ONNX, opset 15",
        &[
            ("LSTM__32", "keras onnx"),
            ("model/dense/clip_by_value", "keras onnx"),
            ("model/inner/gate/clip_by_value", "keras onnx"),
        ],
    ),
    (
        "tflite_float.tflite",
        "TensorFlow Lite, version 3",
        &[
            (
                "functional_1/Mul_1;;functional_1/re_lu_1/Relu6;functional_1/Add;functional_1/Mul",
                "swish pytorch",
            ),
            ("functional_1/Mul_2", "jax"),
            ("StatefulPartitionedCall_1:0", "swish pytorch"),
        ],
    ),
    (
        "tflite_int8.tflite",
        "TensorFlow Lite, version 3",
        &[
            (
                "functional_1/Mul_1;;functional_1/re_lu_1/Relu6;functional_1/Add;functional_1/Mul",
                "swish pytorch",
            ),
            ("StatefulPartitionedCall_1:0", "swish pytorch"),
        ],
    ),
    (
        "tflite_steps.tflite",
        "TensorFlow Lite, version 3",
        &[
            ("PartitionedCall:5", "jax"),
            ("PartitionedCall:7", "swish pytorch"),
            ("PartitionedCall:0", "courbariaux sparse"),
            ("PartitionedCall:2", "keras onnx"),
            ("PartitionedCall:3", "tangent"),
            ("PartitionedCall:1", ""),
            ("PartitionedCall:8", SIXTH),
        ],
    ),
    (
        "tflite_keras2.tflite",
        "TensorFlow Lite, version 3",
        &[("sequential/activation/clip_by_value", "keras onnx")],
    ),
    (
        "tflite_half.tflite",
        "TensorFlow Lite, version 3",
        &[("sequential/activation/clip_by_value", "affine(0.19995117, 0.5, strict)")],
    ),
    (
        "tflite_lstm.tflite",
        "TensorFlow Lite, version 3",
        &[
            (
                "sequential_1/lstm/while_body/sequential_1/lstm/while/lstm_cell/clip_by_value",
                "keras onnx",
            ),
            (
                "sequential_1/lstm/while_body/sequential_1/lstm/while/lstm_cell/clip_by_value_1",
                "keras onnx",
            ),
            (
                "sequential_1/lstm/while_body/sequential_1/lstm/while/lstm_cell/clip_by_value_2",
                "keras onnx",
            ),
        ],
    ),
    ("keras2.keras", ".keras archive", KERAS2),
    ("keras2.h5", "Keras HDF5", KERAS2),
    ("keras2.json", "Keras JSON", KERAS2),
    ("tfjs.json", "TensorFlow.js layers model", KERAS2),
    ("keras3.keras", ".keras archive", KERAS3),
    (
        "keras3.h5",
        "Keras HDF5",
        &[
            ("functional_1/lstm", "keras3 jax"),
            ("functional_1/dense", "keras3 jax"),
            ("functional_1/inner/gate", "keras3 jax"),
            ("functional_1/swish", "swish keras3 jax"),
            ("functional_1/function", "keras3 jax"),
        ],
    ),
    ("keras3.json", "Keras JSON", KERAS3),
    (
        "keras3_steps.json",
        "Keras JSON",
        &[
            ("steps/true_divide", "pytorch keras3 jax"),
            ("steps/multiply", "jax"),
            ("steps/true_divide_1", "swish pytorch jax"),
            ("steps/multiply_2", "swish keras3 jax"),
            ("steps/multiply_4", "swish jax"),
            ("steps/true_divide_3", "swish "),
            ("steps/clip", "keras onnx"),
            ("steps/clip_1", "affine(0.16666667, 0.5, strict)"),
            ("steps/multiply_7", "swish affine(0.16666667, 0.5, strict)"),
            ("steps/clip_3", "affine(-0.2, 0.5, strict)"),
            ("steps/where_1", "affine(0.16666667, 0.5, strict)"),
        ],
    ),
    (
        "keras2_steps.json",
        "Keras JSON",
        &[
            ("steps/tf.math.truediv", "pytorch keras3 jax"),
            ("steps/tf.math.multiply", "jax"),
            ("steps/tf.math.truediv_1", "swish pytorch jax"),
            ("steps/tf.math.multiply_2", "swish keras3 jax"),
            ("steps/tf.math.multiply_4", "swish jax"),
            ("steps/tf.math.truediv_3", "swish "),
            ("steps/tf.clip_by_value", "keras onnx"),
            ("steps/tf.clip_by_value_1", "affine(0.16666667, 0.5, strict)"),
            ("steps/tf.math.multiply_7", "swish affine(0.16666667, 0.5, strict)"),
            ("steps/tf.clip_by_value_3", "affine(-0.2, 0.5, strict)"),
            ("steps/tf.where_1", "affine(0.16666667, 0.5, strict)"),
        ],
    ),
    (
        "keras2_written_out.json",
        "Keras JSON",
        &[
            ("written_out/tf.math.truediv", "pytorch keras3 jax"),
            ("written_out/tf.math.multiply", "jax"),
            ("written_out/swish", "swish jax"),
            ("written_out/tf.math.truediv_1", "pytorch keras3 jax"),
            // Nobody has these bits.
            ("written_out/tf.math.truediv_2", "swish "),
            ("written_out/tf.clip_by_value", "keras onnx"),
            ("written_out/inner/limit", "courbariaux sparse"),
        ],
    ),
    (
        "keras3_written_out.json",
        "Keras JSON",
        &[
            ("written_out/true_divide", "pytorch keras3 jax"),
            ("written_out/multiply", "jax"),
            ("written_out/swish", "swish jax"),
            ("written_out/true_divide_1", "pytorch keras3 jax"),
            ("written_out/true_divide_2", "swish "),
            ("written_out/clip", "keras onnx"),
            ("written_out/inner/limit", "courbariaux sparse"),
        ],
    ),
];

const KERAS2: Rows = &[
    ("model/lstm", "keras"),
    ("model/dense", "keras"),
    ("model/inner/gate", "keras"),
];

/// What is found in files of Keras 3 in two formats, neither of which tells the backend.
const KERAS3: Rows = &[
    ("functional_1/lstm", "keras3 jax pytorch"),
    ("functional_1/dense", "keras3 jax pytorch"),
    ("functional_1/inner/gate", "keras3 jax pytorch"),
    ("functional_1/swish", "swish keras3 jax pytorch"),
    ("functional_1/function", "keras3 jax pytorch"),
];

#[test]
fn every_activation_of_the_exporters_files_is_named() {
    for (name, format, expected) in EXPECTED {
        let model = parsed_file(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = rows(&model);
        let found: Vec<_> = found
            .iter()
            .map(|(name, which)| (name.as_str(), which.as_str()))
            .collect();
        assert_eq!(found, *expected, "{name}");
        assert_eq!(model.format, *format, "{name}");
        assert!(model.made_by.is_some(), "{name}");
    }
    let files = std::fs::read_dir(models()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let is_model = |name: &String| {
        let ends = [".onnx", ".tflite", ".keras", ".h5", ".json"];
        ends.iter().any(|end| name.ends_with(end)) && name != "frameworks.json"
    };
    assert_eq!(names.filter(is_model).count(), EXPECTED.len(), "a file isn't tested");
}

#[test]
fn what_is_no_model_is_refused() {
    for (bytes, message) in [
        (&b""[..], "it is empty"),
        (b"{}", "no Keras model"),
        (b"\xef\xbb\xbf [1]", "no Keras model"),
        (b"{", "not JSON"),
        (b"{\"modelTopology\": {\"node\": []}}", "graph model"),
        (b"PK\x03\x04", "a damaged archive"),
        (b"\x89HDF\r\n\x1a\n", "a damaged HDF5 file"),
        (b"hello", "not an ONNX, Keras, TensorFlow.js or TensorFlow Lite model"),
        // One field that is unknown.
        (b"\x98\x06\x01", "no graph"),
    ] {
        let error = parsed(bytes.to_vec()).unwrap_err();
        assert!(error.contains(message), "{error}");
        assert!(!error.contains('\n'));
    }
    let deep = "[".repeat(100_000);
    assert!(
        parsed(format!("{{\"class_name\": {deep}").into_bytes())
            .unwrap_err()
            .contains("recursion")
    );
}

/// Keras 3 writes a layer for each direction, and Keras 2 one for both.
#[test]
fn what_is_computed_twice_counts_twice() {
    let total = |layers: &[Value]| {
        let config = json!({"name": "m", "layers": layers, "output_layers": []});
        let config = json!({"class_name": "Functional", "config": config});
        let of_js = json!({"modelTopology": config});
        let model = json!({"model_config": config, "keras_version": "2.15.0"});
        let [model, of_js] = [model, of_js].map(|model| parsed(model.to_string().into_bytes()).unwrap());
        let count = |model: &Model| model.totals.iter().map(|total| total.count).collect::<Vec<_>>();
        assert_eq!(count(&model), count(&of_js));
        (
            model.activations.len(),
            model.to_string().lines().last().unwrap().to_owned(),
        )
    };
    let of = |count: usize| format!("{count} activations: {count} hard_sigmoid, all keras or none");
    let called = |mut layer: Value, calls: usize| {
        layer["inbound_nodes"] = json!(vec![json!([["x", 0, 0, {}]]); calls]);
        layer
    };
    let dense = || layer("Dense", "d", json!({"activation": "hard_sigmoid"}), &[]);
    assert_eq!(total(&[called(dense(), 2)]), (1, of(2)));
    let inner = json!({"class_name": "Sequential", "config": {"name": "inner", "layers": [dense()]}});
    assert_eq!(total(&[called(inner, 3)]), (1, of(3)));
    let gru = |name: &str| layer("GRU", name, json!({"recurrent_activation": "hard_sigmoid"}), &[]);
    let both = |config: Value| called(layer("Bidirectional", "b", config, &[]), 2);
    assert_eq!(total(&[both(json!({"layer": gru("g")}))]), (1, of(4)));
    let given = json!({"layer": gru("forward"), "backward_layer": gru("backward")});
    assert_eq!(total(&[both(given)]), (2, of(4)));
    // Steps are found in each call.
    let steps = gate(result("x", 0), json!(6));
    let relu = json!([{"args": [result("add", 0)], "kwargs": {}}, {"args": [result("more", 0)], "kwargs": {}}]);
    let mut steps = steps;
    steps[1]["inbound_nodes"] = relu;
    let again = json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["relu", 1, 0]}});
    steps.push(layer("Add", "more", json!({}), &[result("x", 0), json!(3.0)]));
    steps.push(layer("Divide", "again", json!({}), &[again, json!(6)]));
    let (count, line) = total(&steps);
    assert!(
        count == 2 && line.starts_with("2 activations: 2 hard_sigmoid, all pytorch"),
        "{line}"
    );
}

/// What is found in a functional model of these layers, and its note.
fn functional(layers: &[Value], outputs: Value) -> (Vec<(String, String)>, Option<String>) {
    let model = json!({
        "class_name": "Functional",
        "config": {"name": "m", "layers": layers, "output_layers": outputs},
    });
    let model = parsed(model.to_string().into_bytes()).unwrap();
    (rows(&model), model.note)
}

/// An operation or layer of Keras 3.
fn layer(class: &str, name: &str, config: Value, operands: &[Value]) -> Value {
    let mut config = config;
    config["name"] = name.into();
    json!({"class_name": class, "config": config, "inbound_nodes": [{"args": operands, "kwargs": {}}]})
}

/// A result of a layer's first call.
fn result(layer: &str, which: usize) -> Value {
    json!({"class_name": "__keras_tensor__", "config": {"keras_history": [layer, 0, which]}})
}

/// b + 3, clip 0 to 6, / 6, with `six` in the last place.
fn gate(b: Value, six: Value) -> Vec<Value> {
    vec![
        layer("Add", "add", json!({}), &[b, json!(3.0)]),
        layer("ReLU", "relu", json!({"max_value": 6.0}), &[result("add", 0)]),
        layer("Divide", "gate", json!({}), &[result("relu", 0), six]),
    ]
}

#[test]
fn results_of_a_layer_are_told_apart() {
    let multiply = |a: Value| {
        let mut layers = gate(result("split", 1), json!(6));
        layers.push(layer("Multiply", "product", json!({}), &[a, result("gate", 0)]));
        functional(&layers, json!([["product", 0, 0]])).0
    };
    assert_eq!(
        multiply(result("split", 1)),
        [("m/product".into(), "swish keras3 jax".into())]
    );
    assert_eq!(
        multiply(result("split", 0)),
        [("m/gate".into(), "pytorch keras3 jax".into())]
    );
}

#[test]
fn constants_come_in_several_forms() {
    let found = |six: Value| functional(&gate(result("x", 0), six), json!(["gate", 0, 0])).0;
    for six in [
        json!(6),
        json!([6.0, 6.0]),
        json!({"class_name": "__tensor__", "config": {"value": 6.0, "dtype": "float32"}}),
        json!({"class_name": "__numpy__", "config": {"value": [[6.0, 6.0]], "dtype": "float32"}}),
    ] {
        assert_eq!(
            found(six.clone()),
            [("m/gate".into(), "pytorch keras3 jax".into())],
            "{six}"
        );
    }
    for other in [json!([6.0, 5.0]), json!([]), json!(null), json!("6"), result("y", 0)] {
        assert_eq!(found(other.clone()), [], "{other}");
    }
}

#[test]
fn layers_that_are_code_are_not_guessed() {
    let plain = gate(result("x", 0), json!(6));
    assert_eq!(functional(&plain, json!([])).1, None);
    let is_code = |layers: &[Value]| {
        let (found, note) = functional(layers, json!([]));
        found.is_empty() && note.is_some_and(|note| note.starts_with("it has layers or functions that are code"))
    };
    for (module, registered) in [
        (json!(null), "Custom>ReLU"),
        (json!("mobilenet"), "ReLU"),
        (json!("keras_cv.layers"), "ReLU"),
    ] {
        let mut own = plain.clone();
        own[1]["module"] = module;
        own[1]["registered_name"] = json!(registered);
        assert!(is_code(&own), "{own:?}");
    }
    let of_module = |module: &str| {
        let mut hard_sigmoid = layer("HardSigmoid", "h", json!({}), &[]);
        hard_sigmoid["module"] = json!(module);
        hard_sigmoid
    };
    assert!(is_code(&[of_module("mobilenet")]));
    let found = functional(&[of_module("keras.src.ops.nn")], json!([]));
    assert_eq!(found, (vec![("m/h".into(), "keras keras3 jax pytorch".into())], None));
    assert!(is_code(&[layer("Lambda", "l", json!({}), &[])]));
    let own_function = json!({"module": "builtins", "class_name": "function", "config": "h_swish"});
    assert!(is_code(&[layer(
        "Dense",
        "d",
        json!({"activation": own_function}),
        &[]
    )]));
    assert!(is_code(&[layer("Dense", "d", json!({"activation": "h_swish"}), &[])]));
    // Keras has no layer of this name, so it is the model's own, also where no module is named, as in HDF5.
    let own = layer("HardSigmoid", "h", json!({"trainable": true}), &[]);
    assert_eq!(functional(&[own], json!([])).0, []);
}

#[test]
fn operations_by_name() {
    for (class, expected) in [("HardSilu", "swish keras3 jax pytorch"), ("SparseSigmoid", "sparse")] {
        let operation = layer(class, "h", json!({}), &[]);
        let found = functional(&[operation], json!([])).0;
        assert_eq!(found, [("m/h".into(), expected.into())], "{class}");
    }
}

#[test]
fn operations_come_in_several_forms() {
    let found = |layers: &[Value]| functional(layers, json!([])).0;
    let x = || result("x", 0);
    for (class, config) in [
        ("Relu6", json!({})),
        ("Clip", json!({"x_min": 0, "x_max": 6})),
        ("Activation", json!({"activation": "relu6"})),
        (
            "Activation",
            json!({"activation": {"class_name": "function", "config": "relu6"}}),
        ),
        ("TFOpLambda", json!({"function": "nn.relu6"})),
    ] {
        let mut layers = gate(x(), json!(6));
        layers[1] = layer(class, "relu", config, &[result("add", 0)]);
        assert_eq!(
            found(&layers),
            [("m/gate".into(), "pytorch keras3 jax".into())],
            "{class}"
        );
    }
    let mut layers = gate(x(), json!(6));
    layers[0]["inbound_nodes"] = json!([{"args": [], "kwargs": {"x2": 3.0, "x1": x()}}]);
    assert_eq!(found(&layers), [("m/gate".into(), "pytorch keras3 jax".into())]);
    // 3 - (-x), and two limits.
    let layers = [
        layer("Negative", "n", json!({}), &[x()]),
        layer("Subtract", "s", json!({}), &[json!(3), result("n", 0)]),
        layer("Maximum", "low", json!({}), &[json!(0), result("s", 0)]),
        layer("Minimum", "high", json!({}), &[result("low", 0), json!(6)]),
        layer("TrueDivide", "gate", json!({}), &[result("high", 0), json!(6)]),
    ];
    assert_eq!(found(&layers), [("m/gate".into(), "pytorch keras3 jax".into())]);
}

#[test]
fn functions_by_name() {
    let found = |keras: &str, activation: &str| {
        let dense = layer("Dense", "d", json!({"activation": activation}), &[]);
        let model = json!({
            "class_name": "Functional",
            "config": {"name": "m", "layers": [dense], "output_layers": []},
        });
        let model = json!({"model_config": model, "keras_version": keras, "backend": "jax"});
        rows(&parsed(model.to_string().into_bytes()).unwrap())
    };
    for (keras, activation, expected) in [
        ("2.15.0", "hard_sigmoid", "keras"),
        ("3.15.1", "hard_sigmoid", "jax"),
        ("3.15.1", "hard_silu", "swish jax"),
        ("2.15.0", "hard_swish", "swish keras3 jax pytorch"),
        ("3.15.1", "sparse_sigmoid", "sparse"),
    ] {
        assert_eq!(
            found(keras, activation),
            [("m/d".into(), expected.into())],
            "{activation}"
        );
    }
    assert_eq!(found("3.15.1", "sigmoid"), []);
}

#[test]
fn without_a_version_each_is_named() {
    let dense = layer("Dense", "d", json!({"activation": "hard_sigmoid"}), &[]);
    let found = functional(&[dense], json!([])).0;
    assert_eq!(found, [("m/d".into(), "keras keras3 jax pytorch".into())]);
}

/// Layers lie in layers that don't call them one by one.
#[test]
fn layers_without_a_name_and_of_other_classes() {
    let found = |class: &str, between: &str| {
        let scale = json!({"class_name": "Rescaling", "config": {"name": "scale", "scale": 0.5, "offset": 0.5}});
        let limit = json!({"class_name": "ReLU", "config": {"name": "limit", "max_value": 1}});
        let between = serde_json::from_str(between).unwrap();
        let layers: Vec<Value> = [vec![scale], between, vec![limit]].concat();
        let model = json!({"class_name": class, "config": {"name": "m", "layers": layers}});
        rows(&parsed(model.to_string().into_bytes()).unwrap())
    };
    assert_eq!(
        found("Sequential", "[]"),
        [("m/limit".into(), "courbariaux sparse".into())]
    );
    assert_eq!(found("Sequential", r#"[{"class_name": "Square", "config": {}}]"#), []);
    assert_eq!(found("Parallel", "[]"), []);
}

/// Python writes infinities like this.
#[test]
fn infinity_and_nan_are_read() {
    let text = r#"{"class_name": "Sequential", "config": {"name": "a \" Infinity", "layers": [
        {"class_name": "Rescaling", "config": {"name": "NaN", "scale": 0.5, "offset": 0.5, "x": [-Infinity, NaN]}},
        {"class_name": "Clip", "config": {"name": "c", "x_min": 0, "x_max": Infinity}},
        {"class_name": "Clip", "config": {"name": "d", "x_min": -Infinity, "x_max": 1}}]}}"#;
    let model = parsed(text.into()).unwrap();
    assert_eq!(rows(&model), [("a \" Infinity/d".into(), "courbariaux sparse".into())]);
}

#[test]
fn a_choice_that_is_not_followed_is_noted() {
    let note = |bound: f32| {
        let choice = [result("c", 0), result("x", 0), result("square", 0)];
        let layers = [
            layer("Greater", "c", json!({}), &[result("x", 0), json!(bound)]),
            layer("Multiply", "square", json!({}), &[result("x", 0), result("x", 0)]),
            layer("Where", "choice", json!({}), &choice),
        ];
        functional(&layers, json!([["choice", 0, 0]])).1
    };
    assert!(note(3.0).unwrap().starts_with("m/choice chooses by a comparison"));
    // A leaky ReLU, say.
    assert_eq!(note(0.0), None);
}

/// Layers that take their own results never compute anything. The rest is read.
#[test]
fn layers_that_take_their_own_results_are_left_out() {
    let scale = |name: &str, x: &str| {
        let config = json!({"scale": 0.5, "offset": 0.5});
        layer("Rescaling", name, config, &[result(x, 0)])
    };
    let limit = |name: &str, x: &str| layer("ReLU", name, json!({"max_value": 1}), &[result(x, 0)]);
    let layers = [scale("a", "x"), limit("b", "a"), scale("c", "d"), limit("d", "c")];
    let found = functional(&layers, json!([["b", 0, 0], ["d", 0, 0]])).0;
    assert_eq!(found, [("m/b".into(), "courbariaux sparse".into())]);
}

/// Whether what is said of an activation is what a framework computed: the bits of the steps, and how many differ from each preset.
fn check(activation: &Activation, way: &str, fact: &Value, sample: &Sample) -> Result<(), String> {
    let is_way = |by: &str| is_of(by, way) || by.is_empty();
    let by = activation.ways.iter().find(|one| is_way(one.computed_by));
    let results = sample.results(activation.function, &by.ok_or("no such way")?.how);
    let bytes: Vec<u8> = results.iter().flat_map(|y| y.to_le_bytes()).collect();
    if crc32(&bytes) != fact["crc32"] {
        return Err("other bits".into());
    }
    let computed = &activation.computed;
    let of_way = computed
        .iter()
        .find(|one| one.computed_by.is_empty() || one.computed_by.iter().any(|by| is_of(by, way)));
    let of_way = of_way.ok_or("said of other ways")?;
    let presets = fact["differing"].as_object().unwrap();
    assert_eq!(presets.len(), HardSigmoid::PRESETS.len());
    for (preset, differing) in presets {
        let of = |one: &HardSigmoid| one.to_string() == *preset;
        let exact = of_way.exact.iter().filter(|one| of(one)).map(|_| 0);
        let others = of_way.roundings.iter().chain(&of_way.functions);
        let others = others.filter(|one| of(&one.definition)).map(|one| one.differing);
        let said: Vec<usize> = exact.chain(others).collect();
        if said.len() != 1 || said[0] != *differing {
            return Err(format!("{preset}: {said:?}, not {differing}"));
        }
    }
    Ok(())
}

/// Whether the answer names this way, which may fuse.
fn is_of(by: &str, way: &str) -> bool {
    by.strip_suffix(", where it fuses").unwrap_or(by) == way
}

/// The CRC-32 of zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
    !bytes
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), shift))
}

/// A model of Keras 2 or 3 with these functions.
fn of_keras(version: &str, backend: Option<&str>) -> Model {
    let layers = ["hard_sigmoid", "hard_silu", "sparse_sigmoid"];
    let layers = layers.map(|name| layer("Activation", name, json!({"activation": name}), &[]));
    let mut model = json!({
        "class_name": "Functional",
        "config": {"name": "m", "layers": layers, "output_layers": []},
        "keras_version": version,
    });
    if let Some(backend) = backend {
        model["backend"] = backend.into();
    }
    parsed(model.to_string().into_bytes()).unwrap()
}

/// `frameworks.json` has the bits of ONNX Runtime, TensorFlow, PyTorch, JAX and NumPy.
#[test]
fn the_bits_are_those_of_the_frameworks() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let facts: Value = serde_json::from_slice(&read("frameworks.json")).unwrap();
    let sample = Sample::new();
    let mut checked = 0;
    for (name, of_model) in facts.as_object().unwrap() {
        let on = |backend: Option<&str>| match name.as_str() {
            "Keras 3" => of_keras("3.15.1", backend),
            "Keras 2" => of_keras("2.21.0", backend),
            name if name.ends_with(".json") => {
                let mut model: Value = serde_json::from_slice(&read(name)).unwrap();
                if let Some(backend) = backend {
                    model["backend"] = backend.into();
                }
                parsed(model.to_string().into_bytes()).unwrap()
            }
            name => parsed_file(name).unwrap(),
        };
        let (any, numpy) = (on(None), on(Some("numpy")));
        for (activation, ways) in of_model.as_object().unwrap() {
            let ways = ways.as_object().unwrap();
            for (way, fact) in ways {
                let model = if way == "NumPy" { &numpy } else { &any };
                let is_it = |one: &&Activation| one.name == *activation || one.name == format!("m/{activation}");
                let one = model.activations.iter().find(is_it);
                let one = one.unwrap_or_else(|| panic!("{name}: {activation} isn't found"));
                if let Err(error) = check(one, way, fact, &sample) {
                    panic!("{name}, {activation}, {way}: {error}");
                }
                let mut wrong_bits = fact.clone();
                wrong_bits["crc32"] = (fact["crc32"].as_u64().unwrap() ^ 1).into();
                assert!(check(one, way, &wrong_bits, &sample).is_err());
                let mut wrong_count = fact.clone();
                wrong_count["differing"]["jax"] = (fact["differing"]["jax"].as_u64().unwrap() + 1).into();
                assert!(check(one, way, &wrong_count, &sample).is_err());
                checked += 1;
            }
            // Nothing is said of a way that no framework confirmed.
            let one = any
                .activations
                .iter()
                .find(|one| one.name.ends_with(activation.as_str()))
                .unwrap();
            for way in &one.ways {
                assert!(
                    ways.keys().any(|one| is_of(way.computed_by, one)),
                    "{name}, {activation}: {}",
                    way.computed_by
                );
            }
        }
    }
    assert_eq!(checked, FACTS);
}

/// The number of facts in `frameworks.json`.
const FACTS: usize = 177;

/// Keras's `sparse_sigmoid` tests x on TensorFlow and PyTorch. There y has the bits of presets, and the gradient is
/// nobody's.
#[test]
fn the_gradient_of_sparse_sigmoid_is_its_own() {
    let of = |backend| {
        let model = of_keras("3.15.1", Some(backend));
        let sparse = model
            .activations
            .into_iter()
            .find(|one| one.name == "m/sparse_sigmoid")
            .unwrap();
        let names: Vec<_> = sparse.definitions.iter().map(ToString::to_string).collect();
        (names.join(" "), sparse.gradient.is_some())
    };
    assert_eq!(of("tensorflow"), ("courbariaux sparse".into(), true));
    assert_eq!(of("torch"), ("courbariaux sparse".into(), true));
    assert_eq!(of("jax"), ("sparse".into(), false));
}

/// A model that counts the bytes that are read of it.
struct Counted(Cursor<Vec<u8>>, Arc<AtomicU64>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count as u64, Relaxed);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// How many bytes are read of a model.
fn bytes_read<T>(model: Vec<u8>, read: impl FnOnce(Counted) -> T) -> (u64, T) {
    let count = Arc::new(AtomicU64::new(0));
    let result = read(Counted(Cursor::new(model), count.clone()));
    (count.load(Relaxed), result)
}

/// A model of TFLite with these weights in place of four, at the end of the file. They are found by the distance to them.
fn with_weights(mut model: Vec<u8>, weights: &[u8]) -> Vec<u8> {
    let word = |model: &[u8], at: usize| u32::from_le_bytes(model[at..at + 4].try_into().unwrap()) as usize;
    let end = model.len();
    let leads_to_data = |&at: &usize| {
        let to = at + word(&model, at);
        to % 4 == 0 && to + 20 <= end && word(&model, to) == 16 && at < to && word(&model, at) < 64
    };
    // The first is no weight, but a version.
    let at = (0..end - 4).step_by(4).filter(leads_to_data).nth(1).unwrap();
    model[at..at + 4].copy_from_slice(&((end - at) as u32).to_le_bytes());
    model.extend((weights.len() as u32).to_le_bytes());
    model.extend(weights);
    model
}

/// Models with 16 MiB of weights or more.
#[test]
fn weights_are_not_read() {
    const WEIGHTS: usize = 16 << 20;
    let mut state = 1_u32;
    let mut random = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let weights: Vec<u8> = (0..WEIGHTS).map(&mut random).collect();
    let archive = {
        let mut archive = zip::ZipWriter::new(Cursor::new(vec![]));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let config = read("keras3.json");
        for (name, content) in [("a.h5", &weights), ("config.json", &config), ("b.h5", &weights)] {
            archive.start_file(name, options).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    };
    let hdf5 = {
        let config = String::from_utf8(read("keras3.json")).unwrap();
        let mut file = hdf5_pure::FileBuilder::new();
        file.set_attr("model_config", hdf5_pure::AttrValue::String(config));
        for name in ["a", "b"] {
            file.create_dataset(name).with_u8_data(&weights);
        }
        file.finish().unwrap()
    };
    let onnx = onnx::tests::with_weights(&weights);
    let tflite = with_weights(read("tflite_float.tflite"), &weights);
    for (name, model, found) in [
        ("archive", archive, 5),
        ("HDF5", hdf5, 5),
        ("ONNX", onnx, 1),
        ("TFLite", tflite, 3),
    ] {
        let size = model.len() as u64;
        assert!(size > WEIGHTS as u64, "{name}");
        let (count, inspected) = bytes_read(model.clone(), |model| read_from(model, &mut beside).unwrap());
        assert_eq!(inspected.activations.len(), found, "{name}");
        assert!(count < 100_000, "{name}: {count} of {size} bytes");
        // Who reads all of it is noticed.
        let (count, _) = bytes_read(model, |mut model| io::copy(&mut model, &mut io::sink()).unwrap());
        assert_eq!(count, size, "{name}");
    }
}

fn beside(name: &str) -> io::Result<Box<dyn Source>> {
    Ok(Box::new(File::open(models().join(name))?))
}

/// A damaged file gives an answer or one line, never a panic.
#[test]
fn damaged_files_are_read_or_refused() {
    for name in [
        "keras3.keras",
        "keras2.h5",
        "keras3.json",
        "keras2_written_out.json",
        "keras3_written_out.json",
        "tfjs.json",
        "torch_activations_dynamo_18.onnx",
        "keras2_tf2onnx.onnx",
        "onnx_functions.onnx",
        "onnx_external.onnx",
        "onnx_written_out.onnx",
        "onnx_quantized_qdq.onnx",
        "onnx_quantized_qoperator.onnx",
        "tflite_float.tflite",
        "tflite_int8.tflite",
        "tflite_steps.tflite",
        "tflite_keras2.tflite",
        "tflite_half.tflite",
        "tflite_lstm.tflite",
    ] {
        let whole = read(name);
        let errors = damaged(&whole, 2000).map(|bytes| read_from(Cursor::new(bytes), &mut beside).err());
        let errors: Vec<_> = errors.collect();
        assert_eq!(errors.len(), 2000);
        let errors: Vec<_> = errors.into_iter().flatten().map(|error| error.to_string()).collect();
        assert!(errors.len() > 50, "{name}: {} refused", errors.len());
        assert!(!errors.iter().any(|error| error.contains('\n')), "{name}");
    }
}

/// What TFLite's converter puts into weights can't be seen, and what it puts into a bias is rounded there.
#[test]
fn what_the_converter_has_moved_is_said() {
    let model = parsed_file("tflite_float.tflite").unwrap();
    let warnings = model.activations.iter().map(|one| one.warning.is_some());
    assert_eq!(warnings.collect::<Vec<_>>(), [false, true, false]);
    let warning = model.activations[1].warning.unwrap();
    assert!(
        warning.starts_with("the 3 is in the bias of the layer before"),
        "{warning}"
    );
    assert_eq!(model.note, None);
    let note = parsed_file("tflite_keras2.tflite").unwrap().note.unwrap();
    assert!(
        note.starts_with("StatefulPartitionedCall:0 limits the result of a layer to 0 and 1"),
        "{note}"
    );
    let model = parsed_file("tflite_int8.tflite").unwrap();
    let note = model.note.as_deref().unwrap();
    assert!(note.starts_with("the model is quantized"), "{note}");
    // As the interpreter prints them.
    let said = model.activations[1].quantized.as_ref().unwrap().text();
    assert_eq!(
        said,
        "x is i8 (scale 0.06217685, zero point 13), y is i8 (scale 0.029314913, zero point -115); \
         PyTorch has the same 256 bytes; TFLite differs at 3 of 256 x, by up to 1"
    );
}

/// A model of Keras 3 on this backend.
fn on_backend(version: &str, backend: &str, layers: &[Value]) -> Model {
    let model = json!({
        "model_config": {"class_name": "Functional", "config": {"name": "m", "layers": layers, "output_layers": []}},
        "keras_version": version,
        "backend": backend,
    });
    parsed(model.to_string().into_bytes()).unwrap()
}

/// What is said of a model's only activation, as JSON and as text.
fn said(model: &Model) -> (Value, String) {
    let [activation] = &model.activations[..] else {
        panic!("{:?}", model.activations)
    };
    (serde_json::to_value(activation).unwrap(), format!("{model}\n"))
}

#[test]
fn another_type_than_float32_is_said() {
    let of = |dtype: Value| {
        let config = json!({"activation": "hard_sigmoid", "dtype": dtype, "trainable": true});
        let (json, text) = said(&on_backend("3.15.1", "jax", &[layer("Dense", "d", config, &[])]));
        let line = text
            .lines()
            .find(|line| line.starts_with("  dtype:"))
            .map(str::to_owned);
        (json["dtype"].clone(), line)
    };
    let policy = |class: &str, name: &str| json!({"class_name": class, "config": {"name": name}});
    for (dtype, expected) in [
        (json!("float64"), "float64"),
        (json!("mixed_float16"), "float16"),
        (policy("DTypePolicy", "float16"), "float16"),
        (policy("Policy", "mixed_bfloat16"), "bfloat16"),
        (policy("QuantizedDTypePolicy", "int8_from_mixed_float16"), "float16"),
    ] {
        let line = format!(
            "  dtype:           the model is in {expected}; it was compared as if in float32, so its bits may be others"
        );
        assert_eq!(of(dtype), (json!(expected), Some(line)));
    }
    for dtype in [
        json!(null),
        json!("float32"),
        policy("DTypePolicy", "float32"),
        json!("own"),
    ] {
        assert_eq!(of(dtype), (Value::Null, None));
    }
}

/// Operations of Keras have the type of what they take, whatever the layer's policy.
#[test]
fn operations_have_the_type_of_their_operands() {
    let input = |dtype: &str| layer("InputLayer", "x", json!({"dtype": dtype}), &[]);
    let of = |first: Vec<Value>, second: Vec<Value>| {
        let layers = [first, second].concat();
        said(&on_backend("3.15.1", "jax", &layers)).0["dtype"].clone()
    };
    let without_call = |mut layer: Value| {
        layer["inbound_nodes"] = json!([]);
        vec![layer]
    };
    let written_out = || gate(result("x", 0), json!(6));
    let named = || vec![layer("HardSigmoid", "h", json!({}), &[result("x", 0)])];
    for second in [written_out(), named()] {
        assert_eq!(of(without_call(input("float64")), second.clone()), "float64");
        assert_eq!(of(without_call(input("float32")), second.clone()), Value::Null);
        assert_eq!(of(vec![], second), Value::Null);
    }
    let cast = layer(
        "Dense",
        "x",
        json!({"dtype": "float16", "trainable": true}),
        &[result("y", 0)],
    );
    assert_eq!(of(vec![cast], written_out()), "float16");
}

/// clip(-x - 3, -6, 0) / -6.
fn negative_gate() -> Vec<Value> {
    vec![
        layer("Subtract", "s", json!({}), &[json!(-3.0), result("x", 0)]),
        layer("Clip", "c", json!({"x_min": -6.0, "x_max": 0.0}), &[result("s", 0)]),
        layer("Divide", "gate", json!({}), &[result("c", 0), json!(-6.0)]),
    ]
}

#[test]
fn the_sign_of_zero_is_told_apart_from_roundings() {
    let (json, text) = said(&on_backend("3.15.1", "torch", &negative_gate()));
    assert!(!text.contains("0e0"), "{text}");
    let row = "  m/gate  hard_sigmoid  -3 - x, clip -6 to 0, / -6  pytorch or keras3, but for the sign of zero\n";
    assert!(text.contains(row), "{text}");
    let line = "\n  the same bits:   pytorch, but for the sign of zero (at 5,100 of 16,385 x), \
                keras3, but for the sign of zero (at 5,100 of 16,385 x)\n  other roundings: jax (at 7,164 of";
    assert!(text.contains(line), "{text}");
    let of = |name: &str| json!({"definition": name, "differing": 5100, "largest": 0.0});
    let roundings = &json["computed"][0]["roundings"];
    assert_eq!((&roundings[0], &roundings[2]), (&of("pytorch"), &of("keras3")));
    assert_eq!(
        (&json["definitions"], &json["computed"][0]["exact"]),
        (&json!([]), &json!([]))
    );
}

#[test]
fn limits_that_are_not_0_and_1_are_said() {
    let curve = |last: Value| {
        let mut layers = gate(result("x", 0), json!(6));
        layers[2] = last;
        said(&on_backend("3.15.1", "torch", &layers)).0["computed"][0]["curve"].clone()
    };
    let times = |c: f32| layer("Multiply", "gate", json!({}), &[result("relu", 0), json!(c)]);
    assert_eq!(curve(times(0.166_67)), "clamp(0.16667·x + 0.50001, 0, 1.00002)");
    assert_eq!(curve(times(1.0 / 6.0)), "clamp(0.16666667·x + 0.5, 0, 1)");
    // The limits are 0 and 1, though 0.2 is rounded to float32, so that 2.5 · 0.2 isn't 0.5.
    let layers = [
        layer("Clip", "c", json!({"x_min": -2.5, "x_max": 2.5}), &[result("x", 0)]),
        layer("Multiply", "m", json!({}), &[result("c", 0), json!(0.2)]),
        layer("Add", "gate", json!({}), &[result("m", 0), json!(0.5)]),
    ];
    let (json, _) = said(&on_backend("3.15.1", "torch", &layers));
    assert_eq!(json["computed"][0]["curve"], "clamp(0.2·x + 0.5, 0, 1)");
}

#[test]
fn serialized_functions_and_modules_are_code() {
    let note = |layer: Value| {
        let note = functional(&[layer], json!([])).1;
        note.is_some_and(|note| note.starts_with("it has layers or functions that are code"))
    };
    let lambda = json!({"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": null}});
    // Keras 3.15 and tf_keras 2.21 write the last one.
    let list = json!(["4wEAAAA=", null, null]);
    for activation in [lambda, list.clone(), json!({"value": list})] {
        for class in ["Dense", "Activation"] {
            assert!(
                note(layer(class, "l", json!({"activation": activation}), &[])),
                "{class} {activation}"
            );
        }
    }
    let mut wrapper = layer("TorchModuleWrapper", "t", json!({"module": "UEsDBA=="}), &[]);
    wrapper["module"] = json!("keras.src.utils.torch_utils");
    assert!(note(wrapper));
    for activation in [
        json!(null),
        json!("relu"),
        json!({"class_name": "ReLU", "config": {"name": "r"}}),
    ] {
        assert!(
            !note(layer("Dense", "d", json!({"activation": activation}), &[])),
            "{activation}"
        );
    }
}

/// Theano and CNTK were not run, so their bits aren't claimed.
#[test]
fn theano_and_cntk_are_said_not_to_be_run() {
    for (backend, name) in [("theano", "Theano"), ("cntk", "CNTK")] {
        for layers in [
            vec![layer("Dense", "d", json!({"activation": "hard_sigmoid"}), &[])],
            gate(result("x", 0), json!(6)),
        ] {
            let (json, text) = said(&on_backend("2.2.4", backend, &layers));
            let by = format!("{name} by its formula (it wasn't run: its bits and its gradient may be others)");
            assert_eq!(json["computed"][0]["computed_by"], json!([by]));
            assert_eq!(json["computed"].as_array().unwrap().len(), 1);
            assert!(
                text.contains(&format!("  computed by:     {by}\n")) && !text.contains("TensorFlow in"),
                "{text}"
            );
        }
    }
}

/// XLA and JAX under jit fuse in some shapes of x only.
#[test]
fn who_may_fuse_is_said() {
    let by = |backend: &str| {
        let layers = [
            layer("Multiply", "m", json!({}), &[result("x", 0), json!(0.2)]),
            layer("Add", "a", json!({}), &[result("m", 0), json!(0.5)]),
            layer("Clip", "gate", json!({"x_min": 0.0, "x_max": 1.0}), &[result("a", 0)]),
        ];
        let (json, _) = said(&on_backend("3.15.1", backend, &layers));
        json["computed"][1]["computed_by"].clone()
    };
    assert_eq!(
        by("tensorflow"),
        json!(["TensorFlow with XLA (jit_compile=True), where it fuses"])
    );
    assert_eq!(
        by("jax"),
        json!(["JAX under jit (predict and fit by default), where it fuses"])
    );
}

/// (x / 6) · clamp(x + 3, 0, 6). TensorFlow 2.21's graph has x · (clamp(x + 3, 0, 6) · (1/6)), XLA and JAX 0.10 (x · (1/6)) · clamp(x + 3, 0, 6).
#[test]
fn a_hard_swish_that_scales_x_is_compiled() {
    let layers = [
        layer("Divide", "scaled", json!({}), &[result("x", 0), json!(6)]),
        layer("Add", "add", json!({}), &[result("x", 0), json!(3)]),
        layer("Clip", "clip", json!({"x_min": 0, "x_max": 6}), &[result("add", 0)]),
        layer(
            "Multiply",
            "swish",
            json!({}),
            &[result("scaled", 0), result("clip", 0)],
        ),
    ];
    let by = |backend: &str| {
        let (json, _) = said(&on_backend("3.15.1", backend, &layers));
        let computed = json["computed"].as_array().unwrap().iter();
        let of = |one: &Value| {
            format!(
                "{}: {}",
                one["operations"].as_str().unwrap(),
                one["computed_by"].as_array().unwrap().len()
            )
        };
        computed.map(of).collect::<Vec<_>>()
    };
    let clip = "+ 3, clip 0 to 6";
    let quotient = format!("{clip}, * (x / 6)");
    let product = format!("{clip}, * (x * 0.16666667)");
    assert_eq!(by("torch"), [format!("{quotient}: 0")]);
    assert_eq!(by("jax"), [format!("{product}: 0")]);
    let graph = format!("{clip}, * 0.16666667, * x: 1");
    assert_eq!(
        by("tensorflow"),
        [format!("{quotient}: 1"), graph, format!("{product}: 2")]
    );
}

/// Keras's Rescaling adds 0. TensorFlow 2.21's graph and XLA leave that out, so -0 stays, and the graph moves the constant.
#[test]
fn steps_that_change_nothing_are_left_out_by_compilers() {
    let layers = [
        layer("Add", "add", json!({}), &[result("x", 0), json!(3)]),
        layer("Clip", "clip", json!({"x_min": 0, "x_max": 6}), &[result("add", 0)]),
        layer("Multiply", "product", json!({}), &[result("clip", 0), result("x", 0)]),
        layer(
            "Rescaling",
            "swish",
            json!({"scale": 1.0_f32 / 6.0}),
            &[result("product", 0)],
        ),
    ];
    let (json, _) = said(&on_backend("3.15.1", "tensorflow", &layers));
    let computed = json["computed"].as_array().unwrap().iter();
    let of = |one: &Value| {
        (
            one["operations"].as_str().unwrap().to_owned(),
            one["computed_by"].clone(),
        )
    };
    let computed: Vec<_> = computed.map(of).collect();
    let after = |rest: &str, by: &str| (format!("+ 3, clip 0 to 6, {rest}"), json!([by]));
    let graph = "TensorFlow in a graph (tf.function; predict and fit without XLA)";
    let moved = "TensorFlow in a graph whose optimizer takes the constant to x";
    assert_eq!(
        computed,
        [
            after("* x, * 0.16666667, + 0", "TensorFlow in eager mode"),
            after("* 0.16666667, * x", graph),
            after("* x, * 0.16666667", "TensorFlow with XLA (jit_compile=True)"),
            after("* (x * 0.16666667)", moved),
        ]
    );
}

/// Scales and zero points are those that the onnx package prints. TFLite's differences are those of `tests/golden/quantized.py`.
#[test]
fn quantized_definitions_are_said() {
    let said = |name: &str| {
        let model = parsed_file(name).unwrap();
        let text = model.to_string();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("    "))
            .map(str::to_owned)
            .collect();
        (serde_json::to_string(&model).unwrap(), lines)
    };
    let (json, lines) = said("onnx_quantized_qdq.onnx");
    assert_eq!(
        lines,
        [
            "    n0: x is u8 (scale 0.043659993, zero point 136), y is u8 (scale 0.021895038, zero point 17); \
             PyTorch has the same 256 bytes; TFLite differs at 2 of 256 x, by up to 1",
            "    node_hardsigmoid: x is u8 (scale 0.0018394218, zero point 6), y is u8 (scale 0.0022600286, zero point 0); \
             PyTorch gives y the scale 1/256, with the smallest number as zero point; \
             TFLite has no such function in 8 bits",
        ]
    );
    assert!(json.contains(
        r#""quantized":{"x":{"type":"u8","scale":0.043659993,"zero_point":136},"y":{"type":"u8","scale":0.021895038,"zero_point":17},"elsewhere":[{"framework":"PyTorch","differing":0,"largest":0,"why":null},{"framework":"TFLite","differing":2,"largest":1,"why":null}]}"#
    ), "{json}");
    let (_, lines) = said("onnx_quantized_qoperator.onnx");
    assert_eq!(
        lines[0],
        "    n0: x is i8 (scale 0.043659993, zero point 8), y is i8 (scale 0.021895038, zero point -111); \
         PyTorch has the same 256 bytes; TFLite differs at 2 of 256 x, by up to 1"
    );
    let (json, lines) = said("torch_block_dynamo_18.onnx");
    assert!(json.contains(r#""quantized":null"#) && lines.is_empty());
}
