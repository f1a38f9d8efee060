//! A report of what was found, for a person to read.

use super::{
    data::Real,
    function::Function,
    precision::{Precision, Rounding},
    result::{Agreement, Identification, KinkCounts, Match, NEAR, Ranges, Verdict, names},
    separation::{Separation, Undecided, more_needed, separation_beyond},
};
use crate::math::{definition::HardSigmoid, dtype::DType};
use std::fmt;

impl Identification {
    /// The verdict and why, and how far each preset agrees. `x` and `y` are those of [`identify`](super::identify), of
    /// the types `x_dtype` and `y_dtype`; for float64 take f32.
    pub fn report<T: Real>(&self, x: &[T], y: &[T], x_dtype: DType, y_dtype: DType) -> String {
        let why = explained(self, x, y, [x_dtype, y_dtype]);
        let mut report = format!("{self}\n{why}\n{}", table(&self.matches, x));
        let is_near = self.function == Function::HardSigmoid && self.nearest().is_near();
        if is_near && self.matches.iter().any(|one| one.backward.is_some()) {
            report += &format!("\n{}", at_kinks(self.kinks));
        }
        report
    }

    /// For each pair of neighbours in the verdict, what would tell them apart. The data are of the types `x_dtype` and `y_dtype`.
    pub fn separations(&self, x_dtype: DType, y_dtype: DType) -> Vec<Undecided> {
        let first = self.verdict.definitions().first();
        let precision = match first.and_then(|first| self.match_with(*first)).map(|one| one.precision) {
            // Another x must be of that type too.
            None | Some(Precision::EXACT) => Precision::of(x_dtype, y_dtype, Rounding::AsDefined),
            Some(precision) => precision,
        };
        let pairs = self.verdict.definitions().windows(2);
        // The numbers of both definitions may be off.
        let least = 2.0 * self.within;
        pairs
            .map(|pair| {
                let pair = [pair[0], pair[1]];
                let separation = separation_beyond(pair, self.function, precision, least);
                let more = separation.zip(self.span).and_then(|(separation, span)| {
                    more_needed(pair, self.function, precision, separation, span, least)
                });
                Undecided { pair, separation, more }
            })
            .collect()
    }
}

/// A sentence or two on the verdict.
fn explained<T: Real>(found: &Identification, x: &[T], y: &[T], dtypes: [DType; 2]) -> String {
    match &found.verdict {
        Verdict::Preset(definition) => {
            let formula = formula(found.function, *definition);
            let agrees = match found.within {
                0.0 => "Every element agrees, and no other preset does.".into(),
                within => {
                    format!("Every element agrees within {within:?}, but not in every bit. No other preset does.")
                }
            };
            format!("{formula}\n{agrees}\n")
        }
        Verdict::OneOf(_) => {
            let within = match found.within {
                0.0 => String::new(),
                within => format!("Every element agrees within {within:?}, but not in every bit.\n"),
            };
            within + &undecided(found, dtypes)
        }
        Verdict::Most(_) => most(found, x, y) + &undecided(found, dtypes),
        Verdict::Affine(definition) => {
            let formula = formula(found.function, *definition);
            let KinkCounts {
                passed,
                halved,
                blocked,
                ..
            } = found.kinks;
            let kinks = match passed + halved + blocked {
                0 => "No gradient tells the rule at the kinks; strict stands for any.\n",
                _ => "",
            };
            let of_numbers = found.ranges.map_or_else(
                || "Among the pairs that agree, it has the shortest numbers.\n".into(),
                |ranges| of_ranges(ranges, found.within),
            );
            let within = within(found.within);
            let is_cut = y.iter().any(|&y| to_single(y) <= 0.0 || to_single(y) >= 1.0);
            let cut = match is_cut || found.function == Function::HardSwish {
                true => "",
                false => "No y is 0 or 1, so nothing shows that it is cut off there.\n",
            };
            format!(
                "{formula}: no preset agrees{within}, but every element agrees with this.\n{of_numbers}{cut}{kinks}"
            )
        }
        Verdict::Underdetermined => {
            let how = match found.within {
                0.0 => "strictly between 0 and 1".into(),
                within => format!("between 0 and 1 by more than {within:?}"),
            };
            format!(
                "Cannot tell: no preset agrees, and to find alpha and beta, and to test them, too\n\
                 few different x have a y {how}.\n"
            )
        }
        Verdict::Unknown => unknown(found, x, y),
    }
}

