//! Reads ONNX files.

mod external;
mod inline;
mod proto;
mod skeleton;

pub use skeleton::first_element;

use super::{
    Beside, Reader,
    activation::{self, Activation, Model},
    chain::{Comparison, OnPaper, Recognized, Step},
    eight_bits::EightBits,
    flow::{Flow, Operand, Operation},
    function::Function,
};
use hard_sigmoid::{Byte, Quantization};
use prost::Message;
use proto::{
    Attribute, FLOAT, GraphProto, INT8, INT32, INT64, ModelProto, Node, Number, OperatorSet, Tensor, UINT8, is_float,
    other_float,
};
use std::{
    collections::{HashMap, HashSet},
    io::ErrorKind,
};

/// Reads a model. Its constants may lie in files beside it.
pub fn read(mut source: Reader, beside: &mut Beside) -> Result<Model, String> {
    let other = || "not an ONNX, Keras, TensorFlow.js or TensorFlow Lite model, or damaged".to_owned();
    let skeleton = skeleton::of_model(&mut source).map_err(|error| match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => other(),
        _ => error.to_string(),
    })?;
    let mut model = ModelProto::decode(&*skeleton).map_err(|_| other())?;
    let unread = external::settle(&mut model, beside);
    let cut = inline::inline(&mut model);
    let Some(graph) = &model.graph else {
        return Err("not a model: it is no Keras file, and as ONNX it has no graph".into());
    };
    let mut found = Found::default();
    let mut scope = Scope::default();
    if model.ir_version >= INPUTS_ARE_DEFAULTS {
        scope.names.inputs = graph.input.iter().map(|input| input.name.clone()).collect();
    }
    scope.graph(graph, "", &mut found);
    if let Some(call) = cut {
        found.miss(Miss::Functions, &call);
    }
    let of_onnx = |set: &&OperatorSet| set.domain.is_empty() || set.domain == "ai.onnx";
    let opset = model.opset_import.iter().find(of_onnx);
    let made_by = [model.producer_name.trim(), model.producer_version.trim()];
    let made_by: Vec<_> = made_by.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(Model {
        format: match opset {
            Some(set) => format!("ONNX, opset {}", set.version),
            None => "ONNX".into(),
        },
        made_by: (!made_by.is_empty()).then(|| made_by.join(" ")),
        note: found.note(unread.as_deref().unwrap_or_default()),
        activations: found.activations,
        totals: vec![],
    })
}

/// From this version of the format on, a caller may replace an initializer that is an input too. Before it, each initializer had to be one.
const INPUTS_ARE_DEFAULTS: i64 = 4;

#[derive(Default)]
struct Found {
    activations: Vec<Activation>,
    /// Why hard sigmoids may be missing, and the first node of each kind.
    missing: Vec<(Miss, String)>,
}

/// Why a hard sigmoid may be missing.
#[derive(Clone, Copy, PartialEq)]
enum Miss {
    Unread,
    Replaceable,
    Quantized,
    Functions,
    Limits,
    Where,
    NotFinite,
}

impl Found {
    fn miss(&mut self, why: Miss, node: &str) {
        if !self.missing.iter().any(|(other, _)| *other == why) {
            self.missing.push((why, node.into()));
        }
    }

