//! A guard that a busy machine doesn't disturb: the instructions that the CPU path takes for each element, and those that a
//! launch takes on the host, wgpu's included, on its device that computes nothing. Valgrind counts them.
//!
//! `cargo bench --bench instructions` fails if a count is above its limit. The limits are a tenth above what was
//! counted on x86-64 with AVX2 (valgrind knows no AVX-512) by Rust 1.95; if a compiler or a change is better, lower
//! them.

mod common;

use common::{BEFORE, DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{
    DType, HardSigmoid, Op, Scalar, Unary, bf16, cpu, f16,
    gpu::{Batch, BufferRange, Kernels},
};
use std::{hint::black_box, process::Command};

/// The number of elements, for one core and in the cache.
const LEN: usize = 1 << 14;

/// Operations with their limits in f32, f16 and bf16.
const LIMITS: [(&str, [f64; 3]); 9] = [
    ("forward", [2.1, 2.1, 2.8]),
    ("hard_swish", [3.7, 3.1, 4.4]),
    ("backward", [1.8, 2.3, 3.0]),
    ("backward_from_output", [2.1, 2.4, 3.1]),
    ("backward_accumulate", [3.2, 4.0, 4.3]),
    ("hard_swish_backward", [3.5, 3.8, 4.3]),
    ("gate", [3.4, 3.6, 4.2]),
    ("straight_through", [1.4, 1.8, 2.5]),
    ("gate_backward", [5.8, 8.0, 8.1]),
];

/// The limit of a look-up of bytes.
const LOOKUP_LIMIT: f64 = 2.4;

/// Ways to launch the forward pass, with their limits. wgpu's list of commands doubles now and then: with that the first took 617
/// instructions, without 389.
const LAUNCH_LIMITS: [(&str, f64); 4] = [
    ("encode", 680.0),
    ("prepare, encode", 20000.0),
    ("batch", 4100.0),
    ("batch, no dynamic offsets", 5100.0),
];

/// The launches of a step.
const STEP: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, counted, element, name, times] = &arguments[..]
        && counted == "--counted"
    {
        let times = times.parse().unwrap();
        return match element.parse() {
            Ok(DType::F32) => run::<f32>(name, times),
            Ok(DType::F16) => run::<f16>(name, times),
            Ok(DType::Bf16) => run::<bf16>(name, times),
            Ok(DType::U8) => look_up(times),
            Err(_) => launch(name, times),
        };
    }
    check::<f32>();
    check::<f16>();
    check::<bf16>();
    if is_short() {
        return;
    }
    println!(
        "{:<6}{:<21} {:>20} {:>6}",
        "type", "operation", "instructions/element", "limit"
    );
    let mut above = 0;
    for (name, limits) in LIMITS {
        for (element, limit) in [DType::F32, DType::F16, DType::Bf16].into_iter().zip(limits) {
            above += usize::from(is_above(element, name, limit));
        }
    }
    above += usize::from(is_above(DType::U8, "lookup", LOOKUP_LIMIT));
    println!("{:<27} {:>20} {:>6}", "forward", "instructions/launch", "limit");
    for (name, limit) in LAUNCH_LIMITS {
        // A batch keeps its bind groups for 16 steps.
        let [few, many] = [20, 30].map(|times| instructions("launch", name, times));
        let count = (many - few) as f64 / (10 * STEP) as f64;
        println!("{name:<27} {count:>20.0} {limit:>6.0}");
        above += usize::from(count > limit);
    }
    assert_eq!(above, 0, "this many counts are above their limits");
}

/// Prints the instructions of an operation for an element, and tells whether they are above their limit.
fn is_above(element: DType, name: &str, limit: f64) -> bool {
    let [once, thrice] = [1, 3].map(|times| instructions(&element.to_string(), name, times));
    let count = (thrice - once) as f64 / (2 * LEN) as f64;
    println!("{element:<6}{name:<21} {count:>20.2} {limit:>6.2}");
    count > limit
}

fn look_up(times: usize) {
    let (table, x) = ([7; 256], vec![3; LEN]);
    let mut y = vec![0; LEN];
    for _ in 0..times {
        cpu::lookup(black_box(&table), black_box(&x), black_box(&mut y)).unwrap();
    }
}

