//! Which hard sigmoid made this data? Its name on the first line, then how far each preset agrees.
//!
//! ```text
//! cargo run --release --example identify -- x.npy y.npy
//! cargo run --release --example identify -- x.npy y.npy --grad g.npy --dx dx.npy
//! ```

#[path = "../common/numbers.rs"]
mod numbers;

use clap::Parser;
use hard_sigmoid::{
    Agreement, Element, HardSigmoid, Identification, Precision, Separation, Verdict, identify, separation,
};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// Says which hard sigmoid made y from x, and dx from the upstream gradient g.
///
/// The first line names it: a preset, or affine(ALPHA, BETA, RULE) where no preset fits, several with "or" where the data can't
/// tell, or "unknown". Files are NumPy .npy of one shape: float32, float16, or the bits of bfloat16 as uint16. x may have
/// another type than y, but y and dx must have been rounded alike. The sign of zero and the payload of NaN don't count.
#[derive(Parser)]
#[command(name = "identify")]
struct Arguments {
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("identify: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether it could be told.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let (x, shape) = numbers::read(&arguments.input)?;
    let read = |path: &PathBuf| {
        let (values, of_values) = numbers::read(path)?;
        if of_values != shape {
            let path = path.display();
            return Err(format!("{path} has shape {of_values:?}, but x has {shape:?}"));
        }
        Ok(values)
    };
    let y = read(&arguments.output)?;
    let g = arguments.grad.as_ref().map(read).transpose()?;
    let dx = arguments.dx.as_ref().map(read).transpose()?;
    if x.is_empty() {
        return Err("there are no elements".into());
    }
    let gradient = g.as_deref().zip(dx.as_deref());
    let found = identify(&x, &y, gradient).map_err(|error| error.to_string())?;
    let mut text = format!("{found}\n{}\n{}", explained(&found, &x, &y), table(&found, &x));
    if gradient.is_some() {
        let (passed, blocked) = (found.kinks.passed, found.kinks.blocked);
        text += &match passed + blocked {
            0 => "\nNo element is exactly at a kink: the rule there isn't seen.\n".into(),
            _ => format!("\nAt the kinks the gradient passes {passed} times and is blocked {blocked} times.\n"),
        };
    }
    // Whoever reads the first line alone closes the pipe.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.to_string()),
        _ => {}
    }
    Ok(matches!(found.verdict, Verdict::Preset(_) | Verdict::Affine(_)))
}

/// A sentence or two on the verdict.
fn explained(found: &Identification, x: &[f32], y: &[f32]) -> String {
    match &found.verdict {
        Verdict::Preset(definition) => {
            let source = definition.preset().map_or("", |preset| preset.source);
            let formula = definition.formula();
            format!("{formula}: {source}\nEvery element agrees, and no other preset does.\n")
        }
        Verdict::OneOf(all) => {
            let precision = found
                .matches
                .iter()
                .find(|one| one.fits())
                .expect("several do")
                .precision;
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
        Verdict::Unknown => {
            let nearest = found.nearest();
            let name = nearest.definition;
            if let Some(i) = y.iter().position(|y| *y < 0.0 || *y > 1.0) {
                format!(
                    "This is no hard sigmoid: at x = {} y is {}, and not between 0 and 1.\n",
                    x[i], y[i]
                )
            } else if is_logistic(x, y) {
                "This is the logistic sigmoid 1 / (1 + exp(-x)), not a hard one.\n".into()
            } else {
                match nearest.forward.largest {
                    None => format!("Every y is that of {name}, but the gradient is not.\n"),
                    Some((difference, _)) if difference <= f32::EPSILON => {
                        format!("Nearest is {name}, but for roundings: another order of operations, or a fused one.\n")
                    }
                    Some(_) => format!("No preset, alpha and beta give these numbers. Nearest is {name}.\n"),
                }
            }
        }
    }
}

/// Some x has to lie where the curves are apart.
fn is_logistic(x: &[f32], y: &[f32]) -> bool {
    let logistic = |x: f32| 1.0 / (1.0 + f64::from(-x).exp());
    let mut pairs = x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    pairs.clone().any(|(x, _)| x.abs() < 4.0) && pairs.all(|(&x, &y)| (f64::from(y) - logistic(x)).abs() < 1e-3)
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

fn precision(Precision { input, output, steps }: Precision) -> String {
    match (input, output) {
        _ if steps => format!("   each operation rounded to {output}"),
        (Element::F32, Element::F32) => String::new(),
        (Element::F32, output) => format!("   y rounded to {output}"),
        (input, _) => format!("   x and y rounded to {input}"),
    }
}
