use crate::{
    Element, Error, HardSigmoid, Kinks, cpu,
    definition::{Form, SIXTH},
    half::{bf16, f16},
};
use std::fmt;

/// Which hard sigmoid made these numbers? Compares `y` with what each preset gives for `x`, and `dx` with its gradient for the
/// upstream gradient `g`, where those are known. Half floats are to be widened to `f32`.
///
/// Every element has to agree in every bit, but for the sign of zero, which NaN it is, and subnormal gradients that came as
/// zero. Numbers may have been rounded to half floats on their way: see [`Precision`]. If no preset agrees, `alpha` and `beta`
/// of [`HardSigmoid::affine`] are searched.
///
/// # Errors
/// [`Error::LengthMismatch`] if the slices differ in length.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, Verdict, identify};
///
/// let x = [-3.5, -2.5, -1.0, 0.5, 1.0, 2.9];
/// let y = x.map(|x: f32| (x + 3.0).clamp(0.0, 6.0) / 6.0);
/// let identification = identify(&x, &y, None)?;
/// assert_eq!(identification.verdict, Verdict::Preset(HardSigmoid::PYTORCH));
/// assert_eq!(identification.to_string(), "pytorch");
///
/// // Their y is the same everywhere; the gradient at 2.5 tells.
/// let y = x.map(|x| HardSigmoid::KERAS.forward(x));
/// let identification = identify(&x, &y, None)?;
/// assert_eq!(identification.to_string(), "keras or onnx");
/// let identification = identify(&x, &y, Some((&[1.0; 6], &[0.0, 0.2, 0.2, 0.2, 0.2, 0.0])))?;
/// assert_eq!(identification.to_string(), "keras");
/// # Ok::<(), hard_sigmoid::Error>(())
/// ```
pub fn identify(x: &[f32], y: &[f32], gradient: Option<(&[f32], &[f32])>) -> Result<Identification, Error> {
    cpu::same_length(("x", x), ("y", y))?;
    if let Some((g, dx)) = gradient {
        cpu::same_length(("x", x), ("g", g))?;
        cpu::same_length(("x", x), ("dx", dx))?;
    }
    let data = Data { x, y, gradient };
    let matches = HardSigmoid::PRESETS.map(|preset| data.best_match(preset.definition));
    let fitting: Vec<_> = matches.iter().filter(|m| m.fits()).map(|m| m.definition).collect();
    let (verdict, found) = match fitting[..] {
        [one] => (Verdict::Preset(one), None),
        [] => match data.affine() {
            Some(found) => (Verdict::Affine(found.definition), Some(found)),
            None => (Verdict::Unknown, None),
        },
        _ => (Verdict::OneOf(fitting), None),
    };
    // Where it is not known what made y, the nearest preset says what is at a kink.
    let fitting = found.as_ref().or_else(|| matches.iter().find(|one| one.fits()));
    let judged = fitting.unwrap_or_else(|| nearest(&matches));
    Ok(Identification {
        verdict,
        kinks: data.at_kinks(judged),
        matches: matches.into_iter().chain(found).collect(),
    })
}

/// What [`identify`] found. Its `Display` is the verdict in a few words.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// What made the data.
    pub verdict: Verdict,
    /// How far each preset agrees, in the order of [`HardSigmoid::PRESETS`]; then the `alpha` and `beta` that were found, if any.
    pub matches: Vec<Match>,
    /// What the gradient does at the kinks.
    pub kinks: AtKinks,
}

/// What made the data of [`identify`].
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// This preset and no other.
    Preset(HardSigmoid),
    /// Any of these: the data has no element that separates them. [`separation`] tells which element would.
    OneOf(Vec<HardSigmoid>),
    /// No preset, but this `alpha` and `beta`, the shortest that give every bit. Without gradients at the kinks their rule is
    /// not known, and given as strict.
    Affine(HardSigmoid),
    /// Neither.
    Unknown,
}

/// How far a definition agrees with the data.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The definition.
    pub definition: HardSigmoid,
    /// With which it agrees best.
    pub precision: Precision,
    /// Of `y`.
    pub forward: Agreement,
    /// Of `dx`.
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
}

/// Where numbers were rounded to half floats on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision {
    /// `x` and `g`, before anything else; `f32` is not at all.
    pub input: Element,
    /// `y` and `dx`.
    pub output: Element,
    /// Each operation in between too, parameters included, as where a framework computes in halves: JAX and TensorFlow in f16.
    pub steps: bool,
}

