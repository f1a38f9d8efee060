//! Which hard sigmoid made this data? Its name on the first line, then how far each preset agrees.

use crate::{
    Outcome,
    npy::{self, Numbers},
    out::Out,
};
use clap::Args;
use hard_sigmoid::{
    DType, HardSigmoid, bf16, f16,
    identify::{
        Agreement, Gradient, Identification, KinkCounts, Precision, Rounding, Separation, Verdict, identify, separation,
    },
};
use std::{io::Write, path::PathBuf};

/// Says which hard sigmoid made y from x, and dx from the upstream gradient g.
///
/// The first line names it: a preset, or affine(ALPHA, BETA, RULE) where no preset fits, several with "or" where the data can't
/// tell, or "unknown". Files are NumPy .npy of one shape: float32, float16, or the bits of bfloat16 as uint16. x may have
/// another type than y, but y and dx must have been rounded alike. The sign of zero and the payload of NaN don't count.
#[derive(Args)]
#[command(after_help = STATUSES)]
pub struct Arguments {
    /// x
    input: PathBuf,
    /// y
    output: PathBuf,
    /// Upstream gradient g; with --dx
    #[arg(long, value_name = "G.npy", requires = "dx")]
    grad: Option<PathBuf>,
    /// Gradient with respect to x
    #[arg(long, value_name = "DX.npy", requires = "grad")]
    dx: Option<PathBuf>,
}

const STATUSES: &str = "\
Exit status:
  0  the first line names one hard sigmoid
  1  it doesn't: several fit, or none does
  2  the input is bad";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
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
        return Err("there are no elements".into());
    }
    let gradient = g.as_ref().zip(dx.as_ref()).map(|(g, dx)| Gradient {
        g: &g.values,
        dx: &dx.values,
    });
    let found = identify(&x.values, &y.values, gradient)?;
    let (why, table) = (explained(&found, &x, &y), table(&found, &x.values));
    write!(out, "{found}\n{why}\n{table}")?;
    if gradient.is_some() {
        write!(out, "\n{}", at_kinks(found.kinks))?;
    }
    Ok(matches!(found.verdict, Verdict::Preset(_) | Verdict::Affine(_)))
}

/// A sentence or two on the verdict.
fn explained(found: &Identification, x: &Numbers, y: &Numbers) -> String {
    match &found.verdict {
        Verdict::Preset(definition) => {
            let source = definition.preset().map_or("", |preset| preset.source);
            let formula = definition.formula();
            format!("{formula}: {source}\nEvery element agrees, and no other preset does.\n")
        }
        Verdict::OneOf(all) => {
            let fitting = found.matches.iter().find(|one| one.fits());
            let mut precision = fitting.expect("several do").precision;
            if precision == Precision::EXACT {
                // Another x is to be of the file's type.
                (precision.input, precision.output) = (x.element, y.element);
            }
            let of_pair = |pair: &[HardSigmoid]| {
                let (a, b) = (pair[0], pair[1]);
                let hint = match separation(a, b, precision) {
                    Some(Separation::Forward(at)) => format!("One with x = {at} would."),
                    Some(Separation::Backward(at)) => {
                        format!(
                            "No x was found at which their y differs; a gradient at x = {at} would tell (--grad and --dx)."
                        )
                    }
                    None => "None was found that would.".into(),
                };
                format!("Cannot tell: the data has no element that separates {a} from {b}.\n{hint}\n")
            };
            all.windows(2).map(of_pair).collect()
        }
        Verdict::Affine(definition) => {
            let formula = definition.formula();
            format!(
                "{formula}: no preset agrees, but every element does with this.\n\
                 Of the pairs that do it is the one with the shortest numbers.\n"
            )
        }
        Verdict::Underdetermined => {
            "Cannot tell: no preset agrees, and with fewer than two elements strictly between 0 and 1\n\
             many alpha and beta may.\n"
                .into()
        }
        _ => unknown(found, &x.values, &y.values),
    }
}

