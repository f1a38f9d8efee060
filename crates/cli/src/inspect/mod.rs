//! Finds the hard sigmoids in a model file, and says which presets to use when the model is ported.

mod activation;
mod bits;
mod chain;
mod compilers;
mod computed;
mod eight_bits;
mod flow;
mod function;
mod functional;
mod keras;
mod kinds;
mod onnx;
#[cfg(test)]
mod tests;

use crate::{
    npy,
    out::{Out, escaped},
    outcome::{Outcome, complain},
};
use activation::{Activation, Model};
use bits::Sample;
use clap::Args;
use computed::{BUT_SIGNS, Computed, NONE};
use hard_sigmoid::HardSigmoid;
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{Read, Write, stdin},
    path::{Path, PathBuf},
};

/// Names the hard sigmoids and hard swishes in model files.
///
/// It reads ONNX, Keras (.keras, .h5, JSON), and the model.json of TensorFlow.js. It finds operators and layers by their names, gates
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
    let sample = Sample::new();
    let report = |path: &PathBuf| Report {
        file: path.display().to_string(),
        found: read(path, &sample).map_or_else(|error| Found::Nothing { error }, Found::Model),
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
                    print(out, file, model)?;
                }
            }
        }
    }
    let Some(last) = bad.pop() else { return Ok(has_each) };
    bad.iter().for_each(|error| complain(error));
    Err(last.into())
}

/// Files are read as a whole. Protobuf allows no more than this, and of a larger Keras model `to_json` gives the configuration.
const MOST_BYTES: u64 = 2 << 30;

fn read(path: &Path, sample: &Sample) -> Result<Model, String> {
    let (file, path): (Box<dyn Read>, _) = match path.to_str() {
        Some("-") => (Box::new(stdin()), None),
        _ if path.is_dir() => return Err(kinds::folder(path)),
        _ => (
            Box::new(File::open(path).map_err(|error| error.to_string())?),
            Some(path),
        ),
    };
    let mut bytes = vec![];
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            "it has more than 2 GiB, the most that an ONNX file may have; for a Keras model, save model.to_json() and inspect that".into(),
        );
    }
    parsed(bytes, path, sample)
}

/// Reads a model. Beside its path may be files with its constants.
fn parsed(bytes: Vec<u8>, path: Option<&Path>, sample: &Sample) -> Result<Model, String> {
    let mut model = recognized(bytes, path)?;
    // A model has the same activation many times, and comparing is slow.
    let mut known: HashMap<String, Vec<Computed>> = HashMap::new();
    for activation in &mut model.activations {
        let key = format!("{:?} {:?}", activation.function, activation.ways);
        let computed = known.entry(key).or_insert_with(|| sample.computed(activation));
        activation.computed.clone_from(computed);
        activation.definitions = activation.definitions_of();
    }
    Ok(model)
}

/// A byte order mark, which Windows puts before JSON.
const MARK: &[u8] = b"\xef\xbb\xbf";

fn recognized(bytes: Vec<u8>, path: Option<&Path>) -> Result<Model, String> {
    match &bytes[..] {
        [] => Err("it is empty".into()),
        [b'P', b'K', 3, 4, ..] => keras::read_archive(&bytes),
        [0x89, b'H', b'D', b'F', ..] => keras::read_hdf5(bytes),
        bytes if json(bytes).starts_with(b"{") || json(bytes).starts_with(b"[") => keras::read_json(json(bytes)),
        bytes => match kinds::other(bytes, path) {
            Some(kind) => Err(kind.into()),
            None => onnx::read(bytes, path),
        },
    }
}

fn json(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start()
}

fn print(out: &mut impl Write, file: &str, model: &Model) -> std::io::Result<()> {
    let made_by = model
        .made_by
        .as_ref()
        .map_or(String::new(), |by| format!(", made by {by}"));
    writeln!(out, "{}: {}{}", escaped(file), model.format, escaped(&made_by))?;
    let row = |one: &Activation| {
        let (name, written) = (escaped(&one.name), escaped(&one.written));
        let definitions = match &one.definitions[..] {
            [] => match one.definitions_but_for_signs() {
                definitions if definitions.is_empty() => NONE.into(),
                definitions => format!("{}{BUT_SIGNS}", names(&definitions)),
            },
            definitions if one.computed.iter().any(|computed| computed.exact.is_empty()) => {
                format!("{} or none", names(definitions))
            }
            definitions => names(definitions),
        };
        [name, one.function.name().into(), written, definitions]
    };
    let rows: Vec<[String; 4]> = model.activations.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c] = [0, 1, 2].map(width);
    for [name, function, written, which] in &rows {
        writeln!(out, "  {name:<a$}  {function:<b$}  {written:<c$}  {which}")?;
    }
    match &model.note {
        Some(note) => writeln!(out, "  may be incomplete: {}", escaped(note))?,
        None if rows.is_empty() => writeln!(out, "  no hard sigmoid")?,
        None => {}
    }
    let mut quantized = model
        .activations
        .iter()
        .filter_map(|one| Some((&one.name, one.quantized.as_ref()?)));
    if let Some(first) = quantized.next() {
        writeln!(out, "  in 8 bits, compared with what ONNX Runtime computes:")?;
        for (name, one) in [first].into_iter().chain(quantized) {
            writeln!(out, "    {}: {}", escaped(name), one.text())?;
        }
    }
    writeln!(out)?;
    let mut texts = HashSet::new();
    for activation in &model.activations {
        for computed in &activation.computed {
            let mut text = computed.text(activation.function);
            if let Some(gradient) = activation.gradient {
                text += &format!("  {:<17}{gradient}\n", "gradient:");
            }
            if let Some(warning) = activation.warning {
                text += &format!("  {:<17}{warning}\n", "warning:");
            }
            if let Some(dtype) = activation.dtype {
                text += &format!(
                    "  {:<17}the model is in {dtype}; it was compared as if in float32, so its bits may be others\n",
                    "dtype:"
                );
            }
            if !texts.contains(&text) {
                writeln!(out, "{text}")?;
                texts.insert(text);
            }
        }
    }
    Ok(())
}

fn names(definitions: &[HardSigmoid]) -> String {
    let names: Vec<_> = definitions.iter().map(HardSigmoid::to_string).collect();
    names.join(" or ")
}
