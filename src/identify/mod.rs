//! Which hard sigmoid made these numbers?
//!
//! [`identify`] names it, or the hard swish, from `x` and `y`, and from a gradient if there is one. [`separation()`] finds an input
//! that would tell two definitions apart. [`quantized()`] names the functions that made these bytes.

mod constraints;
mod data;
mod double;
mod error;
mod function;
mod parts;
mod precision;
mod quantized;
mod report;
mod result;
mod search;
mod separation;

pub use data::{Gradient, Real};
pub use error::IdentifyError;
pub use function::Function;
pub use precision::{Precision, Rounding};
pub use quantized::{QuantizedMatch, quantized};
pub use result::{Agreement, Identification, KinkCounts, Match, Ranges, Verdict};
pub use separation::{Separation, Undecided, separation};

use data::{Data, Singles};
use result::{Certainty, nearest};
use search::Found;
use std::cmp::Ordering;

/// Compares `y` with what each preset gives for `x`, and `dx` with its gradient for the upstream gradient `g`, if those
/// are given. Widen half floats to `f32` first.
///
/// Every element has to agree in every bit, except for the sign of zero, the payload of NaN, and subnormal gradients and
/// hard swishes that arrive as zero. Numbers may have been rounded to half floats on their way, after each operation, or by a fused
/// multiply-add, or computed in float64: see [`Precision`]. If no preset agrees, `alpha` and `beta` of
/// [`HardSigmoid::affine`](crate::HardSigmoid::affine) are searched. If there are none either, `y` is compared with the hard swish
/// of each preset, and of ONNX's 1/6·x + 1/2. If all elements but a few agree, the verdict is [`Verdict::Most`].
/// Empty data, or data with only NaN, agrees with every preset.
///
/// # Errors
/// [`IdentifyError::LengthMismatch`] if the slices differ in length.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, identify::{Gradient, Verdict, identify}};
///
/// let x = [-3.5, -2.5, -1.0, 0.5, 1.0, 2.9];
/// let y = x.map(|x: f32| (x + 3.0).clamp(0.0, 6.0) / 6.0);
/// let identification = identify(&x, &y, None)?;
/// assert_eq!(identification.verdict, Verdict::OneOf(vec![HardSigmoid::PYTORCH, HardSigmoid::KERAS3]));
/// assert_eq!(identification.to_string(), "pytorch or keras3");
///
/// // KERAS and ONNX have the same y everywhere. The gradient at the kink -2.5 tells them apart.
/// let y = x.map(|x| HardSigmoid::KERAS.forward(x));
/// let identification = identify(&x, &y, None)?;
/// assert_eq!(identification.to_string(), "keras or onnx");
/// let gradient = Gradient { g: &[1.0; 6], dx: &[0.0, 0.2, 0.2, 0.2, 0.2, 0.0] };
/// let identification = identify(&x, &y, Some(gradient))?;
/// assert_eq!(identification.to_string(), "keras");
/// # Ok::<(), hard_sigmoid::identify::IdentifyError>(())
/// ```
pub fn identify<T: Real>(x: &[T], y: &[T], gradient: Option<Gradient<'_, T>>) -> Result<Identification, IdentifyError> {
    identify_within(x, y, gradient, 0.0)
}

/// Like [`identify`], but if that finds nothing, `y` and `dx` may be off by `atol`, because of noise or another library's
/// roundings. First the presets are compared, then `alpha` and `beta` are fitted. The verdict holds within this
/// tolerance, and [`Identification::within`] says so. For fitted `alpha` and `beta`, [`Identification::ranges`] has how far
/// the tolerance leaves them open.
///
/// # Errors
/// [`IdentifyError::LengthMismatch`] if the slices differ in length, [`IdentifyError::Tolerance`] if `atol` is negative,
/// infinite or NaN.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, identify::identify_within};
///
/// let x = [-3.0, -2.5, -1.0, 0.5, 1.0, 2.9];
/// let y = x.map(|x| HardSigmoid::COURBARIAUX.forward(x) + 1e-6);
/// let identification = identify_within(&x, &y, None, 1e-5)?;
/// assert_eq!(identification.to_string(), "courbariaux or sparse, within 1e-5");
///
/// let y = x.map(|x: f32| (0.25 * x + 0.375).clamp(0.0, 1.0) + 1e-6 * (9.0 * x).sin());
/// let identification = identify_within(&x, &y, None, 1e-5)?;
/// assert_eq!(identification.to_string(), "affine(0.25, 0.375, strict), within 1e-5");
/// let alpha = identification.ranges.unwrap().alpha;
/// assert!(0.2499 < alpha.0 && alpha.1 < 0.2501);
/// # Ok::<(), hard_sigmoid::identify::IdentifyError>(())
/// ```
pub fn identify_within<T: Real>(
    x: &[T],
    y: &[T],
    gradient: Option<Gradient<'_, T>>,
    atol: f32,
) -> Result<Identification, IdentifyError> {
    if !(atol.is_finite() && atol >= 0.0) {
        return Err(IdentifyError::Tolerance { given: atol });
    }
    let of_gradient = gradient.map(|Gradient { g, dx }| [("g", g), ("dx", dx)]);
    for (name, values) in [("y", y)].into_iter().chain(of_gradient.into_iter().flatten()) {
        if values.len() != x.len() {
            return Err(IdentifyError::LengthMismatch {
                name,
                len: values.len(),
                x_len: x.len(),
            });
        }
    }
    let singles = Singles::of(x, y, gradient);
    let hard_sigmoid = of_function(singles.data(Function::HardSigmoid), atol);
    if hard_sigmoid.verdict.certainty() == Certainty::All {
        return Ok(hard_sigmoid);
    }
    let hard_swish = of_function(singles.data(Function::HardSwish), atol);
    let is_surer = match hard_swish.verdict.certainty().cmp(&hard_sigmoid.verdict.certainty()) {
        Ordering::Equal => hard_swish.is_nearly() && hard_swish.is_nearer_than(&hard_sigmoid),
        other => other == Ordering::Greater,
    };
    Ok(if is_surer { hard_swish } else { hard_sigmoid })
}

