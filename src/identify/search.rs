//! The exact search for `alpha` and `beta`, if no preset gives the numbers.

use crate::{
    identify::{Data, Match, Precision, Rounding},
    math::{
        definition::{HardSigmoid, KinkRule},
        dtype::DType,
    },
};
use half::{bf16, f16};
use std::collections::HashSet;

pub(super) enum Found {
    /// The shortest `alpha` and `beta` that give every bit; if none do, every bit of `y`.
    One(Match),
    /// Fewer than two elements lie on the slope.
    TooFew,
    None,
}

/// The most pairs that are tried for each precision.
const TRIED: usize = 1 << 20;

/// The most elements that are compared in all, which takes some seconds.
const COMPARED: u64 = 1 << 30;

/// Searches for `alpha` and `beta` that give `dx` too; if there are none and `for_y_alone` is set, for those that give
/// `y`.
pub(super) fn affine(data: &Data, for_y_alone: bool) -> Found {
    let elements = || data.x.iter().zip(data.y);
    if elements().any(|(x, y)| x.is_finite() && !(0.0..=1.0).contains(y)) {
        return Found::None;
    }
    let precisions = data.precisions.iter();
    // In f32, rounding each operation is what the definition does.
    let differs = |one: &&Precision| one.rounding != Rounding::EachOperation || one.output != DType::F32;
    let mut is_determined = false;
    let mut searched = vec![];
    for &precision in precisions.filter(differs) {
        let Some((first, last)) = ends_of_slope(data, precision) else {
            continue;
        };
        is_determined = true;
        let constraints = Constraints::new(data, precision, first, last).narrowed();
        searched.extend(constraints.map(|constraints| (precision, constraints)));
    }
    if !is_determined {
        return Found::TooFew;
    }
    // All kink rules have the same y; the gradient, if there is one, tells which it is.
    let with_gradient = data.gradient.map(|_| (true, KinkRule::ALL));
    let without = (for_y_alone || data.gradient.is_none()).then_some((false, &[KinkRule::Strict][..]));
    let mut compared = with_gradient.into_iter().chain(without);
    let found = compared.find_map(|(heeds_gradient, rules)| {
        let trial = Trial {
            data,
            heeds_gradient,
            suspect: 0,
            left: COMPARED,
        };
        trial.of(&searched, rules)
    });
    match found {
        Some((definition, precision)) => Found::One(data.match_of(definition, precision)),
        None => Found::None,
    }
}

/// Compares as few elements as it can.
struct Trial<'a> {
    data: &'a Data<'a>,
    heeds_gradient: bool,
    /// The element that differed last: it's likely to do so again.
    suspect: usize,
    /// Comparisons that are left.
    left: u64,
}

impl Trial<'_> {
    /// The first definition that fits. Short numbers are tried first.
    fn of(mut self, searched: &[(Precision, Constraints)], rules: &[KinkRule]) -> Option<(HardSigmoid, Precision)> {
        for numbers in [short_within, all_within] {
            for (precision, constraints) in searched {
                for (alpha, beta) in constraints.pairs(numbers).take(TRIED) {
                    let definitions = rules
                        .iter()
                        .filter_map(|&kinks| HardSigmoid::affine(alpha, beta, kinks).ok());
                    for definition in definitions {
                        if self.fits(definition, *precision) {
                            return Some((definition, *precision));
                        }
                    }
                    if self.left == 0 {
                        return None;
                    }
                }
            }
        }
        None
    }

    fn fits(&mut self, definition: HardSigmoid, precision: Precision) -> bool {
        for i in std::iter::once(self.suspect).chain(0..self.data.x.len()) {
            let agrees = self.data.agrees(i, definition, precision, self.heeds_gradient);
            if self.left == 0 || !agrees {
                self.suspect = i;
                return false;
            }
            self.left -= 1;
        }
        true
    }
}

/// The two elements of the slope that are farthest apart: they determine `alpha` best.
fn ends_of_slope(data: &Data, precision: Precision) -> Option<((f32, f32), (f32, f32))> {
    let on_slope = data
        .inputs(precision)
        .filter(|(x, y)| x.is_finite() && *y > 0.0 && *y < 1.0);
    let by_x = |a: &(f32, f32), b: &(f32, f32)| a.0.total_cmp(&b.0);
    let (first, last) = (on_slope.clone().min_by(by_x)?, on_slope.max_by(by_x)?);
    (first.0 != last.0).then_some((first, last))
}

/// The condition of each element on `alpha` and `beta`: `low <= alpha·x + beta <= high`, a little wider than roundings
/// may be, so that no pair is lost. The few pairs that are left are tried.
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

impl Constraints {
    /// The constraints of a sample, and of the elements at the ends of the slope.
    fn new(data: &Data, precision: Precision, first: (f32, f32), last: (f32, f32)) -> Self {
        let run = f64::from(last.0) - f64::from(first.0);
        let slope = f64::from(last.1 - first.1) / run;
        // The parameters and the product may be rounded too, and the sum before it is rounded to a half float.
        let unit = match precision.rounding {
            Rounding::AsDefined | Rounding::Fused => f64::from(f32::EPSILON),
            Rounding::EachOperation | Rounding::EachOperationAndFactor => 2.0 * f64::from(precision.output.epsilon()),
        };
        let constraint = |(x, y): (f32, f32)| {
            let ((below, above), x, y) = (neighbours(precision.output, y), f64::from(x), f64::from(y));
            let slack = ((slope * x).abs() + y) * unit;
            Constraint {
                x,
                low: if y <= 0.0 {
                    f64::NEG_INFINITY
                } else {
                    f64::midpoint(below, y) - slack
                },
                high: if y >= 1.0 {
                    f64::INFINITY
                } else {
                    f64::midpoint(y, above) + slack
                },
            }
        };
        let finite = data.inputs(precision).filter(|(x, _)| x.is_finite());
        let mut all: Vec<_> = finite.step_by(data.sample_step()).map(constraint).collect();
        let (a, b) = (constraint(first), constraint(last));
        let alpha = ((b.low - a.high) / run, (b.high - a.low) / run);
        all.extend([a, b]);
        Self { all, alpha }
    }

