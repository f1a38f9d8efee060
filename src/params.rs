//! What the kernels are told about a definition: their uniform block.

use crate::{
    Binarization, StraightThrough,
    definition::{Form, HardSigmoid, Region, SIXTH},
};
use bytemuck::{Pod, Zeroable};

/// The uniform block of the kernels: `Params` in [`WGSL`](crate::WGSL), where each field is explained.
///
/// [`Kernels`](crate::Kernels) fills it by itself; it is public for runtimes that launch the WGSL text on their own, and
/// for kernels that call its functions ([`wgsl_functions`](crate::wgsl_functions)). `bytemuck::bytes_of` gives the
/// bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Params {
    slope: f32,
    prescale: f32,
    shift: f32,
    top: f32,
    scale: f32,
    grad_slope: f32,
    nan_from: u32,
    lo: i32,
    hi: i32,
    zero: u32,
    len: u32,
    row: u32,
    seed: [u32; 2],
    offset: [u32; 2],
    magnitude: f32,
    pad: [u32; 3],
}

/// Names and byte offsets of the fields, for the test that reflects the shader.
#[cfg(test)]
pub(crate) const FIELDS: [(&str, usize); 16] = {
    macro_rules! offsets {
        ($($field:ident)*) => { [$((stringify!($field), std::mem::offset_of!(Params, $field))),*] };
    }
    offsets!(slope prescale shift top scale grad_slope nan_from lo hi zero len row seed offset magnitude pad)
};

const INFINITY_BITS: u32 = 0x7f80_0000;

impl Params {
    /// For `len` elements on a grid with rows of `row` invocations: 256 times its workgroups in x. A kernel that calls
    /// the functions alone has no use for the two.
    pub fn new(definition: HardSigmoid, len: u32, row: u32) -> Self {
        let (alpha, shift, top, scale, grad_slope) = match definition.form() {
            Form::Affine { alpha, beta } => (alpha, beta, 1.0, 1.0, alpha),
            Form::Relu6Divide | Form::Relu6Multiply => (1.0, 3.0, 6.0, SIXTH, SIXTH),
        };
        // A GPU may read a subnormal as zero, so a subnormal alpha travels 2^64 times as large. The operand gets
        // 2^-64 instead: exact wherever the product isn't zero anyway.
        let two_64 = 2.0f32.powi(64);
        let (up, prescale) = if alpha.is_subnormal() {
            (two_64, 1.0 / two_64)
        } else {
            (1.0, 1.0)
        };
        let (lo, hi) = linear_keys(definition);
        Self {
            slope: alpha * up,
            prescale,
            shift,
            top,
            scale,
            grad_slope: grad_slope * up,
            nan_from: if alpha == 0.0 { INFINITY_BITS } else { INFINITY_BITS + 1 },
            lo,
            hi,
            zero: 0,
            len,
            row,
            seed: [0; 2],
            offset: [0; 2],
            magnitude: 1.0,
            pad: [0; 3],
        }
    }

    /// For a binarization to plus or minus `scale`; `len` and `row` as for [`Params::new`].
    pub fn binarize(binarization: Binarization, scale: f32, len: u32, row: u32) -> Self {
        let (probability, seed, offset) = match binarization {
            Binarization::Deterministic => (HardSigmoid::COURBARIAUX, 0, 0),
            Binarization::Stochastic {
                probability,
                seed,
                offset,
            } => (probability, seed, offset),
        };
        Self {
            seed: halves(seed),
            offset: halves(offset),
            magnitude: scale,
            ..Self::new(probability, len, row)
        }
    }

    /// For the gradient of a binarization, which the shader's `backward4` then is; `len` and `row` as for [`Params::new`].
    pub fn straight_through(estimator: StraightThrough, len: u32, row: u32) -> Self {
        let (lo, hi) = match estimator {
            StraightThrough::HardTanh => (key(-1.0), key(1.0)),
            StraightThrough::Identity => (i32::MIN, i32::MAX),
        };
        Self {
            grad_slope: 1.0,
            lo,
            hi,
            ..Self::new(HardSigmoid::COURBARIAUX, len, row)
        }
    }

