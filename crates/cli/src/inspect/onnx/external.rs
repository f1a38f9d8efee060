//! Reads constants that lie in other files beside the model.

use super::proto::{GraphProto, ModelProto, Node, Tensor};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Component, Path},
};

/// The most bytes of all constants together.
const MOST_BYTES: usize = 256 << 20;

/// Reads the constants from the files beside the model, and drops the data of tensors that are too large for a constant. A tensor
/// that can't be read stays external; the answer is why the first of them can't.
pub(super) fn settle(model: &mut ModelProto, path: Option<&Path>) -> Option<String> {
    let (mut reason, mut left) = (None, MOST_BYTES);
    let mut settle = |tensor: &mut Tensor| match tensor.bytes() {
        Some(size) if tensor.is_elsewhere() => match read(tensor, size.min(left), path) {
            Ok(data) if data.len() < size => drop(reason.get_or_insert_with(|| "files, too many to read".into())),
            Ok(data) => {
                left -= size;
                tensor.raw_data = data;
                tensor.data_location = 0;
            }
            Err(why) => drop(reason.get_or_insert(why)),
        },
        Some(_) => {}
        None => *tensor = without_data(tensor),
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

fn without_data(tensor: &Tensor) -> Tensor {
    Tensor {
        name: tensor.name.clone(),
        data_type: tensor.data_type,
        ..Default::default()
    }
}

fn read(tensor: &Tensor, size: usize, path: Option<&Path>) -> Result<Vec<u8>, String> {
    let value = |key: &str| {
        tensor
            .external_data
            .iter()
            .find(|one| one.key == key)
            .map(|one| one.value.as_str())
    };
    let location = value("location").ok_or("another file, which isn't named")?;
    let Some(path) = path else {
        return Err(format!(
            "{location}, beside the model, and standard input has no place: give the model as a file"
        ));
    };
    // A model is not to read the rest of the machine.
    if !Path::new(location)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(format!("{location}, which is not in the model's folder"));
    }
    let file = path.with_file_name("").join(location);
    let cannot = |why: &dyn std::fmt::Display| format!("{location}, which can't be read ({why})");
    if !file.is_file() {
        return Err(format!("{location}, which is not beside the model"));
    }
    let mut file = File::open(file).map_err(|error| cannot(&error))?;
    let offset = value("offset")
        .map_or(Ok(0), str::parse)
        .map_err(|error| cannot(&error))?;
    file.seek(SeekFrom::Start(offset)).map_err(|error| cannot(&error))?;
    let mut data = vec![0; size];
    file.read_exact(&mut data).map_err(|error| cannot(&error))?;
    Ok(data)
}
