//! Reads Keras models. Their configuration is JSON: a file of its own, or in a `.keras` archive, an HDF5 file or TensorFlow.js's
//! model.json.

use super::{
    Reader,
    activation::{self, Activation, How, Model, Way},
    chain::{Choice, Comparison, OnPaper, Scale, Step},
    compilers::{self, Backend, EAGER, FUSED_XLA, GRAPH, JAX, JIT, MOVED, NUMPY, TORCH, XLA},
    function::Function,
    functional::{self, WrittenOut, function_name},
    kinds, whole,
};
use hard_sigmoid::HardSigmoid;
use hdf5_pure::{AttrValue, ReadSeekSource};
use serde_json::{Map, Value};

/// The version and backend, where the file has them.
#[derive(Default)]
struct Keras {
    version: Option<String>,
    backend: Option<String>,
    /// A model for TensorFlow.js, which has Keras 2's functions.
    is_js: bool,
}

impl Keras {
    /// Whether the file is of Keras 2. None if it doesn't say.
    fn is_2(&self) -> Option<bool> {
        // Keras 3 has no such backend.
        if matches!(self.backend.as_deref(), Some("theano" | "cntk")) {
            return Some(true);
        }
        let version = self.version.as_deref()?;
        Some(!version.starts_with('3'))
    }

    /// Who may compute the model. Only HDF5 files of Keras 3 and the JSON within them name the backend.
    fn backends(&self) -> &'static [Backend] {
        match self.backend.as_deref() {
            _ if self.is_js => &[Backend::TensorFlowJs],
            Some("theano") => &[Backend::Theano],
            Some("cntk") => &[Backend::Cntk],
            _ if self.is_2() == Some(true) => &[Backend::TensorFlow],
            Some("tensorflow") => &[Backend::TensorFlow],
            Some("torch") => &[Backend::Torch],
            Some("jax") => &[Backend::Jax],
            Some("numpy") => &[Backend::Numpy],
            _ => &[Backend::TensorFlow, Backend::Torch, Backend::Jax],
        }
    }
}

/// Reads a `.keras` archive.
pub fn read_archive(source: Reader) -> Result<Model, String> {
    let mut archive = zip::ZipArchive::new(source).map_err(|error| format!("a damaged archive: {error}"))?;
    let members: Vec<String> = archive.file_names().flatten().map(Into::into).collect();
    if let Some(kind) = kinds::archive(&members) {
        return Err(kind.into());
    }
    let mut member = |name: &str| -> Result<Value, String> {
        let file = archive.by_name(name);
        let file = file.map_err(|_| format!("an archive without {name}: no Keras model"))?;
        parsed(&whole(file, name)?).map_err(|error| format!("{name}: {error}"))
    };
    let config = member("config.json")?;
    let metadata = member("metadata.json").unwrap_or_default();
    let keras = Keras {
        version: text(&metadata, "keras_version"),
        ..Default::default()
    };
    Ok(model(".keras archive", keras, &config))
}

/// Reads an HDF5 file, the format of `save` before Keras 3. The configuration is an attribute of its root.
pub fn read_hdf5(source: Reader) -> Result<Model, String> {
    let damaged = |error: hdf5_pure::Error| format!("a damaged HDF5 file: {error}");
    let source = ReadSeekSource::new(source).map_err(|error| damaged(error.into()))?;
    let file = hdf5_pure::File::from_source(source).map_err(damaged)?;
    let attributes = file.root().attrs().map_err(damaged)?;
    let text = |name: &str| match attributes.get(name)? {
        AttrValue::String(text)
        | AttrValue::AsciiString(text)
        | AttrValue::VarLenString(text)
        | AttrValue::VarLenAsciiString(text)
        | AttrValue::StringSized { value: text, .. }
        | AttrValue::AsciiStringSized { value: text, .. } => Some(text.clone()),
        _ => None,
    };
    let config =
        text("model_config").ok_or("an HDF5 file without model_config: no Keras model, or its weights alone")?;
    let config = parsed(config.as_bytes()).map_err(|error| format!("model_config: {error}"))?;
    let keras = Keras {
        version: text("keras_version"),
        backend: text("backend"),
        is_js: false,
    };
    Ok(model("Keras HDF5", keras, &config))
}

