//! The broadcast gate, and look-ups of bytes, against the CPU path: every byte of every buffer.

use crate::{adapters, cases::Gpu};
use hard_sigmoid::{
    BroadcastGate, DType, HardSigmoid, KinkRule, Op, OpError, Scalar, bf16, cpu, f16,
    gpu::{Batch, BufferRange, LaunchError},
    plan::{Placement, PlanError},
};
use wgpu::util::DeviceExt;

const P: HardSigmoid = HardSigmoid::PYTORCH;

/// The byte that fills everything except operands, so that a missing or a stray write shows.
const SENTINEL: u8 = 0xed;
/// Bytes after each tensor.
const GUARD: usize = 32;

/// The buffer of each tensor; `None` for `y` if it replaces `a`. The placement is that of the gate.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    placement: Placement,
    inputs: [usize; 3],
    y: Option<usize>,
    db: usize,
}

impl Layout {
    /// The buffer of an operation's result, and the placement. Sums replace nothing.
    fn of(&self, op: Op) -> (Option<usize>, Placement) {
        match op {
            Op::GateBroadcastSums(_) if self.inputs.contains(&self.db) => (Some(self.db), Placement::Shared),
            Op::GateBroadcastSums(_) => (Some(self.db), Placement::Separate),
            _ => (self.y, self.placement),
        }
    }
}

pub const LAYOUTS: [Layout; 4] = [
    Layout {
        placement: Placement::Separate,
        inputs: [0, 1, 2],
        y: Some(3),
        db: 4,
    },
    Layout {
        placement: Placement::InPlace,
        inputs: [0, 1, 2],
        y: None,
        db: 3,
    },
    Layout {
        placement: Placement::InPlace,
        inputs: [0, 0, 0],
        y: None,
        db: 0,
    },
    Layout {
        placement: Placement::Shared,
        inputs: [0, 0, 0],
        y: Some(0),
        db: 0,
    },
];

/// The operands of a gate and of its sums.
struct Data<T> {
    a: Vec<T>,
    b: Vec<T>,
    g: Vec<T>,
}

