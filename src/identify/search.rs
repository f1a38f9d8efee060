//! The search for `alpha` and `beta`, if no preset gives the numbers.

use crate::{
    identify::{
        constraints::{Condition, Conditions, Constraints},
        data::Data,
        parts::{any_index, of_parts},
        precision::{Precision, Rounding},
        result::{Match, NEAR, Ranges, is_few},
    },
    math::{
        definition::{HardSigmoid, KinkRule},
        dtype::DType,
    },
};
use half::{bf16, f16};
use std::{collections::HashSet, ops::Range};

pub(super) enum Found {
    /// The shortest `alpha` and `beta` that give every bit. If no pair does, the shortest that give every bit of `y`.
    One(Match),
    /// Fewer than two elements lie on the slope, or no other element tests them.
    TooFew,
    None,
}

/// The most pairs that are tried for each precision.
const TRIED: usize = 1 << 20;

/// The most elements that are compared in all, which takes some seconds. Longer data are compared once.
const COMPARED: u64 = 1 << 30;

/// Searches for `alpha` and `beta` that give `dx` too; if there are none and `for_y_alone` is set, for those that give
/// `y`.
pub(super) fn affine(data: &Data, for_y_alone: bool) -> Found {
    if !data.is_from_0_to_1() {
        return Found::None;
    }
    let precisions = data.precisions.iter();
    // In f32, rounding each operation is what the definition does.
    let differs = |one: &&Precision| one.rounding != Rounding::EachOperation || one.output != DType::F32;
    let mut ends = vec![];
    let mut searched = vec![];
    for &precision in precisions.filter(differs) {
        // To find the ends of the slope takes a while in long data, so it is done once for each input type.
        let known = ends.iter().find(|(input, _)| *input == precision.input);
        let found = known.map_or_else(|| ends_of_slope(data, precision.input), |(_, found)| *found);
        ends.push((precision.input, found));
        let Some((first, last)) = found else {
            continue;
        };
        let constraints = exact(data, precision, first, last).narrowed();
        searched.extend(constraints.map(|(constraints, _)| (precision, constraints)));
    }
    if ends.iter().all(|(_, found)| found.is_none()) {
        return Found::TooFew;
    }
    match first_that_fits(data, &searched, for_y_alone) {
        Some((definition, precision)) => Found::One(data.match_of(definition, precision)),
        None => Found::None,
    }
}

/// Searches for `alpha` and `beta` that give `dx` too within the tolerance of `data`; if there are none and
/// `for_y_alone` is set, for those that give `y`.
///
/// It takes the shortest of the pairs that are at most twice as far from `y` as the nearest pair. A tolerance above the
/// data's noise would otherwise give shorter numbers than the data allow.
pub(super) fn affine_within(data: &Data, for_y_alone: bool) -> (Found, Option<Ranges>) {
    shortest_within(data, for_y_alone, 2.0)
}

/// Takes the shortest of the pairs that are at most `times` as far from `y` as the nearest.
fn shortest_within(data: &Data, for_y_alone: bool, times: f64) -> (Found, Option<Ranges>) {
    if !data.is_from_0_to_1() {
        return (Found::None, None);
    }
    let Some((first, last)) = ends_of_slope(data, DType::F32) else {
        return (Found::TooFew, None);
    };
    match fitted(data, first, last, for_y_alone, times) {
        Some((found, ranges)) => (Found::One(found), Some(ranges)),
        None => (Found::None, None),
    }
}

/// The pair of [`shortest_within`], and the ranges of all pairs, from the elements at the ends of the slope.
fn fitted(data: &Data, first: (f32, f32), last: (f32, f32), for_y_alone: bool, times: f64) -> Option<(Match, Ranges)> {
    let atol = f64::from(data.atol);
    let condition = |(x, y): (f32, f32)| {
        let (x, low, high) = (f64::from(x), f64::from(y) - atol, f64::from(y) + atol);
        Condition {
            x,
            // What is beyond the limits is clamped.
            low: if low > 0.0 { low } else { f64::NEG_INFINITY },
            high: if high < 1.0 { high } else { f64::INFINITY },
        }
    };
    let of = |elements: &mut dyn Iterator<Item = usize>| -> Conditions {
        let finite = elements.filter(|&i| data.x[i].is_finite());
        finite.map(|i| condition((data.x[i], data.y[i]))).collect()
    };
    let narrowed = |parts| Constraints::new(parts, condition(first), condition(last)).narrowed();
    // A sample soon shows that nothing fits.
    narrowed(vec![of(&mut (0..data.x.len()).step_by(data.sample_step()))])?;
    let (constraints, room) = narrowed(of_parts(data.x.len(), |mut part| of(&mut part)))?;
    let plainest = data.precisions[0];
    let nearest = atol - 0.5 * room;
    let distance = (times * nearest).max(f32::EPSILON.into()).min(atol);
    let near = constraints.shortened(atol - distance).narrowed();
    let near: Vec<_> = near.map(|(near, _)| (plainest, near)).into_iter().collect();
    let ranges = Ranges {
        alpha: constraints.alpha,
        beta: constraints.any_beta(),
    };
    let (definition, precision) = first_that_fits(data, &near, for_y_alone)
        .or_else(|| first_that_fits(data, &[(plainest, constraints)], for_y_alone))?;
    Some((data.match_of(definition, precision), ranges))
}

