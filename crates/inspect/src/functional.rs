//! Finds hard sigmoids that functional and sequential Keras models write out as layers and operations.
//!
//! In a functional model each layer has its calls, as "inbound_nodes". A call in Keras 3:
//!
//! ```json
//! {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}, 3.0], "kwargs": {}}
//! ```
//!
//! Three calls in Keras 2, one of a layer and two of a function of TensorFlow:
//!
//! ```json
//! [["x", 0, 0, {}]]
//! ["x", 0, 0, {"y": 3.0}]
//! ["_CONSTANT_VALUE", -1, 3.0, {"y": ["x", 0, 0]}]
//! ```
//!
//! In all of them ["x", 0, 0] is a tensor: the name of the layer, the number of its call, and the number of that call's result.

use super::{
    activation::Activation,
    chain::{Comparison, Step},
    flow::{Flow, Operand, Operation},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};

struct Call<'a> {
    layer: &'a str,
    dtype: Dtype,
    /// The operation that the layer does; None if this program doesn't know it.
    operation: Option<Operation>,
    operands: Vec<Operand>,
    result: String,
}

/// The calls in a model, and each tensor as often as it is used.
type Graph<'a> = (Vec<Call<'a>>, Vec<String>);

/// Activations by the name of the layer that completes them.
#[derive(Default)]
pub struct WrittenOut {
    pub of_layers: HashMap<String, Vec<Activation>>,
    /// The first layer that chooses by a comparison in a way that isn't followed.
    pub lost: Option<String>,
    /// The type in which each layer computes.
    pub dtypes: HashMap<String, Option<&'static str>>,
}

/// In which type a layer computes: the one of its policy, or, if it is an operation, that of its operands.
enum Dtype {
    Own(Option<&'static str>),
    Operands,
}

/// The activations that a model's layers write out. There are none if the model is neither functional nor sequential.
pub fn written_out(model: &Map<String, Value>) -> WrittenOut {
    let mut all = WrittenOut::default();
    let Some((calls, taken)) = graph(model) else {
        return all;
    };
    let mut flow = Flow::default();
    flow.enter(taken.iter().map(String::as_str));
    let mut found = vec![];
    let mut of_results: HashMap<String, Option<&'static str>> = HashMap::new();
    for call in in_order(calls) {
        let mut of_operands = call.operands.iter().filter_map(|one| of_results.get(one.tensor()?));
        let dtype = match call.dtype {
            Dtype::Own(dtype) => dtype,
            Dtype::Operands => of_operands.find_map(|&dtype| dtype),
        };
        of_results.insert(call.result.clone(), dtype);
        all.dtypes.insert(call.layer.into(), dtype);
        if let Some(operation) = &call.operation {
            let completed = flow.apply(call.layer.into(), operation, &call.operands, &call.result, &mut found);
            if let Some(activation) = completed {
                activation.dtype = dtype;
            }
            if flow.is_lost(operation, &call.operands, &call.result) {
                all.lost.get_or_insert_with(|| call.layer.into());
            }
        }
    }
    for activation in found {
        let of_layer = all.of_layers.entry(activation.name.clone());
        of_layer.or_default().push(activation);
    }
    all
}

fn graph(model: &Map<String, Value>) -> Option<Graph<'_>> {
    let config = model.get("config")?;
    // In old files the configuration of a sequential model is the list of its layers.
    let layers = config.get("layers").unwrap_or(config).as_array()?;
    match config.get("output_layers") {
        Some(outputs) => Some(functional(layers, outputs)),
        None => (model.get("class_name")? == "Sequential").then(|| sequential(layers)),
    }
}

/// How often a layer is called, and what is in it. A model in two directions has a layer for each in Keras 3, and in Keras 2 one that is
/// copied, unless its backward layer is given.
pub fn calls(layer: &Map<String, Value>) -> usize {
    let calls = layer.get("inbound_nodes").and_then(Value::as_array).map_or(1, Vec::len);
    let is_copied = layer.get("class_name").is_some_and(|class| class == "Bidirectional")
        && layer
            .get("config")
            .is_some_and(|config| config.get("backward_layer").is_none());
    calls.max(1) * if is_copied { 2 } else { 1 }
}

