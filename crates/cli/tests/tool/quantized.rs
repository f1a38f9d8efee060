//! Tests of `run` with 8-bit files, against the bytes of ONNX Runtime, PyTorch and TFLite.

use crate::{files, golden, header, raw_npy, refused, split, succeeded, tool};
use safetensors::{Dtype, tensor::TensorView};
use std::{fs, path::Path};
use tempfile::{TempDir, tempdir};

/// A row of a golden file: x and y as bits of the scale, zero point and whether it is signed, and y for each byte of x.
struct Row {
    tensors: [[i32; 3]; 2],
    y: Vec<u8>,
}

impl Row {
    /// The options for it, but for the type of y.
    fn options(&self) -> String {
        let [x, y] = self.tensors;
        let of = |name: &str, [scale, zero_point, _]: [i32; 3]| {
            let scale = f32::from_bits(scale as u32);
            format!("--{name}-scale {scale:?} --{name}-zero-point {zero_point}")
        };
        format!("{} {}", of("x", x), of("y", y))
    }

    fn types(&self) -> [&'static str; 2] {
        self.tensors
            .map(|[.., is_signed]| if is_signed == 1 { "|i1" } else { "|u1" })
    }
}

/// A row for each pair of types that a file has.
fn rows(name: &str) -> Vec<Row> {
    let [parameters, results] = ["parameters", "y"].map(|what| {
        let file = fs::read(golden(&format!("quantized/{name}.{what}.npy"))).unwrap();
        split(&file).1.to_vec()
    });
    let numbers: Vec<i32> = parameters
        .chunks_exact(4)
        .map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let mut rows: Vec<Row> = vec![];
    for (numbers, y) in numbers.chunks_exact(6).zip(results.chunks_exact(256)) {
        let tensors = [0, 3].map(|at| [numbers[at], numbers[at + 1], numbers[at + 2]]);
        let row = Row { tensors, y: y.to_vec() };
        let is_taken = tensors
            .iter()
            .all(|&[scale, ..]| f32::from_bits(scale as u32).is_normal());
        if is_taken && rows.iter().all(|other| other.types() != row.types()) {
            rows.push(row);
        }
    }
    rows
}

/// A folder with every byte as x.npy of this type.
fn folder(dtype: &str) -> TempDir {
    let folder = tempdir().unwrap();
    let all: Vec<u8> = (0..=255).collect();
    fs::write(folder.path().join("x.npy"), raw_npy(&header(dtype, "(2, 128)"), &all)).unwrap();
    folder
}

fn run(folder: &Path, options: &str) -> (String, String, Vec<u8>) {
    let run = format!("run --input x.npy --output y.npy --device cpu {options}");
    let summary = succeeded(&tool(folder, &run));
    let written = fs::read(folder.join("y.npy")).unwrap();
    let (header, y) = split(&written);
    (summary, header, y.to_vec())
}

#[test]
fn bytes_are_the_frameworks() {
    for (name, pairs, function) in [
        ("onnx", 4, "--preset onnx"),
        (
            "affine(0.16666667, 0.5)",
            4,
            "--alpha 0.16666667 --beta 0.5 --op forward",
        ),
        (
            "affine(0.16666667, 0.5).hard_swish",
            4,
            "--alpha 0.16666667 --beta 0.5 --op hard_swish --rounding onnx",
        ),
        ("pytorch", 2, "--preset pytorch --rounding pytorch"),
        (
            "pytorch.hard_swish",
            2,
            "--preset pytorch --op hard_swish --rounding pytorch",
        ),
        (
            "tflite.hard_swish",
            2,
            "--preset pytorch --op hard_swish --rounding tflite",
        ),
    ] {
        let rows = rows(name);
        assert_eq!(rows.len(), pairs, "{name}");
        for row in rows {
            let [x, y] = row.types();
            let folder = folder(x);
            let of_y = if y == "|i1" { "i8" } else { "u8" };
            // The type of x stands for y too.
            let of_y = if x == y {
                String::new()
            } else {
                format!("--y-dtype {of_y}")
            };
            let (_, header, bytes) = run(folder.path(), &format!("{function} {} {of_y}", row.options()));
            assert_eq!(bytes, row.y, "{name} {}", row.options());
            assert!(
                header.contains(&format!("'{y}'")) && header.contains("(2, 128)"),
                "{header}"
            );
        }
    }
}

