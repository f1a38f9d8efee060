//! Which hard sigmoid made this data? Its name on the first line, then how far each preset agrees.

use crate::{Outcome, npy, out::Out};
use clap::Args;
use hard_sigmoid::identify::{Gradient, Verdict, identify_within};
use std::{io::Write, path::PathBuf};

/// Says which hard sigmoid made y from x, and dx from the upstream gradient g.
///
/// The first line names it: a preset, or affine(ALPHA, BETA, RULE) where no preset fits, several with "or" where the data can't
/// tell, or "unknown". Files are NumPy .npy of one shape: float32, float16, or the bits of bfloat16 as uint16. x may have another
/// type than y, but y and dx must have been rounded alike. The sign of zero and the payload of NaN don't count. Data with noise
/// in it are unknown; --atol says how much y and dx may be off, and the first line then ends in "within" that.
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
    /// By how much y and dx may be off, if no definition gives every bit
    #[arg(long, value_name = "TOLERANCE", default_value = "0", allow_negative_numbers = true)]
    atol: f32,
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
    let found = identify_within(&x.values, &y.values, gradient, arguments.atol)?;
    let report = found.report(&x.values, &y.values, x.element, y.element);
    write!(out, "{report}")?;
    Ok(matches!(found.verdict, Verdict::Preset(_) | Verdict::Affine(_)))
}
