//! Finds the hard sigmoids in a model file, and says which presets to use when the model is ported.

mod bits;
mod chain;
mod compilers;
mod flow;
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
use bits::{BUT_SIGNS, Computed, NONE, Sample, as_texts};
use chain::{OnPaper, Recognized, Step};
use clap::Args;
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

    /// Its formula, from that of the hard sigmoid.
    fn of(self, hard_sigmoid: &str) -> String {
        match self {
            Self::HardSigmoid => hard_sigmoid.into(),
            Self::HardSwish => format!("x · {hard_sigmoid}"),
        }
    }
}

/// A hard sigmoid or hard swish in a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Activation {
    /// The name of the node or layer.
    pub name: String,
    pub function: Function,
    /// How the file writes it.
    pub written: String,
    /// The definitions that it may have: of an operation with a name in a framework those that the framework has, otherwise those
    /// with exactly its bits. None if nobody has these bits.
    #[serde(serialize_with = "as_texts")]
    pub definitions: Vec<HardSigmoid>,
    /// What it computes: several if the file doesn't say which.
    pub computed: Vec<Computed>,
    /// How its gradient differs from that of the definitions.
    pub gradient: Option<&'static str>,
    /// The type in which the model computes it. None if it is float32, or not known.
    pub dtype: Option<&'static str>,
    #[serde(skip)]
    ways: Vec<Way>,
}

/// A way to compute an activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Who computes it so. Empty if there is no other way.
    computed_by: &'static str,
    on_paper: OnPaper,
    how: How,
}

#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// By a function of a framework, which has a definition.
    Defined(HardSigmoid),
    Steps(Vec<Step>),
}

impl How {
    fn text(&self, function: Function) -> String {
        match *self {
            // PyTorch divides last.
            Self::Defined(HardSigmoid::PYTORCH) if function == Function::HardSwish => {
                "(x · clamp(x + 3, 0, 6)) / 6".into()
            }
            Self::Defined(definition) if function == Function::HardSwish => format!("x · ({})", definition.formula()),
            Self::Defined(definition) => definition.formula(),
            Self::Steps(ref steps) => chain::text(steps),
        }
    }
}

impl Way {
    /// A function that a framework has under a name.
    fn defined(computed_by: &'static str, definition: HardSigmoid) -> Self {
        Self {
            computed_by,
            on_paper: OnPaper::new(definition.slope(), definition.shift()),
            how: How::Defined(definition),
        }
    }
}

impl Activation {
    fn new(name: String, function: Function, written: String, ways: Vec<Way>) -> Self {
        Self {
            name,
            function,
            written,
            definitions: vec![],
            computed: vec![],
            gradient: None,
            dtype: None,
            ways,
        }
    }

    fn written_out(name: String, found: Recognized) -> Self {
        let written = chain::text(&found.steps);
        let way = Way {
            computed_by: "",
            on_paper: found.on_paper,
            how: How::Steps(found.steps),
        };
        Self::new(name, found.function, written, vec![way])
    }

    /// The definitions of what was computed.
    fn definitions_of(&self) -> Vec<HardSigmoid> {
        let named = self.ways.iter().filter_map(|way| match way.how {
            How::Defined(definition) => Some(definition),
            How::Steps(_) => None,
        });
        let is_named = self.ways.iter().any(|way| matches!(way.how, How::Defined(_)));
        let exact = self
            .computed
            .iter()
            .filter(|_| !is_named)
            .flat_map(|one| one.exact.iter().copied());
        let mut definitions = vec![];
        for definition in named.chain(exact) {
            if !definitions.contains(&definition) {
                definitions.push(definition);
            }
        }
        definitions
    }

    /// Those that differ from all that it may compute in the sign of zero only.
    fn definitions_but_for_signs(&self) -> Vec<HardSigmoid> {
        let of = |computed: &Computed| -> Vec<HardSigmoid> {
            let signs = computed.roundings.iter().filter(|one| one.is_of_signs());
            signs.map(|one| one.definition).collect()
        };
        let Some((first, rest)) = self.computed.split_first() else {
            return vec![];
        };
        let is_of_all = |one: &HardSigmoid| rest.iter().all(|computed| of(computed).contains(one));
        of(first).into_iter().filter(is_of_all).collect()
    }
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

/// A note on a node or layer.
fn lost(name: &str) -> String {
    format!(
        "{name} chooses by a comparison in a way that isn't followed, so a hard sigmoid written out with it isn't found"
    )
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
    writeln!(out)?;
    let mut texts = HashSet::new();
    for activation in &model.activations {
        for computed in &activation.computed {
            let mut text = computed.text(activation.function);
            if let Some(gradient) = activation.gradient {
                text += &format!("  {:<17}{gradient}\n", "gradient:");
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
