// The hard sigmoid, forward and backward, on the bits of four f32.
//
// Data is read and written as u32, and every decision about NaN, order and clamping is made on integers. Shader
// compilers may assume that floats are never NaN, and they flush subnormals where they compare floats.

// Values of FORMULA.
const AFFINE: u32 = 0u;         // clamp(slope * x + shift, 0, 1), in two roundings
const RARE: u32 = 1u;           // the same if the slope is zero or subnormal, or y may be subnormal
const RELU6_DIVIDE: u32 = 2u;   // clamp(x + 3, 0, 6) / 6
const RELU6_MULTIPLY: u32 = 3u; // clamp(x + 3, 0, 6) * (1/6)
const RELU6_DIVIDE_BOTH: u32 = 4u; // as RELU6_DIVIDE; the gradient is divided by 6 too
const HALF_KINKS: u32 = 5u;     // as RARE; the gradient is halved at the kinks
const HALVES: u32 = 6u;         // in halves: forward and backward of a preset, and straight-through: halves.wgsl

// y from x.
fn forward4(x: vec4<u32>, params: Params) -> vec4<u32> {
    return unless_nan(value4(x, params), x, params);
}

// dx from x and the upstream gradient g.
fn backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RELU6_DIVIDE_BOTH {
        return select(vec4<u32>(0u), unless_nan(divided_by_6(g), g, params), lies_in(params.passing, x));
    }
    var dx = params.slope * prescaled(g, params);
    if FORMULA == HALF_KINKS {
        dx = select(0.5 * opaque(dx, params), dx, lies_in(params.whole, x));
    }
    return select(vec4<u32>(0u), unless_nan(bitcast<vec4<u32>>(dx), g, params), lies_in(params.passing, x));
}

// y if x isn't NaN.
fn value4(x: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RELU6_DIVIDE || FORMULA == RELU6_DIVIDE_BOTH {
        return bitcast<vec4<u32>>(sixth(relu6(x), params));
    }
    if FORMULA == RELU6_MULTIPLY {
        return bitcast<vec4<u32>>(relu6(x) * SIXTH);
    }
    return clamped(opaque(params.slope * prescaled(x, params), params) + params.shift, 1.0);
}

// clamp(x + 3, 0, 6).
fn relu6(x: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(clamped(bitcast<vec4<f32>>(x) + 3.0, 6.0));
}

// Whether x lies in a window: see Params. The value before clamping is monotone in x, so the inputs that a gradient
// rule passes form a window.
fn lies_in(window: vec4<u32>, x: vec4<u32>) -> vec4<bool> {
    return (x - window.xxxx < window.yyyy) | (x - window.zzzz < window.wwww);
}

// Helpers

fn is_rare() -> bool {
    return FORMULA == RARE || FORMULA == HALF_KINKS;
}

const QUIET: u32 = 0x00400000u;
const INFINITE: u32 = 0x7f800000u;
const INVALID_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity
const THIRD: f32 = 0.3333333432674407958984375; // 1/3 rounded to f32
const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Returns v. It keeps the operation that made v apart from the one that uses it: WGSL lets a compiler turn a * x + b
// into one fma, which rounds once instead of twice.
fn opaque(v: vec4<f32>, params: Params) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.opaque_zero));
}

// v limited to 0 and top, as bits. Positive floats are ordered as their bits, and negative ones are negative integers.
fn clamped(v: vec4<f32>, top: f32) -> vec4<u32> {
    return bitcast<vec4<u32>>(clamp(bitcast<vec4<i32>>(v), vec4<i32>(0), vec4<i32>(bitcast<i32>(top))));
}

fn magnitude4(v: vec4<u32>) -> vec4<u32> {
    return v & vec4<u32>(0x7fffffffu);
}

// The factor that the slope is multiplied by.
fn prescaled(operand: vec4<u32>, params: Params) -> vec4<f32> {
    if is_rare() {
        return opaque(bitcast<vec4<f32>>(operand) * params.prescale, params);
    }
    return bitcast<vec4<f32>>(operand);
}

// t / 6, correctly rounded, for t = 0 and 2^-22 <= t <= 6 (x + 3 gives no other); WGSL's own division may be 2.5 ulp
// off. q is at most one step off, and the remainder r = t - 6q is exact, because both differences are. t / 6 is never
// near the middle between two floats, so one or two more roundings of q + r / 6 make no difference.
fn sixth(t: vec4<f32>, params: Params) -> vec4<f32> {
    let q = opaque(t * SIXTH, params);
    let r = opaque(opaque(t - 4.0 * q, params) - 2.0 * q, params);
    return q + r * SIXTH;
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

// x / 3, correctly rounded if the quotient is normal, in the way of `sixth`.
fn third(x: vec4<f32>, params: Params) -> vec4<f32> {
    let q = opaque(x * THIRD, params);
    let r = opaque(opaque(x - 2.0 * q, params) - q, params);
    return q + opaque(r * THIRD, params);
}

// The product of the slope and an operand, as bits, unless the operand makes it NaN: then the operand itself,
// quieted, or for zero times infinity the NaN that x86 gives.
fn unless_nan(product: vec4<u32>, operand: vec4<u32>, params: Params) -> vec4<u32> {
    let quieted = operand | vec4<u32>(QUIET);
    if is_rare() {
        let nan = select(quieted, vec4<u32>(INVALID_NAN), magnitude4(operand) == vec4<u32>(INFINITE));
        return select(product, nan, magnitude4(operand) >= vec4<u32>(params.nan_threshold));
    }
    return select(product, quieted, magnitude4(operand) > vec4<u32>(INFINITE));
}
