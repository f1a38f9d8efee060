//! The frameworks' own output is told apart, and so is data that no preset made.

use crate::{
    common::{golden, npy},
    examples::program,
};
use hard_sigmoid::{
    Element, HardSigmoid, Kinks, Precision, Separation, Verdict,
    half::{bf16, f16},
    identify, separation,
};
use proptest::prelude::*;
use std::process::Command;

#[test]
fn names_what_made_the_golden_files() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    for preset in &HardSigmoid::PRESETS {
        let y = npy(golden(&format!("{}.y.npy", preset.name)));
        let found = identify(&x, &y, None).unwrap();
        let expected = match preset.name {
            "keras" | "onnx" => "keras or onnx",
            name => name,
        };
        assert_eq!(found.to_string(), expected);
        // ONNX defines no gradient.
        if preset.name == "onnx" {
            continue;
        }
        let dx = npy(golden(&format!("{}.dx.npy", preset.name)));
        let found = identify(&x, &y, Some((&g, &dx))).unwrap();
        assert_eq!(found.verdict, Verdict::Preset(preset.definition), "{}", preset.name);
        let is_inclusive = preset.definition.kink_rule() == Kinks::Inclusive;
        assert_eq!(
            (found.kinks.passed > 0, found.kinks.blocked > 0),
            (is_inclusive, !is_inclusive)
        );
        assert_eq!(found.matches.iter().filter(|one| one.fits()).count(), 1);
    }
}

#[test]
fn names_what_made_halves() {
    let all: Vec<f32> = (0..=u16::MAX).map(|bits| f16::from_bits(bits).to_f32()).collect();
    let read = |name: &str| {
        let bytes = std::fs::read(golden(name)).unwrap();
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let bits = file.into_vec::<u16>().unwrap();
        bits.into_iter()
            .map(|bits| f16::from_bits(bits).to_f32())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        identify(&all, &read("pytorch.f16.y.npy"), None).unwrap().to_string(),
        "pytorch or jax"
    );
    assert_eq!(
        identify(&all, &read("onnx.f16.y.npy"), None).unwrap().to_string(),
        "keras or onnx"
    );
}

/// Every verdict, from data of plain formulas.
#[test]
fn verdicts() {
    let x: Vec<f32> = (-3000..=3000).map(|i| i as f32 / 700.0).collect();
    let of = |y: &dyn Fn(f32) -> f32| identify(&x, &x.iter().map(|&x| y(x)).collect::<Vec<_>>(), None).unwrap();
    let relu6 = |x: f32| (x + 3.0).clamp(0.0, 6.0) / 6.0;
    assert_eq!(of(&relu6).to_string(), "pytorch");
    assert_eq!(of(&|x| f16::from_f32(relu6(x)).to_f32()).to_string(), "pytorch or jax");
    let through_bf16 = of(&|x| bf16::from_f32((bf16::from_f32(x).to_f32() + 2.0).clamp(0.0, 4.0) / 4.0).to_f32());
    assert_eq!(through_bf16.to_string(), "tangent");
    let bf16 = Precision {
        input: Element::Bf16,
        output: Element::Bf16,
        steps: false,
    };
    assert_eq!(through_bf16.matches[3].precision, bf16);
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
    assert_eq!(one_wrong.verdict, Verdict::Unknown);
    assert_eq!(one_wrong.nearest().definition, HardSigmoid::PYTORCH);
    let largest = one_wrong.nearest().forward.largest;
    assert_eq!(
        (one_wrong.nearest().forward.differing, largest),
        (1, Some((0.25, 3000)))
    );
    // One rounding instead of two.
    let fused = of(&|x| 0.2f32.mul_add(x, 0.5).clamp(0.0, 1.0));
    assert_eq!(fused.verdict, Verdict::Unknown);
    assert!(fused.nearest().definition.name() == "keras" && fused.nearest().forward.differing > 0);
}

