//! Finds the hard sigmoids in model files, and says which presets to use when the models are ported.

use crate::{
    npy,
    out::{Out, escaped},
    outcome::{Outcome, complain},
};
use clap::Args;
use hard_sigmoid_inspect::{Model, read, read_from};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read, Write, stdin},
    path::{Path, PathBuf},
};

/// Names the hard sigmoids and hard swishes in model files.
///
/// It reads ONNX, Keras (.keras, .h5, JSON), TensorFlow Lite, and the model.json of TensorFlow.js. It finds operators and layers by their names, gates
/// of LSTM and GRU, and those written out in steps: x + 3, clip 0 to 6, / 6; x * 0.2, + 0.5, clip 0 to 1; and the like. (x * 0.5 +
/// 0.5 with limits may also be the scaling of an image.) It says what each is on paper, and computes its steps one by one in float32
/// at 16,385 x from -7.9 to 7.9. So it says which presets have exactly these bits, and which differ, where and by how much.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Model files, or - for standard input
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Prints JSON; README.md describes it
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid inspect model.onnx
  hard-sigmoid inspect --json old.keras new.keras

Exit status:
  0  every file has a hard sigmoid or a hard swish
  1  a file has none
  2  a file can't be read";

/// A file and what is in it.
#[derive(Serialize)]
struct Report {
    file: String,
    #[serde(flatten)]
    found: Found,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Model(Model),
    Nothing { error: String },
}

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    npy::check_one_stdin(arguments.models.iter())?;
    let report = |path: &PathBuf| {
        let found = match path.metadata() {
            _ if path.as_os_str() == "-" => of_stream(stdin()),
            Ok(found) if !found.is_file() && !found.is_dir() => of_pipe(path),
            _ => read(path).map_err(|error| error.to_string()),
        };
        Report {
            file: path.display().to_string(),
            found: found.map_or_else(|error| Found::Nothing { error }, Found::Model),
        }
    };
    let reports: Vec<_> = arguments.models.iter().map(report).collect();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&reports)?)?;
    }
    let mut has_each = true;
    let mut bad = vec![];
    for Report { file, found } in &reports {
        match found {
            Found::Nothing { error } => bad.push(format!("{file}: {error}")),
            Found::Model(model) => {
                has_each &= !model.activations.is_empty();
                if !arguments.json {
                    writeln!(out, "{}: {model}\n", escaped(file))?;
                }
            }
        }
    }
    let Some(last) = bad.pop() else { return Ok(has_each) };
    bad.iter().for_each(|error| complain(error));
    Err(last.into())
}

/// Reads a model from a pipe that has a path, such as one of a shell.
fn of_pipe(path: &Path) -> Result<Model, String> {
    of_stream(File::open(path).map_err(|error| error.to_string())?)
}

/// The most bytes of a stream in memory; more are kept in a file.
const MOST_BYTES: usize = 64 << 20;

/// Reads a model from a stream, which may not seek.
fn of_stream(mut stream: impl Read) -> Result<Model, String> {
    let mut copy = tempfile::spooled_tempfile(MOST_BYTES);
    io::copy(&mut stream, &mut copy).map_err(|error| error.to_string())?;
    let no_place = |_: &str| Err(io::Error::other("a stream has no place: give the model as a file"));
    read_from(copy, &mut { no_place }).map_err(|error| error.to_string())
}
