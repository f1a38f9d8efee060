//! What [`identify`](super::identify) found.

use super::{function::Function, precision::Precision};
use crate::math::definition::HardSigmoid;
use std::fmt;

/// Whether `count` elements of `of` are so few that they may be errors in the data.
pub(super) fn is_few(count: usize, of: usize) -> bool {
    count <= of / 10
}

/// Differences below this are too small to tell curves apart. Roundings to a half float are smaller still.
pub(super) const NEAR: f32 = 0.01;

/// What [`identify`](super::identify) found. Its `Display` is the verdict in a few words.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Identification {
    /// Which function made the data. If none did, it is the hard sigmoid.
    pub function: Function,
    /// What made the data.
    pub verdict: Verdict,
    /// By how much `y` and `dx` may be off: 0 if the bits tell, else the given tolerance. For [`Verdict::Most`] it may be
    /// larger: all but [`outliers`](Self::outliers) are within it.
    pub within: f32,
    /// The elements whose `y` or `dx` is none of the verdict's, if it is [`Verdict::Most`].
    pub outliers: Vec<usize>,
    /// How far each preset agrees, in the order of [`HardSigmoid::PRESETS`]; then the `alpha` and `beta` that were
    /// found, if any. If the verdict is unknown, this pair gives every `y` but not `dx`, or it gives most `y`.
    pub matches: Vec<Match>,
    /// What the gradient does at the kinks.
    pub kinks: KinkCounts,
    /// If the verdict is [`Verdict::Affine`] within a tolerance, what else `alpha` and `beta` may be.
    pub ranges: Option<Ranges>,
    /// The smallest and the largest finite `x`.
    pub(super) span: Option<(f32, f32)>,
    /// Whether no `y` differs from the nearest definition by more than a rounding.
    pub(super) differs_by_roundings: bool,
}

/// The uncertainty of `alpha` and `beta`: how far a tolerance leaves them open, if `y` may be off by that much and by
/// no more. For each `alpha` in its range there is a `beta` with which every `y` stays within the tolerance, and for
/// each `beta` an `alpha`. No pair outside the ranges does that. If the noise is smaller than the tolerance, the ranges
/// are too wide, but they are never too narrow.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranges {
    /// The smallest and the largest `alpha`.
    pub alpha: (f64, f64),
    /// The smallest and the largest `beta`.
    pub beta: (f64, f64),
}

/// What made the data of [`identify`](super::identify).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// One preset and no other.
    Preset(HardSigmoid),
    /// Any of these presets: the data has no element that separates them. [`separation`](super::separation()) tells
    /// which element would.
    OneOf(Vec<HardSigmoid>),
    /// No preset, but this `alpha` and `beta`. They are the shortest numbers that give every bit. Within a tolerance
    /// they are the shortest of the pairs that are at most twice as far from `y` as the nearest pair. Without gradients
    /// at the kinks the kink rule is unknown, and given as strict.
    Affine(HardSigmoid),
    /// These give all elements but a few, at most a tenth: [`Identification::outliers`] has the others, which may be errors in the
    /// data.
    Most(Vec<HardSigmoid>),
    /// No preset, and fewer than two different `x` have a `y` strictly between 0 and 1, or two and there are no other elements:
    /// nothing tells `alpha` and `beta`, or nothing tests them.
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

    pub(super) fn differing(&self) -> usize {
        self.forward.differing + self.backward.map_or(0, |agreement| agreement.differing)
    }

    /// Whether `y` differs in a few elements, or in nothing but roundings.
    pub(super) fn is_near(&self) -> bool {
        let Agreement {
            compared,
            differing,
            largest,
            ..
        } = self.forward;
        is_few(differing, compared) || largest.is_some_and(|(largest, _)| largest <= self.precision.output.epsilon())
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
    /// The number of gradients, or of y of a hard swish, that are zero where the definition has a subnormal; they don't count as differing.
    pub flushed: usize,
    /// The largest difference and the element where it is; infinite if only one of the two numbers is NaN.
    pub largest: Option<(f32, usize)>,
    /// The mean difference, where each counts as 1 at most.
    pub(super) mean: f64,
}

