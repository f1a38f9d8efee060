//! The CPU path compared with memcpy on all cores: the bytes that must move per time, in one run.
//!
//! `cargo bench --bench cpu` asserts each result against the scalar definition first. Columns: median time, GB/s, and
//! the ratio of GB/s to memcpy's at the same length; runs are interleaved, so that a busy machine slows both.

use hard_sigmoid::{Binary, BroadcastGate, HardSigmoid, Scalar, Unary, bf16, cpu, f16};
use rayon::prelude::*;
use std::{hint::black_box, time::Instant};

const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

fn main() {
    println!("{} cores, {DEFINITION}", std::thread::available_parallelism().unwrap());
    println!(
        "{:<6}{:<12}{:>10} {:>11} {:>8} {:>8}",
        "type", "pass", "elements", "median", "GB/s", "memcpy"
    );
    let chosen: Vec<u32> = std::env::args().filter_map(|exponent| exponent.parse().ok()).collect();
    let exponents = if chosen.is_empty() {
        vec![10, 14, 18, 22, 24, 26]
    } else {
        chosen
    };
    for exponent in exponents {
        rows::<f32>(1 << exponent);
        rows::<f16>(1 << exponent);
        rows::<bf16>(1 << exponent);
    }
}

fn rows<T: Scalar + Send + Sync>(len: usize) {
    let value = |i: usize| T::from_f32(((i * 7919) % 8001) as f32 / 1000.0 - 4.0);
    let x: Vec<T> = (0..len).map(value).collect();
    let g: Vec<T> = (0..len).map(|i| value(i + 13)).collect();
    let mut out = vec![T::from_f32(7.0); len];
    let mut copied = vec![T::from_f32(7.0); len];

    cpu::unary(Unary::Forward(DEFINITION), &x, &mut out).unwrap();
    assert_bits(&out, |i| DEFINITION.forward(x[i].to_f32()));
    cpu::binary(Binary::Backward(DEFINITION), &x, &g, &mut out).unwrap();
    assert_bits(&out, |i| DEFINITION.backward(x[i].to_f32(), g[i].to_f32()));

    // Channels first and last, of images of 56 by 56 or so.
    let channels = 256.min(len as u32 / 4);
    let gates = [1, channels].map(|inner| BroadcastGate::new(DEFINITION, 4096.min(len as u32 / inner), inner).unwrap());
    let mut sums = vec![T::from_f32(7.0); len];
    for gate in gates {
        let (middle, inner) = (gate.middle() as usize, gate.inner() as usize);
        let b = &g[..len / middle];
        cpu::gate_broadcast(gate, &x, b, &mut out).unwrap();
        let of_a = |i: usize| b[i / (middle * inner) * inner + i % inner].to_f32();
        assert_bits(&out, |i| DEFINITION.gate(x[i].to_f32(), of_a(i)));
    }

    let rounds = (1 << 27 >> len.ilog2()).clamp(7, 2001);
    let mut times = [(); 7].map(|()| Vec::new());
    for _ in 0..rounds {
        let mut time = |i: usize, run: &mut dyn FnMut()| {
            let start = Instant::now();
            run();
            times[i].push(start.elapsed().as_secs_f64());
        };
        time(0, &mut || {
            cpu::unary(Unary::Forward(DEFINITION), black_box(&x), &mut out).unwrap()
        });
        time(1, &mut || {
            cpu::binary(Binary::Backward(DEFINITION), black_box(&x), black_box(&g), &mut out).unwrap()
        });
        time(2, &mut || copy(black_box(&x), black_box(&mut copied)));
        for (i, gate) in gates.into_iter().enumerate() {
            let count = len / gate.middle() as usize;
            time(3 + i, &mut || {
                cpu::gate_broadcast(gate, black_box(&x), &g[..count], &mut out).unwrap()
            });
            time(5 + i, &mut || {
                let (x, b, db) = (black_box(&x), &g[..count], &mut sums[..count]);
                cpu::gate_broadcast_backward(gate, x, b, &g, &mut out, db).unwrap();
            });
        }
    }
    let [forward, backward, memcpy, nchw, nhwc, nchw_backward, nhwc_backward] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let bytes = size_of_val(&x[..]) as f64;
    let copy_rate = 2.0 * bytes / memcpy;
    for (pass, seconds, bytes) in [
        ("forward", forward, 2.0 * bytes),
        ("backward", backward, 3.0 * bytes),
        ("memcpy", memcpy, 2.0 * bytes),
        ("gate nchw", nchw, 2.0 * bytes),
        ("gate nhwc", nhwc, 2.0 * bytes),
        ("gate' nchw", nchw_backward, 3.0 * bytes),
        ("gate' nhwc", nhwc_backward, 3.0 * bytes),
    ] {
        println!(
            "{:<6}{pass:<12}{len:>10} {:>8.1} us {:>8.2} {:>8.2}",
            T::DTYPE.to_string(),
            seconds * 1e6,
            bytes / seconds / 1e9,
            bytes / seconds / copy_rate
        );
    }
}

/// memcpy by all cores, or by one if that is faster.
fn copy<T: Scalar + Send + Sync>(from: &[T], to: &mut [T]) {
    if size_of_val(from) < 1 << 18 {
        return to.copy_from_slice(from);
    }
    let part = from.len().div_ceil(rayon::current_num_threads());
    to.par_chunks_mut(part)
        .zip(from.par_chunks(part))
        .for_each(|(to, from)| to.copy_from_slice(from));
}

fn assert_bits<T: Scalar>(actual: &[T], expected: impl Fn(usize) -> f32) {
    let bits = |value: &T| bytemuck::bytes_of(value).to_vec();
    for (i, actual) in actual.iter().enumerate().step_by(1.max(actual.len() >> 16)) {
        assert_eq!(bits(actual), bits(&T::from_f32(expected(i))), "element {i}");
    }
}