/// The formula, and who computes it.
fn formula(function: Function, definition: HardSigmoid) -> String {
    let formula = match function {
        Function::HardSigmoid => definition.formula(),
        // It divides last.
        Function::HardSwish if definition == HardSigmoid::PYTORCH => "x · clamp(x + 3, 0, 6) / 6".into(),
        Function::HardSwish => format!("x · ({})", definition.formula()),
    };
    let source = definition.preset().filter(|_| function == Function::HardSigmoid);
    source.map_or_else(|| formula.clone(), |preset| format!("{formula}: {}", preset.source))
}

/// All but a few elements agree.
fn most<T: Real>(found: &Identification, x: &[T], y: &[T]) -> String {
    let nearest = found.nearest();
    let compared = nearest.forward.compared;
    let agreeing = compared - found.outliers.len();
    let of_y = nearest.forward.largest.filter(|(_, at)| found.outliers.contains(at));
    let (at, there) = match of_y {
        Some((_, at)) => {
            let expected = nearest
                .precision
                .forward(found.function, nearest.definition, to_single(x[at]));
            (at, format!("y is {}, not {expected}", y[at]))
        }
        None => {
            let of_dx = nearest.backward.and_then(|backward| backward.largest);
            let (difference, at) = of_dx.expect("an outlier differs in y or in dx");
            (at, format!("dx is wrong by {difference:?}"))
        }
    };
    let one = match found.outliers.len() {
        1 => format!(", but x[{at}] does not:"),
        count => format!(". {count} do not. The farthest is x[{at}]:"),
    };
    let (name, within, x) = (names(found.verdict.definitions()), within(found.within), x[at]);
    let of = found.function.before_name();
    format!("{agreeing} of {compared} elements agree with {of}{name}{within}{one}\nat x = {x} {there}.\n")
}

fn to_single<T: Real>(x: T) -> f32 {
    let wide: f64 = x.into();
    wide as f32
}

/// What the data leave open between neighbours in the verdict.
fn undecided(found: &Identification, [x_dtype, y_dtype]: [DType; 2]) -> String {
    let pairs = found.separations(x_dtype, y_dtype).into_iter();
    pairs.map(|one| of_pair(one, found)).collect()
}

fn of_pair(undecided: Undecided, found: &Identification) -> String {
    let Undecided {
        pair: [a, b],
        separation,
        more: needed,
    } = undecided;
    let within = found.within;
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
    let what = match separation {
        Some(Separation::Backward(_)) => "gradients at ",
        _ => "",
    };
    let needed = match (needed, found.span) {
        (Some(count), Some((low, high))) => {
            format!(" So would, with 95 % certainty, {what}{count} random x from {low} to {high}.")
        }
        _ => String::new(),
    };
    let tolerance = if within > 0.0 { " within that" } else { "" };
    format!("Cannot tell: the data has no element that separates {a} from {b}{tolerance}.\n{hint}{needed}\n")
}

/// How far the tolerance leaves alpha and beta open.
fn of_ranges(Ranges { alpha, beta, .. }: Ranges, within: f32) -> String {
    // Rounded outwards, to the second digit of the range's length.
    let shown = |(low, high): (f64, f64)| {
        let digits = (1.0 - (high - low).log10().floor()).clamp(0.0, 12.0) as usize;
        let unit = 10f64.powi(-(digits as i32));
        let (low, high) = ((low / unit).floor() * unit, (high / unit).ceil() * unit);
        format!("{low:.digits$} to {high:.digits$}")
    };
    let (alpha, beta) = (shown(alpha), shown(beta));
    format!(
        "Every y stays within {within:?} for alpha from {alpha} and beta from {beta}, but not for every pair\n\
         of them. Among the pairs that are about as near as the nearest, it has the shortest numbers.\n"
    )
}

/// The tolerance, if there is one.
fn within(within: f32) -> String {
    match within {
        0.0 => String::new(),
        within => format!(" within {within:?}"),
    }
}

