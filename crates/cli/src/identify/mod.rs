//! Which hard sigmoid made this data? Its name on the first line, then how far each preset agrees.

mod bytes;

use crate::{
    npy::{self, Values},
    out::Out,
    outcome::Outcome,
    progress,
};
use bytes::Scales;
use clap::{Args, ValueHint};
use hard_sigmoid::{
    DType,
    identify::{Agreement, Gradient, Identification, IdentifyError, Match, Real, Separation, Verdict, identify_within},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{borrow::Cow, io::Write, path::PathBuf};

/// Says which hard sigmoid made y from x, and dx from the upstream gradient g.
///
/// The first line names it: a preset, or affine(ALPHA, BETA, RULE) where no preset fits, several with "or" where the data can't
/// tell, or "unknown". Before a hard swish, y = x·hs(x), it says "hard_swish of". If a few elements are wrong, at most a tenth, it ends
/// in "but for COUNT of TOTAL elements". All files must have the same shape. x may have another type than y, but y and dx must have the
/// same one. float64 is compared as it is. The sign of zero and the payload of NaN don't count. Noisy data are unknown, unless --atol
/// says how much y and dx may be off; then the first line ends in "within TOLERANCE", and fitted ALPHA and BETA come with the ranges
/// that the tolerance leaves open.
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
  0  the first line names one hard sigmoid, and every element agrees
  1  several fit, or none does, or not with every element
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
    if x.values.len() == 0 {
        return Err(format!("{}: there are no elements", arguments.input.display()).into());
    }
    let all: Vec<_> = [Some(&x), Some(&y), g.as_ref(), dx.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    let clock = progress::of_time(&format!("comparing {} elements", x.values.len()));
    let is_double = all.iter().any(|one| matches!(one.values, Values::Double(_)));
    let found = if is_double {
        let all: Vec<_> = all.iter().map(|one| one.values.doubles()).collect();
        answered(arguments, &all, [x.element, y.element])
    } else {
        let all: Vec<_> = all.iter().map(|one| one.values.singles()).collect();
        answered(arguments, &all, [x.element, y.element])
    };
    clock.finish_and_clear();
    let (found, answer) = found?;
    write!(out, "{answer}")?;
    Ok(matches!(found.verdict, Verdict::Preset(_) | Verdict::Affine(_)))
}

/// Identifies x and y, and g and dx if they are given, and writes the answer.
fn answered<T: Real + Serialize>(
    arguments: &Arguments,
    all: &[Cow<[T]>],
    dtypes: [DType; 2],
) -> Result<(Identification, String), IdentifyError> {
    let (x, y) = (&all[0], &all[1]);
    let gradient = match &all[2..] {
        [g, dx] => Some(Gradient { g, dx }),
        _ => None,
    };
    let found = identify_within(x, y, gradient, arguments.atol)?;
    let answer = match arguments.json {
        true => format!("{:#}\n", json(&found, x, dtypes)),
        false => found.report(x, y, dtypes[0], dtypes[1]),
    };
    Ok((found, answer))
}

fn json<T: Serialize>(found: &Identification, x: &[T], [x_dtype, y_dtype]: [DType; 2]) -> Value {
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
            "at_x": at.map(|at| &x[at]),
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
    let separations = found.separations(x_dtype, y_dtype);
    let separation = separations.iter().map(|one| {
        let (by, x) = match one.separation {
            Some(Separation::Forward(x)) => (Some("y"), Some(x)),
            Some(Separation::Backward(x)) => (Some("dx"), Some(x)),
            None => (None, None),
        };
        let [a, b] = one.pair.map(|definition| definition.to_string());
        json!({ "a": a, "b": b, "by": by, "x": x, "more": one.more })
    });
    json!({
        "function": found.function.to_string(),
        "verdict": found.verdict.name(),
        "definitions": definitions,
        "within": found.within,
        "outliers": found.outliers,
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
