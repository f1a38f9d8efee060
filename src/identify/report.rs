//! A report of what was found, for a person to read.

use super::{
    Agreement, Identification, KinkCounts, Match, Precision, Rounding, Separation, Verdict, names, separation_beyond,
};
use crate::math::{definition::HardSigmoid, dtype::DType};
use std::fmt;

impl Identification {
    /// The verdict and why, and how far each preset agrees. `x` and `y` are those of [`identify`](super::identify), of
    /// the types `x_dtype` and `y_dtype`.
    pub fn report(&self, x: &[f32], y: &[f32], x_dtype: DType, y_dtype: DType) -> String {
        let why = explained(self, x, y, [x_dtype, y_dtype]);
        let mut report = format!("{self}\n{why}\n{}", table(&self.matches, x));
        if self.matches.iter().any(|one| one.backward.is_some()) {
            report += &format!("\n{}", at_kinks(self.kinks));
        }
        report
    }

    /// For each pair of neighbours in [`Verdict::OneOf`], an `x` that would tell them apart, if one was found. The data
    /// are of the types `x_dtype` and `y_dtype`.
    pub fn separations(&self, x_dtype: DType, y_dtype: DType) -> Vec<([HardSigmoid; 2], Option<Separation>)> {
        let fitting = self.matches.iter().find(|one| one.fits());
        let precision = match fitting.map(|one| one.precision) {
            // Another x must be of that type too.
            None | Some(Precision::EXACT) => Precision::of(x_dtype, y_dtype, Rounding::AsDefined),
            Some(precision) => precision,
        };
        let pairs = self.verdict.definitions().windows(2);
        pairs
            // The numbers of both definitions may be off.
            .map(|pair| {
                (
                    [pair[0], pair[1]],
                    separation_beyond(pair[0], pair[1], precision, 2.0 * self.within),
                )
            })
            .collect()
    }
}

/// A sentence or two on the verdict.
fn explained(found: &Identification, x: &[f32], y: &[f32], [x_dtype, y_dtype]: [DType; 2]) -> String {
    match &found.verdict {
        Verdict::Preset(definition) => {
            let source = definition.preset().map_or("", |preset| preset.source);
            let formula = definition.formula();
            let agrees = match found.within {
                0.0 => "Every element agrees, and no other preset does.".into(),
                within => {
                    format!("Every element agrees within {within:?}, but not in every bit. No other preset does.")
                }
            };
            format!("{formula}: {source}\n{agrees}\n")
        }
        Verdict::OneOf(_) => {
            let within = match found.within {
                0.0 => String::new(),
                within => format!("Every element agrees within {within:?}, but not in every bit.\n"),
            };
            let separations = found.separations(x_dtype, y_dtype);
            let of_pair = |pair| of_pair(pair, found.within);
            within + &separations.into_iter().map(of_pair).collect::<String>()
        }
        Verdict::Affine(definition) => {
            let formula = definition.formula();
            format!(
                "{formula}: no preset agrees, but every element agrees with this.\n\
                 Among the pairs that agree, it has the shortest numbers.\n"
            )
        }
        Verdict::Underdetermined => "Cannot tell: no preset agrees, and many alpha and beta may, since fewer than\n\
             two different x have a y strictly between 0 and 1.\n"
            .into(),
        Verdict::Unknown => unknown(found, x, y),
    }
}

fn of_pair(([a, b], separation): ([HardSigmoid; 2], Option<Separation>), within: f32) -> String {
    let more = match within {
        0.0 => String::new(),
        within => format!(" by more than 2 · {within:?}"),
    };
    let hint = match separation {
        Some(Separation::Forward(at)) => format!("An element with x = {at} would."),
        Some(Separation::Backward(at)) => {
            format!("No x was found at which their y differs{more}; a gradient at x = {at} would tell.")
        }
        None => format!("No element was found where they differ{more}."),
    };
    let tolerance = if within > 0.0 { " within that" } else { "" };
    format!("Cannot tell: the data has no element that separates {a} from {b}{tolerance}.\n{hint}\n")
}

