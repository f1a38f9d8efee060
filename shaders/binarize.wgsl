// Binarization: which sign a number gets, and the numbers that signs stand for.

// Whether the sign is plus, which it is where x >= 0. NaN gives minus.
fn is_plus4(x: vec4<u32>) -> vec4<bool> {
    return (x <= vec4<u32>(INFINITE)) | (x == vec4<u32>(SIGN));
}
// Whether a drawn sign is plus, which it is where random / 2^32 < p = forward4(x). The comparison is exact, since p * 2^32
// and its ceiling are exact. NaN gives minus.
fn is_drawn_plus4(x: vec4<u32>, random: vec4<u32>) -> vec4<bool> {
    let p = forward4(x);
    let below = vec4<u32>(ceil(bitcast<vec4<f32>>(p) * 4294967296.0));
    // A GPU may read a subnormal p as zero, and then `below` is 0 instead of 1. Any larger p gives at least 1.
    let drawn = random < max(below, min(p, vec4<u32>(1u)));
    return (p == vec4<u32>(ONE)) | ((p < vec4<u32>(ONE)) & drawn);
}

// The numbers that signs stand for: plus or minus `scale`, in bits.
fn signed4(is_plus: vec4<bool>, scale: f32) -> vec4<u32> {
    let plus = bitcast<u32>(scale);
    return select(vec4<u32>(plus ^ SIGN), vec4<u32>(plus), is_plus);
}
// The numbers that the signs of halves stand for, packed. `low` has the signs of the first half of each word, `high` those of
// the second half.
fn signed_halves(low: vec4<bool>, high: vec4<bool>, scale: f32) -> vec4<u32> {
    let bits = vec4<u32>(bitcast<u32>(scale));
    let minus_low = select(vec4<u32>(0x8000u), vec4<u32>(0u), low);
    let minus_high = select(vec4<u32>(0x80000000u), vec4<u32>(0u), high);
    return packed_results(bits, bits) ^ minus_low ^ minus_high;
}

// Four signs as bits of one number. A plus sign sets the bit that `places` has for it.
fn bits4(is_plus: vec4<bool>, places: vec4<u32>) -> u32 {
    let bits = select(vec4<u32>(0u), places, is_plus);
    return bits.x | bits.y | bits.z | bits.w;
}
