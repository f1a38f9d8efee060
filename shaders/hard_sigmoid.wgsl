// The hard sigmoid, forward and backward, on the bits of an f32.
//
// Every decision about NaN, order and clamping is made on integers. A shader compiler may assume that a float is never NaN,
// and a GPU may flush subnormals where it compares floats. A definition's numbers are constants. src/plan/formula.rs writes
// SLOPE and SHIFT, and chooses the formulas of value, scaled, gradient and passes.
//
// Arithmetic reads an operand by number(), which is in loaded.wgsl and in outside.wgsl. Where an operand is NaN, what arithmetic
// makes of it doesn't matter.

// y from x.
fn forward_bits(x: u32) -> u32 {
    return unless_nan(value(x), x);
}

// dx from x and the upstream gradient g.
fn backward_bits(x: u32, g: u32) -> u32 {
    return select(0u, gradient(x, g), passes(x));
}

// Formulas of value: y if x isn't NaN.

// clamp(SLOPE * x + SHIFT, 0, 1), in two roundings.
fn affine_value(x: u32) -> u32 {
    return clamped(apart(SLOPE * number(x)) + SHIFT, 1.0);
}
// clamp(slope * x + SHIFT, 0, 1), where the slope is subnormal.
fn tiny_value(x: u32) -> u32 {
    return clamped(apart(tiny_product(x)) + SHIFT, 1.0);
}
// y where the slope is zero: CONSTANT, or NaN for an infinite x, since zero times infinity is NaN.
fn flat_value(x: u32) -> u32 {
    return select(CONSTANT, INVALID_NAN, magnitude_of(x) == INFINITE);
}
// clamp(x + 3, 0, 6) / 6.
fn divided_value(x: u32) -> u32 {
    return bitcast<u32>(sixth(relu6(x)));
}
// clamp(x + 3, 0, 6) * (1/6).
fn multiplied_value(x: u32) -> u32 {
    return bitcast<u32>(relu6(x) * SIXTH);
}

// Formulas of scaled: the upstream gradient g times the slope.

fn product_scaled(g: u32) -> u32 {
    return unless_nan(bitcast<u32>(SLOPE * number(g)), g);
}
fn tiny_scaled(g: u32) -> u32 {
    return unless_nan(bitcast<u32>(tiny_product(g)), g);
}
fn flat_scaled(g: u32) -> u32 {
    let zero = g & SIGN;
    return unless_nan(select(zero, INVALID_NAN, magnitude_of(g) == INFINITE), g);
}
fn divided_scaled(g: u32) -> u32 {
    return unless_nan(divided_by_6(g), g);
}
// g for a slope of 1, quieted if it is NaN.
fn unscaled(g: u32) -> u32 {
    return unless_nan(g, g);
}

// Formulas of gradient: dx where the gradient passes.

fn plain_gradient(x: u32, g: u32) -> u32 {
    return scaled(g);
}
// dx where the kinks have half the gradient. is_whole says where it is whole.
fn half_gradient(x: u32, g: u32) -> u32 {
    let dx = scaled(g);
    let halved = unless_nan(bitcast<u32>(0.5 * apart(bitcast<f32>(dx))), dx);
    return select(halved, dx, is_whole(x));
}

// Helpers

const SIGN: u32 = 0x80000000u;
const QUIET: u32 = 0x00400000u;
const INFINITE: u32 = 0x7f800000u;
const INVALID_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity
const ONE: u32 = 0x3f800000u;
const THIRD: f32 = 0.3333333432674407958984375; // 1/3 rounded to f32
const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Returns v if it isn't NaN, and keeps the operation that made v apart from the one that uses it. Otherwise WGSL would let a
// compiler turn a * x + b into one fma, which rounds once instead of twice. No compiler knows how large the bits of v are, so
// none can leave the integer operation out.
fn apart(v: f32) -> f32 {
    return bitcast<f32>(min(bitcast<i32>(v), i32(INFINITE)));
}

// Clamps v to 0 and top, and returns bits. As integers, positive floats keep their order, and negative floats are negative.
fn clamped(v: f32, top: f32) -> u32 {
    return bitcast<u32>(clamp(bitcast<i32>(v), 0, bitcast<i32>(top)));
}

fn magnitude_of(v: u32) -> u32 {
    return v & 0x7fffffffu;
}

// Returns `result` if `operand` isn't NaN, otherwise `operand`, quieted.
fn unless_nan(result: u32, operand: u32) -> u32 {
    return select(result, operand | QUIET, magnitude_of(operand) > INFINITE);
}

// clamp(x + 3, 0, 6).
fn relu6(x: u32) -> f32 {
    return bitcast<f32>(clamped(number(x) + 3.0, 6.0));
}

// A subnormal slope times v. A GPU may read a subnormal as zero, so LARGE_SLOPE is the slope times 2^64, and v is multiplied
// by 2^-64. That is exact unless the product is zero anyway.
fn tiny_product(v: u32) -> f32 {
    return LARGE_SLOPE * apart(number(v) * TWO_MINUS_64);
}
const TWO_MINUS_64: f32 = 5.42101086242752217003726400434970855712890625e-20;

// t / 6, correctly rounded, for t = 0 and 2^-22 <= t <= 6. Other t don't occur: x + 3 gives none. WGSL's own division may be
// off by 2.5 ulp. q loses its last three bits, which also keeps it apart from what uses it. So 6q has no more bits than a float,
// and the remainder t - 6q is exact. The quotient is never near the middle between two floats, so q + (t - 6q) / 6 may be
// rounded once or twice.
fn sixth(t: f32) -> f32 {
    let q = bitcast<f32>(bitcast<u32>(t * SIXTH) & 0xfffffff8u);
    return q + (t - 6.0 * q) * SIXTH;
}

// p / 6, correctly rounded, for any p that isn't NaN. p and the quotient are bits.
fn divided_by_6(p: u32) -> u32 {
    let magnitude = magnitude_of(p);
    let quotient = product_sixth(bitcast<f32>(magnitude));
    return (p & SIGN) | select(quotient, tiny_sixth(magnitude), magnitude < 0x01c00000u);
}
// The bits of p / 6, correctly rounded, for a p without a sign that is zero, infinite, or so large that the quotient is normal.
//
// SIXTH is (1 + 2^-25) / 6, so q is the quotient or the float after it. In units of the last place of q, p is a multiple of 8, or
// of 4 in the upper half of its binade. So p - 6q is 2, 0, -2 or -4, and q is too large if it is -4. The last two bits of q tell,
// since it is -4 modulo 8 for no other.
fn product_sixth(p: f32) -> u32 {
    let q = bitcast<u32>(p * SIXTH);
    let is_odd_four = (bitcast<u32>(p) & 0x00400001u) == 0x00400001u;
    return q - select(0u, 1u, (q & 3u) == select(2u, 0u, is_odd_four));
}
// The same for a p whose quotient is subnormal, in integers, since a GPU may take a subnormal float for zero.
fn tiny_sixth(p: u32) -> u32 {
    let binade = max(p >> 23u, 1u) - 1u;
    let dividend = (p - (binade << 23u)) << binade; // in units of 2^-149, as the quotient is
    let quotient = dividend / 6u;
    let remainder = dividend - 6u * quotient;
    return quotient + select(0u, 1u, remainder + (quotient & 1u) > 3u);
}
