//! The CPU path against the frameworks' own output, and against formulas in f64.

use crate::common::{assert_same_bits, assert_same_bits_or_flushed, definitions, golden, npy};
use hard_sigmoid::{Error, HardSigmoid, Kinks, Region, cpu};
use proptest::prelude::*;

fn compare_with_framework(name: &str, has_gradient: bool) {
    let definition: HardSigmoid = name.parse().unwrap();
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    assert!(x.len() > 6000 && x.len() == g.len());

    let mut y = vec![f32::NAN; x.len()];
    cpu::forward(definition, &x, &mut y).unwrap();
    let mut expected = npy(golden(&format!("{name}.y.npy")));
    if name == "pytorch" {
        // Torch's vector code returns the NaN with all bits set for any NaN; ours keeps sign and payload.
        for (expected, &x) in expected.iter_mut().zip(&x).filter(|(_, x)| x.is_nan()) {
            assert!(expected.is_nan());
            *expected = f32::from_bits(x.to_bits() | 0x0040_0000);
        }
    }
    let input = |i: usize| format!("x = {:e} ({:#010x})", x[i], x[i].to_bits());
    assert_same_bits(name, &y, &expected, input);

    if has_gradient {
        let mut dx = vec![f32::NAN; x.len()];
        cpu::backward(definition, &x, &g, &mut dx).unwrap();
        let expected = npy(golden(&format!("{name}.dx.npy")));
        let input = |i: usize| format!("x = {:e}, g = {:e} ({:#010x})", x[i], g[i], g[i].to_bits());
        if ["jax", "keras", "courbariaux"].contains(&name) {
            // XLA and TensorFlow flush subnormal gradients on the CPU; the presets don't imitate that.
            let flushes = dx
                .iter()
                .zip(&expected)
                .filter(|(dx, e)| dx.is_subnormal() && **e == 0.0);
            assert!(flushes.count() > 0, "no gradient was flushed: drop the exception");
            assert_same_bits_or_flushed(name, &expected, &dx, input);
        } else {
            assert_same_bits(name, &dx, &expected, input);
        }
    }
}

