//! Computes every preset, forward and backward, over real data on the device that is found, and compares each bit with the CPU
//! path.
//!
//! ```sh
//! cargo run --release --example offload
//! cargo run --release --example offload -- --device gpu
//! ```
//!
//! The command `hard-sigmoid` in `crates/cli` does the same with other data and definitions, and writes files.

use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op, Region, Unary,
    offload::{Offload, Target, block_on},
};
use std::{
    env,
    error::Error,
    io::{self, ErrorKind, Write},
    process::ExitCode,
    time::Instant,
};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: offload [--device auto|gpu|cpu]

auto (the default) takes a real GPU, else the CPU; gpu takes any adapter, software ones too.";

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differing) => {
            eprintln!("offload: {differing} results differ from the CPU path");
            ExitCode::FAILURE
        }
        // A reader like `head` closes the pipe early.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("offload: {error}");
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Returns how many results differ.
fn run() -> Result<usize> {
    let mut out = io::stdout();
    let arguments: Vec<_> = env::args_os().skip(1).map(|argument| argument.into_string()).collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_deref()).collect();
    let target = match arguments[..] {
        [] => Target::default(),
        [Ok("--device"), Ok(device)] => device.parse()?,
        [Ok("--help" | "-h")] => {
            writeln!(out, "{USAGE}")?;
            return Ok(0);
        }
        [given, ..] => {
            let given = given.unwrap_or("an argument that isn't UTF-8");
            return Err(format!("{given}: the only arguments are --device auto|gpu|cpu, and --help").into());
        }
    };
    let (shape, x) = read("digits.x.npy")?;
    let (_, g) = read("digits.g.npy")?;
    let offload = block_on(Offload::new(target))?;
    writeln!(out, "device: {offload}")?;
    writeln!(out, "input:  {} f32 elements, shape {shape:?}\n", x.len())?;
    writeln!(
        out,
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    )?;
    // The first runs wait for buffers, threads and pages.
    let mut first = vec![f32::NAN; x.len()];
    for _ in 0..4 {
        block_on(offload.unary(Unary::Forward(HardSigmoid::PYTORCH), &x, &mut first))?;
    }
    let mut all_differing = 0;
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        let share = |region| {
            let there = x.iter().filter(|&&x| definition.region(x) == Some(region));
            format!("{:.1}%", 100.0 * there.count() as f64 / x.len() as f64)
        };
        let [low, linear, high] = [Region::Low, Region::Linear, Region::High].map(share);
        for op in [Unary::Forward(definition).into(), Binary::Backward(definition).into()] {
            let mut result = vec![f32::NAN; x.len()];
            let mut compute = || match op {
                Op::Binary(op) => block_on(offload.binary(op, &x, &g, &mut result)),
                _ => block_on(offload.unary(Unary::Forward(definition), &x, &mut result)),
            };
            // This call compiles the kernel. The median of three more is the time.
            compute()?;
            let mut seconds = [0.0; 3];
            for seconds in &mut seconds {
                let start = Instant::now();
                compute()?;
                *seconds = start.elapsed().as_secs_f64();
            }
            seconds.sort_by(f64::total_cmp);
            // Every bit is compared, but WGSL lets a GPU take a subnormal gradient as zero.
            let is_wrong = |&i: &usize| {
                let element = Element {
                    operands: [x[i], g[i], 0.0],
                    before: 0.0,
                    index: i as u64,
                };
                element.compare(op, 0, result[i]) == Difference::Wrong
            };
            let differing = (0..x.len()).filter(is_wrong).count();
            let bytes = size_of_val(&x[..]) * (op.inputs().len() + 1);
            writeln!(
                out,
                "{:<24} {:<8} {low:>7} {linear:>7} {high:>7} {:>7.3} ms {:>7.2} {differing:>7}",
                preset.name,
                op.name(),
                seconds[1] * 1e3,
                bytes as f64 / seconds[1] / 1e9,
            )?;
            all_differing += differing;
        }
    }
    writeln!(
        out,
        "
low, high: share of x where the gradient is 0, below and above; linear: where it passes
time: from host memory to host memory, the median of three runs
GB/s: bytes of inputs and result, divided by time; they are few, and may come from caches
differ: results whose bits are not the CPU path's"
    )?;
    Ok(all_differing)
}

/// Reads the shape and the elements of a file in `examples/data`.
fn read(name: &str) -> Result<(Vec<u64>, Vec<f32>)> {
    let path = format!("{}/examples/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    let file = npyz::NpyFile::new(&bytes[..])?;
    Ok((file.shape().to_vec(), file.into_vec()?))
}
