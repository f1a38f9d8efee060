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
