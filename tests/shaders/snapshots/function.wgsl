// hard_swish: jax, clamp(x + 3, 0, 6) · (1/6)
// Exact: made to give the same bits on every driver, except that a driver may take a subnormal number for zero.

fn hard_swish(x: f32) -> f32 {
    return bitcast<f32>(hard_swish_gated_hard_swish(bitcast<u32>(x)));
}

// An operand, as a number. It may come straight out of the arithmetic around this text, and is kept apart from it.
fn hard_swish_number(bits: u32) -> f32 {
    return hard_swish_apart(bitcast<f32>(bits));
}

// clamp(x + 3, 0, 6) * (1/6).
fn hard_swish_multiplied_value(x: u32) -> u32 {
    return bitcast<u32>(hard_swish_relu6(x) * hard_swish_SIXTH);
}

const hard_swish_QUIET: u32 = 0x00400000u;

const hard_swish_INFINITE: u32 = 0x7f800000u;

const hard_swish_INVALID_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity

const hard_swish_SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Returns v if it isn't NaN, and keeps the operation that made v apart from the one that uses it. Otherwise WGSL would let a
// compiler turn a * x + b into one fma, which rounds once instead of twice. No compiler knows how large the bits of v are, so
// none can leave the integer operation out.
fn hard_swish_apart(v: f32) -> f32 {
    return bitcast<f32>(min(bitcast<i32>(v), i32(hard_swish_INFINITE)));
}

// Clamps v to 0 and top, and returns bits. As integers, positive floats keep their order, and negative floats are negative.
fn hard_swish_clamped(v: f32, top: f32) -> u32 {
    return bitcast<u32>(clamp(bitcast<i32>(v), 0, bitcast<i32>(top)));
}

fn hard_swish_magnitude_of(v: u32) -> u32 {
    return v & 0x7fffffffu;
}

// Returns `result` if `operand` isn't NaN, otherwise `operand`, quieted.
fn hard_swish_unless_nan(result: u32, operand: u32) -> u32 {
    return select(result, operand | hard_swish_QUIET, hard_swish_magnitude_of(operand) > hard_swish_INFINITE);
}

// clamp(x + 3, 0, 6).
fn hard_swish_relu6(x: u32) -> f32 {
    return bitcast<f32>(hard_swish_clamped(hard_swish_number(x) + 3.0, 6.0));
}

fn hard_swish_gate_once(a: u32, b: u32) -> u32 {
    let y = hard_swish_multiplied_value(b);
    let product = bitcast<u32>(hard_swish_product_times(hard_swish_number(a), b));
    let invalid = (hard_swish_magnitude_of(a) == hard_swish_INFINITE) & (y == 0u);
    return hard_swish_unless_either_nan(select(product, hard_swish_INVALID_NAN, invalid), a, b);
}

// Where y is a product itself, a limit keeps it apart from the product with a. It changes y = 1 alone, for which a is the result. So
// not even a compiler that knows how large y is can leave it out.
fn hard_swish_product_times(a: f32, b: u32) -> f32 {
    let t = hard_swish_relu6(b);
    let y = bitcast<f32>(min(bitcast<i32>(t * hard_swish_SIXTH), 0x3f7fffff));
    return select(a * y, a, bitcast<i32>(t) == bitcast<i32>(6.0));
}

// Returns `result`, that of an operation on a and b, if neither of them is NaN. Otherwise returns the first one that is NaN,
// quieted.
fn hard_swish_unless_either_nan(result: u32, a: u32, b: u32) -> u32 {
    return hard_swish_unless_nan(hard_swish_unless_nan(result, b), a);
}

// x * forward_bits(x).
fn hard_swish_gated_hard_swish(x: u32) -> u32 {
    return hard_swish_gate_once(x, x);
}
