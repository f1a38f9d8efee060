//! Binarization against the frameworks, against its equations, and as random numbers.

use crate::common::{assert_same_bits, golden, npy};
use hard_sigmoid::{Binarization, Binary, HardSigmoid, OpError, Scalar, StraightThrough, Unary, bf16, cpu, f16};
use rayon::prelude::*;

#[test]
fn the_straight_through_estimator_is_the_frameworks() {
    let (x, g) = (npy(golden("x.npy")), npy(golden("g.npy")));
    let mut expected = npy(golden("straight_through.dx.npy"));
    // PyTorch copies a NaN unchanged.
    for expected in expected.iter_mut().filter(|expected| expected.is_nan()) {
        *expected = f32::from_bits(expected.to_bits() | 0x0040_0000);
    }
    let mut dx = vec![f32::INFINITY; x.len()];
    cpu::binary(Binary::StraightThrough(StraightThrough::HardTanh), &x, &g, &mut dx).unwrap();
    assert_same_bits("hard tanh", &dx, &expected, |i| {
        format!("x = {:e}, g = {:e}", x[i], g[i])
    });
    let mut over_g = g.clone();
    cpu::binary_in_place(Binary::StraightThrough(StraightThrough::HardTanh), &x, &mut over_g).unwrap();
    assert_same_bits("in place", &over_g, &dx, |i| x[i].to_string());
    let mut all = g.clone();
    cpu::binary_in_place(Binary::StraightThrough(StraightThrough::Identity), &x, &mut all).unwrap();
    for (all, g) in all.iter().zip(&g) {
        assert_eq!(
            all.to_bits(),
            if g.is_nan() {
                g.to_bits() | 0x0040_0000
            } else {
                g.to_bits()
            }
        );
    }
}

#[test]
fn deterministic_signs() {
    let negative = [-1e-45, -0.3, f32::MIN, f32::NEG_INFINITY, f32::NAN, -f32::NAN];
    let positive = [0.0, -0.0, 1e-45, 0.3, f32::MAX, f32::INFINITY];
    let x = [negative, positive].concat();
    let mut y = vec![0.0; x.len()];
    cpu::unary(Unary::binarize(Binarization::Deterministic, 0.25).unwrap(), &x, &mut y).unwrap();
    assert_eq!(y, [[-0.25; 6], [0.25; 6]].concat());
    let mut bits = [u32::MAX];
    cpu::pack(Binarization::Deterministic, &x, &mut bits).unwrap();
    assert_eq!(bits, [0b1111_1100_0000]);
}

/// Signs that are certain, whatever is drawn: p = 0, p = 1, and NaN.
#[test]
fn certain_draws() {
    let (len, draws) = (10_007, Binarization::stochastic(3, 5));
    for (x, expected) in [
        (-1.0, -1.0),
        (-7.0, -1.0),
        (f32::NAN, -1.0),
        (1.0, 1.0),
        (f32::INFINITY, 1.0),
    ] {
        let mut y = vec![x; len];
        cpu::unary_in_place(Unary::binarize(draws, 1.0).unwrap(), &mut y).unwrap();
        assert!(y.iter().all(|&y| y == expected), "{x}");
    }
}

fn every_output_form<T: Scalar + PartialEq + std::fmt::Debug>() {
    let number = |v: f32| T::from_f32(v);
    for len in [0, 1, 31, 32, 33, 1000] {
        let x: Vec<T> = (0..len).map(|i| number((i as f32 * 0.71).sin() * 1.3)).collect();
        for how in [Binarization::Deterministic, Binarization::stochastic(9, 2)] {
            let expected: Vec<bool> = (0..).zip(&x).map(|(i, x)| how.is_plus(i, x.to_f32())).collect();
            let mut y = vec![number(7.0); len];
            cpu::unary(Unary::binarize(how, 0.3).unwrap(), &x, &mut y).unwrap();
            for (y, &is_plus) in y.iter().zip(&expected) {
                assert_eq!(*y, number(if is_plus { 0.3 } else { -0.3 }));
            }
            let mut over_x = x.clone();
            cpu::unary_in_place(Unary::binarize(how, 0.3).unwrap(), &mut over_x).unwrap();
            assert_eq!(over_x, y);
            let mut bits = vec![u32::MAX; len.div_ceil(32)];
            cpu::pack(how, &x, &mut bits).unwrap();
            for i in 0..bits.len() * 32 {
                let expected = expected.get(i).is_some_and(|&is_plus| is_plus);
                assert_eq!(bits[i / 32] >> (i % 32) & 1 == 1, expected, "bit {i} of {len}");
            }
            let mut unpacked = vec![number(7.0); len];
            cpu::unpack(0.3, &bits, &mut unpacked).unwrap();
            assert_eq!(unpacked, y);
        }
    }
}

