//! Which hard sigmoid made these numbers?
//!
//! [`identify`] names it, from `x` and `y`, and from a gradient if there is one. [`separation`] finds an input that
//! would tell two definitions apart.

mod constraints;
mod parts;
mod report;
mod search;

use crate::math::{
    definition::{Form, HardSigmoid, KinkRule, SIXTH},
    dtype::DType,
    error::OpError,
};
use half::{bf16, f16};
use parts::{any_index, of_parts};
use search::Found;
use std::fmt;

/// Compares `y` with what each preset gives for `x`, and `dx` with its gradient for the upstream gradient `g`, if those
/// are given. Widen half floats to `f32` first.
///
/// Every element has to agree in every bit, except for the sign of zero, the payload of NaN, and subnormal gradients
/// that arrive as zero. Numbers may have been rounded to half floats on their way, after each operation, or by a fused
/// multiply-add: see [`Precision`]. If no preset agrees, `alpha` and `beta` of [`HardSigmoid::affine`] are searched.
/// Empty data, or data with only NaN, agrees with every preset.
///
/// # Errors
/// [`OpError::LengthMismatch`] if the slices differ in length.
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
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
pub fn identify(x: &[f32], y: &[f32], gradient: Option<Gradient<'_>>) -> Result<Identification, OpError> {
    identify_within(x, y, gradient, 0.0)
}

/// Like [`identify`], but if that finds nothing, `y` and `dx` may be off by `atol`, because of noise or another library's
/// roundings. First the presets are compared, then `alpha` and `beta` are fitted. The verdict holds within this
/// tolerance, and [`Identification::within`] says so. For fitted `alpha` and `beta`, [`Identification::ranges`] has how far
/// the tolerance leaves them open.
///
/// # Errors
/// [`OpError::LengthMismatch`] if the slices differ in length, [`OpError::Tolerance`] if `atol` is negative, infinite
/// or NaN.
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
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
pub fn identify_within(
    x: &[f32],
    y: &[f32],
    gradient: Option<Gradient<'_>>,
    atol: f32,
) -> Result<Identification, OpError> {
    if !(atol.is_finite() && atol >= 0.0) {
        return Err(OpError::Tolerance { given: atol });
    }
    let of_gradient = gradient.map(|Gradient { g, dx }| [("g", g), ("dx", dx)]);
    for (name, values) in [("y", y)].into_iter().chain(of_gradient.into_iter().flatten()) {
        if values.len() != x.len() {
            return Err(OpError::LengthMismatch {
                a: "x",
                a_len: x.len() as u64,
                b: name,
                b_len: values.len() as u64,
            });
        }
    }
    let mut data = Data::new(x, y, gradient);
    let mut matches = data.best_matches();
    let mut verdict = of_presets(&matches);
    let mut within = 0.0;
    if verdict == Verdict::Unknown {
        let (found, one) = of_search(search::affine(&data, no_y_agrees(&matches)));
        matches.extend(one);
        verdict = found;
    }
    let mut ranges = None;
    if atol > 0.0 && matches!(verdict, Verdict::Unknown | Verdict::Underdetermined) {
        (data.atol, within) = (atol, atol);
        matches = data.best_matches();
        let near = of_presets(&matches);
        if near != Verdict::Unknown {
            verdict = near;
        } else {
            let (found, of_found) = search::affine_within(&data, no_y_agrees(&matches));
            let (of_numbers, one) = of_search(found);
            ranges = of_found.filter(|_| matches!(of_numbers, Verdict::Affine(_)));
            matches.extend(one);
            verdict = of_numbers;
        }
    }
    if verdict == Verdict::Unknown && !nearest(&matches).is_near() {
        let better = |found: &Match| found.is_near() || 2.0 * found.forward.mean < nearest(&matches).forward.mean;
        let found = search::affine_of_most(&data).filter(better);
        matches.extend(found);
    }
    let kinks = data.at_kinks(nearest(&matches));
    Ok(Identification {
        verdict,
        within,
        matches,
        kinks,
        ranges,
    })
}

fn no_y_agrees(matches: &[Match]) -> bool {
    matches.iter().all(|one| one.forward.differing > 0)
}

/// Whether so few of the elements that they may be errors in the data.
fn is_few(count: usize, of: usize) -> bool {
    count <= of / 10
}

