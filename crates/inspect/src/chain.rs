//! Finds hard sigmoids that are written out as a sum, a product, limits and a quotient. What has been done to a tensor is a chain
//! of steps, and some chains are hard sigmoids.

use super::function::Function;
use hard_sigmoid::{HardSigmoid, KinkRule, bf16, f16};
use std::fmt;

/// An operation with constants, rounded to f32, in which most files hold them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Add(f32),
    Mul(f32),
    Div(f32),
    /// The constant minus the tensor.
    Minus(f32),
    Limit(f32, f32),
    Choice(Choice),
    /// A hard sigmoid that the format has as one operation, by alpha and beta.
    Whole(f32, f32),
    /// A product with the tensor before the step of this number.
    Times(usize),
    /// The product of the step before and the sum of this one, with one rounding, as a compiler makes it.
    Fused(f32, f32),
    /// A product with the tensor before the step of this number, which has been scaled first, in one step.
    TimesScaled(usize, Scale),
}

/// A product with a constant, or a quotient by one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    Mul(f32),
    Div(f32),
}

impl Scale {
    /// This scale as a product. The inverse of a quotient's constant is rounded.
    pub fn product(self) -> Self {
        match self {
            Self::Div(c) => Self::Mul(1.0 / c),
            Self::Mul(_) => self,
        }
    }

    fn factor(self) -> f64 {
        match self {
            Self::Mul(c) => c.into(),
            Self::Div(c) => 1.0 / f64::from(c),
        }
    }

    fn of(self, x: f32) -> f32 {
        match self {
            Self::Mul(c) => x * c,
            Self::Div(c) => x / c,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mul(c) => write!(f, "x * {}", constant(*c)),
            Self::Div(c) => write!(f, "x / {c}"),
        }
    }
}

/// A constant, with the slope of hard sigmoids that it was before it was rounded to a half.
fn constant(c: f32) -> String {
    let slopes = [(0.2, "0.2"), (1.0 / 6.0, "1/6")].into_iter();
    let mut names = slopes.flat_map(|(slope, name)| {
        let halves = [
            (f16::from_f64(slope).to_f32(), "float16"),
            (bf16::from_f64(slope).to_f32(), "bfloat16"),
        ];
        halves.map(|(half, dtype)| (half, format!("{name} in {dtype}")))
    });
    match names.find(|(half, _)| *half == c.abs()) {
        Some((_, name)) if c < 0.0 => format!("{c} (-{name})"),
        Some((_, name)) => format!("{c} ({name})"),
        None => c.to_string(),
    }
}

/// A constant in place of the tensor, where the tensor before the step number `at` is beyond a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub at: usize,
    pub when: Comparison,
    pub bound: f32,
    pub value: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison that says the same with the operands in the other order.
    pub fn swapped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// The comparison that holds where this one doesn't. (That is true of numbers. NaN is no result of a sample.)
    pub fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    fn is_lower(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    fn holds(self, a: f32, b: f32) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }
}

impl Step {
    /// Whether it may be an operation of a hard sigmoid: one with an infinite alpha or beta has no definition.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Whole(alpha, beta) => alpha.is_finite() && beta.is_finite(),
            _ => true,
        }
    }
}

/// What has been done to a tensor.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Each step and the name of the tensor before it.
    steps: Vec<(String, Step)>,
}

/// The most steps of a chain. No hard sigmoid has more, and a file may hold a chain of any length.
const MOST_STEPS: usize = 8;

/// How far constants may be off. In half floats they are off by more than in f32.
const NEAR: f64 = 5e-4;

/// A chain that is a hard sigmoid or a hard swish.
pub struct Recognized {
    pub function: Function,
    /// The steps that belong to the activation.
    pub steps: Vec<Step>,
    pub on_paper: OnPaper,
}

/// What steps compute, apart from roundings: clamp(alpha · x + beta, low, high).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnPaper {
    pub alpha: f32,
    pub beta: f32,
    low: f32,
    high: f32,
}

impl OnPaper {
    /// The curve with this alpha and beta, and with the limits 0 and 1.
    pub const fn new(alpha: f32, beta: f32) -> Self {
        Self {
            alpha,
            beta,
            low: 0.0,
            high: 1.0,
        }
    }

    /// The definition with this alpha and beta.
    pub fn definition(self) -> HardSigmoid {
        HardSigmoid::affine(self.alpha, self.beta, KinkRule::Strict).expect("what is recognized is finite")
    }

