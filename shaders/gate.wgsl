// The operations around a hard sigmoid: accumulation and the gate. hard_swish.wgsl builds on them.
//
// Most operations have two forms. `composed_...` calls other functions, and each of them decides about NaN and infinity.
// `..._once` decides once, at its end. That is right if the gradient is a product, y is neither subnormal nor infinite, and
// the slope is neither zero nor subnormal. src/plan/formula.rs chooses the form.

// a * forward_bits(b).
fn composed_gate(a: u32, b: u32) -> u32 {
    return product_of(a, forward_bits(b));
}
fn gate_once(a: u32, b: u32) -> u32 {
    let y = value(b);
    let product = bitcast<u32>(times_value(number(a), b));
    let invalid = (magnitude_of(a) == INFINITE) & (y == 0u);
    return unless_either_nan(select(product, INVALID_NAN, invalid), a, b);
}
// db of a gate, backward_bits(b, g * a). Its da is gate_bits(g, b).
fn composed_gate_db(a: u32, b: u32, g: u32) -> u32 {
    return backward_bits(b, product_of(g, a));
}
fn gate_db_once(a: u32, b: u32, g: u32) -> u32 {
    let product = SLOPE * apart(number(g) * number(a));
    let db = settled(product, g, a, bitcast<u32>(SLOPE));
    return select(0u, db, passes(b));
}

// dx + backward_bits(x, g).
fn composed_backward_accumulate(x: u32, g: u32, dx: u32) -> u32 {
    let gradient = backward_bits(x, g);
    return unless_either_nan(sum_of(dx, gradient), dx, gradient);
}
fn backward_accumulate_once(x: u32, g: u32, dx: u32) -> u32 {
    let inside = passes(x);
    let added = select(0u, bitcast<u32>(SLOPE * number(g)), inside);
    return unless_either_nan(sum_of(dx, added), dx, select(0u, g, inside));
}

// Formulas of times_value: a * value(b).

fn plain_times(a: f32, b: u32) -> f32 {
    return a * bitcast<f32>(value(b));
}
// Where y is a product itself, a limit keeps it apart from the product with a. It changes y = 1 alone, for which a is the result. So
// not even a compiler that knows how large y is can leave it out.
fn product_times(a: f32, b: u32) -> f32 {
    let t = relu6(b);
    let y = bitcast<f32>(min(bitcast<i32>(t * SIXTH), 0x3f7fffff));
    return select(a * y, a, bitcast<i32>(t) == bitcast<i32>(6.0));
}

// a * b, in bits.
fn product_of(a: u32, b: u32) -> u32 {
    return settled(number(a) * number(b), a, b, 0u);
}
// Returns `product` in bits, but decides about NaN and infinity on integers. `product` is a * b, or a * b times a nonzero number
// whose sign bit is that of `other`.
fn settled(product: f32, a: u32, b: u32, other: u32) -> u32 {
    return unless_either_nan(settled_infinity(product, a, b, other), a, b);
}
// As `settled`, if neither a nor b is NaN. A GPU may read a subnormal as zero, and zero times infinity is NaN.
fn settled_infinity(product: f32, a: u32, b: u32, other: u32) -> u32 {
    let larger = max(magnitude_of(a), magnitude_of(b));
    let smaller = min(magnitude_of(a), magnitude_of(b));
    let signed_infinite = ((a ^ b ^ other) & SIGN) | INFINITE;
    let infinite = select(signed_infinite, INVALID_NAN, smaller == 0u);
    return select(bitcast<u32>(product), infinite, larger == INFINITE);
}

// Formulas of sum_of: a + b in bits, if neither is NaN.

fn plain_sum(a: u32, b: u32) -> u32 {
    let sum = apart(bitcast<f32>(a)) + apart(bitcast<f32>(b));
    let opposite = (magnitude_of(a) == INFINITE) & ((a ^ b) == SIGN);
    return select(bitcast<u32>(sum), INVALID_NAN, opposite);
}

// a + b for a definition whose gradient never passes. There b is the constant 0, so a compiler may return a, although -0 + 0
// is 0.
fn sum_with_zero(a: u32, b: u32) -> u32 {
    return select(plain_sum(a, b), 0u, (a == SIGN) & (b == 0u));
}

// Returns `result`, that of an operation on a and b, if neither of them is NaN. Otherwise returns the first one that is NaN,
// quieted.
fn unless_either_nan(result: u32, a: u32, b: u32) -> u32 {
    return unless_nan(unless_nan(result, b), a);
}
