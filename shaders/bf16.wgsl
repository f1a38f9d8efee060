// bf16.

// The f32 of halves in the upper bits, as bits. Exact, and NaN keeps its payload.
fn widened(x: vec4<u32>) -> vec4<u32> {
    return x & vec4<u32>(0xffff0000u);
}

// The bits of f32, rounded to halves and packed, to nearest, ties to even. A NaN has to be quiet and widened from a half: its
// lower 16 bits are 0.
fn packed_results(low: vec4<u32>, high: vec4<u32>) -> vec4<u32> {
    return (rounded(low, 16u) >> vec4<u32>(16u)) | (rounded(high, 16u) & vec4<u32>(0xffff0000u));
}

// y of a preset, for halves in the upper bits; y is in the upper bits too.
fn forward_half(x: vec4<u32>) -> vec4<u32> {
    let y = clamped(SLOPE * bitcast<vec4<f32>>(widened(x)) + SHIFT, 1.0);
    return rounded(unless_nan(y, widened(x)), 16u);
}

// Whether halves in the upper bits are at least 0.
fn is_plus_half(x: vec4<u32>) -> vec4<bool> {
    return (x <= vec4<u32>(0x7f80ffffu)) | ((x & vec4<u32>(0xffff0000u)) == vec4<u32>(SIGN));
}

// The bits of an f32 NaN that fit.
const ROOM: u32 = 0xffff0000u;