fn functional<'a>(layers: &'a [Value], outputs: &Value) -> Graph<'a> {
    let (mut calls, mut taken) = (vec![], vec![]);
    add_taken(outputs, &mut taken);
    for layer in layers {
        let of_layer = layer.get("inbound_nodes").and_then(Value::as_array);
        // An input is called by nothing.
        let none = [Value::Null];
        let of_layer = of_layer.map(|all| if all.is_empty() { &none } else { &all[..] });
        for (i, call) in of_layer.into_iter().flatten().enumerate() {
            add_taken(call, &mut taken);
            let Some(name) = layer_name(layer) else { continue };
            calls.push(Call {
                layer: name,
                dtype: dtype(layer),
                operation: layer_operation(layer, call),
                operands: operands(call),
                result: tensor_name(name, i, 0),
            });
        }
    }
    (calls, taken)
}

/// Each layer takes the result of the one before, the first the model's input.
fn sequential(layers: &[Value]) -> Graph<'_> {
    let numbered = layers.iter().enumerate();
    let calls = numbered.filter_map(|(i, layer)| {
        Some(Call {
            layer: layer_name(layer)?,
            dtype: dtype(layer),
            operation: layer_operation(layer, &Value::Null),
            operands: vec![Operand::Tensor(i.to_string())],
            result: (i + 1).to_string(),
        })
    });
    (calls.collect(), (0..=layers.len()).map(|i| i.to_string()).collect())
}

fn dtype(layer: &Value) -> Dtype {
    let class = layer.get("class_name").and_then(Value::as_str);
    let is_operation = match class {
        Some("InputLayer") => false,
        Some("TFOpLambda") => true,
        _ => layer.as_object().is_some_and(is_operation),
    };
    match layer.get("config").and_then(Value::as_object) {
        Some(config) if !is_operation => Dtype::Own(of_policy(config)),
        _ => Dtype::Operands,
    }
}

/// The type that a layer's configuration says, if it isn't float32: a name, or a policy with a name, such as "mixed_float16", whose
/// layers compute in float16.
pub fn of_policy(config: &Map<String, Value>) -> Option<&'static str> {
    let dtype = config.get("dtype")?;
    let of_policy = || {
        dtype
            .pointer("/config/name")
            .or_else(|| dtype.pointer("/config/source_name"))
    };
    let name = dtype.as_str().or_else(|| of_policy()?.as_str())?;
    // The policy of a quantized layer is "int8_from_mixed_float16", for example.
    let name = name.rsplit("_from_").next().unwrap_or(name);
    let name = name.strip_prefix("mixed_").unwrap_or(name);
    ["float16", "float64", "bfloat16"].into_iter().find(|one| *one == name)
}

pub fn layer_name(layer: &Value) -> Option<&str> {
    // A model's own class may leave the name out of its configuration.
    let of_config = layer.get("config").and_then(|config| config.get("name"));
    of_config.or_else(|| layer.get("name"))?.as_str()
}

/// A function's name, given as a string or as Keras 3 serializes a function.
pub fn function_name(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("config")?.as_str())
}

/// Whether a class is the model's own. HDF5 files and old files don't name its module; there only a registered class can be told, by
/// its package.
pub fn is_own_class(layer: &Map<String, Value>) -> bool {
    let name = layer.get("class_name").and_then(Value::as_str);
    let is_registered = name.is_some_and(|name| name.contains('>') && !name.starts_with("Keras>"));
    let is_own = match layer.get("module") {
        // The class was defined in the script itself.
        Some(Value::Null) => layer.get("registered_name").is_some_and(Value::is_string),
        Some(Value::String(module)) => {
            let package = module.split('.').next().unwrap_or_default();
            !matches!(package, "keras" | "tf_keras" | "tensorflow" | "builtins")
        }
        _ => false,
    };
    is_registered || name.is_some() && is_own
}

