// The hard swish and its gradient.

// x * forward4(x).
fn gated_hard_swish4(x: vec4<u32>) -> vec4<u32> {
    return gate4(x, x);
}
// PyTorch's x * clamp(x + 3, 0, 6) / 6.
fn divided_hard_swish4(x: vec4<u32>) -> vec4<u32> {
    let y = divided_by_6(bitcast<vec4<u32>>(bitcast<vec4<f32>>(x) * relu6(x)));
    return unless_nan(select(y, vec4<u32>(INVALID_NAN), x == vec4<u32>(INFINITE | SIGN)), x);
}

// The sum of the gate's two gradients.
fn composed_hard_swish_backward4(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let da = gate4(g, x);
    let db = gate_db4(x, x, g);
    return unless_either_nan(sum4(da, db), da, db);
}
fn hard_swish_backward_once4(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let y = factor4(x);
    let inside = passes4(x);
    let da = apart(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(y));
    let db = apart(SLOPE * apart(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(x)));
    let sum = bitcast<vec4<u32>>(da + bitcast<vec4<f32>>(select(vec4<u32>(0u), bitcast<vec4<u32>>(db), inside)));
    // If g is infinite, the sum is g. It is NaN if x or y is zero, or if the two products have opposite signs.
    let db_has_sign_of_g = bitcast<vec4<i32>>(x ^ vec4<u32>(bitcast<u32>(SLOPE) & SIGN)) > vec4<i32>(0);
    let infinite = select(vec4<u32>(INVALID_NAN), g, (y != vec4<u32>(0u)) & (db_has_sign_of_g | !inside));
    return unless_either_nan(select(sum, infinite, magnitude4(g) == vec4<u32>(INFINITE)), g, x);
}
// PyTorch's (x / 3 + 0.5) * g between the kinks, and g above them.
fn divided_hard_swish_backward4(x: vec4<u32>, g: vec4<u32>) -> vec4<u32> {
    let inside = bitcast<vec4<u32>>(apart(third(bitcast<vec4<f32>>(x))) + 0.5);
    let is_above = bitcast<vec4<i32>>(x) >= vec4<i32>(bitcast<i32>(3.0));
    let factor = select(inside, vec4<u32>(ONE), is_above);
    let product = bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(factor);
    let invalid = (magnitude4(g) == vec4<u32>(INFINITE)) & (factor == vec4<u32>(0u));
    let dx = unless_either_nan(select(bitcast<vec4<u32>>(product), vec4<u32>(INVALID_NAN), invalid), x, g);
    let is_nan = magnitude4(x) > vec4<u32>(INFINITE);
    return select(vec4<u32>(0u), dx, passes4(x) | is_above | is_nan);
}

// x / 3, correctly rounded if the quotient is normal. It works as `sixth` does.
fn third(x: vec4<f32>) -> vec4<f32> {
    let q = apart(x * THIRD);
    let remainder = apart(x - 2.0 * q) - q;
    return q + apart(remainder * THIRD);
}