/// Numbers of many magnitudes, in no order.
fn numbers<T: Scalar>(gate: BroadcastGate, outer: usize) -> Data<T> {
    let of = |len: usize, seed: u64| {
        let number = |i: usize| {
            let random = (i as u64 ^ seed << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let random = (random ^ random >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let fraction = (random >> 40) as f32 / (1 << 23) as f32 - 1.0;
            T::from_f32(fraction * [4.0, 0.01, 30.0, 1.0][(random >> 8) as usize % 4])
        };
        (0..len).map(number).collect()
    };
    Data {
        a: of(outer * gate.row() as usize, 1),
        b: of(outer * gate.inner() as usize, 2),
        g: of(outer * gate.row() as usize, 3),
    }
}

/// Runs the gate and its sums in each layout, and compares whole buffers with the CPU path's.
fn check<T: Scalar>(gpu: &Gpu, gate: BroadcastGate, data: &Data<T>, layouts: &[Layout]) {
    for layout in layouts {
        for op in [Op::GateBroadcast(gate), Op::GateBroadcastSums(gate)] {
            check_op(gpu, op, data, layout);
        }
    }
}

fn check_op<T: Scalar>(gpu: &Gpu, op: Op, data: &Data<T>, layout: &Layout) {
    let operands = [&data.a, &data.b, &data.g].map(|values| bytemuck::cast_slice(values));
    run(gpu, op, T::DTYPE, &operands[..op.inputs().len()], layout);
}

/// Runs an operation in a layout, compares whole buffers with the CPU path's, and returns the result.
pub fn run(gpu: &Gpu, op: Op, dtype: DType, operands: &[&[u8]], layout: &Layout) -> Vec<u8> {
    let len = operands[0].len() as u64 / dtype.size();
    let what = || format!("{op:?} of {len} {dtype}, {layout:?}");
    let alignment = u64::from(gpu.device.limits().min_storage_buffer_offset_alignment);
    let mut contents: Vec<Vec<u8>> = vec![Vec::new(); 5];
    let mut place = |buffer: usize, bytes: &[u8]| {
        let content = &mut contents[buffer];
        let offset = ((content.len() as u64).div_ceil(alignment) + 1) * alignment;
        content.resize(offset as usize, SENTINEL);
        content.extend(bytes);
        content.resize(content.len().next_multiple_of(4) + GUARD, SENTINEL);
        (buffer, offset as usize, bytes.len())
    };
    let inputs: Vec<_> = operands
        .iter()
        .zip(layout.inputs)
        .map(|(bytes, buffer)| place(buffer, bytes))
        .collect();
    let sizes = op.sizes(dtype, len).unwrap();
    let (output, placement) = layout.of(op);
    let result = match output {
        Some(buffer) => place(buffer, &vec![SENTINEL; *sizes.last().unwrap() as usize]),
        None => inputs[op.replaces().unwrap()],
    };
    let buffers: Vec<_> = contents
        .iter()
        .map(|content| {
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            let spare = [0; 4];
            gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents: if content.is_empty() { &spare } else { content },
                usage,
            })
        })
        .collect();
    let ranges = inputs
        .iter()
        .chain([&result])
        .map(|&(buffer, offset, size)| BufferRange {
            buffer: &buffers[buffer],
            offset: offset as u64,
            size: size as u64,
        });
    let r: Vec<_> = ranges.collect();
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    if let Some(batch) = &gpu.batch {
        let mut batch = batch.lock().unwrap();
        batch.clear();
        let launch = batch.add(op, dtype, &r).unwrap();
        batch.write(&gpu.queue).encode(launch, &mut pass).unwrap();
    } else {
        let launch = match op {
            Op::GateBroadcast(gate) => gpu.kernels.gate_broadcast(gate, dtype, r[0], r[1], r[2]),
            Op::GateBroadcastSums(gate) => gpu.kernels.gate_broadcast_sums(gate, dtype, r[0], r[1], r[2], r[3]),
            op => gpu.kernels.prepare(op, dtype, &r),
        };
        let launch = launch.unwrap_or_else(|error| panic!("{}: {error}", what()));
        assert!(
            len == 0 || launch.kernel().placement() == placement,
            "{:?} for {}",
            launch.kernel().placement(),
            what()
        );
        launch.encode(&mut pass);
    }
    drop(pass);
    gpu.queue.submit([encoder.finish()]);

    let mut y = vec![];
    for (buffer, before) in contents.iter().enumerate().filter(|(_, before)| !before.is_empty()) {
        let mut after: Vec<u8> =
            bytemuck::pod_collect_to_vec(&adapters::read(&gpu.device, &gpu.queue, &buffers[buffer]));
        if result.0 == buffer {
            let range = result.1..result.1 + result.2;
            let found = cpu::compare(op, dtype, operands, &[&after[range.clone()]]).unwrap();
            if let Some(wrong) = found.first {
                panic!("{wrong}: {}", what());
            }
            y = after[range.clone()].to_vec();
            after[range.clone()].copy_from_slice(&before[range]);
        }
        assert!(
            after == *before,
            "something outside the results has changed: {}",
            what()
        );
    }
    y
}

fn check_numbers<T: Scalar>(gpu: &Gpu, outer: usize, middle: u32, inner: u32, layouts: &[Layout]) {
    let gate = BroadcastGate::new(P, middle, inner).unwrap();
    check(gpu, gate, &numbers::<T>(gate, outer), layouts);
}

/// Sizes around the 64 partial sums, the sums of a workgroup, vectors, and the limit between the two ways of dividing a
/// workgroup.
pub fn shapes(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 6);
    let mut count = 0;
    for middle in [1, 2, 15, 16, 17, 63, 64, 65, 129, 4097] {
        for inner in [1, 2, 3, 7, 8, 16, 17, 33, 64] {
            for outer in [1, 2, 5, 37] {
                if outer as u32 * middle * inner > 70_000 {
                    continue;
                }
                // The plainest layout for all, and another one in turn.
                let layouts = [LAYOUTS[0], LAYOUTS[1 + count % 3]];
                check_numbers::<f32>(&gpu, outer, middle, inner, &layouts);
                check_numbers::<f16>(&gpu, outer, middle, inner, &layouts[1..]);
                check_numbers::<bf16>(&gpu, outer, middle, inner, &layouts[1..]);
                count += 1;
            }
        }
    }
    assert!(count > 250, "{count}");
    // Several dispatches of 36 workgroups, several rows of a grid, and empty tensors.
    for (outer, middle, inner) in [
        (0, 3, 5),
        (600, 3, 2),
        (1201, 1, 1),
        (7, 5, 111),
        (900, 16, 1),
        (5, 24, 88),
    ] {
        check_numbers::<f32>(&gpu, outer, middle, inner, &LAYOUTS);
        check_numbers::<f16>(&gpu, outer, middle, inner, &LAYOUTS);
    }
}