#[test]
fn every_form_of_the_result_has_the_same_signs() {
    every_output_form::<f32>();
    every_output_form::<f16>();
    every_output_form::<bf16>();
}

#[test]
fn bad_lengths_and_scales_are_refused_and_nothing_is_written() {
    let how = Binarization::Deterministic;
    let mut bits = [7; 2];
    let error = cpu::pack(how, &[1.0_f32; 65], &mut bits).unwrap_err();
    let expected = OpError::PackedLength {
        operand: "x",
        len: 65,
        bits_size: 8,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "x holds 65 elements, whose signs take 12 bytes (4 for every 32 elements, rounded up), but bits has 8"
    );
    cpu::pack(how, &[1.0_f32; 32], &mut bits).unwrap_err();
    assert_eq!(bits, [7; 2]);
    let mut y = [f16::ONE; 32];
    assert!(matches!(
        cpu::unpack(1.0, &bits, &mut y),
        Err(OpError::PackedLength { operand: "y", .. })
    ));
    for scale in [f32::NAN, f32::INFINITY, 65520.0] {
        let error = cpu::unpack(scale, &bits[..1], &mut y).unwrap_err();
        assert!(error.to_string().starts_with("scale "), "{error}");
        if let Ok(op) = Unary::binarize(how, scale) {
            cpu::unary(op, &[f16::ONE; 32], &mut y).unwrap_err();
            cpu::unary_in_place(op, &mut y).unwrap_err();
        }
    }
    cpu::unary(Unary::binarize(how, 1.0).unwrap(), &[f16::ONE; 31], &mut y).unwrap_err();
    assert_eq!(y, [f16::ONE; 32]);
    cpu::binary(
        Binary::StraightThrough(StraightThrough::HardTanh),
        &[0.0_f32; 2],
        &[0.0; 2],
        &mut [0.0; 3],
    )
    .unwrap_err();
}

/// The number of draws in the statistics below, in words of 32 and in elements.
const WORDS: usize = 3_125_000;
const DRAWS: f64 = 32.0 * WORDS as f64;

/// 10^8 packed draws with the same p, and how many of them are plus.
fn draw(seed: u64, offset: u64, x: f32) -> Vec<u32> {
    let mut bits = vec![0; WORDS];
    bits.par_chunks_mut(1 << 13).enumerate().for_each(|(chunk, bits)| {
        let start = (chunk << 18) as u64;
        let draws = Binarization::stochastic(seed, offset).advanced(start);
        cpu::pack(draws, &vec![x; bits.len() * 32], bits).unwrap();
    });
    bits
}

fn ones(bits: impl IndexedParallelIterator<Item = u32>) -> f64 {
    bits.map(|word| u64::from(word.count_ones())).sum::<u64>() as f64
}

/// Asserts that a count is within four standard deviations of what independent draws with probability p give.
#[track_caller]
fn assert_share(what: &str, count: f64, of: f64, p: f64) {
    let deviations = (count - of * p) / (of * p * (1.0 - p)).sqrt();
    assert!(
        deviations.abs() < 4.0,
        "{what}: {deviations:.2} standard deviations off"
    );
}

