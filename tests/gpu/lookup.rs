//! Look-ups of bytes against the CPU path: every byte of every buffer.

use crate::{
    broadcast::{LAYOUTS, run},
    cases::Gpu,
    functions::Embedder,
    outside::ROW,
    quantized_mobilenet,
};
use hard_sigmoid::{
    Broadcast, DType, HardSigmoid, Op, Quantization, Quantized, Rounding, Unary, cpu,
    gpu::Batch,
    offload::{Offload, block_on},
    wgsl,
};

/// Bytes in no order. All 256 are among any 4096.
fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let random = |i: usize| (i as u64 ^ seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let byte = |i| ((random(i) ^ random(i) >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as u8;
    (0..len).map(byte).collect()
}

/// A table in which every byte has another one.
fn table() -> Vec<u8> {
    (0..=255_u8).map(|i| i.wrapping_mul(167).wrapping_add(89)).collect()
}

fn check(gpu: &Gpu, len: usize) {
    for layout in &LAYOUTS {
        run(gpu, Op::Lookup, DType::U8, &[&bytes(len, 1), &table()], layout);
    }
}

/// Every remainder of a word, of a vector and of a workgroup, and the edges of a grid of at most 4 by 4 workgroups.
pub fn lengths(adapter: &wgpu::Adapter) {
    let mut gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 4);
    let group = 4096;
    let edges = [group, 4 * group, 5 * group, 16 * group, 17 * group];
    let all: Vec<usize> = (0..40)
        .chain(edges.iter().flat_map(|edge| edge - 5..edge + 18))
        .collect();
    for &len in &all {
        check(&gpu, len);
    }
    gpu.batch = Some(Batch::new(&gpu.kernels).unwrap().into());
    for &len in &all {
        check(&gpu, len);
    }
}

/// All 256 inputs in all four places of a word, with every table that maps one byte to another: each entry has each byte once.
pub fn every_byte(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let x: Vec<u8> = (0..4_u8)
        .flat_map(|place| (0..=255_u8).map(move |i| i.wrapping_add(place.wrapping_mul(85))))
        .flat_map(|i| [i, i.wrapping_add(1), i.wrapping_mul(3), !i])
        .collect();
    for place in 0..4 {
        let seen: std::collections::BTreeSet<_> = x.iter().skip(place).step_by(4).collect();
        assert_eq!(seen.len(), 256);
    }
    for shift in 0..=255_u8 {
        let table: Vec<u8> = (0..=255_u8).map(|i| i.wrapping_add(shift)).collect();
        run(&gpu, Op::Lookup, DType::U8, &[&x, &table], &LAYOUTS[0]);
    }
}

/// The shapes of gates: of one length, channels first and last, steps of whole vectors, and neither.
const SHAPES: [(usize, u32, u32); 13] = [
    (1000, 1, 1),
    (0, 3, 5),
    (1, 1, 1003),
    (7, 49, 1),
    (5, 784, 1),
    (37, 16, 1),
    (3, 3136, 1),
    (2, 49, 16),
    (2, 131, 33),
    (2, 200, 48),
    (1, 300, 2064),
    (9, 5, 3),
    (100, 2, 2),
];

fn check_gates(gpu: &Gpu) {
    let table = bytes(1 << 16, 9);
    for (outer, middle, inner) in SHAPES {
        let shape = Broadcast::new(middle, inner).unwrap();
        let a = bytes(outer * shape.row() as usize, 2);
        let b = bytes(outer * inner as usize, 3);
        for layout in &LAYOUTS {
            run(gpu, Op::LookupGate(shape), DType::U8, &[&a, &b, &table], layout);
        }
    }
}

pub fn gates(adapter: &wgpu::Adapter) {
    let mut gpu = Gpu::new(adapter, |_| ());
    check_gates(&gpu);
    gpu.batch = Some(Batch::new(&gpu.kernels).unwrap().into());
    check_gates(&gpu);
    // Every pair of bytes.
    let pairs: Vec<u8> = (0..=255).flat_map(|_| 0..=255).collect();
    let b: Vec<u8> = (0..=255).collect();
    for (middle, inner) in [(256, 1), (1, 1)] {
        let shape = Op::LookupGate(Broadcast::new(middle, inner).unwrap());
        let b = if middle == 1 {
            pairs.iter().rev().copied().collect()
        } else {
            b.clone()
        };
        run(&gpu, shape, DType::U8, &[&pairs, &b, &bytes(1 << 16, 4)], &LAYOUTS[0]);
    }
}

/// Tensors larger than a binding and than a grid. The table stays whole.
pub fn split(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| {
        let least = 32 * u64::from(limits.min_storage_buffer_offset_alignment);
        limits.max_storage_buffer_binding_size = least.max(4096);
    });
    for len in [4096, 4097, 8192, 20_003] {
        check(&gpu, len);
    }
    let gpu = Gpu::new(adapter, |limits| limits.max_storage_buffer_binding_size = 1 << 16);
    let table = bytes(1 << 16, 9);
    for (outer, middle, inner) in [(2, 100_003, 1), (3, 1, 65_000), (1, 2, 65_003), (2, 70_000, 3)] {
        let shape = Broadcast::new(middle, inner).unwrap();
        let a = bytes(outer * shape.row() as usize, 2);
        let b = bytes(outer * inner as usize, 3);
        let op = Op::LookupGate(shape);
        run(&gpu, op, DType::U8, &[&a, &b, &table], &LAYOUTS[0]);
        run(&gpu, op, DType::U8, &[&a, &b, &table], &LAYOUTS[1]);
    }
}

