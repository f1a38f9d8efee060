// The operations around a hard sigmoid: accumulation and the gate. hard_swish.wgsl builds on them.
//
// Most have two forms. One composes other functions. The other, `..._once4`, settles NaN and infinity once; it may do so if
// the gradient is a product, y is neither subnormal nor infinite, and the slope neither zero nor subnormal.

// a * forward4(b).
fn composed_gate4(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return product4(a, forward4(b));
}
fn gate_once4(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let y = factor4(b);
    let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(a) * bitcast<vec4<f32>>(y));
    let invalid = (magnitude4(a) == vec4<u32>(INFINITE)) & (y == vec4<u32>(0u));
    return unless_either_nan(select(product, vec4<u32>(INVALID_NAN), invalid), a, b);
}
// The gradient of a gate's b: backward4(b, g * a). That of a is gate4(g, b).
fn composed_gate_db4(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    return backward4(b, product4(g, a));
}
fn gate_db_once4(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let product = SLOPE * apart(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(a));
    let db = settled(product, g, a, bitcast<u32>(SLOPE));
    return select(vec4<u32>(0u), db, passes4(b));
}

// dx + backward4(x, g).
fn composed_backward_accumulate4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>) -> vec4<u32> {
    let gradient = backward4(x, g);
    return unless_either_nan(sum4(dx, gradient), dx, gradient);
}
fn backward_accumulate_once4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>) -> vec4<u32> {
    let zero = vec4<u32>(0u);
    let inside = passes4(x);
    let added = select(zero, bitcast<vec4<u32>>(SLOPE * bitcast<vec4<f32>>(g)), inside);
    return unless_either_nan(sum4(dx, added), dx, select(zero, g, inside));
}

// Formulas of factor4, which is value4, kept apart from a product with it if it is a product itself.

fn plain_factor(b: vec4<u32>) -> vec4<u32> {
    return value4(b);
}
// If b is infinite, y is its limit. No compiler knows whether b is.
fn product_factor(b: vec4<u32>) -> vec4<u32> {
    return select(value4(b), clamped(bitcast<vec4<f32>>(b), 1.0), magnitude4(b) >= vec4<u32>(INFINITE));
}

// a * b, in bits.
fn product4(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return settled(bitcast<vec4<f32>>(a) * bitcast<vec4<f32>>(b), a, b, 0u);
}
// The bits of `product`: a * b, or a * b times a nonzero number with the sign bit of `other`. Infinity is settled on
// integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
fn settled(product: vec4<f32>, a: vec4<u32>, b: vec4<u32>, other: u32) -> vec4<u32> {
    let larger = max(magnitude4(a), magnitude4(b));
    let smaller = min(magnitude4(a), magnitude4(b));
    let signed_infinite = ((a ^ b ^ vec4<u32>(other)) & vec4<u32>(SIGN)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    return unless_either_nan(select(bitcast<vec4<u32>>(product), infinite, larger == vec4<u32>(INFINITE)), a, b);
}

// Formulas of sum4: the bits of a + b, if neither is NaN.

fn plain_sum(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let sum = apart(bitcast<vec4<f32>>(a)) + apart(bitcast<vec4<f32>>(b));
    let opposite = (magnitude4(a) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(SIGN));
    return select(bitcast<vec4<u32>>(sum), vec4<u32>(INVALID_NAN), opposite);
}

// If no gradient ever passes, b is the constant 0, and a compiler may return a. But -0 + 0 is 0.
fn sum_with_zero(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return select(plain_sum(a, b), vec4<u32>(0u), (a == vec4<u32>(SIGN)) & (b == vec4<u32>(0u)));
}

// result, an operation on a and b, unless one of those is NaN: then the first that is, quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return unless_nan(unless_nan(result, b), a);
}