impl Precision {
    /// All of it in `f32`.
    pub const EXACT: Self = Self::of(Element::F32, Element::F32, false);

    const ALL: [Self; 7] = {
        use Element::{Bf16, F16, F32};
        [
            Self::EXACT,
            Self::of(F32, F16, false),
            Self::of(F16, F16, false),
            Self::of(F16, F16, true),
            Self::of(F32, Bf16, false),
            Self::of(Bf16, Bf16, false),
            Self::of(Bf16, Bf16, true),
        ]
    };

    const fn of(input: Element, output: Element, steps: bool) -> Self {
        Self { input, output, steps }
    }

    fn forward(self, definition: HardSigmoid, x: f32) -> f32 {
        let x = rounded(self.input, x);
        if !self.steps {
            return rounded(self.output, definition.forward(x));
        }
        let r = |value| rounded(self.output, value);
        let (v, top) = self.step(definition, x);
        let limited = if v.is_nan() { v } else { v.clamp(0.0, top) };
        match definition.form() {
            Form::Affine { .. } => limited,
            Form::Relu6Divide => r(limited / 6.0),
            Form::Relu6Multiply => r(limited * r(SIXTH)),
        }
    }

    fn backward(self, definition: HardSigmoid, x: f32, g: f32) -> f32 {
        let (x, g) = (rounded(self.input, x), rounded(self.input, g));
        if !self.steps {
            return rounded(self.output, definition.backward(x, g));
        }
        let (v, top) = self.step(definition, x);
        let passes = match definition.kink_rule() {
            Kinks::Strict => v > 0.0 && v < top,
            Kinks::Inclusive => v >= 0.0 && v <= top,
        };
        if !passes {
            return 0.0;
        }
        match definition.form() {
            // The gradient of a division divides.
            Form::Relu6Divide => rounded(self.output, g / 6.0),
            _ => rounded(self.output, rounded(self.output, definition.slope()) * g),
        }
    }

    /// The value before it is limited, and its upper limit.
    fn step(self, definition: HardSigmoid, x: f32) -> (f32, f32) {
        let r = |value| rounded(self.output, value);
        match definition.form() {
            // A product or sum of halves in f32, rounded again, is as if it had been rounded once.
            Form::Affine { alpha, beta } => (r(r(r(alpha) * x) + r(beta)), 1.0),
            Form::Relu6Divide | Form::Relu6Multiply => (r(x + 3.0), 6.0),
        }
    }
}

/// How many elements agree.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Elements.
    pub compared: usize,
    /// Those that differ.
    pub differing: usize,
    /// Gradients that are zero where the definition has a subnormal; they don't count as differing.
    pub flushed: usize,
    /// The largest difference and the element where it is; infinite where one is NaN and the other not.
    pub largest: Option<(f32, usize)>,
}

/// Elements exactly at a kink, where a gradient that passes would be finite and not tiny.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtKinks {
    /// Where the gradient passes.
    pub passed: usize,
    /// Where it doesn't.
    pub blocked: usize,
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Preset(definition) => write!(f, "{definition}"),
            Verdict::OneOf(all) => {
                let names: Vec<_> = all.iter().map(HardSigmoid::to_string).collect();
                write!(f, "{}", names.join(" or "))
            }
            Verdict::Affine(definition) => write!(f, "{definition}"),
            Verdict::Unknown => write!(f, "unknown"),
        }
    }
}

impl Identification {
    /// The preset whose `y` is nearest where it is farthest; of equals the one that differs in the fewest elements.
    pub fn nearest(&self) -> &Match {
        nearest(&self.matches[..HardSigmoid::PRESETS.len()])
    }
}

fn nearest(matches: &[Match]) -> &Match {
    let largest = |m: &Match| m.forward.largest.map_or(0.0, |(difference, _)| difference);
    let by_difference = |a: &&Match, b: &&Match| {
        largest(a)
            .total_cmp(&largest(b))
            .then(a.differing().cmp(&b.differing()))
    };
    matches.iter().min_by(by_difference).expect("there are presets")
}

/// An input that tells two definitions apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Separation {
    /// Their `y` differs at this `x`.
    Forward(f32),
    /// No `x` was found at which their `y` differs, but their gradients differ at this one.
    Backward(f32),
}