/// Whether it is an operation of Keras 3: only layers have "trainable".
pub fn is_operation(layer: &Map<String, Value>) -> bool {
    let is_layer = layer
        .get("config")
        .is_some_and(|config| config.get("trainable").is_some());
    !is_layer && !is_own_class(layer)
}

/// Sorts the calls, so that each comes after those whose results it uses. A file lists all calls of a layer with the layer.
fn in_order(calls: Vec<Call>) -> Vec<Call> {
    let by_result: HashMap<&str, usize> = calls.iter().enumerate().map(|(i, one)| (&*one.result, i)).collect();
    let mut takers = vec![vec![]; calls.len()];
    let mut missing = vec![0; calls.len()];
    for (i, call) in calls.iter().enumerate() {
        for before in call.operands.iter().filter_map(|one| by_result.get(one.tensor()?)) {
            takers[*before].push(i);
            missing[i] += 1;
        }
    }
    let mut ready: VecDeque<usize> = (0..calls.len()).filter(|&i| missing[i] == 0).collect();
    let mut calls: Vec<_> = calls.into_iter().map(Some).collect();
    let mut ordered = vec![];
    while let Some(i) = ready.pop_front() {
        ordered.extend(calls[i].take());
        for &taker in &takers[i] {
            missing[taker] -= 1;
            if missing[taker] == 0 {
                ready.push_back(taker);
            }
        }
    }
    ordered
}

fn tensor_name(layer: &str, call: impl std::fmt::Display, result: impl std::fmt::Display) -> String {
    format!("{layer}:{call}:{result}")
}

/// A tensor's name, and the rest of a call of Keras 2.
fn tensor(value: &Value) -> Option<(String, &[Value])> {
    match value.as_array()?.as_slice() {
        [
            Value::String(layer),
            Value::Number(call),
            Value::Number(result),
            rest @ ..,
        ] => Some((tensor_name(layer, call, result), rest)),
        _ => None,
    }
}

/// Adds all tensors in a value, keyword arguments included.
fn add_taken(value: &Value, taken: &mut Vec<String>) {
    taken.extend(tensor(value).map(|(name, _)| name));
    match value {
        Value::Array(all) => all.iter().for_each(|one| add_taken(one, taken)),
        Value::Object(object) => object.values().for_each(|one| add_taken(one, taken)),
        _ => {}
    }
}

fn operands(call: &Value) -> Vec<Operand> {
    let mut operands = vec![];
    match call.get("args").and_then(Value::as_array) {
        Some(positional) => {
            // Keras 3's names of operands: of layers, of choices, of operations with one, and with two.
            let by_name = ["inputs", "condition", "x", "x1", "x2"].into_iter();
            let by_name = by_name.filter_map(|name| call.get("kwargs")?.get(name));
            positional
                .iter()
                .chain(by_name)
                .for_each(|one| add_operands(one, &mut operands));
        }
        None => add_operands(call, &mut operands),
    }
    operands
}

fn add_operands(value: &Value, operands: &mut Vec<Operand>) {
    if let Some(constant) = constant(value) {
        operands.push(Operand::Constant(constant));
    } else if let Some((name, rest)) = tensor(value) {
        match value[0].as_str() {
            Some("_CONSTANT_VALUE") => add_operands(&value[2], operands),
            _ => operands.push(Operand::Tensor(name)),
        }
        // A choice has its results as x and y, other functions have a second operand y.
        let by_name = rest
            .first()
            .into_iter()
            .flat_map(|keywords| ["x", "y"].map(|name| keywords.get(name)));
        by_name.flatten().for_each(|one| add_operands(one, operands));
    } else if let Some((name, _)) = value.pointer("/config/keras_history").and_then(tensor) {
        operands.push(Operand::Tensor(name));
    } else if let Value::Array(all) = value {
        all.iter().for_each(|one| add_operands(one, operands));
    } else {
        // Anything else takes its place as a tensor that no call makes.
        operands.push(Operand::Tensor(String::new()));
    }
}

