// The hard swish and its gradient.

// x * forward_bits(x).
fn gated_hard_swish(x: u32) -> u32 {
    return gate_bits(x, x);
}
// PyTorch's x * clamp(x + 3, 0, 6) / 6.
fn divided_hard_swish(x: u32) -> u32 {
    let y = divided_by_6(bitcast<u32>(number(x) * relu6(x)));
    return unless_nan(select(y, INVALID_NAN, x == (INFINITE | SIGN)), x);
}

// The sum of the gate's two gradients.
fn composed_hard_swish_backward(x: u32, g: u32) -> u32 {
    let da = gate_bits(g, x);
    let db = gate_db_bits(x, x, g);
    return unless_either_nan(sum_of(da, db), da, db);
}
fn hard_swish_backward_once(x: u32, g: u32) -> u32 {
    let y = value(x);
    let inside = passes(x);
    let da = apart(times_value(number(g), x));
    let db = apart(SLOPE * apart(number(g) * number(x)));
    let sum = bitcast<u32>(da + bitcast<f32>(select(0u, bitcast<u32>(db), inside)));
    // If g is infinite, the sum is g. It is NaN if x or y is zero, or if the two products have opposite signs.
    let db_has_sign_of_g = bitcast<i32>(x ^ (bitcast<u32>(SLOPE) & SIGN)) > 0;
    let infinite = select(INVALID_NAN, g, (y != 0u) & (db_has_sign_of_g | !inside));
    return unless_either_nan(select(sum, infinite, magnitude_of(g) == INFINITE), g, x);
}
// PyTorch's (x / 3 + 0.5) * g between the kinks, and g above them.
fn divided_hard_swish_backward(x: u32, g: u32) -> u32 {
    let inside = bitcast<u32>(apart(third(number(x))) + 0.5);
    let is_above = bitcast<i32>(x) >= bitcast<i32>(3.0);
    let factor = select(inside, ONE, is_above);
    let product = number(g) * bitcast<f32>(factor);
    let invalid = (magnitude_of(g) == INFINITE) & (factor == 0u);
    let dx = unless_either_nan(select(bitcast<u32>(product), INVALID_NAN, invalid), x, g);
    let is_nan = magnitude_of(x) > INFINITE;
    return select(0u, dx, passes(x) | is_above | is_nan);
}

// x / 3, correctly rounded if the quotient is normal. It works as `sixth` does.
fn third(x: f32) -> f32 {
    let q = apart(x * THIRD);
    let remainder = apart(x - 2.0 * q) - q;
    return q + apart(remainder * THIRD);
}
