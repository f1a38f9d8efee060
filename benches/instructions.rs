//! A guard that a busy machine doesn't disturb: the instructions that the CPU path takes for each element, counted by
//! valgrind.
//!
//! `cargo bench --bench instructions` fails if a count is above its limit. The limits are a tenth above what was
//! counted on x86-64 with AVX2 (valgrind knows no AVX-512) by Rust 1.95; if a compiler or a change is better, lower
//! them.

use hard_sigmoid::{Binary, DType, HardSigmoid, Scalar, Unary, bf16, cpu, f16};
use std::{hint::black_box, process::Command};

const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

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

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, counted, element, name, times] = &arguments[..]
        && counted == "--counted"
    {
        let times = times.parse().unwrap();
        return match element.parse().unwrap() {
            DType::F32 => run::<f32>(name, times),
            DType::F16 => run::<f16>(name, times),
            DType::Bf16 => run::<bf16>(name, times),
        };
    }
    println!(
        "{:<6}{:<21} {:>20} {:>6}",
        "type", "operation", "instructions/element", "limit"
    );
    let mut above = 0;
    for (name, limits) in LIMITS {
        for (element, limit) in DType::ALL.iter().zip(limits) {
            let [once, thrice] = [1, 3].map(|times| instructions(*element, name, times));
            let count = (thrice - once) as f64 / (2 * LEN) as f64;
            println!("{element:<6}{name:<21} {count:>20.2} {limit:>6.2}");
            above += usize::from(count > limit);
        }
    }
    assert_eq!(above, 0, "this many counts are above their limits");
}

fn run<T: Scalar>(name: &str, times: usize) {
    let (x, g) = (vec![T::from_f32(1.0); LEN], vec![T::from_f32(0.5); LEN]);
    let (mut out, mut other) = (vec![T::from_f32(7.0); LEN], vec![T::from_f32(7.0); LEN]);
    let unary = Unary::all(DEFINITION).into_iter().find(|op| op.name() == name);
    let binary = Binary::all(DEFINITION).into_iter().find(|op| op.name() == name);
    for _ in 0..times {
        let (x, g, out) = (black_box(&x), black_box(&g), black_box(&mut out));
        match (unary, binary) {
            (Some(op), _) => cpu::unary(op, x, out),
            (_, Some(op)) => cpu::binary(op, x, g, out),
            _ => cpu::gate_backward(DEFINITION, x, g, x, out, black_box(&mut other)),
        }
        .unwrap();
    }
}

/// The instructions of this program when it computes this many times.
fn instructions(element: DType, name: &str, times: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--counted", &element.to_string(), name, &times.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind ({error}): install it with your package manager"));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    // Valgrind writes "==1== I   refs:      1,234".
    let count = report.lines().find_map(|line| line.split("refs:").nth(1));
    let digits = count.expect("no count").replace([',', ' '], "");
    digits.parse().expect("no number")
}
