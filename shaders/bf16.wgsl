// What halves.wgsl needs to know of bf16.

// Widens halves in the upper bits to f32, and returns its bits. That is exact, and a NaN keeps its payload.
fn widened(x: u32) -> u32 {
    return x & 0xffff0000u;
}

// Rounds two f32 numbers, given as bits, to halves and packs them. It rounds to nearest, ties to even. A NaN has to be quiet, and
// its lower 16 bits have to be 0, as they are after widening a half.
fn packed_results(first: u32, second: u32) -> u32 {
    return (rounded(first, 16u) >> 16u) | (rounded(second, 16u) & 0xffff0000u);
}

// y of a preset. The halves of x are in the upper bits, and so are those of y.
fn forward_half(x: u32) -> u32 {
    let y = clamped(SLOPE * bitcast<f32>(widened(x)) + SHIFT, 1.0);
    return rounded(unless_nan(y, widened(x)), 16u);
}

// The quiet bits of the halves that are NaN, in a word without signs. Adding 0x007f to a half sets the half's upper bit only if it
// is above infinity's, 0x7f80.
fn quiet_bits(magnitudes: u32) -> u32 {
    return ((magnitudes + 0x007f007fu) >> 9u) & 0x00400040u;
}

// The hard swish of a moderate definition, two halves in each word.
fn hard_swish_halves(x: u32) -> u32 {
    let first = hard_swish_half(x << 16u);
    return (first >> 16u) | (hard_swish_half(widened(x)) & 0xffff0000u);
}
// y in the upper bits, from x, which is widened. A NaN is quieted, and negative infinity gives a NaN.
fn hard_swish_half(x: u32) -> u32 {
    let magnitude = magnitude_of(x);
    let y = bitcast<u32>(swish_product(bitcast<f32>(magnitude), x));
    let finite = rounded(y, 16u) | (x & SIGN);
    return select(finite, x | QUIET, (magnitude > INFINITE) | (x == (INFINITE | SIGN)));
}

// Whether halves in the upper bits are at least 0.
fn is_plus_half(x: u32) -> bool {
    return (x <= 0x7f80ffffu) | ((x & 0xffff0000u) == SIGN);
}
