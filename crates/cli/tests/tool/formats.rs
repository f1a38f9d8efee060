//! An array gives one result, whatever kind of file it is in.

use crate::{command, folder, read_f32, refused, split, succeeded, text, tool};
use std::{io::Write, path::Path, process::Stdio};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const SHAPE: [usize; 2] = [2, 3177];

fn values(folder: &Path) -> Vec<f32> {
    read_f32(folder.join("x.npy"))
}

fn npy(dtype: &str, is_fortran: bool, data: &[u8]) -> Vec<u8> {
    let order = if is_fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': (2, 3177), }}");
    crate::raw_npy(&header, data)
}

fn bytes<const N: usize>(values: impl Iterator<Item = [u8; N]>) -> Vec<u8> {
    values.flatten().collect()
}

/// The elements in Fortran order, where the first index changes fastest.
fn in_fortran_order(values: &[f32]) -> Vec<f32> {
    let [rows, columns] = SHAPE;
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

fn npz(tensors: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, file) in tensors {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(file).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn every_format_is_the_same_array() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let x = values(folder.path());
    let plain = npy("<f4", false, &bytes(x.iter().map(|x| x.to_le_bytes())));
    let other = npy("<f4", false, &vec![0; 4 * x.len()]);
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, SHAPE.to_vec(), split(&plain).1).unwrap();
    let zeros = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, SHAPE.to_vec(), split(&other).1).unwrap();
    for (name, file) in [
        ("plain.npy", plain.clone()),
        ("big.npy", npy(">f4", false, &bytes(x.iter().map(|x| x.to_be_bytes())))),
        (
            "stored.npz",
            npz(&[("a", &other), ("x", &plain)], CompressionMethod::Stored),
        ),
        (
            "deflated.npz",
            npz(&[("x", &plain), ("z", &other)], CompressionMethod::Deflated),
        ),
        ("one.npz", npz(&[("arr_0", &plain)], CompressionMethod::Stored)),
        (
            "t.safetensors",
            safetensors::serialize([("a", &zeros), ("layer.x", &view)], None).unwrap(),
        ),
    ] {
        std::fs::write(at(name), file).unwrap();
    }
    let compute = |input: &str| {
        succeeded(&tool(
            folder.path(),
            &format!("run --preset jax --input {input} --output y.npy --device cpu"),
        ));
        std::fs::read(at("y.npy")).unwrap()
    };
    let expected = compute("plain.npy");
    for input in [
        "big.npy",
        "stored.npz:x",
        "deflated.npz:x",
        "one.npz",
        "one.npz:arr_0",
        "t.safetensors:layer.x",
    ] {
        assert!(compute(input) == expected, "{input}");
        let report = succeeded(&tool(folder.path(), &format!("report {input}")));
        assert!(report == succeeded(&tool(folder.path(), "report plain.npy")), "{input}");
    }
    // In Fortran order the result is too.
    let fortran = npy(
        "<f4",
        true,
        &bytes(in_fortran_order(&x).iter().map(|x| x.to_le_bytes())),
    );
    std::fs::write(at("fortran.npy"), fortran).unwrap();
    let result = compute("fortran.npy");
    assert!(split(&result).0.contains("'fortran_order': True"));
    let y = read_f32(at("y.npy"));
    std::fs::write(at("y.npy"), &expected).unwrap();
    crate::assert_same_bits(&y, &in_fortran_order(&read_f32(at("y.npy"))));
    let found = succeeded(&tool(folder.path(), "identify fortran.npy y.npy"));
    assert!(found.starts_with("jax\n"), "{found}");

    for (input, message) in [
        ("stored.npz", "name one of its tensors, as FILE:TENSOR: a, x"),
        ("t.safetensors", "name one of its tensors, as FILE:TENSOR: a, layer.x"),
        ("t.safetensors:a:b", "there is no tensor a:b; there are a, layer.x"),
        ("stored.npz:y", "there is no tensor y; there are a, x"),
        ("plain.npy:x", "tensors have names in .npz and .safetensors files alone"),
        ("none.npz:x", "none.npz:x: "),
    ] {
        refused(
            folder.path(),
            &format!("run --preset jax --input {input} --output out.npy"),
            message,
        );
    }
}