/// A quantized MobileNetV3: every hard swish, hard sigmoid and gate of a forward pass has ONNX Runtime's bytes.
pub fn mobilenet(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    quantized_mobilenet::check(|node| {
        let operands: Vec<&[u8]> = node.operands.iter().map(Vec::as_slice).collect();
        run(&gpu, node.op, DType::U8, &operands, &LAYOUTS[0])
    });
}

/// Functions of a byte, in a kernel of somebody else's.
pub fn functions(adapter: &wgpu::Adapter) {
    let embedder = Embedder::new(adapter);
    let u8 = Quantization::u8(0.05, 100).unwrap();
    let i8 = Quantization::i8(0.03, -20).unwrap();
    for (op, x, y, rounding) in [
        (Unary::Forward(HardSigmoid::KERAS), u8, i8, Rounding::Onnx),
        (Unary::HardSwish(HardSigmoid::PYTORCH), i8, u8, Rounding::PyTorch),
        (Unary::HardSwish(HardSigmoid::PYTORCH), i8, i8, Rounding::TfLite),
    ] {
        let of = Quantized::new(op, x, y, rounding).unwrap();
        let name = if op.name() == "forward" {
            "hard_sigmoid"
        } else {
            op.name()
        };
        let text = wgsl::quantized(of, "their_").unwrap()
            + &format!(
                "@group(0) @binding(0) var<storage, read> operands: array<u32>;
                @group(0) @binding(1) var<storage, read_write> results: array<u32>;
                @group(0) @binding(2) var<uniform> zero: vec4<u32>;
                @compute @workgroup_size(64) fn mine(@builtin(global_invocation_id) id: vec3<u32>) {{
                    results[id.x] = their_{name}_quantized(operands[id.x] + zero.x);
                }}"
            );
        // The bits above a byte don't matter.
        let x: Vec<u32> = (0..ROW as u32).map(|i| (i % 256) | ((i / 256) * 0x0123_4500)).collect();
        let (before, zero) = (vec![0xed; size_of_val(&x[..])], [0; 16]);
        let y = embedder.run(&text, [bytemuck::cast_slice(&x), &before, &zero], ROW);
        let expected = of.table().map(u32::from).repeat(ROW / 256);
        assert_eq!(y, expected, "{op:?}");
    }
}

/// From host memory to host memory, in several chunks.
pub fn offload(adapter: &wgpu::Adapter) {
    let offload = block_on(Offload::from_adapter(adapter)).unwrap();
    for len in [0, 1, 1001, (1 << 20) * 3 + 17] {
        let x = bytes(len, 5);
        let mut expected = vec![0; len];
        cpu::lookup(&table(), &x, &mut expected).unwrap();
        let mut y = vec![0xed; len];
        block_on(offload.lookup(&table(), &x, &mut y)).unwrap();
        assert!(y == expected);
        let mut in_place = x.clone();
        block_on(offload.lookup_in_place(&table(), &mut in_place)).unwrap();
        assert!(in_place == expected);
        if len > 0 {
            y[len - 1] ^= 1;
            assert!(y != expected);
        }
    }
    let error = block_on(offload.lookup(&[0; 255], &[1, 2], &mut [7, 7]))
        .unwrap_err()
        .to_string();
    assert!(error.contains("table must hold 256 bytes"), "{error}");
}
