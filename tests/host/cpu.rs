//! The CPU path against the frameworks' own output, and against formulas in f64.

use crate::{
    common::{assert_same_bits, definitions, golden, npy},
    slice::{CHUNK, chunks},
};
use hard_sigmoid::{Binary, Difference, Element, HardSigmoid, KinkRule, Op, OpError, Region, Unary, cpu, f16};
use proptest::prelude::*;
use rayon::prelude::*;

/// Panics unless a framework's results are ours, except for subnormals that it counts as zero, which the numeric
/// contract allows. There has to be at least one, otherwise the exception isn't needed.
#[track_caller]
fn assert_same_or_subnormal(what: &str, op: impl Into<Op>, theirs: &[f32], x: &[f32], g: &[f32]) {
    let op = op.into();
    let compare = |i: usize| {
        let element = Element {
            operands: [x[i], g[i], 0.0],
            before: 0.0,
            index: i as u64,
        };
        element.compare(op, 0, theirs[i])
    };
    assert_eq!(theirs.len(), x.len());
    let count = |difference| (0..x.len()).filter(|&i| compare(i) == difference).count();
    if let Some(i) = (0..x.len()).find(|&i| compare(i) == Difference::Wrong) {
        let wrong = count(Difference::Wrong);
        panic!(
            "{what}: {wrong} differ, first {:e} and {:e}: {:e}",
            x[i], g[i], theirs[i]
        );
    }
    assert!(
        count(Difference::Subnormal) > 0,
        "{what}: no subnormal was flushed: drop the exception"
    );
}

