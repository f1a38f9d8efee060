//! Tests of `identify`.

use crate::{f32_npy, folder, golden, header, raw_npy, refused, text, tool};

/// The exit status and the text.
fn identify(folder: &std::path::Path, arguments: &str) -> (Option<i32>, String) {
    let output = tool(folder, &format!("identify {arguments}"));
    assert_eq!(text(&output.stderr), "");
    (output.status.code(), text(&output.stdout))
}

#[test]
fn it_names_it_on_its_first_line() {
    let (status, out) = identify(&golden(""), "x.npy jax.y.npy");
    assert_eq!((status, out.lines().next()), (Some(0), Some("jax")));
    let (status, out) = identify(&golden(""), "x.npy pytorch.y.npy --grad g.npy --dx pytorch.dx.npy");
    assert_eq!((status, out.lines().next()), (Some(0), Some("pytorch")));
    let (status, out) = identify(&golden(""), "x.npy keras.y.npy");
    assert_eq!((status, out.lines().next()), (Some(1), Some("keras or onnx")));
    assert!(
        out.contains("no element that separates keras from onnx") && out.contains("at x = 2.5"),
        "{out}"
    );
    let (status, out) = identify(&golden(""), "x.npy keras.y.npy --grad g.npy --dx keras.dx.npy");
    assert_eq!((status, out.lines().next()), (Some(0), Some("keras")));
    assert!(
        out.contains("At the kinks the gradient passes 6 times and is blocked 0 times."),
        "{out}"
    );
    let folder = folder();
    let y = folder.path().join("y.npy");
    std::fs::copy(golden("affine(-0.7, 0.3).y.npy"), y).unwrap();
    let (status, out) = identify(folder.path(), "x.npy y.npy");
    assert_eq!(
        (status, out.lines().next()),
        (Some(0), Some("affine(-0.7, 0.3, strict)"))
    );
    let (status, out) = identify(&golden(""), "x.npy pytorch.hard_swish.y.npy");
    assert_eq!((status, out.lines().next()), (Some(0), Some("hard_swish of pytorch")));
}

/// NumPy's own type.
#[test]
fn it_names_what_was_computed_in_float64() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, values: &[f64]| {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(folder.path().join(name), raw_npy(&header("<f8", "(1001,)"), &data)).unwrap();
    };
    let x: Vec<f64> = (-500..=500).map(|i| f64::from(i) / 100.0).collect();
    let mut y: Vec<f64> = x.iter().map(|x| (x + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0)).collect();
    write("x.npy", &x);
    write("y.npy", &y);
    let (status, out) = identify(folder.path(), "x.npy y.npy");
    assert_eq!((status, out.lines().next()), (Some(0), Some("jax")), "{out}");
    assert!(
        out.lines()
            .any(|line| line.starts_with("jax ") && line.ends_with("   computed in float64")),
        "{out}"
    );
    y[17] = -1.0;
    write("y.npy", &y);
    let (status, out) = identify(folder.path(), "x.npy y.npy");
    let expected = "jax, but for 1 of 1001 elements\n1000 of 1001 elements agree with jax, but x[17] does not:\n\
                    at x = -4.83 y is -1, not 0.\n";
    assert_eq!(status, Some(1));
    assert!(out.starts_with(expected), "{out}");
    let (_, out) = identify(folder.path(), "x.npy y.npy --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["verdict"], &json["function"]),
        (&"most".into(), &"hard_sigmoid".into())
    );
    assert_eq!(
        (&json["definitions"], &json["outliers"]),
        (&serde_json::json!(["jax"]), &serde_json::json!([17]))
    );
}

