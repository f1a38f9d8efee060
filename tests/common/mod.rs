//! What the integration tests share: golden files and a comparison of bits.

use hard_sigmoid::HardSigmoid;
use std::path::{Path, PathBuf};

/// The bits of a float32 `.npy` file.
pub fn npy(path: impl AsRef<Path>) -> Vec<f32> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Panics unless every bit is the same.
#[track_caller]
pub fn assert_same_bits(what: &str, actual: &[f32], expected: &[f32], input: impl Fn(usize) -> String) {
    assert_bits(what, actual, expected, input, |actual, expected| {
        actual.to_bits() == expected.to_bits()
    });
}

/// The same, but for the one difference that WGSL allows in a gradient: see [`flushed`].
#[track_caller]
pub fn assert_same_bits_or_flushed(what: &str, actual: &[f32], expected: &[f32], input: impl Fn(usize) -> String) {
    assert_bits(what, actual, expected, input, |actual, expected| {
        [expected, flushed(expected)]
            .iter()
            .any(|e| e.to_bits() == actual.to_bits())
    });
}

/// What remains of a result on hardware that flushes subnormals: a zero of the same sign. The smallest normal number
/// counts too, since it may be a subnormal rounded up.
pub fn flushed(value: f32) -> f32 {
    if value.abs() <= f32::MIN_POSITIVE {
        0.0f32.copysign(value)
    } else {
        value
    }
}

#[track_caller]
fn assert_bits(
    what: &str,
    actual: &[f32],
    expected: &[f32],
    input: impl Fn(usize) -> String,
    same: impl Fn(f32, f32) -> bool,
) {
    if let Some(message) = difference(actual, expected, input, same) {
        panic!("{what}: {message}");
    }
}

/// How many elements are not the same, and the first of them; `None` if all are.
pub fn difference(
    actual: &[f32],
    expected: &[f32],
    input: impl Fn(usize) -> String,
    same: impl Fn(f32, f32) -> bool,
) -> Option<String> {
    assert_eq!(actual.len(), expected.len(), "lengths");
    let differing: Vec<usize> = (0..actual.len()).filter(|&i| !same(actual[i], expected[i])).collect();
    let &i = differing.first()?;
    Some(format!(
        "{} of {} elements differ, first at {i}: {} gives {:e} ({:#010x}), expected {:e} ({:#010x})",
        differing.len(),
        actual.len(),
        input(i),
        actual[i],
        actual[i].to_bits(),
        expected[i],
        expected[i].to_bits(),
    ))
}

/// The presets, and definitions that strain the kernels: falling, constant, tiny, steep, with far kinks.
pub fn definitions() -> Vec<HardSigmoid> {
    let custom = [
        "affine(-0.7, 0.3)",
        "affine(0, 0.25)",
        "affine(0, 1, inclusive)",
        "affine(0, 2)",
        "affine(3e-39, 0.5, inclusive)",
        "affine(-1e-45, 0.5)",
        "affine(1e30, -2)",
        "affine(1, 0, inclusive)",
        "affine(0.16666667, 0.5)",
    ];
    let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    presets.chain(custom.map(|text| text.parse().unwrap())).collect()
}