/// An `x` at which `a` and `b` differ in the given precision. Where `x` is a half, all are tried, else a few hundred thousand.
///
/// ```
/// use hard_sigmoid::{HardSigmoid, Precision, Separation, separation};
///
/// let found = separation(HardSigmoid::KERAS, HardSigmoid::ONNX, Precision::EXACT);
/// assert_eq!(found, Some(Separation::Backward(2.5)));
/// ```
pub fn separation(a: HardSigmoid, b: HardSigmoid, precision: Precision) -> Option<Separation> {
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
    // Round numbers first, since a reader is to type them.
    let round = (-400..=400).map(|i| i as f32 / 50.0);
    let others: Box<dyn Iterator<Item = f32>> = match precision.input {
        Element::F32 => Box::new((0..1 << 18).map(|i| (i as f32 / (1 << 17) as f32 - 1.0) * 8.0)),
        Element::F16 => Box::new((0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32())),
        Element::Bf16 => Box::new((0..=u16::MAX).map(|bits| bf16::from_bits(bits).to_f32())),
    };
    let tried: Vec<f32> = beside.chain(round).chain(others).collect();
    let forward = |definition, x| precision.forward(definition, x);
    let backward = |definition, x| precision.backward(definition, x, 1.0);
    let first = |differs: &dyn Fn(f32) -> bool| tried.iter().copied().find(|&x| differs(x));
    let by_value = first(&|x| !same(forward(a, x), forward(b, x)));
    let by_gradient = || first(&|x| backward(a, x) != backward(b, x));
    by_value
        .map(Separation::Forward)
        .or_else(|| by_gradient().map(Separation::Backward))
}

fn rounded(element: Element, value: f32) -> f32 {
    match element {
        Element::F32 => value,
        Element::F16 => f16::from_f32(value).to_f32(),
        Element::Bf16 => bf16::from_f32(value).to_f32(),
    }
}

#[derive(Clone, Copy)]
struct Data<'a> {
    x: &'a [f32],
    y: &'a [f32],
    gradient: Option<(&'a [f32], &'a [f32])>,
}

impl Data<'_> {
    /// Whether every `y` is a number of the type.
    fn is_of(&self, element: Element) -> bool {
        self.y.iter().all(|&y| y.is_nan() || rounded(element, y) == y)
    }

    /// Those that the data may have. All is of type `f32`.
    fn precisions(self) -> impl Iterator<Item = Precision> {
        Precision::ALL
            .into_iter()
            .filter(move |precision| self.is_of(precision.output))
    }

    fn best_match(self, definition: HardSigmoid) -> Match {
        let matches = self.precisions().map(|precision| self.match_of(definition, precision));
        matches.min_by_key(Match::differing).expect("f32 is always among them")
    }

    fn match_of(self, definition: HardSigmoid, precision: Precision) -> Match {
        let y = self.x.iter().map(|&x| precision.forward(definition, x));
        let backward = self.gradient.map(|(g, dx)| {
            let inputs = self.x.iter().zip(g);
            let expected = inputs.map(|(&x, &g)| precision.backward(definition, x, g));
            Agreement::of(dx, expected, true)
        });
        Match {
            definition,
            precision,
            forward: Agreement::of(self.y, y, false),
            backward,
        }
    }

    fn at_kinks(self, judged: &Match) -> AtKinks {
        let Match {
            definition, precision, ..
        } = *judged;
        let mut at_kinks = AtKinks::default();
        let (Some((g, dx)), Some((low, high))) = (self.gradient, definition.kinks()) else {
            return at_kinks;
        };
        for i in 0..self.x.len() {
            let x = rounded(precision.input, self.x[i]);
            let product = definition.slope() * rounded(precision.input, g[i]);
            // One that is tiny, or would be in a half, may be zero for another reason.
            let is_seen = product.abs() > f32::MIN_POSITIVE && rounded(precision.output, product) != 0.0;
            if (x == low || x == high) && product.is_finite() && is_seen {
                if dx[i] == 0.0 {
                    at_kinks.blocked += 1;
                } else {
                    at_kinks.passed += 1;
                }
            }
        }
        at_kinks
    }

    /// The shortest `alpha` and `beta` that give every bit.
    fn affine(self) -> Option<Match> {
        // The search knows nothing of roundings in between.
        let mut precisions = self.precisions().filter(|precision| !precision.steps);
        precisions.find_map(|precision| {
            Constraints::of(self, precision)?.shortest(|alpha, beta| {
                // Both rules have the same y; the gradient, if there is one, tells which it is.
                let by_rule = |kinks| HardSigmoid::affine(alpha, beta, kinks).ok();
                let strict = by_rule(Kinks::Strict).filter(|&strict| self.agrees(strict, precision))?;
                let both = [Some(strict), by_rule(Kinks::Inclusive)].into_iter().flatten();
                let mut matches = both.map(|definition| self.match_of(definition, precision));
                matches.find(Match::fits)
            })
        })
    }

    /// Whether every `y` does; stops at the first that doesn't.
    fn agrees(self, definition: HardSigmoid, precision: Precision) -> bool {
        let mut elements = self.x.iter().zip(self.y);
        elements.all(|(&x, &y)| same(y, precision.forward(definition, x)))
    }
}