/// From JAX 0.10.2 and TensorFlow 2.21.0 on the CPU, in halves. XLA multiplies in f16 and divides in bf16.
#[test]
fn names_what_rounds_each_operation() {
    let f = |bits: [u16; 12]| bits.map(|bits| f16::from_bits(bits).to_f32());
    let b = |bits: [u16; 12]| bits.map(|bits| bf16::from_bits(bits).to_f32());
    let x = f([
        0xc166, 0xbf9a, 0xb9d7, 0x2e66, 0x35ec, 0x3a66, 0x3d33, 0x3f9a, 0x4066, 0x40e6, 0x41cd, 0x4300,
    ]);
    let g = f([
        0xbecd, 0xbd58, 0xbbc8, 0xb8df, 0xb3db, 0x2f90, 0x37b6, 0x3ac3, 0x3cd6, 0x3e4a, 0x3fbf, 0x409a,
    ]);
    let jax_y = f([
        0x2a6a, 0x31dd, 0x360d, 0x3822, 0x387e, 0x3911, 0x39bc, 0x3a88, 0x3aee, 0x3b44, 0x3bdd, 0x3c00,
    ]);
    let jax_dx = f([
        0xb488, 0xb320, 0xb130, 0xae7e, 0xa93c, 0x250a, 0x2d24, 0x3082, 0x3272, 0x3431, 0x352a, 0x0000,
    ]);
    let tf_y = f([
        0x0000, 0x2fb0, 0x35aa, 0x3829, 0x3898, 0x3948, 0x3a14, 0x3b0a, 0x3b84, 0x3beb, 0x3c00, 0x3c00,
    ]);
    let tf_dx = f([
        0x0000, 0xb446, 0xb239, 0xafcb, 0xaa48, 0x260c, 0x2e2b, 0x3168, 0x33bc, 0x3508, 0x0000, 0x0000,
    ]);
    let bf_x = b([
        0xc02d, 0xbff3, 0xbf3b, 0x3dcd, 0x3ebd, 0x3f4d, 0x3fa6, 0x3ff3, 0x400d, 0x401d, 0x403a, 0x4060,
    ]);
    let bf_g = b([
        0xbfda, 0xbfab, 0xbf79, 0xbf1c, 0xbe7b, 0x3df2, 0x3ef7, 0x3f58, 0x3f9b, 0x3fc9, 0x3ff8, 0x4013,
    ]);
    let jax_bf_y = b([
        0x3d4b, 0x3e3c, 0x3ec1, 0x3f04, 0x3f10, 0x3f22, 0x3f38, 0x3f51, 0x3f5d, 0x3f68, 0x3f7c, 0x3f80,
    ]);
    let jax_bf_dx = b([
        0xbe91, 0xbe64, 0xbe26, 0xbdd0, 0xbd27, 0x3ca1, 0x3da5, 0x3e10, 0x3e4f, 0x3e86, 0x3ea5, 0x0000,
    ]);
    for (x, g, y, dx, name, preset) in [
        (&x, &g, &jax_y, &jax_dx, "jax", 5),
        (&x, &g, &tf_y, &tf_dx, "keras or onnx", 0),
        (&bf_x, &bf_g, &jax_bf_y, &jax_bf_dx, "pytorch", 4),
    ] {
        let found = identify(x, y, Some((g, dx))).unwrap();
        assert_eq!(found.to_string(), name);
        assert!(found.matches[preset].precision.steps, "{name}");
    }
}

/// Few elements leave many alpha and beta to choose from; the gradient says which.
#[test]
fn the_gradient_takes_part_in_the_search() {
    for seed in 1..=200_u32 {
        let random = |i: u32| (seed.wrapping_mul(977) ^ i).wrapping_mul(0x9e37_79b9) as f32 / 2f32.powi(32);
        let alpha = 0.15 + 0.5 * random(100);
        let definition = HardSigmoid::affine(alpha, 0.3, Kinks::Inclusive).unwrap();
        let x: [f32; 8] = std::array::from_fn(|i| 2.0 * random(i as u32) - 0.4);
        let (y, dx) = (x.map(|x| definition.forward(x)), x.map(|x| definition.backward(x, 1.0)));
        match identify(&x, &y, Some((&[1.0; 8], &dx))).unwrap().verdict {
            Verdict::Affine(found) => assert_eq!(found.slope(), alpha, "{seed}"),
            other => panic!("{seed}: {definition}: {other:?}"),
        }
    }
}

