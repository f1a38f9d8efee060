//! A guard that no busy machine disturbs: instructions that the CPU path takes for each element, counted by valgrind.
//!
//! `cargo bench --bench instructions` fails where a count is above its limit. The limits are a tenth above what was
//! counted on x86-64 with AVX2 (valgrind knows no AVX-512) by Rust 1.95; where a compiler or a change is better, lower them.

use hard_sigmoid::{Binary, DType, HardSigmoid, Scalar, Unary, bf16, cpu, f16};
use std::{hint::black_box, process::Command};

const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

/// On one core, and in the cache.
const LEN: usize = 1 << 14;

const LIMITS: [(DType, &str, f64); 6] = [
    (DType::F32, "forward", 2.1),
    (DType::F32, "backward", 2.7),
    (DType::F16, "forward", 2.3),
    (DType::F16, "backward", 4.0),
    (DType::Bf16, "forward", 3.2),
    (DType::Bf16, "backward", 3.5),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, counted, element, pass, times] = &arguments[..]
        && counted == "--counted"
    {
        let times = times.parse().unwrap();
        return match element.parse().unwrap() {
            DType::F32 => run::<f32>(pass, times),
            DType::F16 => run::<f16>(pass, times),
            DType::Bf16 => run::<bf16>(pass, times),
        };
    }
    println!(
        "{:<6}{:<10} {:>22} {:>8}",
        "type", "pass", "instructions/element", "limit"
    );
    let mut above = 0;
    for (element, pass, limit) in LIMITS {
        let [once, thrice] = [1, 3].map(|times| instructions(element, pass, times));
        let count = (thrice - once) as f64 / (2 * LEN) as f64;
        println!("{element:<6}{pass:<10} {count:>22.2} {limit:>8.2}");
        above += usize::from(count > limit);
    }
    assert_eq!(above, 0, "so many counts are above their limits");
}

fn run<T: Scalar>(pass: &str, times: usize) {
    let (x, g) = (vec![T::from_f32(1.0); LEN], vec![T::from_f32(0.5); LEN]);
    let mut out = vec![T::from_f32(7.0); LEN];
    for _ in 0..times {
        match pass {
            "forward" => cpu::unary(Unary::Forward(DEFINITION), black_box(&x), black_box(&mut out)),
            _ => cpu::binary(
                Binary::Backward(DEFINITION),
                black_box(&x),
                black_box(&g),
                black_box(&mut out),
            ),
        }
        .unwrap();
    }
}

/// Of this program computing so many times.
fn instructions(element: DType, pass: &str, times: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--counted", &element.to_string(), pass, &times.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind ({error}): install it with your package manager"));
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    // As in "==1== I   refs:      1,234".
    let count = report.lines().find_map(|line| line.split("refs:").nth(1));
    let digits = count.expect("no count").replace([',', ' '], "");
    digits.parse().expect("no number")
}