impl Agreement {
    /// Keeps the larger difference, and the earlier one of two that are equal.
    pub(super) fn add_largest(&mut self, (difference, at): (f32, usize)) {
        if self.largest.is_none_or(|(largest, _)| difference > largest) {
            self.largest = Some((difference, at));
        }
    }
}

/// Counts of the elements where the kink rules differ: x is exactly at a kink, and the gradient there would be finite
/// and not tiny.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KinkCounts {
    /// The number of elements where the gradient passes.
    pub passed: usize,
    /// The number of elements where half of it passes, as at a tie in the minimum and maximum of JAX and candle.
    pub halved: usize,
    /// The number of elements where none of it passes.
    pub blocked: usize,
}

impl fmt::Display for Identification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definitions = self.verdict.definitions();
        if definitions.is_empty() {
            return write!(f, "unknown");
        }
        write!(f, "{}{}", self.function.before_name(), names(definitions))?;
        if self.within > 0.0 {
            write!(f, ", within {:?}", self.within)?;
        }
        if !self.outliers.is_empty() {
            let (count, compared) = (self.outliers.len(), self.nearest().forward.compared);
            write!(f, ", but for {count} of {compared} elements")?;
        }
        Ok(())
    }
}

/// How much of the data a verdict explains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    None,
    Most,
    All,
}

pub(super) fn names(definitions: &[HardSigmoid]) -> String {
    let names: Vec<_> = definitions.iter().map(HardSigmoid::to_string).collect();
    names.join(" or ")
}

impl Verdict {
    /// The verdict's name in JSON, in Python and in JavaScript: `preset`, `one_of`, `affine`, `most`,
    /// `underdetermined` or `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Preset(_) => "preset",
            Self::OneOf(_) => "one_of",
            Self::Affine(_) => "affine",
            Self::Most(_) => "most",
            Self::Underdetermined => "underdetermined",
            Self::Unknown => "unknown",
        }
    }

    /// The definitions that made the data: none, one, or several that the data can't tell apart.
    pub fn definitions(&self) -> &[HardSigmoid] {
        match self {
            Self::Preset(definition) | Self::Affine(definition) => std::slice::from_ref(definition),
            Self::OneOf(all) | Self::Most(all) => all,
            Self::Underdetermined | Self::Unknown => &[],
        }
    }

    pub(super) fn certainty(&self) -> Certainty {
        match self {
            Self::Preset(_) | Self::OneOf(_) | Self::Affine(_) => Certainty::All,
            Self::Most(_) => Certainty::Most,
            Self::Underdetermined | Self::Unknown => Certainty::None,
        }
    }
}

impl Identification {
    /// How far a definition agrees, if it is one of [`matches`](Self::matches).
    pub fn match_with(&self, definition: HardSigmoid) -> Option<&Match> {
        self.matches.iter().find(|one| one.definition == definition)
    }

    /// Whether no element of `y` is farther from the nearest definition than noise is.
    pub(super) fn is_nearly(&self) -> bool {
        self.nearest().forward.largest.is_none_or(|(largest, _)| largest < NEAR)
    }

    pub(super) fn is_nearer_than(&self, other: &Self) -> bool {
        self.nearest().forward.mean < other.nearest().forward.mean
    }

    /// The one of [`matches`](Self::matches) that is nearest to `y` in the mean. Each difference counts as 1 at most,
    /// so that a few wrong elements don't decide. Of several whose means differ by roundings only, it is the one that
    /// differs in the fewest elements.
    pub fn nearest(&self) -> &Match {
        nearest(&self.matches)
    }
}

pub(super) fn nearest(matches: &[Match]) -> &Match {
    // Noise decides between means that differ by a rounding.
    let is_nearer = |a: &Match, b: &Match| match a.forward.mean - b.forward.mean {
        difference if difference.abs() > f32::EPSILON.into() => difference < 0.0,
        _ => (a.forward.differing, a.differing()) < (b.forward.differing, b.differing()),
    };
    let nearer = |best, one| if is_nearer(one, best) { one } else { best };
    matches.iter().reduce(nearer).expect("there are presets")
}