    /// The same for a part of the tensor, from element `start` on.
    pub(crate) fn of_part(self, start: u64, len: u32, row: u32) -> Self {
        let [low, high] = self.offset.map(u64::from);
        let offset = halves((high << 32 | low).wrapping_add(start));
        Self {
            len,
            row,
            offset,
            ..self
        }
    }

    /// The same for a gradient from the saved output: the shader's `backward4` then is
    /// [`HardSigmoid::backward_from_output`], with `y` for `x`.
    pub fn with_saved_output(self) -> Self {
        let (lo, hi) = (key(0.0) + 1, key(1.0) - 1);
        Self { lo, hi, ..self }
    }
}

/// Low half first.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// The order of all floats as the order of integers: -inf < ... < -0 < +0 < ... < +inf, NaN beyond both ends.
fn key(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ ((bits >> 31) & i32::MAX)
}

fn from_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) & i32::MAX)) as u32)
}

/// The keys of the first and last input that the gradient passes; the first above the last if there is none.
///
/// The value before clamping is monotone in x, so any gradient rule is such an interval. Infinities are never in it.
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
    let lo = first(&|region| region != Some(before));
    let end = first(&|region| region == Some(after));
    (lo, end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kinks;
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
        let Params { lo, hi, .. } = Params::new(HardSigmoid::KERAS, 0, 0).with_saved_output();
        assert_eq!((from_key(lo), from_key(hi)), (f32::from_bits(1), 1.0f32.next_down()));
    }

    #[test]
    fn constants_pass_everything_finite_or_nothing() {
        let flat = |beta, kinks| HardSigmoid::affine(0.0, beta, kinks).unwrap();
        assert_eq!(interval(flat(0.5, Kinks::Strict)), (f32::MIN, f32::MAX));
        assert_eq!(interval(flat(1.0, Kinks::Inclusive)), (f32::MIN, f32::MAX));
        for beta in [0.0, 1.0, -1.0, 2.0] {
            let (lo, hi) = linear_keys(flat(beta, Kinks::Strict));
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

        /// The interval says what the rule says, for any definition, at random inputs and around its own ends.
        #[test]
        fn the_interval_is_the_rule(alpha in any_float(), beta in any_float(), inclusive: bool, x in any_float()) {
            let kinks = if inclusive { Kinks::Inclusive } else { Kinks::Strict };
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
        let module = naga::front::wgsl::parse_str(crate::WGSL).unwrap();
        let (_, params) = module
            .types
            .iter()
            .find(|(_, ty)| ty.name.as_deref() == Some("Params"))
            .unwrap();
        let naga::TypeInner::Struct { members, span } = &params.inner else {
            panic!("Params is no struct")
        };
        let fields: Vec<_> = members
            .iter()
            .map(|m| (m.name.as_deref().unwrap(), m.offset as usize))
            .collect();
        // The padding is three words in the shader: an array of words isn't allowed in a uniform.
        let expected = FIELDS.map(|(name, at)| (if name == "pad" { "pad0" } else { name }, at));
        assert_eq!(fields[..16], expected);
        assert_eq!(*span as usize, size_of::<Params>());
        // GL drivers round a block up to 16 bytes, and expect all of them to be bound.
        assert_eq!(span % 16, 0);
        for (member, kind) in members.iter().zip("ffffffuiiuuuvvfuuu".chars()) {
            use naga::{Scalar, TypeInner, VectorSize};
            let expected = match kind {
                'f' => TypeInner::Scalar(Scalar::F32),
                'u' => TypeInner::Scalar(Scalar::U32),
                'i' => TypeInner::Scalar(Scalar::I32),
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
        let params = Params::binarize(Binarization::stochastic(1 << 40 | 7, u64::MAX - 1), 0.5, 0, 0);
        assert_eq!((params.seed, params.magnitude), ([7, 1 << 8], 0.5));
        assert_eq!(params.of_part(1, 9, 8).offset, [u32::MAX; 2]);
        assert_eq!(params.of_part(5 << 32, 9, 8).offset, [u32::MAX - 1, 4]);
    }
}
