//! The kernels' uniform block: what a launch tells them.

use crate::math::{
    binarize::{Binarization, StraightThrough},
    broadcast::BroadcastGate,
    definition::{HardSigmoid, KinkRule, Region},
    dtype::DType,
    finite::Finite,
    op::{Binary, Op},
    philox,
};
use bytemuck::{Pod, Zeroable};
use half::f16;

/// The uniform block of the kernels, `Params` in WGSL, for an operation and a part of a tensor. The shader explains
/// each field.
///
/// `bytemuck::bytes_of` gives its bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Params {
    slope: f32,
    shift: f32,
    prescale: f32,
    nan_threshold: u32,
    passing: Window,
    whole: Window,
    opaque_zero: u32,
    len: u32,
    row_invocations: u32,
    magnitude: f32,
    seed: [u32; 2],
    offset: [u32; 2],
    middle: u32,
    inner: u32,
    first: u32,
    b_first: u32,
}

/// Names and byte offsets of the fields, for the test that reflects the shader.
#[cfg(test)]
pub(crate) const FIELDS: [(&str, usize); 16] = {
    macro_rules! offsets {
        ($($field:ident)*) => { [$((stringify!($field), std::mem::offset_of!(Params, $field))),*] };
    }
    offsets!(
        slope shift prescale nan_threshold passing whole opaque_zero len row_invocations magnitude seed offset
        middle inner first b_first
    )
};

/// An interval of floats, in bits: the first positive one, how many are positive, the first negative one, how many are
/// negative.
type Window = [u32; 4];

const INFINITY_BITS: u32 = 0x7f80_0000;
const SIGN: u32 = 0x8000_0000;

impl Params {
    /// The parameters of an operation in f32. The length is 0: [`of_part`](Self::of_part) sets it.
    pub(crate) fn new(op: Op) -> Self {
        let definition = op.definition().unwrap_or(HardSigmoid::COURBARIAUX);
        let slope = match op {
            Op::Binary(Binary::StraightThrough(_)) => 1.0,
            _ => definition.slope(),
        };
        // A GPU may read a subnormal as zero, so a subnormal slope is passed 2^64 times as large, and the operand is
        // multiplied by 2^-64 instead. That is exact wherever the product isn't zero anyway.
        let two_64 = 2.0f32.powi(64);
        let (up, prescale) = if slope.is_subnormal() {
            (two_64, 1.0 / two_64)
        } else {
            (1.0, 1.0)
        };
        // The first and the last key where the gradient passes, and where it is whole: see `key`.
        let (passing, whole) = match op {
            Op::Binary(Binary::StraightThrough(StraightThrough::HardTanh)) => same((key(-1.0), key(1.0))),
            Op::Binary(Binary::StraightThrough(StraightThrough::Identity)) => same((i32::MIN, i32::MAX)),
            Op::Binary(Binary::BackwardFromOutput(_)) => same((key(0.0) + 1, key(1.0) - 1)),
            Op::Binary(_) | Op::GateBackward(_) | Op::GateBroadcastSums(_) => {
                let whole = match definition.kink_rule() {
                    KinkRule::Half => definition.with_strict_kinks(),
                    KinkRule::Strict | KinkRule::Inclusive => definition,
                };
                (linear_keys(definition), linear_keys(whole))
            }
            // No gradient, so no window.
            Op::Unary(_) | Op::Pack(_) | Op::Unpack(_) | Op::GateBroadcast(_) => same((1, 0)),
        };
        let (seed, offset) = match op.binarization() {
            Some(Binarization::Stochastic { seed, offset, .. }) => (seed, offset),
            Some(Binarization::Deterministic) | None => (0, 0),
        };
        Self {
            slope: slope * up,
            shift: definition.shift(),
            prescale,
            nan_threshold: if slope == 0.0 { INFINITY_BITS } else { INFINITY_BITS + 1 },
            passing: window(passing),
            whole: window(whole),
            opaque_zero: 0,
            len: 0,
            row_invocations: 0,
            magnitude: op.scale().map_or(1.0, Finite::get),
            seed: philox::words(seed),
            offset: philox::words(offset),
            middle: op.broadcast().map_or(1, BroadcastGate::middle),
            inner: op.broadcast().map_or(1, BroadcastGate::inner),
            first: 0,
            b_first: 0,
        }
    }

    /// The parameters as the kernel for an element type takes them.
    pub(crate) fn of_kernel(op: Op, dtype: DType) -> Self {
        let params = Self::new(op);
        // These use x only to decide whether the gradient passes.
        let takes_half = match op {
            Op::Binary(op) => matches!(
                op,
                Binary::Backward(_)
                    | Binary::BackwardFromOutput(_)
                    | Binary::BackwardAccumulate(_)
                    | Binary::StraightThrough(_)
            ),
            _ => false,
        };
        match dtype {
            DType::F16 | DType::Bf16 if takes_half => Self {
                passing: window_of_halves(dtype, params.passing),
                whole: window_of_halves(dtype, params.whole),
                ..params
            },
            _ => params,
        }
    }