    /// What may be missing, and where. `unread` is where the constants are that can't be read.
    fn note(&self, unread: &str) -> Option<String> {
        let notes = self.missing.iter().map(|(why, node)| match why {
            Miss::Unread => format!(
                "constants (of {node}, for one) are in {unread}, so hard sigmoids written out with them aren't found"
            ),
            Miss::Replaceable => format!(
                "constants (of {node}, for one) are inputs with a default, which a caller may replace, so hard sigmoids written out with them aren't found"
            ),
            Miss::Quantized => {
                "the model is quantized, so hard sigmoids written out between quantizations aren't found".into()
            }
            Miss::Functions => {
                format!("its functions call one another too often or too deep, so {node} and others aren't looked into")
            }
            Miss::Limits => format!("the limits of {node} aren't constants, so a hard sigmoid with them isn't found"),
            Miss::Where => activation::lost(node),
            Miss::NotFinite => {
                format!("the HardSigmoid of {node} has an alpha or beta that isn't finite, which no definition has")
            }
        });
        let notes: Vec<_> = notes.collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// What is known of tensors, by their names. A subgraph also sees the tensors around it.
#[derive(Clone, Default)]
struct Scope {
    names: Names,
    flow: Flow,
}

#[derive(Clone, Default)]
struct Names {
    constants: HashMap<String, Number>,
    /// Other names of a tensor, such as the results of Identity and Cast.
    aliases: HashMap<String, String>,
    /// The inputs of the model whose initializers are defaults.
    inputs: HashSet<String>,
    /// Constants that aren't known, and why.
    unknown: HashMap<String, Miss>,
    /// The types of the tensors' elements, where they are known.
    elements: HashMap<String, i32>,
    /// What the bytes stood for that a DequantizeLinear made this tensor of.
    dequantized: HashMap<String, Quantization>,
    /// What the bytes stand for that a QuantizeLinear makes of this tensor.
    quantized: HashMap<String, Option<Quantization>>,
}

impl Scope {
    fn graph(mut self, graph: &GraphProto, path: &str, found: &mut Found) {
        let replaceable = std::mem::take(&mut self.names.inputs);
        // The graph's own tensors hide those of the same name around it.
        let inputs = graph.input.iter().map(|input| &input.name);
        let initializers = graph.initializer.iter().map(|tensor| &tensor.name);
        let results = graph.node.iter().flat_map(|node| &node.output);
        for name in inputs.chain(initializers).chain(results) {
            self.names.forget(name);
            self.flow.forget(name);
        }
        let values = graph.input.iter().chain(&graph.value_info).chain(&graph.output);
        let values = values.filter_map(|value| Some((value.name.clone(), value.element()?)));
        let initializers = graph.initializer.iter();
        let initializers = initializers.map(|tensor| (tensor.name.clone(), tensor.data_type));
        self.names.elements.extend(values.chain(initializers));
        for tensor in &graph.initializer {
            if replaceable.contains(&tensor.name) {
                self.names.unknown.insert(tensor.name.clone(), Miss::Replaceable);
            } else if tensor.bytes_elsewhere().is_some() {
                self.names.unknown.insert(tensor.name.clone(), Miss::Unread);
            } else if let Some(constant) = tensor.constant() {
                self.names.constants.insert(tensor.name.clone(), constant);
            }
        }
        let outputs = graph.output.iter().map(|output| output.name.as_str());
        self.nodes(&graph.node, outputs, path, found);
    }

    fn nodes<'a>(mut self, nodes: &'a [Node], outputs: impl Iterator<Item = &'a str>, path: &str, found: &mut Found) {
        for node in nodes.iter().filter(|node| node.is_alias()) {
            if let (Some(input), Some(output)) = (node.input.first(), node.output.first()) {
                let input = self.names.tensor(input).to_owned();
                self.names.aliases.insert(output.clone(), input);
            }
        }
        self.names.find_quantizations(nodes);
        let mut uses: Vec<&str> = outputs.collect();
        nodes.iter().for_each(|node| node.uses(&mut uses));
        let uses = uses.into_iter().map(|name| self.names.tensor(name));
        self.flow.enter(uses);
        for node in nodes {
            let Some(output) = node.output.first() else { continue };
            let name = format!("{path}{}", node.own_name());
            for graph in node.subgraphs() {
                self.clone().graph(graph, &format!("{name}/"), found);
            }
            if !node.is_known() {
                continue;
            }
            if let Some(element) = self.names.element(node) {
                self.names.elements.entry(output.clone()).or_insert(element);
            }
            let dtype = self.names.elements.get(output).copied().and_then(other_float);
            if node.is_quantized() {
                found.miss(Miss::Quantized, &name);
            }
            if let Some(why) = self.names.unknown(node) {
                self.names.unknown.insert(output.clone(), why);
                continue;
            }
            if let Some(constant) = self.names.constant(node) {
                self.names.constants.insert(output.clone(), constant);
                continue;
            }
            for activation in node.built_in(&name) {
                match activation {
                    Some(activation) => {
                        let activation = Activation { dtype, ..activation };
                        let quantized = self.names.eight_bits(node, &activation);
                        found.activations.push(Activation {
                            quantized,
                            ..activation
                        });
                    }
                    None => found.miss(Miss::NotFinite, &name),
                }
            }
            let unknown = node.input.iter().find_map(|input| self.names.unknown.get(input));
            let operation = self.names.operation(node);
            if let Some(why) = unknown.filter(|_| operation.is_some() || node.op_type == "Clip") {
                found.miss(*why, &name);
            }
            let Some(operation) = operation else {
                if unknown.is_none() && self.names.is_half_limited(node) {
                    found.miss(Miss::Limits, &name);
                }
                continue;
            };
            if matches!(&operation, Operation::Steps(steps) if !steps.iter().all(Step::is_finite)) {
                found.miss(Miss::NotFinite, &name);
            }
            let operands = node.input.iter().map(|input| self.names.operand(input));
            let operands: Vec<_> = operands.collect();
            let activations = &mut found.activations;
            if let Some(activation) = self
                .flow
                .apply(name.clone(), &operation, &operands, output, activations)
            {
                activation.dtype = dtype;
                activation.quantized = self.names.eight_bits(node, activation);
            }
            if self.flow.is_lost(&operation, &operands, output) {
                found.miss(Miss::Where, &name);
            }
        }
    }
}

impl Names {
    /// The tensor that the name stands for.
    fn tensor<'a>(&'a self, name: &'a str) -> &'a str {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    fn forget(&mut self, name: &str) {
        self.constants.remove(name);
        self.aliases.remove(name);
        self.unknown.remove(name);
        self.elements.remove(name);
        self.dequantized.remove(name);
        self.quantized.remove(name);
    }

    /// Finds what tensors are quantized to, before the node that makes them is looked at.
    fn find_quantizations(&mut self, nodes: &[Node]) {
        for node in nodes.iter().filter(|node| node.is_known()) {
            let Some(output) = node.output.first() else { continue };
            let input = node.input.first().map_or("", String::as_str);
            match node.op_type.as_str() {
                "Constant" => {
                    self.elements
                        .extend(self.element(node).map(|element| (output.clone(), element)));
                    self.constants
                        .extend(self.constant(node).map(|constant| (output.clone(), constant)));
                }
                "QuantizeLinear" => {
                    let zero_point = node.input.get(2).and_then(|name| self.elements.get(name));
                    let element = zero_point
                        .copied()
                        .or_else(|| node.attribute("output_dtype")?.i?.try_into().ok());
                    let element = element.unwrap_or(UINT8);
                    self.elements.insert(output.clone(), element);
                    if let Some(quantization) = self.quantization(node, element) {
                        let input = self.tensor(input).to_owned();
                        let also = self.quantized.entry(input).or_insert(Some(quantization));
                        *also = also.filter(|one| *one == quantization);
                    }
                }
                "DequantizeLinear" => {
                    let element = self.elements.get(input).copied();
                    let zero_point = node.input.get(2).and_then(|name| self.elements.get(name));
                    let quantization = element
                        .or(zero_point.copied())
                        .and_then(|element| self.quantization(node, element));
                    self.dequantized.extend(quantization.map(|one| (output.clone(), one)));
                }
                _ => {}
            }
        }
    }

    /// What bytes stand for by a QuantizeLinear or DequantizeLinear, if that is the same for all of the tensor.
    fn quantization(&self, node: &Node, element: i32) -> Option<Quantization> {
        let byte = match element {
            UINT8 => Byte::U8,
            INT8 => Byte::I8,
            _ => return None,
        };
        let zero_point = match node.input.get(2).map(String::as_str) {
            None | Some("") => 0,
            Some(name) => self.number(name)?.value as i32,
        };
        Quantization::new(byte, self.constant_input(node, 1)?, zero_point).ok()
    }

    /// What an activation is in 8 bits, if it is one operator between a DequantizeLinear and a QuantizeLinear.
    fn eight_bits(&self, node: &Node, activation: &Activation) -> Option<Box<EightBits>> {
        let is_one = matches!(node.op_type.as_str(), "HardSigmoid" | "HardSwish") && activation.dtype.is_none();
        let (x, y) = (node.input.first().filter(|_| is_one)?, node.output.first()?);
        let (x, y) = (self.dequantized.get(self.tensor(x))?, self.quantized.get(y)?.as_ref()?);
        let definition = activation.ways.first()?.on_paper.definition();
        EightBits::new(activation.function, definition, *x, *y).map(Box::new)
    }

    /// The type of a node's result, which is mostly that of its first operand of floats.
    fn element(&self, node: &Node) -> Option<i32> {
        let of = |input: &String| self.elements.get(input).copied();
        let of_value = |attribute: &Attribute| Some(attribute.t.as_ref()?.data_type);
        match node.op_type.as_str() {
            "Cast" => node.to(),
            "CastLike" => of(node.input.get(1)?),
            "Constant" => match node.attribute("value") {
                Some(value) => of_value(value),
                // The others are numbers.
                None => node.attribute.first().map(|one| {
                    if one.f.is_some() || !one.floats.is_empty() {
                        FLOAT
                    } else {
                        INT64
                    }
                }),
            },
            "ConstantOfShape" => node.attribute("value").map_or(Some(FLOAT), of_value),
            _ => node.input.iter().filter_map(of).find(|&element| is_float(element)),
        }
    }

    fn number(&self, input: &str) -> Option<Number> {
        self.constants.get(input).copied()
    }

    fn operand(&self, input: &str) -> Operand {
        match self.number(input) {
            Some(Number { value, is_float: true }) => Operand::Constant(value as f32),
            _ => Operand::Tensor(self.tensor(input).into()),
        }
    }

    /// Whether a node limits by one constant, and by a tensor. (Clips by two tensors are mostly of indices.)
    fn is_half_limited(&self, node: &Node) -> bool {
        let limits = node.input.iter().skip(1).filter(|limit| !limit.is_empty());
        let (constants, others): (Vec<_>, Vec<_>) = limits.partition(|limit| self.constants.contains_key(*limit));
        let is_float = |limit: &&String| self.number(limit).is_some_and(|number| number.is_float);
        node.op_type == "Clip" && constants.iter().any(is_float) && !others.is_empty()
    }

    /// Why a node's result isn't known, though it is a constant.
    fn unknown(&self, node: &Node) -> Option<Miss> {
        match node.op_type.as_str() {
            "Constant" => {
                let mut tensors = node.attribute.iter().filter_map(|one| one.t.as_ref());
                tensors.find_map(Tensor::bytes_elsewhere).map(|_| Miss::Unread)
            }
            "Identity" | "Reshape" | "Unsqueeze" | "Squeeze" | "Expand" | "Cast" | "CastLike" => {
                self.unknown.get(node.input.first()?).copied()
            }
            _ => None,
        }
    }

    /// A node's result, if it is a constant.
    fn constant(&self, node: &Node) -> Option<Number> {
        let input = || self.number(node.input.first()?);
        match node.op_type.as_str() {
            "Constant" => {
                let number = |attribute: &Attribute| match attribute.name.as_str() {
                    "value" => attribute.t.as_ref()?.constant(),
                    "value_float" => attribute.f.map(Number::float),
                    "value_floats" => {
                        let numbers: Vec<f64> = attribute.floats.iter().map(|&one| one.into()).collect();
                        Number::of_all(&numbers, true)
                    }
                    "value_int" => Some(Number {
                        value: attribute.i? as f64,
                        is_float: false,
                    }),
                    _ => None,
                };
                node.attribute.iter().find_map(number)
            }
            "ConstantOfShape" => match node.attribute("value") {
                Some(value) => value.t.as_ref()?.constant(),
                None => Some(Number::float(0.0)),
            },
            "Identity" | "Reshape" | "Unsqueeze" | "Squeeze" | "Expand" => input(),
            // The type is that of another tensor, which is a float where a hard sigmoid is computed.
            "CastLike" => input().map(|number| Number {
                is_float: true,
                ..number
            }),
            "Cast" => {
                let Number { value, .. } = input()?;
                match node.to()? {
                    to if is_float(to) => Some(Number { value, is_float: true }),
                    INT32 | INT64 => Some(Number {
                        value: value.trunc(),
                        is_float: false,
                    }),
                    _ => None,
                }
            }
            _ => match [self.operand(node.input.first()?), self.operand(node.input.get(1)?)] {
                [Operand::Constant(a), Operand::Constant(b)] if node.input.len() == 2 => {
                    Some(Number::float(self.operation(node)?.of_constants(a, b)?))
                }
                _ => None,
            },
        }
    }

    fn constant_input(&self, node: &Node, i: usize) -> Option<f32> {
        match self.operand(node.input.get(i)?) {
            Operand::Constant(constant) => Some(constant),
            Operand::Tensor(_) => None,
        }
    }

    fn operation(&self, node: &Node) -> Option<Operation> {
        let step = |step| Some(Operation::Steps(vec![step]));
        match node.op_type.as_str() {
            "Add" | "Sum" => Some(Operation::Add),
            "Sub" => Some(Operation::Sub),
            "Mul" => Some(Operation::Mul),
            "Div" => Some(Operation::Div),
            "Min" => Some(Operation::Min),
            "Max" => Some(Operation::Max),
            "Neg" => step(Step::Mul(-1.0)),
            "Relu" => step(Step::Limit(0.0, f32::INFINITY)),
            "Less" => Some(Operation::Compare(Comparison::Less)),
            "LessOrEqual" => Some(Operation::Compare(Comparison::LessOrEqual)),
            "Greater" => Some(Operation::Compare(Comparison::Greater)),
            "GreaterOrEqual" => Some(Operation::Compare(Comparison::GreaterOrEqual)),
            "Not" => Some(Operation::Not),
            "Where" => Some(Operation::Where),
            "Clip" => {
                // The limits are operands since opset 11, attributes before. A limit that another node computes isn't known.
                let limit = |i: usize, name: &str, none: f32| match node.input.get(i).map(String::as_str) {
                    Some("") | None => Some(node.float(name).unwrap_or(none)),
                    Some(_) => self.constant_input(node, i),
                };
                let low = limit(1, "min", f32::NEG_INFINITY)?;
                step(Step::Limit(low, limit(2, "max", f32::INFINITY)?))
            }
            "HardSigmoid" => {
                let (alpha, beta) = (node.float("alpha"), node.float("beta"));
                step(Step::Whole(alpha.unwrap_or(ALPHA), beta.unwrap_or(BETA)))
            }
            _ => None,
        }
    }
}

/// ONNX Runtime's own operators, in models that it optimized. Their domains are com.microsoft and com.microsoft.nchwc.
const MICROSOFT: &str = "com.microsoft";

/// The defaults of ONNX's HardSigmoid, as an operator and in recurrent layers.
const ALPHA: f32 = 0.2;
const BETA: f32 = 0.5;

impl Node {
    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|one| one.name == name)
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name)?.f
    }

    /// The type that it casts to.
    fn to(&self) -> Option<i32> {
        self.attribute("to")?.i?.try_into().ok()
    }

    /// Whether its result is its operand, apart from the type.
    fn is_alias(&self) -> bool {
        let is_one = match self.op_type.as_str() {
            "Identity" | "CastLike" | "Dropout" => true,
            "Cast" => self.to().is_some_and(is_float),
            _ => false,
        };
        is_one && self.is_known()
    }

    /// Whether it is one of ONNX's own operators, and its attributes are given here. (In a function they may be given by the caller.)
    fn is_known(&self) -> bool {
        let is_own = self.domain.starts_with(MICROSOFT) || matches!(self.domain.as_str(), "" | "ai.onnx");
        is_own && self.attribute.iter().all(|one| one.ref_attr_name.is_empty())
    }

    /// Adds the tensors that it and its subgraphs use.
    fn uses<'a>(&'a self, names: &mut Vec<&'a str>) {
        if !self.is_alias() {
            names.extend(self.input.iter().map(String::as_str));
        }
        for graph in self.subgraphs() {
            graph.node.iter().for_each(|node| node.uses(names));
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }

    fn is_quantized(&self) -> bool {
        let name = self.op_type.as_str();
        name.starts_with("QLinear") || matches!(name, "QuantizeLinear" | "DequantizeLinear")
    }

    /// Hard sigmoids within an operation of another name. None for one whose parameters aren't finite.
    fn built_in(&self, name: &str) -> Vec<Option<Activation>> {
        let of = |function, alpha: f32, beta: f32, written: String| {
            let whole = Step::Whole(alpha, beta);
            let steps = match function {
                Function::HardSigmoid => vec![whole],
                Function::HardSwish => vec![whole, Step::Times(0)],
            };
            let is_one = alpha.is_finite() && beta.is_finite();
            let found = is_one.then_some(Recognized {
                function,
                steps,
                on_paper: OnPaper::new(alpha, beta),
            });
            let activation = Activation::written_out(name.into(), found?);
            Some(Activation { written, ..activation })
        };
        match self.op_type.as_str() {
            "HardSwish" => vec![of(Function::HardSwish, 1.0 / 6.0, 0.5, "HardSwish".into())],
            "LSTM" | "GRU" | "RNN" => {
                let floats = |name| self.attribute(name).map_or(&[][..], |one| &one.floats);
                // Alphas and betas are listed for those activations alone that have any.
                let (mut alphas, mut betas) = (floats("activation_alpha").iter(), floats("activation_beta").iter());
                let mut all = vec![];
                for activation in self.attribute("activations").map_or(&[][..], |one| &one.strings) {
                    let activation = String::from_utf8_lossy(activation);
                    let (takes_alpha, takes_beta) = parameters(&activation);
                    let alpha = takes_alpha.then(|| alphas.next()).flatten();
                    let beta = takes_beta.then(|| betas.next()).flatten();
                    if activation.eq_ignore_ascii_case("HardSigmoid") {
                        let (alpha, beta) = (*alpha.unwrap_or(&ALPHA), *beta.unwrap_or(&BETA));
                        let written = format!("{} with {}", self.op_type, Step::Whole(alpha, beta));
                        let activation = of(Function::HardSigmoid, alpha, beta, written);
                        // burn-onnx takes no GRU with HardSigmoid, and says so.
                        let is_ignored = self.op_type != "GRU" && (alpha, beta) != (ALPHA, BETA);
                        all.push(activation.map(|one| Activation {
                            warning: is_ignored.then_some(IGNORED),
                            ..one
                        }));
                    }
                }
                // The two directions of a layer often have the same.
                let mut different: Vec<Option<Activation>> = vec![];
                for activation in all {
                    match (different.last_mut(), &activation) {
                        (Some(Some(last)), Some(one)) if last.written == one.written => last.times += 1,
                        _ => different.push(activation),
                    }
                }
                different
            }
            // Convolutions list the parameters, FusedGemm names them.
            fused
                if self.domain.starts_with(MICROSOFT)
                    && self.attribute("activation").and_then(|one| one.s.as_deref()) == Some(b"HardSigmoid") =>
            {
                let listed = self.attribute("activation_params").map_or(&[][..], |one| &one.floats);
                let parameter = |i: usize, name: &str, otherwise: f32| {
                    let given = listed.get(i).copied().or_else(|| self.float(name));
                    given.unwrap_or(otherwise)
                };
                let alpha = parameter(0, "activation_alpha", ALPHA);
                let beta = parameter(1, "activation_beta", BETA);
                let written = format!("{fused} with {}", Step::Whole(alpha, beta));
                vec![of(Function::HardSigmoid, alpha, beta, written)]
            }
            _ => vec![],
        }
    }
}