/// Every pair of special values at each place of a row, and every definition.
pub fn special_values(adapter: &wgpu::Adapter) {
    fn of<T: Scalar>(gpu: &Gpu) {
        let edges = [
            0.0,
            1e-45,
            1e-40,
            f32::MIN_POSITIVE,
            1e-3,
            0.7,
            3.0,
            1e20,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ];
        let values: Vec<T> = edges
            .iter()
            .copied()
            .chain([f32::from_bits(0x7f80_2000)])
            .flat_map(|v| [v, -v])
            .map(T::from_f32)
            .collect();
        let count = values.len();
        for definition in crate::common::definitions() {
            for (middle, inner) in [(1, 1), (5, 1), (8, 1), (70, 2), (130, 1), (3, 9)] {
                let gate = BroadcastGate::new(definition, middle, inner).unwrap();
                let (row, inner) = (gate.row() as usize, inner as usize);
                let mut data = numbers::<T>(gate, count * count);
                for i in 0..count * count {
                    let at = i * row + i * 37 % row;
                    (data.a[at], data.g[at]) = (values[i % count], values[i / count]);
                    data.b[i * inner] = values[(i * 5 + i / count) % count];
                }
                check(gpu, gate, &data, &LAYOUTS[..1]);
            }
        }
    }
    let gpu = Gpu::new(adapter, |_| ());
    of::<f32>(&gpu);
    of::<f16>(&gpu);
    of::<bf16>(&gpu);
}

/// Tensors beyond a binding: rows and steps cut anywhere, rows that just fit, steps longer than a binding, and the gradients of
/// odd halves, which share words between parts. Through a batch too.
pub fn split(adapter: &wgpu::Adapter) {
    let mut gpu = Gpu::new(adapter, |limits| {
        let least = 32 * u64::from(limits.min_storage_buffer_offset_alignment);
        limits.max_storage_buffer_binding_size = least.max(4096);
    });
    let limits = gpu.kernels.limits();
    let most = limits.max_storage_buffer_binding_size - u64::from(limits.min_storage_buffer_offset_alignment);
    let [whole, halves] = [most as u32 / 4, most as u32 / 2];
    for _ in 0..2 {
        for (outer, middle, inner) in [
            (5, whole, 1),
            (3, whole / 7, 7),
            (2, 1, whole),
            (40, 65, 3),
            (7, 9, 33),
            (3001, 1, 1),
            (1501, 3, 1),
            (4003, 1, 3),
            (40, 56, 1),
            (40, 3, 176),
        ] {
            check_numbers::<f32>(&gpu, outer, middle, inner, &LAYOUTS);
        }
        for (outer, middle, inner) in [
            (5, halves - 1, 1),
            (3, halves / 7, 7),
            (61, 129, 1),
            (43, 129, 3),
            (6001, 3, 1),
            (40, 56, 1),
            (40, 3, 352),
        ] {
            check_numbers::<f16>(&gpu, outer, middle, inner, &LAYOUTS);
            check_numbers::<bf16>(&gpu, outer, middle, inner, &LAYOUTS[..2]);
        }
        // Only the gate itself takes these: a row, and a step, beyond a binding.
        for (outer, middle, inner) in [
            (2, 3 * whole + 5, 1),
            (1, 5, whole),
            (2, 1, 3 * whole + 1),
            (1, 700, 31),
        ] {
            let gate = BroadcastGate::new(P, middle, inner).unwrap();
            check_op(&gpu, Op::GateBroadcast(gate), &numbers::<f32>(gate, outer), &LAYOUTS[0]);
            check_op(&gpu, Op::GateBroadcast(gate), &numbers::<f16>(gate, outer), &LAYOUTS[1]);
        }
        gpu.batch = Some(Batch::new(&gpu.kernels).unwrap().into());
    }
}

