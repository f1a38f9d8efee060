//! Finds hard sigmoids that are written out as a sum, a product, limits and a quotient. What has been done to a tensor is a chain
//! of steps, and some chains are hard sigmoids.

use super::Function;
use hard_sigmoid::HardSigmoid;
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
    /// A hard sigmoid that the format has as one operation, by alpha and beta.
    Whole(f32, f32),
    /// A product with the tensor before the step of this number.
    Times(usize),
}

/// What has been done to a tensor.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Each step and the name of the tensor before it.
    steps: Vec<(String, Step)>,
}

/// No hard sigmoid has more, and a file may hold a chain of any length.
const MOST_STEPS: usize = 8;

/// What constants may be off by; in half floats they are off by more than in f32.
const NEAR: f64 = 5e-4;

/// A chain that is a hard sigmoid or a hard swish.
pub struct Recognized {
    pub function: Function,
    /// The steps that belong to the activation.
    pub steps: Vec<Step>,
    /// What its steps compute, apart from roundings, is clip(alpha · x + beta).
    pub alpha: f32,
    pub beta: f32,
}

impl Chain {
    /// Adds a step, which is done to `tensor`. A chain that is too long loses its beginning.
    pub fn with(&self, tensor: &str, step: Step) -> Self {
        let mut steps = self.steps.clone();
        match (steps.last_mut(), step) {
            // Minimum and maximum together are one limit.
            (Some((_, Step::Limit(low, high))), Step::Limit(more, less)) => {
                (*low, *high) = (low.max(more).min(less), high.min(less).max(more));
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
        let at = self.steps.iter().position(|(before, _)| before == other)?;
        Some(self.with(tensor, Step::Times(at)))
    }

    /// The hard sigmoid or hard swish that the chain ends with. Its first steps may be something else, so every start is tried. A
    /// start that gives a preset's curve is preferred.
    pub fn recognized(&self) -> Option<Recognized> {
        let all = || (0..self.steps.len()).filter_map(|start| recognized(&later(&self.steps, start)));
        let is_known = |found: &Recognized| {
            let near = |a: f32, b: f32| f64::from(a - b).abs() < NEAR;
            HardSigmoid::PRESETS.iter().any(|preset| {
                near(found.alpha, preset.definition.slope()) && near(found.beta, preset.definition.shift())
            })
        };
        all().find(is_known).or_else(|| all().next())
    }
}

/// Drops the first `start` steps. None of the steps is left if one of them multiplies by a dropped tensor.
fn later(steps: &[(String, Step)], start: usize) -> Vec<(String, Step)> {
    let moved = |(tensor, step): &(String, Step)| match *step {
        Step::Times(at) => Some((tensor.clone(), Step::Times(at.checked_sub(start)?))),
        step => Some((tensor.clone(), step)),
    };
    steps[start..]
        .iter()
        .map(moved)
        .collect::<Option<_>>()
        .unwrap_or_default()
}

fn recognized(steps: &[(String, Step)]) -> Option<Recognized> {
    // The line before the limits, and the limits. f64 keeps what f32 would round in another order.
    let (mut alpha, mut beta) = (1.0, 0.0);
    let mut limits = None;
    let mut products = 0;
    let (mut is_scaled, mut is_whole) = (false, false);
    for (_, step) in steps {
        let line = |value: f64, factor: f64, summand: f64| value * factor + summand;
        let (factor, summand) = match *step {
            Step::Add(c) => (1.0, c.into()),
            Step::Mul(c) => (c.into(), 0.0),
            Step::Div(c) => (1.0 / f64::from(c), 0.0),
            // A negation would swap the limits.
            Step::Minus(_) if limits.is_some() => return None,
            Step::Minus(c) => (-1.0, c.into()),
            Step::Limit(low, high) if limits.is_none() => {
                limits = Some((low.into(), high.into()));
                continue;
            }
            Step::Whole(a, b) if limits.is_none() && steps[0].1 == *step => {
                (alpha, beta, limits, is_whole) = (a.into(), b.into(), Some((0.0, 1.0)), true);
                continue;
            }
            // Only a product with x itself makes a hard swish.
            Step::Times(0) if limits.is_some() => {
                products += 1;
                continue;
            }
            _ => return None,
        };
        // What is added after the product with x isn't added to the hard sigmoid.
        if products > 0 && summand != 0.0 {
            return None;
        }
        is_scaled |= factor != 1.0;
        (alpha, beta) = (alpha * factor, line(beta, factor, summand));
        limits = limits.map(|(low, high)| (line(low, factor, summand), line(high, factor, summand)));
    }
    let function = match products {
        0 => Function::HardSigmoid,
        1 => Function::HardSwish,
        _ => return None,
    };
    let (low, high) = limits?;
    let are_limits = low.abs() < NEAR && (high - 1.0).abs() < NEAR;
    let (alpha, beta) = (alpha as f32, beta as f32);
    // With alpha 0 it is a constant. Limits of x or of x + c are more likely those of an image's colours, so steps must scale x, and
    // x = 0 must lie on the slope. An operator named HardSigmoid may have any alpha and beta.
    let is_one = is_whole || (is_scaled && beta > 0.0 && beta < 1.0);
    (are_limits && is_one && alpha != 0.0 && alpha.is_finite() && beta.is_finite()).then(|| Recognized {
        function,
        steps: steps.iter().map(|(_, step)| *step).collect(),
        alpha,
        beta,
    })
}

/// Applies the steps to x in `f32`.
pub fn computed(steps: &[Step], x: f32) -> f32 {
    let before = x;
    steps.iter().fold(x, |x, step| match *step {
        Step::Add(c) => x + c,
        Step::Mul(c) => x * c,
        Step::Div(c) => x / c,
        Step::Minus(c) => c - x,
        Step::Limit(low, high) => x.max(low).min(high),
        Step::Whole(alpha, beta) => (alpha * x + beta).clamp(0.0, 1.0),
        Step::Times(_) => x * before,
    })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Add(c) if c < 0.0 => write!(f, "- {}", -c),
            Self::Add(c) => write!(f, "+ {c}"),
            Self::Mul(c) => write!(f, "* {c}"),
            Self::Div(c) => write!(f, "/ {c}"),
            Self::Minus(c) => write!(f, "{c} - x"),
            Self::Limit(low, high) => write!(f, "clip {low} to {high}"),
            Self::Whole(alpha, beta) => write!(f, "HardSigmoid({alpha}, {beta})"),
            Self::Times(_) => write!(f, "* x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Add, Div, Limit, Minus, Mul, Times, Whole};

    fn of(steps: &[Step]) -> Option<(Function, usize, f32, f32)> {
        let mut chain = Chain::default();
        for (i, &step) in steps.iter().enumerate() {
            chain = chain.with(&i.to_string(), step);
        }
        let found = chain.recognized()?;
        Some((found.function, found.steps.len(), found.alpha, found.beta))
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
            &[Whole(0.0, 0.5)],
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
        }
    }
}
