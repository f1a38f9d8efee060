//! Reads ONNX files: the parts of the format that name operations and constants. The field numbers are those of onnx.proto;
//! fields that aren't declared here are skipped.

use super::{
    Activation, Function, Model,
    chain::{Recognized, Step},
    flow::{Flow, Operand, Operation},
};
use hard_sigmoid::{bf16, f16};
use prost::Message;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Message)]
struct ModelProto {
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "3")]
    producer_version: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<FunctionProto>,
}

#[derive(Clone, Message)]
struct OperatorSet {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, Message)]
struct FunctionProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "5")]
    output: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    node: Vec<Node>,
    #[prost(string, tag = "10")]
    domain: String,
}

#[derive(Clone, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
}

#[derive(Clone, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    t: Option<Tensor>,
    #[prost(message, optional, boxed, tag = "6")]
    g: Option<Box<GraphProto>>,
    #[prost(float, repeated, tag = "7")]
    floats: Vec<f32>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    strings: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<GraphProto>,
    #[prost(string, tag = "21")]
    ref_attr_name: String,
}

#[derive(Clone, Message)]
struct Tensor {
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    double_data: Vec<f64>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// The `data_location` of a tensor whose data are in another file.
const EXTERNAL: i32 = 1;

/// TensorProto's types of elements.
const FLOAT: i32 = 1;
const INT32: i32 = 6;
const INT64: i32 = 7;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

fn is_float(element: i32) -> bool {
    matches!(element, FLOAT | FLOAT16 | DOUBLE | BFLOAT16)
}

/// A constant's value. An integer is no operand of an activation until it is cast to a float.
#[derive(Clone, Copy)]
struct Number {
    value: f64,
    is_float: bool,
}

impl Number {
    fn float(value: f32) -> Self {
        let value = value.into();
        Self { value, is_float: true }
    }

    /// The number, if all are equal.
    fn of_all(numbers: &[f64], is_float: bool) -> Option<Self> {
        let (&value, rest) = numbers.split_first()?;
        rest.iter().all(|&one| one == value).then_some(Self { value, is_float })
    }
}

impl Tensor {
    /// The number, if all elements are equal.
    fn constant(&self) -> Option<Number> {
        let of = |bytes: &[u8]| -> Option<f64> {
            Some(match self.data_type {
                FLOAT => f32::from_le_bytes(bytes.try_into().ok()?).into(),
                INT32 => i32::from_le_bytes(bytes.try_into().ok()?).into(),
                INT64 => i64::from_le_bytes(bytes.try_into().ok()?) as f64,
                FLOAT16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
                DOUBLE => f64::from_le_bytes(bytes.try_into().ok()?),
                BFLOAT16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
                _ => return None,
            })
        };
        let size = match self.data_type {
            DOUBLE | INT64 => 8,
            FLOAT | INT32 => 4,
            _ => 2,
        };
        // Constants of activations are scalars or one for each channel, so large weights are skipped.
        let elements = [
            self.raw_data.len() / size,
            self.float_data.len(),
            self.double_data.len(),
            self.int32_data.len(),
            self.int64_data.len(),
        ];
        if elements.into_iter().any(|count| count > MOST_CONSTANT) {
            return None;
        }
        let numbers: Vec<f64> = if self.raw_data.is_empty() {
            match self.data_type {
                FLOAT => self.float_data.iter().map(|&one| one.into()).collect(),
                DOUBLE => self.double_data.clone(),
                INT32 => self.int32_data.iter().map(|&one| one.into()).collect(),
                INT64 => self.int64_data.iter().map(|&one| one as f64).collect(),
                // Halves are stored as bits.
                _ => {
                    let bits = self.int32_data.iter();
                    bits.map(|&bits| of(&(bits as u16).to_le_bytes()))
                        .collect::<Option<_>>()?
                }
            }
        } else {
            self.raw_data.chunks(size).map(of).collect::<Option<_>>()?
        };
        Number::of_all(&numbers, is_float(self.data_type))
    }
}

/// The most elements that a constant may have.
const MOST_CONSTANT: usize = 1 << 16;

pub fn read(bytes: &[u8]) -> Result<Model, String> {
    let mut model = ModelProto::decode(bytes).map_err(|_| "not an ONNX, Keras or TensorFlow.js model, or damaged")?;
    let functions = model.functions.iter();
    let functions = functions.map(|one| (one.domain.clone(), one.name.clone())).collect();
    let of_functions = model.functions.iter_mut().map(|one| &mut one.node);
    let of_graph = model.graph.iter_mut().map(|graph| &mut graph.node);
    of_functions
        .chain(of_graph)
        .for_each(|nodes| mark_calls(nodes, &functions));
    let Some(graph) = &model.graph else {
        return Err("not a model: it is no Keras file, and as ONNX it has no graph".into());
    };
    let mut activations = vec![];
    Scope::default().graph(graph, "", &mut activations);
    for function in &model.functions {
        let outputs = function.output.iter().map(String::as_str);
        let path = format!("{}/", function.name);
        Scope::default().nodes(&function.node, outputs, &path, &mut activations);
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
        activations,
        note: note(graph),
    })
}

