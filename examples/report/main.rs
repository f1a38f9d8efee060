//! What each hard sigmoid would do to a model's data: which shares it cuts off, and how many gradients die.
//!
//! ```text
//! cargo run --release --example report                   over the shipped pre-activations of a digit classifier
//! cargo run --release --example report -- x.npy --output report.svg
//! ```

#[path = "../common/curves.rs"]
mod curves;
#[path = "../common/numbers.rs"]
mod numbers;

use clap::Parser;
use curves::{Chart, logistic, theme};
use hard_sigmoid::{HardSigmoid, Region};
use numbers::Numbers;
use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Says of x what each preset would make of it, as a table and a picture.
///
/// low and high: shares at 0 and 1, where the gradient is 0; linear: the rest. At kinks: elements exactly there. From logistic:
/// the mean distance of y from the logistic sigmoid of x. Stuck: features (positions along the last axis) that have no gradient
/// in any row.
#[derive(Parser)]
#[command(name = "report")]
struct Arguments {
    /// x, as .npy: float32, float16, or the bits of bfloat16 as uint16
    input: Option<PathBuf>,
    /// Also draw the distribution of x under the curves
    #[arg(long, value_name = "FILE.svg")]
    output: Option<PathBuf>,
    /// For which page to draw
    #[arg(long, requires = "output", default_value = "light", value_parser = ["light", "dark"], value_name = "light|dark")]
    theme: String,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/digits.x.npy");
    let input = arguments.input.unwrap_or(shipped);
    let Numbers {
        values: x,
        shape,
        element,
    } = numbers::read(&input)?;
    if x.is_empty() {
        return Err(format!("{}: there are no elements", input.display()).into());
    }
    let features = shape.last().map_or(1, |&extent| extent as usize);
    println!("{} {element} elements, shape {shape:?}", x.len());
    let finite = x.iter().filter(|x| x.is_finite()).count();
    let mean = x.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x)).sum::<f64>() / finite as f64;
    let squares = x
        .iter()
        .filter(|x| x.is_finite())
        .map(|&x| (f64::from(x) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / finite as f64).sqrt();
    println!(
        "mean {mean:.3}, standard deviation {deviation:.3}, not finite {}",
        x.len() - finite
    );
    println!("\ndefinition        low   linear     high   at kinks   from logistic    stuck");
    for preset in &HardSigmoid::PRESETS {
        let row = Row::of(preset.definition, &x, features);
        let share = |count: usize| 100.0 * count as f64 / x.len() as f64;
        println!(
            "{:<12} {:>7.1}% {:>7.1}% {:>7.1}% {:>10} {:>15.4} {:>8}",
            preset.name,
            share(row.low),
            share(row.linear),
            share(row.high),
            row.at_kinks,
            row.from_logistic,
            format!("{}/{features}", row.stuck),
        );
    }
    if let Some(output) = arguments.output {
        let theme = [theme::LIGHT, theme::DARK]
            .into_iter()
            .find(|theme| theme.name == arguments.theme);
        let svg = distribution(&x).draw(&theme.expect("clap allows no other"))?;
        std::fs::write(&output, svg).map_err(|error| format!("{}: {error}", output.display()))?;
        println!("\ndistribution under the curves: {}", output.display());
    }
    Ok(())
}

struct Row {
    low: usize,
    linear: usize,
    high: usize,
    at_kinks: usize,
    from_logistic: f64,
    stuck: usize,
}

impl Row {
    fn of(definition: HardSigmoid, x: &[f32], features: usize) -> Self {
        let count = |region| x.iter().filter(|&&x| definition.region(x) == Some(region)).count();
        let (low, high) = definition.kinks().expect("no preset is constant");
        let numbers = x.iter().filter(|x| !x.is_nan());
        let distances = numbers.map(|&x| f64::from(definition.forward(x)) - logistic(x.into()));
        let (sum, compared) = distances.fold((0.0, 0), |(sum, count), d| (sum + d.abs(), count + 1));
        let mut is_stuck = vec![true; features];
        for (i, &x) in x.iter().enumerate() {
            is_stuck[i % features] &= definition.region(x) != Some(Region::Linear);
        }
        Self {
            low: count(Region::Low),
            linear: count(Region::Linear),
            high: count(Region::High),
            at_kinks: x.iter().filter(|&&x| x == low || x == high).count(),
            from_logistic: sum / f64::from(compared.max(1)),
            stuck: is_stuck.iter().filter(|&&stuck| stuck).count(),
        }
    }
}

const BINS: usize = 80;

/// The shares of x, the largest as high as 1, under the curves. The outermost bars hold what is farther out.
fn distribution(x: &[f32]) -> Chart<'static> {
    let finite = x.iter().filter(|x| x.is_finite());
    let largest = finite.fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // All kinks are seen, and a few far numbers don't make a line of the rest.
    let end = f64::from(largest).clamp(4.0, 10.0);
    let width = 2.0 * end / BINS as f64;
    let mut counts = [0_usize; BINS];
    for &x in x.iter().filter(|x| !x.is_nan()) {
        let bin = ((f64::from(x) + end) / width).floor().clamp(0.0, (BINS - 1) as f64);
        counts[bin as usize] += 1;
    }
    let tallest = counts.into_iter().max().unwrap_or(0).max(1);
    let bar = |(i, count): (usize, usize)| {
        let left = -end + i as f64 * width;
        (left, left + width, count as f64 / tallest as f64)
    };
    Chart {
        caption: "The distribution of x under the curves",
        end,
        top: 1.0,
        of_logistic: logistic,
        of: HardSigmoid::forward,
        bars: counts.into_iter().enumerate().map(bar).collect(),
    }
}
