//! Puts the bodies of a model's functions in the place of their calls, so that the caller's constants and attributes are known in
//! them.

use super::proto::{Attribute, FunctionProto, GraphProto, ModelProto, Node};
use prost::Message;
use std::collections::{HashMap, hash_map::Entry};

/// The most functions and branches within one another. A function may not call itself, but in a damaged file it may.
const MOST_DEPTH: usize = 32;

/// The most bytes of all bodies together, beyond which calls stay. Functions that call others twice would grow without
/// end.
const MOST_BYTES: usize = 64 << 20;

/// Replaces all calls of functions by their bodies. The answer is the name of a call that was left, if there are too many of them, or
/// if one is within itself.
pub(super) fn inline(model: &mut ModelProto) -> Option<String> {
    let functions = std::mem::take(&mut model.functions);
    let by_id = functions
        .iter()
        .map(|one| ((&*one.domain, &*one.name, &*one.overload), one));
    let mut inliner = Inliner {
        functions: by_id.collect(),
        calls: 0,
        left: MOST_BYTES,
        cut: None,
    };
    if let Some(graph) = model.graph.as_mut().filter(|_| !functions.is_empty()) {
        inliner.graph(graph, 0);
    }
    inliner.cut
}

struct Inliner<'a> {
    /// By domain, name and overload.
    functions: HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>,
    /// How many calls there were.
    calls: usize,
    /// How many bytes may still be put in.
    left: usize,
    cut: Option<String>,
}

impl Inliner<'_> {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) {
        let mut nodes = vec![];
        for node in std::mem::take(&mut graph.node) {
            self.node(node, depth, &mut nodes);
        }
        graph.node = nodes;
    }

    /// Adds the node, or the body of the function that it calls.
    fn node(&mut self, mut node: Node, depth: usize, nodes: &mut Vec<Node>) {
        let id = (&*node.domain, &*node.op_type, &*node.overload);
        let Some(function) = self.functions.get(&id).copied() else {
            for graph in node.attribute.iter_mut().flat_map(Attribute::graphs_mut) {
                self.graph(graph, depth + 1);
            }
            return nodes.push(node);
        };
        if depth >= MOST_DEPTH || self.left == 0 {
            self.cut.get_or_insert_with(|| node.own_name().into());
            // Its name may be that of an ONNX operator.
            node.domain = "a function of the model".into();
            return nodes.push(node);
        }
        self.calls += 1;
        let (call, passed) = Call::new(function, &node, self.calls);
        for node in &function.node {
            let own = call.node(node);
            let name = format!("{}/{}", call.caller.own_name(), own.name);
            let own = Node { name, ..own };
            self.left = self.left.saturating_sub(own.encoded_len() + size_of::<Node>());
            if self.left == 0 {
                self.cut.get_or_insert(own.name);
                break;
            }
            self.node(own, depth + 1, nodes);
        }
        nodes.extend(passed);
    }
}

/// A call of a function.
struct Call<'a> {
    function: &'a FunctionProto,
    caller: &'a Node,
    number: usize,
    /// The caller's names of the function's operands and results.
    tensors: HashMap<&'a str, &'a str>,
}

impl<'a> Call<'a> {
    /// The call, and nodes for results that have two names outside: an operand that is returned, and one that is returned twice.
    fn new(function: &'a FunctionProto, caller: &'a Node, number: usize) -> (Self, Vec<Node>) {
        // An operand that is left out has the empty name.
        let given = caller.input.iter().map(String::as_str).chain(std::iter::repeat(""));
        let operands = function.input.iter().map(String::as_str).zip(given);
        let mut tensors: HashMap<&str, &str> = operands.collect();
        let mut passed = vec![];
        for (own, taken) in function
            .output
            .iter()
            .zip(&caller.output)
            .filter(|(_, taken)| !taken.is_empty())
        {
            match tensors.entry(own) {
                Entry::Vacant(entry) => drop(entry.insert(taken)),
                Entry::Occupied(entry) => passed.push(Node {
                    op_type: "Identity".into(),
                    input: vec![entry.get().to_string()],
                    output: vec![taken.clone()],
                    ..Default::default()
                }),
            }
        }
        let call = Self {
            function,
            caller,
            number,
            tensors,
        };
        (call, passed)
    }

    /// The name outside of a tensor in the function.
    fn tensor(&self, name: &str) -> String {
        match self.tensors.get(name) {
            _ if name.is_empty() => String::new(),
            Some(outside) => outside.to_string(),
            None => format!("{name} of call {}", self.number),
        }
    }

    /// A node of the function, as it is in this call.
    fn node(&self, node: &Node) -> Node {
        let tensors = |names: &[String]| names.iter().map(|one| self.tensor(one)).collect();
        Node {
            input: tensors(&node.input),
            output: tensors(&node.output),
            name: node.own_name().into(),
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            overload: node.overload.clone(),
            attribute: node.attribute.iter().filter_map(|one| self.attribute(one)).collect(),
        }
    }

    /// An attribute may be that of the caller. Where the caller has none, and the function no default, the operator has its own.
    fn attribute(&self, own: &Attribute) -> Option<Attribute> {
        if own.ref_attr_name.is_empty() {
            let mut attribute = own.clone();
            attribute.graphs_mut().for_each(|graph| self.rename(graph));
            return Some(attribute);
        }
        let mut given = self.caller.attribute.iter().chain(&self.function.attribute_proto);
        let given = given.find(|one| one.name == own.ref_attr_name)?;
        Some(Attribute {
            name: own.name.clone(),
            ..given.clone()
        })
    }

    fn rename(&self, graph: &mut GraphProto) {
        graph.node = graph.node.iter().map(|node| self.node(node)).collect();
        let values = graph.input.iter_mut().chain(&mut graph.output);
        let values = values.chain(&mut graph.value_info).map(|one| &mut one.name);
        let names = values.chain(graph.initializer.iter_mut().map(|one| &mut one.name));
        names.for_each(|name| *name = self.tensor(name));
    }
}
