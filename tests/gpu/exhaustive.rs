//! All 2^32 f32 inputs of every preset, forward and backward, and of one preset for the kernels around them, GPU against
//! CPU, on every adapter.
//!
//! Opt-in, because it takes many minutes: `./test.sh exhaustive`.

use crate::{
    adapters,
    cases::{Case, Definition, apart},
    common,
};
use hard_sigmoid::{BufferRange, Element, HardSigmoid, Kernel, Kernels, Launch};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

const TOTAL: u64 = 1 << 32;
const CHUNK: u64 = 1 << 24;

/// What a sweep has seen of one definition and kernel.
#[derive(Clone, Copy, Default)]
struct Seen {
    inputs: u64,
    differing: u64,
    /// Results that differ because a subnormal counted as zero of the same sign, which WGSL allows.
    flushed: u64,
}

impl Seen {
    /// Counts a result. `allowed` is what it is if subnormals count as zero, where that may be.
    fn of(self, actual: u32, expected: f32, allowed: Option<f32>) -> Self {
        let same = actual == expected.to_bits();
        let is_allowed = |allowed: f32| {
            let also = [allowed, common::flushed(allowed), common::flushed(expected)];
            also.iter().any(|value| actual == value.to_bits())
        };
        let flushed = !same && allowed.is_some_and(is_allowed);
        Self {
            inputs: self.inputs + 1,
            differing: self.differing + u64::from(!same && !flushed),
            flushed: self.flushed + u64::from(flushed),
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

/// Other operands that go with an input: two more permutations of all 2^32 bit patterns.
fn other_bits(x: u32) -> [u32; 2] {
    [
        x.wrapping_mul(0x9e37_79b1).rotate_left(13),
        x.wrapping_mul(0x85eb_ca6b).rotate_left(21) ^ 0x4000_0000,
    ]
}

/// A launch of the sweep.
struct Row {
    on: Definition,
    case: &'static Case,
    launch: Launch,
}

impl Row {
    /// The operands of one element in the order of the API. The hard sigmoid is always that of x.
    fn operands(&self, [x, g, h]: [f32; 3]) -> [f32; 3] {
        match self.case.kernel {
            Kernel::Gate | Kernel::GateBackward => [g, x, h],
            _ => [x, g, h],
        }
    }
}

/// All of them.
pub fn sweep(adapter: &wgpu::Adapter) {
    compare(adapter, TOTAL, |i| i);
}

/// 2^24 of them, spread over all: for the table of drivers.
pub fn sample(adapter: &wgpu::Adapter) {
    compare(adapter, CHUNK, |i| i.wrapping_mul(257));
}

fn compare(adapter: &wgpu::Adapter, total: u64, pattern: impl Fn(u32) -> u32) {
    if cfg!(debug_assertions) {
        panic!("run this with --release");
    }
    // The counting itself can fail.
    let seen = Seen::default()
        .of(1, 0.0, Some(0.0))
        .of(0, 1e-40, Some(1e-40))
        .of(5, 1.0, Some(f32::from_bits(5)))
        .of(0, 1e-40, None);
    assert_eq!((seen.inputs, seen.differing, seen.flushed), (4, 2, 2));

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
    let row = |kernel, definition| {
        let case = apart(kernel);
        let on = Definition {
            definition,
            binarization: case.binarization(definition, 0),
        };
        let ranges = match kernel {
            Kernel::Gate | Kernel::GateBackward => [&g, &x, &h, &out, &second_out],
            _ => [&x, &g, &h, &out, &second_out],
        };
        let ranges = ranges.map(BufferRange::from);
        let launch = case.launch(&kernels, on, Element::F32, &ranges[..3], &ranges[3..]);
        Row { on, case, launch }
    };
    let mut rows = Vec::new();
    for preset in &HardSigmoid::PRESETS {
        rows.extend([Kernel::Forward, Kernel::Backward].map(|kernel| row(kernel, preset.definition)));
    }
    // Packed signs are those of `binarize`.
    let around = Kernel::ALL[2..]
        .iter()
        .filter(|k| !matches!(k, Kernel::BinarizePacked | Kernel::Unpack));
    rows.extend(around.map(|&kernel| row(kernel, HardSigmoid::PYTORCH)));
    let mut totals = vec![Seen::default(); rows.len()];

    let style = "{msg} [{bar:40}] {percent}% {elapsed} (ETA {eta}), {pos} row chunks";
    let bar = ProgressBar::new(total / CHUNK * rows.len() as u64)
        .with_style(ProgressStyle::with_template(style).unwrap())
        .with_message(format!("{:?}", adapter.get_info().backend));
    for start in (0..total).step_by(CHUNK as usize) {
        let start = start as u32;
        let patterns: Vec<u32> = (start..=start | (CHUNK as u32 - 1)).map(&pattern).collect();
        let others: Vec<[u32; 2]> = patterns.iter().copied().map(other_bits).collect();
        queue.write_buffer(&x, 0, bytemuck::cast_slice(&patterns));
        for (i, buffer) in [&g, &h].into_iter().enumerate() {
            let bits: Vec<u32> = others.iter().map(|other| other[i]).collect();
            queue.write_buffer(buffer, 0, bytemuck::cast_slice(&bits));
        }
        for (row, total) in rows.iter().zip(&mut totals) {
            let accumulates = row.case.kernel == Kernel::BackwardAccumulate;
            let outputs = &[&out, &second_out][..row.case.outputs.len()];
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
                        let [x, g, h] = [x, g, h].map(f32::from_bits);
                        let operands = row.operands([x, g, h]);
                        let expected = row.case.expected(row.on, operands, h, i)[index];
                        if actual == expected.to_bits() {
                            return seen.of(actual, expected, None);
                        }
                        // A preset's forward pass meets and makes no subnormal.
                        let may_flush = row.case.kernel != Kernel::Forward;
                        let allowed = || row.case.expected_without_subnormals(row.on, operands, h, i)[index];
                        seen.of(actual, expected, may_flush.then(allowed))
                    });
                *total = total.and(seen.reduce(Seen::default, Seen::and));
                // At once rather than at the end, so that a sweep cut short has still shown something.
                let (definition, kernel) = (row.on.definition, row.case.kernel);
                assert_eq!(total.differing, 0, "{definition} {kernel:?}, inputs from {start:#010x}");
                drop(view);
                staging.unmap();
            }
            bar.inc(1);
        }
        // A log has no bar: a line for each sixteenth.
        if bar.is_hidden() && (u64::from(start) + CHUNK).is_multiple_of(TOTAL / 16) {
            println!(
                "{:?}: {}% without a difference",
                adapter.get_info().backend,
                (u64::from(start) + CHUNK) * 100 / TOTAL
            );
        }
    }
    bar.finish_and_clear();

    let info = adapter.get_info();
    println!(
        "\n{} ({:?}, {} {})",
        info.name, info.backend, info.driver, info.driver_info
    );
    for (row, seen) in rows.iter().zip(&totals) {
        let Seen {
            inputs,
            differing,
            flushed,
        } = seen;
        println!(
            "{:<12}{:<20} {inputs} results, {differing} differing ({flushed} with subnormals flushed)",
            row.on.definition,
            row.case.kernel.name()
        );
        assert_eq!(*inputs, total * row.case.outputs.len() as u64, "the sweep has shrunk");
        assert_eq!(*differing, 0);
    }
}
