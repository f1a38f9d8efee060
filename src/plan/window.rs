//! Where a gradient passes, as an interval of floats that a kernel tests on integers.

use crate::math::{
    definition::{HardSigmoid, Region},
    dtype::DType,
};
use half::f16;

/// An interval of floats. For each sign it has the bit patterns in `[first, first + count)`. Halves are in the upper 16
/// bits, and their lower bits don't matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    positive: Bits,
    negative: Bits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits {
    first: u32,
    count: u32,
}

const SIGN: u32 = 0x8000_0000;

impl Window {
    /// Every number and every NaN.
    pub(crate) const EVERYTHING: Self = Self {
        positive: Bits { first: 0, count: SIGN },
        negative: Bits {
            first: SIGN,
            count: SIGN,
        },
    };

    /// The numbers from `first` to `last`.
    pub(crate) fn between(first: f32, last: f32) -> Self {
        Self::of_keys((key(first), key(last)))
    }

    /// The inputs at which the gradient of a definition passes.
    pub(crate) fn of(definition: HardSigmoid) -> Self {
        Self::of_keys(linear_keys(definition))
    }

    /// The floats from the first key to the last: see [`key`].
    fn of_keys((first, last): (i32, i32)) -> Self {
        let count = |first: i32, last: i32| (i64::from(last) - i64::from(first) + 1).max(0) as u32;
        let (first_positive, last_negative) = (first.max(0), last.min(-1));
        Self {
            positive: Bits {
                first: first_positive as u32,
                count: count(first_positive, last),
            },
            negative: Bits {
                // Among negative numbers the last has the smallest bits.
                first: from_key(last_negative).to_bits(),
                count: count(first, last_negative),
            },
        }
    }

    /// Whether it has no number at all.
    pub(crate) fn is_empty(self) -> bool {
        self.positive.count == 0 && self.negative.count == 0
    }

    /// This window as a window of halves of a type, which are in the upper 16 bits.
    pub(crate) fn of_halves(self, dtype: DType) -> Self {
        let halves = |Bits { first, count }: Bits, sign: u32| {
            let [first, end] = [first, first.saturating_add(count)].map(|bits| halves_below(dtype, bits));
            Bits {
                first: first << 16 | sign,
                count: (end - first) << 16,
            }
        };
        let negative = Bits {
            first: self.negative.first & !SIGN,
            ..self.negative
        };
        Self {
            positive: halves(self.positive, 0),
            negative: halves(negative, SIGN),
        }
    }

    /// The expression in WGSL that is true if the number `x` lies in the window.
    pub(crate) fn expression(self, x: &str) -> String {
        let Self { positive, negative } = self;
        let below = |x: &str, count: u32| format!("({x} < {count:#x}u)");
        let in_bits = |bits: Bits| match bits.first {
            0 => below(x, bits.count),
            first => below(&format!("{x} - {first:#x}u"), bits.count),
        };
        let is_symmetric = positive.first == 0 && negative.first == SIGN && positive.count == negative.count;
        match (positive.count, negative.count) {
            (0, 0) => "false".into(),
            (SIGN, SIGN) => "true".into(),
            (count, _) if is_symmetric => below(&format!("({x} & 0x7fffffffu)"), count),
            (_, 0) => in_bits(positive),
            (0, _) => in_bits(negative),
            _ => format!("{} | {}", in_bits(positive), in_bits(negative)),
        }
    }

    /// Whether it has the number or the NaN with these bits.
    #[cfg(test)]
    fn has(self, bits: u32) -> bool {
        let has = |of: Bits| bits.wrapping_sub(of.first) < of.count;
        has(self.positive) || has(self.negative)
    }
}

/// The number of positive halves below the f32 with these bits. NaN comes last.
fn halves_below(dtype: DType, bits: u32) -> u32 {
    let wide = |half: u32| match dtype {
        DType::F16 if half > 0x7c00 => !SIGN,
        DType::F16 => f16::from_bits(half as u16).to_f32().to_bits(),
        DType::F32 | DType::Bf16 | DType::U8 => half << 16,
    };
    let (mut first, mut end) = (0, 0x8000);
    while first < end {
        let middle = (first + end) / 2;
        if wide(middle) < bits {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    first
}

/// Maps floats to integers in the same order: -inf < ... < -0 < +0 < ... < +inf, NaN beyond both ends.
fn key(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ ((bits >> 31) & i32::MAX)
}

fn from_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) & i32::MAX)) as u32)
}

/// The first and the last number at which the gradient passes, if there is one.
pub(crate) fn passing(definition: HardSigmoid) -> Option<[f32; 2]> {
    let (first, last) = linear_keys(definition);
    (first <= last).then(|| [first, last].map(from_key))
}