/// Bad arguments are refused, and the errors name what was given and what is allowed.
pub fn errors(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| {
        limits.max_storage_buffer_binding_size = 32 * u64::from(limits.min_storage_buffer_offset_alignment).max(128);
        limits.max_compute_workgroups_per_dimension = 4;
    });
    let limits = gpu.kernels.limits();
    let binding = limits.max_storage_buffer_binding_size;
    let k = &gpu.kernels;
    let [a, b, g, da, db] = [(); 5].map(|()| {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 8 * binding,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    });
    fn of(buffer: &wgpu::Buffer, elements: u32) -> BufferRange<'_> {
        BufferRange {
            buffer,
            offset: 0,
            size: 4 * u64::from(elements),
        }
    }
    let gate = |middle, inner| {
        BroadcastGate::new(HardSigmoid::affine(1.0, 0.0, KinkRule::Strict).unwrap(), middle, inner).unwrap()
    };
    let forward = |gate: BroadcastGate, lengths: [u32; 3]| {
        let [x, y, z] = lengths;
        k.gate_broadcast(gate, DType::F32, of(&a, x), of(&b, y), of(&da, z))
            .map(|_| ())
    };
    let sums = |gate: BroadcastGate, lengths: [u32; 4]| {
        let [w, x, y, z] = lengths;
        k.gate_broadcast_sums(gate, DType::F32, of(&a, w), of(&b, x), of(&g, y), of(&db, z))
            .map(|_| ())
    };
    let g32 = gate(3, 2);
    assert_eq!(forward(g32, [12, 4, 12]), Ok(()));
    assert!(matches!(
        forward(g32, [13, 4, 13]),
        Err(LaunchError::Plan(PlanError::Op(OpError::PartialRow { .. })))
    ));
    assert!(matches!(
        forward(g32, [12, 12, 12]),
        Err(LaunchError::Plan(PlanError::Op(OpError::BroadcastLength { .. })))
    ));
    assert!(matches!(
        forward(g32, [12, 4, 6]),
        Err(LaunchError::Plan(PlanError::Op(OpError::LengthMismatch { .. })))
    ));
    assert_eq!(sums(g32, [12, 4, 12, 4]), Ok(()));
    assert!(matches!(
        sums(g32, [12, 4, 6, 4]),
        Err(LaunchError::Plan(PlanError::Op(OpError::LengthMismatch { .. })))
    ));
    assert!(matches!(
        sums(g32, [12, 4, 12, 2]),
        Err(LaunchError::Plan(PlanError::Op(OpError::BroadcastLength {
            b: "db",
            ..
        })))
    ));
    let overlapping = k.gate_broadcast_sums(g32, DType::F32, of(&a, 12), of(&b, 4), of(&g, 12), of(&g, 4));
    assert!(matches!(overlapping, Err(LaunchError::Overlap { .. })));
    let over_b = k.gate_broadcast(gate(1, 4), DType::F32, of(&a, 4), of(&b, 4), of(&b, 4));
    assert!(matches!(over_b, Err(LaunchError::Overlap { .. })));

    // A row that isn't the only one must fit together with the bytes that its binding may begin before it.
    let alignment = limits.min_storage_buffer_offset_alignment;
    let fits = (binding as u32 - alignment) / 4;
    let rows = |row: u32| sums(gate(row, 1), [2 * row, 2, 2 * row, 2]);
    assert_eq!(rows(fits), Ok(()));
    let error = rows(fits + 1).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("max_storage_buffer_binding_size") && message.contains(&binding.to_string()),
        "{message}"
    );
    // A single row may be as long as a binding.
    let one = binding as u32 / 4;
    assert_eq!(sums(gate(one, 1), [one, 1, one, 1]), Ok(()));
    assert!(matches!(
        sums(gate(one + 1, 1), [one + 1, 1, one + 1, 1]),
        Err(LaunchError::Plan(PlanError::UnsupportedDevice(_)))
    ));
    // For the gate a step must fit.
    assert_eq!(forward(gate(2, fits), [2 * fits, fits, 2 * fits]), Ok(()));
    assert!(matches!(
        forward(gate(2, fits + 1), [2 * fits + 2, fits + 1, 2 * fits + 2]),
        Err(LaunchError::Plan(PlanError::UnsupportedDevice(_)))
    ));
    // The sums need workgroup memory, the gate doesn't.
    let without = Gpu::new(adapter, |limits| limits.max_compute_workgroup_storage_size = 1000);
    let buffer = without.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4096,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let at = |offset: u64| BufferRange {
        buffer: &buffer,
        offset: 256 * offset,
        size: 64,
    };
    let k = &without.kernels;
    let launch = k.gate_broadcast_sums(gate(1, 16), DType::F32, at(0), at(1), at(2), at(3));
    let message = launch.unwrap_err().to_string();
    assert!(
        message.contains("max_compute_workgroup_storage_size of at least 1024"),
        "{message}"
    );
    let _ = k.gate_broadcast(gate(1, 16), DType::F32, at(0), at(1), at(2)).unwrap();
    // Sums beyond a grid of 16 workgroups.
    assert_eq!(sums(gate(1, 255), [255; 4]), Ok(()));
    let message = sums(gate(1, 256), [256; 4]).unwrap_err().to_string();
    assert!(
        message.contains("max_compute_workgroups_per_dimension of at least 5"),
        "{message}"
    );
}
