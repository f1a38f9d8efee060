//! Which hard sigmoid made this data? Its name on the first line, then how far each preset agrees.

mod bytes;

use crate::{
    npy::{self, Numbers},
    out::Out,
    outcome::Outcome,
    progress,
};
use bytes::Scales;
use clap::{Args, ValueHint};
use hard_sigmoid::identify::{Agreement, Gradient, Identification, Match, Separation, Verdict, identify_within};
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};

/// Says which hard sigmoid made y from x, and dx from the upstream gradient g.
///
/// The first line names it: a preset, or affine(ALPHA, BETA, RULE) where no preset fits, several with "or" where the data can't
/// tell, or "unknown". All files must have the same shape. float64 is rounded to float32; use --atol to allow for that. x may have
/// another type than y, but y and dx must have the same one. The sign of zero and the payload of NaN don't count. Noisy data are
/// unknown, unless --atol says how much y and dx may be off; then the first line ends in "within TOLERANCE", and fitted ALPHA and
/// BETA come with the ranges that the tolerance leaves open.
///
/// x and y may be uint8 or int8 in .npy or .npz files, with the scales and zero points of both. Then the first line has the operation, the
/// definition, and whose roundings: onnx, pytorch or tflite. Scales aren't searched.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// x
    #[arg(value_hint = ValueHint::FilePath)]
    input: PathBuf,
    /// y
    #[arg(value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// Upstream gradient g; with --dx
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "G.npy", requires = "dx")]
    grad: Option<PathBuf>,
    /// Gradient with respect to x
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "DX.npy", requires = "grad")]
    dx: Option<PathBuf>,
    /// By how much y and dx may be off, if no definition gives every bit
    #[arg(long, value_hint = ValueHint::Other, value_name = "TOLERANCE", default_value = "0", allow_negative_numbers = true)]
    atol: f32,
    #[command(flatten)]
    scales: Scales,
    /// Prints JSON; README.md describes it
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid identify x.npy y.npy
  hard-sigmoid identify x.npy y.npy --grad g.npy --dx dx.npy
  hard-sigmoid identify bytes.x.npy bytes.y.npy --x-scale 0.043 --x-zero-point 131 --y-scale 0.0224 --y-zero-point 17
  hard-sigmoid identify --json --atol 1e-5 weights.safetensors:layer.x weights.safetensors:layer.y

Exit status:
  0  the first line names one hard sigmoid
  1  it doesn't: several fit, or none does
  2  the input is bad";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    let files = [&arguments.input, &arguments.output].into_iter();
    npy::check_one_stdin(files.chain(&arguments.grad).chain(&arguments.dx))?;
    if let Some(scales) = arguments.scales.given() {
        return bytes::run(arguments, scales, out);
    }
    let x = npy::numbers(&arguments.input)?;
    let read = |path: &PathBuf| {
        let numbers = npy::numbers(path)?;
        if numbers.shape != x.shape {
            let (found, wanted) = (npy::shown(&numbers.shape), npy::shown(&x.shape));
            return Err(format!("{} has shape {found}, but x has {wanted}", path.display()));
        }
        Ok(numbers)
    };
    let y = read(&arguments.output)?;
    let g = arguments.grad.as_ref().map(read).transpose()?;
    let dx = arguments.dx.as_ref().map(read).transpose()?;
    if x.values.is_empty() {
        return Err(format!("{}: there are no elements", arguments.input.display()).into());
    }
    let gradient = g.as_ref().zip(dx.as_ref()).map(|(g, dx)| Gradient {
        g: &g.values,
        dx: &dx.values,
    });
    let clock = progress::of_time(&format!("comparing {} elements", x.values.len()));
    let found = identify_within(&x.values, &y.values, gradient, arguments.atol).map(|found| {
        let answer = match arguments.json {
            true => format!("{:#}\n", json(&found, &x, &y)),
            false => found.report(&x.values, &y.values, x.element, y.element),
        };
        (found, answer)
    });
    clock.finish_and_clear();
    let (found, answer) = found?;
    write!(out, "{answer}")?;
    Ok(matches!(found.verdict, Verdict::Preset(_) | Verdict::Affine(_)))
}

fn json(found: &Identification, x: &Numbers, y: &Numbers) -> Value {
    let definitions: Vec<_> = found.verdict.definitions().iter().map(ToString::to_string).collect();
    let agreement = |of: &Agreement| {
        let (largest, at) = of.largest.map_or((0.0, None), |(largest, at)| (largest, Some(at)));
        json!({
            "compared": of.compared,
            "differing": of.differing,
            "flushed": of.flushed,
            // JSON has no infinity.
            "largest": Some(largest).filter(|largest| largest.is_finite()),
            "at": at,
            "at_x": at.map(|at| x.values[at]),
        })
    };
    let one_match = |one: &Match| {
        json!({
            "definition": one.definition.to_string(),
            "precision": one.precision.to_string(),
            "y": agreement(&one.forward),
            "dx": one.backward.as_ref().map(agreement),
        })
    };
    let separations = found.separations(x.element, y.element);
    let separation = separations.iter().map(|([a, b], found)| {
        let (by, x) = match found {
            Some(Separation::Forward(x)) => (Some("y"), Some(x)),
            Some(Separation::Backward(x)) => (Some("dx"), Some(x)),
            None => (None, None),
        };
        json!({ "a": a.to_string(), "b": b.to_string(), "by": by, "x": x })
    });
    json!({
        "verdict": found.verdict.name(),
        "definitions": definitions,
        "within": found.within,
        "ranges": found.ranges.map(|ranges| json!({ "alpha": ranges.alpha, "beta": ranges.beta })),
        "matches": found.matches.iter().map(one_match).collect::<Vec<_>>(),
        "kinks": {
            "passed": found.kinks.passed,
            "halved": found.kinks.halved,
            "blocked": found.kinks.blocked,
        },
        "separations": separation.collect::<Vec<_>>(),
    })
}
