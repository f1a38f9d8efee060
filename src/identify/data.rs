//! The data, and how far definitions agree with them.

use super::{
    function::Function,
    parts::{any_index, of_parts},
    precision::Precision,
    result::{Agreement, KinkCounts, Match, NEAR, is_few},
};
use crate::math::{
    definition::{HardSigmoid, KinkRule},
    dtype::DType,
};
use std::{borrow::Cow, ops::Range};

/// A gradient that goes with `x`.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a, T = f32> {
    /// The upstream gradient.
    pub g: &'a [T],
    /// The gradient with respect to `x`.
    pub dx: &'a [T],
}

/// The numbers that [`identify`](super::identify()) takes: `f32` and `f64`.
pub trait Real: sealed::Sealed + Copy + std::fmt::Display + Into<f64> + Send + Sync {
    #[doc(hidden)]
    fn singles(values: &[Self]) -> Cow<'_, [f32]>;

    /// The values as they are, if `f32` may not hold them.
    #[doc(hidden)]
    fn doubles(values: &[Self]) -> Option<&[f64]>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Real for f32 {
    fn singles(values: &[f32]) -> Cow<'_, [f32]> {
        values.into()
    }

    fn doubles(_: &[f32]) -> Option<&[f64]> {
        None
    }
}

impl Real for f64 {
    fn singles(values: &[f64]) -> Cow<'_, [f32]> {
        values.iter().map(|&value| value as f32).collect()
    }

    fn doubles(values: &[f64]) -> Option<&[f64]> {
        Some(values)
    }
}

/// Data in float64.
#[derive(Clone, Copy)]
struct Doubles<'a> {
    x: &'a [f64],
    y: &'a [f64],
    gradient: Option<[&'a [f64]; 2]>,
}

impl<'a> Doubles<'a> {
    /// The data, unless all of them are numbers of `f32`.
    fn of<T: Real>(x: &'a [T], y: &'a [T], gradient: Option<Gradient<'a, T>>) -> Option<Self> {
        let [x, y] = [T::doubles(x)?, T::doubles(y)?];
        let gradient = gradient.and_then(|Gradient { g, dx }| Some([T::doubles(g)?, T::doubles(dx)?]));
        let is_double = |value: f64| !value.is_nan() && f64::from(value as f32) != value;
        let mut all = [x, y].into_iter().chain(gradient.into_iter().flatten());
        let has_any = all.any(|values| any_index(values.len(), |i| is_double(values[i])).is_some());
        has_any.then_some(Self { x, y, gradient })
    }
}

/// The most elements that are looked at where a sample is enough.
const SAMPLE: usize = 1 << 16;

/// Numbers of `f32`, which may own what they were rounded to.
pub(super) struct Singles<'a> {
    x: Cow<'a, [f32]>,
    y: Cow<'a, [f32]>,
    gradient: Option<[Cow<'a, [f32]>; 2]>,
    doubles: Option<Doubles<'a>>,
}

impl<'a> Singles<'a> {
    pub(super) fn of<T: Real>(x: &'a [T], y: &'a [T], gradient: Option<Gradient<'a, T>>) -> Self {
        Self {
            x: T::singles(x),
            y: T::singles(y),
            gradient: gradient.map(|Gradient { g, dx }| [T::singles(g), T::singles(dx)]),
            doubles: Doubles::of(x, y, gradient),
        }
    }

    pub(super) fn data(&self, function: Function) -> Data<'_> {
        let gradient = self.gradient.as_ref().map(|[g, dx]| Gradient { g, dx });
        let mut data = Data::new(&self.x, &self.y, gradient);
        data.function = function;
        if self.doubles.is_some() {
            data.doubles = self.doubles;
            data.precisions = Precision::DOUBLES.into();
        }
        let has_gradient = |one: &Precision| gradient.is_none() || one.has_gradient(function);
        data.precisions.retain(has_gradient);
        data
    }
}