macro_rules! frameworks {
    ($($test:ident: $name:literal, gradient $has:literal;)*) => {
        $(#[test] fn $test() { compare_with_framework($name, $has) })*
    };
}

frameworks! {
    keras_is_tensorflow: "keras", gradient true;
    onnx_is_onnxruntime: "onnx", gradient false;
    courbariaux_is_tensorflow: "courbariaux", gradient true;
    tangent_is_numpy: "tangent", gradient true;
    pytorch_is_torch: "pytorch", gradient true;
    jax_is_jax: "jax", gradient true;
    sixth_is_onnxruntime: "affine(0.16666667, 0.5)", gradient false;
    falling_is_onnxruntime: "affine(-0.7, 0.3)", gradient false;
    constant_is_onnxruntime: "affine(0, 0.25)", gradient false;
    tiny_is_onnxruntime: "affine(3e-39, 0.5)", gradient false;
    steep_is_onnxruntime: "affine(1e30, -2)", gradient false;
}

#[test]
fn every_preset_has_a_golden_file() {
    for preset in &HardSigmoid::PRESETS {
        assert!(golden(&format!("{}.y.npy", preset.name)).exists(), "{}", preset.name);
    }
}

#[test]
#[should_panic(expected = "2 of 3 elements differ, first at 1: one gives 1e0")]
fn the_comparison_can_fail() {
    let actual = [0.5, 1.0, -0.0];
    assert_same_bits("test", &actual, &[0.5, 1.0f32.next_down(), 0.0], |_| "one".into());
}

#[test]
fn a_flushed_result_is_a_zero_of_the_same_sign() {
    let compare = |actual: f32, expected: f32| assert_same_bits_or_flushed("t", &[actual], &[expected], |_| "x".into());
    compare(0.0, 1e-40);
    compare(-0.0, -f32::MIN_POSITIVE);
    for (actual, expected) in [(-0.0, 1e-40), (0.0, 1.2e-38), (1e-40, 0.0), (1e-40, 2e-40)] {
        std::panic::catch_unwind(|| compare(actual, expected)).expect_err("must differ");
    }
}

/// Rounded once from the exact sum, product or quotient of two f32 in f64: the same as one f32 operation, because f64
/// has more than twice the digits.
fn oracle(name: &str, x: f32, g: f32) -> (f32, f32) {
    let round = |v: f64| v as f32;
    let (x, g) = (f64::from(x), f64::from(g));
    let sixth = f64::from(1.0f32 / 6.0);
    let affine = |slope: f32, inclusive: bool| {
        let v = f64::from(round(f64::from(round(f64::from(slope) * x)) + 0.5));
        let inside = if inclusive {
            (0.0..=1.0).contains(&v)
        } else {
            v > 0.0 && v < 1.0
        };
        (
            round(v.clamp(0.0, 1.0)),
            if inside { round(f64::from(slope) * g) } else { 0.0 },
        )
    };
    let t = f64::from(round(x + 3.0));
    let relu6 = t.clamp(0.0, 6.0);
    match name {
        "keras" => affine(0.2, true),
        "onnx" => affine(0.2, false),
        "courbariaux" => affine(0.5, true),
        "tangent" => affine(0.25, false),
        "pytorch" => (round(relu6 / 6.0), if x.abs() < 3.0 { round(g * sixth) } else { 0.0 }),
        "jax" => (
            round(relu6 * sixth),
            if t > 0.0 && t < 6.0 { round(g * sixth) } else { 0.0 },
        ),
        other => panic!("no oracle for {other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200_000))]

    #[test]
    fn presets_are_the_f64_formulas(
        x in prop_oneof![any::<u32>().prop_map(f32::from_bits), -4.0f32..4.0],
        g in prop_oneof![any::<u32>().prop_map(f32::from_bits), -1.0f32..1.0],
    ) {
        prop_assume!(!x.is_nan() && !g.is_nan());
        for preset in &HardSigmoid::PRESETS {
            let actual = (preset.definition.forward(x), preset.definition.backward(x, g));
            let expected = oracle(preset.name, x, g);
            let bits = |(y, dx): (f32, f32)| (y.to_bits(), dx.to_bits());
            // A subnormal result is rounded twice on its way through f64; +0 and -0 are compared above.
            if expected.1.is_subnormal() {
                prop_assert!((actual.1.to_bits() as i32 - expected.1.to_bits() as i32).abs() <= 1);
                prop_assert_eq!(actual.0.to_bits(), expected.0.to_bits());
            } else {
                prop_assert_eq!(bits(actual), bits(expected), "{} at {:e}, {:e}", preset.name, x, g);
            }
        }
    }

    /// What every definition promises, whatever its parameters.
    #[test]
    fn data_rules(alpha: f32, beta: f32, inclusive: bool, x: u32, g: u32, near in -8.0f32..8.0) {
        let kinks = if inclusive { Kinks::Inclusive } else { Kinks::Strict };
        let Ok(definition) = HardSigmoid::affine(alpha, beta, kinks) else { return Ok(()) };
        let g = f32::from_bits(g);
        for x in [f32::from_bits(x), near] {
            let (y, dx) = (definition.forward(x), definition.backward(x, g));
            if x.is_nan() {
                prop_assert_eq!(y.to_bits(), x.to_bits() | 0x0040_0000);
            } else {
                prop_assert!((0.0..=1.0).contains(&y) && y.is_sign_positive());
            }
            if definition.region(x) == Some(Region::Linear) {
                let expected = if g.is_nan() { g.to_bits() | 0x0040_0000 } else { (definition.slope() * g).to_bits() };
                prop_assert_eq!(dx.to_bits(), expected);
            } else {
                prop_assert_eq!(dx.to_bits(), 0);
            }
        }
    }
}

#[test]
fn in_place_is_the_same() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    for definition in definitions() {
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        cpu::forward(definition, &x, &mut y).unwrap();
        cpu::backward(definition, &x, &g, &mut dx).unwrap();
        let (mut over_x, mut over_g) = (x.clone(), g.clone());
        cpu::forward_in_place(definition, &mut over_x);
        cpu::backward_in_place(definition, &x, &mut over_g).unwrap();
        assert_same_bits("forward in place", &over_x, &y, |i| x[i].to_string());
        assert_same_bits("backward in place", &over_g, &dx, |i| x[i].to_string());
    }
}

#[test]
fn unequal_lengths_are_refused_and_nothing_is_written() {
    let mut out = [7.0_f32; 3];
    let error = cpu::forward(HardSigmoid::JAX, &[0.0; 2], &mut out).unwrap_err();
    assert_eq!(
        error,
        Error::LengthMismatch {
            a: "x",
            a_len: 2,
            b: "y",
            b_len: 3
        }
    );
    assert_eq!(
        error.to_string(),
        "x holds 2 elements but y holds 3; they must be equally long"
    );
    cpu::backward(HardSigmoid::JAX, &[0.0; 3], &[0.0; 2], &mut out).unwrap_err();
    cpu::backward(HardSigmoid::JAX, &[0.0; 2], &[0.0; 2], &mut out).unwrap_err();
    cpu::backward_in_place(HardSigmoid::JAX, &[0.0; 2], &mut out).unwrap_err();
    assert_eq!(out, [7.0; 3]);
}
