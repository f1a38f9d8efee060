// Half floats: two to a word, widened to f32 to compute, and rounded once.

// The f32 of half floats (in the low 16 bits of each lane), as bits. Exact, and NaN keeps its payload.
fn widened(h: vec4<u32>) -> vec4<u32> {
    if DTYPE == BF16 {
        return h << vec4<u32>(16u);
    }
    let sign = (h & vec4<u32>(0x8000u)) << vec4<u32>(16u);
    let magnitude = h & vec4<u32>(0x7fffu);
    // 112 is the difference of the exponents' biases; infinity and NaN need it twice.
    let normal = (magnitude << vec4<u32>(13u)) + vec4<u32>(0x38000000u);
    let special = normal + vec4<u32>(0x38000000u);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 5.9604644775390625e-8); // 2^-24
    let finite = select(normal, subnormal, magnitude < vec4<u32>(0x0400u));
    return sign | select(finite, special, magnitude >= vec4<u32>(0x7c00u));
}

// f32, as bits, rounded to half floats, to nearest, ties to even; NaN is quieted.
fn narrowed(bits: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    let is_nan = magnitude > vec4<u32>(0x7f800000u);
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    if DTYPE == BF16 {
        let odd = (magnitude >> vec4<u32>(16u)) & vec4<u32>(1u);
        let rounded = (magnitude + vec4<u32>(0x7fffu) + odd) >> vec4<u32>(16u);
        return sign | select(rounded, (magnitude >> vec4<u32>(16u)) | vec4<u32>(0x0040u), is_nan);
    }
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let normal = (magnitude - vec4<u32>(0x38000000u) + vec4<u32>(0x0fffu) + odd) >> vec4<u32>(13u);
    // Below 2^-14: a float next to 0.5 has steps of 2^-24, so the sum rounds to a whole number of them.
    let sum = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(magnitude), params) + 0.5);
    let subnormal = sum - vec4<u32>(0x3f000000u);
    var rounded = select(normal, subnormal, magnitude < vec4<u32>(0x38800000u));
    rounded = select(rounded, vec4<u32>(0x7c00u), magnitude >= vec4<u32>(0x477ff000u)); // 65520 and more is infinity
    rounded = select(rounded, ((magnitude >> vec4<u32>(13u)) & vec4<u32>(0x03ffu)) | vec4<u32>(0x7e00u), is_nan);
    return sign | rounded;
}

// The first and the second half of each of four words, as f32 bits; and back.
fn low(words: vec4<u32>) -> vec4<u32> {
    return widened(words & vec4<u32>(0xffffu));
}
fn high(words: vec4<u32>) -> vec4<u32> {
    return widened(words >> vec4<u32>(16u));
}
fn packed(low: vec4<u32>, high: vec4<u32>, params: Params) -> vec4<u32> {
    return narrowed(low, params) | (narrowed(high, params) << vec4<u32>(16u));
}
