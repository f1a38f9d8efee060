// The grid of a kernel that computes each element from the elements of the same index in its operands.
//
// An invocation of `body` computes a vector: four words, which are four f32 or eight halves. Its grid has ceil(floor(whole
// words / 4) / 256) workgroups, and a row of the grid has params.row_invocations / 256 of them. `tail` computes the words
// that are left if the length isn't a multiple of four words. Its grid is one workgroup.
//
// A binding may be longer than its tensor, so params.len says how long the tensor is. If the tensor ends in the middle of a
// word, the other half of that word keeps its value.

const WORKGROUP: u32 = 256u;

// The index of the vector that an invocation of `body` computes, if in_body says that there is one.
fn vector_index(id: vec3<u32>) -> u32 {
    return id.y * params.row_invocations + id.x;
}
fn in_body(i: u32) -> bool {
    return i < whole_words() / 4u;
}
// The index of the word that an invocation of `tail` computes, if in_tail says that there is one.
fn tail_index(lane: u32) -> u32 {
    return (whole_words() & 0xfffffffcu) + lane;
}
