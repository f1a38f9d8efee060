// An operand that was loaded, as a number.
fn number(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}