/// Reads JSON that `to_json` or TensorFlow.js wrote.
pub fn read_json(bytes: &[u8]) -> Result<Model, String> {
    let value = parsed(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let topology = value.get("modelTopology");
    if topology.is_some_and(|topology| topology.get("node").is_some()) {
        return Err(
            "a graph model of TensorFlow.js, whose activations are no longer named: take the layers model".into(),
        );
    }
    let (format, config) = match topology {
        Some(topology) => ("TensorFlow.js layers model", topology),
        None => ("Keras JSON", &value),
    };
    let is_model = |value: &Value| value.get("class_name").is_some() && value.get("config").is_some();
    if !is_model(config) && !config.get("model_config").is_some_and(is_model) {
        return Err("JSON, but no Keras model: it has no \"class_name\" with a \"config\"".into());
    }
    let keras = Keras {
        version: text(config, "keras_version"),
        backend: text(config, "backend"),
        is_js: topology.is_some(),
    };
    Ok(model(format, keras, config))
}

/// Parses JSON with infinities and NaN, which Python writes though JSON has none. They become null.
fn parsed(text: &[u8]) -> serde_json::Result<Value> {
    let mut json = Vec::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(&byte) = rest.first() {
        let words = [&b"-Infinity"[..], b"Infinity", b"NaN"].into_iter();
        let word = words.filter(|_| !in_string).find(|word| rest.starts_with(word));
        let length = match (byte, word) {
            (_, Some(word)) => word.len(),
            // An escape, which may be of a quotation mark.
            (b'\\', None) if rest.len() > 1 => 2,
            _ => 1,
        };
        in_string ^= byte == b'"';
        json.extend_from_slice(if word.is_some() { b"null" } else { &rest[..length] });
        rest = &rest[length..];
    }
    serde_json::from_slice(&json)
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn model(format: &str, mut keras: Keras, config: &Value) -> Model {
    // Keras 3 writes the module of each class. So do late versions of Keras 2, but their files have the version too.
    if keras.version.is_none() && config.get("module").is_some() {
        keras.version = Some("3".into());
    }
    let (mut activations, mut lost) = (vec![], None);
    let mut found = |found| match found {
        Found::Activation(one) => activations.push(one),
        Found::Lost(layer) => drop(lost.get_or_insert(layer)),
    };
    walk(config, ("", 1), &keras, &mut WrittenOut::default(), &mut found);
    let is_code = has_code(config).then(|| {
        "it has layers or functions that are code (lambdas, modules of other frameworks, or the model's own), so hard sigmoids in them aren't found"
            .to_owned()
    });
    let is_lost = lost.map(|layer| activation::lost(&layer));
    let notes: Vec<_> = is_code.into_iter().chain(is_lost).collect();
    let made_by = keras.version.as_ref().map(|version| {
        let backend = keras
            .backend
            .as_ref()
            .map_or(String::new(), |backend| format!(" on {backend}"));
        format!("Keras {version}{backend}")
    });
    Model {
        format: format.into(),
        made_by,
        activations,
        totals: vec![],
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

enum Found {
    Activation(Activation),
    /// The name of a layer whose choice isn't followed.
    Lost(String),
}

/// Goes through layers within layers, to a depth that the JSON parser limits. `place` has the names of the layers around, and how often
/// they are called. `written_out` has the activations of each layer.
fn walk(
    value: &Value,
    place: (&str, usize),
    keras: &Keras,
    written_out: &mut WrittenOut,
    found: &mut dyn FnMut(Found),
) {
    let (path, times) = place;
    match value {
        Value::Array(all) => all.iter().for_each(|one| walk(one, place, keras, written_out, found)),
        Value::Object(object) => {
            let class = object.get("class_name").and_then(Value::as_str);
            let name = functional::layer_name(value).filter(|_| class.is_some());
            let path = match name {
                Some(name) if path.is_empty() => name.to_owned(),
                Some(name) => format!("{path}/{name}"),
                None => path.to_owned(),
            };
            let completed = name.and_then(|name| written_out.of_layers.remove(name));
            let of_operation = name.and_then(|name| *written_out.dtypes.get(name)?);
            let times_here = times.saturating_mul(functional::calls(object));
            // A layer's name belongs to the innermost model around it.
            let mut of_own_layers = class.map(|_| functional::written_out(object));
            let written_out = of_own_layers.as_mut().unwrap_or(written_out);
            if let Some(layer) = written_out.lost.take() {
                found(Found::Lost(format!("{path}/{layer}")));
            }
            if let Some(named) = operation(object).filter(|_| name.is_some() && keras.is_2() != Some(true)) {
                found(Found::Activation(Activation {
                    dtype: of_operation,
                    times: times_here,
                    ..activation(named, "operation", &path, keras)
                }));
            }
            for (key, value) in object {
                if let Some(named) = function(value).filter(|_| key.ends_with("activation")) {
                    found(Found::Activation(Activation {
                        dtype: functional::of_policy(object),
                        times: times_here,
                        ..activation(named, key, &path, keras)
                    }));
                } else {
                    walk(value, (&path, times_here), keras, written_out, found);
                }
            }
            for one in completed.into_iter().flatten() {
                found(Found::Activation(Activation {
                    name: path.clone(),
                    times,
                    ways: one.ways.iter().flat_map(|way| of_backends(way, keras)).collect(),
                    ..one
                }));
            }
        }
        _ => {}
    }
}

/// Whether a layer or function is code that the configuration doesn't have.
fn has_code(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.iter().any(has_code),
        Value::Object(object) => {
            let is_code = object
                .get("class_name")
                .and_then(Value::as_str)
                .is_some_and(|class| CODE.contains(&class));
            let is_unknown = |(key, value): (&String, &Value)| {
                let is_code = match function_name(value) {
                    Some(name) => !ACTIVATIONS.contains(&name),
                    // A layer has a class. A lambda's code is a list, or an object with a list.
                    None => value.is_array() || value.is_object() && value.get("class_name").is_none(),
                };
                key.ends_with("activation") && is_code
            };
            is_code
                || functional::is_own_class(object)
                || object.iter().any(is_unknown)
                // Losses and metrics may be code too.
                || object.iter().any(|(key, value)| key != "compile_config" && has_code(value))
        }
        _ => false,
    }
}

/// Classes of Keras whose configuration is code, or names some that lies elsewhere. The first is that of a function.
const CODE: &[&str] = &[
    "__lambda__",
    "Lambda",
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
    "TFSMLayer",
];

/// The functions in `keras.activations`, of Keras 2 and 3. One with another name is the model's own.
const ACTIVATIONS: &[&str] = &[
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
];

/// What has a name in Keras.
#[derive(Clone, Copy)]
enum Named {
    HardSigmoid,
    HardSwish,
    SparseSigmoid,
}

fn function(value: &Value) -> Option<Named> {
    match function_name(value)? {
        "hard_sigmoid" => Some(Named::HardSigmoid),
        "hard_silu" | "hard_swish" => Some(Named::HardSwish),
        "sparse_sigmoid" => Some(Named::SparseSigmoid),
        _ => None,
    }
}

/// An operation of Keras 3 in a functional model. A layer of this class is the model's own.
fn operation(layer: &Map<String, Value>) -> Option<Named> {
    if !functional::is_operation(layer) {
        return None;
    }
    match layer.get("class_name")?.as_str()? {
        "HardSigmoid" => Some(Named::HardSigmoid),
        "HardSilu" => Some(Named::HardSwish),
        "SparseSigmoid" => Some(Named::SparseSigmoid),
        _ => None,
    }
}

/// The ways in which the backends compute what is written out.
fn of_backends(way: &Way, keras: &Keras) -> Vec<Way> {
    match &way.how {
        How::Steps(steps) => compilers::ways(steps, way.on_paper, keras.backends()),
        How::Defined(_) => vec![way.clone()],
    }
}

fn activation(named: Named, key: &str, path: &str, keras: &Keras) -> Activation {
    let all = |of: fn(Backend) -> Vec<Way>| keras.backends().iter().copied().flat_map(of).collect::<Vec<_>>();
    let (name, ways) = match (named, keras.is_2()) {
        (Named::HardSigmoid, _) if keras.is_js => ("hard_sigmoid", all(of_keras_2)),
        (Named::HardSigmoid, Some(true)) => ("hard_sigmoid", all(of_keras_2)),
        (Named::HardSigmoid, Some(false)) => ("hard_sigmoid", all(hard_sigmoid)),
        (Named::HardSigmoid, None) => (
            "hard_sigmoid",
            [of_keras_2(Backend::TensorFlow), all(hard_sigmoid)].concat(),
        ),
        (Named::HardSwish, Some(true)) => ("hard_swish (the model's own: Keras 2 has none)", all(own_hard_swish)),
        (Named::HardSwish, _) => ("hard_swish", all(hard_silu)),
        (Named::SparseSigmoid, _) => ("sparse_sigmoid", all(sparse_sigmoid)),
    };
    let function = match named {
        Named::HardSwish => Function::HardSwish,
        Named::HardSigmoid | Named::SparseSigmoid => Function::HardSigmoid,
    };
    let path = if path.is_empty() { key } else { path };
    let is_own_gradient = matches!(named, Named::SparseSigmoid) && keras.backends() != [Backend::Jax];
    Activation {
        gradient: is_own_gradient.then_some(SPARSE_GRADIENT),
        ..Activation::new(path.into(), function, format!("{key}: {name}"), ways)
    }
}

/// How Keras's gradient of `sparse_sigmoid` differs from ours: it tests x. Our definitions with this y test y, and pass
/// something at the kinks.
const SPARSE_GRADIENT: &str = "on TensorFlow and PyTorch it is 0.5 where -1 < x < 1 (also at 0.99999994, whose y is 1) and at NaN, which no definition has";

const SIXTH: f32 = 1.0 / 6.0;

/// `hard_sigmoid` of `tf_keras`, of Keras before 3, and of TensorFlow.js.
fn of_keras_2(backend: Backend) -> Vec<Way> {
    let steps = [Step::Mul(0.2), Step::Add(0.5), Step::Limit(0.0, 1.0)];
    let ways = compilers::ways(&steps, OnPaper::new(0.2, 0.5), &[backend]);
    let ways = ways.into_iter().map(|way| match way.computed_by {
        FUSED_XLA => way,
        by => Way::defined(by, HardSigmoid::KERAS),
    });
    ways.collect()
}

/// A hard swish of a model's own code, which the file doesn't have, divides at one of two places.
fn own_hard_swish(backend: Backend) -> Vec<Way> {
    let (limit, divide, times) = ([Step::Add(3.0), Step::Limit(0.0, 6.0)], Step::Div(6.0), Step::Times(0));
    let both = [[divide, times], [times, divide]];
    let of = |last: [Step; 2]| compilers::ways(&[limit, last].concat(), OnPaper::new(SIXTH, 0.5), &[backend]);
    both.into_iter().flat_map(of).collect()
}

/// `keras.activations.hard_sigmoid` of Keras 3.
fn hard_sigmoid(backend: Backend) -> Vec<Way> {
    let defined = |all: &[(&'static str, HardSigmoid)]| all.iter().map(|&(by, one)| Way::defined(by, one)).collect();
    match backend {
        Backend::TensorFlow => defined(&[
            (EAGER, HardSigmoid::KERAS3),
            (GRAPH, HardSigmoid::JAX),
            (XLA, HardSigmoid::JAX),
        ]),
        Backend::Torch => defined(&[(TORCH, HardSigmoid::PYTORCH)]),
        Backend::Jax => defined(&[(JAX, HardSigmoid::JAX), (JIT, HardSigmoid::JAX)]),
        Backend::TensorFlowJs | Backend::Theano | Backend::Cntk => of_keras_2(backend),
        Backend::Numpy => in_steps(NUMPY, SIXTH, &[Step::Div(6.0), Step::Add(0.5), Step::Limit(0.0, 1.0)]),
    }
}

/// `keras.activations.hard_silu`. On PyTorch it is `torch.nn.functional.hardswish`, elsewhere x times Keras's hard sigmoid.
fn hard_silu(backend: Backend) -> Vec<Way> {
    let mut ways = hard_sigmoid(backend);
    for way in &mut ways {
        if let How::Steps(steps) = &mut way.how {
            steps.push(Step::Times(0));
        }
    }
    if backend == Backend::TensorFlow {
        let moved = [
            Step::Add(3.0),
            Step::Limit(0.0, 6.0),
            Step::TimesScaled(0, Scale::Mul(SIXTH)),
        ];
        ways.extend(in_steps(MOVED, SIXTH, &moved));
    }
    ways
}

/// `keras.activations.sparse_sigmoid`.
fn sparse_sigmoid(backend: Backend) -> Vec<Way> {
    let choice = |when, bound, value| {
        Step::Choice(Choice {
            at: 0,
            when,
            bound,
            value,
        })
    };
    let steps = [
        Step::Add(1.0),
        Step::Mul(0.5),
        choice(Comparison::GreaterOrEqual, 1.0, 1.0),
        choice(Comparison::LessOrEqual, -1.0, 0.0),
    ];
    match backend {
        Backend::Jax => [JAX, JIT].map(|by| Way::defined(by, HardSigmoid::SPARSE)).into(),
        _ => compilers::ways(&steps, OnPaper::new(0.5, 0.5), &[backend]),
    }
}

fn in_steps(computed_by: &'static str, alpha: f32, steps: &[Step]) -> Vec<Way> {
    vec![Way {
        computed_by,
        on_paper: OnPaper::new(alpha, 0.5),
        how: How::Steps(steps.to_vec()),
    }]
}
