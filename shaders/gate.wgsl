// What is computed around a hard sigmoid: accumulation, the gate, the hard swish.

// result, an operation on a and b, unless one of those is NaN: then the first that is, quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let first = select(result, b | vec4<u32>(QUIET), magnitude4(b) > vec4<u32>(INFINITE));
    return select(first, a | vec4<u32>(QUIET), magnitude4(a) > vec4<u32>(INFINITE));
}

// a * b, in bits.
fn product4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    return settled(opaque(bitcast<vec4<f32>>(a) * bitcast<vec4<f32>>(b), params), a, b, 0u);
}
// The bits of `product`: a * b, or a * b times a nonzero number with the sign bit of `other`. Infinity is settled on integers:
// a GPU may read a subnormal as zero, and zero times infinity is NaN.
fn settled(product: vec4<f32>, a: vec4<u32>, b: vec4<u32>, other: u32) -> vec4<u32> {
    let larger = max(magnitude4(a), magnitude4(b));
    let smaller = min(magnitude4(a), magnitude4(b));
    let signed_infinite = ((a ^ b ^ vec4<u32>(other)) & vec4<u32>(0x80000000u)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    return unless_either_nan(select(bitcast<vec4<u32>>(product), infinite, larger == vec4<u32>(INFINITE)), a, b);
}

// a + b, in bits.
fn sum4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    return unless_either_nan(sum_of_numbers(a, b, params), a, b);
}
// The same where neither is NaN.
fn sum_of_numbers(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let sum = opaque(bitcast<vec4<f32>>(a), params) + opaque(bitcast<vec4<f32>>(b), params);
    let opposite = (magnitude4(a) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(0x80000000u));
    return select(bitcast<vec4<u32>>(sum), vec4<u32>(INVALID_NAN), opposite);
}

// Each function below has two forms. RARE uses the functions above. The other settles NaN and infinity once; it may, because y
// is neither subnormal nor infinite there, and the slope neither zero nor subnormal.

// dx + backward4(x, g).
fn backward_accumulate4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RARE {
        return sum4(dx, backward4(x, g, params), params);
    }
    let zero = vec4<u32>(0u);
    let inside = passes(x, params);
    let added = select(zero, bitcast<vec4<u32>>(params.slope * bitcast<vec4<f32>>(g)), inside);
    return unless_either_nan(sum_of_numbers(dx, added, params), dx, select(zero, g, inside));
}

// a * forward4(b).
fn gate4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RARE {
        return product4(a, forward4(b, params), params);
    }
    let y = value4(b, params);
    let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(a) * opaque(bitcast<vec4<f32>>(y), params));
    let invalid = (magnitude4(a) == vec4<u32>(INFINITE)) & (y == vec4<u32>(0u));
    return unless_either_nan(select(product, vec4<u32>(INVALID_NAN), invalid), a, b);
}

struct GateGradients {
    da: vec4<u32>,
    db: vec4<u32>,
}

// Both gradients of gate4: gate4(g, b), and backward4(b, g * a).
fn gate_backward4(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, params: Params) -> GateGradients {
    let da = gate4(g, b, params);
    if FORMULA == RARE {
        return GateGradients(da, backward4(b, product4(g, a, params), params));
    }
    let product = params.slope * opaque(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(a), params);
    let db = settled(product, g, a, bitcast<u32>(params.slope));
    return GateGradients(da, select(vec4<u32>(0u), db, passes(b, params)));
}

// x * forward4(x).
fn hard_swish4(x: vec4<u32>, params: Params) -> vec4<u32> {
    return gate4(x, x, params);
}

// The gradient of hard_swish4: the sum of the gate's two.
fn hard_swish_backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RARE {
        let gradients = gate_backward4(x, x, g, params);
        return sum4(gradients.da, gradients.db, params);
    }
    let y = value4(x, params);
    let inside = passes(x, params);
    let da = opaque(bitcast<vec4<f32>>(g) * opaque(bitcast<vec4<f32>>(y), params), params);
    let product = opaque(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(x), params);
    let db = opaque(params.slope * product, params);
    let sum = bitcast<vec4<u32>>(da + bitcast<vec4<f32>>(select(vec4<u32>(0u), bitcast<vec4<u32>>(db), inside)));
    // If g is infinite the sum is g, or NaN where x or y is zero or the products have opposite signs.
    let db_has_sign_of_g = bitcast<vec4<i32>>(x ^ vec4<u32>(bitcast<u32>(params.slope) & 0x80000000u)) > vec4<i32>(0);
    let infinite = select(vec4<u32>(INVALID_NAN), g, (y != vec4<u32>(0u)) & (db_has_sign_of_g | !inside));
    return unless_either_nan(select(sum, infinite, magnitude4(g) == vec4<u32>(INFINITE)), g, x);
}