/// The file is longer than what is in memory at a time, has an odd end, and is replaced.
#[test]
fn long_files_in_place_and_tensors() {
    let row = rows("onnx").remove(0);
    let folder = folder(row.types()[0]);
    let x: Vec<u8> = (0..(2 << 22) + 3)
        .map(|i: u32| (i.wrapping_mul(7919) >> 5) as u8)
        .collect();
    let shape = format!("({},)", x.len());
    let expected: Vec<u8> = x.iter().map(|&x| row.y[usize::from(x)]).collect();
    let [from, to] = row.types();
    fs::write(folder.path().join("y.npy"), raw_npy(&header(from, &shape), &x)).unwrap();
    let of_y = if to == "|i1" { "i8" } else { "u8" };
    let options = format!("--preset onnx {} --y-dtype {of_y} --device cpu", row.options());
    let run = format!("run --input y.npy --output y.npy --overwrite {options}");
    succeeded(&tool(folder.path(), &run));
    assert!(split(&fs::read(folder.path().join("y.npy")).unwrap()).1 == expected);

    let dtype = if from == "|i1" { Dtype::I8 } else { Dtype::U8 };
    let view = TensorView::new(dtype, vec![x.len()], &x).unwrap();
    let file = safetensors::serialize([("q", view)], None).unwrap();
    fs::write(folder.path().join("t.safetensors"), file).unwrap();
    succeeded(&tool(
        folder.path(),
        &format!("run --input t.safetensors:q --output z.npy {options}"),
    ));
    assert!(split(&fs::read(folder.path().join("z.npy")).unwrap()).1 == expected);
    assert_eq!(files(folder.path()).len(), 4, "temporary files are left");
}

#[test]
fn the_summary_says_what_was_computed() {
    let folder = folder("|i1");
    let options =
        "--preset jax --op hard_swish --x-scale 0.5 --x-zero-point -3 --y-scale 0.25 --y-zero-point 7 --y-dtype u8";
    let (summary, ..) = run(folder.path(), options);
    assert!(
        summary.starts_with("jax hard_swish of 256 elements on CPU (asked for): y.npy"),
        "{summary}"
    );
    let (json, ..) = run(folder.path(), &format!("{options} --json"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let is = |key: &str, value: serde_json::Value| assert_eq!(json[key], value, "{key}");
    is("definition", "jax".into());
    is("operation", "hard_swish".into());
    is("pass", "forward".into());
    is("elements", 256.into());
    is("dtype", "i8".into());
    is("rounding", "onnx".into());
    is("x", serde_json::json!({"dtype": "i8", "scale": 0.5, "zero_point": -3}));
    is("y", serde_json::json!({"dtype": "u8", "scale": 0.25, "zero_point": 7}));
}

#[test]
fn what_is_missing_or_too_much_is_one_clear_line() {
    let folder = folder("|u1");
    let floats = raw_npy(&header("<f4", "(2,)"), &[0; 8]);
    fs::write(folder.path().join("f.npy"), floats).unwrap();
    let of = |input: &str, options: &str| format!("run --input {input} --output y.npy --device cpu {options}");
    let x = "--preset pytorch --x-scale 1 --x-zero-point 0";
    let both = &format!("{x} --y-scale 1 --y-zero-point 0");
    let say = |name: &str| format!("say what those of {name} stand for: --{name}-scale SCALE --{name}-zero-point ZERO");
    for (options, message) in [
        ("--preset pytorch", &*say("x")),
        ("--preset pytorch --x-scale 1", &say("x")),
        (x, &say("y")),
        (&format!("{x} --y-zero-point 3"), &say("y")),
        ("--x-scale 1", "needs a definition"),
        (
            &format!("{both} --op backward --grad x.npy"),
            "backward takes no 8-bit files: of uint8 and int8 there are forward and hard_swish",
        ),
        (&format!("{both} --dtype f32"), "its dtype is '|u1', not '<f4'"),
        (
            &format!("{both} --rounding tflite"),
            "TFLite has no quantized kernel for forward",
        ),
        (
            "--preset jax --x-scale 0 --x-zero-point 0 --y-scale 1 --y-zero-point 0",
            "x: scale is 0.0; it must be positive",
        ),
        (
            "--preset jax --x-scale 1 --x-zero-point 0 --y-scale 1 --y-zero-point -1",
            "y: zero point is -1; it must be a number of u8",
        ),
    ] {
        refused(folder.path(), &of("x.npy", options), message);
    }
    for option in [
        "--x-scale 1",
        "--x-zero-point 0",
        "--y-scale 1",
        "--y-zero-point 0",
        "--y-dtype i8",
        "--rounding onnx",
    ] {
        let option_name = option.split(' ').next().unwrap();
        let message = format!("{option_name} is for files of uint8 or int8, but x has floats");
        refused(folder.path(), &of("f.npy", &format!("--preset jax {option}")), &message);
    }
    refused(
        folder.path(),
        &of("f.npy", &format!("{both} --dtype u8")),
        "8-bit numbers have the type that their file says",
    );
    refused(
        folder.path(),
        "run --input x.npy --device cpu",
        "the table is of floats",
    );
    for command in ["report x.npy", "identify x.npy x.npy"] {
        refused(folder.path(), command, "its dtype is '|u1'; supported are float64");
    }
    refused(
        folder.path(),
        &format!("run --input x.npy --output x.npy --device cpu {both}"),
        "x.npy",
    );
}