/// What `identify` says where it can't name a definition.
#[test]
fn it_explains_what_it_cannot_name() {
    let folder = tempfile::tempdir().unwrap();
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    let says = |scale: f32, y: &dyn Fn(f32) -> f32, message: &str| {
        let x: Vec<f32> = (-500..=500).map(|i| i as f32 / 100.0 * scale).collect();
        let y: Vec<f32> = x.iter().map(|&x| y(x)).collect();
        for (name, values) in [("x.npy", &x), ("y.npy", &y)] {
            std::fs::write(folder.path().join(name), f32_npy("(1001,)", values)).unwrap();
        }
        let (status, out) = identify(folder.path(), "x.npy y.npy");
        assert_eq!((status, out.lines().next()), (Some(1), Some("unknown")), "{out}");
        assert!(out.contains(message), "{message}: {out}");
    };
    says(1.0, &logistic, "This is nearer to the logistic sigmoid");
    says(0.05, &logistic, "This is nearer to the logistic sigmoid");
    // Near 0, where all curves meet, a rounding doesn't make it logistic.
    says(
        0.05,
        &|x| (0.25 * x + 0.5).next_up(),
        "The nearest is tangent, except for roundings",
    );
    says(1.0, &|_| f32::NAN, "No alpha and beta were found");
    says(1.0, &|x| x.max(0.0), "This isn't a hard sigmoid");
    says(
        1.0,
        &|x| if x > 0.0 { 1.0 } else { 0.0 },
        "too\nfew different x have a y strictly between 0 and 1",
    );
}

#[test]
fn it_names_noisy_data_within_a_tolerance() {
    let folder = tempfile::tempdir().unwrap();
    let x: Vec<f32> = (-500..=500).map(|i| i as f32 / 100.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (0.25 * x + 0.5).clamp(0.0, 1.0) + 1e-5).collect();
    for (name, values) in [("x.npy", &x), ("y.npy", &y)] {
        std::fs::write(folder.path().join(name), f32_npy("(1001,)", values)).unwrap();
    }
    let (status, out) = identify(folder.path(), "x.npy y.npy");
    assert_eq!((status, out.lines().next()), (Some(1), Some("unknown")), "{out}");
    assert!(out.contains("If the data are noisy: a tolerance (atol) of "), "{out}");
    let (status, out) = identify(folder.path(), "x.npy y.npy --atol 2e-5");
    assert_eq!(
        (status, out.lines().next()),
        (Some(0), Some("tangent, within 2e-5")),
        "{out}"
    );
    assert!(
        out.contains("agrees within 2e-5, but not in every bit. No other preset"),
        "{out}"
    );
    refused(folder.path(), "identify x.npy y.npy --atol -1", "atol is -1");
}

/// A line that no preset has: its alpha and beta, how far they are open, and the one element that is wrong.
#[test]
fn it_fits_alpha_and_beta_to_noisy_data() {
    let folder = tempfile::tempdir().unwrap();
    let x: Vec<f32> = (-500..500).map(|i| i as f32 / 100.0).collect();
    let noisy = |(i, x): (usize, &f32)| (0.37 * x + 0.41).clamp(0.0, 1.0) + [1e-5, -1e-5, 0.0][i % 3];
    let mut y: Vec<f32> = x.iter().enumerate().map(noisy).collect();
    let write = |y: &[f32]| {
        for (name, values) in [("x.npy", &x[..]), ("y.npy", y)] {
            std::fs::write(folder.path().join(name), f32_npy("(1000,)", values)).unwrap();
        }
    };
    write(&y);
    let (status, out) = identify(folder.path(), "x.npy y.npy --atol 1e-4");
    assert_eq!(
        (status, out.lines().next()),
        (Some(0), Some("affine(0.37, 0.41, strict), within 0.0001")),
        "{out}"
    );
    assert!(
        out.contains("Every y stays within 0.0001 for alpha from 0.36993 to 0.37007 and beta from 0.40991 to 0.41009"),
        "{out}"
    );
    let (_, out) = identify(folder.path(), "x.npy y.npy --atol 1e-4 --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verdict"], "affine");
    for (name, number) in [("alpha", 0.37), ("beta", 0.41)] {
        let [low, high] = [0, 1].map(|end| json["ranges"][name][end].as_f64().unwrap());
        assert!(
            number - 2e-4 < low && low < number && number < high && high < number + 2e-4,
            "{json}"
        );
    }
    y[17] = f32::NAN;
    write(&y);
    let (status, out) = identify(folder.path(), "x.npy y.npy --atol 1e-4");
    let expected = "affine(0.37, 0.41, strict), within 0.0001, but for 1 of 1000 elements\n999 of 1000 elements agree with affine(0.37, 0.41, strict) within 0.0001, but x[17] does not:\n\
                    at x = -4.83 y is NaN, not 0.\n";
    assert_eq!(status, Some(1));
    assert!(out.starts_with(expected), "{out}");
    let (_, out) = identify(folder.path(), "x.npy y.npy --atol 1e-4 --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["ranges"], serde_json::Value::Null);
    let nearest = &json["matches"][8]["y"];
    assert_eq!(
        (&nearest["differing"], &nearest["at"]),
        (&1.into(), &17.into()),
        "{json}"
    );
}