fn run<T: Scalar>(name: &str, times: usize) {
    let (x, g) = (vec![T::from_f32(1.0); LEN], vec![T::from_f32(0.5); LEN]);
    let mut outputs = [(); 2].map(|()| vec![T::from_f32(BEFORE); LEN]);
    let op = op(name, DEFINITION);
    for _ in 0..times {
        compute(op, black_box(&x), black_box(&g), black_box(&mut outputs));
    }
}

/// Records steps of launches on tensors of a pool, whose lengths and places change at every step.
fn launch(name: &str, steps: usize) {
    let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
    options.backends = wgpu::Backends::NOOP;
    options.backend_options.noop.enable = true;
    let adapter = pollster::block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap();
    let mut asked = wgpu::DeviceDescriptor::default();
    if name.ends_with("no dynamic offsets") {
        asked.required_limits.max_dynamic_storage_buffers_per_pipeline_layout = 0;
    }
    let (device, queue) = pollster::block_on(adapter.request_device(&asked)).unwrap();
    const PLACES: usize = 128;
    const PLACE: usize = 32 << 10;
    let [x, y] = [(); 2].map(|()| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (PLACES * PLACE) as u64,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    });
    let tensors = |step: usize, i: usize| {
        [&x, &y].map(|buffer| BufferRange {
            buffer,
            offset: ((i * 7 + step * 3) % PLACES * PLACE) as u64,
            size: (16 * (1 + (i * 131 + step * 977) % (PLACE / 16))) as u64,
        })
    };
    let kernels = Kernels::new(&device).unwrap();
    let forward = Unary::Forward(DEFINITION);
    let prepare = |step, i| kernels.prepare(forward, DType::F32, &tensors(step, i)).unwrap();
    let (prepared, mut batch) = (prepare(0, 0), Batch::new(&kernels).unwrap());
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for step in 0..steps {
        match name {
            "encode" => (0..STEP).for_each(|_| prepared.encode(&mut pass)),
            "prepare, encode" => (0..STEP).for_each(|i| prepare(step, i).encode(&mut pass)),
            _ => {
                batch.clear();
                for i in 0..STEP {
                    batch.add(forward, DType::F32, &tensors(step, i)).unwrap();
                }
                batch.write(&queue).encode_all(&mut pass);
            }
        }
    }
}

/// The operation of this name. A wrong definition gives the wrong one of the two straight-through estimators.
fn op(name: &str, of: HardSigmoid) -> Op {
    let mut named = Op::all(of).into_iter().filter(|op| op.name() == name);
    let op = if of == DEFINITION {
        named.next()
    } else {
        named.next_back()
    };
    op.unwrap_or_else(|| panic!("no operation is named {name}"))
}

fn compute<T: Scalar>(op: Op, x: &[T], g: &[T], [out, other]: &mut [Vec<T>; 2]) {
    match op {
        Op::Unary(op) => cpu::unary(op, x, out),
        Op::Binary(op) => cpu::binary(op, x, g, out),
        Op::GateBackward(definition) => cpu::gate_backward(definition, x, g, x, out, other),
        _ => panic!("{} isn't counted", op.name()),
    }
    .unwrap();
}

fn check<T: Scalar>() {
    let value = |i: usize| T::from_f32(((i * 7919) % 8001) as f32 / 1000.0 - 4.0);
    let x: Vec<T> = (0..LEN).map(value).collect();
    let g: Vec<T> = (0..LEN).map(|i| value(i + 13)).collect();
    assert_results(&T::DTYPE.to_string(), |computed| {
        let of_name = |(name, _): &(&'static str, _)| {
            let mut outputs = [(); 2].map(|()| vec![T::from_f32(BEFORE); LEN]);
            compute(op(name, computed), &x, &g, &mut outputs);
            let right = op(name, DEFINITION);
            let results = right.outputs().iter().enumerate().zip(&outputs);
            let found = results.map(|((output, _), actual)| {
                let operands = |i: usize| [x[i], g[i], x[i]];
                (*name, difference(right, output, actual, operands))
            });
            found.collect::<Vec<_>>()
        };
        LIMITS.iter().flat_map(of_name).collect()
    });
}

/// The instructions of this program when it does something this many times.
fn instructions(what: &str, name: &str, times: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--counted", what, name, &times.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind ({error}): install it with your package manager"));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    // Valgrind writes "==1== I   refs:      1,234".
    let count = report.lines().find_map(|line| line.split("refs:").nth(1));
    let digits = count.expect("no count").replace([',', ' '], "");
    digits.parse().expect("no number")
}
