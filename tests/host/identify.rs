//! `identify` tells the frameworks' own output apart, and data that no preset made.

use crate::common::{golden, npy};
use hard_sigmoid::{
    DType, HardSigmoid, KinkRule, bf16, f16,
    identify::{
        Function, Gradient, IdentifyError, KinkCounts, Match, Precision, Rounding, Separation, Verdict, identify,
        identify_within, separation,
    },
};
use proptest::prelude::*;

#[test]
fn names_what_made_the_golden_files() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    for preset in HardSigmoid::PRESETS {
        let y = npy(golden(&format!("{}.y.npy", preset.name)));
        let found = identify(&x, &y, None).unwrap();
        let expected = match preset.name {
            "keras" | "onnx" => "keras or onnx",
            "courbariaux" | "sparse" => "courbariaux or sparse",
            "pytorch" | "keras3" => "pytorch or keras3",
            name => name,
        };
        assert_eq!(found.to_string(), expected);
        // ONNX defines no gradient.
        if preset.name == "onnx" {
            continue;
        }
        let dx = npy(golden(&format!("{}.dx.npy", preset.name)));
        // Two frameworks multiply by a mask, which turns an infinity into NaN.
        let finite: Vec<usize> = (0..x.len()).filter(|&i| g[i].is_finite()).collect();
        let [x, y, g, dx] = [&x, &y, &g, &dx].map(|all| finite.iter().map(|&i| all[i]).collect::<Vec<f32>>());
        let found = identify(&x, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
        assert_eq!(found.verdict, Verdict::Preset(preset.definition), "{}", preset.name);
        let counts = [found.kinks.passed, found.kinks.halved, found.kinks.blocked].map(|count| count > 0);
        let expected = [KinkRule::Inclusive, KinkRule::Half, KinkRule::Strict];
        assert_eq!(counts, expected.map(|rule| rule == preset.definition.kink_rule()));
        let as_defined = |one: &&Match| one.fits() && one.precision == Precision::EXACT;
        assert_eq!(found.matches.iter().filter(as_defined).count(), 1);
    }
}

/// Noise hides the last bits: presets that differ only there are named together, those that differ by more aren't.
#[test]
fn names_what_made_noisy_data_within_a_tolerance() {
    let x: Vec<f32> = (-1000..=1000).map(|i| i as f32 / 250.0).collect();
    let g = vec![1.0; x.len()];
    let noise = |i: usize| [3e-6, -2e-6, 1e-6][i % 3];
    let noisy = |value: &dyn Fn(f32) -> f32| -> Vec<f32> {
        let elements = x.iter().enumerate();
        elements.map(|(i, &x)| value(x) + noise(i)).collect()
    };
    let y = noisy(&|x| HardSigmoid::PYTORCH.forward(x));
    let exact = identify(&x, &y, None).unwrap();
    assert_eq!((exact.verdict, exact.within), (Verdict::Unknown, 0.0));
    // The tolerance is too small, large enough, and too large.
    for (atol, name) in [
        (1e-6, "unknown"),
        (4e-6, "pytorch or jax or keras3, within 4e-6"),
        (0.09, "keras or onnx or pytorch or jax or keras3, within 0.09"),
    ] {
        let found = identify_within(&x, &y, None, atol).unwrap();
        assert_eq!(found.to_string(), name);
        let fitting = found.matches.iter().filter(|one| one.fits()).count();
        assert_eq!(fitting, found.verdict.definitions().len());
    }
    let found = identify_within(&x, &y, None, 0.09).unwrap();
    let largest = found
        .match_with(HardSigmoid::PYTORCH)
        .unwrap()
        .forward
        .largest
        .unwrap()
        .0;
    assert!(largest > 2.9e-6 && largest < 3.1e-6, "{largest}");
    // No x can tell apart two curves that are nearer to each other than twice the noise.
    let separations = found.separations(DType::F32, DType::F32);
    assert_eq!(
        separations
            .iter()
            .map(|one| (one.pair[0].name(), one.separation.is_some()))
            .collect::<Vec<_>>(),
        [("keras", true), ("onnx", false), ("pytorch", false), ("jax", false)]
    );
    // The gradient counts too: at the kinks these two differ by far more.
    let y = noisy(&|x| HardSigmoid::KERAS.forward(x));
    for d in [HardSigmoid::KERAS, HardSigmoid::ONNX] {
        let dx = noisy(&|x| d.backward(x, 1.0));
        let found = identify_within(&x, &y, Some(Gradient { g: &g, dx: &dx }), 4e-6).unwrap();
        assert_eq!(found.verdict, Verdict::Preset(d));
    }
    // If every bit agrees, no tolerance is reported.
    let y: Vec<f32> = x.iter().map(|&x| HardSigmoid::JAX.forward(x)).collect();
    assert_eq!(identify_within(&x, &y, None, 0.5).unwrap().to_string(), "jax");
    for given in [-1.0, f32::INFINITY] {
        assert_eq!(
            identify_within(&x, &y, None, given),
            Err(IdentifyError::Tolerance { given })
        );
    }
    assert!(identify_within(&x, &y, None, f32::NAN).is_err());
}

/// What `report` says of f32 data without a gradient.
fn said(x: &[f32], y: &[f32], atol: f32) -> (Verdict, String) {
    let found = identify_within(x, y, None, atol).unwrap();
    let report = found.report(x, y, DType::F32, DType::F32);
    (found.verdict, report)
}