/// What the data are as results of this function.
fn of_function(mut data: Data, atol: f32) -> Identification {
    // alpha and beta of a hard swish aren't searched.
    let is_searched = data.function == Function::HardSigmoid;
    let mut matches = data.best_matches();
    let mut verdict = of_presets(&matches);
    let mut within = 0.0;
    if verdict == Verdict::Unknown && is_searched {
        let (found, one) = of_search(search::affine(&data, no_y_agrees(&matches)));
        matches.extend(one);
        verdict = found;
    }
    let mut ranges = None;
    if atol > 0.0 && matches!(verdict, Verdict::Unknown | Verdict::Underdetermined) {
        (data.atol, within) = (atol, atol);
        matches = data.best_matches();
        let near = of_presets(&matches);
        if near != Verdict::Unknown || !is_searched {
            verdict = near;
        } else {
            let (found, of_found) = search::affine_within(&data, no_y_agrees(&matches));
            let (of_numbers, one) = of_search(found);
            ranges = of_found.filter(|_| matches!(of_numbers, Verdict::Affine(_)));
            matches.extend(one);
            verdict = of_numbers;
        }
    }
    if verdict == Verdict::Unknown && is_searched && !nearest(&matches).is_near() {
        let better = |found: &Match| found.is_near() || 2.0 * found.forward.mean < nearest(&matches).forward.mean;
        let found = search::affine_of_most(&data).filter(better);
        matches.extend(found);
    }
    let nearest = nearest(&matches);
    let mut outliers = vec![];
    if verdict == Verdict::Unknown
        && let Some((far, limit)) = data.outliers(nearest)
    {
        let is_it = |one: &&Match| {
            one.definition == nearest.definition
                || data
                    .outliers(one)
                    .is_some_and(|(others, its)| its == limit && others == far)
        };
        verdict = Verdict::Most(matches.iter().filter(is_it).map(|one| one.definition).collect());
        (outliers, within) = (far, limit);
    }
    // Those of a definition that isn't near say nothing.
    let kinks = match nearest.is_near() {
        true => data.at_kinks(nearest),
        false => KinkCounts::default(),
    };
    let differs_by_roundings = data.differs_by_roundings(nearest);
    Identification {
        function: data.function,
        verdict,
        within,
        outliers,
        matches,
        kinks,
        ranges,
        span: data.span(),
        differs_by_roundings,
    }
}

fn no_y_agrees(matches: &[Match]) -> bool {
    matches.iter().all(|one| one.forward.differing > 0)
}

/// What a search for `alpha` and `beta` tells, and the pair that it found.
fn of_search(found: Found) -> (Verdict, Option<Match>) {
    match found {
        Found::One(found) if found.fits() => (Verdict::Affine(found.definition), Some(found)),
        Found::One(found) => (Verdict::Unknown, Some(found)),
        Found::TooFew => (Verdict::Underdetermined, None),
        Found::None => (Verdict::Unknown, None),
    }
}

/// Which presets fit.
fn of_presets(matches: &[Match]) -> Verdict {
    let fitting = || matches.iter().filter(|m| m.fits());
    // A preset that fits as defined takes precedence over those that fit operation by operation: KERAS3 is PyTorch's formula,
    // differentiated operation by operation.
    let is_exact = fitting().any(|m| m.precision == Precision::EXACT);
    let fitting: Vec<_> = fitting()
        .filter(|m| !is_exact || m.precision == Precision::EXACT)
        .map(|m| m.definition)
        .collect();
    match fitting[..] {
        [] => Verdict::Unknown,
        [one] if one.preset().is_none() => Verdict::Affine(one),
        [one] => Verdict::Preset(one),
        _ => Verdict::OneOf(fitting),
    }
}
