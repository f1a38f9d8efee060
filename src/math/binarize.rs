//! Binarization: which sign a number gets, and the gradient that is passed through.

use crate::math::{
    arithmetic::quieted,
    definition::HardSigmoid,
    finite::Finite,
    names::named,
    philox::{random_word, random_words},
};

/// How a number becomes a sign: the two ways of Courbariaux et al. 2016 (BinaryNet, arXiv 1602.02830), section 1.1.
///
/// NaN gives minus: neither `x >= 0` nor a random number below NaN is true.
///
/// ```
/// use hard_sigmoid::{Binarization, Unary, cpu};
///
/// let x = [-0.7_f32, -0.0, 0.2, 5.0];
/// let mut y = [0.0; 4];
/// cpu::unary(Unary::binarize(Binarization::Deterministic, 1.0)?, &x, &mut y)?;
/// assert_eq!(y, [-1.0, 1.0, 1.0, 1.0]);
///
/// // Plus with the probability (x + 1) / 2, here 0.15, 0.5, 0.6 and 1.
/// cpu::unary(Unary::binarize(Binarization::stochastic(42, 0), 1.0)?, &x, &mut y)?;
/// assert_eq!(y[3], 1.0);
/// // A seed and an offset give the same signs wherever they are computed.
/// let mut bits = [0];
/// cpu::pack(Binarization::stochastic(42, 0), &x, &mut bits)?;
/// assert!((0..4).all(|i| (y[i] == 1.0) == (bits[0] >> i & 1 == 1)));
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binarization {
    /// `+1` where `x >= 0`, else `-1`: equation 1. `x = -0` gives `+1`, as `x = 0` does.
    Deterministic,
    /// `+1` with probability `p`, the hard sigmoid of `x`, else `-1`: equation 2.
    ///
    /// Element `i` takes the random word `offset + i` of the stream of its seed, and is `+1` where `word / 2^32 < p`,
    /// compared exactly. So `p = 0` never gives `+1`, `p = 1` always does, and the probability is `p` rounded up to a
    /// multiple of 2^-32; a `p` of 2^-8 or more is such a multiple itself.
    ///
    /// The stream is Philox4x32-10 (Salmon et al. 2011), the generator of cuRAND, PyTorch and TensorFlow: word `w` is
    /// word `w mod 4` of the block whose counter is `w / 4` and whose key is the seed. It doesn't matter how a tensor
    /// is cut up: a part that starts at element `k` has the offset `offset + k`. Independent draws need different
    /// seeds, or offsets at least as far apart as the tensor is long.
    Stochastic {
        /// The hard sigmoid that gives the probability; the paper's is [`HardSigmoid::COURBARIAUX`].
        probability: HardSigmoid,
        /// The seed of the stream.
        seed: u64,
        /// The word of the stream that the first element takes. After its last word the stream starts over.
        offset: u64,
    },
}

impl Binarization {
    /// [`Stochastic`](Self::Stochastic) with the paper's probability, `clamp((x + 1) / 2, 0, 1)`.
    pub const fn stochastic(seed: u64, offset: u64) -> Self {
        let probability = HardSigmoid::COURBARIAUX;
        Self::Stochastic {
            probability,
            seed,
            offset,
        }
    }

    /// This binarization for the part of a tensor that starts `elements` after its beginning.
    #[must_use]
    pub const fn advanced(self, elements: u64) -> Self {
        match self {
            Self::Deterministic => self,
            Self::Stochastic {
                probability,
                seed,
                offset,
            } => Self::Stochastic {
                probability,
                seed,
                offset: offset.wrapping_add(elements),
            },
        }
    }

    /// Whether element `index` of a tensor, which holds `x`, gets the plus sign.
    #[inline]
    pub fn is_plus(self, index: u64, x: f32) -> bool {
        match self {
            Self::Deterministic => x >= 0.0,
            Self::Stochastic {
                probability,
                seed,
                offset,
            } => is_below(random_word(seed, offset.wrapping_add(index)), probability.forward(x)),
        }
    }

    /// [`is_plus`](Self::is_plus) of the elements from `start` on.
    #[inline(always)]
    pub(crate) fn are_plus<const N: usize>(self, start: u64, x: &[f32; N]) -> [bool; N] {
        match self {
            Self::Deterministic => x.map(|x| x >= 0.0),
            Self::Stochastic {
                probability,
                seed,
                offset,
            } => {
                let words = random_words::<N>(seed, offset.wrapping_add(start));
                let mut p = *x;
                probability.specialize(
                    #[inline(always)]
                    |probability| p = p.map(|x| probability.forward(x)),
                );
                std::array::from_fn(|i| is_below(words[i], p[i]))
            }
        }
    }
}