/// Gives calls of the model's own functions another domain, since their names may be those of ONNX's operators.
fn mark_calls(nodes: &mut [Node], functions: &HashSet<(String, String)>) {
    for node in nodes {
        if functions.contains(&(node.domain.clone(), node.op_type.clone())) {
            node.domain = "a function of the model".into();
        }
        for attribute in &mut node.attribute {
            let graphs = attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs);
            graphs.for_each(|graph| mark_calls(&mut graph.node, functions));
        }
    }
}

/// Why the graph may have hard sigmoids that aren't found.
fn note(graph: &GraphProto) -> Option<String> {
    let is_elsewhere = graph.initializer.iter().any(|tensor| tensor.data_location == EXTERNAL);
    let is_quantized = graph.node.iter().any(|node| {
        let name = node.op_type.as_str();
        name.starts_with("QLinear") || matches!(name, "QuantizeLinear" | "DequantizeLinear")
    });
    let reasons = [
        (
            is_elsewhere,
            "constants are in another file, so hard sigmoids written out with them aren't found",
        ),
        (
            is_quantized,
            "the model is quantized, so hard sigmoids written out between quantizations aren't found",
        ),
    ];
    let notes: Vec<_> = reasons
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, note)| note)
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
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
}

impl Scope {
    fn graph(mut self, graph: &GraphProto, path: &str, found: &mut Vec<Activation>) {
        // The graph's own tensors hide those of the same name around it.
        let inputs = graph.input.iter().map(|input| &input.name);
        let initializers = graph.initializer.iter().map(|tensor| &tensor.name);
        let results = graph.node.iter().flat_map(|node| &node.output);
        for name in inputs.chain(initializers).chain(results) {
            self.names.forget(name);
            self.flow.forget(name);
        }
        for tensor in &graph.initializer {
            if let Some(constant) = tensor.constant() {
                self.names.constants.insert(tensor.name.clone(), constant);
            }
        }
        let outputs = graph.output.iter().map(|output| output.name.as_str());
        self.nodes(&graph.node, outputs, path, found);
    }

    fn nodes<'a>(
        mut self,
        nodes: &'a [Node],
        outputs: impl Iterator<Item = &'a str>,
        path: &str,
        found: &mut Vec<Activation>,
    ) {
        for node in nodes.iter().filter(|node| node.is_alias()) {
            if let (Some(input), Some(output)) = (node.input.first(), node.output.first()) {
                let input = self.names.tensor(input).to_owned();
                self.names.aliases.insert(output.clone(), input);
            }
        }
        let mut uses: Vec<&str> = outputs.collect();
        nodes.iter().for_each(|node| node.uses(&mut uses));
        let uses = uses.into_iter().map(|name| self.names.tensor(name));
        self.flow.enter(uses);
        for node in nodes {
            let Some(output) = node.output.first() else { continue };
            let own = if node.name.is_empty() { output } else { &node.name };
            let name = format!("{path}{own}");
            for graph in node.subgraphs() {
                self.clone().graph(graph, &format!("{name}/"), found);
            }
            if !node.is_known() {
                continue;
            }
            if let Some(constant) = self.names.constant(node) {
                self.names.constants.insert(output.clone(), constant);
                continue;
            }
            found.extend(node.built_in(&name));
            if let Some(operation) = self.names.operation(node) {
                let operands = node.input.iter().map(|input| self.names.operand(input));
                let operands: Vec<_> = operands.collect();
                self.flow.apply(name, &operation, &operands, output, found);
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

    /// The branches of an If, and the bodies of loops.
    fn subgraphs(&self) -> impl Iterator<Item = &GraphProto> {
        let attributes = self.attribute.iter();
        attributes.flat_map(|one| one.g.as_deref().into_iter().chain(&one.graphs))
    }

    /// Hard sigmoids within an operation of another name.
    fn built_in(&self, name: &str) -> Vec<Activation> {
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
                alpha,
                beta,
            });
            let activation = Activation::written_out(name.into(), found?);
            Some(Activation { written, ..activation })
        };
        match self.op_type.as_str() {
            "HardSwish" => of(Function::HardSwish, 1.0 / 6.0, 0.5, "HardSwish".into())
                .into_iter()
                .collect(),
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
                        let written = format!("{} with HardSigmoid({alpha}, {beta})", self.op_type);
                        all.extend(of(Function::HardSigmoid, alpha, beta, written));
                    }
                }
                // The two directions of a layer often have the same.
                all.dedup();
                all
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
                let written = format!("{fused} with HardSigmoid({alpha}, {beta})");
                of(Function::HardSigmoid, alpha, beta, written).into_iter().collect()
            }
            _ => vec![],
        }
    }
}