fn compare_with_framework(name: &str, has_gradient: bool) {
    let definition: HardSigmoid = name.parse().unwrap();
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    assert!(x.len() > 6000 && x.len() == g.len());

    let mut y = vec![f32::NAN; x.len()];
    cpu::unary(Unary::Forward(definition), &x, &mut y).unwrap();
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
        cpu::binary(Binary::Backward(definition), &x, &g, &mut dx).unwrap();
        let mut expected = npy(golden(&format!("{name}.dx.npy")));
        if ["keras3", "sparse"].contains(&name) {
            // These frameworks multiply by a mask.
            let outside = |i: &usize| definition.region(x[*i]) != Some(Region::Linear);
            for i in (0..x.len()).filter(outside) {
                assert!(expected[i] == 0.0 || expected[i].is_nan() && !g[i].is_finite());
                expected[i] = 0.0;
            }
        }
        let input = |i: usize| format!("x = {:e}, g = {:e} ({:#010x})", x[i], g[i], g[i].to_bits());
        if ["jax", "sparse", "keras", "keras3", "courbariaux"].contains(&name) {
            // XLA and TensorFlow flush subnormal gradients on the CPU; the presets don't imitate that.
            assert_same_or_subnormal(name, Binary::Backward(definition), &expected, &x, &g);
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
    keras3_is_keras_on_tensorflow: "keras3", gradient true;
    sparse_is_jax: "sparse", gradient true;
    sixth_is_onnxruntime: "affine(0.16666667, 0.5)", gradient false;
    falling_is_onnxruntime: "affine(-0.7, 0.3)", gradient false;
    constant_is_onnxruntime: "affine(0, 0.25)", gradient false;
    tiny_is_onnxruntime: "affine(3e-39, 0.5)", gradient false;
    steep_is_onnxruntime: "affine(1e30, -2)", gradient false;
}

/// What frameworks compute from a hard sigmoid and one more operation. Torch has a NaN of its own; XLA and TensorFlow
/// flush subnormals.
#[test]
fn around_the_hard_sigmoid_are_the_frameworks() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    let third: Vec<f32> = g[11..].iter().chain(&g[..11]).copied().collect();
    let out = || vec![f32::NAN; x.len()];
    let compare = |name: &str, actual: Vec<f32>| {
        let mut expected = npy(golden(&format!("{name}.npy")));
        for (expected, actual) in expected.iter_mut().zip(&actual) {
            if name.starts_with("pytorch") && expected.to_bits() == u32::MAX && actual.is_nan() {
                *expected = *actual;
            }
            // Above the kinks torch copies the gradient; our NaN is quiet.
            if name == "pytorch.hard_swish.dx" && expected.is_nan() {
                *expected = f32::from_bits(expected.to_bits() | 0x0040_0000);
            }
        }
        if name == "keras3.hard_swish.dx" {
            // TensorFlow multiplies by a mask, and adds the result: a signed zero, or NaN.
            let outside = |i: &usize| HardSigmoid::KERAS3.region(x[*i]) != Some(Region::Linear);
            for i in (0..x.len()).filter(outside) {
                let is_masked = expected[i].is_nan() && !(x[i] * g[i]).is_finite();
                let is_flushed = expected[i] == 0.0 && actual[i].abs() <= f32::MIN_POSITIVE;
                let are_nan = x[i].is_nan() && expected[i].is_nan() && actual[i].is_nan();
                assert!(is_masked || is_flushed || expected[i] == actual[i] || are_nan);
                expected[i] = actual[i];
            }
        }
        let input = |i: usize| format!("x = {:e}, g = {:e}, third = {:e}", x[i], g[i], third[i]);
        let flushes: Option<Op> = match name {
            "jax.hard_swish.y" => Some(Unary::HardSwish(HardSigmoid::JAX).into()),
            "keras3.hard_swish.y" => Some(Unary::HardSwish(HardSigmoid::KERAS3).into()),
            "keras3.hard_swish.dx" => Some(Binary::HardSwishBackward(HardSigmoid::KERAS3).into()),
            _ => None,
        };
        if let Some(op) = flushes {
            assert_same_or_subnormal(name, op, &expected, &x, &g);
        } else {
            assert_same_bits(name, &actual, &expected, input);
        }
    };
    let torch = HardSigmoid::PYTORCH;
    let (mut y, mut da, mut db) = (out(), out(), out());
    cpu::binary(Binary::Gate(torch), &third, &x, &mut y).unwrap();
    cpu::gate_backward(torch, &third, &x, &g, &mut da, &mut db).unwrap();
    compare("pytorch.gate.y", y);
    compare("pytorch.gate.da", da);
    compare("pytorch.gate.db", db);
    let mut dx = third.clone();
    cpu::binary(Binary::BackwardAccumulate(torch), &x, &g, &mut dx).unwrap();
    compare("pytorch.accumulate.dx", dx);
    for name in ["pytorch", "keras3"] {
        let mut dx = out();
        cpu::binary(Binary::HardSwishBackward(name.parse().unwrap()), &x, &g, &mut dx).unwrap();
        compare(&format!("{name}.hard_swish.dx"), dx);
    }
    for name in ["pytorch", "jax", "keras3", "affine(0.16666667, 0.5)"] {
        let mut y = out();
        cpu::unary(Unary::HardSwish(name.parse().unwrap()), &x, &mut y).unwrap();
        compare(&format!("{name}.hard_swish.y"), y);
    }
}