#[test]
fn the_mean_is_p() {
    for (seed, x) in [(1, 0.0), (2, -0.5), (3, 0.999), (4, -0.99999), (5, 0.37)] {
        let p = f64::from(HardSigmoid::COURBARIAUX.forward(x));
        assert_share(&format!("p = {p}"), ones(draw(seed, 0, x).into_par_iter()), DRAWS, p);
    }
    // Other hard sigmoids may be the probability.
    let x = vec![1.0_f32; 1_000_000];
    for preset in HardSigmoid::PRESETS {
        let probability = preset.definition;
        let (seed, offset) = (11, 1 << 50);
        let draws = Binarization::Stochastic {
            probability,
            seed,
            offset,
        };
        let mut bits = vec![0; x.len() / 32];
        cpu::pack(draws, &x, &mut bits).unwrap();
        let p = f64::from(probability.forward(1.0));
        if p == 1.0 {
            assert!(bits.iter().all(|&word| word == u32::MAX));
        } else {
            assert_share(preset.name, ones(bits.into_par_iter()), 1e6, p);
        }
    }
}

#[test]
#[should_panic(expected = "standard deviations off")]
fn a_wrong_mean_is_seen() {
    assert_share("one in a thousand", ones(draw(1, 0, 0.001).into_par_iter()), DRAWS, 0.5);
}

/// Signs of fair draws: every position in the word, and every byte, is equally frequent.
#[test]
fn fair_draws_are_evenly_spread() {
    let bits = draw(6, 1, 0.0);
    let (mut places, mut bytes) = ([0_u64; 32], [0_u64; 256]);
    for word in &bits {
        for (i, count) in places.iter_mut().enumerate() {
            *count += u64::from(word >> i & 1);
        }
        for byte in word.to_le_bytes() {
            bytes[usize::from(byte)] += 1;
        }
    }
    // Chi-square with this number of degrees of freedom has this mean and variance, and is nearly normal.
    let check = |what: &str, statistic: f64, freedom: f64| {
        let deviations = (statistic - freedom) / (2.0 * freedom).sqrt();
        assert!(
            deviations.abs() < 4.0,
            "{what}: {deviations:.2} standard deviations off"
        );
    };
    let square = |count: u64, expected: f64| (count as f64 - expected).powi(2);
    let of_places = places.map(|count| square(count, WORDS as f64 / 2.0) / (WORDS as f64 / 4.0));
    check("places", of_places.iter().sum(), 32.0);
    let expected = WORDS as f64 / 64.0;
    let of_bytes = bytes.map(|count| square(count, expected) / expected);
    check("bytes", of_bytes.iter().sum(), 255.0);
}

/// Draws with different seeds, with different offsets and of neighbouring elements agree as often as they differ.
#[test]
fn draws_are_not_correlated() {
    let bits = draw(7, 0, 0.0);
    let agree = |what: &str, other: &[u32]| {
        let different = bits.par_iter().zip(other).map(|(a, b)| a ^ b);
        assert_share(what, ones(different), 32.0 * other.len() as f64, 0.5);
    };
    for seed in [8, 6, 7 << 32, 7 | 1 << 63] {
        agree(&format!("seed {seed}"), &draw(seed, 0, 0.0));
    }
    for offset in [DRAWS as u64, 1 << 34, 1 << 63] {
        agree(&format!("offset {offset}"), &draw(7, offset, 0.0));
    }
    for shift in [1, 2, 3, 4, 31] {
        let shifted = bits.windows(2).map(|pair| pair[0] >> shift | pair[1] << (32 - shift));
        agree(&format!("{shift} elements on"), &shifted.collect::<Vec<_>>());
    }
    agree("32 elements on", &bits[1..]);
    // Draws that are shifted by one element agree, so the comparison can fail.
    let later = draw(7, 1, 0.0);
    let agreeing = bits
        .windows(2)
        .zip(&later)
        .filter(|(pair, later)| pair[0] >> 1 | pair[1] << 31 == **later);
    assert_eq!(agreeing.count(), WORDS - 1);
}
