// What the functions for kernels of others begin with.

// An operand that may come out of arithmetic: the select keeps that apart from what uses the operand. NaN is quieted, as every
// operation does.
fn from_outside(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(x, x);
}