fn unknown(found: &Identification, x: &[f32], y: &[f32]) -> String {
    if let Some(i) = y.iter().position(|y| *y < 0.0 || *y > 1.0) {
        let (x, y) = (x[i], y[i]);
        return format!("This isn't a hard sigmoid: at x = {x} y is {y}, and not between 0 and 1.\n");
    }
    let nearest = found.nearest();
    let name = nearest.definition;
    let one_rounding = match nearest.precision.output {
        DType::F32 => f32::EPSILON,
        DType::F16 => f16::EPSILON.to_f32(),
        DType::Bf16 => bf16::EPSILON.to_f32(),
    };
    match nearest.forward.largest {
        None => {
            let agreeing = found.matches.iter().filter(|one| one.forward.differing == 0);
            let names: Vec<_> = agreeing.map(|one| one.definition.to_string()).collect();
            format!("Every y is that of {}, but the gradient is not.\n", names.join(" or "))
        }
        Some((difference, _)) if difference <= one_rounding => {
            format!("Nearest is {name}, except for roundings: another order of operations.\n")
        }
        Some((difference, _)) if from_logistic(x, y) < difference.min(NEAR) => {
            "This is nearer to the logistic sigmoid 1 / (1 + exp(-x)) than to any hard one.\n".into()
        }
        Some(_) => format!("No alpha and beta were found that give these numbers. Nearest is {name}.\n"),
    }
}

/// Beyond roundings to a half float, within what tells curves apart.
const NEAR: f32 = 0.01;

/// The largest difference.
fn from_logistic(x: &[f32], y: &[f32]) -> f32 {
    let logistic = |x: f32| (1.0 / (1.0 + f64::from(-x).exp())) as f32;
    let differences = x.iter().zip(y).map(|(&x, &y)| (y - logistic(x)).abs());
    // NaN says nothing where it is in both.
    let infinite = |difference: f32| if difference.is_nan() { f32::INFINITY } else { difference };
    let numbers = differences.zip(x).filter(|(_, x)| !x.is_nan());
    numbers.map(|(difference, _)| infinite(difference)).fold(0.0, f32::max)
}

fn at_kinks(
    KinkCounts {
        passed,
        halved,
        blocked,
        ..
    }: KinkCounts,
) -> String {
    if passed + halved + blocked == 0 {
        return "No element is exactly at a kink: the rule there isn't seen.\n".into();
    }
    let half = match halved {
        0 => String::new(),
        _ => format!(", half of it {halved} times, as of minimum and maximum in JAX and candle,"),
    };
    format!("At the kinks the gradient passes {passed} times{half} and is blocked {blocked} times.\n")
}

fn table(found: &Identification, x: &[f32]) -> String {
    let of_gradient = match found.matches[0].backward {
        Some(_) => "   dx differs   at most by           at x",
        None => "",
    };
    let heads = format!(
        "{:<30} {:>10} {:>12} {:>14}",
        "definition", "y differs", "at most by", "at x"
    );
    let mut text = format!("{} elements\n{heads}{of_gradient}\n", x.len());
    for one in &found.matches {
        let mut row = format!("{:<30} {}", one.definition.to_string(), cells(&one.forward, x));
        if let Some(backward) = &one.backward {
            row += &format!("   {}", cells(backward, x));
            if backward.flushed > 0 {
                row += &format!("   {} subnormals are zero", backward.flushed);
            }
        }
        row += &precision(one.precision);
        text += row.trim_end();
        text += "\n";
    }
    text
}

fn cells(agreement: &Agreement, x: &[f32]) -> String {
    match agreement.largest {
        None => format!("{:>10} {:>12} {:>14}", agreement.differing, "", ""),
        Some((difference, at)) => format!("{:>10} {difference:>12.3e} {:>14}", agreement.differing, x[at]),
    }
}

fn precision(
    Precision {
        input,
        output,
        rounding,
    }: Precision,
) -> String {
    match (rounding, input, output) {
        (Rounding::Fused, ..) => "   product and sum in one: a fused multiply-add".into(),
        (Rounding::EachOperation, _, DType::F32) => "   written out: the gradient of a division divides".into(),
        (Rounding::EachOperation, ..) => format!("   each operation rounded to {output}"),
        (Rounding::EachOperationAndFactor, ..) => format!("   each operation and factor rounded to {output}"),
        (_, DType::F32, DType::F32) => String::new(),
        (_, DType::F32, _) => format!("   y rounded to {output}"),
        _ => format!("   x and y rounded to {input}"),
    }
}
