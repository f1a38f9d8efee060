//! The examples in each `--help` run as they stand there.

use crate::{folder, golden, in_folder, split, succeeded, text, tool};
use safetensors::{Dtype, tensor::TensorView};
use std::{env, fs, path::Path, process::Command};

const COMMANDS: [&str; 6] = ["run", "identify", "inspect", "report", "list", "wgsl"];

fn examples(command: &str) -> Vec<String> {
    let help = succeeded(&tool(Path::new("."), &format!("{command} --help")));
    let after = help.split("Examples:\n").nth(1).expect("there are examples");
    let lines = after.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn examples_run_as_written() {
    let folder = folder();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inspect/tests/models");
    for (from, to) in [
        (golden("pytorch.y.npy"), "y.npy"),
        (golden("pytorch.dx.npy"), "dx.npy"),
        (golden("quantized/onnx.y.npy"), "q.npy"),
        (golden("quantized_mobilenet/22.npy"), "bytes.x.npy"),
        (golden("quantized_mobilenet/23.npy"), "bytes.y.npy"),
        (models.join("torch_block_dynamo_18.onnx"), "model.onnx"),
        (models.join("keras2.keras"), "old.keras"),
        (models.join("keras3.keras"), "new.keras"),
    ] {
        fs::copy(from, folder.path().join(to)).unwrap();
    }
    let [x, y] = ["x.npy", "y.npy"].map(|name| fs::read(folder.path().join(name)).unwrap());
    let tensors = [("layer.x", &x), ("layer.y", &y)].map(|(name, file)| {
        let data = split(file).1;
        let view = TensorView::new(Dtype::F32, vec![data.len() / 4], data).unwrap();
        (name, view)
    });
    let weights = safetensors::serialize(tensors, None).unwrap();
    fs::write(folder.path().join("weights.safetensors"), weights).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_hard-sigmoid")).parent().unwrap();
    let path = format!("{}:{}", program.display(), env::var("PATH").unwrap());
    for command in COMMANDS {
        let examples = examples(command);
        assert!(examples.len() >= 2, "{command}");
        for example in examples {
            assert!(example.starts_with(&format!("hard-sigmoid {command}")), "{example}");
            let mut shell = Command::new("sh");
            shell.args(["-c", &example]).env("PATH", &path);
            in_folder(&mut shell, folder.path());
            let run = shell.output().unwrap();
            // With y alone several presets fit, and the status is 1.
            assert!(matches!(run.status.code(), Some(0 | 1)), "{example}: {run:?}");
            // The summary is there if standard output has the result.
            let is_quiet = text(&run.stderr).is_empty() || example.contains("--output -");
            assert!(is_quiet, "{example}: {run:?}");
        }
    }
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("report.png").starts_with(b"\x89PNG\r\n\x1a\n"));
    assert!(bytes("report.svg").starts_with(b"<svg"));
}