/// Numbers from -1 to 1 that look random.
fn noise(i: usize) -> f32 {
    ((i as u32).wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 23) as f32 - 1.0
}

/// The numbers are those that made the data, whatever the tolerance is, unless the data leave them open.
#[test]
fn fits_alpha_and_beta_within_a_tolerance() {
    let x: Vec<f32> = (-1000..=1000).map(|i| i as f32 / 250.0).collect();
    let made = |alpha: f32, beta: f32, size: f32| -> Vec<f32> {
        let elements = x.iter().enumerate();
        elements
            .map(|(i, &x)| (alpha * x + beta).clamp(0.0, 1.0) + size * noise(i))
            .collect()
    };
    for (alpha, beta, size, atol, name) in [
        (0.37, 0.41, 1e-5, 1e-4, "affine(0.37, 0.41, strict), within 0.0001"),
        (0.37, 0.41, 1e-5, 0.05, "affine(0.37, 0.41, strict), within 0.05"),
        (-0.7, 0.3, 1e-3, 1e-3, "affine(-0.7, 0.3, strict), within 0.001"),
        (0.3, 0.0, 1e-5, 2e-5, "affine(0.3, 0, strict), within 2e-5"),
        (
            0.371_234_5,
            0.41,
            1e-6,
            1e-4,
            "affine(0.371234, 0.41, strict), within 0.0001",
        ),
        (0.37, 0.41, 1e-5, 5e-6, "unknown"),
    ] {
        let y = made(alpha, beta, size);
        let found = identify_within(&x, &y, None, atol).unwrap();
        assert_eq!(found.to_string(), name);
        assert_eq!(found.within, atol);
        let Verdict::Affine(definition) = found.verdict else {
            assert_eq!(found.ranges, None);
            continue;
        };
        assert_eq!(found.match_with(definition).unwrap().forward.differing, 0);
        let ranges = found.ranges.unwrap();
        for (number, (low, high)) in [(alpha, ranges.alpha), (beta, ranges.beta)] {
            assert!(
                low < number.into() && f64::from(number) < high,
                "{name}: {low} to {high}"
            );
            assert!(high - low < 4.0 * f64::from(atol), "{name}: {low} to {high}");
        }
    }
    // A gradient at the kinks tells their rule.
    let definition = HardSigmoid::affine(0.375, 0.5, KinkRule::Inclusive).unwrap();
    let x = [-4.0 / 3.0, -1.0, 0.5, 1.0, 4.0 / 3.0];
    let y = x.map(|x| definition.forward(x));
    let dx = x.map(|x| definition.backward(x, 1.0) + 1e-5);
    let gradient = Some(Gradient { g: &[1.0; 5], dx: &dx });
    let found = identify_within(&x, &y, gradient, 1e-4).unwrap();
    assert_eq!(found.to_string(), "affine(0.375, 0.5, inclusive), within 0.0001");
}

/// The ranges are those of every pair that keeps each y within the tolerance.
#[test]
fn the_ranges_of_alpha_and_beta() {
    let line = |x: f32| 0.3125 * x + 0.4375;
    let mut x = vec![-1.0, 0.0, 1.0, 9.0, -9.0];
    let mut y = vec![line(-1.0), line(0.0) + 1.0 / 2048.0, line(1.0), 1.0, 0.0];
    let atol = 1.0 / 1024.0;
    let ranges = |x: &[f32], y: &[f32]| {
        let ranges = identify_within(x, y, None, atol).unwrap().ranges.unwrap();
        [ranges.alpha, ranges.beta].map(|(low, high)| (low as f32, high as f32))
    };
    let expected = [(0.3125 - atol, 0.3125 + atol), (0.4375 - atol / 2.0, 0.4375 + atol)];
    assert_eq!(ranges(&x, &y), expected);
    // One element among many that says more, whether or not it's one of a sample.
    for at in [65_536, 65_537, 65_538, 65_539] {
        x.truncate(5);
        y.truncate(5);
        x.extend((0..200_000).map(|i| if i == at { 0.0 } else { 0.25 }));
        y.extend(
            x[5..]
                .iter()
                .map(|&x| line(x) - if x == 0.0 { atol / 4.0 } else { 0.0 }),
        );
        let [_, beta] = ranges(&x, &y);
        assert_eq!(beta, (0.4375 - atol / 2.0, 0.4375 + 0.75 * atol));
    }
    // Exact numbers leave nothing open.
    let y = [-1.0, 0.5, 1.0].map(line);
    assert_eq!(identify_within(&[-1.0, 0.5, 1.0], &y, None, atol).unwrap().ranges, None);
}