    pub fn formula(self) -> String {
        let formula = self.definition().formula();
        match formula.strip_suffix(", 0, 1)") {
            Some(line) => format!("{line}, {}, {})", self.low, self.high),
            None => formula,
        }
    }
}

impl Chain {
    /// Adds a step, which is done to `tensor`. A chain that is too long loses its beginning.
    pub fn with(&self, tensor: &str, step: Step) -> Self {
        let mut steps = self.steps.clone();
        match (steps.last_mut(), step) {
            // Minimum and maximum together are one limit.
            (Some((_, Step::Limit(low, high))), Step::Limit(more, less)) => {
                (*low, *high) = (low.max(more).min(less), high.max(more).min(less));
            }
            _ => steps.push((tensor.into(), step)),
        }
        if steps.len() > MOST_STEPS {
            steps = later(&steps, 1);
        }
        Self { steps }
    }

    /// Multiplies by `other`, a tensor of the chain; None if it isn't one.
    pub fn times(&self, tensor: &str, other: &str) -> Option<Self> {
        Some(self.with(tensor, Step::Times(self.position(other)?)))
    }

    /// Multiplies by a tensor that `other` leads to; None if its last step isn't a scale of a tensor of this chain.
    pub fn times_scaled(&self, tensor: &str, other: &Self) -> Option<Self> {
        let (scaled, step) = other.steps.last()?;
        let scale = match *step {
            Step::Mul(c) => Scale::Mul(c),
            Step::Div(c) => Scale::Div(c),
            _ => return None,
        };
        Some(self.with(tensor, Step::TimesScaled(self.position(scaled)?, scale)))
    }

    /// The tensor at its beginning, and its steps.
    pub fn steps(&self) -> Option<(&str, Vec<Step>)> {
        let (first, _) = self.steps.first()?;
        Some((first, self.steps.iter().map(|(_, step)| *step).collect()))
    }

    /// The number of the step that is done to the tensor.
    fn position(&self, tensor: &str) -> Option<usize> {
        self.steps.iter().position(|(before, _)| before == tensor)
    }

    /// Puts `value` where `other`, the chain's tensor or one before it, is beyond the bound; None if it is no such tensor.
    pub fn chosen(&self, tensor: &str, other: &str, when: Comparison, bound: f32, value: f32) -> Option<Self> {
        let before = self.steps.iter().map(|(before, _)| before.as_str());
        let at = before.chain([tensor]).position(|before| before == other)?;
        let choice = Choice { at, when, bound, value };
        Some(self.with(tensor, Step::Choice(choice)))
    }

    /// The hard sigmoid or hard swish that the chain ends with. Its first steps may be something else, so every start is tried. A
    /// start that gives a preset's curve is preferred.
    pub fn recognized(&self) -> Option<Recognized> {
        let all = || (0..self.steps.len()).filter_map(|start| recognized(&later(&self.steps, start)));
        let is_known = |found: &Recognized| {
            let near = |a: f32, b: f32| f64::from(a - b).abs() < NEAR;
            HardSigmoid::PRESETS.iter().any(|preset| {
                let OnPaper { alpha, beta, .. } = found.on_paper;
                near(alpha, preset.definition.slope()) && near(beta, preset.definition.shift())
            })
        };
        all().find(is_known).or_else(|| all().next())
    }
}

/// Drops the first `start` steps. None of the steps is left if one of them takes a dropped tensor.
fn later(steps: &[(String, Step)], start: usize) -> Vec<(String, Step)> {
    let moved = |(tensor, step): &(String, Step)| {
        let step = match *step {
            Step::Times(at) => Step::Times(at.checked_sub(start)?),
            Step::TimesScaled(at, scale) => Step::TimesScaled(at.checked_sub(start)?, scale),
            Step::Choice(choice) => Step::Choice(Choice {
                at: choice.at.checked_sub(start)?,
                ..choice
            }),
            step => step,
        };
        Some((tensor.clone(), step))
    };
    steps[start..]
        .iter()
        .map(moved)
        .collect::<Option<_>>()
        .unwrap_or_default()
}

/// The curve clamp(alpha · x + beta, low, high), in f64, which keeps what f32 would round in another order.
#[derive(Clone, Copy)]
struct Curve {
    alpha: f64,
    beta: f64,
    low: f64,
    high: f64,
}