/// A fault of burn-onnx 0.23, in its `lstm.rs` and `rnn.rs`. It gives no message.
const IGNORED: &str = "burn-onnx 0.23 ignores activation_alpha and activation_beta of LSTM and RNN, and computes clamp(0.2·x + 0.5, 0, 1) instead";

/// Whether an activation of a recurrent layer has an alpha and a beta.
fn parameters(activation: &str) -> (bool, bool) {
    match activation.to_ascii_lowercase().as_str() {
        "affine" | "scaledtanh" | "hardsigmoid" => (true, true),
        "leakyrelu" | "thresholdedrelu" | "elu" => (true, false),
        _ => (false, false),
    }
}

#[cfg(test)]
pub mod tests {
    use super::proto::*;
    use super::*;
    use crate::tests::parsed;
    use hard_sigmoid::{bf16, f16};

    fn node(op_type: &str, inputs: &[&str], output: &str) -> Node {
        Node {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.into()],
            op_type: op_type.into(),
            ..Default::default()
        }
    }

    fn with(mut node: Node, attributes: Vec<Attribute>) -> Node {
        node.attribute = attributes;
        node
    }

    fn cast(input: &str, to: i32, output: &str) -> Node {
        let to = Attribute {
            name: "to".into(),
            i: Some(to.into()),
            ..Default::default()
        };
        with(node("Cast", &[input], output), vec![to])
    }

    fn scalar(name: &str, value: f32) -> Tensor {
        Tensor {
            data_type: 1,
            float_data: vec![value],
            name: name.into(),
            ..Default::default()
        }
    }

    /// A hard sigmoid, with these weights in an operation before it and in another after it, in two of the forms that weights have.
    pub fn with_weights(weights: &[u8]) -> Vec<u8> {
        let before = Tensor {
            data_type: INT8,
            raw_data: weights.into(),
            ..Default::default()
        };
        let before = Attribute {
            name: "value".into(),
            t: Some(before),
            ..Default::default()
        };
        let numbers = weights
            .chunks_exact(4)
            .map(|one| f32::from_le_bytes(one.try_into().unwrap()));
        let after = Tensor {
            float_data: numbers.collect(),
            ..scalar("after", 0.0)
        };
        let nodes = vec![
            with(node("Constant", &[], "before"), vec![before]),
            node("MatMul", &["x", "before"], "h"),
            node("HardSigmoid", &["h"], "s"),
            node("MatMul", &["s", "after"], "y"),
        ];
        let model = ModelProto {
            graph: Some(graph(nodes, vec![after])),
            ..Default::default()
        };
        model.encode_to_vec()
    }

    /// The names of the results that were found, after a round through the format.
    fn found(node: Vec<Node>) -> Vec<String> {
        let constants = [("one", 1.0), ("two", 2.0), ("three", 3.0), ("six", 6.0), ("zero", 0.0)];
        let graph = GraphProto {
            node,
            initializer: constants.into_iter().map(|(name, value)| scalar(name, value)).collect(),
            output: vec![ValueInfo::of("y", FLOAT)],
            ..Default::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..Default::default()
        };
        let row = |one: &Activation| format!("{} {}", one.name, one.function.name());
        parsed(model.encode_to_vec())
            .unwrap()
            .activations
            .iter()
            .map(row)
            .collect()
    }

    #[test]
    fn another_name_or_type_is_the_same_tensor() {
        let hs = || node("HardSigmoid", &["x"], "hs");
        assert_eq!(found(vec![hs(), cast("hs", FLOAT16, "y")]), ["hs hard_sigmoid"]);
        assert_eq!(
            found(vec![hs(), cast("hs", FLOAT16, "c"), node("Mul", &["x", "c"], "y")]),
            ["y hard_swish"]
        );
        // A hard sigmoid that is cast to an integer and back is another factor.
        let nodes = vec![
            hs(),
            cast("hs", INT32, "i"),
            cast("i", FLOAT, "c"),
            node("Mul", &["x", "c"], "y"),
        ];
        assert_eq!(found(nodes), ["hs hard_sigmoid"]);
        assert_eq!(
            found(vec![
                node("Identity", &["x"], "i"),
                hs(),
                node("Mul", &["i", "hs"], "m"),
                node("Dropout", &["m"], "y")
            ]),
            ["m hard_swish"]
        );
        // It is also used by itself.
        assert_eq!(
            found(vec![
                hs(),
                node("Mul", &["hs", "x"], "m"),
                node("Add", &["m", "hs"], "y")
            ]),
            ["hs hard_sigmoid", "m hard_swish"]
        );
    }

    #[test]
    fn operands_in_either_order_and_signs() {
        let after = |first: Vec<Node>| {
            let rest = [
                node("Clip", &["a", "zero", "six"], "c"),
                node("Div", &["c", "six"], "y"),
            ];
            found(first.into_iter().chain(rest).collect())
        };
        assert_eq!(after(vec![node("Add", &["three", "x"], "a")]), ["y hard_sigmoid"]);
        assert_eq!(after(vec![node("Sub", &["three", "x"], "a")]), ["y hard_sigmoid"]);
        assert_eq!(
            after(vec![node("Neg", &["x"], "n"), node("Add", &["n", "three"], "a")]),
            ["y hard_sigmoid"]
        );
        // BinaryNet's form has the limits first.
        let nodes = vec![
            node("Sub", &["zero", "one"], "minus"),
            node("Clip", &["x", "minus", "one"], "c"),
            node("Add", &["c", "one"], "a"),
            node("Div", &["a", "two"], "y"),
        ];
        assert_eq!(found(nodes), ["y hard_sigmoid"]);
        // This slope begins at x = 0.
        let nodes = vec![
            node("Clip", &["x", "zero", "two"], "c"),
            node("Div", &["c", "two"], "y"),
        ];
        assert_eq!(found(nodes), [""; 0]);
        // 6 / c is another function.
        let nodes = vec![
            node("Add", &["x", "three"], "a"),
            node("Clip", &["a", "zero", "six"], "c"),
            node("Div", &["six", "c"], "y"),
        ];
        assert_eq!(found(nodes), [""; 0]);
    }

    /// The constants of (x + 3) clipped to 0 and 6, / 6, where 6 is made by these nodes.
    #[test]
    fn constants_come_in_several_forms() {
        let is_found = |mut six: Vec<Node>| {
            six.extend([
                node("Add", &["x", "three"], "a"),
                node("Clip", &["a", "zero", "six"], "c"),
                node("Div", &["c", "s"], "y"),
            ]);
            match found(six)[..] {
                [] => false,
                [ref one] => one == "y hard_sigmoid",
                _ => panic!("several"),
            }
        };
        let attribute = |name: &str| Attribute {
            name: name.into(),
            ..Default::default()
        };
        let integer = |output: &str, i: i64| {
            let value = Attribute {
                i: Some(i),
                ..attribute("value_int")
            };
            with(node("Constant", &[], output), vec![value])
        };
        let floats = Attribute {
            floats: vec![6.0, 6.0],
            ..attribute("value_floats")
        };
        let integers = Attribute {
            t: Some(Tensor {
                data_type: INT64,
                int64_data: vec![6],
                ..Default::default()
            }),
            ..attribute("value")
        };
        for six in [
            vec![node("Sum", &["three", "three"], "s")],
            vec![node("Mul", &["two", "three"], "s")],
            vec![with(node("Constant", &[], "s"), vec![floats])],
            vec![integer("i", 6), cast("i", FLOAT, "s")],
            vec![integer("i", 6), node("CastLike", &["i", "x"], "s")],
            vec![
                with(node("ConstantOfShape", &["shape"], "i"), vec![integers]),
                cast("i", FLOAT, "s"),
            ],
        ] {
            assert!(is_found(six.clone()), "{six:?}");
        }
        let mut own = node("Mul", &["two", "three"], "s");
        own.domain = "my".into();
        for other in [vec![integer("s", 6)], vec![own], vec![cast("six", 9, "s")]] {
            assert!(!is_found(other.clone()), "{other:?}");
        }
    }

    /// A hard sigmoid in a function of the model is found, whatever the function is called, and so is one in a branch.
    #[test]
    fn names_are_those_of_the_place() {
        let read = |graph: GraphProto, functions: Vec<FunctionProto>| read(graph, functions).0.len();
        let mut own = node("HardSwish", &["x"], "y");
        own.domain = "com.microsoft".into();
        let function = FunctionProto {
            name: "HardSwish".into(),
            domain: "com.microsoft".into(),
            ..Default::default()
        };
        assert_eq!(read(graph(vec![own.clone()], vec![]), vec![]), 1);
        assert_eq!(read(graph(vec![own], vec![]), vec![function]), 0);

        let of_branch = |initializer: Vec<Tensor>| {
            let nodes = vec![
                node("Add", &["x", "three"], "a"),
                node("Clip", &["a", "zero", "six"], "c"),
                node("Div", &["c", "six"], "b"),
            ];
            let branch = Attribute {
                name: "then_branch".into(),
                g: Some(Box::new(graph(nodes, initializer))),
                ..Default::default()
            };
            let outer = vec![scalar("zero", 0.0), scalar("three", 3.0), scalar("six", 6.0)];
            read(graph(vec![with(node("If", &["i"], "y"), vec![branch])], outer), vec![])
        };
        assert_eq!(of_branch(vec![]), 1);
        let several = Tensor {
            float_data: vec![3.0, 4.0],
            ..scalar("three", 0.0)
        };
        assert_eq!(of_branch(vec![several]), 0);
    }

    #[test]
    fn activations_that_the_runtime_has_fused() {
        let fused = |op: &str, attributes: Vec<Attribute>| {
            let mut node = with(node(op, &["x", "w"], "y"), attributes);
            node.domain = "com.microsoft.nchwc".into();
            let all = node.built_in("y").into_iter().flatten();
            all.map(|one| one.written).collect::<Vec<_>>()
        };
        let activation = || Attribute {
            name: "activation".into(),
            s: Some(b"HardSigmoid".into()),
            ..Default::default()
        };
        let listed = Attribute {
            name: "activation_params".into(),
            floats: vec![0.25, 0.5],
            ..Default::default()
        };
        assert_eq!(fused("Conv", vec![]), [""; 0]);
        assert_eq!(fused("Conv", vec![activation()]), ["Conv with HardSigmoid(0.2, 0.5)"]);
        assert_eq!(
            fused("Conv", vec![activation(), listed]),
            ["Conv with HardSigmoid(0.25, 0.5)"]
        );
        let named = vec![
            activation(),
            float("activation_alpha", 0.25),
            float("activation_beta", 0.4),
        ];
        assert_eq!(fused("FusedGemm", named), ["FusedGemm with HardSigmoid(0.25, 0.4)"]);
    }

    /// burn-onnx refuses a GRU with HardSigmoid, and computes the default right.
    #[test]
    fn other_parameters_of_a_recurrent_layer_have_a_warning() {
        let printed = |op: &str, alpha: Option<f32>, beta: Option<f32>| {
            let activations = Attribute {
                name: "activations".into(),
                strings: vec![b"HardSigmoid".into(), b"Tanh".into(), b"Tanh".into()],
                ..Default::default()
            };
            let listed = |name: &str, value: f32| Attribute {
                name: name.into(),
                floats: vec![value],
                ..Default::default()
            };
            let alpha = alpha.map(|alpha| listed("activation_alpha", alpha));
            let beta = beta.map(|beta| listed("activation_beta", beta));
            let attributes = [Some(activations), alpha, beta].into_iter().flatten().collect();
            let nodes = vec![with(node(op, &["x", "w", "r"], "y"), attributes)];
            let model = ModelProto {
                graph: Some(graph(nodes, vec![])),
                ..Default::default()
            };
            let model = parsed(model.encode_to_vec()).unwrap();
            assert_eq!(model.activations.len(), 1);
            let text = model.to_string();
            let lines = text.lines().filter_map(|line| line.strip_prefix("  warning:         "));
            let lines: Vec<_> = lines.map(str::to_owned).collect();
            assert_eq!(lines.first().map(String::as_str), model.activations[0].warning);
            lines
        };
        for op in ["LSTM", "RNN", "GRU"] {
            for defaults in [(None, None), (Some(0.2), None), (Some(0.2), Some(0.5))] {
                assert_eq!(printed(op, defaults.0, defaults.1), [""; 0], "{op}");
            }
            for others in [(Some(0.25), None), (None, Some(0.4)), (Some(1.0 / 6.0), Some(0.5))] {
                let expected = if op == "GRU" { vec![] } else { vec![IGNORED] };
                assert_eq!(printed(op, others.0, others.1), expected, "{op}");
            }
        }
    }

    /// The names of what was found, and the note.
    fn read(graph: GraphProto, functions: Vec<FunctionProto>) -> (Vec<String>, Option<String>) {
        let graph = Some(graph);
        let model = ModelProto {
            graph,
            functions,
            ..Default::default()
        };
        let model = parsed(model.encode_to_vec()).unwrap();
        (model.activations.into_iter().map(|one| one.name).collect(), model.note)
    }

    fn graph(node: Vec<Node>, initializer: Vec<Tensor>) -> GraphProto {
        GraphProto {
            node,
            initializer,
            ..Default::default()
        }
    }

    fn of_caller(name: &str, refers: &str) -> Attribute {
        Attribute {
            name: name.into(),
            ref_attr_name: refers.into(),
            ..Default::default()
        }
    }

    fn float(name: &str, f: f32) -> Attribute {
        Attribute {
            name: name.into(),
            f: Some(f),
            ..Default::default()
        }
    }

    /// A function whose HardSigmoid has the alpha and beta of its caller, and a call of it.
    fn gate(given: Vec<Attribute>, defaults: Vec<Attribute>) -> String {
        let own = with(node("HardSigmoid", &["a"], "b"), vec![of_caller("alpha", "slope")]);
        let function = FunctionProto {
            name: "Gate".into(),
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: vec![own],
            attribute_proto: defaults,
            ..Default::default()
        };
        let model = ModelProto {
            graph: Some(graph(vec![with(node("Gate", &["x"], "y"), given)], vec![])),
            functions: vec![function],
            ..Default::default()
        };
        let model = parsed(model.encode_to_vec()).unwrap();
        let [one] = &model.activations[..] else {
            panic!("{:?}", model.activations)
        };
        format!("{}: {}", one.name, one.written)
    }

    #[test]
    fn attributes_are_the_callers_or_the_defaults() {
        let of = |slope: f32| vec![float("slope", slope)];
        assert_eq!(gate(of(0.25), vec![]), "y/b: HardSigmoid(0.25, 0.5)");
        assert_eq!(gate(vec![], of(0.75)), "y/b: HardSigmoid(0.75, 0.5)");
        assert_eq!(gate(of(0.25), of(0.75)), "y/b: HardSigmoid(0.25, 0.5)");
        assert_eq!(gate(vec![], vec![]), "y/b: HardSigmoid(0.2, 0.5)");
    }

    /// A hard sigmoid that begins in one function and ends in another, whose operands and results have other names there, also in a
    /// branch.
    #[test]
    fn functions_are_parts_of_their_callers() {
        let function = |name: &str, inputs: &[&str], nodes: Vec<Node>, outputs: &[&str]| FunctionProto {
            name: name.into(),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: outputs.iter().map(ToString::to_string).collect(),
            node: nodes,
            ..Default::default()
        };
        let shift = function("Shift", &["a", "c"], vec![node("Add", &["a", "c"], "x")], &["x"]);
        let limits = vec![
            node("Clip", &["a", "low", "high"], "x"),
            node("Div", &["x", "high"], "y"),
        ];
        let limit = function("Limit", &["a", "low", "high"], limits, &["y"]);
        let both = function(
            "Both",
            &["a", "b", "c", "d"],
            vec![node("Shift", &["a", "b"], "s"), node("Limit", &["s", "c", "d"], "t")],
            // An operand that is a result.
            &["t", "a"],
        );
        let mut call = node("Both", &["x", "three", "zero", "six"], "h");
        call.output.push("same".into());
        let constants = || vec![scalar("zero", 0.0), scalar("three", 3.0), scalar("six", 6.0)];
        let all = || vec![both.clone(), limit.clone(), shift.clone()];
        let nodes = vec![call, node("Mul", &["same", "h"], "y")];
        assert_eq!(read(graph(nodes, constants()), all()).0, ["y"]);
        // The call may be in a branch of a function.
        let branch = Attribute {
            name: "then_branch".into(),
            g: Some(Box::new(graph(
                vec![node("Both", &["a", "three", "zero", "six"], "h")],
                constants(),
            ))),
            ..Default::default()
        };
        let branching = function(
            "Maybe",
            &["a"],
            vec![with(node("If", &["condition"], "y"), vec![branch])],
            &["y"],
        );
        let nodes = vec![node("Maybe", &["x"], "z")];
        let functions = [all(), vec![branching]].concat();
        assert_eq!(read(graph(nodes, vec![]), functions).0, ["z/y/h/t/y"]);
    }

    /// Each call of a function counts, and each direction of a recurrent layer.
    #[test]
    fn what_is_computed_twice_counts_twice() {
        let total = |nodes: Vec<Node>, functions: Vec<FunctionProto>| {
            let model = ModelProto {
                graph: Some(graph(nodes, vec![])),
                functions,
                ..Default::default()
            };
            let model = parsed(model.encode_to_vec()).unwrap();
            let text = model.to_string();
            (model.activations.len(), text.lines().last().unwrap().to_owned())
        };
        let function = FunctionProto {
            name: "Gate".into(),
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: vec![node("HardSwish", &["a"], "b")],
            ..Default::default()
        };
        let calls = vec![node("Gate", &["x"], "y"), node("Gate", &["y"], "z")];
        let of = |count: &str| format!("{count} hard_swish, all affine(0.16666667, 0.5, strict)");
        assert_eq!(total(calls, vec![function]), (2, of("2 activations: 2")));
        let layer = |names: &[&str], alphas: &[f32]| {
            let activations = Attribute {
                name: "activations".into(),
                strings: names.iter().map(|name| name.as_bytes().to_vec()).collect(),
                ..Default::default()
            };
            let alphas = Attribute {
                name: "activation_alpha".into(),
                floats: alphas.into(),
                ..Default::default()
            };
            total(
                vec![with(node("GRU", &["x", "w", "r"], "y"), vec![activations, alphas])],
                vec![],
            )
        };
        let one = ["HardSigmoid", "Tanh"];
        let both = [one, one].concat();
        assert_eq!(
            layer(&one, &[]),
            (1, "1 activation: 1 hard_sigmoid, all keras or onnx".into())
        );
        assert_eq!(
            layer(&both, &[]),
            (1, "2 activations: 2 hard_sigmoid, all keras or onnx".into())
        );
        assert_eq!(
            layer(&both, &[0.2, 0.25]),
            (
                2,
                "2 activations: 1 hard_sigmoid (keras or onnx), 1 hard_sigmoid (tangent)".into()
            )
        );
    }

    /// Models in halves have their slopes as the exporter rounded them.
    #[test]
    fn slopes_that_were_rounded_to_halves_are_named() {
        let written = |alpha: f32| {
            let whole = with(node("HardSigmoid", &["x"], "y"), vec![float("alpha", alpha)]);
            let whole = said(graph(vec![whole], vec![]));
            let nodes = vec![
                node("Mul", &["x", "alpha"], "m"),
                node("Add", &["m", "half"], "a"),
                node("Clip", &["a", "zero", "one"], "y"),
            ];
            let constants = [("alpha", alpha), ("half", 0.5), ("zero", 0.0), ("one", 1.0)];
            let steps = said(graph(nodes, constants.map(|(name, value)| scalar(name, value)).into()));
            assert_eq!(steps["written"], steps["computed"][0]["operations"]);
            let definition = whole["definitions"].as_array().unwrap().clone();
            (whole["written"].clone(), steps["written"].clone(), definition)
        };
        for (alpha, number, name) in [
            (f16::from_f64(0.2).to_f32(), "0.19995117", " (0.2 in float16)"),
            (bf16::from_f64(0.2).to_f32(), "0.20019531", " (0.2 in bfloat16)"),
            (f16::from_f64(1.0 / 6.0).to_f32(), "0.16662598", " (1/6 in float16)"),
            (bf16::from_f64(1.0 / 6.0).to_f32(), "0.16699219", " (1/6 in bfloat16)"),
            (-f16::from_f64(0.2).to_f32(), "-0.19995117", " (-0.2 in float16)"),
            (0.21, "0.21", ""),
        ] {
            let (whole, steps, definition) = written(alpha);
            assert_eq!(whole, format!("HardSigmoid({number}{name}, 0.5)"));
            assert_eq!(steps, format!("* {number}{name}, + 0.5, clip 0 to 1"));
            assert_eq!(definition, [format!("affine({number}, 0.5, strict)")]);
        }
    }

    /// An initializer that is an input too is a default, but in old files each initializer had to be one.
    #[test]
    fn a_default_of_an_input_is_no_constant() {
        let found = |ir_version: i64, inputs: &[&str]| {
            let nodes = vec![
                node("Mul", &["x", "alpha"], "m"),
                node("Add", &["m", "half"], "a"),
                node("Clip", &["a", "zero", "one"], "y"),
            ];
            let constants = [("alpha", 0.2), ("half", 0.5), ("zero", 0.0), ("one", 1.0)];
            let graph = GraphProto {
                input: inputs.iter().map(|name| ValueInfo::of(name, FLOAT)).collect(),
                ..graph(nodes, constants.map(|(name, value)| scalar(name, value)).into())
            };
            let model = ModelProto {
                ir_version,
                graph: Some(graph),
                ..Default::default()
            };
            let model = parsed(model.encode_to_vec()).unwrap();
            (model.activations.len(), model.note)
        };
        assert_eq!(found(4, &["x"]), (1, None));
        assert_eq!(found(3, &["x", "alpha"]), (1, None));
        let (count, note) = found(4, &["x", "alpha"]);
        assert_eq!(count, 0);
        let note = note.unwrap();
        assert!(
            note.starts_with("constants (of m, for one) are inputs with a default"),
            "{note}"
        );
    }

    #[test]
    fn functions_without_end_are_noted() {
        let function = |name: &str, callee: &str, times: usize| FunctionProto {
            name: name.into(),
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: vec![node(callee, &["a"], "b"); times],
            ..Default::default()
        };
        let calls = |functions| read(graph(vec![node("F0", &["x"], "y")], vec![]), functions);
        let itself = calls(vec![function("F0", "F0", 1)]);
        // Each calls the next one twice.
        let many = (0..30).map(|i| function(&format!("F{i}"), &format!("F{}", i + 1), 2));
        for (found, note) in [itself, calls(many.collect())] {
            assert_eq!(found, [""; 0]);
            let note = note.unwrap();
            assert!(note.starts_with("its functions call one another too often"), "{note}");
            assert!(note.contains(", so y/b/b/b/"), "{note}");
        }
        assert_eq!(calls(vec![function("F0", "Relu", 1)]).1, None);
    }

    #[test]
    fn operators_of_others_are_not_guessed() {
        let mut of_others = node("HardSigmoid", &["x"], "y");
        of_others.domain = "my".into();
        assert_eq!(found(vec![of_others]), [""; 0]);
    }

    #[test]
    fn what_may_be_missing_is_noted() {
        let elsewhere = |name: &str, dims: Vec<i64>| Tensor {
            data_location: EXTERNAL,
            dims,
            ..scalar(name, 3.0)
        };
        let note = |nodes: Vec<Node>, initializer: Vec<Tensor>| read(graph(nodes, initializer), vec![]).1;
        let of_add = |dims: Vec<i64>| note(vec![node("Add", &["x", "c"], "y")], vec![elsewhere("c", dims)]);
        let starts = |note: Option<String>, start: &str| {
            let note = note.unwrap();
            assert!(note.starts_with(start), "{note}");
        };
        starts(
            of_add(vec![]),
            "constants (of y, for one) are in another file, which isn't named",
        );
        // Through another operation, and as a limit.
        let nodes = vec![node("Unsqueeze", &["c", "axes"], "d"), node("Mul", &["d", "x"], "y")];
        starts(note(nodes, vec![elsewhere("c", vec![4])]), "constants (of y");
        let nodes = vec![node("Clip", &["x", "c", "six"], "y")];
        starts(note(nodes, vec![elsewhere("c", vec![])]), "constants (of y");
        // Weights are no constants of hard sigmoids: of another operation, or too large.
        let nodes = vec![node("MatMul", &["x", "c"], "y")];
        assert_eq!(note(nodes, vec![elsewhere("c", vec![2, 2])]), None);
        assert_eq!(of_add(vec![1024, 1024]), None);
        assert_eq!(note(vec![], vec![elsewhere("c", vec![])]), None);

        let limits = |low: &str| {
            note(
                vec![node("Clip", &["x", low, "six"], "y")],
                vec![scalar("six", 6.0), scalar("zero", 0.0)],
            )
        };
        starts(limits("computed"), "the limits of y aren't constants");
        assert_eq!(limits("zero"), None);

        let alpha = |alpha: f32| {
            note(
                vec![with(node("HardSigmoid", &["x"], "y"), vec![float("alpha", alpha)])],
                vec![],
            )
        };
        starts(
            alpha(f32::INFINITY),
            "the HardSigmoid of y has an alpha or beta that isn't finite",
        );
        assert_eq!(alpha(0.0), None);

        let choice = |bound: f32, x: &str| {
            let nodes = vec![
                node("Greater", &["x", "bound"], "c"),
                node("Mul", &["x", "x"], "square"),
                node("Where", &["c", x, "square"], "y"),
            ];
            note(nodes, vec![scalar("bound", bound), scalar("one", 1.0)])
        };
        starts(
            choice(3.0, "x"),
            "y chooses by a comparison in a way that isn't followed",
        );
        // A leaky ReLU, say.
        assert_eq!(choice(0.0, "x"), None);

        let inner = graph(vec![node("DequantizeLinear", &["x"], "y")], vec![]);
        let branch = Attribute {
            g: Some(Box::new(inner.clone())),
            ..Default::default()
        };
        for nodes in [inner.node, vec![with(node("If", &["c"], "y"), vec![branch])]] {
            starts(note(nodes, vec![]), "the model is quantized");
        }
    }

    #[test]
    fn choices_are_limits() {
        let nodes = |low: &str, by: &str, bounds: [f32; 2]| {
            let nodes = vec![
                node("Div", &["x", "six"], "d"),
                node("Add", &["d", "half"], "v"),
                node(low, &[by, "low"], "c"),
                node("Where", &["c", "zero", "v"], "w"),
                // The other way round: where it is not beyond the bound, it stays.
                node("LessOrEqual", &["high", by], "e"),
                node("Not", &["e"], "not"),
                node("Where", &["not", "w", "one"], "y"),
            ];
            let mut constants = vec![
                scalar("six", 6.0),
                scalar("half", 0.5),
                scalar("zero", 0.0),
                scalar("one", 1.0),
            ];
            constants.extend([scalar("low", bounds[0]), scalar("high", bounds[1])]);
            read(graph(nodes, constants), vec![]).0
        };
        assert_eq!(nodes("Less", "x", [-3.0, 3.0]), ["y"]);
        assert_eq!(nodes("LessOrEqual", "v", [0.0, 1.0]), ["y"]);
        // A jump, the other side, and another tensor.
        assert_eq!(nodes("Less", "x", [-2.0, 3.0]), [""; 0]);
        assert_eq!(nodes("Greater", "x", [-3.0, 3.0]), [""; 0]);
        assert_eq!(nodes("Less", "z", [-3.0, 3.0]), [""; 0]);
    }

    /// The branch takes the hard sigmoid too, so it stays one of its own.
    #[test]
    fn branches_use_what_is_around_them() {
        let mut branch = node("If", &["condition"], "b");
        branch.attribute.push(Attribute {
            name: "then_branch".into(),
            g: Some(Box::new(GraphProto {
                node: vec![node("Neg", &["hs"], "n")],
                ..Default::default()
            })),
            ..Default::default()
        });
        let nodes = vec![
            node("HardSigmoid", &["x"], "hs"),
            branch,
            node("Mul", &["x", "hs"], "y"),
        ];
        assert_eq!(found(nodes), ["hs hard_sigmoid", "y hard_swish"]);
    }

    /// What is said of the model's only activation.
    fn said(graph: GraphProto) -> serde_json::Value {
        let graph = Some(graph);
        let model = ModelProto {
            graph,
            ..Default::default()
        };
        let model = parsed(model.encode_to_vec()).unwrap();
        let [one] = &model.activations[..] else {
            panic!("{:?}", model.activations)
        };
        serde_json::to_value(one).unwrap()
    }

    /// x/6 · clip(x + 3, 0, 6), and the like.
    #[test]
    fn a_hard_swish_may_scale_x() {
        let said = |x: &str, scaling: &str, c: f32, swapped: bool| {
            let product = if swapped { ["c", "s"] } else { ["s", "c"] };
            let mut nodes = vec![
                node(scaling, &[x, "constant"], "s"),
                node("Add", &[x, "three"], "a"),
                node("Clip", &["a", "zero", "six"], "c"),
                node("Mul", &product, "y"),
            ];
            if x != "x" {
                nodes.insert(0, node("Add", &["x", "three"], x));
            }
            let constants = [("zero", 0.0), ("three", 3.0), ("six", 6.0), ("constant", c)];
            let constants = constants.map(|(name, value)| scalar(name, value));
            said(graph(nodes, constants.into()))
        };
        let sixth = 1.0 / 6.0;
        for (scaling, c, of_x) in [("Mul", sixth, "(x * 0.16666667)"), ("Div", 6.0, "(x / 6)")] {
            for swapped in [false, true] {
                let one = said("x", scaling, c, swapped);
                assert_eq!(one["function"], "hard_swish");
                assert_eq!(one["written"], format!("+ 3, clip 0 to 6, * {of_x}"));
                assert_eq!(one["computed"][0]["curve"], "x · clamp(0.16666667·x + 0.5, 0, 1)");
            }
            // Steps may come before it.
            assert_eq!(
                said("b", scaling, c, false)["written"],
                format!("+ 3, clip 0 to 6, * {of_x}")
            );
        }
        // A product with another tensor, or with another scale, is no hard swish.
        let nodes = |of: &str, c: &str| {
            vec![
                node("Div", &[of, c], "s"),
                node("Add", &["x", "three"], "a"),
                node("Clip", &["a", "zero", "six"], "c"),
                node("Mul", &["s", "c"], "y"),
            ]
        };
        assert_eq!(found(nodes("x", "six")), ["y hard_swish"]);
        assert_eq!(found(nodes("z", "six")), [""; 0]);
        assert_eq!(found(nodes("x", "three")), [""; 0]);
    }

    #[test]
    fn another_type_than_float32_is_said() {
        let value = |name: &str, element: i32| ValueInfo::of(name, element);
        let double = |name: &str, value: f32| Tensor {
            data_type: DOUBLE,
            double_data: vec![value.into()],
            ..scalar(name, 0.0)
        };
        let gate = |x: &str| {
            vec![
                node("Add", &[x, "three"], "a"),
                node("Clip", &["a", "zero", "six"], "c"),
                node("Div", &["c", "six"], "y"),
            ]
        };
        let constants = || vec![scalar("zero", 0.0), scalar("three", 3.0), scalar("six", 6.0)];
        let typed = |input: Vec<ValueInfo>, inner: Vec<ValueInfo>, nodes: Vec<Node>, initializer: Vec<Tensor>| {
            let value_info = inner;
            let dtype = said(GraphProto {
                input,
                value_info,
                ..graph(nodes, initializer)
            });
            dtype["dtype"].as_str().unwrap_or("null").to_owned()
        };
        let unknown = || vec![node("Relu", &["x"], "r")];
        for (element, expected) in [
            (FLOAT, "null"),
            (DOUBLE, "float64"),
            (FLOAT16, "float16"),
            (BFLOAT16, "bfloat16"),
        ] {
            // The type is that of the input (through another operation), of a tensor within, or of a cast.
            let through = [unknown(), gate("r")].concat();
            assert_eq!(typed(vec![value("x", element)], vec![], through, constants()), expected);
            assert_eq!(
                typed(vec![], vec![value("y", element)], gate("x"), constants()),
                expected
            );
            let cast = [vec![cast("x", element, "r")], gate("r")].concat();
            assert_eq!(typed(vec![value("x", DOUBLE)], vec![], cast, constants()), expected);
            let whole = vec![node("HardSwish", &["x"], "y")];
            assert_eq!(typed(vec![value("x", element)], vec![], whole, vec![]), expected);
        }
        // The type is that of the constants.
        let constants = vec![double("zero", 0.0), double("three", 3.0), double("six", 6.0)];
        assert_eq!(typed(vec![], vec![], gate("x"), constants), "float64");
        // The type is that of a constant in a node.
        let one = with(
            node("Constant", &[], "half"),
            vec![Attribute {
                name: "value".into(),
                t: Some(double("", 0.5)),
                ..Default::default()
            }],
        );
        let nodes = vec![one, node("Mul", &["x", "half"], "r"), node("HardSigmoid", &["r"], "y")];
        assert_eq!(typed(vec![], vec![], nodes, vec![]), "float64");
        assert_eq!(
            typed(vec![], vec![], vec![node("HardSigmoid", &["x"], "y")], vec![]),
            "null"
        );
    }

    /// The types, scales and zero points come as initializers, as nodes, or as defaults.
    #[test]
    fn quantizations_come_in_several_forms() {
        let integer = |name: &str, data_type: i32, value: i32| Tensor {
            name: name.into(),
            data_type,
            int32_data: vec![value],
            ..Default::default()
        };
        let between = |activation: Node, x: &[&str], y: &[&str]| {
            vec![
                node("DequantizeLinear", x, "x"),
                activation,
                node("QuantizeLinear", y, "bytes"),
            ]
        };
        let swish = || node("HardSwish", &["x"], "y");
        let sigmoid = |alpha: f32| with(node("HardSigmoid", &["x"], "y"), vec![float("alpha", alpha)]);
        let constants = || {
            vec![
                scalar("sx", 0.0625),
                scalar("sy", 0.03125),
                scalar("small", 0.0625 / 128.0),
                scalar("large", 3.0 * 8_388_608.0),
                scalar("256th", 1.0 / 256.0),
                Tensor {
                    float_data: vec![0.5, 0.25],
                    ..scalar("channels", 0.0)
                },
                integer("u8", UINT8, 100),
                integer("i8", INT8, -3),
                integer("least", INT8, -128),
                integer("u16", 4, 7),
            ]
        };
        let quantized = |nodes: Vec<Node>| said(graph(nodes, constants()))["quantized"].clone();
        let of = |activation: Node, x: [&str; 2], y: [&str; 2]| {
            let one = quantized(between(activation, &["q", x[0], x[1]], &["y", y[0], y[1]]));
            let bytes = |which: &str| {
                let bytes = &one[which];
                format!(
                    "{} {} {}",
                    bytes["type"].as_str().unwrap(),
                    bytes["scale"],
                    bytes["zero_point"]
                )
            };
            let elsewhere = one["elsewhere"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| match one["why"].as_str() {
                    Some(why) => why.split(' ').next().unwrap().to_owned(),
                    None => one["differing"].to_string(),
                });
            let elsewhere: Vec<_> = elsewhere.collect();
            (bytes("x"), bytes("y"), elsewhere.join(" "))
        };
        let said = |x: &str, y: &str, elsewhere: &str| (x.to_owned(), y.to_owned(), elsewhere.to_owned());
        assert_eq!(
            of(swish(), ["sx", "u8"], ["sy", "u8"]),
            said("u8 0.0625 100", "u8 0.03125 100", "0 0")
        );
        assert_eq!(
            of(swish(), ["sx", "i8"], ["sy", "u8"]),
            said("i8 0.0625 -3", "u8 0.03125 100", "takes takes")
        );
        assert_eq!(
            of(swish(), ["sx", "u8"], ["small", "u8"]).2.split(' ').next_back(),
            Some("refuses")
        );
        assert!(of(swish(), ["large", "u8"], ["large", "u8"]).2.ends_with(" has"));
        let sixth = 1.0 / 6.0;
        assert_eq!(
            of(sigmoid(sixth), ["sx", "i8"], ["sy", "least"]),
            said("i8 0.0625 -3", "i8 0.03125 -128", "gives has")
        );
        assert_eq!(
            of(sigmoid(sixth), ["sx", "i8"], ["256th", "least"]),
            said("i8 0.0625 -3", "i8 0.00390625 -128", "0 has")
        );
        assert_eq!(of(sigmoid(0.2), ["sx", "i8"], ["256th", "least"]).2, "has has");

        // Without a zero point it is 0, and the type is that of the bytes, by default u8. The result may have another name.
        let mut nodes = between(swish(), &["q", "scale"], &["same", "scale"]);
        let value = Attribute {
            name: "value_float".into(),
            f: Some(0.5),
            ..Default::default()
        };
        nodes.insert(0, with(node("Constant", &[], "scale"), vec![value]));
        nodes.insert(1, node("QuantizeLinear", &["real", "scale"], "q"));
        nodes.insert(4, node("Identity", &["y"], "same"));
        let one = quantized(nodes);
        for which in ["x", "y"] {
            assert_eq!(
                one[which],
                serde_json::json!({"type": "u8", "scale": 0.5, "zero_point": 0})
            );
        }

        // Scales of channels or in an operand, other types, and a result that stays a float.
        for [scale, zero_point] in [["channels", "u8"], ["operand", "u8"], ["sx", "u16"], ["sx", "operand"]] {
            let nodes = between(swish(), &["q", "sx", "u8"], &["y", scale, zero_point]);
            assert!(quantized(nodes).is_null(), "{scale} {zero_point}");
            let nodes = between(swish(), &["q", scale, zero_point], &["y", "sx", "u8"]);
            assert!(quantized(nodes).is_null(), "{scale} {zero_point}");
        }
        let nodes = vec![node("DequantizeLinear", &["q", "sx", "u8"], "x"), swish()];
        assert!(quantized(nodes).is_null());
        // A function in float16, and a result that is quantized in two ways.
        let nodes = vec![
            node("DequantizeLinear", &["q", "sx", "u8"], "wide"),
            cast("wide", FLOAT16, "x"),
            swish(),
            node("QuantizeLinear", &["y", "sy", "u8"], "out"),
        ];
        assert!(quantized(nodes).is_null());
        let mut nodes = between(swish(), &["q", "sx", "u8"], &["y", "sy", "u8"]);
        nodes.push(node("QuantizeLinear", &["y", "sx", "u8"], "other"));
        assert!(quantized(nodes).is_null());
    }
}
