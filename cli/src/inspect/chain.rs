//! Hard sigmoids that are written out: a sum, a product, limits, a quotient. What has been done to a tensor is a chain of steps, and
//! some chains are hard sigmoids.

use super::{Activation, Function};
use hard_sigmoid::{HardSigmoid, KinkRule};
use std::fmt;

/// An operation with constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Add(f64),
    Mul(f64),
    Div(f64),
    Limit(f64, f64),
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

/// Longer ones are no hard sigmoid, and a file may have any.
const MOST_STEPS: usize = 8;

/// In f32, 6 times 1/6 is 1 and 5 times 0.2 is 1, give or take a rounding.
const NEAR: f64 = 1e-6;

impl Chain {
    /// With a step more, which is done to `tensor`. A chain that is too long begins anew.
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
            steps.drain(..steps.len() - 1);
        }
        Self { steps }
    }

    /// The product with a tensor that is one of its own.
    pub fn times(&self, tensor: &str, other: &str) -> Option<Self> {
        let at = self.steps.iter().position(|(before, _)| before == other)?;
        Some(self.with(tensor, Step::Times(at)))
    }

    /// What it is, if it is one, and with which step that begins.
    fn recognized(&self) -> Option<(usize, Function, HardSigmoid)> {
        let steps: Vec<_> = self.steps.iter().map(|(_, step)| *step).collect();
        let times = steps.iter().rev().find_map(|step| match step {
            Step::Times(at) => Some(*at),
            _ => None,
        });
        let at = steps
            .iter()
            .rposition(|step| matches!(step, Step::Limit(..) | Step::Whole(..)))?;
        let starts = match times {
            Some(start) => start..start + 1,
            None => 0..at + 1,
        };
        let found = |start: usize| match (steps.get(start), times) {
            (Some(&Step::Whole(alpha, beta)), _) if start == at => whole(alpha, beta, &steps[at + 1..]),
            _ if start > at || matches!(steps[at], Step::Whole(..)) => None,
            _ => written_out(&steps[start..at], steps[at], &steps[at + 1..]),
        };
        let all = || starts.clone().filter_map(|start| Some((start, found(start)?)));
        // What comes before may be another operation with a constant.
        let named = all().find(|(_, (_, definition))| definition.preset().is_some());
        let (start, (function, definition)) = named.or_else(|| all().next())?;
        Some((start, function, definition))
    }

    pub fn is_complete(&self) -> bool {
        self.recognized().is_some()
    }

    /// What was found, by its name.
    pub fn activation(&self, name: String) -> Option<Activation> {
        let (start, function, definition) = self.recognized()?;
        let written: Vec<_> = self.steps[start..].iter().map(|(_, step)| step.to_string()).collect();
        Some(Activation {
            name,
            function,
            written: written.join(", "),
            definitions: vec![definition],
        })
    }
}

fn whole(alpha: f32, beta: f32, after: &[Step]) -> Option<(Function, HardSigmoid)> {
    let function = match after {
        [] => Function::HardSigmoid,
        [Step::Times(_)] => Function::HardSwish,
        _ => return None,
    };
    Some((function, HardSigmoid::affine(alpha, beta, KinkRule::Strict).ok()?))
}

