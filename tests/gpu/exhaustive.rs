//! All 2^32 f32 inputs of every preset, forward and backward, and of one preset through the other operations, GPU
//! against CPU, on every adapter.
//!
//! Opt-in, because it takes many minutes: `./test.sh exhaustive`.

use crate::{
    adapters,
    cases::{Case, operations as all_operations, separate},
    slice::{CHUNK, chunks},
};
use hard_sigmoid::{
    Binary, DType, Difference, Element, HardSigmoid, Op, Unary,
    gpu::{BufferRange, Kernels, Launch},
};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

/// The counts of a sweep for one definition and kernel.
#[derive(Clone, Copy, Default)]
struct Seen {
    inputs: u64,
    differing: u64,
    /// Results that differ because a subnormal counted as zero of the same sign, which WGSL allows.
    flushed: u64,
}

impl Seen {
    fn of(self, difference: Difference) -> Self {
        Self {
            inputs: self.inputs + 1,
            differing: self.differing + u64::from(difference == Difference::Wrong),
            flushed: self.flushed + u64::from(difference == Difference::Subnormal),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            differing: self.differing + other.differing,
            flushed: self.flushed + other.flushed,
        }
    }
}

/// The other operands that go with an input: two more permutations of all 2^32 bit patterns.
fn other_bits(x: u32) -> [u32; 2] {
    [
        x.wrapping_mul(0x9e37_79b1).rotate_left(13),
        x.wrapping_mul(0x85eb_ca6b).rotate_left(21) ^ 0x4000_0000,
    ]
}

/// A launch of the sweep.
struct Row {
    case: Case,
    launch: Launch,
}

/// The operands of an operation. The hard sigmoid is always that of x.
fn operands<V>(op: Op, [x, g, h]: [V; 3]) -> [V; 3] {
    match op.inputs() {
        ["a", "b", ..] => [g, x, h],
        _ => [x, g, h],
    }
}

/// Forward and backward with every preset, and every other operation with one. (Packed signs are those of `binarize`.)
fn operations() -> Vec<Op> {
    let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    let mut all: Vec<Op> = presets
        .flat_map(|d| [Unary::Forward(d).into(), Binary::Backward(d).into()])
        .collect();
    // PYTORCH's hard swish, below, has a different form from these two.
    for d in [HardSigmoid::JAX, HardSigmoid::KERAS3] {
        all.extend([Op::from(Unary::HardSwish(d)), Binary::HardSwishBackward(d).into()]);
    }
    all.push(Binary::BackwardAccumulate(HardSigmoid::SPARSE).into());
    let mut names = vec!["forward", "backward", "pack", "unpack"];
    for op in all_operations(HardSigmoid::PYTORCH) {
        if !names.contains(&op.name()) {
            names.push(op.name());
            all.push(op);
        }
    }
    all
}

/// Compares all inputs, or those of a slice.
pub fn sweep(adapter: &wgpu::Adapter) {
    compare(adapter, &chunks(), |i| i);
}

/// Compares 2^24 inputs, spread over all, for the table of drivers.
pub fn sample(adapter: &wgpu::Adapter) {
    compare(adapter, &[0], |i| i.wrapping_mul(257));
}

