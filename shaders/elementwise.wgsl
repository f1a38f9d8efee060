// The grid of a kernel that computes each element from the same element of its operands.
//
// `body` works on four words at a time (four f32, eight halves), in a grid of ceil(floor(whole words / 4) / 256) workgroups
// in rows of params.row_invocations / 256. `tail` works on the words that are left, with one workgroup, if the length isn't a
// multiple of four words. A binding may be longer than its tensor: params.len says how long the tensor is. If an odd number
// of halves ends within a word, the word's other half keeps its value.

const WORKGROUP: u32 = 256u;

// Which vec4 an invocation works on, if it has one, and which word of the tail.
fn vector_index(id: vec3<u32>) -> u32 {
    return id.y * params.row_invocations + id.x;
}
fn in_body(i: u32) -> bool {
    return i < whole_words() / 4u;
}
fn tail_index(lane: u32) -> u32 {
    return (whole_words() & 0xfffffffcu) + lane;
}
