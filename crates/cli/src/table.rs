//! Definitions over data: shares, time, and whether every bit is the CPU path's.

use crate::{npy::shown, out::Out, progress};
use hard_sigmoid::{
    Binary, Difference, Element, HardSigmoid, Op, Region, Scalar, Unary,
    offload::{Offload, block_on},
};
use serde::Serialize;
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

/// One definition in one pass.
#[derive(Serialize)]
struct Row {
    definition: String,
    pass: &'static str,
    /// Elements on each piece of the curve.
    low: usize,
    linear: usize,
    high: usize,
    seconds: f64,
    gigabytes_per_second: f64,
    differing: usize,
    /// Subnormal results that came as zeros.
    flushed: usize,
}

/// Prints a row for each definition and pass, or all of them as JSON; returns how many results differ.
pub fn print<T: Scalar>(
    out: &mut Out,
    offload: &Offload,
    definitions: &[HardSigmoid],
    input: &Input<'_, T>,
    json: bool,
) -> Result<usize> {
    let &Input { shape, x, g, forward } = input;
    let passes: Vec<_> = [forward.then_some(None), g.map(Some)].into_iter().flatten().collect();
    // The first runs wait for buffers, threads and pages.
    for _ in 0..4 {
        compute(offload, HardSigmoid::PYTORCH, x, None)?;
    }
    let progress = progress::of_rows((definitions.len() * passes.len()) as u64);
    if !json {
        print_head::<T>(out, offload, input)?;
    }
    let mut rows = vec![];
    for &definition in definitions {
        for &g in &passes {
            let row = measure(offload, definition, x, g)?;
            if !json {
                progress.suspend(|| row.print(out, x.len()))?;
            }
            progress.inc(1);
            rows.push(row);
        }
    }
    progress.finish_and_clear();
    if json {
        let all = serde_json::json!({
            "device": offload.to_string(),
            "elements": x.len(),
            "dtype": T::DTYPE.to_string(),
            "shape": shape,
            "rows": rows,
        });
        writeln!(out, "{all:#}")?;
    } else {
        print_legend(out, &rows, size_of_val(x))?;
    }
    Ok(rows.iter().map(|row| row.differing).sum())
}

fn print_head<T: Scalar>(out: &mut Out, offload: &Offload, input: &Input<'_, T>) -> Result<()> {
    let (len, element, shape) = (input.x.len(), T::DTYPE, shown(input.shape));
    writeln!(out, "device: {offload}")?;
    writeln!(out, "input:  {len} {element} elements, shape {shape}\n")?;
    writeln!(
        out,
        "{:<24} {:<8} {:>7} {:>7} {:>7} {:>10} {:>7} {:>7}",
        "definition", "pass", "low", "linear", "high", "time", "GB/s", "differ"
    )?;
    Ok(())
}

/// The most bytes of an array that may stay in the caches of large processors.
const CACHES: usize = 256 << 20;

fn print_legend(out: &mut Out, rows: &[Row], bytes: usize) -> Result<()> {
    let megabytes = bytes as f64 / 1e6;
    let from = if bytes < CACHES {
        "and may come from caches"
    } else {
        "and come from memory"
    };
    writeln!(
        out,
        "
low, high: share of x where the gradient is 0, below and above; linear: where it passes
time: from host memory to host memory, the median of three runs
GB/s: bytes of inputs and result, divided by time; x has {megabytes:.1} MB {from}
differ: results whose bits are not the CPU path's"
    )?;
    let flushed: usize = rows.iter().map(|row| row.flushed).sum();
    if flushed > 0 {
        writeln!(
            out,
            "{flushed} subnormal results came as zeros, which WGSL allows a GPU"
        )?;
    }
    Ok(())
}

impl Row {
    fn print(&self, out: &mut Out, len: usize) -> Result<()> {
        let share = |count: usize| format!("{:.1}%", 100.0 * count as f64 / len.max(1) as f64);
        writeln!(
            out,
            "{:<24} {:<8} {:>7} {:>7} {:>7} {:>7.3} ms {:>7.2} {:>7}",
            self.definition,
            self.pass,
            share(self.low),
            share(self.linear),
            share(self.high),
            self.seconds * 1e3,
            self.gigabytes_per_second,
            self.differing,
        )?;
        Ok(())
    }
}

/// One pass: backward if there is an upstream gradient, otherwise forward.
fn compute<T: Scalar>(offload: &Offload, definition: HardSigmoid, x: &[T], g: Option<&[T]>) -> Result<Vec<T>> {
    // NaN differs from every result, so an element that isn't written shows.
    let mut result = vec![T::from_f32(f32::NAN); x.len()];
    match g {
        None => block_on(offload.unary(Unary::Forward(definition), x, &mut result))?,
        Some(g) => block_on(offload.binary(Binary::Backward(definition), x, g, &mut result))?,
    }
    Ok(result)
}

fn measure<T: Scalar>(offload: &Offload, definition: HardSigmoid, x: &[T], g: Option<&[T]>) -> Result<Row> {
    let op: Op = match g {
        None => Unary::Forward(definition).into(),
        Some(_) => Binary::Backward(definition).into(),
    };
    // The first run compiles the pipeline, so its result is checked but its time doesn't count.
    let (mut differing, mut flushed) = (0, 0);
    for (i, actual) in compute(offload, definition, x, g)?.into_iter().enumerate() {
        let element = Element {
            operands: [x[i], g.map_or(x[i], |g| g[i]), x[i]],
            before: x[i],
            index: i as u64,
        };
        match element.compare(op, 0, actual) {
            Difference::None => {}
            Difference::Subnormal => flushed += 1,
            Difference::Wrong => differing += 1,
        }
    }
    let mut seconds = [0.0; 3];
    for seconds in &mut seconds {
        let start = Instant::now();
        compute(offload, definition, x, g)?;
        *seconds = start.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    let count = |region| {
        x.iter()
            .filter(|x| definition.region(x.to_f32()) == Some(region))
            .count()
    };
    let bytes = size_of_val(x) * (op.inputs().len() + 1);
    Ok(Row {
        definition: definition.to_string(),
        pass: op.name(),
        low: count(Region::Low),
        linear: count(Region::Linear),
        high: count(Region::High),
        seconds: seconds[1],
        gigabytes_per_second: bytes as f64 / seconds[1] / 1e9,
        differing,
        flushed,
    })
}