#[test]
fn it_says_what_is_wrong_with_its_files() {
    refused(&golden(""), "identify x.npy missing.npy", "missing.npy: ");
    refused(&golden(""), "identify x.npy make.py", "make.py: not a .npy file");
    refused(
        &golden(""),
        "identify x.npy pytorch.f16.y.npy",
        "pytorch.f16.y.npy has shape [65536], but x has [6354]",
    );
    let output = tool(&golden(""), "identify x.npy jax.y.npy --grad g.npy");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--dx <DX.npy>"));
    refused(
        &golden(""),
        "identify x.npy philox.npy",
        "philox.npy: its dtype is '<u4'",
    );
}

#[test]
fn json_says_the_same() {
    let (status, out) = identify(&golden(""), "x.npy keras.y.npy --json");
    assert_eq!(status, Some(1));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verdict"], "one_of");
    assert_eq!(json["definitions"], serde_json::json!(["keras", "onnx"]));
    let separation = serde_json::json!([{ "a": "keras", "b": "onnx", "by": "dx", "x": 2.5, "more": null }]);
    assert_eq!(json["separations"], separation);
    assert_eq!(json["matches"][0]["y"]["differing"], 0);
    assert_eq!(json["matches"].as_array().unwrap().len(), 8);
}

/// The bytes are those of `n0_7`, a hard swish of a MobileNetV3-small in ONNX Runtime; the scales are in its `nodes.tsv`.
#[test]
fn it_names_a_quantized_function() {
    let files = golden("quantized_mobilenet");
    let scale = |bits: u32| f32::from_bits(bits);
    let of_x = format!("--x-scale {} --x-zero-point 131", scale(0x3d30_22c2));
    let of_y = format!("--y-scale {} --y-zero-point 17", scale(0x3cb7_e13b));
    let given = format!("22.npy 23.npy {of_x} {of_y}");
    let (status, out) = identify(&files, &given);
    let first = out.lines().next().unwrap();
    // Its data tell the function, but not all roundings.
    assert_eq!(status, Some(1));
    assert!(
        first.contains("hard_swish of affine(0.16666667, 0.5, strict) (onnx)"),
        "{out}"
    );
    assert!(
        !first.contains("forward") && !first.contains("of keras (") && !first.contains("tflite"),
        "{out}"
    );
    assert!(
        out.contains(
            "hard_swish of pytorch (tflite) differs in 12: in element 123 x is 100 and y is 1, but it gives 0."
        ),
        "{out}"
    );
    let (_, out) = identify(&files, &format!("{given} --json"));
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    let fitting = found["fitting"].as_u64().unwrap() as usize;
    assert_eq!(fitting, first.split(" or ").count());
    let matches = found["matches"].as_array().unwrap();
    assert!(matches.len() > fitting && matches[fitting]["first"]["gives"].is_i64());

    // Nobody's bytes: with the zero point of another tensor.
    let other = given.replace("--y-zero-point 17", "--y-zero-point 18");
    let (status, out) = identify(&files, &other);
    assert_eq!((status, out.lines().next()), (Some(1), Some("unknown")));
    assert!(out.contains("\n0 of ") && out.contains("but it gives "), "{out}");

    let refused = |arguments: &str, why: &str| refused(&files, &format!("identify {arguments}"), why);
    refused("22.npy 23.npy", "its dtype is '|u1'");
    refused(
        &given.replace("131", "256"),
        "x: zero point is 256; it must be a number of u8, from 0 to 255",
    );
    refused(
        &given.replace("22.npy", "../x.npy"),
        "its dtype is '<f4'; with scales it must be uint8 or int8",
    );
    refused(&given.replace("23.npy", "2.npy"), "has shape");
}