/// The `alpha` and `beta` that most elements are near to. This is for data in which a few elements are wrong, and for
/// data that came without a tolerance, or with one that is too small. It looks at a sample.
pub(super) fn affine_of_most(data: &Data) -> Option<Match> {
    let sample: Vec<_> = data.inputs(DType::F32).step_by(data.sample_step()).collect();
    let (alpha, beta) = median_line(&sample)?;
    let far = |&(x, y): &(f32, f32)| {
        let difference = (f64::from(y) - (alpha * f64::from(x) + beta).clamp(0.0, 1.0)).abs();
        if x.is_nan() && y.is_nan() { 0.0 } else { difference }
    };
    let is_near = |element: &&(f32, f32)| far(element) <= f64::from(NEAR);
    // All elements but a few are near the line. All but a few of these are nearer still.
    let mut distances: Vec<_> = sample.iter().filter(is_near).map(far).collect();
    if !is_few(sample.len() - distances.len(), sample.len()) {
        return None;
    }
    distances.sort_unstable_by(f64::total_cmp);
    let usual = *distances.get(distances.len() * 9 / 10)?;
    let largest = (10.0 * usual)
        .max(f64::from(data.atol))
        .max(4.0 * f64::from(f32::EPSILON));
    let (x, y): (Vec<_>, Vec<_>) = sample.iter().filter(|element| far(element) <= largest).copied().unzip();
    let mut most = Data::new(&x, &y, None);
    let found = match affine(&most, false) {
        Found::One(found) => Some(found),
        _ => {
            most.atol = (largest as f32).max(data.atol);
            // The report calls this pair the nearest, so it has to be near the nearest pair.
            match shortest_within(&most, false, 1.05) {
                (Found::One(found), _) => Some(found),
                _ => None,
            }
        }
    };
    found.map(|found| data.match_of(found.definition, found.precision))
}

/// A line through the elements of the slope, which a few of them can't move. Its slope is the median of the slopes
/// between two elements, and its height is the median of the elements' heights (the method of Theil and Sen).
fn median_line(sample: &[(f32, f32)]) -> Option<(f64, f64)> {
    // Elements near 0 and 1 may be clamped ones with noise.
    let slope = NEAR..1.0 - NEAR;
    let on_slope = sample.iter().filter(|(x, y)| x.is_finite() && slope.contains(y));
    let mut on_slope: Vec<_> = on_slope.map(|&(x, y)| (f64::from(x), f64::from(y))).collect();
    on_slope.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (left, right) = on_slope.split_at(on_slope.len() / 2);
    let pairs = left.iter().zip(right).filter(|(a, b)| a.0 < b.0);
    let alpha = median(pairs.map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect())?;
    let beta = median(on_slope.iter().map(|(x, y)| y - alpha * x).collect())?;
    Some((alpha, beta))
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// The first pair that fits `dx` too, with the kink rule that fits. If there is none and `for_y_alone` is set, the
/// first pair that fits `y`.
fn first_that_fits(
    data: &Data,
    searched: &[(Precision, Constraints)],
    for_y_alone: bool,
) -> Option<(HardSigmoid, Precision)> {
    // All kink rules have the same y; the gradient, if there is one, tells which it is.
    let with_gradient = data.gradient.map(|_| (true, KinkRule::ALL));
    let without = (for_y_alone || data.gradient.is_none()).then_some((false, &[KinkRule::Strict][..]));
    let mut compared = with_gradient.into_iter().chain(without);
    compared.find_map(|(heeds_gradient, rules)| {
        let trial = Trial {
            data,
            heeds_gradient,
            suspect: 0,
            left: COMPARED.max(2 * data.x.len() as u64),
        };
        trial.of(searched, rules)
    })
}

/// Compares as few elements as it can.
struct Trial<'a> {
    data: &'a Data<'a>,
    heeds_gradient: bool,
    /// The element that differed last, which is likely to differ again.
    suspect: usize,
    /// Comparisons that are left.
    left: u64,
}