/// The number that a value is, or that all elements of it are.
fn constant(value: &Value) -> Option<f32> {
    match value {
        Value::Number(number) => Some(number.as_f64()? as f32),
        Value::Array(all) => {
            let (first, rest) = all.split_first()?;
            let first = constant(first)?;
            rest.iter().all(|one| constant(one) == Some(first)).then_some(first)
        }
        Value::Object(object) => match object.get("class_name")?.as_str()? {
            "__tensor__" | "__numpy__" => constant(object.get("config")?.get("value")?),
            _ => None,
        },
        _ => None,
    }
}

/// What a layer does in one of its calls, if it is one of Keras's own.
fn layer_operation(layer: &Value, call: &Value) -> Option<Operation> {
    let config = layer.get("config")?;
    // null is the default, or an infinity that `keras::parsed` has replaced.
    let number = |of: &Value, key: &str, otherwise: f32| match of.get(key) {
        None | Some(Value::Null) => Some(otherwise),
        Some(value) => constant(value),
    };
    let in_steps = |steps: &[Step]| Some(Operation::Steps(steps.to_vec()));
    let class = layer.get("class_name")?.as_str()?;
    let layer = layer.as_object()?;
    let name = match class {
        _ if is_own_class(layer) => return None,
        // Keras has these as operations only; a layer of this name is the model's own.
        "Divide" | "TrueDivide" | "Negative" | "Relu" | "Relu6" | "Clip" | "Where" | "LogicalNot" | "Less"
        | "LessEqual" | "Greater" | "GreaterEqual"
            if !is_operation(layer) =>
        {
            return None;
        }
        // A function of TensorFlow in Keras 2, such as "math.add".
        "TFOpLambda" => config.get("function")?.as_str()?.rsplit('.').next()?,
        "Activation" => function_name(config.get("activation")?)?,
        // A layer, or an operation of Keras 3.
        class => class,
    };
    match name {
        "Add" | "add" => Some(Operation::Add),
        "Subtract" | "subtract" => Some(Operation::Sub),
        "Multiply" | "multiply" => Some(Operation::Mul),
        "Divide" | "TrueDivide" | "divide" | "truediv" => Some(Operation::Div),
        "Minimum" | "minimum" => Some(Operation::Min),
        "Maximum" | "maximum" => Some(Operation::Max),
        "Less" | "less" => Some(Operation::Compare(Comparison::Less)),
        "LessEqual" | "less_equal" => Some(Operation::Compare(Comparison::LessOrEqual)),
        "Greater" | "greater" => Some(Operation::Compare(Comparison::Greater)),
        "GreaterEqual" | "greater_equal" => Some(Operation::Compare(Comparison::GreaterOrEqual)),
        "LogicalNot" | "logical_not" => Some(Operation::Not),
        "Where" | "where" => Some(Operation::Where),
        "Negative" | "negative" => in_steps(&[Step::Mul(-1.0)]),
        "Relu" | "relu" => in_steps(&[Step::Limit(0.0, f32::INFINITY)]),
        "Relu6" | "relu6" => in_steps(&[Step::Limit(0.0, 6.0)]),
        // This is the layer, which has parameters; "relu" is the function.
        "ReLU" => {
            let is_plain = number(config, "negative_slope", 0.0)? == 0.0 && number(config, "threshold", 0.0)? == 0.0;
            let high = number(config, "max_value", f32::INFINITY)?;
            is_plain.then_some(Operation::Steps(vec![Step::Limit(0.0, high)]))
        }
        "Rescaling" => in_steps(&[
            Step::Mul(number(config, "scale", 1.0)?),
            Step::Add(number(config, "offset", 0.0)?),
        ]),
        "Clip" => in_steps(&[Step::Limit(
            number(config, "x_min", f32::NEG_INFINITY)?,
            number(config, "x_max", f32::INFINITY)?,
        )]),
        "clip_by_value" => {
            let keywords = call.get(3)?;
            in_steps(&[Step::Limit(
                number(keywords, "clip_value_min", f32::NEG_INFINITY)?,
                number(keywords, "clip_value_max", f32::INFINITY)?,
            )])
        }
        _ => None,
    }
}
