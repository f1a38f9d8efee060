// The hard sigmoid, forward and backward, on the bits of four f32.
//
// Every decision about NaN, order and clamping is made on integers: shader compilers may assume that floats are never NaN,
// and they flush subnormals where they compare floats. A definition's numbers are constants, and its formulas are chosen
// where the text is put together: src/plan/formula.rs writes SLOPE, SHIFT, value4, scaled4, gradient4 and passes4.

// y from x.
fn forward4(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(value4(x), x);
}

// dx from x and the upstream gradient g.
fn backward4(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    return select(vec4<u32>(0u), gradient4(x, g), passes4(x));
}

// Formulas of value4: y if x isn't NaN.

// clamp(SLOPE * x + SHIFT, 0, 1), in two roundings.
fn affine_value(x: vec4<u32>) -> vec4<u32> {
    return clamped(apart(SLOPE * bitcast<vec4<f32>>(x)) + SHIFT, 1.0);
}
// clamp(slope * x + SHIFT, 0, 1) with a subnormal slope.
fn tiny_value(x: vec4<u32>) -> vec4<u32> {
    return clamped(apart(tiny_product(x)) + SHIFT, 1.0);
}
// CONSTANT, since the slope is zero; but zero times infinity is NaN.
fn flat_value(x: vec4<u32>) -> vec4<u32> {
    return select(vec4<u32>(CONSTANT), vec4<u32>(INVALID_NAN), magnitude4(x) == vec4<u32>(INFINITE));
}
// clamp(x + 3, 0, 6) / 6.
fn divided_value(x: vec4<u32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(sixth(relu6(x)));
}
// clamp(x + 3, 0, 6) * (1/6).
fn multiplied_value(x: vec4<u32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(relu6(x) * SIXTH);
}

// Formulas of scaled4: the upstream gradient g times the slope.

fn product_scaled(g: vec4<u32>) -> vec4<u32> {
    return unless_nan(bitcast<vec4<u32>>(SLOPE * bitcast<vec4<f32>>(g)), g);
}
fn tiny_scaled(g: vec4<u32>) -> vec4<u32> {
    return unless_nan(bitcast<vec4<u32>>(tiny_product(g)), g);
}
fn flat_scaled(g: vec4<u32>) -> vec4<u32> {
    let zero = g & vec4<u32>(SIGN);
    return unless_nan(select(zero, vec4<u32>(INVALID_NAN), magnitude4(g) == vec4<u32>(INFINITE)), g);
}
fn divided_scaled(g: vec4<u32>) -> vec4<u32> {
    return unless_nan(divided_by_6(g), g);
}
// For a slope of 1.
fn unscaled(g: vec4<u32>) -> vec4<u32> {
    return unless_nan(g, g);
}

// Formulas of gradient4: dx where the gradient passes.

fn plain_gradient(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    return scaled4(g);
}
// At the kinks the gradient is halved.
fn half_gradient(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let dx = scaled4(g);
    let halved = unless_nan(bitcast<vec4<u32>>(0.5 * bitcast<vec4<f32>>(dx)), dx);
    return select(halved, dx, is_whole4(x));
}

// Helpers

const SIGN: u32 = 0x80000000u;
const QUIET: u32 = 0x00400000u;
const INFINITE: u32 = 0x7f800000u;
const INVALID_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity
const ONE: u32 = 0x3f800000u;
const THIRD: f32 = 0.3333333432674407958984375; // 1/3 rounded to f32
const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Returns v, if it isn't NaN. It keeps the operation that made v apart from the one that uses it: WGSL lets a compiler turn
// a * x + b into one fma, which rounds once instead of twice. No compiler knows how large the bits of v are, so it can't
// leave the integer operation out.
fn apart(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(min(bitcast<vec4<i32>>(v), vec4<i32>(i32(INFINITE))));
}

