//! Tests of `inspect`. What it finds is tested in `crates/inspect`.

use crate::{command, refused, succeeded, text, tool};
use serde_json::{Value, json};
use std::path::Path;
#[cfg(unix)]
use std::{io::Write, process::Stdio};

fn models() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../inspect/tests/models")
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

hard_sigmoid: + 3, clip 0 to 6, * 0.16666667
  on paper:        clamp(0.16666667·x + 0.5, 0, 1)
  the same bits:   jax (jax.nn.hard_sigmoid (XLA), Keras 3 on JAX)
  other roundings: pytorch (at 2,064 of 16,385 x, by up to 6e-8), keras3 (at 2,064 of 16,385 x, by up to 6e-8)
  other functions: keras (by up to 0.08), onnx (by up to 0.08), courbariaux (by up to 0.33), tangent (by up to 0.17), sparse (by up to 0.33)

1 activation: 1 hard_sigmoid, all jax

"
    );
}

fn json(file: &str) -> Vec<Value> {
    let output = tool(&models(), &format!("inspect --json {file}"));
    let all: Value = serde_json::from_str(&succeeded(&output)).unwrap();
    all[0]["activations"].as_array().unwrap().clone()
}

fn named<'a>(activations: &'a [Value], name: &str) -> &'a Value {
    activations.iter().find(|one| one["name"] == name).unwrap()
}

/// clip(x + 2.5, 0, 5) / 5 is 0.2 · x + 0.5 on paper, but not in ONNX Runtime, whose counts are in `frameworks.json`.
#[test]
fn a_curve_with_other_roundings_has_no_preset() {
    let output = text(&tool(&models(), "inspect onnx_written_out.onnx").stdout);
    let row = "  fifths_quotient      hard_sigmoid  + 2.5, clip 0 to 5, / 5                       no preset has exactly these bits\n";
    assert!(output.contains(row), "{output}");
    let explanation = "\
hard_sigmoid: + 2.5, clip 0 to 5, / 5
  on paper:        clamp(0.2·x + 0.5, 0, 1)
  the same bits:   no preset has exactly these bits
  other roundings: keras (at 1,970 of 16,385 x, by up to 1e-7), onnx (at 1,970 of 16,385 x, by up to 1e-7)
";
    assert!(output.contains(explanation), "{output}");
    let activations = json("onnx_written_out.onnx");
    let one = named(&activations, "fifths_quotient");
    assert_eq!(one["definitions"], json!([]));
    let [computed] = &one["computed"].as_array().unwrap()[..] else {
        panic!("{one}")
    };
    assert_eq!(computed["curve"], "clamp(0.2·x + 0.5, 0, 1)");
    assert_eq!(computed["operations"], "+ 2.5, clip 0 to 5, / 5");
    assert_eq!(computed["computed_by"], json!([]));
    assert_eq!(computed["compared"], 16385);
    assert_eq!(computed["exact"], json!([]));
    let of = |name: &str| json!({"definition": name, "differing": 1970, "largest": 1.1920929e-7});
    assert_eq!(computed["roundings"], json!([of("keras"), of("onnx")]));
    assert_eq!(computed["functions"].as_array().unwrap().len(), 6);
    assert_eq!(one["gradient"], Value::Null);
}

/// TensorFlow divides in eager mode only. In a graph its optimizer may take the constant of a hard swish to x, which nobody else
/// does.
#[test]
fn a_keras_model_says_who_computes_it() {
    let activations = json("keras3.h5");
    let by = |name: &str| {
        let computed = named(&activations, name)["computed"].as_array().unwrap();
        let of = |one: &Value| (one["computed_by"].clone(), one["exact"].clone());
        computed.iter().map(of).collect::<Vec<_>>()
    };
    let eager = json!(["TensorFlow in eager mode"]);
    let graph = "TensorFlow in a graph (tf.function; predict and fit without XLA)";
    let moved = "TensorFlow in a graph whose optimizer takes the constant to x";
    let xla = "TensorFlow with XLA (jit_compile=True)";
    assert_eq!(
        named(&activations, "functional_1/dense")["definitions"],
        json!(["keras3", "jax"])
    );
    assert_eq!(
        by("functional_1/dense"),
        [
            (eager.clone(), json!(["pytorch", "keras3"])),
            (json!([graph, xla]), json!(["jax"])),
        ]
    );
    assert_eq!(
        by("functional_1/swish"),
        [
            (eager, json!(["keras3"])),
            (json!([graph, xla]), json!(["jax"])),
            (json!([moved]), json!([])),
        ]
    );
}