/// A difference beyond roundings to a half float, but too small to tell curves apart.
const NEAR: f32 = 0.01;

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
        [one] => Verdict::Preset(one),
        _ => Verdict::OneOf(fitting),
    }
}

/// A gradient that goes with `x`.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// The upstream gradient.
    pub g: &'a [f32],
    /// The gradient with respect to `x`.
    pub dx: &'a [f32],
}

/// What [`identify`] found. Its `Display` is the verdict in a few words.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// What made the data.
    pub verdict: Verdict,
    /// By how much `y` and `dx` may be off: 0 if the bits tell, else the given tolerance.
    pub within: f32,
    /// How far each preset agrees, in the order of [`HardSigmoid::PRESETS`]; then the `alpha` and `beta` that were
    /// found, if any. If the verdict is unknown, they give every `y`, but not `dx`, or they give most `y`.
    pub matches: Vec<Match>,
    /// What the gradient does at the kinks.
    pub kinks: KinkCounts,
    /// If the verdict is [`Verdict::Affine`] within a tolerance, what else `alpha` and `beta` may be.
    pub ranges: Option<Ranges>,
}

/// The uncertainty of `alpha` and `beta`: how far a tolerance leaves them open, if `y` may be off by that much and by no more.
/// For each `alpha` in its range there is a `beta` with which every `y` stays within the tolerance, and for each `beta` an
/// `alpha`. No pair outside the ranges does that. Noise that is smaller than the tolerance makes them too wide, but never too narrow.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranges {
    /// The smallest and the largest `alpha`.
    pub alpha: (f64, f64),
    /// The smallest and the largest `beta`.
    pub beta: (f64, f64),
}

/// What made the data of [`identify`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// This preset and no other.
    Preset(HardSigmoid),
    /// Any of these: the data has no element that separates them. [`separation`] tells which element would.
    OneOf(Vec<HardSigmoid>),
    /// No preset, but this `alpha` and `beta`: the shortest that give every bit, or, within a tolerance, the shortest that are
    /// at most twice as far from `y` as the nearest. Without gradients at the kinks the kink rule is unknown, and given as
    /// strict.
    Affine(HardSigmoid),
    /// No preset, and fewer than two different `x` have a `y` strictly between 0 and 1: many `alpha` and `beta` may give
    /// these numbers.
    Underdetermined,
    /// No preset, and no `alpha` and `beta` were found.
    Unknown,
}

/// How far a definition agrees with the data.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The definition.
    pub definition: HardSigmoid,
    /// The precision with which it agrees best.
    pub precision: Precision,
    /// The agreement of `y`.
    pub forward: Agreement,
    /// The agreement of `dx`, if there is a gradient.
    pub backward: Option<Agreement>,
}

impl Match {
    /// Whether nothing differs.
    pub fn fits(&self) -> bool {
        self.differing() == 0
    }

    fn differing(&self) -> usize {
        self.forward.differing + self.backward.map_or(0, |agreement| agreement.differing)
    }

    /// Whether `y` differs in a few elements, or in nothing but roundings.
    fn is_near(&self) -> bool {
        let Agreement {
            compared,
            differing,
            largest,
            ..
        } = self.forward;
        is_few(differing, compared) || largest.is_some_and(|(largest, _)| largest <= self.precision.output.epsilon())
    }
}

/// How numbers were rounded on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Precision {
    /// The type to which `x` and `g` were rounded before anything else; `f32` means not at all.
    pub input: DType,
    /// The type to which `y` and `dx` were rounded.
    pub output: DType,
    /// What was rounded in between.
    pub rounding: Rounding,
}

/// What was rounded between input and output.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// The definition's own roundings, in `f32`.
    AsDefined,
    /// `alpha·x + beta` with one rounding: a fused multiply-add, which compilers make of two operations.
    Fused,
    /// Each operation is rounded to the output's type. The function was written out, and differentiated operation by
    /// operation: the gradient of a division is a division too. A summand is of that type too, but a factor stays `f32`, as in
    /// PyTorch.
    EachOperation,
    /// Like [`Self::EachOperation`], but a factor is rounded to the output's type too, as in JAX and TensorFlow.
    EachOperationAndFactor,
}

