//! The data, and how far definitions agree with them.

use super::{
    parts::{any_index, of_parts},
    precision::Precision,
    result::{Agreement, KinkCounts, Match},
};
use crate::math::{definition::HardSigmoid, dtype::DType};

/// A gradient that goes with `x`.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// The upstream gradient.
    pub g: &'a [f32],
    /// The gradient with respect to `x`.
    pub dx: &'a [f32],
}

/// The most elements that are looked at where a sample is enough.
const SAMPLE: usize = 1 << 16;

pub(super) struct Data<'a> {
    pub(super) x: &'a [f32],
    pub(super) y: &'a [f32],
    pub(super) gradient: Option<Gradient<'a>>,
    /// By how much `y` and `dx` may be off.
    pub(super) atol: f32,
    /// The precisions that the data may have. Those of `f32` are always among them.
    pub(super) precisions: Vec<Precision>,
}

impl<'a> Data<'a> {
    pub(super) fn new(x: &'a [f32], y: &'a [f32], gradient: Option<Gradient<'a>>) -> Self {
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

    pub(super) fn best_matches(&self) -> Vec<Match> {
        let presets = HardSigmoid::PRESETS.iter();
        presets.map(|preset| self.best_match(preset.definition)).collect()
    }

    pub(super) fn sample_step(&self) -> usize {
        self.x.len().div_ceil(SAMPLE).max(1)
    }

    /// Each `x`, rounded to a type, and its `y`.
    pub(super) fn inputs(&self, input: DType) -> impl Iterator<Item = (f32, f32)> {
        let elements = self.x.iter().zip(self.y);
        elements.map(move |(&x, &y)| (input.rounded(x), y))
    }

    /// Whether each `y` of a finite `x` is a result that a hard sigmoid may have.
    pub(super) fn is_from_0_to_1(&self) -> bool {
        let results = -self.atol..=1.0 + self.atol;
        let is_other = |i: usize| self.x[i].is_finite() && !results.contains(&self.y[i]);
        any_index(self.x.len(), is_other).is_none()
    }

    /// The match in the first precision in which every element agrees. If there is none, the match in the precision in
    /// which the fewest elements of a sample differ.
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
        // Where the sample differs already, no precision fits. Looking at all of long data in each precision would take
        // a while.
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
    pub(super) fn agrees(&self, i: usize, definition: HardSigmoid, precision: Precision, heeds_gradient: bool) -> bool {
        let x = self.x[i];
        let gradient = self.gradient.filter(|_| heeds_gradient);
        self.same(self.y[i], precision.forward(definition, x))
            && gradient.is_none_or(|Gradient { g, dx }| {
                let expected = precision.backward(definition, x, g[i]);
                self.same(dx[i], expected) || is_flushed(dx[i], expected)
            })
    }

    pub(super) fn match_of(&self, definition: HardSigmoid, precision: Precision) -> Match {
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

    pub(super) fn same(&self, actual: f32, expected: f32) -> bool {
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

    pub(super) fn at_kinks(&self, judged: &Match) -> KinkCounts {
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

pub(super) fn is_same(actual: f32, expected: f32, atol: f32) -> bool {
    equal(actual, expected) || (actual - expected).abs() <= atol
}

fn equal(actual: f32, expected: f32) -> bool {
    actual == expected || (actual.is_nan() && expected.is_nan())
}

/// Whether a gradient is zero where a subnormal is expected, or a number that may be a subnormal before rounding.
fn is_flushed(actual: f32, expected: f32) -> bool {
    actual == 0.0 && expected.abs() <= f32::MIN_POSITIVE
}
