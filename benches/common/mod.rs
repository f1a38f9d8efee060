//! What the benchmarks share: what they time, and how they assert its results.
//!
//! Each has a short form that asserts its results and times nothing. It runs without `--bench`, which `cargo bench` passes
//! and `cargo test` doesn't, or with `--test` after it. (Criterion's benchmarks do the same.) So
//! `cargo test --release --bench '*'` runs the short form of all.

use hard_sigmoid::{Element, HardSigmoid, Op, Scalar};

/// The definition that is timed.
pub const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

/// A wrong definition, whose results differ in every type.
const PLANTED: HardSigmoid = HardSigmoid::KERAS;

/// What outputs hold before a run.
pub const BEFORE: f32 = 7.0;

/// Names of results, and the first element of each that has other bits than it should.
pub type Found = Vec<(&'static str, Option<usize>)>;

/// Whether this is the short form.
pub fn is_short() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    !has("--bench") || has("--test")
}

/// Asserts that `compare` finds the results of [`DEFINITION`] right. In the short form it also has to find each of
/// them wrong if they are computed with another definition.
pub fn assert_results(what: &str, mut compare: impl FnMut(HardSigmoid) -> Found) {
    let right = compare(DEFINITION);
    assert!(!right.is_empty(), "{what}: nothing was compared");
    for (name, difference) in &right {
        assert_eq!(*difference, None, "{what}, {name}: the first element with wrong bits");
    }
    if is_short() {
        for (name, difference) in compare(PLANTED) {
            assert!(
                difference.is_some(),
                "{what}, {name}: planted wrong results weren't noticed"
            );
        }
        let names: Vec<_> = right.iter().map(|(name, _)| *name).collect();
        println!(
            "{what}: right bits, and planted wrong ones were noticed: {}",
            names.join(", ")
        );
    }
}

/// The first element of a result that has other bits than the scalar functions give. `operands` are those of each element. Of a
/// tensor beyond 2^22 elements, about 2^22 are looked at, and the last one.
pub fn difference<T: Scalar>(
    op: impl Into<Op>,
    output: usize,
    actual: &[T],
    operands: impl Fn(usize) -> [T; 3],
) -> Option<usize> {
    let op = op.into();
    let expected = |i: usize| {
        let element = Element {
            operands: operands(i),
            before: T::from_f32(BEFORE),
            index: i as u64,
        };
        element.expected(op)[output]
    };
    let differs = |&i: &usize| bytemuck::bytes_of(&actual[i]) != bytemuck::bytes_of(&expected(i));
    let step = 1.max(actual.len() >> 22);
    (0..actual.len()).step_by(step).chain([actual.len() - 1]).find(differs)
}