/// The keys of the first and last input at which the gradient passes; the first is above the last if there is none.
///
/// The value before clamping is monotone in x, so the inputs at which the gradient passes form an interval. Infinities
/// are never in it.
fn linear_keys(definition: HardSigmoid) -> (i32, i32) {
    let (before, after) = if definition.slope() < 0.0 {
        (Region::High, Region::Low)
    } else {
        (Region::Low, Region::High)
    };
    let first = |found: &dyn Fn(Option<Region>) -> bool| {
        let (mut below, mut at) = (i64::from(key(f32::MIN)) - 1, i64::from(key(f32::MAX)) + 1);
        while at - below > 1 {
            let middle = (below + at).div_euclid(2);
            if found(definition.region(from_key(middle as i32))) {
                at = middle;
            } else {
                below = middle;
            }
        }
        at as i32
    };
    let first_linear = first(&|region| region != Some(before));
    let first_after = first(&|region| region == Some(after));
    (first_linear, first_after - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::definition::KinkRule;
    use proptest::prelude::*;

    fn interval(definition: HardSigmoid) -> (f32, f32) {
        let (lo, hi) = linear_keys(definition);
        (from_key(lo), from_key(hi))
    }

    #[test]
    fn intervals_of_the_presets() {
        let next = f32::next_up;
        assert_eq!(interval(HardSigmoid::PYTORCH), (next(-3.0), -next(-3.0)));
        // One input less than PyTorch: 2.9999998 + 3 rounds to 6.
        assert_eq!(interval(HardSigmoid::JAX), (next(-3.0), -next(next(-3.0))));
        assert_eq!(interval(HardSigmoid::COURBARIAUX), (-1.0, next(1.0)));
        assert_eq!(interval(HardSigmoid::TANGENT), (next(-2.0), -next(next(-2.0))));
    }

    #[test]
    fn an_output_passes_strictly_between_0_and_1() {
        let window = Window::between(0.0f32.next_up(), 1.0f32.next_down());
        let positive = Bits {
            first: 1,
            count: 1.0f32.to_bits() - 1,
        };
        assert_eq!((window.positive, window.negative.count), (positive, 0));
    }

    #[test]
    fn constants_pass_everything_finite_or_nothing() {
        let flat = |beta, kinks| HardSigmoid::affine(0.0, beta, kinks).unwrap();
        assert_eq!(interval(flat(0.5, KinkRule::Strict)), (f32::MIN, f32::MAX));
        assert_eq!(interval(flat(1.0, KinkRule::Inclusive)), (f32::MIN, f32::MAX));
        for beta in [0.0, 1.0, -1.0, 2.0] {
            let (lo, hi) = linear_keys(flat(beta, KinkRule::Strict));
            assert!(lo > hi, "beta {beta}");
        }
    }

    fn any_float() -> impl Strategy<Value = f32> {
        prop_oneof![
            any::<u32>().prop_map(f32::from_bits),
            -4.0f32..4.0,
            prop::sample::select(vec![0.0, -0.0, 1e-45, -1e-45, 1e-40, f32::MAX, f32::MIN_POSITIVE, 1.0]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// The interval agrees with the rule, for any definition, at random inputs and around its own ends.
        #[test]
        fn the_interval_is_the_rule(
            alpha in any_float(),
            beta in any_float(),
            kinks in prop::sample::select(KinkRule::ALL),
            x in any_float(),
        ) {
            let Ok(definition) = HardSigmoid::affine(alpha, beta, kinks) else { return Ok(()) };
            let (lo, hi) = linear_keys(definition);
            let around = [lo, hi].into_iter().flat_map(|k| (-3..=3).map(move |d| k.saturating_add(d)));
            for k in around.chain([key(x)]) {
                let passes = definition.region(from_key(k)) == Some(Region::Linear);
                prop_assert_eq!(passes, lo <= k && k <= hi, "{} at {:e}", definition, from_key(k));
            }
        }

        #[test]
        fn keys_order_floats(a: u32, b: u32) {
            let (a, b) = (f32::from_bits(a), f32::from_bits(b));
            prop_assert_eq!(from_key(key(a)).to_bits(), a.to_bits());
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
        }
    }

    /// A window of halves has the halves whose f32 the window has.
    #[test]
    fn halves_are_compared_as_their_f32() {
        let windows = HardSigmoid::PRESETS.iter().map(|preset| Window::of(preset.definition));
        let more = [
            Window::EVERYTHING,
            Window::between(-1.0, 1.0),
            Window::between(1e-7, 1.0),
        ];
        let mut compared = 0;
        for window in windows.chain(more) {
            for half in 0..=u16::MAX {
                for (dtype, wide) in [
                    (DType::F16, f16::from_bits(half).to_f32()),
                    (DType::Bf16, half::bf16::from_bits(half).to_f32()),
                ] {
                    let bits = u32::from(half) << 16 | 0x1234;
                    assert_eq!(
                        window.of_halves(dtype).has(bits),
                        window.has(wide.to_bits()),
                        "{half:#06x} {dtype}"
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 11 * 2 * 65536);
    }

    #[test]
    fn expressions_are_as_short_as_the_window_allows() {
        let expression = |window: Window| window.expression("x");
        assert_eq!(
            expression(Window::between(-1.0, 1.0)),
            "((x & 0x7fffffffu) < 0x3f800001u)"
        );
        assert_eq!(expression(Window::EVERYTHING), "true");
        assert_eq!(expression(Window::between(0.0, 1.0)), "(x < 0x3f800001u)");
        assert_eq!(expression(Window::between(1.0, 2.0)), "(x - 0x3f800000u < 0x800001u)");
        assert_eq!(
            expression(Window::between(-1.0, 2.0)),
            "(x < 0x40000001u) | (x - 0x80000000u < 0x3f800001u)"
        );
        assert_eq!(expression(Window::between(2.0, 1.0)), "false");
    }
}
