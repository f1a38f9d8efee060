//! Tables of quantized functions against the bytes of ONNX Runtime, PyTorch and TFLite: see `tests/golden/quantized.py`.

use crate::{common::golden, quantized_mobilenet};
use hard_sigmoid::{
    Byte, DType, HardSigmoid, Quantization, QuantizationError, Quantized, QuantizedGate, Rounding, Unary, cpu,
    identify::{IdentifyError, QuantizedMatch, quantized},
};
use std::fs;

fn npy<T: npyz::Deserialize>(name: &str) -> Vec<T> {
    let path = golden("quantized").join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

/// The tensors of each row of a file, and the bytes that the framework gave.
fn rows(name: &str, tensors: usize) -> Vec<(Vec<Quantization>, Vec<u8>)> {
    let parameters: Vec<i32> = npy(&format!("{name}.parameters.npy"));
    let results: Vec<u8> = npy(&format!("{name}.y.npy"));
    let parameters = parameters.chunks(3 * tensors);
    let len = results.len() / parameters.len();
    let of = |numbers: &[i32]| {
        let byte = if numbers[2] == 1 { Byte::I8 } else { Byte::U8 };
        Quantization::new(byte, f32::from_bits(numbers[0] as u32), numbers[1])
    };
    let row = |(row, results): (&[i32], &[u8])| {
        let tensors: Result<Vec<_>, _> = row.chunks(3).map(of).collect();
        (tensors, results.to_vec())
    };
    let all: Vec<_> = parameters.zip(results.chunks(len)).map(row).collect();
    // Scales that no tensor has in a trained network.
    let refused = all.iter().filter(|(tensors, _)| tensors.is_err()).count();
    assert!(refused * 4 < all.len(), "{refused} of {} rows of {name}", all.len());
    let taken = all
        .into_iter()
        .filter_map(|(tensors, results)| Some((tensors.ok()?, results)));
    taken.collect()
}

/// How many bytes were compared, and how many differ.
fn compare(name: &str, op: Unary, rounding: Rounding) -> [usize; 2] {
    let (mut compared, mut differing) = (0, 0);
    for (tensors, expected) in rows(name, 2) {
        let table = Quantized::new(op, tensors[0], tensors[1], rounding).unwrap().table();
        compared += expected.len();
        differing += table
            .iter()
            .zip(&expected)
            .filter(|(ours, theirs)| ours != theirs)
            .count();
    }
    [compared, differing]
}

/// The operation that a file is named after.
fn op(name: &str) -> Unary {
    let of = |name: &str| name.parse::<HardSigmoid>().unwrap();
    match name.strip_suffix(".hard_swish") {
        Some(name) => Unary::HardSwish(of(name)),
        None => Unary::Forward(of(name)),
    }
}

#[test]
fn tables_are_onnx_runtimes() {
    for name in ["onnx", "affine(0.16666667, 0.5)", "affine(0.16666667, 0.5).hard_swish"] {
        let [compared, differing] = compare(name, op(name), Rounding::Onnx);
        assert!(
            compared >= 200 * 256 && differing == 0,
            "{name}: {differing} of {compared}"
        );
    }
    // The rows tell the frameworks and the definitions apart.
    for (name, op, rounding) in [
        ("onnx", Unary::Forward(HardSigmoid::KERAS), Rounding::PyTorch),
        (
            "affine(0.16666667, 0.5)",
            Unary::Forward(HardSigmoid::PYTORCH),
            Rounding::Onnx,
        ),
        (
            "affine(0.16666667, 0.5).hard_swish",
            Unary::HardSwish(HardSigmoid::JAX),
            Rounding::Onnx,
        ),
    ] {
        assert!(compare(name, op, rounding)[1] > 0, "{name}");
    }
}

#[test]
fn tables_are_pytorchs() {
    for name in ["pytorch", "pytorch.hard_swish"] {
        let op = op(name);
        let [compared, differing] = compare(name, op, Rounding::PyTorch);
        assert!(
            compared >= 100 * 256 && differing == 0,
            "{name}: {differing} of {compared}"
        );
        assert!(compare(name, op, Rounding::Onnx)[1] > 0);
        assert!(compare(&format!("{name}.scalar"), op, Rounding::PyTorch)[1] > 0);
    }
}

#[test]
fn tables_are_tflites() {
    for definition in [HardSigmoid::PYTORCH, HardSigmoid::JAX, HardSigmoid::KERAS3] {
        let op = Unary::HardSwish(definition);
        let [compared, differing] = compare("tflite.hard_swish", op, Rounding::TfLite);
        assert!(compared >= 300 * 256 && differing == 0, "{differing} of {compared}");
    }
    let hard_swish = Unary::HardSwish(HardSigmoid::PYTORCH);
    assert!(compare("tflite.hard_swish", hard_swish, Rounding::Onnx)[1] > 0);
}

#[test]
fn gates_are_onnx_runtimes() {
    let differing = |name: &str, definition: HardSigmoid, is_fused: bool| {
        let (mut compared, mut differing) = (0, 0);
        for (tensors, expected) in rows(name, 4) {
            let gate = QuantizedGate {
                definition,
                a: tensors[0],
                b: tensors[1],
                h: tensors[2],
                y: tensors[3],
                is_fused,
            };
            let table = gate.table();
            assert_eq!(table.len(), expected.len());
            compared += table.len();
            differing += table
                .iter()
                .zip(&expected)
                .filter(|(ours, theirs)| ours != theirs)
                .count();
        }
        assert!(compared >= 1 << 16);
        differing
    };
    let mut other_product = 0;
    for name in ["onnx", "affine(0.16666667, 0.5)"] {
        let definition = name.parse().unwrap();
        let (written, fused) = (format!("{name}.gate"), format!("{name}.gate.fused"));
        assert_eq!(differing(&written, definition, false), 0);
        assert_eq!(differing(&fused, definition, true), 0);
        other_product += differing(&written, definition, true) + differing(&fused, definition, false);
    }
    assert!(other_product > 0);
}

#[test]
fn a_quantized_mobilenet_is_onnx_runtimes() {
    quantized_mobilenet::check(|node| {
        let mut y = vec![0xed; node.y.len()];
        let operands: Vec<&[u8]> = node.operands.iter().map(Vec::as_slice).collect();
        cpu::run(node.op, DType::U8, &operands, &mut [&mut y]).unwrap();
        y
    });
}

#[test]
fn what_no_framework_takes_is_refused() {
    for scale in [0.0, -0.0, -1.0, 1e-39, f32::NAN, f32::INFINITY] {
        let error = Quantization::u8(scale, 0).unwrap_err();
        assert!(error.to_string().contains("must be positive and finite"), "{error}");
    }
    let error = |byte, zero_point| Quantization::new(byte, 1.0, zero_point).unwrap_err().to_string();
    assert_eq!(
        error(Byte::U8, 256),
        "zero point is 256; it must be a number of u8, from 0 to 255"
    );
    assert_eq!(
        error(Byte::I8, -129),
        "zero point is -129; it must be a number of i8, from -128 to 127"
    );
    let (u8, i8) = (Quantization::u8(1.0, 0).unwrap(), Quantization::i8(1.0, 0).unwrap());
    let small = Quantization::u8(1.0 / 128.0, 0).unwrap();
    let swish = Unary::HardSwish(HardSigmoid::PYTORCH);
    let new = |op, x, y| Quantized::new(op, x, y, Rounding::TfLite).unwrap_err();
    assert_eq!(new(swish, u8, i8), QuantizationError::TfLiteTypes);
    assert!(matches!(new(swish, u8, small), QuantizationError::TfLiteScales { .. }));
    // 3·2^23, and the number below it, which TFLite takes.
    let of = |scale| Quantization::u8(scale, 100).unwrap();
    assert!(matches!(
        new(swish, of(25_165_824.0), of(1e7)),
        QuantizationError::TfLiteLargeScale { .. }
    ));
    assert!(Quantized::new(swish, of(25_165_822.0), of(1e7), Rounding::TfLite).is_ok());
    for op in [
        Unary::Forward(HardSigmoid::PYTORCH),
        Unary::HardSwish(HardSigmoid::KERAS),
    ] {
        let error = new(op, u8, u8).to_string();
        assert!(error.contains("TFLite has no quantized kernel for"), "{error}");
    }
    let signs = Unary::binarize(hard_sigmoid::Binarization::Deterministic, 1.0).unwrap();
    let error = Quantized::new(signs, u8, u8, Rounding::Onnx).unwrap_err();
    assert_eq!(
        error.to_string(),
        "binarize has no quantized form; take forward, hard_swish, or a gate"
    );
}

/// x of a row.
fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

fn identified(tensors: &[Quantization], y: &[u8]) -> Vec<QuantizedMatch> {
    quantized(&all_bytes(), y, tensors[0], tensors[1]).unwrap()
}

#[test]
fn identify_names_who_made_the_bytes() {
    for (name, rounding) in [
        ("onnx", Rounding::Onnx),
        ("affine(0.16666667, 0.5)", Rounding::Onnx),
        ("affine(0.16666667, 0.5).hard_swish", Rounding::Onnx),
        ("pytorch", Rounding::PyTorch),
        ("pytorch.hard_swish", Rounding::PyTorch),
        ("tflite.hard_swish", Rounding::TfLite),
    ] {
        let op = op(&name.replace("tflite", "pytorch"));
        let mut alone = 0;
        for (tensors, y) in rows(name, 2) {
            let matches = identified(&tensors, &y);
            let fitting: Vec<_> = matches
                .iter()
                .filter(|one| one.fits())
                .map(|one| one.function)
                .collect();
            let is_it = |one: &&Quantized| one.op() == op && one.rounding() == rounding;
            assert_eq!(fitting.iter().filter(is_it).count(), 1, "{name}");
            // Other definitions may have the same table.
            alone += usize::from(
                fitting
                    .iter()
                    .all(|one| one.op().name() == op.name() && one.rounding() == rounding),
            );
        }
        assert!(alone > 0, "{name}: nothing tells its roundings from the others");
    }
}

/// A gate whose a is one byte is a function of b, but no hard sigmoid.
#[test]
fn identify_finds_nothing_in_other_bytes() {
    let mut checked = 0;
    for (tensors, y) in rows("onnx.gate", 4) {
        let y: Vec<u8> = y.chunks(256).map(|row| row[77]).collect();
        let of = [tensors[1], tensors[3]];
        let is_constant = y.iter().all(|one| *one == y[0]);
        if is_constant {
            continue;
        }
        let matches = identified(&of, &y);
        let nearest = matches[0];
        let differing: Vec<_> = (0..256).filter(|&i| nearest.function.table()[i] != y[i]).collect();
        assert!(!nearest.fits() && nearest.differing == differing.len() && nearest.first == Some(differing[0]));
        assert!(matches.is_sorted_by_key(|one| one.differing));
        checked += 1;
    }
    assert!(checked > 0);
    let of = Quantization::u8(1.0, 0).unwrap();
    let error = quantized(&[1, 2], &[1], of, of).unwrap_err();
    let (len, x_len) = (1, 2);
    assert_eq!(error, IdentifyError::LengthMismatch { name: "y", len, x_len });
    // Without data, nothing is contradicted.
    assert!(quantized(&[], &[], of, of).unwrap().iter().all(QuantizedMatch::fits));
}
