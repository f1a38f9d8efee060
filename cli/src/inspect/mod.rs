//! Finds the hard sigmoids in a model file, and says which presets to use when the model is ported.

mod chain;
mod flow;
mod functional;
mod keras;
mod onnx;
#[cfg(test)]
mod tests;

use crate::{
    Outcome, complain, npy,
    out::{Out, escaped},
};
use chain::{Recognized, Step};
use clap::Args;
use hard_sigmoid::{HardSigmoid, KinkRule, Preset};
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
/// 0.5 with limits may also be the scaling of an image.) Results are compared bit by bit in float32, at 16,385 x.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
    /// The name of the node or layer.
    pub name: String,
    pub function: Function,
    /// How the file writes it.
    pub written: String,
    /// The definitions that it may have: several if the file doesn't say which, or if their results are the same.
    #[serde(serialize_with = "as_texts")]
    pub definitions: Vec<HardSigmoid>,
    /// The steps of one that is written out. Empty if it has a name.
    #[serde(skip)]
    steps: Vec<Step>,
}

impl Activation {
    /// One that has a name in a framework, which settles its gradient too.
    fn named(name: String, function: Function, written: String, definitions: Vec<HardSigmoid>) -> Self {
        Self {
            name,
            function,
            written,
            definitions,
            steps: vec![],
        }
    }

    /// Equal for activations that compute the same in the same steps.
    fn key(&self) -> String {
        format!("{:?} {:?} {:?}", self.function, self.definitions, self.steps)
    }

    fn written_out(name: String, found: Recognized) -> Self {
        let written: Vec<_> = found.steps.iter().map(Step::to_string).collect();
        let nearest =
            HardSigmoid::affine(found.alpha, found.beta, KinkRule::Strict).expect("what is recognized is finite");
        Self {
            name,
            function: found.function,
            written: written.join(", "),
            definitions: vec![nearest],
            steps: found.steps,
        }
    }
}

fn as_texts<S: serde::Serializer>(definitions: &[HardSigmoid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(definitions.iter().map(HardSigmoid::to_string))
}

#[derive(Debug, Serialize)]
pub struct Model {
    pub format: String,
    pub made_by: Option<String>,
    pub activations: Vec<Activation>,
    /// What the file may have that this program can't see.
    pub note: Option<String>,
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
                    print(out, file, model, &sample)?;
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
    let file: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(stdin()),
        _ => Box::new(File::open(path).map_err(|error| error.to_string())?),
    };
    let mut bytes = vec![];
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            "it has more than 2 GiB, the most that an ONNX file may have; for a Keras model, save model.to_json() and inspect that".into(),
        );
    }
    parsed(bytes, sample)
}

fn parsed(bytes: Vec<u8>, sample: &Sample) -> Result<Model, String> {
    let mut model = recognized(bytes)?;
    // A model has the same activation many times, and comparing is slow.
    let mut known: HashMap<String, Vec<HardSigmoid>> = HashMap::new();
    for activation in &mut model.activations {
        let same = known.entry(activation.key()).or_insert_with(|| sample.same(activation));
        activation.definitions.clone_from(same);
    }
    Ok(model)
}

/// A byte order mark, which Windows puts before JSON.
const MARK: &[u8] = b"\xef\xbb\xbf";

fn recognized(bytes: Vec<u8>) -> Result<Model, String> {
    match &bytes[..] {
        [] => Err("it is empty".into()),
        [b'P', b'K', 3, 4, ..] => keras::read_archive(&bytes),
        [0x89, b'H', b'D', b'F', ..] => keras::read_hdf5(bytes),
        bytes if json(bytes).starts_with(b"{") || json(bytes).starts_with(b"[") => keras::read_json(json(bytes)),
        _ => onnx::read(&bytes),
    }
}

fn json(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start()
}

/// The x at which functions are compared. They reach beyond the kinks of all presets, and x + 3 is rounded for most of them.
struct Sample {
    x: Vec<f32>,
    /// Each preset's results, as a hard sigmoid and as a hard swish.
    presets: [Vec<Vec<f32>>; 2],
}

impl Sample {
    fn new() -> Self {
        let x: Vec<f32> = (-8192..=8192).map(|i| i as f32 * 0.000_97).collect();
        let presets = [Function::HardSigmoid, Function::HardSwish].map(|function| {
            let presets = HardSigmoid::PRESETS.iter();
            presets.map(|preset| of(&x, function, preset.definition)).collect()
        });
        Self { x, presets }
    }

    /// The presets with their results.
    fn presets(&self, function: Function) -> impl Iterator<Item = (&'static Preset, &Vec<f32>)> {
        HardSigmoid::PRESETS.iter().zip(&self.presets[function as usize])
    }

