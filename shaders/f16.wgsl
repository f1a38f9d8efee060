// f16.

// The f32 of halves in the upper bits, as bits. Exact, and NaN keeps its payload.
fn widened(x: vec4<u32>) -> vec4<u32> {
    let magnitude = extractBits(x, 16u, 15u);
    let finite = widened_finite(magnitude);
    // Infinity and NaN have exponent 31 in f16 and 255 in f32: 224 apart, twice 112.
    let special = (magnitude << vec4<u32>(13u)) + vec4<u32>(0x70000000u);
    return (x & vec4<u32>(SIGN)) | select(finite, special, magnitude >= vec4<u32>(0x7c00u));
}
// Widens an f16 that is finite and has no sign.
fn widened_finite(h: vec4<u32>) -> vec4<u32> {
    // 112 is the difference of the exponents' biases.
    let normal = (h << vec4<u32>(13u)) + vec4<u32>(0x38000000u);
    // Floats next to 0.5 have steps of 2^-24, as the subnormals do.
    let subnormal = bitcast<vec4<u32>>(bitcast<vec4<f32>>(h + vec4<u32>(0x3f000000u)) - 0.5);
    return select(normal, subnormal, h < vec4<u32>(0x0400u));
}

// The bits of f32, rounded to halves and packed, to nearest, ties to even. A NaN has to be quiet and widened from a half: its
// lower 13 bits are 0.
fn packed_results(low: vec4<u32>, high: vec4<u32>) -> vec4<u32> {
    let magnitudes = narrowed_magnitude(low) | (narrowed_magnitude(high) << vec4<u32>(16u));
    return magnitudes | ((low >> vec4<u32>(16u)) & vec4<u32>(0x8000u)) | (high & vec4<u32>(SIGN));
}
fn narrowed_magnitude(bits: vec4<u32>) -> vec4<u32> {
    let magnitude = magnitude4(bits);
    let normal = narrowed_normal(magnitude);
    // 65520 and more is infinity. The last ten bits of a NaN are its payload.
    let finite = min(narrowed_finite(magnitude), vec4<u32>(0x7c00u));
    let nan = (normal & vec4<u32>(0x03ffu)) | vec4<u32>(0x7c00u);
    return select(finite, nan, magnitude > vec4<u32>(INFINITE));
}
// Rounds an f32 that has no sign to f16; beyond the largest f16 the result is infinity or more.
fn narrowed_finite(bits: vec4<u32>) -> vec4<u32> {
    // Below 2^-14: a float next to 0.5 has steps of 2^-24, so the sum rounds to a whole number of them. The limit keeps the
    // operation that made the number apart from the sum.
    let smallest = vec4<u32>(0x38800000u);
    let sum = bitcast<vec4<u32>>(bitcast<vec4<f32>>(min(bits, smallest)) + 0.5);
    return select(narrowed_normal(bits), sum - vec4<u32>(0x3f000000u), bits < smallest);
}
fn narrowed_normal(bits: vec4<u32>) -> vec4<u32> {
    return (rounded(bits, 13u) - vec4<u32>(0x38000000u)) >> vec4<u32>(13u);
}

// y of a preset, for halves in the upper bits; y is in the upper bits too. Shifted, an f16 is an f32 2^112 times smaller:
// finite, whatever the half is.
fn forward_half(x: vec4<u32>) -> vec4<u32> {
    let small = bitcast<vec4<f32>>(bitcast<vec4<u32>>(bitcast<vec4<i32>>(x) >> vec4<u32>(3u)) & vec4<u32>(0x8fffe000u));
    let v = SLOPE * small + SHIFT * TWO_MINUS_112;
    let y = rounded(clamped(v, TWO_MINUS_112), 13u) << vec4<u32>(3u);
    return select(y, x | vec4<u32>(0x02000000u), magnitude4(x) > vec4<u32>(0x7c00ffffu));
}
const TWO_MINUS_112: f32 = 1.925929944387235853055977942584927318538e-34;

// dx of a preset, halves in and out. It rounds twice, which narrowed_finite keeps.
fn backward_halves(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let first = backward_half(x << vec4<u32>(16u), g);
    let dx = first | (backward_half(x, g >> vec4<u32>(16u)) << vec4<u32>(16u));
    // The NaNs of both halves of a word are quieted at once: a sum sets the upper bit where the magnitude is above
    // infinity's.
    let sums = (dx & vec4<u32>(0x7fff7fffu)) + vec4<u32>(0x03ff03ffu);
    return dx | ((sums >> vec4<u32>(6u)) & vec4<u32>(0x02000200u));
}
// dx in the lower 16 bits, from x in the upper and g in the lower ones; a NaN stays as it is.
fn backward_half(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let magnitude = g & vec4<u32>(0x7fffu);
    let product = SLOPE * bitcast<vec4<f32>>(widened_finite(magnitude));
    let finite = narrowed_finite(bitcast<vec4<u32>>(product));
    let dx = select(finite, magnitude, magnitude >= vec4<u32>(0x7c00u)) | (g & vec4<u32>(0x8000u));
    return select(vec4<u32>(0u), dx, passes4(x));
}

// Whether halves in the upper bits are at least 0.
fn is_plus_half(x: vec4<u32>) -> vec4<bool> {
    return (x <= vec4<u32>(0x7c00ffffu)) | ((x & vec4<u32>(0xffff0000u)) == vec4<u32>(SIGN));
}

// The bits of an f32 NaN that fit.
const ROOM: u32 = 0xffffe000u;