fn compare(adapter: &wgpu::Adapter, chunks: &[u64], pattern: impl Fn(u32) -> u32) {
    if cfg!(debug_assertions) {
        panic!("run this with --release");
    }
    // The count can find a difference.
    let seen = [
        Difference::Wrong,
        Difference::None,
        Difference::Subnormal,
        Difference::Wrong,
    ];
    let seen = seen.into_iter().fold(Seen::default(), Seen::of);
    assert_eq!((seen.inputs, seen.differing, seen.flushed), (4, 2, 1));

    let (device, queue) = adapters::device(adapter, |_| ());
    let kernels = Kernels::new(&device).unwrap();
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: CHUNK * 4,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let [x, g, h, out, second_out, sentinel] =
        [(); 6].map(|()| buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC));
    let staging = buffer(wgpu::BufferUsages::MAP_READ);
    // A result that was never written differs.
    queue.write_buffer(&sentinel, 0, &vec![0xab; CHUNK as usize * 4]);
    let row = |op| {
        let case = separate(op);
        let inputs = operands(op, [&x, &g, &h]).map(BufferRange::from);
        let outputs = [&out, &second_out].map(BufferRange::from);
        let launch = case.launch(&kernels, DType::F32, &inputs, &outputs);
        Row { case, launch }
    };
    let rows: Vec<_> = operations().into_iter().map(row).collect();
    let mut totals = vec![Seen::default(); rows.len()];

    let style = "{msg} [{bar:40}] {percent}% {elapsed} (ETA {eta}), {pos} row chunks";
    let bar = ProgressBar::new((chunks.len() * rows.len()) as u64)
        .with_style(ProgressStyle::with_template(style).unwrap())
        .with_message(format!("{:?}", adapter.get_info().backend));
    for (done, &start) in (1..).zip(chunks) {
        let start = start as u32;
        let patterns: Vec<u32> = (start..=start | (CHUNK as u32 - 1)).map(&pattern).collect();
        let others: Vec<[u32; 2]> = patterns.iter().copied().map(other_bits).collect();
        queue.write_buffer(&x, 0, bytemuck::cast_slice(&patterns));
        for (i, buffer) in [&g, &h].into_iter().enumerate() {
            let bits: Vec<u32> = others.iter().map(|other| other[i]).collect();
            queue.write_buffer(buffer, 0, bytemuck::cast_slice(&bits));
        }
        for (row, total) in rows.iter().zip(&mut totals) {
            let op = row.case.op;
            let accumulates = matches!(op, Op::Binary(Binary::BackwardAccumulate(_)));
            let outputs = &[&out, &second_out][..op.outputs().len()];
            let mut encoder = device.create_command_encoder(&Default::default());
            for output in outputs {
                let before = if accumulates { &h } else { &sentinel };
                encoder.copy_buffer_to_buffer(before, 0, output, 0, CHUNK * 4);
            }
            row.launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
            queue.submit([encoder.finish()]);
            for (index, output) in outputs.iter().enumerate() {
                let mut encoder = device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(output, 0, &staging, 0, CHUNK * 4);
                queue.submit([encoder.finish()]);
                staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
                device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                let view = staging.get_mapped_range(..).unwrap();
                let results: &[u32] = bytemuck::cast_slice(&view);
                let seen = patterns
                    .par_iter()
                    .zip(&others)
                    .zip(results)
                    .enumerate()
                    .with_min_len(1 << 16)
                    .fold(Seen::default, |seen, (i, ((&x, &[g, h]), &actual))| {
                        let all = [x, g, h].map(f32::from_bits);
                        let element = Element {
                            operands: operands(op, all),
                            before: all[2],
                            index: i as u64,
                        };
                        seen.of(element.compare(op, index, f32::from_bits(actual)))
                    });
                *total = total.and(seen.reduce(Seen::default, Seen::and));
                // Fails at once rather than at the end, so that a sweep that is cut short has still shown something.
                assert_eq!(total.differing, 0, "{op:?}, inputs from {start:#010x}");
                drop(view);
                staging.unmap();
            }
            bar.inc(1);
        }
        // A log shows no progress bar, so it gets a line for each sixteenth.
        if bar.is_hidden() && done * 16 / chunks.len() > (done - 1) * 16 / chunks.len() {
            let backend = adapter.get_info().backend;
            println!("{backend:?}: {}% without a difference", done * 100 / chunks.len());
        }
    }
    bar.finish_and_clear();

    let info = adapter.get_info();
    let about = format!(
        "{} ({:?}, {} {})",
        info.name, info.backend, info.driver, info.driver_info
    );
    println!("\n{about}");
    // For `./test.sh matrix`.
    let mut report = about + "\n";
    for (row, seen) in rows.iter().zip(&totals) {
        let Seen {
            inputs,
            differing,
            flushed,
        } = seen;
        let of = row.case.op.definition().map_or("-", HardSigmoid::name);
        let name = row.case.op.name();
        println!("{of:<12}{name:<20} {inputs} results, {differing} differing ({flushed} with subnormals flushed)");
        report += &format!("{of}\t{name}\t{inputs}\t{differing}\t{flushed}\n");
        assert_eq!(
            *inputs,
            chunks.len() as u64 * CHUNK * row.case.op.outputs().len() as u64,
            "the sweep has shrunk"
        );
        assert_eq!(*differing, 0);
    }
    if let Ok(path) = std::env::var("HARD_SIGMOID_REPORT") {
        std::fs::write(path, report).unwrap();
    }
}