/// Frameworks in float64: each constant is 0.2 or 1/6 in float64, except in ONNX Runtime and in PyTorch's gradient.
#[test]
fn names_what_made_float64() {
    let x: Vec<f64> = (0..3001)
        .map(|i| f64::from(i) / 375.1 - 4.0)
        .chain([-3.0, 3.0, 2.5])
        .collect();
    let g: Vec<f64> = x.iter().map(|x| (x * 7.3).sin()).collect();
    let y = |of: &dyn Fn(f64) -> f64| x.iter().map(|&x| of(x)).collect::<Vec<_>>();
    let named = |y: &[f64]| identify(&x, y, None).unwrap().to_string();
    let single = f64::from(0.2f32);
    let relu6 = |x: f64| (x + 3.0).clamp(0.0, 6.0);
    assert_eq!(named(&y(&|x| (0.2 * x + 0.5).clamp(0.0, 1.0))), "keras or onnx");
    assert_eq!(named(&y(&|x| (single * x + 0.5).clamp(0.0, 1.0))), "keras or onnx");
    assert_eq!(named(&y(&|x| relu6(x) / 6.0)), "pytorch or keras3");
    assert_eq!(named(&y(&|x| relu6(x) * (1.0 / 6.0))), "jax");
    assert_eq!(named(&y(&|x| x * relu6(x) / 6.0)), "hard_swish of pytorch");
    assert_eq!(named(&y(&|x| x * (relu6(x) / 6.0))), "hard_swish of keras3");
    assert_eq!(
        named(&y(&|x| (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0))),
        "affine(0.16666667, 0.5, strict)"
    );
    let precision = |y: &[f64]| identify(&x, y, None).unwrap().nearest().precision.rounding;
    assert_eq!(precision(&y(&|x| (0.2 * x + 0.5).clamp(0.0, 1.0))), Rounding::Double);
    assert_eq!(
        precision(&y(&|x| (single * x + 0.5).clamp(0.0, 1.0))),
        Rounding::DoubleOfSingles
    );
    // The gradient, with PyTorch's constant.
    let pytorch = y(&|x| relu6(x) / 6.0);
    let dx = |sixth: f64| -> Vec<f64> {
        let elements = x.iter().zip(&g);
        elements
            .map(|(x, g)| if x.abs() < 3.0 { sixth * g } else { 0.0 })
            .collect()
    };
    let of_torch = dx(f64::from(1.0f32 / 6.0));
    let found = identify(&x, &pytorch, Some(Gradient { g: &g, dx: &of_torch })).unwrap();
    assert_eq!(found.to_string(), "pytorch");
    assert_eq!((found.kinks.passed, found.kinks.blocked), (0, 2));
    // One wrong element doesn't hide the rest.
    let mut wrong = pytorch.clone();
    wrong[1500] += 1e-9;
    assert_eq!(named(&wrong), "pytorch or keras3, but for 1 of 3004 elements");
    // Numbers of float32 that were computed in float64.
    let singles: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let computed: Vec<f32> = singles
        .iter()
        .map(|&x| (0.2 * f64::from(x) + 0.5).clamp(0.0, 1.0) as f32)
        .collect();
    let found = identify(&singles, &computed, None).unwrap();
    assert_eq!(
        (found.to_string().as_str(), found.nearest().precision.rounding),
        ("keras or onnx", Rounding::Double)
    );
    // The same, stored in float64.
    let stored: Vec<f64> = singles.iter().map(|&x| HardSigmoid::JAX.forward(x).into()).collect();
    let wide: Vec<f64> = singles.iter().map(|&x| x.into()).collect();
    let found = identify(&wide, &stored, None).unwrap();
    assert_eq!(
        (found.to_string().as_str(), found.nearest().precision),
        ("jax", Precision::EXACT)
    );
}

