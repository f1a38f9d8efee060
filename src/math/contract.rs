//! The numeric contract: which results of a device are accepted although they differ from the CPU path's.
//!
//! WGSL lets a device treat a subnormal operand or result as zero. Nothing else may differ.

use crate::math::{
    arithmetic::INVALID_NAN,
    binarize::Binarization,
    definition::{HardSigmoid, KinkRule, Region},
    dtype::Scalar,
    op::{Binary, Op, Unary},
};

/// How a device's result compares with the CPU path's: see [`Element::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Every bit is the same.
    None,
    /// A subnormal was treated as a zero of its sign, which WGSL allows.
    Subnormal,
    /// The result is wrong.
    Wrong,
}

/// One element of an operation, to check a device's result with.
///
/// ```
/// use hard_sigmoid::{Difference, Element, HardSigmoid, Unary};
///
/// let element = Element { operands: [1.0, 0.0, 0.0], before: 0.0, index: 0 };
/// let op = Unary::Forward(HardSigmoid::PYTORCH);
/// assert_eq!(element.compare(op, 0, 4.0 / 6.0), Difference::None);
/// assert_eq!(element.compare(op, 0, 0.7), Difference::Wrong);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Element<T> {
    /// The operands, in the order of [`Op::inputs`]; numbers after them are ignored. A packed sign is given as 1 or -1, and a table as
    /// the number that it has for the others.
    /// For a broadcast gate they are the operands of one `a`, and `db` is what it would be if `middle` were 1.
    pub operands: [T; 3],
    /// What the output held, for an operation that adds to it.
    pub before: T,
    /// The element's index in the tensor.
    pub index: u64,
}

impl<T: Scalar> Element<T> {
    /// The CPU path's results, one for each output of `op`; ignore the second if `op` has one output. A sign is 1 or
    /// -1.
    pub fn expected(self, op: impl Into<Op>) -> [T; 2] {
        self.rounded(op.into().apply(self.wide()))
    }

    /// Compares `actual`, a device's result for output number `output`, with the CPU path's.
    ///
    /// # Panics
    /// If `op` has no such output: only [`Op::GateBackward`] has an output 1.
    pub fn compare(self, op: impl Into<Op>, output: usize, actual: T) -> Difference {
        let op = op.into();
        assert!(output < op.outputs().len(), "{} has no output {output}", op.name());
        let bits = |value: T| value.to_f32().to_bits();
        let exact = self.expected(op)[output];
        if bits(actual) == bits(exact) {
            return Difference::None;
        }
        if meets_no_subnormal(op) {
            return Difference::Wrong;
        }
        let flushing = Flush::ALL.map(|flush| self.rounded(flush.results(op, self.wide()))[output]);
        let is_allowed = flushing.into_iter().chain([exact]).any(|value| {
            let flushed = T::from_f32(flushed(value.to_f32()));
            [value, flushed].map(bits).contains(&bits(actual))
        });
        if is_allowed {
            Difference::Subnormal
        } else {
            Difference::Wrong
        }
    }

    fn wide(self) -> Element<f32> {
        Element {
            operands: self.operands.map(T::to_f32),
            before: self.before.to_f32(),
            index: self.index,
        }
    }

    fn rounded(self, results: [f32; 2]) -> [T; 2] {
        results.map(T::from_f32)
    }
}

impl Op {
    fn apply(self, element: Element<f32>) -> [f32; 2] {
        let [a, b, c] = element.operands;
        let sign = |is_plus| if is_plus { 1.0 } else { -1.0 };
        match self {
            Self::Unary(op) => [op.apply(a, element.index); 2],
            Self::Binary(op) => [op.apply(a, b, element.before); 2],
            Self::GateBackward(definition) => definition.gate_backward(a, b, c).into(),
            Self::GateBroadcast(gate) => [gate.definition().gate(a, b); 2],
            // A partial sum of one product starts at +0.
            Self::GateBroadcastSums(gate) => [gate.db(b, 0.0 + c * a); 2],
            Self::Pack(how) => [sign(how.is_plus(element.index, a)); 2],
            Self::Unpack(scale) => [sign(a > 0.0) * scale.get(); 2],
            Self::Lookup => [b; 2],
            Self::LookupGate(_) => [c; 2],
        }
    }
}

/// Whether no operand or result of the device's arithmetic is subnormal, whatever the data.
fn meets_no_subnormal(op: Op) -> bool {
    match op {
        Op::Unary(Unary::Forward(definition)) => definition.is_moderate(),
        Op::Unary(Unary::Binarize(signs)) => decides_on_integers(signs.how),
        Op::Pack(how) => decides_on_integers(how),
        Op::Unpack(_) | Op::Lookup | Op::LookupGate(_) => true,
        _ => false,
    }
}

fn decides_on_integers(how: Binarization) -> bool {
    match how {
        Binarization::Deterministic => true,
        Binarization::Stochastic { probability, .. } => probability.is_moderate(),
    }
}

