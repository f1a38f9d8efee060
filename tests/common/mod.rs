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
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let differs = |&i: &usize| actual[i].to_bits() != expected[i].to_bits();
    let differing: Vec<usize> = (0..actual.len()).filter(differs).collect();
    if let Some(&i) = differing.first() {
        panic!(
            "{what}: {} of {} elements differ, first at {i}: {} gives {:e} ({:#010x}), expected {:e} ({:#010x})",
            differing.len(),
            actual.len(),
            input(i),
            actual[i],
            actual[i].to_bits(),
            expected[i],
            expected[i].to_bits(),
        );
    }
}

/// The presets, and definitions that are hard for the kernels: falling, constant, tiny, steep, with far kinks.
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
        "affine(1, 0, half)",
        "affine(3e-39, 0, half)",
        "affine(0.16666667, 0.5)",
    ];
    let presets = HardSigmoid::PRESETS.iter().map(|preset| preset.definition);
    presets.chain(custom.map(|text| text.parse().unwrap())).collect()
}