impl Precision {
    /// The definition in `f32`.
    pub const EXACT: Self = Self::of(DType::F32, DType::F32, Rounding::AsDefined);

    /// Every precision, the plainest first.
    const ALL: [Self; 11] = {
        use DType::{Bf16, F16, F32};
        use Rounding::*;
        [
            Self::EXACT,
            Self::of(F32, F32, EachOperation),
            Self::of(F32, F32, Fused),
            Self::of(F32, F16, AsDefined),
            Self::of(F16, F16, AsDefined),
            Self::of(F16, F16, EachOperation),
            Self::of(F16, F16, EachOperationAndFactor),
            Self::of(F32, Bf16, AsDefined),
            Self::of(Bf16, Bf16, AsDefined),
            Self::of(Bf16, Bf16, EachOperation),
            Self::of(Bf16, Bf16, EachOperationAndFactor),
        ]
    };

    const fn of(input: DType, output: DType, rounding: Rounding) -> Self {
        Self {
            input,
            output,
            rounding,
        }
    }

    fn forward(self, definition: HardSigmoid, x: f32) -> f32 {
        let x = self.input.rounded(x);
        if self.rounding == Rounding::AsDefined {
            return self.output.rounded(definition.forward(x));
        }
        let (v, top) = self.before_limits(definition, x);
        let limited = if v.is_nan() { v } else { v.clamp(0.0, top) };
        match definition.form() {
            Form::Affine { .. } => limited,
            Form::Relu6Divide | Form::Relu6DivideBoth => self.output.rounded(limited / 6.0),
            Form::Relu6Multiply => self.output.rounded(limited * self.factor(SIXTH)),
        }
    }

    fn backward(self, definition: HardSigmoid, x: f32, g: f32) -> f32 {
        let (x, g) = (self.input.rounded(x), self.input.rounded(g));
        if self.rounding == Rounding::AsDefined {
            return self.output.rounded(definition.backward(x, g));
        }
        let (v, low, high) = self.gradient_window(definition, x);
        if !definition.kink_rule().passes(v, low, high) {
            return 0.0;
        }
        let whole = match definition.form() {
            Form::Relu6Divide | Form::Relu6DivideBoth => g / 6.0,
            _ => self.factor(definition.slope()) * g,
        };
        let is_halved = definition.kink_rule() == KinkRule::Half && (v == low || v == high);
        // Halving rounds only subnormals.
        let whole = self.output.rounded(whole);
        if is_halved {
            self.output.rounded(0.5 * whole)
        } else {
            whole
        }
    }

    /// The value that decides whether the gradient passes at `x`, and the two ends of the range where it passes.
    fn gradient_window(self, definition: HardSigmoid, x: f32) -> (f32, f32, f32) {
        if self.rounding == Rounding::AsDefined {
            return definition.gradient_window(x);
        }
        let (v, top) = self.before_limits(definition, x);
        (v, 0.0, top)
    }

    /// The value before clamping, and its upper limit.
    fn before_limits(self, definition: HardSigmoid, x: f32) -> (f32, f32) {
        // A product or sum of halves, rounded to f32 and then to a half, is the same as rounded once.
        let r = |value| self.output.rounded(value);
        match definition.form() {
            Form::Affine { alpha, beta, .. } if self.rounding == Rounding::Fused => {
                (r(alpha.get().mul_add(x, beta.get())), 1.0)
            }
            Form::Affine { alpha, beta, .. } => (r(r(self.factor(alpha.get()) * x) + r(beta.get())), 1.0),
            Form::Relu6Divide | Form::Relu6DivideBoth | Form::Relu6Multiply => (r(x + 3.0), 6.0),
        }
    }

    fn factor(self, value: f32) -> f32 {
        match self.rounding {
            Rounding::EachOperationAndFactor => self.output.rounded(value),
            _ => value,
        }
    }
}

/// How many elements agree.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// The number of elements that were compared.
    pub compared: usize,
    /// The number of elements that differ by more than [`Identification::within`].
    pub differing: usize,
    /// The number of gradients that are zero where the definition has a subnormal; they don't count as differing.
    pub flushed: usize,
    /// The largest difference and the element where it is; infinite if only one of the two numbers is NaN.
    pub largest: Option<(f32, usize)>,
    /// The mean difference, where each counts as 1 at most.
    mean: f64,
}

