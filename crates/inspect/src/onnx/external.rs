//! Reads constants that lie in other files beside the model.

use super::{
    proto::{GraphProto, ModelProto, Node, Tensor},
    skeleton,
};
use crate::Beside;
use std::{
    io::{BufReader, ErrorKind},
    path::{Component, Path},
};

/// Reads the constants from the files beside the model. A tensor that can't be read stays external; the answer is why the first of
/// them can't.
pub(super) fn settle(model: &mut ModelProto, beside: &mut Beside) -> Option<String> {
    let mut reason = None;
    let mut settle = |tensor: &mut Tensor| {
        if let Some(size) = tensor.bytes_elsewhere() {
            match read(tensor, size, beside) {
                Ok(data) => {
                    tensor.raw_data = data;
                    tensor.data_location = 0;
                }
                Err(why) => drop(reason.get_or_insert(why)),
            }
        }
    };
    for function in &mut model.functions {
        of_nodes(&mut function.node, &mut settle);
    }
    if let Some(graph) = &mut model.graph {
        of_graph(graph, &mut settle);
    }
    reason
}

fn of_graph(graph: &mut GraphProto, each: &mut impl FnMut(&mut Tensor)) {
    graph.initializer.iter_mut().for_each(&mut *each);
    of_nodes(&mut graph.node, each);
}

fn of_nodes(nodes: &mut [Node], each: &mut impl FnMut(&mut Tensor)) {
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.t.iter_mut().for_each(&mut *each);
        attribute.graphs_mut().for_each(|graph| of_graph(graph, each));
    }
}

/// The first element, if all are equal.
fn read(tensor: &Tensor, size: u64, beside: &mut Beside) -> Result<Vec<u8>, String> {
    let value = |key: &str| {
        tensor
            .external_data
            .iter()
            .find(|one| one.key == key)
            .map(|one| one.value.as_str())
    };
    let location = value("location").ok_or("another file, which isn't named")?;
    // A model is not to read the rest of the machine.
    if !Path::new(location)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(format!("{location}, which is not in the model's folder"));
    }
    let cannot = |why: &dyn std::fmt::Display| format!("{location}, which can't be read ({why})");
    let file = beside(location).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{location}, which is not beside the model"),
        _ => cannot(&error),
    })?;
    let offset = value("offset")
        .map_or(Ok(0), str::parse)
        .map_err(|error| cannot(&error))?;
    skeleton::first_element(&mut BufReader::new(file), offset, size).map_err(|error| cannot(&error))
}