fn same(actual: f32, expected: f32) -> bool {
    actual == expected || (actual.is_nan() && expected.is_nan())
}

impl Agreement {
    fn of(actual: &[f32], expected: impl Iterator<Item = f32>, may_flush: bool) -> Self {
        let mut agreement = Self {
            compared: actual.len(),
            ..Self::default()
        };
        for (i, (&actual, expected)) in actual.iter().zip(expected).enumerate() {
            if same(actual, expected) {
                continue;
            }
            if may_flush && actual == 0.0 && expected.abs() <= f32::MIN_POSITIVE {
                agreement.flushed += 1;
                continue;
            }
            agreement.differing += 1;
            let difference = (actual - expected).abs();
            let difference = if difference.is_nan() { f32::INFINITY } else { difference };
            if agreement.largest.is_none_or(|(largest, _)| difference > largest) {
                agreement.largest = Some((difference, i));
            }
        }
        agreement
    }
}

/// What each element demands of `alpha` and `beta`: `low <= alpha·x + beta <= high`, a little wider than roundings may be, so
/// that no pair is lost. The pairs that are left are few, and tried.
struct Constraints {
    all: Vec<Constraint>,
    /// Every `alpha` is between these.
    alpha: (f64, f64),
}

struct Constraint {
    x: f64,
    low: f64,
    high: f64,
}

/// Elements that are looked at in the search; all are in the end.
const LOOKED_AT: usize = 1 << 16;

/// Pairs that are tried.
const TRIED: usize = 1 << 20;

impl Constraints {
    /// `None` if nothing can be found: less than two elements lie on the slope, or one outside [0, 1].
    fn of(data: Data, precision: Precision) -> Option<Self> {
        let step = data.x.len().div_ceil(LOOKED_AT).max(1);
        let elements = || data.x.iter().zip(data.y);
        let of_input = |x| f64::from(rounded(precision.input, x));
        // The two elements of the slope that are farthest apart tell alpha best.
        let on_slope = elements().filter(|&(&x, &y)| of_input(x).is_finite() && y > 0.0 && y < 1.0);
        let by_x = |a: &(&f32, &f32), b: &(&f32, &f32)| a.0.total_cmp(b.0);
        let (first, last) = (on_slope.clone().min_by(by_x)?, on_slope.max_by(by_x)?);
        let run = of_input(*last.0) - of_input(*first.0);
        if run == 0.0 {
            return None;
        }
        let slope = f64::from(last.1 - first.1) / run;
        let constraint = |(&x, &y): (&f32, &f32)| {
            let x = of_input(x);
            // alpha·x is rounded, and so is the sum before it is rounded to a half float.
            let slack = (slope * x).abs() * f64::EPSILON.sqrt() * 8.0 + f64::from(f32::EPSILON) * f64::from(y);
            let ((below, above), y) = (neighbours(precision.output, y), f64::from(y));
            Constraint {
                x,
                low: if y <= 0.0 {
                    f64::NEG_INFINITY
                } else {
                    (below + y) / 2.0 - slack
                },
                high: if y >= 1.0 {
                    f64::INFINITY
                } else {
                    (y + above) / 2.0 + slack
                },
            }
        };
        let usable = elements().filter(|&(&x, y)| of_input(x).is_finite() && !y.is_nan());
        if usable.clone().any(|(_, &y)| !(0.0..=1.0).contains(&y)) {
            return None;
        }
        let mut all: Vec<_> = usable.step_by(step).map(constraint).collect();
        let (a, b) = (constraint(first), constraint(last));
        let alpha = ((b.low - a.high) / run, (b.high - a.low) / run);
        all.extend([a, b]);
        Some(Self { all, alpha }).and_then(Self::narrowed)
    }