    /// The range of `beta` that fits `alpha`; it is empty if its first end is larger.
    fn beta(&self, alpha: f64) -> (f64, f64) {
        self.all
            .iter()
            .fold((f64::NEG_INFINITY, f64::INFINITY), |(low, high), c| {
                (low.max(c.low - alpha * c.x), high.min(c.high - alpha * c.x))
            })
    }

    /// Keeps only the `alpha` that some `beta` fits. The room for `beta` is a concave function of `alpha`.
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

    /// Every pair of the numbers that `numbers` finds in a range.
    fn pairs(&self, numbers: fn((f64, f64)) -> Vec<f32>) -> impl Iterator<Item = (f32, f32)> {
        numbers(self.alpha).into_iter().flat_map(move |alpha| {
            let betas = numbers(self.beta(f64::from(alpha)));
            betas.into_iter().map(move |beta| (alpha, beta))
        })
    }
}

/// The numbers next to `y`.
fn neighbours(element: DType, y: f32) -> (f64, f64) {
    let y = y + 0.0;
    let bits_of = |y: f32| match element {
        DType::F32 => y.to_bits(),
        DType::F16 => f16::from_f32(y).to_bits().into(),
        DType::Bf16 => bf16::from_f32(y).to_bits().into(),
    };
    let number = |bits: u32| match element {
        DType::F32 => f32::from_bits(bits),
        DType::F16 => f16::from_bits(bits as u16).to_f32(),
        DType::Bf16 => bf16::from_bits(bits as u16).to_f32(),
    };
    let bits = bits_of(y);
    (number(bits.saturating_sub(1)).into(), number(bits + 1).into())
}

/// Numbers within the range that a person would write: 0, decimals of up to four digits, and fractions of small
/// numbers.
fn short_within(range: (f64, f64)) -> Vec<f32> {
    let middle = f64::midpoint(range.0, range.1);
    let fractions = (1..=12).map(|divisor| (middle * f64::from(divisor)).round() / f64::from(divisor));
    let candidates = std::iter::once(0.0)
        .chain(decimals_within(range, 1))
        .chain(decimals_within(range, 2))
        .chain(fractions)
        .chain((3..=4).flat_map(|digits| decimals_within(range, digits)));
    once_each(range, candidates)
}

/// Short numbers, longer decimals, and every `f32` within the range, but no more than may be tried.
fn all_within(range: (f64, f64)) -> Vec<f32> {
    let (low, high) = range;
    let first = low as f32;
    let first = if f64::from(first) < low { first.next_up() } else { first };
    let every = std::iter::successors(Some(first), |number| Some(number.next_up()))
        .take_while(|&number| f64::from(number) <= high)
        .take(1 << 10);
    let short = short_within(range).into_iter().map(f64::from);
    let longer = (5..=9).flat_map(|digits| decimals_within(range, digits));
    once_each(range, short.chain(longer).chain(every.map(f64::from)))
}

/// Decimals within the range, with `digits` significant digits in the end of larger magnitude; only the middle ones if there
/// are many.
fn decimals_within((low, high): (f64, f64), digits: i32) -> Vec<f64> {
    const MANY: f64 = 64.0;
    let largest = low.abs().max(high.abs());
    if !largest.is_finite() || largest == 0.0 {
        return vec![];
    }
    let exponent = largest.log10().floor() as i32 + 1 - digits;
    let unit = 10f64.powi(exponent);
    let middle = (f64::midpoint(low, high) / unit).round();
    let first = (low / unit).floor().max(middle - MANY / 2.0) as i64;
    let last = (high / unit).ceil().min(middle + MANY / 2.0) as i64;
    // Parsed from text, since a product with the unit would be off by a rounding.
    let numbers = (first..=last).map(|number| format!("{number}e{exponent}").parse());
    numbers.map(|number| number.expect("is a number")).collect()
}

fn once_each((low, high): (f64, f64), numbers: impl Iterator<Item = f64>) -> Vec<f32> {
    let mut seen = HashSet::new();
    let numbers = numbers.map(|number| number as f32);
    let within = numbers.filter(|&number| (low..=high).contains(&f64::from(number)));
    within.filter(|number| seen.insert(number.to_bits())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_next_to_it() {
        assert_eq!(
            neighbours(DType::F16, 1.0),
            (1.0 - 2f64.powi(-11), 1.0 + 2f64.powi(-10))
        );
        assert_eq!(neighbours(DType::Bf16, 0.0), (0.0, 2f64.powi(-133)));
        assert_eq!(neighbours(DType::F32, 0.5).1, 0.5 + 2f64.powi(-24));
    }

    #[test]
    fn short_numbers_come_first() {
        assert_eq!(short_within((0.189, 0.211))[..3], [0.2, 0.19, 0.21]);
        assert_eq!(short_within((-0.301, -0.298))[..2], [-0.3, -0.301]);
        assert_eq!(short_within((-1e-9, 1e-9))[0], 0.0);
        assert_eq!(short_within((1.0, -1.0)), []);
        assert_eq!(short_within((0.166_666_66, 0.166_666_68)), [1.0 / 6.0]);
        assert_eq!(all_within((0.5, 0.5 + 7e-8)), [0.5, 0.5f32.next_up()]);
    }
}