impl Agreement {
    /// Keeps the earlier one of two that are as large.
    fn add_largest(&mut self, (difference, at): (f32, usize)) {
        if self.largest.is_none_or(|(largest, _)| difference > largest) {
            self.largest = Some((difference, at));
        }
    }
}

/// The number of elements where the rules for the kinks differ: x is exactly at a kink, and the gradient there would be
/// finite and not tiny.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KinkCounts {
    /// Where the gradient passes.
    pub passed: usize,
    /// Where half of it passes, as at a tie in the minimum and maximum of JAX and candle.
    pub halved: usize,
    /// Where none of it passes.
    pub blocked: usize,
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verdict.definitions(), self.within) {
            ([], _) => write!(f, "unknown"),
            (all, 0.0) => write!(f, "{}", names(all)),
            (all, within) => write!(f, "{}, within {within:?}", names(all)),
        }
    }
}

fn names(definitions: &[HardSigmoid]) -> String {
    let names: Vec<_> = definitions.iter().map(HardSigmoid::to_string).collect();
    names.join(" or ")
}

impl Verdict {
    /// Its name in JSON, in Python and in JavaScript: `preset`, `one_of`, `affine`, `underdetermined` or `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Preset(_) => "preset",
            Self::OneOf(_) => "one_of",
            Self::Affine(_) => "affine",
            Self::Underdetermined => "underdetermined",
            Self::Unknown => "unknown",
        }
    }

    /// The definitions that made the data: none, one, or several that the data can't tell apart.
    pub fn definitions(&self) -> &[HardSigmoid] {
        match self {
            Self::Preset(definition) | Self::Affine(definition) => std::slice::from_ref(definition),
            Self::OneOf(all) => all,
            Self::Underdetermined | Self::Unknown => &[],
        }
    }
}

impl Identification {
    /// How far a definition agrees, if it is one of [`matches`](Self::matches).
    pub fn match_with(&self, definition: HardSigmoid) -> Option<&Match> {
        self.matches.iter().find(|one| one.definition == definition)
    }

    /// The one of [`matches`](Self::matches) that is nearest to `y` in the mean, where each difference counts as 1 at most,
    /// so that a few wrong elements don't decide; among several with the same mean but for roundings, the one that differs
    /// in the fewest elements.
    pub fn nearest(&self) -> &Match {
        nearest(&self.matches)
    }
}

fn nearest(matches: &[Match]) -> &Match {
    // Noise decides between means that differ by a rounding.
    let is_nearer = |a: &Match, b: &Match| match a.forward.mean - b.forward.mean {
        difference if difference.abs() > f32::EPSILON.into() => difference < 0.0,
        _ => (a.forward.differing, a.differing()) < (b.forward.differing, b.differing()),
    };
    let nearer = |best, one| if is_nearer(one, best) { one } else { best };
    matches.iter().reduce(nearer).expect("there are presets")
}

/// An input that tells two definitions apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Separation {
    /// Their `y` differs at this `x`.
    Forward(f32),
    /// No `x` was found at which their `y` differs, but their gradients differ at this one.
    Backward(f32),
}

/// An `x` at which `a` and `b` differ in the given precision, or `None` if none was found. If `x` is a half float,
/// every `x` is tried; for f32, a few hundred thousand around the kinks and elsewhere.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, identify::{Precision, Separation, separation}};
///
/// let found = separation(HardSigmoid::KERAS, HardSigmoid::ONNX, Precision::EXACT);
/// assert_eq!(found, Some(Separation::Backward(2.5)));
/// ```
pub fn separation(a: HardSigmoid, b: HardSigmoid, precision: Precision) -> Option<Separation> {
    separation_beyond(a, b, precision, 0.0)
}

