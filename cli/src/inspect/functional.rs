//! Hard sigmoids that functional and sequential Keras models write out by layers and operations.

use super::{
    Activation,
    chain::Step,
    flow::{Flow, Operand, Operation},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};

/// A layer or operation, with what it takes. A layer may be called again and again.
struct Call<'a> {
    layer: &'a str,
    operation: Option<Operation>,
    operands: Vec<Operand>,
    result: String,
}

/// The activations in the layers of a model's configuration, by the name of the layer that completes them.
pub fn written_out(config: &Map<String, Value>, layers: &[Value]) -> HashMap<String, Vec<Activation>> {
    let mut uses = vec![];
    let calls = match config.get("output_layers") {
        Some(outputs) => {
            for_each_tensor(outputs, &mut |tensor| uses.push(tensor));
            functional(layers, &mut uses)
        }
        None => sequential(layers, &mut uses),
    };
    let mut flow = Flow::default();
    flow.enter(uses.iter().map(String::as_str));
    let mut found = vec![];
    for call in in_order(calls) {
        if let Some(operation) = &call.operation {
            flow.apply(call.layer.into(), operation, &call.operands, &call.result, &mut found);
        }
    }
    let mut of_layers: HashMap<String, Vec<Activation>> = HashMap::new();
    for activation in found {
        of_layers.entry(activation.name.clone()).or_default().push(activation);
    }
    of_layers
}

pub fn name(layer: &Value) -> Option<&str> {
    layer.get("config")?.get("name")?.as_str()
}

fn result(layer: &str, call: impl std::fmt::Display) -> String {
    format!("{layer}:{call}")
}

/// Each layer's calls, with the tensors that they take.
fn functional<'a>(layers: &'a [Value], uses: &mut Vec<String>) -> Vec<Call<'a>> {
    let mut calls = vec![];
    for layer in layers {
        let (Some(name), Some(nodes)) = (name(layer), layer.get("inbound_nodes").and_then(Value::as_array)) else {
            continue;
        };
        for (i, node) in nodes.iter().enumerate() {
            for_each_tensor(node, &mut |tensor| uses.push(tensor));
            let mut operands = vec![];
            collect_operands(node, &mut operands);
            calls.push(Call {
                layer: name,
                operation: operation(layer, node),
                operands,
                result: result(name, i),
            });
        }
    }
    calls
}

/// Each layer takes the result of the one before.
fn sequential<'a>(layers: &'a [Value], uses: &mut Vec<String>) -> Vec<Call<'a>> {
    let mut calls: Vec<Call> = vec![];
    for layer in layers {
        let Some(name) = name(layer) else { continue };
        let before = calls.last().map(|call| call.result.clone());
        calls.push(Call {
            layer: name,
            operation: operation(layer, &Value::Null),
            operands: before.into_iter().map(Operand::Tensor).collect(),
            result: result(name, 0),
        });
        uses.push(result(name, 0));
    }
    calls
}

/// Each call after those whose results it takes. In the file all calls of a layer stand where its first one does.
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

/// A tensor is [layer, call, which of its results, …], in Keras 3 as a tensor's "keras_history".
fn tensor(value: &Value) -> Option<(String, &[Value])> {
    match value.as_array()?.as_slice() {
        [Value::String(layer), Value::Number(call), Value::Number(_), rest @ ..] => Some((result(layer, call), rest)),
        _ => None,
    }
}

fn for_each_tensor(value: &Value, act: &mut impl FnMut(String)) {
    if let Some((tensor, _)) = tensor(value) {
        act(tensor);
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| for_each_tensor(one, act)),
        Value::Object(object) => object.values().for_each(|one| for_each_tensor(one, act)),
        _ => {}
    }
}

/// Constants and tensors by position, and the second operand, which Keras 2 has by the name "y".
fn collect_operands(value: &Value, operands: &mut Vec<Operand>) {
    if let Value::Number(number) = value {
        operands.extend(number.as_f64().map(Operand::Constant));
    } else if let Some(history) = value.pointer("/config/keras_history") {
        operands.extend(tensor(history).map(|(tensor, _)| Operand::Tensor(tensor)));
    } else if let Some(positional) = value.get("args") {
        collect_operands(positional, operands);
    } else if let Some((tensor, rest)) = tensor(value) {
        match &value[0] {
            Value::String(name) if name == "_CONSTANT_VALUE" => collect_operands(&value[2], operands),
            _ => operands.push(Operand::Tensor(tensor)),
        }
        if let Some(second) = rest.first().and_then(|keywords| keywords.get("y")) {
            collect_operands(second, operands);
        }
    } else if let Value::Array(all) = value {
        all.iter().for_each(|one| collect_operands(one, operands));
    }
}

/// What a layer does in one of its calls.
fn operation(layer: &Value, node: &Value) -> Option<Operation> {
    let config = layer.get("config")?;
    let number = |key: &str, none: f64| match config.get(key) {
        None | Some(Value::Null) => Some(none),
        Some(value) => value.as_f64(),
    };
    let steps = |steps: &[Step]| Some(Operation::Steps(steps.to_vec()));
    let class = match layer.get("class_name")?.as_str()? {
        // A function of TensorFlow in Keras 2, such as "math.add".
        "TFOpLambda" => config.get("function")?.as_str()?.rsplit('.').next()?,
        "Activation" => {
            let activation = config.get("activation")?;
            activation.as_str().or_else(|| activation.get("config")?.as_str())?
        }
        class => class,
    };
    match class {
        "Add" | "add" => Some(Operation::Add),
        "Subtract" | "subtract" => Some(Operation::Sub),
        "Multiply" | "multiply" => Some(Operation::Mul),
        "Divide" | "TrueDivide" | "divide" | "truediv" => Some(Operation::Div),
        "Minimum" | "minimum" => Some(Operation::Min),
        "Maximum" | "maximum" => Some(Operation::Max),
        "Negative" | "negative" => steps(&[Step::Mul(-1.0)]),
        "Relu" | "relu" => steps(&[Step::Limit(0.0, f64::INFINITY)]),
        "Relu6" | "relu6" => steps(&[Step::Limit(0.0, 6.0)]),
        "ReLU" => {
            let is_plain = number("negative_slope", 0.0)? == 0.0 && number("threshold", 0.0)? == 0.0;
            let high = number("max_value", f64::INFINITY)?;
            is_plain.then(|| Operation::Steps(vec![Step::Limit(0.0, high)]))
        }
        "Rescaling" => steps(&[Step::Mul(number("scale", 1.0)?), Step::Add(number("offset", 0.0)?)]),
        "Clip" => steps(&[Step::Limit(
            config.get("x_min")?.as_f64()?,
            config.get("x_max")?.as_f64()?,
        )]),
        "clip_by_value" => {
            let limit = |key: &str| node.get(3)?.get(key)?.as_f64();
            steps(&[Step::Limit(limit("clip_value_min")?, limit("clip_value_max")?)])
        }
        _ => None,
    }
}