/// A Keras 3 file doesn't name its backend, so its hard sigmoid may be one of several functions.
#[test]
fn functions_with_other_results_have_headings_of_their_own() {
    let output = text(&tool(&models(), "inspect keras3.json").stdout);
    let headings = output
        .lines()
        .filter(|line| line.starts_with("hard_") || line.starts_with("  computed by:"));
    assert_eq!(
        headings.collect::<Vec<_>>(),
        [
            "hard_sigmoid: clamp(x + 3, 0, 6) / 6",
            "  computed by:     TensorFlow in eager mode; PyTorch",
            "hard_sigmoid: clamp(x + 3, 0, 6) · (1/6)",
            "  computed by:     TensorFlow in a graph (tf.function; predict and fit without XLA); TensorFlow with XLA \
             (jit_compile=True); JAX, one operation at a time; JAX under jit (predict and fit by default)",
            "hard_swish: x · (clamp(x + 3, 0, 6) / 6)",
            "  computed by:     TensorFlow in eager mode",
            "hard_swish: x · (clamp(x + 3, 0, 6) · (1/6))",
            "  computed by:     TensorFlow in a graph (tf.function; predict and fit without XLA); TensorFlow with XLA \
             (jit_compile=True); JAX, one operation at a time; JAX under jit (predict and fit by default)",
            "hard_swish: + 3, clip 0 to 6, * (x * 0.16666667)",
            "  computed by:     TensorFlow in a graph whose optimizer takes the constant to x",
            "hard_swish: (x · clamp(x + 3, 0, 6)) / 6",
            "  computed by:     PyTorch",
        ]
    );
}

/// Constants beside the model are read. If they can't be, what may be missing is said.
#[test]
fn constants_may_lie_beside_the_model() {
    let found = |output: &str| output.contains("  elsewhere  hard_sigmoid  + 3, clip 0 to 6, / 6  pytorch or keras3\n");
    assert!(found(&succeeded(&tool(&models(), "inspect onnx_external.onnx"))));
    let folder = tempfile::tempdir().unwrap();
    let model = std::fs::read(models().join("onnx_external.onnx")).unwrap();
    std::fs::write(folder.path().join("m.onnx"), &model).unwrap();
    let note = |which: &str| {
        let output = tool(folder.path(), "inspect m.onnx");
        assert_eq!(output.status.code(), Some(1));
        let output = text(&output.stdout);
        let note =
            format!("  may be incomplete: constants (of elsewhere_0, for one) are in onnx_external.bin, {which}");
        assert!(output.contains(&note), "{output}");
    };
    note("which is not beside the model, so hard sigmoids written out with them aren't found");
    std::fs::write(folder.path().join("onnx_external.bin"), [0; 4]).unwrap();
    note("which can't be read (");
    // Another file of this machine is not to be read.
    let secret = folder.path().join("secret");
    std::fs::copy(models().join("onnx_external.bin"), &secret).unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let mut away = model.clone();
    while let Some(at) = away.windows(17).position(|one| one == b"onnx_external.bin") {
        away.splice(at..at + 17, *b"..///////./secret");
    }
    assert_ne!(away, model);
    std::fs::write(inner.join("m.onnx"), away).unwrap();
    let output = text(&tool(&inner, "inspect m.onnx").stdout);
    assert!(output.contains("which is not in the model's folder"), "{output}");
}

