//! `identify`.

use crate::{f32_npy, folder, golden, refused, text, tool};

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
    assert_eq!((status, out.lines().next()), (Some(1), Some("unknown")));
}

/// What it says where it can't name one.
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
        "fewer than\ntwo different x have a y strictly between 0 and 1",
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
    assert!(
        out.contains("If the data are noisy, give a\ntolerance (atol) that is large enough."),
        "{out}"
    );
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
    let separation = serde_json::json!([{ "a": "keras", "b": "onnx", "by": "dx", "x": 2.5 }]);
    assert_eq!(json["separations"], separation);
    assert_eq!(json["matches"][0]["y"]["differing"], 0);
    assert_eq!(json["matches"].as_array().unwrap().len(), 8);
}