    /// The expression in WGSL that makes the parameters of a function: what belongs to a tensor is 0, and the variable
    /// `zero` is the zero that no compiler knows.
    pub(crate) fn expression(self) -> String {
        let Self {
            slope,
            shift,
            prescale,
            nan_threshold,
            passing,
            whole,
            opaque_zero: _,
            len: _,
            row_invocations: _,
            magnitude,
            seed: _,
            offset: _,
            middle: _,
            inner: _,
            first: _,
            b_first: _,
        } = self;
        let float = |number: f32| format!("bitcast<f32>({:#x}u)", number.to_bits());
        let [shift, prescale, magnitude] = [shift, prescale, magnitude].map(float);
        // A compiler that knows that the slope is 0 replaces each product by +0, where -0 or NaN is right.
        let slope = format!("bitcast<f32>({:#x}u ^ zero)", slope.to_bits());
        let [passing, whole] =
            [passing, whole].map(|[a, b, c, d]| format!("vec4<u32>({a:#x}u, {b:#x}u, {c:#x}u, {d:#x}u)"));
        let none = "vec2<u32>(0u)";
        format!(
            "Params({slope}, {shift}, {prescale}, {nan_threshold:#x}u, {passing}, {whole}, zero, 0u, 0u, {magnitude}, \
             {none}, {none}, 0u, 0u, 0u, 0u)"
        )
    }

    /// The same for the part of a tensor that starts at element `start`.
    pub(crate) fn of_part(self, start: u64, len: u32, row_invocations: u32) -> Self {
        let [low, high] = self.offset.map(u64::from);
        let offset = philox::words((high << 32 | low).wrapping_add(start));
        Self {
            len,
            row_invocations,
            offset,
            ..self
        }
    }

    /// The same for a part of a broadcast gate that begins at these positions.
    pub(crate) fn broadcast_from(self, first: u32, b_first: u32) -> Self {
        Self { first, b_first, ..self }
    }
}

fn same(keys: (i32, i32)) -> ((i32, i32), (i32, i32)) {
    (keys, keys)
}

/// The floats from the first key to the last: see [`key`].
fn window((first, last): (i32, i32)) -> Window {
    let count = |first: i32, last: i32| (i64::from(last) - i64::from(first) + 1).max(0) as u32;
    let (first_positive, last_negative) = (first.max(0), last.min(-1));
    [
        first_positive as u32,
        count(first_positive, last),
        // Among negative numbers the last has the smallest bits.
        from_key(last_negative).to_bits(),
        count(first, last_negative),
    ]
}

/// The same window for the halves of a type, which are in the upper 16 bits.
fn window_of_halves(dtype: DType, [first_positive, positives, first_negative, negatives]: Window) -> Window {
    let halves = |first: u32, count: u32| {
        let [first, end] = [first, first + count].map(|bits| halves_below(dtype, bits));
        (first << 16, (end - first) << 16)
    };
    let (first_positive, positives) = halves(first_positive, positives);
    let (first_negative, negatives) = halves(first_negative & !SIGN, negatives);
    [first_positive, positives, first_negative | SIGN, negatives]
}

/// The number of positive halves below the f32 with these bits. NaN comes last.
fn halves_below(dtype: DType, bits: u32) -> u32 {
    let wide = |half: u32| match dtype {
        DType::F16 if half > 0x7c00 => !SIGN,
        DType::F16 => f16::from_bits(half as u16).to_f32().to_bits(),
        DType::F32 | DType::Bf16 => half << 16,
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
    use crate::math::op::Unary;
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
        let params = Params::new(Binary::BackwardFromOutput(HardSigmoid::KERAS).into());
        let [first_positive, positives, _, negatives] = params.passing;
        assert_eq!((first_positive, positives, negatives), (1, 1.0f32.to_bits() - 1, 0));
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

    #[test]
    fn the_shader_has_the_same_layout() {
        let module = naga::front::wgsl::parse_str(crate::plan::wgsl::SEPARATE).unwrap();
        let (_, params) = module
            .types
            .iter()
            .find(|(_, ty)| ty.name.as_deref() == Some("Params"))
            .unwrap();
        let naga::TypeInner::Struct { members, span } = &params.inner else {
            panic!("Params isn't a struct")
        };
        let fields: Vec<_> = members
            .iter()
            .map(|m| (m.name.as_deref().unwrap(), m.offset as usize))
            .collect();
        assert_eq!(fields, FIELDS);
        assert_eq!(*span as usize, size_of::<Params>());
        // GL drivers round a block up to 16 bytes, and expect all of them to be bound.
        assert_eq!(span % 16, 0);
        for (member, kind) in members.iter().zip("fffuwwuuufvvuuuu".chars()) {
            use naga::{Scalar, TypeInner, VectorSize};
            let expected = match kind {
                'f' => TypeInner::Scalar(Scalar::F32),
                'u' => TypeInner::Scalar(Scalar::U32),
                'w' => TypeInner::Vector {
                    size: VectorSize::Quad,
                    scalar: Scalar::U32,
                },
                _ => TypeInner::Vector {
                    size: VectorSize::Bi,
                    scalar: Scalar::U32,
                },
            };
            assert_eq!(module.types[member.ty].inner, expected, "{:?}", member.name);
        }
    }

    #[test]
    fn parts_continue_the_random_numbers() {
        let draws = Unary::binarize(Binarization::stochastic(1 << 40 | 7, u64::MAX - 1), 0.5).unwrap();
        let params = Params::new(draws.into());
        assert_eq!((params.seed, params.magnitude), ([7, 1 << 8], 0.5));
        assert_eq!(params.of_part(1, 9, 8).offset, [u32::MAX; 2]);
        assert_eq!(params.of_part(5 << 32, 9, 8).offset, [u32::MAX - 1, 4]);
    }
}
