// The operations around a hard sigmoid: accumulation and the gate. hard_swish.wgsl builds on them.
//
// Most operations have two forms. `composed_...` calls other functions, and each of them decides about NaN and infinity.
// `..._once4` decides once, at its end. That is right if the gradient is a product, y is neither subnormal nor infinite, and
// the slope is neither zero nor subnormal. src/plan/formula.rs chooses the form.

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
// db of a gate, backward4(b, g * a). Its da is gate4(g, b).
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

// Formulas of factor4, which gives y as a factor. Where y is a product itself, it is kept apart from the product that uses
// it.

fn plain_factor(b: vec4<u32>) -> vec4<u32> {
    return value4(b);
}
// The select keeps the product that makes y apart from its use, since no compiler knows whether b is infinite. If b is, y is
// b clamped to 0 and 1.
fn product_factor(b: vec4<u32>) -> vec4<u32> {
    return select(value4(b), clamped(bitcast<vec4<f32>>(b), 1.0), magnitude4(b) >= vec4<u32>(INFINITE));
}

// a * b, in bits.
fn product4(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return settled(bitcast<vec4<f32>>(a) * bitcast<vec4<f32>>(b), a, b, 0u);
}
// Returns `product` in bits, but decides about NaN and infinity on integers: a GPU may read a subnormal as zero, and zero
// times infinity is NaN. `product` is a * b, or a * b times a nonzero number whose sign bit is that of `other`.
fn settled(product: vec4<f32>, a: vec4<u32>, b: vec4<u32>, other: u32) -> vec4<u32> {
    let larger = max(magnitude4(a), magnitude4(b));
    let smaller = min(magnitude4(a), magnitude4(b));
    let signed_infinite = ((a ^ b ^ vec4<u32>(other)) & vec4<u32>(SIGN)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    return unless_either_nan(select(bitcast<vec4<u32>>(product), infinite, larger == vec4<u32>(INFINITE)), a, b);
}

// Formulas of sum4: a + b in bits, if neither is NaN.

fn plain_sum(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let sum = apart(bitcast<vec4<f32>>(a)) + apart(bitcast<vec4<f32>>(b));
    let opposite = (magnitude4(a) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(SIGN));
    return select(bitcast<vec4<u32>>(sum), vec4<u32>(INVALID_NAN), opposite);
}

// a + b for a definition whose gradient never passes. There b is the constant 0, so a compiler may return a, although -0 + 0
// is 0.
fn sum_with_zero(a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return select(plain_sum(a, b), vec4<u32>(0u), (a == vec4<u32>(SIGN)) & (b == vec4<u32>(0u)));
}

// Returns `result`, that of an operation on a and b, if neither of them is NaN. Otherwise returns the first one that is NaN,
// quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    return unless_nan(unless_nan(result, b), a);
}