// v limited to 0 and top, as bits. Positive floats are ordered as their bits, and negative ones are negative integers.
fn clamped(v: vec4<f32>, top: f32) -> vec4<u32> {
    return bitcast<vec4<u32>>(clamp(bitcast<vec4<i32>>(v), vec4<i32>(0), vec4<i32>(bitcast<i32>(top))));
}

fn magnitude4(v: vec4<u32>) -> vec4<u32> {
    return v & vec4<u32>(0x7fffffffu);
}

// result, unless the operand is NaN: then the operand, quieted.
fn unless_nan(result: vec4<u32>, operand: vec4<u32>) -> vec4<u32> {
    return select(result, operand | vec4<u32>(QUIET), magnitude4(operand) > vec4<u32>(INFINITE));
}

// clamp(x + 3, 0, 6).
fn relu6(x: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(clamped(bitcast<vec4<f32>>(x) + 3.0, 6.0));
}

// A subnormal slope times v. A GPU may read a subnormal as zero, so LARGE_SLOPE is the slope times 2^64, and v is multiplied
// by 2^-64, which is exact wherever the product isn't zero anyway.
fn tiny_product(v: vec4<u32>) -> vec4<f32> {
    return LARGE_SLOPE * apart(bitcast<vec4<f32>>(v) * TWO_MINUS_64);
}
const TWO_MINUS_64: f32 = 5.42101086242752217003726400434970855712890625e-20;

// t / 6, correctly rounded, for t = 0 and 2^-22 <= t <= 6 (x + 3 gives no other); WGSL's own division may be 2.5 ulp off.
// q is at most one step off, and the remainder t - 6q is exact, because both differences are. t / 6 is never near the middle
// between two floats, so one or two more roundings of q + (t - 6q) / 6 make no difference.
//
// Integers keep q and the first difference apart from what uses them. Both limits have an effect, so no compiler can leave
// them out: q is below 1 also for t = 6, and the difference isn't zero also for t = 0. The quotient stays 1 and 0.
fn sixth(t: vec4<f32>) -> vec4<f32> {
    let q = bitcast<vec4<f32>>(min(bitcast<vec4<i32>>(t * SIXTH), vec4<i32>(0x3f7fffff)));
    let difference = bitcast<vec4<f32>>(max(bitcast<vec4<i32>>(t - 4.0 * q), vec4<i32>(1)));
    return q + (difference - 2.0 * q) * SIXTH;
}

// p / 6, correctly rounded, for the bits of any number p; infinity stays. Computed in integers, so that no subnormal is
// lost.
fn divided_by_6(p: vec4<u32>) -> vec4<u32> {
    let exponent = magnitude4(p) >> vec4<u32>(23u);
    let fraction = p & vec4<u32>(0x007fffffu);
    let is_tiny = exponent < vec4<u32>(4u);
    // The shift gives the quotient 24 bits. If the quotient would be subnormal, its unit is the last place of all
    // subnormals.
    let shift = select(vec4<u32>(3u), vec4<u32>(2u), fraction >= vec4<u32>(0x00400000u));
    let shift_of_tiny = max(exponent, vec4<u32>(1u)) - vec4<u32>(1u);
    let mantissa = fraction | select(vec4<u32>(0x00800000u), vec4<u32>(0u), exponent == vec4<u32>(0u));
    let dividend = mantissa << select(shift, shift_of_tiny, is_tiny);
    let quotient = dividend / vec4<u32>(6u);
    let remainder = dividend - vec4<u32>(6u) * quotient;
    let rounds_up = remainder + (quotient & vec4<u32>(1u)) > vec4<u32>(3u);
    // The mantissa's leading one counts as one exponent more.
    let above = select((exponent - shift - vec4<u32>(1u)) << vec4<u32>(23u), vec4<u32>(0u), is_tiny);
    let finite = above + quotient + select(vec4<u32>(0u), vec4<u32>(1u), rounds_up);
    return (p & vec4<u32>(0x80000000u)) | select(finite, vec4<u32>(INFINITE), exponent == vec4<u32>(255u));
}
