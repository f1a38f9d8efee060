// Binarization: which sign a number gets, and the numbers that signs stand for.

// Whether the sign is plus: x >= 0. NaN gives minus.
fn is_plus4(x: vec4<u32>) -> vec4<bool> {
    return (x <= vec4<u32>(INFINITE)) | (x == vec4<u32>(SIGN));
}
// Whether the sign is plus: random / 2^32 < forward4(x). That is exact, since forward4 times 2^32 and its ceiling are. NaN
// gives minus.
fn is_drawn_plus4(x: vec4<u32>, random: vec4<u32>) -> vec4<bool> {
    let p = forward4(x);
    let below = vec4<u32>(ceil(bitcast<vec4<f32>>(p) * 4294967296.0));
    // A GPU may read a subnormal p as zero; no other p above zero gives less than one.
    let drawn = random < max(below, min(p, vec4<u32>(1u)));
    return (p == vec4<u32>(ONE)) | ((p < vec4<u32>(ONE)) & drawn);
}

// The numbers that signs stand for: plus or minus `scale`, in bits.
fn signed4(is_plus: vec4<bool>, scale: f32) -> vec4<u32> {
    let plus = bitcast<u32>(scale);
    return select(vec4<u32>(plus ^ SIGN), vec4<u32>(plus), is_plus);
}
// For halves: the numbers of the first and of the second half of each word, packed.
fn signed_halves(low: vec4<bool>, high: vec4<bool>, scale: f32) -> vec4<u32> {
    let bits = vec4<u32>(bitcast<u32>(scale));
    let minus_low = select(vec4<u32>(0x8000u), vec4<u32>(0u), low);
    let minus_high = select(vec4<u32>(0x80000000u), vec4<u32>(0u), high);
    return packed_results(bits, bits) ^ minus_low ^ minus_high;
}

// The bits of four signs; `places` are the values of their bits.
fn bits4(is_plus: vec4<bool>, places: vec4<u32>) -> u32 {
    let bits = select(vec4<u32>(0u), places, is_plus);
    return bits.x | bits.y | bits.z | bits.w;
}
