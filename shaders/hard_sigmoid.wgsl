// The hard sigmoid, forward and backward, on the bits of four f32.
//
// Data is read and written as u32, and every decision about NaN, order and clamping is made on integers. Shader compilers
// may assume that floats are never NaN, and they flush subnormals where they compare floats.

// y from x.
fn forward4(x: vec4<u32>, params: Params) -> vec4<u32> {
    let scaled = opaque(bitcast<vec4<f32>>(x) * params.prescale, params);
    let v = opaque(params.pre_slope * scaled, params) + params.pre_shift;
    // Positive floats are ordered as their bits, and negative ones are negative integers.
    let clamped = clamp(bitcast<vec4<i32>>(v), vec4<i32>(0), vec4<i32>(bitcast<i32>(params.clamp_max)));
    let t = bitcast<vec4<f32>>(clamped);
    var y: vec4<f32>;
    if DIVIDE {
        y = sixth(t, params);
    } else {
        y = t * params.post_scale;
    }
    return unless_nan(bitcast<vec4<u32>>(y), x, params);
}

// dx from x and the upstream gradient g.
fn backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    // The order of floats as the order of integers, NaN beyond both ends.
    let bits = bitcast<vec4<i32>>(x);
    let key = bits ^ ((bits >> vec4<u32>(31u)) & vec4<i32>(0x7fffffff));
    let inside = (key >= vec4<i32>(params.first_key)) & (key <= vec4<i32>(params.last_key));
    let scaled = opaque(bitcast<vec4<f32>>(g) * params.prescale, params);
    let dx = bitcast<vec4<u32>>(params.grad_slope * scaled);
    return select(vec4<u32>(0u), unless_nan(dx, g, params), inside);
}

// Helpers

const QUIET: u32 = 0x00400000u;
const INFINITE: u32 = 0x7f800000u;
const INVALID_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity
const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// v itself. It keeps the operation that made v apart from the one that uses it: WGSL lets a compiler turn a * x + b into
// one fma, which rounds once instead of twice.
fn opaque(v: vec4<f32>, params: Params) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.opaque_zero));
}

// t / 6, correctly rounded, for 0 <= t <= 6; WGSL's own division may be 2.5 ulp off. The product by a rounded sixth
// is at most one step off, and the remainder t - 6q is exact: it says which way.
fn sixth(t: vec4<f32>, params: Params) -> vec4<f32> {
    let q = opaque(t * SIXTH, params);
    let r = opaque(t - 4.0 * q, params) - 2.0 * q;
    let bits = bitcast<vec4<u32>>(q);
    // Half an ulp of q, times six. 0x0b800000 is 23 steps of the exponent.
    let limit = 3.0 * bitcast<vec4<f32>>((bits & vec4<u32>(0x7f800000u)) - vec4<u32>(0x0b800000u));
    let up = select(vec4<u32>(0u), vec4<u32>(1u), r > limit);
    let down = select(vec4<u32>(0u), vec4<u32>(1u), r < -limit);
    let y = select(bits + up - down, vec4<u32>(0u), bitcast<vec4<u32>>(t) == vec4<u32>(0u));
    return bitcast<vec4<f32>>(y);
}

// The product of the slope and an operand, as bits, unless the operand makes it NaN: then the operand itself,
// quieted, or for zero times infinity the NaN that x86 gives.
fn unless_nan(product: vec4<u32>, operand: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = operand & vec4<u32>(0x7fffffffu);
    let infinite = magnitude == vec4<u32>(INFINITE);
    let nan = select(operand | vec4<u32>(QUIET), vec4<u32>(INVALID_NAN), infinite);
    return select(product, nan, magnitude >= vec4<u32>(params.nan_threshold));
}
