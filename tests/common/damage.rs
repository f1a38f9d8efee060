//! Damaged files, for tests: flipped bits, other bytes, missing and doubled pieces, truncation.

/// Makes this many damaged variants of a file, the same ones in every run.
pub fn damaged(whole: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9e37_79b9_u64;
    let mut random = move |below: usize| {
        // The factor and the summand are those of Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    (0..count).map(move |_| {
        let mut bytes = whole.to_vec();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = random(256) as u8,
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..(at + random(64)).min(bytes.len()))),
                _ => drop(bytes.splice(at..at, whole[..random(64).min(whole.len())].to_vec())),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes
    })
}