#[test]
fn every_preset_has_a_golden_file() {
    for preset in HardSigmoid::PRESETS {
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
#[should_panic(expected = "1 differ, first 0e0 and 6e0")]
fn the_comparison_but_for_subnormals_can_fail() {
    let op = Binary::Backward(HardSigmoid::PYTORCH);
    assert_same_or_subnormal("test", op, &[0.0, 0.5], &[0.0; 2], &[6e-39, 6.0]);
}

/// The sum, product or quotient of two f32 is computed in f64 and then rounded. That is the same as one f32 operation,
/// because f64 has more than twice the digits.
fn oracle(name: &str, x: f32, g: f32) -> (f32, f32) {
    let round = |v: f64| v as f32;
    let (x, g) = (f64::from(x), f64::from(g));
    let sixth = f64::from(1.0f32 / 6.0);
    // The share of the gradient that passes at the kinks.
    let affine = |slope: f32, at_kinks: f64| {
        let v = f64::from(round(f64::from(round(f64::from(slope) * x)) + 0.5));
        let dx = f64::from(round(f64::from(slope) * g));
        let dx = match v {
            _ if v > 0.0 && v < 1.0 => dx,
            0.0 | 1.0 if at_kinks > 0.0 => dx * at_kinks,
            _ => 0.0,
        };
        (round(v.clamp(0.0, 1.0)), round(dx))
    };
    let t = f64::from(round(x + 3.0));
    let relu6 = t.clamp(0.0, 6.0);
    match name {
        "keras" => affine(0.2, 1.0),
        "onnx" => affine(0.2, 0.0),
        "courbariaux" => affine(0.5, 1.0),
        "sparse" => affine(0.5, 0.5),
        "tangent" => affine(0.25, 0.0),
        "keras3" => (
            round(relu6 / 6.0),
            if t > 0.0 && t < 6.0 { round(g / 6.0) } else { 0.0 },
        ),
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
        for preset in HardSigmoid::PRESETS {
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

    /// The operations around the hard sigmoid, made from the two that are compared with the frameworks, one f64
    /// operation each time. (The product of two f32 is exact in f64; their sum is rounded twice, which is harmless with
    /// that many digits.)
    #[test]
    fn what_surrounds_it_is_the_f64_formulas(
        preset in prop::sample::select(HardSigmoid::PRESETS),
        a in prop_oneof![any::<u32>().prop_map(f32::from_bits), -2.0f32..2.0],
        b in prop_oneof![any::<u32>().prop_map(f32::from_bits), -4.0f32..4.0],
        g in prop_oneof![any::<u32>().prop_map(f32::from_bits), -1.0f32..1.0],
    ) {
        // One in a hundred, which is too many for prop_assume.
        if a.is_nan() || b.is_nan() || g.is_nan() {
            return Ok(());
        }
        let d = preset.definition;
        let settled = |v: f32| if v.is_nan() { 0xffc0_0000 } else { v.to_bits() };
        let product = |a: f32, b: f32| (f64::from(a) * f64::from(b)) as f32;
        let sum = |a: f32, b: f32| (f64::from(a) + f64::from(b)) as f32;
        let backward = |b: f32, g: f32| d.backward(b, f32::from_bits(settled(g)));
        prop_assert_eq!(d.gate(a, b).to_bits(), settled(product(a, d.forward(b))));
        prop_assert_eq!(d.backward_accumulate(b, g, a).to_bits(), settled(sum(a, d.backward(b, g))));
        let (da, db) = d.gate_backward(a, b, g);
        prop_assert_eq!(da.to_bits(), settled(product(g, d.forward(b))));
        prop_assert_eq!(db.to_bits(), backward(b, product(g, a)).to_bits());
        let (y, dx) = if preset.name == "pytorch" {
            let rounded = |v: f64| f64::from(v as f32);
            let t = rounded(f64::from(b) + 3.0).clamp(0.0, 6.0);
            let y = (f64::from((f64::from(b) * t) as f32) / 6.0) as f32;
            let inside = rounded(rounded(f64::from(b) / 3.0) + 0.5) as f32;
            let dx = match b {
                _ if b <= -3.0 => 0.0,
                _ if b >= 3.0 => g,
                _ => product(g, inside),
            };
            (y, dx)
        } else {
            (product(b, d.forward(b)), sum(product(g, d.forward(b)), backward(b, product(g, b))))
        };
        // A subnormal quotient is rounded twice on its way through f64.
        if y.is_subnormal() {
            prop_assert!((d.hard_swish(b).to_bits() as i32 - y.to_bits() as i32).abs() <= 1);
        } else {
            prop_assert_eq!(d.hard_swish(b).to_bits(), settled(y));
        }
        prop_assert_eq!(d.hard_swish_backward(b, g).to_bits(), settled(dx));
    }

    /// Properties that every definition has, whatever its parameters.
    #[test]
    fn data_rules(
        alpha: f32,
        beta: f32,
        kinks in prop::sample::select(KinkRule::ALL),
        x: u32,
        g: u32,
        near in -8.0f32..8.0,
    ) {
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
                let whole = definition.slope() * g;
                let strict = HardSigmoid::affine(alpha, beta, KinkRule::Strict).unwrap();
                let is_kink = strict.region(x) != Some(Region::Linear);
                let expected = if is_kink && kinks == KinkRule::Half { 0.5 * whole } else { whole };
                let expected = if g.is_nan() { g.to_bits() | 0x0040_0000 } else { expected.to_bits() };
                prop_assert_eq!(dx.to_bits(), expected);
            } else {
                prop_assert_eq!(dx.to_bits(), 0);
            }
        }
    }
}

/// The sum and the product pass a NaN operand on too, the first one if there are two.
#[test]
fn nan_comes_through_the_operations_around_it() {
    let d = HardSigmoid::PYTORCH;
    let [first, second] = [0xff80_0001, 0x7fc1_2345].map(f32::from_bits);
    let quieted = [0xffc0_0001_u32, 0x7fc1_2345];
    assert_eq!(d.gate(first, second).to_bits(), quieted[0]);
    assert_eq!(d.gate(1.0, first).to_bits(), quieted[0]);
    assert_eq!(d.backward_accumulate(0.0, second, first).to_bits(), quieted[0]);
    assert_eq!(d.backward_accumulate(0.0, second, 1.0).to_bits(), quieted[1]);
    // Where the gradient doesn't pass, its NaN doesn't either; the sum keeps the other operand.
    assert_eq!(d.backward_accumulate(9.0, first, 1.0), 1.0);
    assert_eq!(d.backward_accumulate(9.0, 1.0, first).to_bits(), quieted[0]);
    let (da, db) = d.gate_backward(first, 9.0, 1.0);
    assert_eq!((da.to_bits(), db.to_bits()), (1.0f32.to_bits(), 0));
    // A NaN that comes from no operand is x86's.
    assert_eq!(d.gate(f32::INFINITY, -9.0).to_bits(), 0xffc0_0000);
    let opposite = d.backward_accumulate(0.0, f32::INFINITY, f32::NEG_INFINITY);
    assert_eq!(opposite.to_bits(), 0xffc0_0000);
}

/// The gradient from the saved output differs from that of the saved input only at the kinks that `y` can't tell from
/// saturation. `y` is monotone, so only the inputs at the kinks and a million to either side matter.
#[test]
fn the_saved_output_differs_only_at_the_kinks() {
    let near = |kink: f32| {
        let centre = kink.to_bits();
        (centre - (1 << 20)..=centre + (1 << 20)).map(f32::from_bits)
    };
    let differing = |d: HardSigmoid| -> Vec<f32> {
        let (low, high) = d.kinks().unwrap();
        let inputs = near(low)
            .chain(near(high))
            .chain([0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        let differs = |x: &f32| d.backward(*x, 1.0) != d.backward_from_output(d.forward(*x), 1.0);
        inputs.filter(differs).collect()
    };
    let (up, down) = (f32::next_up, f32::next_down);
    let expected = [
        // The kinks where they are included, and inputs whose rounded value is on them.
        ("keras", vec![-2.5, 2.5, down(2.5), up(2.5)]),
        ("onnx", vec![]),
        ("courbariaux", vec![-1.0, 1.0, down(1.0), up(1.0)]),
        ("tangent", vec![]),
        ("pytorch", vec![down(3.0)]),
        ("jax", vec![]),
        ("keras3", vec![]),
        ("sparse", vec![-1.0, 1.0, down(1.0), up(1.0)]),
    ];
    assert_eq!(expected.len(), HardSigmoid::PRESETS.len(), "a preset has no row here");
    for (preset, (name, mut expected)) in HardSigmoid::PRESETS.iter().zip(expected) {
        assert_eq!(preset.name, name);
        let mut differing = differing(preset.definition);
        differing.sort_by(f32::total_cmp);
        expected.sort_by(f32::total_cmp);
        assert_eq!(differing, expected, "{name}");
    }
    // A y that no forward pass gives counts as saturated.
    for y in [f32::NAN, -0.0, 0.0, 1.0, 2.0, -1.0, f32::INFINITY] {
        assert_eq!(HardSigmoid::KERAS.backward_from_output(y, f32::INFINITY).to_bits(), 0);
    }
    assert_eq!(HardSigmoid::KERAS.backward_from_output(f32::from_bits(1), 1.0), 0.2);
}

fn unary(definition: HardSigmoid) -> impl Iterator<Item = Unary> {
    let all = Op::all(definition).into_iter();
    all.filter_map(|op| if let Op::Unary(op) = op { Some(op) } else { None })
}

fn binary(definition: HardSigmoid) -> impl Iterator<Item = Binary> {
    let all = Op::all(definition).into_iter();
    all.filter_map(|op| if let Op::Binary(op) = op { Some(op) } else { None })
}

#[test]
fn in_place_is_the_same() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    for d in definitions() {
        for op in unary(d) {
            let (mut y, mut over_x) = (vec![f32::NAN; x.len()], x.clone());
            cpu::unary(op, &x, &mut y).unwrap();
            cpu::unary_in_place(op, &mut over_x).unwrap();
            assert_same_bits(op.name(), &over_x, &y, |i| x[i].to_string());
        }
        for op in binary(d) {
            let (mut out, mut over) = (vec![f32::NAN; x.len()], g.clone());
            let (first, second) = match Op::from(op).replaces() {
                Some(0) => (&g, &x),
                _ => (&x, &g),
            };
            cpu::binary(op, first, second, &mut out).unwrap();
            let in_place = cpu::binary_in_place(op, &x, &mut over);
            if Op::from(op).replaces().is_none() {
                assert_eq!(in_place, Err(OpError::NotInPlace { op: op.name() }));
                assert_same_bits(op.name(), &over, &g, |i| g[i].to_string());
            } else {
                in_place.unwrap();
                assert_same_bits(op.name(), &over, &out, |i| x[i].to_string());
            }
        }
    }
}

/// A debug build used to overflow at halves below 2^-15.
#[test]
fn small_halves_overflow_nothing() {
    let small = [0x8400, 0x0400, 0x0001, 0x8000].map(f16::from_bits);
    for preset in HardSigmoid::PRESETS {
        for op in unary(preset.definition) {
            let mut y = [f16::ZERO; 4];
            cpu::unary(op, &small, &mut y).unwrap();
        }
        let [mut da, mut db] = [[f16::ZERO; 4]; 2];
        cpu::gate_backward(preset.definition, &small, &small, &small, &mut da, &mut db).unwrap();
    }
}

/// Every operation on slices gives what its scalar function gives, element by element, across the lengths at which
/// loops change.
#[test]
fn slices_are_the_scalar_functions() {
    let (x, g, h) = (
        npy(golden("x.npy")),
        npy(golden("g.npy")),
        npy(golden("straight_through.dx.npy")),
    );
    for d in definitions() {
        for len in [0, 1, 7, 64, 65, x.len()] {
            for op in unary(d) {
                let mut y = vec![7.0; len];
                cpu::unary(op, &x[..len], &mut y).unwrap();
                let expected: Vec<f32> = (0..len).map(|i| op.apply(x[i], i as u64)).collect();
                assert_same_bits(op.name(), &y, &expected, |i| x[i].to_string());
            }
            for op in binary(d) {
                let mut out = h[..len].to_vec();
                cpu::binary(op, &x[..len], &g[..len], &mut out).unwrap();
                let expected: Vec<f32> = (0..len).map(|i| op.apply(x[i], g[i], h[i])).collect();
                assert_same_bits(op.name(), &out, &expected, |i| x[i].to_string());
            }
        }
    }
}

/// Compares the code for slices, with its vectors and threads, with the scalar definitions on every input. The
/// definitions themselves are compared with the frameworks and formulas above.
#[test]
#[ignore = "takes minutes: ./test.sh exhaustive"]
fn slices_are_the_definitions_on_all_inputs() {
    let presets = || HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    // The three ways in which a hard swish is computed.
    let swishes = [HardSigmoid::PYTORCH, HardSigmoid::JAX, HardSigmoid::KERAS3];
    let unary: Vec<_> = presets()
        .map(Unary::Forward)
        .chain(swishes.map(Unary::HardSwish))
        .collect();
    let binary: Vec<_> = presets()
        .map(Binary::Backward)
        .chain(swishes.map(Binary::HardSwishBackward))
        .collect();
    let mut seen = 0_u64;
    let chunks = chunks();
    for &start in &chunks {
        let x: Vec<f32> = (start..start + CHUNK).map(|i| f32::from_bits(i as u32)).collect();
        // Another permutation of all bit patterns.
        let of = |x: &f32| f32::from_bits(x.to_bits().wrapping_mul(0x9e37_79b1).rotate_left(13));
        let g: Vec<f32> = x.par_iter().map(of).collect();
        let mut out = vec![7.0_f32; x.len()];
        let differing = |out: &[f32], expected: &(dyn Fn(usize) -> f32 + Sync)| {
            let differs = |&(i, out): &(usize, &f32)| out.to_bits() != expected(i).to_bits();
            out.par_iter().with_min_len(1 << 14).enumerate().filter(differs).count()
        };
        for &op in &unary {
            cpu::unary(op, &x, &mut out).unwrap();
            let differ = differing(&out, &|i| op.apply(x[i], i as u64));
            assert_eq!(differ, 0, "{op:?} from {start:#x}");
            seen += CHUNK;
        }
        for &op in &binary {
            cpu::binary(op, &x, &g, &mut out).unwrap();
            let differ = differing(&out, &|i| op.apply(x[i], g[i], 0.0));
            assert_eq!(differ, 0, "{op:?} from {start:#x}");
            seen += CHUNK;
        }
        // The comparison can fail.
        assert!(differing(&out, &|i| x[i] + 1.0) > 0);
    }
    assert_eq!(seen, 22 * chunks.len() as u64 * CHUNK, "the sweep has shrunk");
}

#[test]
fn unequal_lengths_are_refused_and_nothing_is_written() {
    let mut out = [7.0_f32; 3];
    let jax = HardSigmoid::JAX;
    let error = cpu::unary(Unary::Forward(jax), &[0.0; 2], &mut out).unwrap_err();
    assert_eq!(
        error,
        OpError::LengthMismatch {
            a: "x",
            a_len: 2,
            b: "y",
            b_len: 3
        }
    );
    assert_eq!(
        error.to_string(),
        "x holds 2 elements but y holds 3; they must have the same length"
    );
    for op in binary(jax) {
        cpu::binary(op, &[0.0; 3], &[0.0; 2], &mut out).unwrap_err();
        cpu::binary(op, &[0.0; 2], &[0.0; 2], &mut out).unwrap_err();
        cpu::binary_in_place(op, &[0.0; 2], &mut out).unwrap_err();
    }
    let error = cpu::binary_in_place(Binary::Gate(jax), &[0.0; 2], &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a holds 3 elements but b holds 2; they must have the same length"
    );
    let three = [0.0; 3];
    for (a, b, g, da_len) in [(2, 3, 3, 3), (3, 2, 3, 3), (3, 3, 2, 3), (3, 3, 3, 2)] {
        let (a, b, g, mut da) = (&three[..a], &three[..b], &three[..g], vec![7.0; da_len]);
        let error = cpu::gate_backward(HardSigmoid::JAX, a, b, g, &mut da, &mut out).unwrap_err();
        assert!(matches!(error, OpError::LengthMismatch { a: "a", .. }), "{error}");
        assert!(da.iter().all(|&da| da == 7.0));
    }
    assert_eq!(out, [7.0; 3]);
}