fn unknown<T: Real>(found: &Identification, x: &[T], y: &[T]) -> String {
    let nearest = found.nearest();
    let name = nearest.definition;
    if nearest.forward.differing == 0 {
        return of_gradient(found);
    }
    let (difference, at) = nearest.forward.largest.expect("some differ");
    let of = found.function.before_name();
    if found.differs_by_roundings {
        let backward = nearest.backward.filter(|backward| backward.differing > 0);
        return match backward.and_then(|backward| backward.largest) {
            None => format!(
                "The nearest is {of}{name}, except for roundings: the order of operations may differ. A tolerance (atol)\n\
                 accepts that.\n"
            ),
            Some((largest, _)) => format!(
                "Every y is that of {of}{name}, except for roundings: the order of operations may differ. The gradient\n\
                 differs by up to {largest:?}.\n"
            ),
        };
    }
    if found.function == Function::HardSwish {
        let enough = rounded_up(difference);
        return format!(
            "The nearest found is {of}{name}, within {difference:?}.\n\
             If the data are noisy: a tolerance (atol) of {enough:?} accepts it.\n"
        );
    }
    let expected = nearest.precision.forward(found.function, name, to_single(x[at]));
    let there = format!("at x = {} y is {}, not {expected}.", x[at], y[at]);
    let limit = found.within.max(NEAR);
    if let Some(i) = y
        .iter()
        .position(|&y| to_single(y) < -limit || to_single(y) > 1.0 + limit)
    {
        let (x, y) = (x[i], y[i]);
        return format!("This isn't a hard sigmoid: at x = {x} y is {y}, and not between 0 and 1.\n");
    }
    if is_logistic(x, y, difference.min(NEAR)) {
        return "This is nearer to the logistic sigmoid 1 / (1 + exp(-x)) than to any hard one.\n".into();
    }
    let how_near = match difference {
        f32::INFINITY => format!(", but\n{there}"),
        difference if difference < NEAR || name.preset().is_none() => {
            let enough = rounded_up(difference);
            format!(", within {difference:?}.\nIf the data are noisy: a tolerance (atol) of {enough:?} accepts it.")
        }
        difference => format!(", within {difference:?}."),
    };
    format!("No alpha and beta were found that give these numbers. The nearest found is {name}{how_near}\n")
}

/// Rounds up to two digits.
fn rounded_up(difference: f32) -> f32 {
    let difference = f64::from(difference);
    let unit = 10f64.powf(difference.log10().floor() - 1.0);
    let rounded = ((difference / unit).ceil() * unit) as f32;
    if f64::from(rounded) < difference {
        rounded.next_up()
    } else {
        rounded
    }
}

/// The definitions whose matches satisfy `is_it`.
fn definitions_where(found: &Identification, is_it: impl Fn(&Match) -> bool) -> Vec<HardSigmoid> {
    let those = found.matches.iter().filter(|one| is_it(one));
    those.map(|one| one.definition).collect()
}

/// What to say where every y agrees.
fn of_gradient(found: &Identification) -> String {
    let names = names(&definitions_where(found, |one| one.forward.differing == 0));
    let (of, within) = (found.function.before_name(), within(found.within));
    format!("Every y is that of {of}{names}{within}, but the gradient is not.\n")
}

/// Whether every y is nearer to the logistic sigmoid than this.
fn is_logistic<T: Real>(x: &[T], y: &[T], limit: f32) -> bool {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut elements = x.iter().zip(y).map(|(&x, &y)| (x.into(), y.into()));
    elements.all(|(x, y)| x.is_nan() || (y - logistic(x)).abs() < limit.into())
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

fn table<T: Real>(matches: &[Match], x: &[T]) -> String {
    let of_gradient = match matches[0].backward {
        Some(_) => "   dx differs   at most by           at x",
        None => "",
    };
    let heads = format!(
        "{:<31} {:>10} {:>12} {:>14}",
        "definition", "y differs", "at most by", "at x"
    );
    let elements = if x.len() == 1 { "element" } else { "elements" };
    let mut text = format!("{} {elements}\n{heads}{of_gradient}\n", x.len());
    for one in matches {
        let mut row = format!("{:<31} {}", one.definition.to_string(), cells(&one.forward, x));
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

/// A number as text that fits its column.
fn short(x: f32) -> String {
    match x.abs() {
        0.0 | 1e-4..1e7 => x.to_string(),
        _ => format!("{x:e}"),
    }
}

fn cells<T: Real>(agreement: &Agreement, x: &[T]) -> String {
    match agreement.largest {
        None => format!("{:>10} {:>12} {:>14}", agreement.differing, "", ""),
        Some((difference, at)) => {
            format!(
                "{:>10} {difference:>12.3e} {:>14}",
                agreement.differing,
                short(to_single(x[at]))
            )
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
            (Rounding::Double, ..) => write!(f, "computed in float64"),
            (Rounding::DoubleOfSingles, ..) => write!(f, "computed in float64 with constants of float32"),
            (Rounding::EachOperation, _, DType::F32) => write!(f, "gradient computed as g / 6"),
            (Rounding::EachOperation, ..) => write!(f, "each operation rounded to {output}"),
            (Rounding::EachOperationAndFactor, ..) => write!(f, "each operation and factor rounded to {output}"),
        }
    }
}