impl Trial<'_> {
    /// The first definition that fits. Pairs of short numbers are tried first.
    fn of(mut self, searched: &[(Precision, Constraints)], rules: &[KinkRule]) -> Option<(HardSigmoid, Precision)> {
        for numbers in [short_within, all_within] {
            for (precision, constraints) in searched {
                for (alpha, beta) in pairs(constraints, numbers).take(TRIED) {
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
fn ends_of_slope(data: &Data, input: DType) -> Option<((f32, f32), (f32, f32))> {
    let slope = data.atol..1.0 - data.atol;
    let wider = |ends: Option<[usize; 2]>, [first, last]: [usize; 2]| {
        let [low, high] = ends.unwrap_or([first, last]);
        let first = if data.x[first] < data.x[low] { first } else { low };
        let last = if data.x[last] > data.x[high] { last } else { high };
        Some([first, last])
    };
    let of_part = |part: Range<usize>| {
        let is_on_slope = |&i: &usize| {
            let (x, y) = (input.rounded(data.x[i]), data.y[i]);
            x.is_finite() && y > slope.start && y < slope.end
        };
        part.filter(is_on_slope).map(|i| [i, i]).fold(None, wider)
    };
    let ends = of_parts(data.x.len(), of_part)
        .into_iter()
        .flatten()
        .fold(None, wider)?;
    let [first, last] = ends.map(|i| (input.rounded(data.x[i]), data.y[i]));
    // Two elements lie on some line; another one has to test it, also one that is clamped.
    let tests = |i: usize| {
        let (x, y) = (input.rounded(data.x[i]), data.y[i]);
        x.is_finite() && x != first.0 && x != last.0 && !y.is_nan()
    };
    (first.0 != last.0 && any_index(data.x.len(), tests).is_some()).then_some((first, last))
}

/// The constraints of a sample, and of the elements at the ends of the slope. They are a little wider than roundings
/// may be, so that no pair is lost. The few pairs that are left are tried.
fn exact(data: &Data, precision: Precision, first: (f32, f32), last: (f32, f32)) -> Constraints {
    let slope = f64::from(last.1 - first.1) / (f64::from(last.0) - f64::from(first.0));
    // The parameters and the product may be rounded too, and the sum before it is rounded to a half float.
    let unit = match precision.rounding {
        Rounding::AsDefined | Rounding::Fused | Rounding::Double | Rounding::DoubleOfSingles => f64::from(f32::EPSILON),
        Rounding::EachOperation | Rounding::EachOperationAndFactor => 2.0 * f64::from(precision.output.epsilon()),
    };
    let condition = |(x, y): (f32, f32)| {
        let ((below, above), x, y) = (neighbours(precision.output, y), f64::from(x), f64::from(y));
        let slack = ((slope * x).abs() + y) * unit;
        Condition {
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
    let finite = data.inputs(precision.input).filter(|(x, _)| x.is_finite());
    let sample = finite.step_by(data.sample_step()).map(condition).collect();
    Constraints::new([sample], condition(first), condition(last))
}

/// Every pair of an `alpha` and a `beta` that `numbers` finds in their ranges.
fn pairs(constraints: &Constraints, numbers: fn((f64, f64)) -> Vec<f32>) -> impl Iterator<Item = (f32, f32)> {
    numbers(constraints.alpha).into_iter().flat_map(move |alpha| {
        let betas = numbers(constraints.beta(f64::from(alpha)));
        betas.into_iter().map(move |beta| (alpha, beta))
    })
}

/// The numbers below and above `y`.
fn neighbours(element: DType, y: f32) -> (f64, f64) {
    let y = y + 0.0;
    let bits_of = |y: f32| match element {
        DType::F32 => y.to_bits(),
        DType::F16 => f16::from_f32(y).to_bits().into(),
        DType::Bf16 => bf16::from_f32(y).to_bits().into(),
        DType::U8 => y as u32,
    };
    let number = |bits: u32| match element {
        DType::F32 => f32::from_bits(bits),
        DType::F16 => f16::from_bits(bits as u16).to_f32(),
        DType::Bf16 => bf16::from_bits(bits as u16).to_f32(),
        DType::U8 => bits as f32,
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

/// Decimals within the range. They are multiples of a power of ten, chosen so that the end of larger magnitude has
/// `digits` significant digits. If there are many, only the middle ones are given.
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