/// Whether an activation of a recurrent layer has an alpha and a beta.
fn parameters(activation: &str) -> (bool, bool) {
    match activation.to_ascii_lowercase().as_str() {
        "affine" | "scaledtanh" | "hardsigmoid" => (true, true),
        "leakyrelu" | "thresholdedrelu" | "elu" => (true, false),
        _ => (false, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The names of the results that were found, after a round through the format.
    fn found(node: Vec<Node>) -> Vec<String> {
        let constants = [("one", 1.0), ("two", 2.0), ("three", 3.0), ("six", 6.0), ("zero", 0.0)];
        let graph = GraphProto {
            node,
            initializer: constants.into_iter().map(|(name, value)| scalar(name, value)).collect(),
            output: vec![ValueInfo { name: "y".into() }],
            ..Default::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..Default::default()
        };
        let row = |one: &Activation| format!("{} {}", one.name, one.function.name());
        read(&model.encode_to_vec())
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
        // An integer is another one.
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
        // Its slope begins at 0.
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

    /// One of a function of the model, whatever it is called, and one of a branch.
    #[test]
    fn names_are_those_of_the_place() {
        let graph = |node: Vec<Node>, initializer: Vec<Tensor>| GraphProto {
            node,
            initializer,
            ..Default::default()
        };
        let read = |graph: GraphProto, functions: Vec<FunctionProto>| {
            let model = ModelProto {
                graph: Some(graph),
                functions,
                ..Default::default()
            };
            read(&model.encode_to_vec()).unwrap().activations.len()
        };
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
            node.built_in("y")
                .into_iter()
                .map(|one| one.written)
                .collect::<Vec<_>>()
        };
        let activation = || Attribute {
            name: "activation".into(),
            s: Some(b"HardSigmoid".into()),
            ..Default::default()
        };
        let float = |name: &str, f: f32| Attribute {
            name: name.into(),
            f: Some(f),
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

    #[test]
    fn what_another_place_decides_is_not_guessed() {
        let mut of_a_function = node("HardSigmoid", &["x"], "y");
        of_a_function.attribute.push(Attribute {
            name: "alpha".into(),
            ref_attr_name: "slope".into(),
            ..Default::default()
        });
        assert_eq!(found(vec![of_a_function]), [""; 0]);
        let mut of_others = node("HardSigmoid", &["x"], "y");
        of_others.domain = "my".into();
        assert_eq!(found(vec![of_others]), [""; 0]);
        let graph = GraphProto {
            initializer: vec![Tensor {
                data_location: EXTERNAL,
                ..scalar("three", 0.0)
            }],
            ..Default::default()
        };
        let model = ModelProto {
            graph: Some(graph),
            ..Default::default()
        };
        let note = read(&model.encode_to_vec()).unwrap().note.unwrap();
        assert!(note.starts_with("constants are in another file"));
        let graph = GraphProto {
            node: vec![node("DequantizeLinear", &["x"], "y")],
            ..Default::default()
        };
        let note = super::note(&graph).unwrap();
        assert!(note.starts_with("the model is quantized"));
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
}
