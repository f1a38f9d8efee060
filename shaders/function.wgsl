// What a text of `wgsl::function` in Rust begins with. Such a text is for a kernel that somebody else writes.

// Returns an operand of that kernel, quieted if it is NaN. The operand may come straight out of arithmetic. The select keeps
// that arithmetic apart from the operation's own.
fn from_outside(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(x, x);
}
