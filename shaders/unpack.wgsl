// Makes numbers of packed signs, in the grid of elementwise.wgsl. WORDS is the number of words of y that have 32 signs.

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id);
    if in_body(i) {
        let vectors = WORDS / 4u;
        store_y(i, signed_words(signs_in(load_bits_word(i / vectors) >> (i % vectors * 32u / vectors))));
    }
}
@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane);
    if in_tail(i) {
        let bits = load_bits_word(i / WORDS) >> (i % WORDS * 32u / WORDS);
        store_y_word(i, merged(signed_words(signs_in(bits)).x, load_y_word(i), i));
    }
}
