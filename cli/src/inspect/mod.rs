//! Which hard sigmoids are in a model file, and what to take in their place when it is ported.

mod chain;
mod keras;
mod onnx;
#[cfg(test)]
mod tests;

use crate::{Outcome, complain, out::Out};
use clap::Args;
use hard_sigmoid::{HardSigmoid, Preset};
use serde::Serialize;
use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// Names every hard sigmoid and hard swish in model files.
///
/// Read are ONNX, Keras (.keras, .h5, JSON), and the model.json of TensorFlow.js. Found are operators and layers by their
/// names, gates of LSTM and GRU, and what exporters write out: x + 3, clip 0 to 6, / 6; x * 0.2, + 0.5, clip 0 to 1; and the like.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Model files
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    HardSigmoid,
    HardSwish,
}

impl Function {
    pub fn name(self) -> &'static str {
        match self {
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
        }
    }
}

/// A hard sigmoid or hard swish in a model.
#[derive(Debug, PartialEq, Serialize)]
pub struct Activation {
    /// Of the node or layer.
    pub name: String,
    pub function: Function,
    /// What the file has.
    pub written: String,
    /// What it computes; several where the file doesn't tell.
    #[serde(serialize_with = "as_texts")]
    pub definitions: Vec<HardSigmoid>,
}

fn as_texts<S: serde::Serializer>(definitions: &[HardSigmoid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(definitions.iter().map(HardSigmoid::to_string))
}

#[derive(Debug, Serialize)]
pub struct Model {
    pub format: String,
    pub made_by: Option<String>,
    pub activations: Vec<Activation>,
}

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
    let report = |path: &PathBuf| Report {
        file: path.display().to_string(),
        found: read(path).map_or_else(|error| Found::Nothing { error }, Found::Model),
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

/// protobuf and JSON are read as a whole; no model file of these formats is longer.
const MOST_BYTES: u64 = 2 << 30;

fn read(path: &Path) -> Result<Model, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = vec![];
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("it has more than 2 GiB, which no ONNX file can".into());
    }
    parsed(bytes)
}

fn parsed(bytes: Vec<u8>) -> Result<Model, String> {
    match &bytes[..] {
        [] => Err("it is empty".into()),
        [b'P', b'K', 3, 4, ..] => keras::read_archive(&bytes),
        [0x89, b'H', b'D', b'F', ..] => keras::read_hdf5(bytes),
        _ if bytes.trim_ascii_start().starts_with(b"{") => keras::read_json(&bytes),
        _ => onnx::read(&bytes),
    }
}

fn print(out: &mut Out, file: &str, model: &Model) -> std::io::Result<()> {
    let made_by = model
        .made_by
        .as_ref()
        .map_or(String::new(), |by| format!(", made by {by}"));
    writeln!(out, "{}: {}{}", escaped(file), model.format, escaped(&made_by))?;
    if model.activations.is_empty() {
        return writeln!(out, "  no hard sigmoid\n");
    }
    let mut kinds: Vec<Kind> = vec![];
    for activation in &model.activations {
        for &definition in &activation.definitions {
            let is_it = |kind: &Kind| (kind.function, kind.definition) == (activation.function, definition);
            if !kinds.iter().any(is_it) {
                kinds.push(Kind::new(activation.function, definition));
            }
        }
    }
    let row = |activation: &Activation| {
        let is_of =
            |kind: &&Kind| kind.function == activation.function && activation.definitions.contains(&kind.definition);
        let names: Vec<_> = kinds.iter().filter(is_of).map(Kind::name).collect();
        [
            escaped(&activation.name),
            activation.function.name().into(),
            escaped(&activation.written),
            names.join(", or "),
        ]
    };
    let rows: Vec<[String; 4]> = model.activations.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c] = [0, 1, 2].map(width);
    for [name, function, written, which] in &rows {
        writeln!(out, "  {name:<a$}  {function:<b$}  {written:<c$}  {which}")?;
    }
    writeln!(out)?;
    kinds.iter().try_for_each(|kind| kind.explain(out))
}

/// A name of a file may hold anything.
fn escaped(text: &str) -> String {
    let one = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.into()
        }
    };
    text.chars().map(one).collect()
}

/// A function of a definition, and how far that of each preset is from it.
struct Kind {
    function: Function,
    definition: HardSigmoid,
    /// The largest difference to each of the presets.
    differences: Vec<(&'static Preset, f32)>,
}

impl Kind {
    fn new(function: Function, definition: HardSigmoid) -> Self {
        let of = |definition: HardSigmoid, x| match function {
            Function::HardSigmoid => definition.forward(x),
            Function::HardSwish => definition.hard_swish(x),
        };
        let difference = |preset: &'static Preset| {
            // Beyond all kinks of presets, and kinks among them.
            let x = (-(8 << 12)..=8 << 12).map(|i| i as f32 / (1 << 12) as f32);
            let differences = x.map(|x| (of(preset.definition, x) - of(definition, x)).abs());
            (preset, differences.fold(0.0, f32::max))
        };
        Self {
            function,
            definition,
            differences: HardSigmoid::PRESETS.iter().map(difference).collect(),
        }
    }

    /// Of the presets that have the same results (a model without training has no gradients to tell them apart), or its own.
    fn name(&self) -> String {
        let same = self.differences.iter().filter(|(_, difference)| *difference == 0.0);
        let names: Vec<_> = same.map(|(preset, _)| preset.name).collect();
        match names[..] {
            [] => self.definition.to_string(),
            _ => names.join(" or "),
        }
    }

    /// What to take when it is ported, and what not.
    fn explain(&self, out: &mut Out) -> std::io::Result<()> {
        let formula = self.definition.formula();
        match self.function {
            Function::HardSigmoid => writeln!(out, "{}: {formula}", self.name())?,
            Function::HardSwish => writeln!(out, "hard swish of {}: x times {formula}", self.name())?,
        }
        let (mut same, mut near, mut other) = (vec![], vec![], vec![]);
        for &(preset, difference) in &self.differences {
            match difference {
                0.0 => same.push(format!(
                    "{} ({})",
                    preset.name,
                    preset.source.split(';').next().unwrap_or("")
                )),
                _ if difference < NEAR => near.push(format!("{} (by {difference:.0e})", preset.name)),
                _ => other.push(format!("{} (by {difference:.2})", preset.name)),
            }
        }
        for (what, presets) in [
            ("the same bits:", same),
            ("other roundings:", near),
            ("other functions:", other),
        ] {
            if !presets.is_empty() {
                writeln!(out, "  {what:<17}{}", presets.join(", "))?;
            }
        }
        writeln!(out)
    }
}

/// Beyond what roundings do.
const NEAR: f32 = 1e-5;