/// The frameworks' own hard swishes.
#[test]
fn names_what_made_hard_swishes() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    for (name, expected) in [
        ("pytorch", "hard_swish of pytorch"),
        ("jax", "hard_swish of jax"),
        ("keras3", "hard_swish of keras3"),
    ] {
        let y = npy(golden(&format!("{name}.hard_swish.y.npy")));
        let found = identify(&x, &y, None).unwrap();
        assert_eq!(
            (found.to_string().as_str(), found.function),
            (expected, Function::HardSwish)
        );
    }
    let y = npy(golden("pytorch.hard_swish.y.npy"));
    let dx = npy(golden("pytorch.hard_swish.dx.npy"));
    let found = identify(&x, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
    assert_eq!(found.to_string(), "hard_swish of pytorch");
    let report = found.report(&x, &y, DType::F32, DType::F32);
    assert!(report.contains("\nx · clamp(x + 3, 0, 6) / 6\n"), "{report}");
    // ONNX's HardSwish is no preset.
    let y = npy(golden("affine(0.16666667, 0.5).hard_swish.y.npy"));
    let found = identify(&x, &y, None).unwrap();
    assert_eq!(found.to_string(), "hard_swish of affine(0.16666667, 0.5, strict)");
    // With noise the nearest is named, and a tolerance accepts it.
    let line: Vec<f32> = (-400..400).map(|i| i as f32 / 100.0).collect();
    let noisy: Vec<f32> = line
        .iter()
        .enumerate()
        .map(|(i, &x)| HardSigmoid::KERAS.hard_swish(x) + 1e-3 * noise(i))
        .collect();
    let (verdict, report) = said(&line, &noisy, 0.0);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(
        report.starts_with("unknown\nThe nearest found is hard_swish of keras, within 0.001."),
        "{report}"
    );
    assert_eq!(
        identify_within(&line, &noisy, None, 1e-3).unwrap().to_string(),
        "hard_swish of keras or onnx, within 0.001"
    );
    // Roundings of large halves aren't wrong elements.
    let halves: Vec<f32> = line.iter().map(|&x| f16::from_f32(x).to_f32()).collect();
    let half = |x: f32| f16::from_f32(x).to_f32();
    let y16: Vec<f32> = halves
        .iter()
        .map(|&x| half(x * half(HardSigmoid::PYTORCH.forward(x))))
        .collect();
    let (verdict, report) = said(&halves, &y16, 0.0);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(report.contains(", except for roundings"), "{report}");
    // Infinite and huge x don't make everything near.
    let y: Vec<f32> = x
        .iter()
        .map(|&x| HardSigmoid::TANGENT.forward(x) * (1.0 + 1e-6))
        .collect();
    assert_eq!(identify(&x, &y, None).unwrap().verdict, Verdict::Unknown);
    // A gradient that is off isn't called a rounding.
    let ones = vec![1.0; line.len()];
    let y: Vec<f32> = line
        .iter()
        .map(|&x| HardSigmoid::PYTORCH.forward(x).next_up())
        .collect();
    let found = identify(&line, &y, Some(Gradient { g: &ones, dx: &ones })).unwrap();
    let report = found.report(&line, &y, DType::F32, DType::F32);
    assert!(
        report.contains("except for roundings") && report.contains("The gradient\ndiffers by up to 1"),
        "{report}"
    );
    assert_eq!(found.kinks.passed, 2);
    // Of a function that is near no definition, nothing is said at the kinks of one.
    let logistic: Vec<f32> = line.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
    let found = identify(
        &line,
        &logistic,
        Some(Gradient {
            g: &ones,
            dx: &logistic,
        }),
    )
    .unwrap();
    assert_eq!((found.verdict, found.kinks), (Verdict::Unknown, KinkCounts::default()));
    // Most elements have no gradient, so a wrong one differs in few elements. It isn't an error in the data.
    let far: Vec<f32> = (-400..400).map(|i| i as f32 / 4.0).collect();
    let g = vec![1.0; far.len()];
    let y: Vec<f32> = far.iter().map(|&x| HardSigmoid::JAX.forward(x)).collect();
    let dx: Vec<f32> = far.iter().map(|&x| HardSigmoid::KERAS.backward(x, 1.0)).collect();
    let found = identify(&far, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
    assert_eq!(found.verdict, Verdict::Unknown);
    assert!(found.nearest().backward.unwrap().differing < 80, "{found:?}");
    // A wrong gradient isn't named, and neither is another function.
    let (dx, g) = (npy(golden("pytorch.hard_swish.dx.npy")), npy(golden("g.npy")));
    let y = npy(golden("pytorch.hard_swish.y.npy"));
    let wrong: Vec<f32> = dx.iter().map(|dx| dx + 1.0).collect();
    assert_eq!(
        identify(&x, &y, Some(Gradient { g: &g, dx: &wrong })).unwrap().verdict,
        Verdict::Unknown
    );
    let swish: Vec<f32> = (-400..400)
        .map(|i| i as f32 / 100.0)
        .map(|x| x / (1.0 + (-x).exp()))
        .collect();
    let x: Vec<f32> = (-400..400).map(|i| i as f32 / 100.0).collect();
    assert_eq!(identify(&x, &swish, None).unwrap().verdict, Verdict::Unknown);
}

/// How many more elements decide: with a share of p, ln 0.05 / ln (1 - p).
#[test]
fn says_how_many_more_elements_decide() {
    // All curves are flat there.
    let found = identify(&[-4.0_f32, 4.0], &[0.0, 1.0], None).unwrap();
    let separations = found.separations(DType::F32, DType::F32);
    let more = |a: HardSigmoid, b: HardSigmoid| {
        let one = separations.iter().find(|one| one.pair == [a, b]);
        one.unwrap_or_else(|| panic!("{separations:?}")).more
    };
    // They differ in a gradient at single x; then in 5/8, 1/2 and 3/4 of the x from -4 to 4.
    assert_eq!(more(HardSigmoid::KERAS, HardSigmoid::ONNX), None);
    assert_eq!(more(HardSigmoid::ONNX, HardSigmoid::COURBARIAUX), Some(4));
    assert_eq!(more(HardSigmoid::COURBARIAUX, HardSigmoid::TANGENT), Some(5));
    assert_eq!(more(HardSigmoid::TANGENT, HardSigmoid::PYTORCH), Some(3));
    let report = found.report(&[-4.0_f32, 4.0], &[0.0, 1.0], DType::F32, DType::F32);
    let expected = "from courbariaux.\nAn element with x = -2.4999998 would. So would, with 95 % certainty, 4 random x from -4 to 4.\n";
    assert!(report.contains(expected), "{report}");
}

/// Two points lie on some line.
#[test]
fn a_line_is_tested_by_a_third_element() {
    let x = [1.0_f32, -0.7];
    let y = x.map(|x| 1.0 / (1.0 + (-x).exp()));
    let (verdict, report) = said(&x, &y, 0.0);
    assert_eq!(verdict, Verdict::Underdetermined);
    assert!(
        report.contains("to test them, too\nfew different x have a y strictly between 0 and 1."),
        "{report}"
    );
    let definition = HardSigmoid::affine(0.375, 0.4375, KinkRule::Strict).unwrap();
    for third in [0.5, 4.0] {
        let x = [1.0_f32, -0.75, third];
        let (verdict, report) = said(&x, &x.map(|x| definition.forward(x)), 0.0);
        assert_eq!(verdict, Verdict::Affine(definition));
        assert_eq!(report.contains("No y is 0 or 1"), third == 0.5, "{report}");
    }
}

#[test]
fn a_few_wrong_elements_are_named() {
    let x: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.3) / 125.0).collect();
    for wrong in [f32::NAN, f32::INFINITY, 3.0, -0.5, 0.9] {
        for (y, atol, name) in [
            (
                &(|x| HardSigmoid::PYTORCH.forward(x)) as &dyn Fn(f32) -> f32,
                0.0,
                "pytorch or keras3",
            ),
            (
                &|x| HardSigmoid::TANGENT.forward(x) + 1e-5,
                1e-4,
                "tangent within 0.0001",
            ),
            (
                &|x| HardSigmoid::TANGENT.forward(x) + 1e-5,
                0.0,
                "tangent within 0.0001",
            ),
            (&|x| (0.3 * x + 0.45).clamp(0.0, 1.0), 0.0, "affine(0.3, 0.45, strict)"),
            (
                &|x| (0.37 * x + 0.41).clamp(0.0, 1.0) + 1e-5 * noise(x.to_bits() as usize),
                1e-4,
                "affine(0.37, 0.41, strict) within 0.0001",
            ),
            (
                &|x| (0.37 * x + 0.41).clamp(0.0, 1.0) + 1e-5 * noise(x.to_bits() as usize),
                0.0,
                "affine(0.37, 0.41, strict) within 0.0001",
            ),
        ] {
            let mut all: Vec<f32> = x.iter().map(|&x| y(x)).collect();
            all[17] = wrong;
            let (verdict, report) = said(&x, &all, atol);
            assert_eq!(verdict.name(), "most");
            let within = name.replace(" within", ", within");
            let expected = format!(
                "{within}, but for 1 of 1000 elements\n\
                 999 of 1000 elements agree with {name}, but x[17] does not:\nat x = {} y is {wrong}, not ",
                x[17]
            );
            assert!(report.starts_with(&expected), "{expected}\n{report}");
            all[18] = f32::NAN;
            assert_eq!(identify_within(&x, &all, None, atol).unwrap().outliers, [17, 18]);
            let (_, report) = said(&x, &all, atol);
            let expected = format!(
                "{within}, but for 2 of 1000 elements\n\
                 998 of 1000 elements agree with {name}. 2 do not. The farthest is x[1"
            );
            assert!(report.starts_with(&expected), "{expected}\n{report}");
        }
    }
    // So many wrong elements still count as few.
    let mut y: Vec<f32> = x.iter().map(|&x| (0.3 * x + 0.45).clamp(0.0, 1.0)).collect();
    y[450..550].fill(f32::NAN);
    let (_, report) = said(&x, &y, 0.0);
    let expected = "affine(0.3, 0.45, strict), but for 100 of 1000 elements\n900 of 1000 elements agree with affine(0.3, 0.45, strict). 100 do not. The farthest is x[450]:\n";
    assert!(report.starts_with(expected), "{report}");
    // The last of many elements is wrong, which no sample has.
    let x: Vec<f32> = (0..200_002).map(|i| noise(i) * 3.0).collect();
    let mut y: Vec<f32> = x.iter().map(|&x| (0.3 * x + 0.45).clamp(0.0, 1.0)).collect();
    y[200_001] = 0.6;
    let (_, report) = said(&x, &y, 0.0);
    assert!(
        report.contains("\n200001 of 200002 elements agree with affine(0.3, 0.45, strict), but x[200001] does"),
        "{report}"
    );
    // A wrong gradient is named too.
    let x: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.3) / 125.0).collect();
    let y: Vec<f32> = x.iter().map(|&x| HardSigmoid::JAX.forward(x)).collect();
    let g = vec![1.0; x.len()];
    let mut dx: Vec<f32> = x.iter().map(|&x| HardSigmoid::JAX.backward(x, 1.0)).collect();
    dx[17] = 0.5;
    let found = identify(&x, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
    let report = found.report(&x, &y, DType::F32, DType::F32);
    let expected = "jax, but for 1 of 1000 elements\n999 of 1000 elements agree with jax, but x[17] does not:\nat x = -3.8664 dx is wrong by 0.5.\n";
    assert!(report.starts_with(expected), "{report}");
    assert_eq!(
        (found.verdict, found.outliers),
        (Verdict::Most(vec![HardSigmoid::JAX]), vec![17])
    );
}