/// When a device flushes a product that is too small. (A sum that is subnormal is exact, so there it makes no
/// difference.)
#[derive(Clone, Copy)]
pub(crate) enum Flush {
    /// After rounding: a product that is rounded up to the smallest normal number is kept.
    Rounded,
    /// Before rounding.
    Exact,
    /// After rounding to 24 bits as if the exponent had no lower limit, as x86 does.
    RoundedTo24Bits,
}

impl Flush {
    pub(crate) const ALL: [Self; 3] = [Self::Rounded, Self::Exact, Self::RoundedTo24Bits];

    pub(crate) fn product(self, a: f32, b: f32) -> f32 {
        // The product is exact in f64.
        let exact = f64::from(a) * f64::from(b);
        let two_100 = 2.0f64.powi(100);
        let is_lost = match self {
            Self::Rounded => (a * b).is_subnormal(),
            Self::Exact => exact.abs() < f64::from(f32::MIN_POSITIVE),
            Self::RoundedTo24Bits => f64::from((exact * two_100) as f32).abs() < f64::from(f32::MIN_POSITIVE) * two_100,
        };
        if is_lost { 0.0_f32.copysign(exact as f32) } else { a * b }
    }

    /// The results if every subnormal counts as zero, as an operand and between operations.
    fn results(self, op: Op, element: Element<f32>) -> [f32; 2] {
        let [a, b, c] = element.operands;
        let zero = subnormal_as_zero;
        let gate = |definition, a, b| self.product(zero(a), zero(self.forward(definition, b)));
        // The kernels compare x with the kinks as an integer, which keeps subnormals.
        let backward = |definition: HardSigmoid, x, g| match definition.region(x) {
            // The kernels also divide with integers.
            Some(Region::Linear) if definition == HardSigmoid::KERAS3 => zero(definition.backward(x, g)),
            Some(Region::Linear) => {
                let whole = self.product(definition.slope(), zero(g));
                let is_halved = definition.with_strict_kinks().region(x) != Some(Region::Linear)
                    && definition.kink_rule() == KinkRule::Half;
                if is_halved { self.product(0.5, whole) } else { whole }
            }
            _ => 0.0,
        };
        let gate_backward = |definition, a, b, g| {
            let db = backward(definition, b, self.product(zero(g), zero(a)));
            [gate(definition, g, b), db]
        };
        match op {
            Op::Unary(Unary::Forward(definition)) => [self.forward(definition, a); 2],
            Op::Unary(Unary::HardSwish(HardSigmoid::PYTORCH)) => [HardSigmoid::PYTORCH.hard_swish(zero(a)); 2],
            Op::Unary(Unary::HardSwish(definition)) => [gate(definition, a, a); 2],
            Op::Binary(Binary::Gate(definition)) => [gate(definition, a, b); 2],
            Op::Binary(Binary::BackwardAccumulate(definition)) => {
                [zero(element.before) + backward(definition, a, b); 2]
            }
            Op::Binary(Binary::HardSwishBackward(HardSigmoid::PYTORCH)) => {
                // The factor of g is never subnormal.
                let factor = HardSigmoid::PYTORCH.hard_swish_backward(a, 1.0);
                let is_below = a <= -3.0;
                [if is_below { 0.0 } else { self.product(zero(b), factor) }; 2]
            }
            Op::Binary(Binary::HardSwishBackward(definition)) => {
                let [da, db] = gate_backward(definition, a, a, b);
                [da + db; 2]
            }
            Op::GateBackward(definition) => gate_backward(definition, a, b, c),
            Op::GateBroadcast(shared) => [gate(shared.definition(), a, b); 2],
            Op::GateBroadcastSums(shared) => {
                let sum = 0.0 + self.product(zero(c), zero(a));
                let sum = if sum.is_nan() { f32::from_bits(INVALID_NAN) } else { sum };
                [backward(shared.definition(), b, sum); 2]
            }
            Op::Binary(_) => op.apply(Element {
                operands: [a, zero(b), c],
                ..element
            }),
            Op::Unary(_) | Op::Pack(_) | Op::Unpack(_) | Op::Lookup | Op::LookupGate(_) => op.apply(Element {
                operands: [a, b, c].map(zero),
                ..element
            }),
        }
    }

    /// A subnormal slope is not lost: the kernels scale it up first.
    fn forward(self, definition: HardSigmoid, x: f32) -> f32 {
        let (slope, shift) = (definition.slope(), subnormal_as_zero(definition.shift()));
        if definition.is_moderate() || x.is_nan() {
            return definition.forward(x);
        }
        let v = self.product(slope, subnormal_as_zero(x)) + shift;
        if v.is_nan() {
            f32::from_bits(INVALID_NAN)
        } else if v <= 0.0 {
            0.0
        } else {
            v.min(1.0)
        }
    }
}

pub(crate) fn subnormal_as_zero(value: f32) -> f32 {
    if value.is_subnormal() {
        0.0_f32.copysign(value)
    } else {
        value
    }
}