    /// The `beta` that go with `alpha`; empty where the first is the larger.
    fn beta(&self, alpha: f64) -> (f64, f64) {
        self.all
            .iter()
            .fold((f64::NEG_INFINITY, f64::INFINITY), |(low, high), c| {
                (low.max(c.low - alpha * c.x), high.min(c.high - alpha * c.x))
            })
    }

    /// Only the `alpha` that some `beta` goes with. The room for `beta` is a concave function of `alpha`.
    fn narrowed(mut self) -> Option<Self> {
        let room = |alpha| {
            let (low, high) = self.beta(alpha);
            high - low
        };
        let (mut low, mut high) = self.alpha;
        for _ in 0..100 {
            let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if room(a) < room(b) { low = a } else { high = b }
        }
        let best = f64::midpoint(low, high);
        if room(best) < 0.0 {
            return None;
        }
        let edge = |mut outside: f64| {
            let mut inside = best;
            for _ in 0..100 {
                let middle = f64::midpoint(inside, outside);
                if room(middle) < 0.0 {
                    outside = middle
                } else {
                    inside = middle
                }
            }
            inside
        };
        self.alpha = (edge(self.alpha.0), edge(self.alpha.1));
        Some(self)
    }

    /// The first pair that `of` takes, short decimals and fractions before all others.
    fn shortest<T>(&self, of: impl Fn(f32, f32) -> Option<T>) -> Option<T> {
        let pairs = |alphas: Vec<f32>, betas: fn((f64, f64)) -> Vec<f32>| {
            alphas.into_iter().flat_map(move |alpha| {
                let betas = betas(self.beta(f64::from(alpha)));
                betas.into_iter().map(move |beta| (alpha, beta))
            })
        };
        let short = pairs(short_within(self.alpha), short_within);
        let all = pairs(all_within(self.alpha), all_within);
        short.chain(all).take(TRIED).find_map(|(alpha, beta)| of(alpha, beta))
    }
}

/// The numbers next to `y`.
fn neighbours(element: Element, y: f32) -> (f64, f64) {
    let y = y + 0.0;
    let bits_of = |y: f32| match element {
        Element::F32 => y.to_bits(),
        Element::F16 => f16::from_f32(y).to_bits().into(),
        Element::Bf16 => bf16::from_f32(y).to_bits().into(),
    };
    let number = |bits: u32| match element {
        Element::F32 => f32::from_bits(bits),
        Element::F16 => f16::from_bits(bits as u16).to_f32(),
        Element::Bf16 => bf16::from_bits(bits as u16).to_f32(),
    };
    let bits = bits_of(y);
    (number(bits.saturating_sub(1)).into(), number(bits + 1).into())
}

/// Numbers within the range that a person would write: 0, fractions of small numbers, and decimals from one digit to nine.
fn short_within((low, high): (f64, f64)) -> Vec<f32> {
    let middle = f64::midpoint(low, high);
    let fractions = (1..=12).map(|divisor| (middle * f64::from(divisor)).round() / f64::from(divisor));
    let decimals = (0..9).filter_map(|digits| format!("{middle:.digits$e}").parse().ok());
    let mut found = vec![];
    let zero = std::iter::once(0.0);
    for number in zero.chain(decimals).chain(fractions).map(|number: f64| number as f32) {
        if (low..=high).contains(&f64::from(number)) && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

/// Every `f32` within the range, but no more than are tried.
fn all_within((low, high): (f64, f64)) -> Vec<f32> {
    let first = low as f32;
    let first = if f64::from(first) < low { first.next_up() } else { first };
    let numbers = std::iter::successors(Some(first), |number| Some(number.next_up()));
    numbers
        .take_while(|&number| f64::from(number) <= high)
        .take(1 << 10)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_next_to_it() {
        assert_eq!(
            neighbours(Element::F16, 1.0),
            (1.0 - 2f64.powi(-11), 1.0 + 2f64.powi(-10))
        );
        assert_eq!(neighbours(Element::Bf16, 0.0), (0.0, 2f64.powi(-133)));
        assert_eq!(neighbours(Element::F32, 0.5).1, 0.5 + 2f64.powi(-24));
    }

    #[test]
    fn short_numbers_come_first() {
        assert_eq!(short_within((0.19, 0.21))[0], 0.2);
        assert_eq!(all_within((0.5, 0.5 + 7e-8)), [0.5, 0.5f32.next_up()]);
        assert!(short_within((0.166_666_66, 0.166_666_68)).contains(&(1.0 / 6.0)));
    }
}