/// The report doesn't complain of noise as if another function had made the data.
#[test]
fn noise_is_no_other_function() {
    let x: Vec<f32> = (-1000..=1000).map(|i| i as f32 / 250.0).collect();
    let noisy = |size: f32| -> Vec<f32> {
        let elements = x.iter().enumerate();
        elements
            .map(|(i, x)| (0.37 * x + 0.41).clamp(0.0, 1.0) + size * noise(i))
            .collect()
    };
    let (verdict, report) = said(&x, &noisy(1e-5), 0.0);
    assert_eq!(verdict, Verdict::Unknown);
    let expected = "unknown\nNo alpha and beta were found that give these numbers. The nearest found is affine(0.37, 0.41, strict), within 1.";
    assert!(
        report.starts_with(expected) && report.contains("a tolerance (atol) of 1"),
        "{report}"
    );
    let (_, report) = said(&x, &noisy(1e-5), 1e-4);
    for part in [
        "no preset agrees within 0.0001, but every element agrees with this.",
        "Every y stays within 0.0001 for alpha from 0.3699",
        "No gradient tells the rule at the kinks; strict stands for any.",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    // The data are a noisy step.
    let elements = x.iter().enumerate();
    let y: Vec<f32> = elements.map(|(i, &x)| f32::from(x > 0.1) + 1e-5 * noise(i)).collect();
    let (verdict, report) = said(&x, &y, 1e-4);
    assert_eq!(verdict, Verdict::Underdetermined);
    assert!(
        report.contains("few different x have a y between 0 and 1 by more than 0.0001."),
        "{report}"
    );
    // These numbers are beyond what noise may be.
    let y: Vec<f32> = x.iter().map(|x| x.max(0.0)).collect();
    let (_, report) = said(&x, &y, 1e-4);
    assert!(
        report.contains("This isn't a hard sigmoid: at x = 1.012 y is 1.012"),
        "{report}"
    );
    let (_, report) = said(&x, &vec![f32::NAN; x.len()], 0.0);
    assert!(
        report.contains("The nearest found is keras, but\nat x = -4 y is NaN, not 0."),
        "{report}"
    );
}

/// What is called the nearest is near it, and the tolerance that is named is enough.
#[test]
fn the_tolerance_that_is_named_is_enough() {
    let x: Vec<f32> = (-10_000..=10_000).map(|i| i as f32 / 2500.0).collect();
    let elements = x.iter().enumerate();
    let y: Vec<f32> = elements
        .map(|(i, x)| (0.234 * x + 0.477).clamp(0.0, 1.0) + 0.005 * noise(i))
        .collect();
    let (verdict, report) = said(&x, &y, 0.0);
    assert_eq!(verdict, Verdict::Unknown);
    let (_, enough) = report
        .split_once("a tolerance (atol) of ")
        .unwrap_or_else(|| panic!("{report}"));
    let enough: f32 = enough.split(' ').next().unwrap().parse().unwrap();
    assert!(enough < 0.0053, "{report}");
    assert!(matches!(said(&x, &y, enough).0, Verdict::Affine(_)), "{report}");
}

#[test]
fn names_what_made_halves() {
    let widened = |bits: u16, element| match element {
        DType::F16 => f16::from_bits(bits).to_f32(),
        _ => bf16::from_bits(bits).to_f32(),
    };
    let read = |name: &str, element| {
        let bytes = std::fs::read(golden(name)).unwrap();
        let bits = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec::<u16>().unwrap();
        bits.into_iter().map(|bits| widened(bits, element)).collect::<Vec<_>>()
    };
    for (element, name) in [(DType::F16, "f16"), (DType::Bf16, "bf16")] {
        let all: Vec<f32> = (0..=u16::MAX).map(|bits| widened(bits, element)).collect();
        let y = read(&format!("pytorch.{name}.y.npy"), element);
        let found = identify(&all, &y, None).unwrap();
        assert_eq!(found.to_string(), "pytorch or jax or keras3");
        // No input of that type tells them apart.
        let (a, b) = (HardSigmoid::PYTORCH, HardSigmoid::JAX);
        let precision = found.match_with(a).unwrap().precision;
        assert_eq!(precision.input, element);
        assert_eq!(separation(a, b, precision), None);
        let dx = read(&format!("pytorch.{name}.dx.npy"), element);
        // The script's upstream gradients.
        let g: Vec<f32> = (0..=u16::MAX)
            .map(|i| widened(i.wrapping_mul(0x9e37).wrapping_add(0x1234), element))
            .collect();
        let found = identify(&all, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
        assert_eq!(found.to_string(), "pytorch or jax or keras3");
    }
    let all: Vec<f32> = (0..=u16::MAX).map(|bits| widened(bits, DType::F16)).collect();
    let y = read("onnx.f16.y.npy", DType::F16);
    assert_eq!(identify(&all, &y, None).unwrap().to_string(), "keras or onnx");
}

/// Every verdict, from data of written-out formulas.
#[test]
fn verdicts() {
    let x: Vec<f32> = (-3000..=3000).map(|i| i as f32 / 700.0).collect();
    let of = |y: &dyn Fn(f32) -> f32| identify(&x, &x.iter().map(|&x| y(x)).collect::<Vec<_>>(), None).unwrap();
    let relu6 = |x: f32| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    assert_eq!(of(&relu6).to_string(), "pytorch or keras3");
    assert_eq!(
        of(&|x| f16::from_f32(relu6(x)).to_f32()).to_string(),
        "pytorch or jax or keras3"
    );
    let through_bf16 = of(&|x| bf16::from_f32((bf16::from_f32(x).to_f32() + 2.0).clamp(0.0, 4.0) / 4.0).to_f32());
    assert_eq!(through_bf16.to_string(), "tangent");
    let bf16 = Precision {
        input: DType::Bf16,
        output: DType::Bf16,
        rounding: Rounding::AsDefined,
    };
    assert_eq!(through_bf16.match_with(HardSigmoid::TANGENT).unwrap().precision, bf16);
    assert_eq!(
        of(&|x| (0.3 * x + 0.45).clamp(0.0, 1.0)).to_string(),
        "affine(0.3, 0.45, strict)"
    );
    assert_eq!(
        of(&|x| (-1.25 * x + 0.1).clamp(0.0, 1.0)).to_string(),
        "affine(-1.25, 0.1, strict)"
    );
    let halved = of(&|x| f16::from_f32((0.3 * x + 0.45).clamp(0.0, 1.0)).to_f32());
    assert_eq!(halved.to_string(), "affine(0.3, 0.45, strict)");
    // The logistic sigmoid, something beyond 1, one wrong element.
    assert_eq!(of(&|x| 1.0 / (1.0 + (-x).exp())).verdict, Verdict::Unknown);
    assert_eq!(of(&|x| 2.0 * x).verdict, Verdict::Unknown);
    let one_wrong = of(&|x| if x == 0.0 { 0.25 } else { relu6(x) });
    assert_eq!(one_wrong.to_string(), "pytorch or keras3, but for 1 of 6001 elements");
    assert_eq!(one_wrong.nearest().definition, HardSigmoid::PYTORCH);
    let largest = one_wrong.nearest().forward.largest;
    assert_eq!(
        (one_wrong.nearest().forward.differing, largest),
        (1, Some((0.25, 3000)))
    );
    // A fused multiply-add has one rounding instead of two.
    let fused = of(&|x| 0.2f32.mul_add(x, 0.5).clamp(0.0, 1.0));
    assert_eq!(fused.to_string(), "keras or onnx");
    assert_eq!(
        fused.match_with(HardSigmoid::KERAS).unwrap().precision.rounding,
        Rounding::Fused
    );
    assert_eq!(
        of(&|x| 0.3f32.mul_add(x, 0.45).clamp(0.0, 1.0)).to_string(),
        "affine(0.3, 0.45, strict)"
    );
    // A step isn't determined: many steep slopes give it.
    assert_eq!(
        of(&|x| if x < 0.1 { 0.0 } else { 1.0 }).verdict,
        Verdict::Underdetermined
    );
    assert_eq!(of(&|_| f32::NAN).verdict, Verdict::Unknown);
}

/// The results of PyTorch, JAX and TensorFlow for written-out hard sigmoids, in all three types.
#[test]
fn names_what_rounds_each_operation() {
    let file = |name: &str| npy(golden(&format!("composed/{name}.npy")));
    let mut count = 0;
    // The nearest bf16 to 0.2 is 0.2002.
    let jax_keras2 = [
        "affine(0.2, 0.5, half)",
        "affine(0.2, 0.5, half)",
        "affine(0.2002, 0.5, half)",
    ];
    for (name, [f32, f16, bf16]) in [
        (
            "torch.hardsigmoid",
            ["pytorch", "pytorch or jax or keras3", "pytorch or jax or keras3"],
        ),
        (
            "torch.relu6",
            ["keras3", "pytorch or jax or keras3", "pytorch or jax or keras3"],
        ),
        (
            "torch.relu6_times",
            ["jax", "pytorch or jax or keras3", "pytorch or jax or keras3"],
        ),
        // PyTorch's clip has no gradient at the kinks.
        ("torch.keras2", ["onnx"; 3]),
        ("torch.courbariaux", ["affine(0.5, 0.5, strict)"; 3]),
        ("torch.affine(0.3, 0.45)", ["affine(0.3, 0.45, strict)"; 3]),
        // XLA multiplies in f16 and divides in bf16, where a product with 1/6 in f32 has the same bits.
        ("jax.hard_sigmoid", ["jax", "jax", "pytorch or jax or keras3"]),
        ("jax.hard_sigmoid.jit", ["jax", "jax", "pytorch or jax or keras3"]),
        // JAX's clip has half a gradient at the kinks.
        ("jax.keras2", jax_keras2),
        ("jax.keras2.jit", jax_keras2),
        ("jax.affine(0.3, 0.45)", ["affine(0.3, 0.45, half)"; 3]),
        ("jax.affine(0.3, 0.45).jit", ["affine(0.3, 0.45, half)"; 3]),
        ("tf.keras2", ["keras"; 3]),
        ("tf.keras2.xla", ["keras"; 3]),
        (
            "tf.keras3",
            ["keras3", "pytorch or jax or keras3", "pytorch or jax or keras3"],
        ),
        // The tape is outside the compiled function: XLA multiplies forward, and the tape divides.
        ("tf.keras3.xla", ["unknown", "unknown", "pytorch or jax or keras3"]),
    ] {
        for (dtype, expected) in [("float32", f32), ("float16", f16), ("bfloat16", bf16)] {
            let rows = file(&format!("{name}.{dtype}"));
            let rows: Vec<&[f32]> = rows.chunks(rows.len() / 4).collect();
            let found = identify(
                rows[0],
                rows[2],
                Some(Gradient {
                    g: rows[1],
                    dx: rows[3],
                }),
            )
            .unwrap();
            assert_eq!(found.to_string(), expected, "{name} in {dtype}");
            // If the verdict is unknown, only the gradient differs.
            assert_eq!(found.nearest().forward.differing, 0, "{name} in {dtype}");
            assert_eq!(found.kinks.halved > 0, expected.ends_with("half)"), "{name} in {dtype}");
            count += 1;
        }
    }
    assert_eq!(std::fs::read_dir(golden("composed")).unwrap().count(), count);
    let rounding = |name: &str, definition| {
        let rows = file(name);
        let rows: Vec<&[f32]> = rows.chunks(rows.len() / 4).collect();
        let found = identify(rows[0], rows[2], None).unwrap();
        found.match_with(definition).unwrap().precision.rounding
    };
    let (keras, jax) = (HardSigmoid::KERAS, HardSigmoid::JAX);
    assert_eq!(rounding("tf.keras2.float32", keras), Rounding::AsDefined);
    assert_eq!(rounding("tf.keras2.xla.float32", keras), Rounding::Fused);
    assert_eq!(rounding("torch.keras2.bfloat16", keras), Rounding::EachOperation);
    assert_eq!(rounding("tf.keras2.bfloat16", keras), Rounding::EachOperationAndFactor);
    assert_eq!(
        rounding("jax.hard_sigmoid.float16", jax),
        Rounding::EachOperationAndFactor
    );
}

/// Few elements leave many alpha and beta to choose from; the gradient says which.
#[test]
fn the_gradient_takes_part_in_the_search() {
    for seed in 1..=200_u32 {
        let random = |i: u32| (seed.wrapping_mul(977) ^ i).wrapping_mul(0x9e37_79b9) as f32 / 2f32.powi(32);
        let alpha = 0.15 + 0.5 * random(100);
        let definition = HardSigmoid::affine(alpha, 0.3, KinkRule::Inclusive).unwrap();
        let x: [f32; 8] = std::array::from_fn(|i| 2.0 * random(i as u32) - 0.4);
        let (y, dx) = (x.map(|x| definition.forward(x)), x.map(|x| definition.backward(x, 1.0)));
        match identify(&x, &y, Some(Gradient { g: &[1.0; 8], dx: &dx }))
            .unwrap()
            .verdict
        {
            Verdict::Affine(found) => assert_eq!(found.slope(), alpha, "{seed}"),
            other => panic!("{seed}: {definition}: {other:?}"),
        }
    }
}

#[test]
fn a_shift_of_zero_is_found() {
    for seed in 1..=50_u32 {
        let random = |i: u32| (seed.wrapping_mul(977) ^ i).wrapping_mul(0x9e37_79b9) as f32 / 2f32.powi(32);
        let definition = HardSigmoid::affine(0.3, 0.0, KinkRule::Strict).unwrap();
        let x: Vec<f32> = (0..500).map(|i| 8.0 * random(i) - 4.0).collect();
        let y: Vec<f32> = x.iter().map(|&x| definition.forward(x)).collect();
        assert_eq!(
            identify(&x, &y, None).unwrap().to_string(),
            "affine(0.3, 0, strict)",
            "{seed}"
        );
    }
}

#[test]
fn a_gradient_that_is_zero_in_a_half_says_nothing_of_the_kinks() {
    let x = [-2.5, 2.5, 2.5, 0.5];
    let g = [1e-7, 1e-7, 1.0, 1.0].map(|g| f16::from_f32(g).to_f32());
    let y = x.map(|x| f16::from_f32(HardSigmoid::KERAS.forward(x)).to_f32());
    let dx: [f32; 4] = std::array::from_fn(|i| f16::from_f32(HardSigmoid::KERAS.backward(x[i], g[i])).to_f32());
    assert_eq!(dx[0], 0.0);
    let found = identify(&x, &y, Some(Gradient { g: &g, dx: &dx })).unwrap();
    assert_eq!((found.kinks.passed, found.kinks.blocked), (1, 0));
}

#[test]
fn the_rule_at_the_kinks_is_seen() {
    let x = [-4.0, -1.5, -1.0, 0.0, 0.6, 1.0];
    let definition = HardSigmoid::affine(0.5, 0.75, KinkRule::Inclusive).unwrap();
    let (y, dx) = (x.map(|x| definition.forward(x)), x.map(|x| definition.backward(x, 3.0)));
    let found = identify(&x, &y, Some(Gradient { g: &[3.0; 6], dx: &dx })).unwrap();
    assert_eq!(found.to_string(), "affine(0.5, 0.75, inclusive)");
    assert_eq!((found.kinks.passed, found.kinks.blocked), (1, 0));
}

#[test]
fn what_would_separate_two_does() {
    for a in HardSigmoid::PRESETS {
        for b in HardSigmoid::PRESETS {
            let (a, b) = (a.definition, b.definition);
            match separation(a, b, Precision::EXACT) {
                None => assert_eq!(a, b),
                Some(Separation::Forward(x)) => assert_ne!(a.forward(x), b.forward(x)),
                Some(Separation::Backward(x)) => {
                    assert_eq!(a.forward(x), b.forward(x));
                    assert_ne!(a.backward(x, 1.0), b.backward(x, 1.0));
                }
            }
        }
    }
}

#[test]
fn slices_of_other_lengths_are_refused() {
    let error = identify(&[0.0], &[], None).unwrap_err();
    assert!(
        error.to_string().contains("x holds 1 elements but y holds 0"),
        "{error}"
    );
    assert!(identify(&[0.0], &[0.5], Some(Gradient { g: &[], dx: &[0.0] })).is_err());
    assert!(identify(&[0.0], &[0.5], Some(Gradient { g: &[1.0], dx: &[] })).is_err());
    assert!(identify::<f32>(&[], &[], None).is_ok());
}

proptest! {
    /// The definition that is found gives the same data, whatever alpha and beta made it.
    #[test]
    fn alpha_and_beta_are_found(alpha in -2.0f32..2.0, beta in -1.0f32..2.0, seed: u32) {
        let definition = HardSigmoid::affine(alpha, beta, KinkRule::Strict).unwrap();
        let scale = 1.5 / alpha.abs().max(0.01);
        let random = |i: u32| (i ^ seed).wrapping_mul(0x9e37_79b9) >> 8;
        let x: Vec<f32> = (0..500).map(|i| (random(i) as f32 / (1 << 23) as f32 - 1.0) * scale - beta / alpha).collect();
        let y: Vec<f32> = x.iter().map(|&x| definition.forward(x)).collect();
        prop_assume!(y.iter().filter(|&&y| y > 0.0 && y < 1.0).count() > 10);
        match identify(&x, &y, None).unwrap().verdict {
            Verdict::Affine(found) => prop_assert!(x.iter().zip(&y).all(|(&x, &y)| found.forward(x) == y)),
            other => prop_assert!(false, "{definition}: {other:?}"),
        }
    }
}
