//! The random stream of binarizations: Philox4x32-10.

/// The two words of `value`, the low one first.
pub(crate) fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// A word of the stream of `seed`.
pub(crate) fn random_word(seed: u64, position: u64) -> u32 {
    block(seed, position / 4)[(position % 4) as usize]
}

/// Consecutive words: [`random_word`] in a form that the compiler can vectorize. `N` is a multiple of 4.
#[inline(always)]
pub(crate) fn random_words<const N: usize>(seed: u64, position: u64) -> [u32; N] {
    // After the last word the stream starts over.
    let number = |i: usize| (position / 4 + i as u64) & (u64::MAX / 4);
    let mut words = [0; N];
    for (i, four) in words.chunks_exact_mut(4).enumerate() {
        four.copy_from_slice(&block(seed, number(i)));
    }
    let skipped = (position % 4) as usize;
    if skipped > 0 {
        words.copy_within(skipped.., 0);
        let next = block(seed, number(N / 4));
        words[N - skipped..].copy_from_slice(&next[..skipped]);
    }
    words
}

#[inline(always)]
fn block(seed: u64, number: u64) -> [u32; 4] {
    let [low, high] = words(number);
    philox([low, high, 0, 0], words(seed))
}

/// Philox4x32-10.
#[inline(always)]
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        let ((high0, low0), (high1, low1)) = (product(0xd251_1f53, a), product(0xcd9e_8d57, c));
        counter = [high1 ^ b ^ key[0], low1, high0 ^ d ^ key[1], low0];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers are those of the generator's authors (Random123, kat_vectors).
    #[test]
    fn known_answers() {
        for (counter, key, answer) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox(counter, key), answer);
        }
    }

    /// Each row holds TensorFlow's stream from the block that the row names.
    #[test]
    fn the_stream_is_tensorflows() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/philox.npy");
        let bytes = std::fs::read(file).unwrap();
        let rows: Vec<u32> = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap();
        assert_eq!(rows.len(), 5 * 68);
        for row in rows.chunks(68) {
            let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
            let (seed, first) = (pair(row[0], row[1]), pair(row[2], row[3]) * 4);
            // The last row ends with the stream.
            for (i, &word) in row[4..].iter().enumerate() {
                let position = first.wrapping_add(i as u64);
                assert_eq!(random_word(seed, position), word, "seed {seed}, word {position}");
            }
        }
    }
}