/// What remains of a result if subnormals are flushed. The smallest normal number is flushed too: it may be a subnormal
/// that was about to be rounded up.
fn flushed(value: f32) -> f32 {
    if value.abs() <= f32::MIN_POSITIVE {
        0.0_f32.copysign(value)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(op: impl Into<Op>, operands: [f32; 3], actual: f32) -> Difference {
        let element = Element {
            operands,
            before: 0.0,
            index: 0,
        };
        element.compare(op, 0, actual)
    }

    #[test]
    fn only_a_zero_of_the_same_sign_stands_for_a_subnormal() {
        let op = Binary::Backward(HardSigmoid::PYTORCH);
        let of = |g: f32, actual| compare(op, [0.0, g, 0.0], actual);
        assert_eq!(of(6.0, 1.0), Difference::None);
        assert_eq!(of(6.0, 1.0f32.next_down()), Difference::Wrong);
        assert_eq!(of(6e-39, 0.0), Difference::Subnormal);
        assert_eq!(of(6e-39, -0.0), Difference::Wrong);
        assert_eq!(of(-6e-39, -0.0), Difference::Subnormal);
        assert_eq!(of(6e-37, 0.0), Difference::Wrong);
        // f32::MIN_POSITIVE after rounding up.
        assert_eq!(of(6.0 * f32::MIN_POSITIVE, 0.0), Difference::Subnormal);
    }

    #[test]
    fn a_presets_forward_pass_and_signs_allow_nothing() {
        let no_preset = HardSigmoid::affine(0.3, 0.5, KinkRule::Strict).unwrap();
        for definition in [HardSigmoid::KERAS, no_preset] {
            assert_eq!(compare(Unary::Forward(definition), [-3.0; 3], -0.0), Difference::Wrong);
        }
        let signs = Unary::binarize(Binarization::Deterministic, 1.0).unwrap();
        assert_eq!(compare(signs, [-1e-40; 3], 1.0), Difference::Wrong);
        assert_eq!(compare(signs, [-1e-40; 3], -1.0), Difference::None);
        assert_eq!(
            compare(Op::Pack(Binarization::Deterministic), [0.5; 3], -1.0),
            Difference::Wrong
        );
    }

    /// The smallest normal number may be a subnormal that was rounded up, or itself.
    #[test]
    fn the_smallest_normal_number_may_be_kept_between_operations() {
        let op = Binary::HardSwishBackward(HardSigmoid::KERAS);
        let [x, g] = [2.5, f32::MIN_POSITIVE];
        assert_eq!(compare(op, [x, g, 0.0], g), Difference::Subnormal);
        assert_eq!(compare(op, [x, g, 0.0], 0.0), Difference::Subnormal);
        assert_eq!(compare(op, [x, g, 0.0], 2.0 * g), Difference::Wrong);
    }

    /// A device may flush a product before it is rounded up to the smallest normal number.
    #[test]
    fn a_product_may_be_flushed_before_it_is_rounded() {
        let definition = |text: &str| text.parse::<HardSigmoid>().unwrap();
        let op = Unary::Forward(definition("affine(-2.3509886e-38, 1.1754944e-38)"));
        assert_eq!(compare(op, [0.5; 3], 0.0), Difference::None);
        assert_eq!(compare(op, [0.5; 3], f32::MIN_POSITIVE), Difference::Subnormal);
        assert_eq!(compare(op, [0.5; 3], 2.0 * f32::MIN_POSITIVE), Difference::Wrong);
        let below = f32::MIN_POSITIVE.next_down();
        let products = |a, b| Flush::ALL.map(|flush| flush.product(a, b));
        // 2^-126 minus a quarter of its last place, and minus a half.
        let two_minus_63 = 2.0f32.powi(-63);
        let a = two_minus_63 * 1.0f32.next_down();
        assert_eq!(products(a, two_minus_63), [f32::MIN_POSITIVE, 0.0, 0.0]);
        let step = 2.0f32.powi(-13);
        assert_eq!(
            products(two_minus_63 * (1.0 - step), two_minus_63 * (1.0 + step)),
            [f32::MIN_POSITIVE, 0.0, f32::MIN_POSITIVE]
        );
        assert_eq!(products(below, 1.0), [0.0; 3]);
        assert_eq!(products(-below, 1.0).map(f32::to_bits), [0x8000_0000; 3]);
    }

    #[test]
    fn any_nan_is_compared_by_its_bits() {
        let op = Unary::Forward(HardSigmoid::affine(2.0, 1e-40, KinkRule::Strict).unwrap());
        assert_eq!(compare(op, [f32::NAN; 3], -f32::NAN), Difference::Wrong);
        assert_eq!(compare(op, [f32::NAN; 3], f32::NAN), Difference::None);
        // A subnormal shift may be lost.
        assert_eq!(compare(op, [0.0; 3], 0.0), Difference::Subnormal);
        assert_eq!(compare(op, [1e-30; 3], 2e-30), Difference::None);
    }
}
