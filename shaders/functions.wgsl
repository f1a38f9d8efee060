// For a kernel of your own whose tensors hold halves; low() and high() are in halves.wgsl.

// The bits of f32, any NaN among them, rounded to halves and packed: the low ones in the lower half of each word.
fn packed(low: vec4<u32>, high: vec4<u32>, zero: u32) -> vec4<u32> {
    return packed_results(short_nan(low), short_nan(high), parameters(zero));
}
// A NaN is quieted and keeps only the bits that a half has room for, so that rounding it can't overflow.
fn short_nan(v: vec4<u32>) -> vec4<u32> {
    let room = select(0xffff0000u, 0xffffe000u, DTYPE == F16);
    return select(v, (v | vec4<u32>(QUIET)) & vec4<u32>(room), magnitude4(v) > vec4<u32>(INFINITE));
}
