//! Definitions over data: shares, time, and whether every bit is the CPU path's.

use crate::{npy::shown, out::Out};
use hard_sigmoid::{HardSigmoid, Region, Scalar, offload::Offload};
use std::{error::Error, io::Write, time::Instant};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

pub struct Input<'a, T> {
    pub shape: &'a [u64],
    pub x: &'a [T],
    /// Upstream gradient; without it there is no backward pass.
    pub g: Option<&'a [T]>,
    /// Whether there is a forward pass.
    pub forward: bool,
}

/// One pass: forward, or backward if there is an upstream gradient.
fn compute<T: Scalar>(offload: &Offload, definition: HardSigmoid, x: &[T], g: Option<&[T]>) -> Result<Vec<T>> {
    let mut result = vec![T::from_f32(0.0); x.len()];
    match g {
        None => offload.forward_blocking(definition, x, &mut result)?,
        Some(g) => offload.backward_blocking(definition, x, g, &mut result)?,
    }
    Ok(result)
}

/// Prints a row for each definition and pass; returns how many results differ.
pub fn print<T: Scalar>(
    out: &mut Out,
    offload: &Offload,
    definitions: &[HardSigmoid],
    input: &Input<'_, T>,
) -> Result<usize> {
    let &Input { shape, x, g, forward } = input;
    writeln!(out, "device: {offload}")?;
    let (len, element, shape) = (x.len(), T::ELEMENT, shown(shape));
    writeln!(out, "input:  {len} {element} elements, shape {shape}\n")?;
    writeln!(
        out,
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    )?;
    let (mut differing, mut flushed) = (0, 0);
    for &definition in definitions {
        let share = |region| {
            let there = x
                .iter()
                .filter(|x| definition.region(x.to_f32()) == Some(region))
                .count();
            format!("{:.1}%", 100.0 * there as f64 / x.len().max(1) as f64)
        };
        let passes = [forward.then_some(None), g.map(Some)];
        for g in passes.into_iter().flatten() {
            let pairs = x
                .iter()
                .enumerate()
                .map(|(i, x)| (x.to_f32(), g.map(|g| g[i].to_f32())));
            let on_cpu = pairs.map(|(x, g)| match g {
                None => definition.forward(x),
                Some(g) => definition.backward(x, g),
            });
            let on_cpu: Vec<T> = on_cpu.map(T::from_f32).collect();
            // The first run compiles the pipeline; the median of three more counts.
            let mut differ = 0;
            let mut seconds = [f64::INFINITY; 3];
            for run in 0..4 {
                let start = Instant::now();
                let result = compute(offload, definition, x, g)?;
                if run > 0 {
                    seconds[run - 1] = start.elapsed().as_secs_f64();
                    continue;
                }
                for (&actual, &expected) in result.iter().zip(&on_cpu) {
                    if bytemuck::bytes_of(&actual) == bytemuck::bytes_of(&expected) {
                        continue;
                    } else if g.is_some() && is_flushed(actual.to_f32(), expected.to_f32()) {
                        flushed += 1;
                    } else {
                        differ += 1;
                    }
                }
            }
            seconds.sort_by(f64::total_cmp);
            let bytes = size_of_val(x) * if g.is_some() { 3 } else { 2 };
            writeln!(
                out,
                "{:<24} {:<8} {:>7} {:>7} {:>7} {:>7.3} ms {:>7.2} {:>7}",
                definition.to_string(),
                if g.is_some() { "backward" } else { "forward" },
                share(Region::Low),
                share(Region::Linear),
                share(Region::High),
                seconds[1] * 1e3,
                bytes as f64 / seconds[1] / 1e9,
                differ,
            )?;
            differing += differ;
        }
    }
    let shares = "where the gradient is 0 below (low), passes (linear), is 0 above (high)";
    writeln!(out, "\nshares: {shares}")?;
    writeln!(
        out,
        "time: host memory to host memory; differ: results whose bits are not the CPU path's"
    )?;
    if flushed > 0 {
        writeln!(
            out,
            "{flushed} subnormal gradients came as zeros, which WGSL allows a GPU"
        )?;
    }
    Ok(differing)
}

/// Whether a subnormal result came as a zero of its own sign. The smallest normal number may be one rounded up.
fn is_flushed(actual: f32, expected: f32) -> bool {
    let tiny = expected != 0.0 && expected.abs() <= f32::MIN_POSITIVE;
    tiny && actual.to_bits() == 0.0f32.copysign(expected).to_bits()
}