impl Curve {
    const IDENTITY: Self = Self {
        alpha: 1.0,
        beta: 0.0,
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    fn is_limited(&self) -> bool {
        self.low > f64::NEG_INFINITY || self.high < f64::INFINITY
    }

    fn scaled(self, factor: f64, summand: f64) -> Self {
        let line = |value: f64| value * factor + summand;
        let (low, high) = (line(self.low), line(self.high));
        Self {
            alpha: self.alpha * factor,
            beta: line(self.beta),
            // A negative factor swaps the limits.
            low: low.min(high),
            high: low.max(high),
        }
    }

    fn limited(self, low: f32, high: f32) -> Option<Self> {
        let limit = |value: f64| value.max(low.into()).min(high.into());
        (!low.is_nan() && !high.is_nan()).then(|| Self {
            low: limit(self.low),
            high: limit(self.high),
            ..self
        })
    }

    /// The curve with a choice, which puts its value on one side of a bound of `by`, an earlier curve. That is a limit
    /// if the value meets the line at the bound.
    fn chosen(self, by: Self, choice: Choice) -> Option<Self> {
        let (bound, value) = (f64::from(choice.bound), f64::from(choice.value));
        let x = (bound - by.beta) / by.alpha;
        let meets = (self.alpha * x + self.beta - value).abs() < NEAR * value.abs().max(1.0);
        let crosses = bound > by.low && bound < by.high;
        let is_low = choice.when.is_lower() ^ (by.alpha < 0.0) ^ (self.alpha < 0.0);
        let chosen = match is_low {
            true => Self { low: value, ..self },
            false => Self { high: value, ..self },
        };
        (meets && crosses).then_some(chosen)
    }
}

fn recognized(steps: &[(String, Step)]) -> Option<Recognized> {
    let mut curve = Curve::IDENTITY;
    let mut before = vec![];
    let mut products = 0;
    let (mut is_scaled, mut is_whole) = (false, false);
    for (_, step) in steps {
        before.push(curve);
        let (factor, summand) = match *step {
            Step::Add(c) => (1.0, c.into()),
            Step::Mul(c) => (c.into(), 0.0),
            Step::Div(c) => (1.0 / f64::from(c), 0.0),
            Step::Minus(c) => (-1.0, c.into()),
            Step::Limit(low, high) if products == 0 => {
                curve = curve.limited(low, high)?;
                continue;
            }
            Step::Choice(choice) if products == 0 => {
                curve = curve.chosen(*before.get(choice.at)?, choice)?;
                continue;
            }
            Step::Whole(alpha, beta) if before.len() == 1 => {
                curve = Curve {
                    alpha: alpha.into(),
                    beta: beta.into(),
                    low: 0.0,
                    high: 1.0,
                };
                is_whole = true;
                continue;
            }
            // Only a product with x itself makes a hard swish.
            Step::Times(0) if curve.is_limited() => {
                products += 1;
                continue;
            }
            Step::TimesScaled(0, scale) if curve.is_limited() => {
                products += 1;
                (scale.factor(), 0.0)
            }
            _ => return None,
        };
        // What is added after the product with x isn't added to the hard sigmoid.
        if products > 0 && summand != 0.0 {
            return None;
        }
        is_scaled |= factor != 1.0;
        curve = curve.scaled(factor, summand);
    }
    let function = match products {
        0 => Function::HardSigmoid,
        1 => Function::HardSwish,
        _ => return None,
    };
    let are_limits = curve.low.abs() < NEAR && (curve.high - 1.0).abs() < NEAR;
    let (alpha, beta) = (curve.alpha as f32, curve.beta as f32);
    // 2.5 · 0.2 isn't 0.5, since 0.2 was rounded to f32.
    let exact = |limit: f64, whole: f32| match (limit - f64::from(whole)).abs() < f32::EPSILON.into() {
        true => whole,
        false => limit as f32,
    };
    // With alpha 0 it is a constant. Limits of x or of x + c are more likely those of an image's colours, so steps must scale x, and
    // x = 0 must lie on the slope. An operator named HardSigmoid may have any alpha and beta.
    let is_one = is_whole || (is_scaled && alpha != 0.0 && beta > 0.0 && beta < 1.0);
    (are_limits && is_one && alpha.is_finite() && beta.is_finite()).then(|| Recognized {
        function,
        steps: steps.iter().map(|(_, step)| *step).collect(),
        on_paper: OnPaper {
            alpha,
            beta,
            low: exact(curve.low, 0.0),
            high: exact(curve.high, 1.0),
        },
    })
}

/// Applies the steps to x in `f32`, one by one.
pub fn computed(steps: &[Step], x: f32) -> f32 {
    let mut before = [x; MOST_STEPS + 1];
    for (i, step) in steps.iter().enumerate() {
        let now = before[i];
        before[i + 1] = match *step {
            Step::Add(c) => now + c,
            Step::Mul(c) => now * c,
            Step::Div(c) => now / c,
            Step::Minus(c) => c - now,
            Step::Limit(low, high) => now.max(low).min(high),
            Step::Choice(choice) if choice.when.holds(before[choice.at], choice.bound) => choice.value,
            Step::Choice(_) => now,
            Step::Whole(alpha, beta) => (alpha * now + beta).clamp(0.0, 1.0),
            Step::Times(at) => now * before[at],
            Step::Fused(factor, summand) => before[i.saturating_sub(1)].mul_add(factor, summand),
            Step::TimesScaled(at, scale) => now * scale.of(before[at]),
        };
    }
    before[steps.len()]
}

/// The steps as text.
pub fn text(steps: &[Step]) -> String {
    let next = steps.iter().skip(1).map(Some).chain([None]);
    let is_own = |next: Option<&Step>| !matches!(next, Some(Step::Fused(..)));
    let own = steps.iter().zip(next).filter(|(_, next)| is_own(*next));
    own.map(|(step, _)| step.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Add(c) if c < 0.0 => write!(f, "- {}", -c),
            Self::Add(c) => write!(f, "+ {c}"),
            Self::Mul(c) => write!(f, "* {}", constant(c)),
            Self::Div(c) => write!(f, "/ {c}"),
            Self::Minus(c) => write!(f, "{c} - x"),
            Self::Limit(low, high) => write!(f, "clip {low} to {high}"),
            Self::Whole(alpha, beta) => write!(f, "HardSigmoid({}, {beta})", constant(alpha)),
            Self::Choice(choice) => write!(f, "{choice}"),
            Self::Times(_) => write!(f, "* x"),
            Self::Fused(factor, summand) => write!(f, "* {} + {summand} in one rounding", constant(factor)),
            Self::TimesScaled(_, scale) => write!(f, "* ({scale})"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.when {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        let which = if self.at == 0 { "x" } else { "it" };
        write!(f, "{} where {which} {when} {}", self.value, self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Add, Div, Limit, Minus, Mul, Times, TimesScaled, Whole};

    fn of(steps: &[Step]) -> Option<(Function, usize, f32, f32)> {
        let mut chain = Chain::default();
        for (i, &step) in steps.iter().enumerate() {
            chain = chain.with(&i.to_string(), step);
        }
        let found = chain.recognized()?;
        let OnPaper { alpha, beta, .. } = found.on_paper;
        Some((found.function, found.steps.len(), alpha, beta))
    }

    #[test]
    fn chains_that_are_hard_sigmoids() {
        let sixth = 1.0 / 6.0;
        for (steps, len, alpha, beta) in [
            (&[Add(3.0), Limit(0.0, 6.0), Div(6.0)][..], 3, sixth, 0.5),
            (
                &[
                    Add(3.0),
                    Limit(0.0, f32::INFINITY),
                    Limit(f32::NEG_INFINITY, 6.0),
                    Div(6.0),
                ],
                3,
                sixth,
                0.5,
            ),
            (&[Mul(0.25), Add(0.5), Limit(0.0, 1.0)], 3, 0.25, 0.5),
            (&[Mul(-0.5), Add(0.25), Limit(0.0, 1.0)], 3, -0.5, 0.25),
            (&[Minus(3.0), Limit(0.0, 6.0), Div(6.0)], 3, -sixth, 0.5),
            // BinaryNet's: the limits come first.
            (&[Limit(-1.0, 1.0), Add(1.0), Div(2.0)], 3, 0.5, 0.5),
            (&[Whole(0.25, 0.5)], 1, 0.25, 0.5),
            (&[Whole(1.0, 0.0)], 1, 1.0, 0.0),
            (&[Whole(0.5, 1.5)], 1, 0.5, 1.5),
            (&[Whole(0.0, 0.5)], 1, 0.0, 0.5),
            // The limits are apart, or negative before they are turned.
            (
                &[
                    Add(2.5),
                    Limit(0.0, f32::INFINITY),
                    Mul(0.2),
                    Limit(f32::NEG_INFINITY, 1.0),
                ],
                4,
                0.2,
                0.5,
            ),
            (&[Add(-3.0), Limit(-6.0, 0.0), Div(-6.0)], 3, -sixth, 0.5),
            // Other operations with constants may come first: many, or too large together.
            (&[Mul(1e30), Mul(1e30), Add(0.5), Limit(0.0, 1.0)], 3, 1e30, 0.5),
            (&[Add(7.0), Add(3.0), Limit(0.0, 6.0), Div(6.0)], 3, sixth, 0.5),
            (&[Mul(2.0), Whole(0.25, 0.5)], 1, 0.25, 0.5),
            (
                &[
                    Mul(7.0),
                    Mul(7.0),
                    Mul(7.0),
                    Mul(7.0),
                    Mul(7.0),
                    Mul(7.0),
                    Add(3.0),
                    Limit(0.0, 6.0),
                    Div(6.0),
                ],
                3,
                sixth,
                0.5,
            ),
        ] {
            assert_eq!(of(steps), Some((Function::HardSigmoid, len, alpha, beta)), "{steps:?}");
        }
        for (steps, len) in [
            (&[Add(3.0), Limit(0.0, 6.0), Times(0), Div(6.0)][..], 4),
            (&[Add(3.0), Limit(0.0, 6.0), Div(6.0), Times(0)], 4),
            (&[Mul(2.0), Add(3.0), Limit(0.0, 6.0), Times(1), Div(6.0)], 4),
            (&[Whole(1.0 / 6.0, 0.5), Times(0)], 2),
        ] {
            assert_eq!(of(steps), Some((Function::HardSwish, len, sixth, 0.5)), "{steps:?}");
        }
    }

    #[test]
    fn chains_that_are_not() {
        for steps in [
            &[Limit(0.0, 6.0)][..],
            &[Add(3.0), Limit(0.0, 6.0)],
            &[Add(3.0), Limit(0.0, 6.0), Div(3.0)],
            &[Limit(-1.0, 1.0)],
            &[Limit(0.0, 1.0)],
            &[Add(0.5), Limit(0.0, 1.0)],
            &[Mul(0.2), Limit(0.0, 1.0)],
            &[Mul(0.2), Add(0.5)],
            &[Mul(0.2), Limit(0.0, 1.0), Add(0.5)],
            &[Add(3.0), Limit(0.0, 6.0), Times(0), Times(0), Div(6.0)],
            &[Add(3.0), Limit(0.0, 6.0), Times(0), Add(1.0), Div(6.0)],
            &[Times(0), Limit(0.0, 1.0)],
            &[Div(0.0), Limit(0.0, 1.0)],
            &[Whole(0.2, 0.5), Add(1.0)],
            &[Mul(0.0), Add(0.5), Limit(0.0, 1.0)],
            &[Whole(f32::NAN, 0.5)],
            &[Limit(f32::NAN, f32::NAN)],
            // alpha is infinite.
            &[Mul(f32::INFINITY), Add(0.5), Limit(0.0, 1.0)],
            // beta is below 1 in f64, but 1 in f32.
            &[Mul(0.2), Add(1.0), Add(-1e-9), Limit(0.0, 1.0)],
            &[],
        ] {
            assert_eq!(of(steps), None, "{steps:?}");
        }
        // A chain of any length.
        let long = (0..1000).fold(Chain::default(), |chain, _| chain.with("x", Add(1.0)));
        assert!(long.steps.len() <= MOST_STEPS && long.recognized().is_none());
    }

    #[test]
    fn steps_are_computed_one_by_one() {
        let pytorch = [Add(3.0), Limit(0.0, 6.0), Div(6.0)];
        let swish = [Add(3.0), Limit(0.0, 6.0), Times(0), Div(6.0)];
        for i in -4000..4000 {
            let x = i as f32 * 0.00113;
            assert_eq!(computed(&pytorch, x), HardSigmoid::PYTORCH.forward(x));
            assert_eq!(computed(&swish, x), HardSigmoid::PYTORCH.hard_swish(x));
            let limited = (x + 3.0).clamp(0.0, 6.0);
            for (scale, scaled) in [(Scale::Div(6.0), x / 6.0), (Scale::Mul(0.16), x * 0.16)] {
                let steps = [Add(3.0), Limit(0.0, 6.0), TimesScaled(0, scale)];
                assert_eq!(computed(&steps, x).to_bits(), (scaled * limited).to_bits());
            }
        }
    }
}