fn written_out(before: &[Step], limit: Step, after: &[Step]) -> Option<(Function, HardSigmoid)> {
    let Step::Limit(low, high) = limit else { return None };
    let (mut alpha, mut beta) = (1.0, 0.0);
    for step in before {
        match *step {
            Step::Add(c) => beta += c,
            Step::Mul(c) => (alpha, beta) = (alpha * c, beta * c),
            Step::Div(c) => (alpha, beta) = (alpha / c, beta / c),
            _ => return None,
        }
    }
    let mut scale = 1.0;
    let mut products = 0;
    for step in after {
        match *step {
            Step::Mul(c) => scale *= c,
            Step::Div(c) => scale /= c,
            Step::Times(_) => products += 1,
            _ => return None,
        }
    }
    let function = match products {
        0 => Function::HardSigmoid,
        1 => Function::HardSwish,
        _ => return None,
    };
    // A constant isn't one, and limits alone, as of an image's colours, aren't either.
    let is_bent_between = beta * scale > 0.0 && beta * scale < 1.0 && alpha * scale != 0.0;
    if low != 0.0 || (high * scale - 1.0).abs() >= NEAR || !is_bent_between {
        return None;
    }
    let definition = match (before, high, after) {
        ([Step::Add(3.0)], 6.0, [Step::Div(6.0)] | [Step::Times(_), Step::Div(6.0)]) => HardSigmoid::PYTORCH,
        // Its hard swish multiplies at the end.
        ([Step::Add(3.0)], 6.0, [Step::Div(6.0), Step::Times(_)]) => HardSigmoid::KERAS3,
        ([Step::Add(3.0)], 6.0, _) => HardSigmoid::JAX,
        ([Step::Add(1.0), Step::Div(2.0) | Step::Mul(0.5)], 1.0, _) => HardSigmoid::COURBARIAUX,
        ([Step::Add(2.0), Step::Div(4.0) | Step::Mul(0.25)], 1.0, _) => HardSigmoid::TANGENT,
        _ => HardSigmoid::affine((alpha * scale) as f32, (beta * scale) as f32, KinkRule::Strict).ok()?,
    };
    Some((function, definition))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As f32, in which most files hold them.
        match *self {
            Self::Add(c) if c < 0.0 => write!(f, "- {}", -c as f32),
            Self::Add(c) => write!(f, "+ {}", c as f32),
            Self::Mul(c) => write!(f, "* {}", c as f32),
            Self::Div(c) => write!(f, "/ {}", c as f32),
            Self::Limit(low, high) => write!(f, "clip {} to {}", low as f32, high as f32),
            Self::Whole(alpha, beta) => write!(f, "HardSigmoid({alpha}, {beta})"),
            Self::Times(_) => write!(f, "* x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Add, Div, Limit, Mul, Times, Whole};

    fn of(steps: &[Step]) -> Option<(Function, String)> {
        let mut chain = Chain::default();
        for (i, &step) in steps.iter().enumerate() {
            chain = chain.with(&i.to_string(), step);
        }
        let found = chain.recognized();
        found.map(|(_, function, definition)| (function, definition.to_string()))
    }

    #[test]
    fn chains_that_are_hard_sigmoids() {
        let sixth = f64::from(1.0_f32 / 6.0);
        for (steps, name) in [
            (&[Add(3.0), Limit(0.0, 6.0), Div(6.0)][..], "pytorch"),
            (
                &[
                    Add(3.0),
                    Limit(0.0, f64::INFINITY),
                    Limit(f64::NEG_INFINITY, 6.0),
                    Div(6.0),
                ],
                "pytorch",
            ),
            (&[Add(3.0), Limit(0.0, 6.0), Mul(sixth)], "jax"),
            (&[Mul(f64::from(0.2_f32)), Add(0.5), Limit(0.0, 1.0)], "onnx"),
            (&[Add(1.0), Div(2.0), Limit(0.0, 1.0)], "courbariaux"),
            (&[Add(1.0), Limit(0.0, 2.0), Div(2.0)], "affine(0.5, 0.5, strict)"),
            (&[Add(2.0), Mul(0.25), Limit(0.0, 1.0)], "tangent"),
            (&[Mul(-0.5), Add(0.25), Limit(0.0, 1.0)], "affine(-0.5, 0.25, strict)"),
            (&[Whole(0.2, 0.5)], "onnx"),
            // Of what was limited before.
            (&[Limit(0.0, 1.0), Add(0.5), Limit(0.0, 1.0)], "affine(1, 0.5, strict)"),
            // After another operation with a constant.
            (&[Add(0.0), Add(3.0), Limit(0.0, 6.0), Div(6.0)], "pytorch"),
            (&[Mul(2.0), Whole(0.2, 0.5)], "onnx"),
        ] {
            assert_eq!(of(steps), Some((Function::HardSigmoid, name.into())), "{steps:?}");
        }
        for (steps, name) in [
            (&[Add(3.0), Limit(0.0, 6.0), Times(0), Div(6.0)][..], "pytorch"),
            (&[Add(3.0), Limit(0.0, 6.0), Div(6.0), Times(0)], "keras3"),
            (&[Add(3.0), Limit(0.0, 6.0), Mul(sixth), Times(0)], "jax"),
            (&[Mul(2.0), Add(3.0), Limit(0.0, 6.0), Times(1), Div(6.0)], "pytorch"),
            (&[Whole(0.25, 0.5), Times(0)], "tangent"),
        ] {
            assert_eq!(of(steps), Some((Function::HardSwish, name.into())), "{steps:?}");
        }
    }

    #[test]
    fn chains_that_are_not() {
        for steps in [
            &[Limit(0.0, 6.0)][..],
            &[Add(3.0), Limit(0.0, 6.0)],
            &[Add(3.0), Limit(0.0, 6.0), Div(3.0)],
            &[Limit(-1.0, 1.0)],
            &[Mul(0.2), Add(0.5)],
            &[Mul(0.2), Limit(0.0, 1.0), Add(0.5)],
            &[Limit(0.0, 1.0)],
            &[Mul(0.2), Limit(0.0, 1.0)],
            &[Add(3.0), Limit(0.0, 6.0), Times(0), Times(0), Div(6.0)],
            &[Times(0), Limit(0.0, 1.0)],
            &[Div(0.0), Limit(0.0, 1.0)],
            &[Whole(0.2, 0.5), Add(1.0)],
            &[Whole(f32::NAN, 0.5)],
            &[Limit(f64::NAN, f64::NAN)],
            &[],
        ] {
            assert_eq!(of(steps), None, "{steps:?}");
        }
        // However long.
        let long = (0..1000).fold(Chain::default(), |chain, _| chain.with("x", Add(1.0)));
        assert!(long.steps.len() <= MOST_STEPS && long.recognized().is_none());
    }
}