    fn of_activation(&self, activation: &Activation, definition: HardSigmoid) -> Vec<f32> {
        match &activation.steps[..] {
            [] => of(&self.x, activation.function, definition),
            steps => self.x.iter().map(|&x| chain::computed(steps, x)).collect(),
        }
    }

    /// The presets with the same results. (A model for inference has no gradients to tell them apart.) If there are none, its own
    /// definition.
    fn same(&self, activation: &Activation) -> Vec<HardSigmoid> {
        if activation.steps.is_empty() {
            return activation.definitions.clone();
        }
        let results = self.of_activation(activation, activation.definitions[0]);
        let presets = self.presets(activation.function);
        let same: Vec<_> = presets
            .filter(|(_, of_preset)| **of_preset == results)
            .map(|(preset, _)| preset.definition)
            .collect();
        if same.is_empty() {
            activation.definitions.clone()
        } else {
            same
        }
    }
}

fn of(x: &[f32], function: Function, definition: HardSigmoid) -> Vec<f32> {
    let of = |&x: &f32| match function {
        Function::HardSigmoid => definition.forward(x),
        Function::HardSwish => definition.hard_swish(x),
    };
    x.iter().map(of).collect()
}

fn print(out: &mut Out, file: &str, model: &Model, sample: &Sample) -> std::io::Result<()> {
    let made_by = model
        .made_by
        .as_ref()
        .map_or(String::new(), |by| format!(", made by {by}"));
    writeln!(out, "{}: {}{}", escaped(file), model.format, escaped(&made_by))?;
    let row = |one: &Activation| {
        let (name, written) = (escaped(&one.name), escaped(&one.written));
        [name, one.function.name().into(), written, names(&one.definitions)]
    };
    let rows: Vec<[String; 4]> = model.activations.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [a, b, c] = [0, 1, 2].map(width);
    for [name, function, written, which] in &rows {
        writeln!(out, "  {name:<a$}  {function:<b$}  {written:<c$}  {which}")?;
    }
    match &model.note {
        Some(note) => writeln!(out, "  may be incomplete: {note}")?,
        None if rows.is_empty() => writeln!(out, "  no hard sigmoid")?,
        None => {}
    }
    writeln!(out)?;
    let (mut keys, mut texts) = (HashSet::new(), HashSet::new());
    for activation in &model.activations {
        // Explaining is slow, so once for each key; other keys may still have the same text.
        if keys.insert(activation.key()) {
            let text = explanation(sample, activation);
            if !texts.contains(&text) {
                write!(out, "{text}")?;
                texts.insert(text);
            }
        }
    }
    Ok(())
}

fn names<'a>(definitions: impl IntoIterator<Item = &'a HardSigmoid>) -> String {
    let names: Vec<_> = definitions.into_iter().map(HardSigmoid::to_string).collect();
    names.join(" or ")
}

/// Which presets to use in a port, and which differ.
fn explanation(sample: &Sample, activation: &Activation) -> String {
    let mut text = String::new();
    let results = |&definition: &HardSigmoid| (definition, sample.of_activation(activation, definition));
    let computed: Vec<_> = activation.definitions.iter().map(results).collect();
    // If the file doesn't say its version or backend, they may be several functions.
    for group in computed.chunk_by(|(_, a), (_, b)| a == b) {
        let (definition, results) = &group[0];
        let (names, formula) = (names(group.iter().map(|(one, _)| one)), definition.formula());
        match activation.function {
            Function::HardSigmoid => text += &format!("{names}: {formula}\n"),
            // PyTorch divides last.
            Function::HardSwish if *definition == HardSigmoid::PYTORCH => {
                text += &format!("hard swish of {names}: (x · clamp(x + 3, 0, 6)) / 6\n");
            }
            Function::HardSwish => text += &format!("hard swish of {names}: x · ({formula})\n"),
        }
        let (mut same, mut near, mut other) = (vec![], vec![], vec![]);
        for (preset, of_preset) in sample.presets(activation.function) {
            let differences = of_preset.iter().zip(results).map(|(a, b)| (a - b).abs());
            match differences.fold(0.0, f32::max) {
                0.0 => same.push(format!(
                    "{} ({})",
                    preset.name,
                    preset.source.split(';').next().unwrap_or("")
                )),
                difference if difference < NEAR => near.push(format!("{} (by {difference:.0e})", preset.name)),
                difference => other.push(format!("{} (by {difference:.2})", preset.name)),
            }
        }
        for (what, presets) in [
            ("the same bits:", same),
            ("other roundings:", near),
            ("other functions:", other),
        ] {
            if !presets.is_empty() {
                text += &format!("  {what:<17}{}\n", presets.join(", "));
            }
        }
        text += "\n";
    }
    text
}

/// Differences below this are roundings, even if constants were rounded to half precision.
const NEAR: f32 = 2e-3;
