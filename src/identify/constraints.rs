//! What the data say of `alpha` and `beta`.

/// The conditions of some elements: `low <= alpha·x + beta <= high` for each. A condition that others imply is left
/// out, so only a few remain of any number of elements.
#[derive(Clone)]
pub(super) struct Conditions {
    lows: Vec<Point>,
    highs: Vec<Point>,
}

/// An `x`, and an end of the range of `alpha·x + beta` at this `x`.
type Point = (f64, f64);

/// The ends of the range of `alpha·x + beta` at one `x`; infinite where there is none.
#[derive(Clone, Copy)]
pub(super) struct Condition {
    pub x: f64,
    pub low: f64,
    pub high: f64,
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(all: I) -> Self {
        let (mut lows, mut highs) = (vec![], vec![]);
        for Condition { x, low, high } in all {
            if low.is_finite() {
                lows.push((x, low));
            }
            if high.is_finite() {
                highs.push((x, high));
            }
        }
        Self::of(lows, highs)
    }
}

impl Conditions {
    fn of(lows: Vec<Point>, highs: Vec<Point>) -> Self {
        let mirrored = |points: Vec<Point>| points.into_iter().map(|(x, end)| (x, -end)).collect();
        Self {
            lows: upper_hull(lows),
            highs: mirrored(upper_hull(mirrored(highs))),
        }
    }
}

/// Conditions with the range of `alpha` that they leave.
#[derive(Clone)]
pub(super) struct Constraints {
    conditions: Conditions,
    /// The smallest and the largest `alpha` that they leave.
    pub alpha: (f64, f64),
}

impl Constraints {
    /// Makes the constraints of the conditions of all parts of the data, and of two elements with finite ranges,
    /// `first` at the smaller `x`.
    pub fn new(parts: impl IntoIterator<Item = Conditions>, first: Condition, last: Condition) -> Self {
        let run = last.x - first.x;
        let (mut lows, mut highs) = (vec![], vec![]);
        for part in parts.into_iter().chain([[first, last].into_iter().collect()]) {
            lows.extend(part.lows);
            highs.extend(part.highs);
        }
        Self {
            conditions: Conditions::of(lows, highs),
            alpha: ((last.low - first.high) / run, (last.high - first.low) / run),
        }
    }

    /// The range of `beta` that fits `alpha`. It is empty if its first end is larger than its second.
    pub fn beta(&self, alpha: f64) -> (f64, f64) {
        let at = |&(x, end): &Point| end - alpha * x;
        (
            self.conditions.lows.iter().map(at).fold(f64::NEG_INFINITY, f64::max),
            self.conditions.highs.iter().map(at).fold(f64::INFINITY, f64::min),
        )
    }

    /// How long the range of `beta` is: a concave function of `alpha`.
    fn room(&self, alpha: f64) -> f64 {
        let (low, high) = self.beta(alpha);
        high - low
    }

    /// Keeps only the `alpha` that some `beta` fits, and returns the largest room for `beta`. `None` if nothing fits.
    pub fn narrowed(mut self) -> Option<(Self, f64)> {
        let best = peak(self.alpha, |alpha| self.room(alpha));
        let room = self.room(best);
        if room < 0.0 {
            return None;
        }
        let edge = |mut outside: f64| {
            let mut inside = best;
            for _ in 0..100 {
                let middle = f64::midpoint(inside, outside);
                if self.room(middle) < 0.0 {
                    outside = middle
                } else {
                    inside = middle
                }
            }
            inside
        };
        self.alpha = (edge(self.alpha.0), edge(self.alpha.1));
        Some((self, room))
    }

    /// The range of every `beta` that fits some `alpha`.
    pub fn any_beta(&self) -> (f64, f64) {
        let (low, high) = (|alpha| self.beta(alpha).0, |alpha| self.beta(alpha).1);
        (low(peak(self.alpha, |alpha| -low(alpha))), high(peak(self.alpha, high)))
    }

    /// Copies the constraints with each range shorter by `by` at both ends.
    pub fn shortened(&self, by: f64) -> Self {
        let mut shorter = self.clone();
        shorter.conditions.lows.iter_mut().for_each(|(_, low)| *low += by);
        shorter.conditions.highs.iter_mut().for_each(|(_, high)| *high -= by);
        shorter
    }
}

/// Where a concave function is largest.
fn peak((mut low, mut high): (f64, f64), of: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..100 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if of(a) < of(b) { low = a } else { high = b }
    }
    f64::midpoint(low, high)
}

/// The points that a line above all of them may touch.
fn upper_hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull: Vec<Point> = vec![];
    for point in points {
        while let [.., a, b] = hull[..] {
            let is_above = (b.1 - a.1) * (point.0 - a.0) > (point.1 - a.1) * (b.0 - a.0);
            if is_above {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hull_has_every_point_that_a_line_may_touch() {
        let points = vec![(4.0, 0.0), (1.0, -1.0), (2.0, 1.0), (0.0, 0.0), (2.0, 0.5), (3.0, 0.5)];
        assert_eq!(upper_hull(points), [(0.0, 0.0), (2.0, 1.0), (4.0, 0.0)]);
    }

    /// The conditions of all elements, in parts, give the same ranges as the two elements that matter.
    #[test]
    fn the_ranges_are_those_of_all_elements() {
        let at = |x: f64| Condition {
            x,
            low: 0.25 * x + 0.4375,
            high: 0.25 * x + 0.5625,
        };
        let part = |start: i32| (start..start + 100).map(|i| at(f64::from(i) / 500.0)).collect();
        let parts = (-500..500).step_by(100).map(part);
        let (ends, _) = Constraints::new(parts, at(-0.5), at(1.0)).narrowed().unwrap();
        let rounded = |(low, high): (f64, f64)| (low as f32, high as f32);
        assert_eq!(rounded(ends.alpha), (0.1875, 0.3125));
        assert_eq!(rounded(ends.any_beta()), (0.4375, 0.5625));
        // Nothing fits if the ranges are shorter than nothing.
        let (half, room) = ends.shortened(0.03125).narrowed().unwrap();
        assert_eq!(rounded(half.alpha), (0.21875, 0.28125));
        assert_eq!(room as f32, 0.0625);
        assert!(ends.shortened(0.07).narrowed().is_none());
    }
}
