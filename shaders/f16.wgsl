// What halves.wgsl needs to know of f16.

// Widens halves in the upper bits to f32, and returns its bits. That is exact, and a NaN keeps its payload.
fn widened(x: u32) -> u32 {
    let magnitude = extractBits(x, 16u, 15u);
    let finite = widened_finite(magnitude);
    // The exponent of infinity and NaN is 31 in f16 and 255 in f32, so it grows by 224, which is twice 112.
    let special = (magnitude << 13u) + 0x70000000u;
    return (x & SIGN) | select(finite, special, magnitude >= 0x7c00u);
}
// Widens an f16 that is finite and has no sign.
fn widened_finite(h: u32) -> u32 {
    // 112 is the difference of the exponents' biases.
    let normal = (h << 13u) + 0x38000000u;
    // Subnormal halves are multiples of 2^-24, and floats from 0.5 on are 2^-24 apart.
    let subnormal = bitcast<u32>(bitcast<f32>(h + 0x3f000000u) - 0.5);
    return select(normal, subnormal, h < 0x0400u);
}

// Rounds two f32 numbers, given as bits, to halves and packs them. It rounds to nearest, ties to even. A NaN has to be quiet, and
// its lower 13 bits have to be 0, as they are after widening a half.
fn packed_results(first: u32, second: u32) -> u32 {
    let magnitudes = narrowed_magnitude(first) | (narrowed_magnitude(second) << 16u);
    return magnitudes | ((first >> 16u) & 0x8000u) | (second & SIGN);
}
fn narrowed_magnitude(bits: u32) -> u32 {
    let magnitude = magnitude_of(bits);
    let normal = narrowed_normal(magnitude);
    // Numbers from 65520 on round to infinity. The last ten bits of a NaN are its payload.
    let finite = min(narrowed_finite(magnitude), 0x7c00u);
    let nan = (normal & 0x03ffu) | 0x7c00u;
    return select(finite, nan, magnitude > INFINITE);
}
// Rounds an f32 that has no sign to f16. Beyond the largest f16 the result is the bits of infinity, or more.
fn narrowed_finite(bits: u32) -> u32 {
    // Below 2^-14 a half is a multiple of 2^-24. Floats from 0.5 on are 2^-24 apart, so the sum rounds to such a multiple.
    // The minimum keeps the operation that made the number apart from the sum.
    let smallest = 0x38800000u;
    let sum = bitcast<u32>(bitcast<f32>(min(bits, smallest)) + 0.5);
    return select(narrowed_normal(bits), sum - 0x3f000000u, bits < smallest);
}
fn narrowed_normal(bits: u32) -> u32 {
    return (rounded(bits, 13u) - 0x38000000u) >> 13u;
}

// y of a preset. The halves of x are in the upper bits, and so are those of y. The bits of an f16, shifted to the right by 3,
// are those of an f32 that is 2^112 times smaller. It is finite, whatever the half is.
fn forward_half(x: u32) -> u32 {
    let small = bitcast<f32>(bitcast<u32>(bitcast<i32>(x) >> 3u) & 0x8fffe000u);
    let v = SLOPE * small + SHIFT * TWO_MINUS_112;
    let y = rounded(clamped(v, TWO_MINUS_112), 13u) << 3u;
    return select(y, x | 0x02000000u, magnitude_of(x) > 0x7c00ffffu);
}
const TWO_MINUS_112: f32 = 1.925929944387235853055977942584927318538e-34;

// dx of a preset, two halves in each word of x, g and dx. It rounds the product to f32 and then to a half, as the CPU path
// does; narrowed_finite keeps the two roundings apart.
fn backward_halves(x: u32, g: u32) -> u32 {
    let first = backward_half(x << 16u, g);
    let dx = first | (backward_half(x, g >> 16u) << 16u);
    // The NaNs of both halves of a word are quieted at once. Adding 0x03ff to a half's magnitude sets the half's upper bit
    // only if the magnitude is above infinity's, 0x7c00.
    let sums = (dx & 0x7fff7fffu) + 0x03ff03ffu;
    return dx | ((sums >> 6u) & 0x02000200u);
}
// dx of a preset in the lower 16 bits, from x in the upper 16 bits and g in the lower 16 bits. A NaN in g isn't quieted.
fn backward_half(x: u32, g: u32) -> u32 {
    let magnitude = g & 0x7fffu;
    let product = SLOPE * bitcast<f32>(widened_finite(magnitude));
    let finite = narrowed_finite(bitcast<u32>(product));
    let dx = select(finite, magnitude, magnitude >= 0x7c00u) | (g & 0x8000u);
    return select(0u, dx, passes(x));
}

// Whether halves in the upper bits are at least 0.
fn is_plus_half(x: u32) -> bool {
    return (x <= 0x7c00ffffu) | ((x & 0xffff0000u) == SIGN);
}