/// Like [`separation`], but they differ by more than `least`.
fn separation_beyond(a: HardSigmoid, b: HardSigmoid, precision: Precision, least: f32) -> Option<Separation> {
    let kinks = [a, b].into_iter().filter_map(HardSigmoid::kinks);
    let beside = kinks.flat_map(|(low, high)| {
        [
            high,
            low,
            high.next_down(),
            low.next_up(),
            high.next_up(),
            low.next_down(),
        ]
    });
    // Round numbers first, since a person will type them.
    let round = (-400..=400).map(|i| i as f32 / 50.0);
    let others: Box<dyn Iterator<Item = f32>> = match precision.input {
        DType::F32 => Box::new((0..1 << 18).map(|i| (i as f32 / (1 << 17) as f32 - 1.0) * 8.0)),
        DType::F16 => Box::new((0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32())),
        DType::Bf16 => Box::new((0..=u16::MAX).map(|bits| bf16::from_bits(bits).to_f32())),
    };
    let tried: Vec<f32> = beside.chain(round).chain(others).collect();
    let forward = |definition, x| precision.forward(definition, x);
    let backward = |definition, x| precision.backward(definition, x, 1.0);
    let first = |of: &dyn Fn(HardSigmoid, f32) -> f32| {
        let differs = |x: &f32| (of(a, *x) - of(b, *x)).abs() > least;
        tried.iter().copied().find(differs)
    };
    let by_value = first(&forward);
    let by_gradient = || first(&backward);
    by_value
        .map(Separation::Forward)
        .or_else(|| by_gradient().map(Separation::Backward))
}

/// The most elements that are looked at where a sample is enough.
const SAMPLE: usize = 1 << 16;

struct Data<'a> {
    x: &'a [f32],
    y: &'a [f32],
    gradient: Option<Gradient<'a>>,
    /// By how much `y` and `dx` may be off.
    atol: f32,
    /// The precisions that the data may have. Those of `f32` are always among them.
    precisions: Vec<Precision>,
}

impl<'a> Data<'a> {
    fn new(x: &'a [f32], y: &'a [f32], gradient: Option<Gradient<'a>>) -> Self {
        let is_of = |element: DType, all: &[f32]| {
            let is_other = |i: usize| !all[i].is_nan() && element.rounded(all[i]) != all[i];
            element == DType::F32 || any_index(all.len(), is_other).is_none()
        };
        let mut precisions = vec![];
        for of_element in Precision::ALL.chunk_by(|a, b| a.output == b.output) {
            let element = of_element[0].output;
            if !is_of(element, y) {
                continue;
            }
            // x is of this type already, so precisions that round it first are the same as those that don't.
            let has_input = is_of(element, x) && gradient.is_none_or(|gradient| is_of(element, gradient.g));
            let considered = of_element.iter().filter(|one| !has_input || one.input == element);
            precisions.extend(considered);
        }
        Self {
            x,
            y,
            gradient,
            atol: 0.0,
            precisions,
        }
    }

    fn best_matches(&self) -> Vec<Match> {
        let presets = HardSigmoid::PRESETS.iter();
        presets.map(|preset| self.best_match(preset.definition)).collect()
    }

    fn sample_step(&self) -> usize {
        self.x.len().div_ceil(SAMPLE).max(1)
    }

    /// Each `x`, rounded to a type, and its `y`.
    fn inputs(&self, input: DType) -> impl Iterator<Item = (f32, f32)> {
        let elements = self.x.iter().zip(self.y);
        elements.map(move |(&x, &y)| (input.rounded(x), y))
    }

    /// Whether each `y` of a finite `x` is a result that a hard sigmoid may have.
    fn is_from_0_to_1(&self) -> bool {
        let results = -self.atol..=1.0 + self.atol;
        let is_other = |i: usize| self.x[i].is_finite() && !results.contains(&self.y[i]);
        any_index(self.x.len(), is_other).is_none()
    }

    /// The match in the first precision in which everything agrees, or else the fewest elements of a sample differ.
    fn best_match(&self, definition: HardSigmoid) -> Match {
        let differing = |precision| {
            let sample = (0..self.x.len()).step_by(self.sample_step());
            sample.filter(|&i| !self.agrees(i, definition, precision, true)).count()
        };
        let counts: Vec<_> = self.precisions.iter().map(|&one| differing(one)).collect();
        let fewest = counts.iter().min();
        let best = self
            .precisions
            .iter()
            .zip(&counts)
            .filter(|(_, count)| Some(*count) == fewest);
        let mut best = best.map(|(&precision, _)| precision);
        let first = best.clone().next().expect("f32 is always among them");
        // Where the sample differs already, no precision fits, and a look at each would take a while for long data.
        let mut suspect = 0;
        let mut fits = |precision: &Precision| {
            let differs = |i: usize| !self.agrees(i, definition, *precision, true);
            let differing = if differs(suspect) {
                Some(suspect)
            } else {
                any_index(self.x.len(), differs)
            };
            suspect = differing.unwrap_or(suspect);
            differing.is_none()
        };
        let fitting = (fewest == Some(&0) && !self.x.is_empty()).then(|| best.find(&mut fits));
        self.match_of(definition, fitting.flatten().unwrap_or(first))
    }

