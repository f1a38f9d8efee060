//! All 2^32 f32 inputs of every preset, forward and backward, GPU against CPU, on every adapter.
//!
//! Opt-in, because it takes many minutes: `./test.sh exhaustive`.

use crate::{adapters, common};
use hard_sigmoid::{Element, HardSigmoid, Kernels};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

const TOTAL: u64 = 1 << 32;
const CHUNK: u64 = 1 << 24;

/// What a sweep has seen of one preset and pass.
#[derive(Clone, Copy, Default)]
struct Seen {
    inputs: u64,
    differing: u64,
    /// Subnormal gradients that came as a zero of the same sign, which WGSL allows.
    flushed: u64,
}

impl Seen {
    fn of(self, actual: u32, expected: f32, may_flush: bool) -> Self {
        let same = actual == expected.to_bits();
        let flushed = !same && may_flush && actual == common::flushed(expected).to_bits();
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

/// The upstream gradient that goes with an input: another permutation of all 2^32 bit patterns.
fn gradient_bits(x: u32) -> u32 {
    x.wrapping_mul(0x9e37_79b1).rotate_left(13)
}

pub fn sweep(adapter: &wgpu::Adapter) {
    if cfg!(debug_assertions) {
        panic!("run this with --release");
    }
    // The counting itself can fail.
    let seen = Seen::default().of(1, 0.0, true).of(0, 1e-40, true).of(0, 1e-40, false);
    assert_eq!((seen.inputs, seen.differing, seen.flushed), (3, 2, 1));

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
    let [x, g, out, sentinel] = [(); 4].map(|()| buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC));
    let staging = buffer(wgpu::BufferUsages::MAP_READ);
    // A result that was never written differs.
    queue.write_buffer(&sentinel, 0, &vec![0xab; CHUNK as usize * 4]);
    let rows: Vec<_> = HardSigmoid::PRESETS
        .iter()
        .flat_map(|preset| [(preset.definition, true), (preset.definition, false)])
        .collect();
    let launches: Vec<_> = rows
        .iter()
        .map(|&(definition, is_forward)| match is_forward {
            true => kernels.forward(definition, Element::F32, &x, &out).unwrap(),
            false => kernels.backward(definition, Element::F32, &x, &g, &out).unwrap(),
        })
        .collect();
    let mut totals = vec![Seen::default(); rows.len()];

    let style = "{msg} [{bar:40}] {percent}% {elapsed} (ETA {eta}), {pos} row chunks";
    let bar = ProgressBar::new(TOTAL / CHUNK * rows.len() as u64)
        .with_style(ProgressStyle::with_template(style).unwrap())
        .with_message(format!("{:?}", adapter.get_info().backend));
    for start in (0..TOTAL).step_by(CHUNK as usize) {
        let start = start as u32;
        let patterns: Vec<u32> = (start..=start | (CHUNK as u32 - 1)).collect();
        let gradients: Vec<u32> = patterns.iter().copied().map(gradient_bits).collect();
        queue.write_buffer(&x, 0, bytemuck::cast_slice(&patterns));
        queue.write_buffer(&g, 0, bytemuck::cast_slice(&gradients));
        for ((&(definition, is_forward), launch), total) in rows.iter().zip(&launches).zip(&mut totals) {
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&sentinel, 0, &out, 0, CHUNK * 4);
            launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
            encoder.copy_buffer_to_buffer(&out, 0, &staging, 0, CHUNK * 4);
            queue.submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            let view = staging.get_mapped_range(..).unwrap();
            let results: &[u32] = bytemuck::cast_slice(&view);
            let seen = patterns
                .par_iter()
                .zip(&gradients)
                .zip(results)
                .with_min_len(1 << 16)
                .fold(Seen::default, |seen, ((&x, &g), &actual)| {
                    let x = f32::from_bits(x);
                    let expected = match is_forward {
                        true => definition.forward(x),
                        false => definition.backward(x, f32::from_bits(g)),
                    };
                    seen.of(actual, expected, !is_forward)
                });
            *total = total.and(seen.reduce(Seen::default, Seen::and));
            // At once rather than at the end, so that a sweep cut short has still shown something.
            let pass = if is_forward { "forward" } else { "backward" };
            assert_eq!(total.differing, 0, "{definition} {pass}, inputs from {start:#010x}");
            drop(view);
            staging.unmap();
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
    for (&(definition, is_forward), seen) in rows.iter().zip(&totals) {
        let pass = if is_forward { "forward" } else { "backward" };
        let Seen {
            inputs,
            differing,
            flushed,
        } = seen;
        println!(
            "{definition:<12}{pass:<9} {inputs} inputs, {differing} differing ({flushed} subnormal gradients flushed)"
        );
    }
    for seen in &totals {
        assert_eq!(seen.inputs, TOTAL, "the sweep has shrunk");
        assert_eq!(seen.differing, 0);
    }
}
