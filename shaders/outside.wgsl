// An operand, as a number. It may come straight out of the arithmetic around this text, and is kept apart from it.
fn number(bits: u32) -> f32 {
    return apart(bitcast<f32>(bits));
}
