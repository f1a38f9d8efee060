//! The inputs of a sample: spread over all bit patterns, with what is special among them.

use crate::devices::sample_len;
use hard_sigmoid::{DType, HardSigmoid};

/// Elements of a sample.
pub fn len(dtype: DType) -> u64 {
    sample_len("sample", dtype)
}

/// The bits of two more operands, which seem to have nothing to do with `seed`, and go through all patterns as it does.
fn others(seed: u32) -> [u32; 2] {
    [
        seed.wrapping_mul(0x9e37_79b1).rotate_left(13),
        seed.wrapping_mul(0x85eb_ca6b).rotate_left(21) ^ 0x4000_0000,
    ]
}

/// The bytes of x and of two more operands.
pub fn sample(dtype: DType) -> [Vec<u8>; 3] {
    let len = len(dtype) as u32;
    match dtype {
        DType::F32 => {
            let special = special();
            // Round numbers, and then ones with all of their bits, whose sums are rounded.
            let spread = |i: u32| match i % 2 {
                0 => (i / 2) << 12,
                _ => (i / 2).wrapping_mul(4099),
            };
            let x = |i: u32| special.get(i as usize).copied().unwrap_or_else(|| spread(i));
            of_words((0..len).map(x))
        }
        DType::F16 | DType::Bf16 => of_patterns(len, |bits| (bits as u16).to_ne_bytes()),
        DType::U8 => of_patterns(len, |bits| [bits as u8]),
    }
}

/// Every bit pattern in turn, and two more operands, each number made of its lowest bits.
fn of_patterns<const N: usize>(len: u32, number: fn(u32) -> [u8; N]) -> [Vec<u8>; 3] {
    let mut all: [Vec<u8>; 3] = Default::default();
    for i in 0..len {
        for (bytes, bits) in all.iter_mut().zip([i, others(i)[0], others(i)[1]]) {
            bytes.extend(number(bits));
        }
    }
    all
}

/// The bytes of `count` inputs from `start` on, and of two more operands.
pub fn all_from(start: u64, count: u64) -> [Vec<u8>; 3] {
    of_words((start..start + count).map(|x| x as u32))
}

fn of_words(x: impl Iterator<Item = u32>) -> [Vec<u8>; 3] {
    let mut all: [Vec<u8>; 3] = Default::default();
    for x in x {
        let [g, h] = others(x);
        for (bytes, word) in all.iter_mut().zip([x, g, h]) {
            bytes.extend(word.to_ne_bytes());
        }
    }
    all
}

/// Neighbours of every preset's kinks, of zero, of the largest numbers and of the smallest normal ones, and NaN.
fn special() -> Vec<u32> {
    let kinks = HardSigmoid::PRESETS
        .iter()
        .filter_map(|preset| preset.definition.kinks());
    let mut centres: Vec<f32> = kinks.flat_map(|(low, high)| [low, high]).collect();
    centres.extend([0.0, -0.0, 1.0, -1.0, 0.5, -0.5]);
    for of in [f32::MAX, f32::MIN_POSITIVE, f32::INFINITY] {
        centres.extend([of, -of]);
    }
    centres.sort_by(f32::total_cmp);
    centres.dedup_by_key(|centre| centre.to_bits());
    let neighbours = centres.iter().flat_map(|centre| {
        let bits = centre.to_bits();
        (0..17_u32).map(move |i| bits.wrapping_add(i).wrapping_sub(8))
    });
    neighbours
        .chain([0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0x7fff_ffff, 0xffff_ffff])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn words<const N: usize>(bytes: &[u8]) -> HashSet<[u8; N]> {
        bytes.as_chunks::<N>().0.iter().copied().collect()
    }

    #[test]
    fn every_half_and_every_exponent_is_there() {
        for dtype in [DType::F16, DType::Bf16] {
            let all = sample(dtype);
            assert_eq!(words::<2>(&all[0]).len(), 1 << 16);
            assert!(all.iter().all(|bytes| bytes.len() as u64 == 2 * len(dtype)));
            assert!(words::<2>(&all[1]).len() > 65_000 && words::<2>(&all[2]).len() > 65_000);
        }
        for bytes in sample(DType::U8) {
            assert_eq!(words::<1>(&bytes).len(), 256);
            assert_eq!(bytes.len() as u64, len(DType::U8));
        }
        let all = sample(DType::F32);
        for bytes in &all {
            let words = words::<4>(bytes);
            assert!(words.len() as u64 > len(DType::F32) * 9 / 10, "{} words", words.len());
            let exponents: HashSet<_> = words.iter().map(|word| u32::from_ne_bytes(*word) >> 23).collect();
            assert_eq!(exponents.len(), 512);
        }
        let x = words::<4>(&all[0]);
        for value in [3.0_f32, -2.5, 3.0_f32.next_down(), f32::NEG_INFINITY, -0.0] {
            assert!(x.contains(&value.to_ne_bytes()), "{value}");
        }
    }

    /// Kernels take four words at a time, so a part of the sample is left for their tails.
    #[test]
    fn a_sample_has_whole_rows_and_a_tail() {
        for &dtype in DType::ALL {
            assert_eq!(
                (len(dtype) % 6, (len(dtype) * dtype.size()).is_multiple_of(16)),
                (0, false)
            );
        }
    }

    #[test]
    fn all_inputs_are_a_permutation_in_each_operand() {
        let all = all_from(1 << 24, 1 << 16);
        assert_eq!(all[0][..4], (1_u32 << 24).to_ne_bytes());
        for bytes in &all {
            assert_eq!(words::<4>(bytes).len(), 1 << 16);
        }
    }
}