/// `word / 2^32 < p`, exactly: both sides times 2^32 fit f64.
#[inline(always)]
fn is_below(word: u32, p: f32) -> bool {
    f64::from(word) < f64::from(p) * 4_294_967_296.0
}

/// A binarization whose signs stand for `scale` and `-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signs {
    /// Which sign a number gets.
    pub how: Binarization,
    /// The number that a plus sign stands for.
    pub scale: Finite,
}

/// The gradient of a binarization. A binarization has none of its own, so the upstream gradient is passed straight
/// through.
///
/// ```
/// use hard_sigmoid::StraightThrough;
///
/// assert_eq!(StraightThrough::HardTanh.backward(-1.0, 3.0), 3.0);
/// assert_eq!(StraightThrough::HardTanh.backward(1.1, 3.0), 0.0);
/// assert_eq!(StraightThrough::Identity.backward(1.1, 3.0), 3.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StraightThrough {
    /// `g` where `|x| <= 1`, both ends included, else `+0`: equation 4 of BinaryNet, the derivative of its
    /// `Htanh(x) = clip(x, -1, 1)`. For activations. NaN in `x` gives 0.
    HardTanh,
    /// `g`: for weights, whose gradient with respect to the binary value is applied to the real one (Algorithm 1 of
    /// Courbariaux, Bengio, David 2015, BinaryConnect, arXiv 1511.00363). A NaN is quieted.
    Identity,
}

named!(StraightThrough, "estimator", HardTanh => "hard_tanh", Identity => "identity");

impl StraightThrough {
    /// The gradient with respect to `x`, from the saved input `x` and the upstream gradient `g`.
    #[inline(always)]
    pub fn backward(self, x: f32, g: f32) -> f32 {
        let passes = match self {
            Self::HardTanh => x.abs() <= 1.0,
            Self::Identity => true,
        };
        match passes {
            true if g.is_nan() => quieted(g),
            true => g,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comparisons_at_both_ends() {
        let below_one = 1.0f32.next_down();
        for (p, first_minus) in [
            (0.0, 0),
            (f32::from_bits(1), 1),
            (1e-8, 43),
            (0.5, 1 << 31),
            (below_one, (1 << 32) - 256),
            (1.0, 1_u64 << 32),
        ] {
            for word in [
                0,
                1,
                42,
                43,
                (1 << 31) - 1,
                1 << 31,
                u32::MAX - 256,
                u32::MAX - 255,
                u32::MAX,
            ] {
                assert_eq!(is_below(word, p), u64::from(word) < first_minus, "{word} {p}");
            }
        }
        assert!(!is_below(0, f32::NAN));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        /// The oracle compares integers: p is m * 2^(e - 150).
        #[test]
        fn the_comparison_is_exact(word: u32, p in 0.0f32..=1.0, small: u32, near in -2i32..=2) {
            let expected = |p: f32| {
                let (m, e) = match p.to_bits() >> 23 {
                    0 => (p.to_bits(), 1),
                    e => (p.to_bits() & 0x7f_ffff | 0x80_0000, e),
                };
                match e {
                    118.. => u64::from(word) < u64::from(m) << (e - 118),
                    55.. => u128::from(word) << (118 - e) < u128::from(m),
                    // A word above 0 is above any p so small.
                    _ => word == 0 && m > 0,
                }
            };
            // p is anywhere in [0, 1], at any exponent, and next to the word.
            let beside = (f64::from(word) / 4_294_967_296.0) as f32;
            let beside = f32::from_bits(beside.to_bits().saturating_add_signed(near));
            for p in [p, f32::from_bits(small % 0x3f80_0001), beside] {
                prop_assert_eq!(is_below(word, p), expected(p), "{} {:e}", word, p);
            }
        }

        #[test]
        fn signs_of_a_tensor_are_those_of_its_elements(seed: u64, offset: u64, start: u64, x in proptest::array::uniform32(-4.0f32..4.0)) {
            let draws = Binarization::stochastic(seed, offset);
            for (i, (&x, is_plus)) in x.iter().zip(draws.are_plus(start, &x)).enumerate() {
                prop_assert_eq!(draws.is_plus(start.wrapping_add(i as u64), x), is_plus);
            }
            // Across the end of the stream.
            let last = draws.are_plus(0u64.wrapping_sub(offset).wrapping_sub(9), &x);
            for (i, (&x, is_plus)) in x.iter().zip(last).enumerate() {
                let position = 0u64.wrapping_sub(9).wrapping_add(i as u64);
                prop_assert_eq!(draws.is_plus(position.wrapping_sub(offset), x), is_plus);
            }
        }
    }
}
