// The operations around a hard sigmoid: accumulation, the gate, the hard swish.

// result, an operation on a and b, unless one of those is NaN: then the first that is, quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let first = select(result, b | vec4<u32>(QUIET), magnitude4(b) > vec4<u32>(INFINITE));
    return select(first, a | vec4<u32>(QUIET), magnitude4(a) > vec4<u32>(INFINITE));
}

// a * b, in bits.
fn product4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    return settled(opaque(bitcast<vec4<f32>>(a) * bitcast<vec4<f32>>(b), params), a, b, 0u);
}
// The bits of `product`: a * b, or a * b times a nonzero number with the sign bit of `other`. Infinity is settled on
// integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
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
// The same if neither is NaN.
fn sum_of_numbers(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let sum = opaque(bitcast<vec4<f32>>(a), params) + opaque(bitcast<vec4<f32>>(b), params);
    let opposite = (magnitude4(a) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(0x80000000u));
    return select(bitcast<vec4<u32>>(sum), vec4<u32>(INVALID_NAN), opposite);
}

// Each function below has two forms. One composes the functions above. The other settles NaN and infinity once; it may
// do so if the gradient is a product, y is neither subnormal nor infinite, and the slope neither zero nor subnormal.
fn is_composed() -> bool {
    return is_rare() || FORMULA == RELU6_DIVIDE_BOTH;
}

// dx + backward4(x, g).
fn backward_accumulate4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>, params: Params) -> vec4<u32> {
    if is_composed() {
        return sum4(dx, backward4(x, g, params), params);
    }
    let zero = vec4<u32>(0u);
    let inside = lies_in(params.passing, x);
    let added = select(zero, bitcast<vec4<u32>>(params.slope * bitcast<vec4<f32>>(g)), inside);
    return unless_either_nan(sum_of_numbers(dx, added, params), dx, select(zero, g, inside));
}

// a * forward4(b).
fn gate4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    if is_rare() {
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
    if is_composed() {
        return GateGradients(da, backward4(b, product4(g, a, params), params));
    }
    let product = params.slope * opaque(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(a), params);
    let db = settled(product, g, a, bitcast<u32>(params.slope));
    return GateGradients(da, select(vec4<u32>(0u), db, lies_in(params.passing, b)));
}

// x * forward4(x), or PyTorch's x * clamp(x + 3, 0, 6) / 6.
fn hard_swish4(x: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RELU6_DIVIDE {
        let y = divided_by_6(bitcast<vec4<u32>>(bitcast<vec4<f32>>(x) * relu6(x)));
        let settled = select(y, vec4<u32>(INVALID_NAN), x == vec4<u32>(INFINITE | 0x80000000u));
        return unless_nan(settled, x, params);
    }
    return gate4(x, x, params);
}

// The gradient of hard_swish4: the sum of the gate's two, or PyTorch's (x / 3 + 0.5) * g between the kinks and g above
// them.
fn hard_swish_backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    if FORMULA == RELU6_DIVIDE {
        let inside = bitcast<vec4<u32>>(opaque(third(bitcast<vec4<f32>>(x), params), params) + 0.5);
        let is_above = bitcast<vec4<i32>>(x) >= vec4<i32>(bitcast<i32>(3.0));
        let factor = select(inside, vec4<u32>(bitcast<u32>(1.0)), is_above);
        let product = bitcast<vec4<f32>>(g) * opaque(bitcast<vec4<f32>>(factor), params);
        let invalid = (magnitude4(g) == vec4<u32>(INFINITE)) & (factor == vec4<u32>(0u));
        let dx = unless_either_nan(select(bitcast<vec4<u32>>(product), vec4<u32>(INVALID_NAN), invalid), x, g);
        let is_nan = magnitude4(x) > vec4<u32>(INFINITE);
        return select(vec4<u32>(0u), dx, lies_in(params.passing, x) | is_above | is_nan);
    }
    if is_composed() {
        let gradients = gate_backward4(x, x, g, params);
        return sum4(gradients.da, gradients.db, params);
    }
    let y = value4(x, params);
    let inside = lies_in(params.passing, x);
    let da = opaque(bitcast<vec4<f32>>(g) * opaque(bitcast<vec4<f32>>(y), params), params);
    let product = opaque(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(x), params);
    let db = opaque(params.slope * product, params);
    let sum = bitcast<vec4<u32>>(da + bitcast<vec4<f32>>(select(vec4<u32>(0u), bitcast<vec4<u32>>(db), inside)));
    // If g is infinite the sum is g, or NaN where x or y is zero or the products have opposite signs.
    let db_has_sign_of_g = bitcast<vec4<i32>>(x ^ vec4<u32>(bitcast<u32>(params.slope) & 0x80000000u)) > vec4<i32>(0);
    let infinite = select(vec4<u32>(INVALID_NAN), g, (y != vec4<u32>(0u)) & (db_has_sign_of_g | !inside));
    return unless_either_nan(select(sum, infinite, magnitude4(g) == vec4<u32>(INFINITE)), g, x);
}
