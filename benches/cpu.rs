//! The CPU path compared with memcpy on all cores: the bytes that must move per time, in one run.
//!
//! `cargo bench --bench cpu` asserts each result against the scalar functions first, except db of the gates. Columns: median time, GB/s, and
//! the ratio of GB/s to memcpy's at the same length; runs are interleaved, so that a busy machine slows both.

mod common;

use common::{BEFORE, DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{Binary, BroadcastGate, Op, Scalar, Unary, bf16, cpu, f16};
use rayon::prelude::*;
use std::{hint::black_box, time::Instant};

fn main() {
    let chosen: Vec<u32> = std::env::args().filter_map(|exponent| exponent.parse().ok()).collect();
    let exponents = match &chosen[..] {
        // On one core, and on all.
        [] if is_short() => vec![10, 18],
        [] => vec![10, 14, 18, 22, 24, 26],
        _ => chosen,
    };
    if !is_short() {
        println!("{} cores, {DEFINITION}", std::thread::available_parallelism().unwrap());
        println!(
            "{:<6}{:<12}{:>10} {:>11} {:>8} {:>8}",
            "type", "pass", "elements", "median", "GB/s", "memcpy"
        );
    }
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
    let [mut out, mut copied, mut sums] = [(); 3].map(|()| vec![T::from_f32(BEFORE); len]);

    // Channels first and last, of images of 56 by 56 or so.
    let channels = 256.min(len as u32 / 4);
    let gates = |of| [1, channels].map(|inner| BroadcastGate::new(of, 4096.min(len as u32 / inner), inner).unwrap());
    assert_results(&format!("{} elements of {}", len, T::DTYPE), |computed| {
        let of_x_and_g = |i: usize| [x[i], g[i], g[i]];
        cpu::unary(Unary::Forward(computed), &x, &mut out).unwrap();
        let mut found = vec![("forward", difference(Unary::Forward(DEFINITION), 0, &out, of_x_and_g))];
        cpu::binary(Binary::Backward(computed), &x, &g, &mut out).unwrap();
        found.push((
            "backward",
            difference(Binary::Backward(DEFINITION), 0, &out, of_x_and_g),
        ));
        for ((gate, right), names) in gates(computed)
            .into_iter()
            .zip(gates(DEFINITION))
            .zip([["gate nchw", "gate' nchw"], ["gate nhwc", "gate' nhwc"]])
        {
            let (middle, inner) = (gate.middle() as usize, gate.inner() as usize);
            let b = &g[..len / middle];
            let of_a = |i: usize| [x[i], b[i / (middle * inner) * inner + i % inner], g[i]];
            cpu::gate_broadcast(gate, &x, b, &mut out).unwrap();
            found.push((names[0], difference(Op::GateBroadcast(right), 0, &out, of_a)));
            cpu::gate_broadcast_sums(gate, &x, b, &g, &mut sums[..b.len()]).unwrap();
            cpu::gate_broadcast(gate, &g, b, &mut out).unwrap();
            let of_g = |i: usize| [g[i], b[i / (middle * inner) * inner + i % inner], g[i]];
            found.push((names[1], difference(Op::GateBroadcast(right), 0, &out, of_g)));
        }
        found
    });
    if is_short() {
        return;
    }

    let gates = gates(DEFINITION);
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
                cpu::gate_broadcast_sums(gate, x, b, &g, db).unwrap();
                cpu::gate_broadcast(gate, &g, b, &mut out).unwrap();
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
