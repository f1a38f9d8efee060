//! Tests of `report`.

use crate::{f32_npy, refused, succeeded, tool};
use tempfile::TempDir;

#[test]
fn it_counts() {
    let folder = TempDir::new().unwrap();
    let x = [-4.0, -3.0, 0.0, 2.5, 3.0, f32::NAN, -3.5, 3.5];
    std::fs::write(folder.path().join("x.npy"), f32_npy("(4, 2)", &x)).unwrap();
    let text = succeeded(&tool(folder.path(), "report x.npy --output r.svg --theme dark"));
    // The numbers are the shares at 0, between and at 1, and the elements at the kinks. The first column has a gradient
    // only at 0.
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(row("pytorch")[1..5], ["37.5%", "25.0%", "25.0%", "2"]);
    assert_eq!(row("keras")[1..5], ["37.5%", "25.0%", "25.0%", "1"]);
    assert_eq!(row("onnx")[1..5], ["37.5%", "12.5%", "37.5%", "1"]);
    assert_eq!((&*row("onnx")[6], &*row("keras")[6]), ("1/2", "0/2"));
    let picture = std::fs::read_to_string(folder.path().join("r.svg")).unwrap();
    assert!(picture.contains("Courbariaux"));
    refused(folder.path(), "report y.npy", "y.npy: ");
}

#[test]
fn it_counts_hard_swishes() {
    let folder = TempDir::new().unwrap();
    // The first column has a gradient nowhere, and the second above the kinks.
    let x = [-4.0, 4.0, -3.0, f32::INFINITY, f32::NEG_INFINITY, 3.5];
    std::fs::write(folder.path().join("x.npy"), f32_npy("(3, 2)", &x)).unwrap();
    let [forward, swish] = ["forward", "hard_swish"].map(|op| {
        let json = succeeded(&tool(folder.path(), &format!("report x.npy --json --op {op}")));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["operation"], op);
        json["definitions"][4].clone()
    });
    assert_eq!([&forward["name"], &swish["name"]], ["pytorch", "pytorch"]);
    for key in ["low", "linear", "high", "at_kinks"] {
        assert_eq!(forward[key], swish[key], "{key}");
    }
    assert_eq!([&forward["stuck"], &swish["stuck"]], [2, 1]);
    // Of -4, 4, -3 and 3.5: of an infinity there is no distance.
    let silu = |x: f64| x * (1.0 / (1.0 + (-x).exp()));
    let distances = [(-0.0, -4.0), (4.0, 4.0), (-0.0, -3.0), (3.5, 3.5)].map(|(y, x): (f64, f64)| (y - silu(x)).abs());
    let mean = distances.iter().sum::<f64>() / 4.0;
    // As text: what serde_json reads may be off by a bit.
    let json = succeeded(&tool(folder.path(), "report x.npy --json --op hard_swish"));
    assert!(json.contains(&format!("\"from_silu\": {mean}")), "{mean} {json}");
    assert!(swish.get("from_logistic").is_none());
    let text = succeeded(&tool(folder.path(), "report x.npy --op hard_swish"));
    assert!(text.contains("from SiLU") && text.contains("1/2"), "{text}");
}

#[test]
fn without_a_file_it_takes_the_projects_data() {
    let text = succeeded(&tool(".".as_ref(), "report"));
    assert!(text.starts_with("115008 f32 elements, shape [1797, 64]\n"), "{text}");
}

#[test]
fn features_lie_along_an_axis() {
    let folder = TempDir::new().unwrap();
    // The shape is (2, 3). The first row is stuck, and so is the last column.
    let x = [-9.0, 9.0, 9.0, 0.0, 0.0, 9.0];
    std::fs::write(folder.path().join("x.npy"), f32_npy("(2, 3)", &x)).unwrap();
    std::fs::write(folder.path().join("flat.npy"), f32_npy("(6,)", &x)).unwrap();
    let stuck = |arguments: &str| {
        let text = succeeded(&tool(folder.path(), &format!("report {arguments}")));
        let line = text.lines().find(|line| line.starts_with("keras ")).unwrap().to_owned();
        line.split_whitespace().nth(6).map(str::to_owned)
    };
    for (arguments, expected) in [
        ("x.npy", Some("1/3")),
        ("x.npy --axis 1", Some("1/3")),
        ("x.npy --axis -2", Some("1/2")),
        ("flat.npy", None),
        ("flat.npy --axis 0", Some("4/6")),
    ] {
        assert_eq!(stuck(arguments).as_deref(), expected, "{arguments}");
    }
    refused(
        folder.path(),
        "report x.npy --axis 2",
        "x.npy: there is no axis 2 in shape [2, 3]",
    );
    let json = succeeded(&tool(folder.path(), "report x.npy --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["features"], &json["definitions"][0]["stuck"]),
        (&3.into(), &1.into())
    );
}
