//! Definitions over data: shares, time, and whether every bit is the CPU path's.

use crate::{npy::shown, out::Out};
use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op, Region, Scalar, Unary,
    offload::{Offload, block_on},
};
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
        None => block_on(offload.unary(Unary::Forward(definition), x, &mut result))?,
        Some(g) => block_on(offload.binary(Binary::Backward(definition), x, g, &mut result))?,
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
    let (len, element, shape) = (x.len(), T::DTYPE, shown(shape));
    writeln!(out, "input:  {len} {element} elements, shape {shape}\n")?;
    writeln!(
        out,
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    )?;
    let (mut differing, mut flushed) = (0, 0);
    // Whatever comes first waits for buffers, threads and pages.
    for _ in 0..4 {
        compute(offload, HardSigmoid::PYTORCH, x, None)?;
    }
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
            let op: Op = match g {
                None => Unary::Forward(definition).into(),
                Some(_) => Binary::Backward(definition).into(),
            };
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
                for (i, &actual) in result.iter().enumerate() {
                    let element = Element {
                        operands: [x[i], g.map_or(x[i], |g| g[i]), x[i]],
                        before: x[i],
                        index: i as u64,
                    };
                    match element.compare(op, 0, actual) {
                        Difference::None => {}
                        Difference::Subnormal => flushed += 1,
                        Difference::Wrong => differ += 1,
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
            "{flushed} subnormal results came as zeros, which WGSL allows a GPU"
        )?;
    }
    Ok(differing)
}