    /// Whether element `i` agrees.
    fn agrees(&self, i: usize, definition: HardSigmoid, precision: Precision, heeds_gradient: bool) -> bool {
        let x = self.x[i];
        let gradient = self.gradient.filter(|_| heeds_gradient);
        self.same(self.y[i], precision.forward(definition, x))
            && gradient.is_none_or(|Gradient { g, dx }| {
                let expected = precision.backward(definition, x, g[i]);
                self.same(dx[i], expected) || is_flushed(dx[i], expected)
            })
    }

    fn match_of(&self, definition: HardSigmoid, precision: Precision) -> Match {
        let forward = self.agreement(self.y, false, |i| precision.forward(definition, self.x[i]));
        let backward = self
            .gradient
            .map(|Gradient { g, dx }| self.agreement(dx, true, |i| precision.backward(definition, self.x[i], g[i])));
        Match {
            definition,
            precision,
            forward,
            backward,
        }
    }

    fn same(&self, actual: f32, expected: f32) -> bool {
        is_same(actual, expected, self.atol)
    }

    fn agreement(&self, actual: &[f32], may_flush: bool, expected: impl Fn(usize) -> f32 + Sync + Send) -> Agreement {
        let of_part = |part: std::ops::Range<usize>| {
            let (mut agreement, mut sum) = (Agreement::default(), 0.0);
            for i in part {
                let (actual, expected) = (actual[i], expected(i));
                if equal(actual, expected) {
                    continue;
                }
                if may_flush && is_flushed(actual, expected) {
                    agreement.flushed += 1;
                    continue;
                }
                agreement.differing += usize::from(!self.same(actual, expected));
                let difference = (actual - expected).abs();
                let difference = if difference.is_nan() { f32::INFINITY } else { difference };
                sum += f64::from(difference.min(1.0));
                agreement.add_largest((difference, i));
            }
            (agreement, sum)
        };
        let (mut all, mut sum) = (Agreement::default(), 0.0);
        for (part, of_part) in of_parts(actual.len(), of_part) {
            all.differing += part.differing;
            all.flushed += part.flushed;
            part.largest.into_iter().for_each(|largest| all.add_largest(largest));
            sum += of_part;
        }
        all.compared = actual.len();
        all.mean = sum / actual.len().max(1) as f64;
        all
    }

    fn at_kinks(&self, judged: &Match) -> KinkCounts {
        let Match {
            definition, precision, ..
        } = *judged;
        let mut at_kinks = KinkCounts::default();
        let Some(Gradient { g, dx }) = self.gradient else {
            return at_kinks;
        };
        for i in 0..self.x.len() {
            let (v, low, high) = precision.gradient_window(definition, precision.input.rounded(self.x[i]));
            let product = definition.slope() * precision.input.rounded(g[i]);
            // A gradient that is tiny, or would be in a half float, may be zero for another reason.
            let is_seen = product.abs() > f32::MIN_POSITIVE && precision.output.rounded(product) != 0.0;
            if (v == low || v == high) && product.is_finite() && is_seen {
                match dx[i] / product {
                    share if share > 0.75 => at_kinks.passed += 1,
                    share if share > 0.25 => at_kinks.halved += 1,
                    _ => at_kinks.blocked += 1,
                }
            }
        }
        at_kinks
    }
}

fn is_same(actual: f32, expected: f32, atol: f32) -> bool {
    equal(actual, expected) || (actual - expected).abs() <= atol
}

fn equal(actual: f32, expected: f32) -> bool {
    actual == expected || (actual.is_nan() && expected.is_nan())
}

/// Whether a gradient is zero where a subnormal is expected, or a number that may be a subnormal before rounding.
fn is_flushed(actual: f32, expected: f32) -> bool {
    actual == 0.0 && expected.abs() <= f32::MIN_POSITIVE
}
