// Binarization: which sign a number gets, and the numbers that signs stand for.

// Whether the sign is plus, which it is where x >= 0. NaN gives minus.
fn is_plus(x: u32) -> bool {
    return (x <= INFINITE) | (x == SIGN);
}
// Whether a drawn sign is plus, which it is where random / 2^32 < p = forward_bits(x). The comparison is exact, since p * 2^32
// and its ceiling are exact. NaN gives minus.
fn is_drawn_plus(x: u32, random: u32) -> bool {
    let p = forward_bits(x);
    let below = u32(ceil(bitcast<f32>(p) * 4294967296.0));
    // A GPU may read a subnormal p as zero, and then `below` is 0 instead of 1. Any larger p gives at least 1.
    let drawn = random < max(below, min(p, 1u));
    return (p == ONE) | ((p < ONE) & drawn);
}

// The number that a sign stands for: plus or minus `scale`, in bits.
fn signed(sign: bool, scale: f32) -> u32 {
    let plus = bitcast<u32>(scale);
    return select(plus ^ SIGN, plus, sign);
}
// The numbers that the signs of a word's two halves stand for, packed.
fn signed_halves(first: bool, second: bool, scale: f32) -> u32 {
    let bits = bitcast<u32>(scale);
    let minus_first = select(0x8000u, 0u, first);
    let minus_second = select(0x80000000u, 0u, second);
    return packed_results(bits, bits) ^ minus_first ^ minus_second;
}

// Four signs as bits of one number. A plus sign sets the bit that `places` has for it.
fn bits4(signs: vec4<bool>, places: vec4<u32>) -> u32 {
    let bits = select(vec4<u32>(0u), places, signs);
    return bits.x | bits.y | bits.z | bits.w;
}