/// The members of archives that PyTorch 2.15 wrote, and the first bytes of other files.
#[test]
fn other_kinds_of_files_are_named_with_the_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let refuses = |name: &str, sentence: &str| refused(folder.path(), &format!("inspect {name}"), sentence);
    let archive = |name: &str, members: &[&str]| {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.path().join(name)).unwrap());
        for member in members {
            archive
                .start_file(*member, zip::write::SimpleFileOptions::default())
                .unwrap();
        }
        archive.finish().unwrap();
    };
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let checkpoint = "a pickle, as of torch.save, or TorchScript, whose operations aren't read: build the model in Python, and torch.onnx.export";
    archive(
        "weights.pt",
        &["weights/data.pkl", "weights/.format_version", "weights/data/0"],
    );
    refuses("weights.pt", checkpoint);
    archive(
        "script.pt",
        &[
            "script/data/0",
            "script/data.pkl",
            "script/code/__torch__.py",
            "script/constants.pkl",
        ],
    );
    refuses("script.pt", checkpoint);
    file("old.pt", b"\x80\x02\x8a\x0a");
    refuses("old.pt", checkpoint);
    archive(
        "program.pt2",
        &[
            "program/models/model.json",
            "program/archive_format",
            "program/data/sample_inputs/model.pt",
        ],
    );
    refuses(
        "program.pt2",
        "a program of torch.export, which isn't read: torch.onnx.export(torch.export.load(",
    );
    archive("arrays.npz", &["x.npy", "y.npy"]);
    refuses("arrays.npz", "an archive of NumPy's arrays, which has no operations");
    archive("other.zip", &["read.me"]);
    refuses("other.zip", "an archive without config.json: no Keras model");
    file("model.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0");
    refuses("model.tflite", "a damaged TensorFlow Lite model");
    file("x.npy", b"\x93NUMPY\x01\0");
    refuses("x.npy", "a file of tensors, which has no operations");
    file("w.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    refuses("w.safetensors", "a file of tensors, which has no operations");
    std::fs::create_dir(folder.path().join("saved")).unwrap();
    refuses("saved", "a folder: give the model's file");
    file("saved/saved_model.pb", b"\x08\x01\x12\x02\x08\x01");
    let saved = "a SavedModel of TensorFlow, which isn't read: after pip install tf2onnx, python -m tf2onnx.convert --opset 18 --saved-model";
    refuses("saved", saved);
    refuses("saved/saved_model.pb", saved);
}

#[test]
fn json_has_an_entry_for_each_file() {
    let output = tool(&models(), "inspect --json keras2.h5 make.py");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("hard-sigmoid: make.py: not an ONNX, Keras"));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all[0]["file"], "keras2.h5");
    assert_eq!(all[0]["made_by"], "Keras 2.21.0 on tensorflow");
    let keys = ["name", "function", "written", "definitions"];
    let expected = json!(["model/dense", "hard_sigmoid", "activation: hard_sigmoid", ["keras"]]);
    assert_eq!(json!(keys.map(|key| all[0]["activations"][1][key].clone())), expected);
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
    let mut from_file = command(&models(), "inspect -");
    from_file.stdin(std::fs::File::open(models().join("keras3.json")).unwrap());
    let piped = succeeded(&from_file.output().unwrap());
    let named = succeeded(&tool(&models(), "inspect keras3.json"));
    assert_eq!(piped, named.replacen("keras3.json", "-", 1));
    // Through a pipe with a path, as a shell makes it for <(command).
    #[cfg(unix)]
    {
        let mut of_pipe = command(&models(), "inspect /dev/stdin");
        let mut child = of_pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let model = std::fs::read(models().join("keras3.json")).unwrap();
        child.stdin.take().unwrap().write_all(&model).unwrap();
        let piped = succeeded(&child.wait_with_output().unwrap());
        assert_eq!(piped, named.replacen("keras3.json", "/dev/stdin", 1));
    }
    let mut without_place = command(&models(), "inspect -");
    without_place.stdin(std::fs::File::open(models().join("onnx_external.onnx")).unwrap());
    let output = text(&without_place.output().unwrap().stdout);
    let why = "onnx_external.bin, which can't be read (a stream has no place: give the model as a file)";
    assert!(output.contains(why), "{output}");
}
