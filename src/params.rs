//! What the kernels are told about a definition: their uniform block.

use crate::definition::{Form, HardSigmoid, Region, SIXTH};
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
}

/// Names and byte offsets of the fields, for the test that reflects the shader.
#[cfg(test)]
pub(crate) const FIELDS: [(&str, usize); 12] = {
    macro_rules! offsets {
        ($($field:ident)*) => { [$((stringify!($field), std::mem::offset_of!(Params, $field))),*] };
    }
    offsets!(slope prescale shift top scale grad_slope nan_from lo hi zero len row)
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
        }
    }

    /// The same for another length and grid.
    pub(crate) fn sized(self, len: u32, row: u32) -> Self {
        Self { len, row, ..self }
    }

    /// The same for a gradient from the saved output: the shader's `backward4` then is
    /// [`HardSigmoid::backward_from_output`], with `y` for `x`.
    pub fn with_saved_output(self) -> Self {
        let (lo, hi) = (key(0.0) + 1, key(1.0) - 1);
        Self { lo, hi, ..self }
    }
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
        assert_eq!(fields, FIELDS);
        assert_eq!(*span as usize, size_of::<Params>());
        // GL drivers round a block up to 16 bytes, and expect all of them to be bound.
        assert_eq!(span % 16, 0);
        for (member, kind) in members.iter().zip("ffffffuiiuuu".chars()) {
            let expected = match kind {
                'f' => naga::Scalar::F32,
                'u' => naga::Scalar::U32,
                _ => naga::Scalar::I32,
            };
            assert_eq!(
                module.types[member.ty].inner,
                naga::TypeInner::Scalar(expected),
                "{:?}",
                member.name
            );
        }
    }
}