fn unknown(found: &Identification, x: &[f32], y: &[f32]) -> String {
    if let Some(i) = y.iter().position(|y| *y < 0.0 || *y > 1.0) {
        let (x, y) = (x[i], y[i]);
        let hint = hint(
            found
                .nearest()
                .forward
                .largest
                .map_or(0.0, |(difference, _)| difference),
        );
        return format!("This isn't a hard sigmoid: at x = {x} y is {y}, and not between 0 and 1.{hint}\n");
    }
    let nearest = found.nearest();
    let name = nearest.definition;
    match nearest.forward.largest {
        None => {
            let agreeing = found.matches.iter().filter(|one| one.forward.differing == 0);
            let agreeing: Vec<_> = agreeing.map(|one| one.definition).collect();
            format!("Every y is that of {}, but the gradient is not.\n", names(&agreeing))
        }
        Some((difference, _)) if difference <= nearest.precision.output.epsilon() => {
            format!(
                "The nearest is {name}, except for roundings: the order of operations may differ, or it was computed in\n\
                 float64. A tolerance (atol) accepts that.\n"
            )
        }
        Some((difference, _)) if from_logistic(x, y) < difference.min(NEAR) => {
            "This is nearer to the logistic sigmoid 1 / (1 + exp(-x)) than to any hard one.\n".into()
        }
        Some((difference, _)) => {
            format!(
                "No alpha and beta were found that give these numbers. The nearest is {name}, within {difference:?}.{}\n",
                hint(difference)
            )
        }
    }
}

/// What helps if the data differ by this from the nearest definition.
fn hint(difference: f32) -> &'static str {
    if difference < NEAR {
        " If the data are noisy, give a\ntolerance (atol) that is large enough."
    } else {
        ""
    }
}

/// A difference beyond roundings to a half float, but too small to tell curves apart.
const NEAR: f32 = 0.01;

/// The largest difference from the logistic sigmoid.
fn from_logistic(x: &[f32], y: &[f32]) -> f32 {
    let logistic = |x: f32| (1.0 / (1.0 + f64::from(-x).exp())) as f32;
    let differences = x.iter().zip(y).map(|(&x, &y)| (y - logistic(x)).abs());
    // A NaN says nothing if x is NaN too.
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
        return "No element is exactly at a kink, so the rule there is unknown.\n".into();
    }
    let half = match halved {
        0 => String::new(),
        _ => format!(
            ", half of it {} (as in the minimum and maximum of JAX and candle),",
            times(halved)
        ),
    };
    let (passed, blocked) = (times(passed), times(blocked));
    format!("At the kinks the gradient passes {passed}{half} and is blocked {blocked}.\n")
}

fn times(count: usize) -> String {
    match count {
        1 => "once".into(),
        count => format!("{count} times"),
    }
}

fn table(matches: &[Match], x: &[f32]) -> String {
    let of_gradient = match matches[0].backward {
        Some(_) => "   dx differs   at most by           at x",
        None => "",
    };
    let heads = format!(
        "{:<30} {:>10} {:>12} {:>14}",
        "definition", "y differs", "at most by", "at x"
    );
    let mut text = format!("{} elements\n{heads}{of_gradient}\n", x.len());
    for one in matches {
        let mut row = format!("{:<30} {}", one.definition.to_string(), cells(&one.forward, x));
        if let Some(backward) = &one.backward {
            row += &format!("   {}", cells(backward, x));
            if backward.flushed > 0 {
                row += &format!("   {} subnormals came as zero", backward.flushed);
            }
        }
        if one.precision != Precision::EXACT {
            row += &format!("   {}", one.precision);
        }
        text += row.trim_end();
        text += "\n";
    }
    text
}

/// A number that fits its column.
fn short(x: f32) -> String {
    match x.abs() {
        0.0 | 1e-4..1e7 => x.to_string(),
        _ => format!("{x:e}"),
    }
}

fn cells(agreement: &Agreement, x: &[f32]) -> String {
    match agreement.largest {
        None => format!("{:>10} {:>12} {:>14}", agreement.differing, "", ""),
        Some((difference, at)) => {
            format!("{:>10} {difference:>12.3e} {:>14}", agreement.differing, short(x[at]))
        }
    }
}

/// Writes text such as `y rounded to f16`.
impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            input,
            output,
            rounding,
        } = *self;
        match (rounding, input, output) {
            (Rounding::AsDefined, DType::F32, DType::F32) => write!(f, "as defined"),
            (Rounding::AsDefined, DType::F32, _) => write!(f, "y rounded to {output}"),
            (Rounding::AsDefined, ..) => write!(f, "x and y rounded to {input}"),
            (Rounding::Fused, ..) => write!(f, "product and sum in one: a fused multiply-add"),
            (Rounding::EachOperation, _, DType::F32) => write!(f, "gradient computed as g / 6"),
            (Rounding::EachOperation, ..) => write!(f, "each operation rounded to {output}"),
            (Rounding::EachOperationAndFactor, ..) => write!(f, "each operation and factor rounded to {output}"),
        }
    }
}
