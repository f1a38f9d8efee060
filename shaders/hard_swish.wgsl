// The hard swish and its gradient.

// x * forward_bits(x).
fn gated_hard_swish(x: u32) -> u32 {
    return gate_bits(x, x);
}
// PyTorch's x * clamp(x + 3, 0, 6) / 6.
fn divided_hard_swish(x: u32) -> u32 {
    let magnitude = magnitude_of(x);
    let quotient = product_sixth(apart(bitcast<f32>(magnitude) * relu6(x)));
    let y = select(quotient, tiny_hard_swish(magnitude), magnitude < 0x01000000u) | (x & SIGN);
    // At negative infinity y is a NaN too, and the quiet bit makes it INVALID_NAN.
    return select(y, x | QUIET, (magnitude > INFINITE) | (x == (INFINITE | SIGN)));
}
// y for the magnitude of an x below 2^-125, which is this many times 2^-149, as y is. There y is half of it, and between two
// multiples the odd one if 3x has more than 24 bits and was rounded, otherwise the even one.
fn tiny_hard_swish(magnitude: u32) -> u32 {
    let odd = (magnitude >> 1u) | (magnitude & 1u);
    return select(magnitude - odd, odd, magnitude > 0x00555555u);
}

// Formulas of swish_product: y without its sign, from the magnitude of x and from x, for halves.

fn gated_swish_product(magnitude: f32, x: u32) -> f32 {
    return times_value(magnitude, x);
}
// In halves a product with 1/6 gives what the division gives. The product before it may overflow.
fn divided_swish_product(magnitude: f32, x: u32) -> f32 {
    return apart(magnitude * relu6(x)) * SIXTH;
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
    let factor = swish_factor(x);
    let product = number(g) * bitcast<f32>(factor);
    let invalid = (magnitude_of(g) == INFINITE) & (factor == 0u);
    let dx = unless_either_nan(select(bitcast<u32>(product), INVALID_NAN, invalid), x, g);
    let is_nan = magnitude_of(x) > INFINITE;
    return select(dx, 0u, (x >= bitcast<u32>(-3.0)) & !is_nan);
}
// The factor of g, for x above -3.
fn swish_factor(x: u32) -> u32 {
    let inside = bitcast<u32>(apart(third(number(x))) + 0.5);
    return select(inside, ONE, magnitude_of(x) >= bitcast<u32>(3.0));
}
// x / 3, correctly rounded if the quotient is normal. It works as `sixth` does.
fn third(x: f32) -> f32 {
    let q = bitcast<f32>(bitcast<u32>(x * THIRD) & 0xfffffffcu);
    return q + (x - 3.0 * q) * THIRD;
}
