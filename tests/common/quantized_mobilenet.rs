//! The 8-bit activations of a MobileNetV3-small that ONNX Runtime quantized: see `tests/golden/quantized_mobilenet.py`.

use crate::common::golden;
use hard_sigmoid::{Broadcast, Byte, HardSigmoid, Op, Quantization, Quantized, QuantizedGate, Rounding, Unary};
use std::fs;

/// An operation of the network.
pub struct Node {
    pub name: String,
    pub op: Op,
    /// The operands, the table among them.
    pub operands: Vec<Vec<u8>>,
    pub y: Vec<u8>,
}

fn bytes(name: &str) -> Vec<u8> {
    let file = fs::read(golden("quantized_mobilenet").join(name)).unwrap();
    npyz::NpyFile::new(&file[..]).unwrap().into_vec().unwrap()
}

/// Every hard swish, hard sigmoid and gate.
pub fn nodes() -> Vec<Node> {
    let table = fs::read_to_string(golden("quantized_mobilenet/nodes.tsv")).unwrap();
    table.lines().map(node).collect()
}

fn node(line: &str) -> Node {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, kind, definition, dtype, shape] = fields[..5].try_into().unwrap();
    let definition: HardSigmoid = definition.parse().unwrap();
    let byte = match dtype {
        "uint8" => Byte::U8,
        other => panic!("{name} is of {other}"),
    };
    let tensors = fields[5..].chunks(3).map(|tensor| {
        let scale = f32::from_bits(u32::from_str_radix(tensor[0], 16).unwrap());
        let of = Quantization::new(byte, scale, tensor[1].parse().unwrap()).unwrap();
        (of, bytes(tensor[2]))
    });
    let tensors: Vec<_> = tensors.collect();
    let unary = |op: Unary| {
        let [(x_of, x), (y_of, y)] = &tensors[..] else {
            panic!("{name} has {} tensors", tensors.len())
        };
        let table = Quantized::new(op, *x_of, *y_of, Rounding::Onnx).unwrap().table();
        (Op::Lookup, vec![x.clone(), table.to_vec()], y.clone())
    };
    let (op, operands, y) = match kind {
        "hard_swish" => unary(Unary::HardSwish(definition)),
        "forward" => unary(Unary::Forward(definition)),
        "gate" => {
            let [(a_of, a), (b_of, b), (h_of, _), (y_of, y)] = &tensors[..] else {
                panic!("{name} has {} tensors", tensors.len())
            };
            let pixels = shape
                .split('x')
                .skip(2)
                .map(|size| size.parse::<u32>().unwrap())
                .product();
            let gate = QuantizedGate {
                definition,
                a: *a_of,
                b: *b_of,
                h: *h_of,
                y: *y_of,
                is_fused: false,
            };
            let op = Op::LookupGate(Broadcast::new(pixels, 1).unwrap());
            (op, vec![a.clone(), b.clone(), gate.table()], y.clone())
        }
        other => panic!("{name} is a {other}"),
    };
    Node {
        name: name.into(),
        op,
        operands,
        y,
    }
}

/// Asserts that `run` gives the network's bytes at every node.
pub fn check(run: impl Fn(&Node) -> Vec<u8>) {
    let (mut lookups, mut gates, mut compared) = (0, 0, 0);
    for node in nodes() {
        let y = run(&node);
        let differing = y.iter().zip(&node.y).filter(|(ours, theirs)| ours != theirs).count();
        assert_eq!((y.len(), differing), (node.y.len(), 0), "{}", node.name);
        compared += y.len();
        match node.op {
            Op::Lookup => lookups += 1,
            _ => gates += 1,
        }
    }
    assert_eq!((lookups, gates, compared), (27, 9, 63_872 + 2296 + 23_296));
}
