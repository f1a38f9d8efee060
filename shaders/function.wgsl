// What the functions for kernels of others begin with.

// An operand that may come out of arithmetic, kept apart from what uses it. NaN is quieted, as every operation does.
fn from_outside(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(bitcast<vec4<u32>>(apart(bitcast<vec4<f32>>(x))), x);
}