pub(super) struct Data<'a> {
    pub(super) function: Function,
    pub(super) x: &'a [f32],
    pub(super) y: &'a [f32],
    pub(super) gradient: Option<Gradient<'a>>,
    doubles: Option<Doubles<'a>>,
    /// By how much `y` and `dx` may be off.
    pub(super) atol: f32,
    /// The precisions that the data may have, the plainest first.
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
            function: Function::HardSigmoid,
            x,
            y,
            gradient,
            doubles: None,
            atol: 0.0,
            precisions,
        }
    }

    /// Element `i` of `y`.
    pub(super) fn y(&self, i: usize) -> f64 {
        self.doubles.map_or_else(|| self.y[i].into(), |doubles| doubles.y[i])
    }

    /// What a definition gives for element `i` of `y`.
    pub(super) fn expected(&self, i: usize, definition: HardSigmoid, precision: Precision) -> f64 {
        match (self.doubles, precision.double()) {
            (Some(doubles), Some(double)) => double.forward(self.function, definition, doubles.x[i]),
            _ => precision.forward(self.function, definition, self.x[i]).into(),
        }
    }

    /// Element `i` of `dx`, and what a definition gives for it.
    fn gradients(&self, i: usize, definition: HardSigmoid, precision: Precision) -> Option<[f64; 2]> {
        let Gradient { g, dx } = self.gradient?;
        let doubles = self.doubles.and_then(|doubles| Some((doubles.x, doubles.gradient?)));
        Some(match (doubles, precision.double()) {
            (Some((x, [g, dx])), Some(double)) => [dx[i], double.backward(self.function, definition, x[i], g[i])],
            _ => [dx[i], precision.backward(self.function, definition, self.x[i], g[i])].map(f64::from),
        })
    }

    pub(super) fn best_matches(&self) -> Vec<Match> {
        let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
        // ONNX's HardSwish, and what PyTorch's exporter makes of its own.
        let of_onnx = HardSigmoid::affine(1.0 / 6.0, 0.5, KinkRule::Strict).ok();
        let of_onnx = of_onnx.filter(|_| self.function == Function::HardSwish);
        presets
            .chain(of_onnx)
            .map(|definition| self.best_match(definition))
            .collect()
    }

    /// The smallest and the largest finite `x`.
    pub(super) fn span(&self) -> Option<(f32, f32)> {
        let finite = self.x.iter().copied().filter(|x| x.is_finite());
        finite.fold(None, |span, x| {
            let (low, high) = span.unwrap_or((x, x));
            Some((x.min(low), x.max(high)))
        })
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
        let first = best.clone().next().expect("there is one");
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
        self.is_within(self.atol, i, definition, precision, heeds_gradient)
    }

    fn is_within(
        &self,
        limit: f32,
        i: usize,
        definition: HardSigmoid,
        precision: Precision,
        heeds_gradient: bool,
    ) -> bool {
        let (y, expected) = (self.y(i), self.expected(i, definition, precision));
        let agrees = |[dx, expected]: [f64; 2]| is_same(dx, expected, limit) || is_flushed(dx, expected);
        let gradients = || self.gradients(i, definition, precision);
        (is_same(y, expected, limit) || self.y_may_flush() && is_flushed(y, expected))
            && (!heeds_gradient || gradients().is_none_or(agrees))
    }

    /// A hard sigmoid is never subnormal.
    fn y_may_flush(&self) -> bool {
        self.function == Function::HardSwish
    }

    pub(super) fn match_of(&self, definition: HardSigmoid, precision: Precision) -> Match {
        let precision = match self.doubles {
            Some(_) if precision.double().is_none() => self.precisions[0],
            _ => precision,
        };
        let forward = self.agreement(self.y_may_flush(), |i| {
            [self.y(i), self.expected(i, definition, precision)]
        });
        let gradients = |i| self.gradients(i, definition, precision).expect("there is one");
        let backward = self.gradient.map(|_| self.agreement(true, gradients));
        Match {
            definition,
            precision,
            forward,
            backward,
        }
    }

    /// How far the numbers that `pair` gives of each element agree.
    fn agreement(&self, may_flush: bool, pair: impl Fn(usize) -> [f64; 2] + Sync + Send) -> Agreement {
        let of_part = |part: Range<usize>| {
            let (mut agreement, mut sum) = (Agreement::default(), 0.0);
            for i in part {
                let [actual, expected] = pair(i);
                if equal(actual, expected) {
                    continue;
                }
                if may_flush && is_flushed(actual, expected) {
                    agreement.flushed += 1;
                    continue;
                }
                agreement.differing += usize::from(!is_same(actual, expected, self.atol));
                let difference = (actual - expected).abs();
                let difference = if difference.is_nan() { f64::INFINITY } else { difference };
                sum += difference.min(1.0);
                agreement.add_largest((difference as f32, i));
            }
            (agreement, sum)
        };
        let (mut all, mut sum) = (Agreement::default(), 0.0);
        for (part, of_part) in of_parts(self.x.len(), of_part) {
            all.differing += part.differing;
            all.flushed += part.flushed;
            part.largest.into_iter().for_each(|largest| all.add_largest(largest));
            sum += of_part;
        }
        all.compared = self.x.len();
        all.mean = sum / self.x.len().max(1) as f64;
        all
    }

    /// Whether no `y` differs from a match by more than a rounding.
    pub(super) fn differs_by_roundings(&self, of: &Match) -> bool {
        any_index(self.x.len(), |i| !self.is_rounding(i, of)).is_none()
    }

    /// Whether element `i` of `y` differs from a match by a rounding at most. A hard swish may be large.
    fn is_rounding(&self, i: usize, of: &Match) -> bool {
        let expected = self.expected(i, of.definition, of.precision);
        let (y, size) = (self.y(i), expected.abs().max(1.0));
        equal(y, expected) || size.is_finite() && (y - expected).abs() <= f64::from(self.epsilon(of)) * size
    }

    fn epsilon(&self, of: &Match) -> f32 {
        match self.doubles {
            Some(_) => f64::EPSILON as f32,
            None => of.precision.output.epsilon(),
        }
    }

    /// The elements that are far from a match while all others are near it, and how near those are. `None` if they aren't few.
    pub(super) fn outliers(&self, nearest: &Match) -> Option<(Vec<usize>, f32)> {
        // Where no gradient passes, most definitions agree, so it says little that many of these elements do.
        if let (Some(Gradient { dx, .. }), Some(backward)) = (self.gradient, nearest.backward) {
            let passing = dx.iter().filter(|dx| **dx != 0.0).count();
            if !is_few(backward.differing, passing) {
                return None;
            }
        }
        let rounding = self.epsilon(nearest);
        let larger = [rounding, 1e-6, 1e-5, 1e-4, 1e-3, NEAR].into_iter();
        // No one limit is near for hard swishes of every size.
        let is_one_size = self.function == Function::HardSigmoid;
        let larger = larger.filter(|&limit| is_one_size && limit > self.atol && limit >= rounding);
        let limits: Vec<_> = std::iter::once(self.atol).chain(larger).collect();
        let is_beyond = |limit: f32, i: usize| !self.is_within(limit, i, nearest.definition, nearest.precision, true);
        // The number of elements beyond each limit, but not beyond the next one.
        let of_part = |part: Range<usize>| {
            let mut counts = vec![0; limits.len()];
            for i in part {
                if let Some(last) = limits.iter().rposition(|&limit| is_beyond(limit, i)) {
                    counts[last] += 1;
                }
            }
            counts
        };
        let parts = of_parts(self.x.len(), of_part);
        let count = |at: usize| parts.iter().map(|counts| counts[at]).sum::<usize>();
        let beyond = |at: usize| (at..limits.len()).map(count).sum::<usize>();
        // Nothing is between the near ones and the far ones.
        let is_apart = |at: usize| at + 1 == limits.len() || count(at) == 0;
        let at = (0..limits.len()).find(|&at| is_few(beyond(at), self.x.len()) && is_apart(at))?;
        let far = |part: Range<usize>| part.filter(|&i| is_beyond(limits[at], i)).collect::<Vec<_>>();
        let outliers = of_parts(self.x.len(), far).concat();
        // Roundings of large numbers are no errors in the data.
        let has_errors = outliers.iter().any(|&i| is_one_size || !self.is_rounding(i, nearest));
        has_errors.then_some((outliers, limits[at]))
    }

    pub(super) fn at_kinks(&self, judged: &Match) -> KinkCounts {
        let Match {
            definition, precision, ..
        } = *judged;
        let mut at_kinks = KinkCounts::default();
        let Some(Gradient { g, dx }) = self.gradient.filter(|_| self.function == Function::HardSigmoid) else {
            return at_kinks;
        };
        for i in 0..self.x.len() {
            let (v, low, high) = match (self.doubles, precision.double()) {
                (Some(doubles), Some(double)) => double.gradient_window(definition, doubles.x[i]),
                _ => {
                    let (v, low, high) = precision.gradient_window(definition, precision.input.rounded(self.x[i]));
                    (v.into(), low.into(), high.into())
                }
            };
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

fn is_same(actual: f64, expected: f64, atol: f32) -> bool {
    equal(actual, expected) || (actual - expected).abs() <= atol.into()
}

fn equal(actual: f64, expected: f64) -> bool {
    actual == expected || (actual.is_nan() && expected.is_nan())
}

/// Whether a gradient is zero where a subnormal is expected, or a number that may be a subnormal before rounding.
fn is_flushed(actual: f64, expected: f64) -> bool {
    actual == 0.0 && expected.abs() <= f32::MIN_POSITIVE.into()
}