#[test]
fn float64_is_rounded_where_numbers_are_compared() {
    let folder = folder();
    let x: Vec<f64> = values(folder.path()).iter().map(|&x| x.into()).collect();
    std::fs::write(
        folder.path().join("f8.npy"),
        npy("<f8", false, &bytes(x.iter().map(|x| x.to_le_bytes()))),
    )
    .unwrap();
    std::fs::write(
        folder.path().join("rows.npy"),
        npy("<f4", false, &bytes(x.iter().map(|&x| (x as f32).to_le_bytes()))),
    )
    .unwrap();
    let report = |name: &str| succeeded(&tool(folder.path(), &format!("report {name}")));
    assert_eq!(report("f8.npy"), report("rows.npy"));
}

/// One command writes its result into a pipe, from which the next one reads.
#[test]
fn standard_input_and_output() {
    let folder = folder();
    let x = std::fs::read(folder.path().join("x.npy")).unwrap();
    let fed = |arguments: &str, input: &[u8]| {
        let mut command = command(folder.path(), arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        output
    };
    let output = fed("run --preset jax --input - --output - --device cpu", &x);
    assert!(text(&output.stderr).starts_with("jax forward of 6354 elements on "));
    succeeded(&tool(
        folder.path(),
        "run --preset jax --input x.npy --output y.npy --device cpu",
    ));
    assert!(output.stdout == std::fs::read(folder.path().join("y.npy")).unwrap());
    let found = fed("identify x.npy -", &output.stdout);
    assert!(succeeded(&found).starts_with("jax\n"));
}

#[test]
fn an_input_is_not_overwritten_unless_asked_to() {
    let folder = folder();
    let before = std::fs::read(folder.path().join("x.npy")).unwrap();
    let run = "run --preset jax --input x.npy --output ./x.npy --device cpu";
    refused(folder.path(), run, "./x.npy: it is an input; --overwrite replaces it");
    refused(
        folder.path(),
        "run --preset jax --op backward --input g.npy --grad x.npy --output x.npy --device cpu",
        "x.npy: it is an input",
    );
    std::fs::copy(folder.path().join("x.npy"), folder.path().join("data")).unwrap();
    refused(folder.path(), "report data --output ./data", "./data: it is an input");
    assert!(std::fs::read(folder.path().join("x.npy")).unwrap() == before);
    succeeded(&tool(folder.path(), &format!("{run} --overwrite")));
    assert!(std::fs::read(folder.path().join("x.npy")).unwrap() != before);
}

#[test]
fn files_have_the_names_of_what_is_in_them() {
    let folder = folder();
    for name in ["y.png", "y.SVG", "y.npz", "y.safetensors"] {
        let run = format!("run --preset jax --input x.npy --output {name} --device cpu");
        refused(folder.path(), &run, "file, but the result is a .npy file");
    }
    for name in ["y.jpg", "y.npy"] {
        refused(
            folder.path(),
            &format!("report x.npy --output {name}"),
            "a picture is a .svg or a .png file",
        );
    }
}

/// NumPy has no bfloat16, but .safetensors files tell it.
#[test]
fn bfloat16_of_safetensors_needs_no_option() {
    let folder = folder();
    let x: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::BF16, vec![1 << 16], &x).unwrap();
    let file = safetensors::serialize([("x", &view)], None).unwrap();
    std::fs::write(folder.path().join("t.safetensors"), file).unwrap();
    let table = succeeded(&tool(folder.path(), "run --input t.safetensors --device cpu"));
    assert!(table.contains("65536 bf16 elements"), "{table}");
    let run = "run --preset jax --input t.safetensors --output y.npy --device cpu";
    assert!(succeeded(&tool(folder.path(), run)).contains("65536 elements"));
    refused(
        folder.path(),
        "run --preset jax --dtype f16 --input t.safetensors --output z.npy --device cpu",
        "its dtype is 'bfloat16', not '<f2'",
    );
}