#[test]
fn a_shift_of_zero_is_found() {
    for seed in 1..=50_u32 {
        let random = |i: u32| (seed.wrapping_mul(977) ^ i).wrapping_mul(0x9e37_79b9) as f32 / 2f32.powi(32);
        let definition = HardSigmoid::affine(0.3, 0.0, Kinks::Strict).unwrap();
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
    let found = identify(&x, &y, Some((&g, &dx))).unwrap();
    assert_eq!((found.kinks.passed, found.kinks.blocked), (1, 0));
}

#[test]
fn the_rule_at_the_kinks_is_seen() {
    let x = [-4.0, -1.5, -1.0, 0.0, 0.6, 1.0];
    let definition = HardSigmoid::affine(0.5, 0.75, Kinks::Inclusive).unwrap();
    let (y, dx) = (x.map(|x| definition.forward(x)), x.map(|x| definition.backward(x, 3.0)));
    let found = identify(&x, &y, Some((&[3.0; 6], &dx))).unwrap();
    assert_eq!(found.to_string(), "affine(0.5, 0.75, inclusive)");
    assert_eq!((found.kinks.passed, found.kinks.blocked), (1, 0));
}

#[test]
fn what_would_separate_two_does() {
    for a in &HardSigmoid::PRESETS {
        for b in &HardSigmoid::PRESETS {
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
    assert!(identify(&[0.0], &[0.5], Some((&[], &[0.0]))).is_err());
    assert!(identify(&[0.0], &[0.5], Some((&[1.0], &[]))).is_err());
    assert!(identify(&[], &[], None).is_ok());
}

proptest! {
    /// Whatever alpha and beta made the data, what is found gives the same.
    #[test]
    fn alpha_and_beta_are_found(alpha in -2.0f32..2.0, beta in -1.0f32..2.0, seed: u32) {
        let definition = HardSigmoid::affine(alpha, beta, Kinks::Strict).unwrap();
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

/// The example, as a person would run it.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program("identify"))
        .args(arguments)
        .current_dir(golden(""))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_example_names_it_on_its_first_line() {
    let (status, out, _) = run(&["x.npy", "pytorch.y.npy"]);
    assert_eq!((status, out.lines().next()), (Some(0), Some("pytorch")));
    let (status, out, _) = run(&["x.npy", "keras.y.npy"]);
    assert_eq!((status, out.lines().next()), (Some(1), Some("keras or onnx")));
    assert!(
        out.contains("no element that separates keras from onnx") && out.contains("at x = 2.5"),
        "{out}"
    );
    let (status, out, _) = run(&["x.npy", "keras.y.npy", "--grad", "g.npy", "--dx", "keras.dx.npy"]);
    assert_eq!((status, out.lines().next()), (Some(0), Some("keras")));
    assert!(
        out.contains("At the kinks the gradient passes 3 times and is blocked 0 times."),
        "{out}"
    );
    let (status, out, _) = run(&["x.npy", "affine(-0.7, 0.3).y.npy"]);
    assert_eq!(
        (status, out.lines().next()),
        (Some(0), Some("affine(-0.7, 0.3, strict)"))
    );
    let (status, out, _) = run(&["x.npy", "pytorch.hard_swish.y.npy"]);
    assert_eq!((status, out.lines().next()), (Some(1), Some("unknown")));
}

#[test]
fn the_example_says_what_is_wrong_with_its_files() {
    let refused = |arguments: &[&str], message: &str| {
        let (status, out, error) = run(arguments);
        assert_eq!((status, &*out), (Some(2), ""), "{arguments:?}");
        assert!(error.contains(message), "{error}");
    };
    refused(&["x.npy", "missing.npy"], "missing.npy: ");
    refused(&["x.npy", "make.py"], "make.py: not a .npy file");
    refused(
        &["x.npy", "pytorch.f16.y.npy"],
        "pytorch.f16.y.npy has shape [65536], but x has [6354]",
    );
    refused(&["x.npy", "jax.y.npy", "--grad", "g.npy"], "--dx <DX.npy>");
    refused(&["x.npy", "philox.npy"], "philox.npy: its dtype is '<u4'");
}
