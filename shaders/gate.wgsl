// What is computed around a hard sigmoid: accumulation, the gate, the hard swish.

// result, an operation on a and b, unless one of those is NaN: then the first that is, quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let first = select(result, b | vec4<u32>(QUIET), (b & vec4<u32>(0x7fffffffu)) > vec4<u32>(INFINITE));
    return select(first, a | vec4<u32>(QUIET), (a & vec4<u32>(0x7fffffffu)) > vec4<u32>(INFINITE));
}

// a * b, in bits. Infinity is settled on integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
fn product4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let larger = max(a & vec4<u32>(0x7fffffffu), b & vec4<u32>(0x7fffffffu));
    let smaller = min(a & vec4<u32>(0x7fffffffu), b & vec4<u32>(0x7fffffffu));
    let finite = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(a), params) * opaque(bitcast<vec4<f32>>(b), params));
    let signed_infinite = ((a ^ b) & vec4<u32>(0x80000000u)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    return unless_either_nan(select(finite, infinite, larger == vec4<u32>(INFINITE)), a, b);
}

// a + b, in bits.
fn sum4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let sum = opaque(bitcast<vec4<f32>>(a), params) + opaque(bitcast<vec4<f32>>(b), params);
    let opposite = ((a & vec4<u32>(0x7fffffffu)) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(0x80000000u));
    return unless_either_nan(select(bitcast<vec4<u32>>(sum), vec4<u32>(INVALID_NAN), opposite), a, b);
}

// dx + backward4(x, g).
fn backward_accumulate4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>, params: Params) -> vec4<u32> {
    return sum4(dx, backward4(x, g, params), params);
}

// a * forward4(b).
fn gate4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    return product4(a, forward4(b, params), params);
}

struct GateGradients {
    da: vec4<u32>,
    db: vec4<u32>,
}

// Both gradients of gate4.
fn gate_backward4(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, params: Params) -> GateGradients {
    return GateGradients(gate4(g, b, params), backward4(b, product4(g, a, params), params));
}

// x * forward4(x).
fn hard_swish4(x: vec4<u32>, params: Params) -> vec4<u32> {
    return gate4(x, x, params);
}

// The gradient of hard_swish4: the sum of the gate's two.
fn hard_swish_backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    let gradients = gate_backward4(x, x, g, params);
    return sum4(gradients.da, gradients.db, params);
}
