// Half floats, two to a word. They are widened to f32 to compute, and rounded once.

// The f32 of half floats (in the upper 16 bits of each lane; the lower ones don't matter), as bits. Exact, and NaN
// keeps its payload.
fn widened(x: vec4<u32>) -> vec4<u32> {
    if DTYPE == BF16 {
        return x & vec4<u32>(0xffff0000u);
    }
    let magnitude = extractBits(x, 16u, 15u);
    let finite = widened_finite(magnitude);
    // Infinity and NaN have exponent 31 in f16 and 255 in f32: 224 apart, twice 112.
    let special = (magnitude << vec4<u32>(13u)) + vec4<u32>(0x70000000u);
    return (x & vec4<u32>(0x80000000u)) | select(finite, special, magnitude >= vec4<u32>(0x7c00u));
}
// Widens an f16 that is finite and has no sign.
fn widened_finite(h: vec4<u32>) -> vec4<u32> {
    // 112 is the difference of the exponents' biases.
    let normal = (h << vec4<u32>(13u)) + vec4<u32>(0x38000000u);
    // Floats next to 0.5 have steps of 2^-24, as the subnormals do.
    let subnormal = bitcast<vec4<u32>>(bitcast<vec4<f32>>(h + vec4<u32>(0x3f000000u)) - 0.5);
    return select(normal, subnormal, h < vec4<u32>(0x0400u));
}

// f32, as bits, rounded to f16, to nearest, ties to even, without its sign. A NaN has to be quiet and widened from a
// half: its lower 13 bits are 0.
fn narrowed_magnitude(bits: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = magnitude4(bits);
    let normal = narrowed_normal(magnitude);
    // 65520 and more is infinity. The last ten bits of a NaN are its payload.
    let finite = min(narrowed_finite(magnitude, params), vec4<u32>(0x7c00u));
    let nan = (normal & vec4<u32>(0x03ffu)) | vec4<u32>(0x7c00u);
    return select(finite, nan, magnitude > vec4<u32>(INFINITE));
}
// Rounds an f32 that has no sign to f16; beyond the largest f16 the result is infinity or more.
fn narrowed_finite(bits: vec4<u32>, params: Params) -> vec4<u32> {
    // Below 2^-14: a float next to 0.5 has steps of 2^-24, so the sum rounds to a whole number of them.
    let sum = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(bits), params) + 0.5);
    return select(narrowed_normal(bits), sum - vec4<u32>(0x3f000000u), bits < vec4<u32>(0x38800000u));
}
fn narrowed_normal(bits: vec4<u32>) -> vec4<u32> {
    return (rounded(bits, 13u) - vec4<u32>(0x38000000u)) >> vec4<u32>(13u);
}
// bits rounded to a multiple of 2^places, ties to even; the bits below that have yet to be cut off.
fn rounded(bits: vec4<u32>, places: u32) -> vec4<u32> {
    return bits + vec4<u32>((1u << (places - 1u)) - 1u) + extractBits(bits, places, 1u);
}

// The first and the second half of each of four words, as f32 bits.
fn low(words: vec4<u32>) -> vec4<u32> {
    return widened(words << vec4<u32>(16u));
}
fn high(words: vec4<u32>) -> vec4<u32> {
    return widened(words);
}
// The bits of f32, rounded to halves and packed. A NaN has to be quiet and come from a half, as in narrowed_magnitude.
fn packed_results(low: vec4<u32>, high: vec4<u32>, params: Params) -> vec4<u32> {
    if DTYPE == BF16 {
        return (rounded(low, 16u) >> vec4<u32>(16u)) | (rounded(high, 16u) & vec4<u32>(0xffff0000u));
    }
    let magnitudes = narrowed_magnitude(low, params) | (narrowed_magnitude(high, params) << vec4<u32>(16u));
    return magnitudes | ((low >> vec4<u32>(16u)) & vec4<u32>(0x8000u)) | (high & vec4<u32>(0x80000000u));
}

// The functions of FORMULA == HALVES, where the slope lies between 2^-14 and 1. Forward may be fused and may flush
// subnormals: only its last rounding can be seen. Backward rounds twice, which narrowed_finite keeps. A half is in the
// upper 16 bits of its lane.

// y, in the upper 16 bits.
fn forward_half(x: vec4<u32>, params: Params) -> vec4<u32> {
    if DTYPE == BF16 {
        let y = clamped(params.slope * bitcast<vec4<f32>>(widened(x)) + params.shift, 1.0);
        return rounded(unless_nan(y, widened(x), params), 16u);
    }
    // Shifted, an f16 is an f32 2^112 times smaller: finite, whatever the half is.
    let small = bitcast<vec4<f32>>(bitcast<vec4<u32>>(bitcast<vec4<i32>>(x) >> vec4<u32>(3u)) & vec4<u32>(0x8fffe000u));
    let v = params.slope * small + params.shift * TWO_MINUS_112;
    let y = rounded(clamped(v, TWO_MINUS_112), 13u) << vec4<u32>(3u);
    return select(y, x | vec4<u32>(0x02000000u), magnitude4(x) > vec4<u32>(0x7c00ffffu));
}
const TWO_MINUS_112: f32 = 1.925929944387235853055977942584927318538e-34;

fn forward_halves(x: vec4<u32>, params: Params) -> vec4<u32> {
    let first = forward_half(x << vec4<u32>(16u), params);
    return (first >> vec4<u32>(16u)) | (forward_half(x, params) & vec4<u32>(0xffff0000u));
}

// dx of f16, in the lower 16 bits, from halves g in the lower 16 bits; a NaN stays as it is.
fn backward_f16(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = g & vec4<u32>(0x7fffu);
    let product = params.slope * bitcast<vec4<f32>>(widened_finite(magnitude));
    let finite = narrowed_finite(bitcast<vec4<u32>>(product), params);
    let dx = select(finite, magnitude, magnitude >= vec4<u32>(0x7c00u)) | (g & vec4<u32>(0x8000u));
    return select(vec4<u32>(0u), dx, lies_in(params.passing, x));
}
fn backward_f16_words(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    let first = backward_f16(x << vec4<u32>(16u), g, params);
    let dx = first | (backward_f16(x, g >> vec4<u32>(16u), params) << vec4<u32>(16u));
    // The NaNs of both halves of a word are quieted at once: a sum sets the upper bit where the magnitude is above
    // infinity's.
    let sums = (dx & vec4<u32>(0x7fff7fffu)) + vec4<u32>(0x03ff03ffu);
    return dx | ((sums >> vec4<u32>(6u)) & vec4<u32>(0x02000200u));
}
