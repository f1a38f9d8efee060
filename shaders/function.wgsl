// What a text of `wgsl::function` in Rust begins with. Such a text is for a kernel that somebody else writes.

// Returns an operand of that kernel, kept apart from the arithmetic that it may come straight out of. A NaN is quieted, as every
// operation does.
fn from_outside(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(bitcast<vec4<u32>>(apart(bitcast<vec4<f32>>(x))), x);
}
