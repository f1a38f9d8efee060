// Packs signs as bits, 32 to a word. An invocation makes one word of bits, so the grid has ceil(whole words of bits / 256)
// workgroups. There is a tail if the length isn't a multiple of 32. WORDS is the number of words of x that have 32 signs.

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id);
    if i < params.len / 32u {
        var bits = 0u;
        let vectors = WORDS / 4u;
        for (var k = 0u; k < vectors; k++) {
            let vector = i * vectors + k;
            bits |= bits_of(signs(load_x(vector), 4u * vector)) << (k * 32u / vectors);
        }
        store_bits_word(i, bits);
    }
}
@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = params.len / 32u;
    let left = params.len % 32u;
    if lane == 0u && left > 0u {
        var bits = 0u;
        let step = 32u / WORDS;
        for (var k = 0u; k < left; k += step) {
            let word = i * WORDS + k / step;
            bits |= (bits_of(signs(vec4<u32>(load_x_word(word)), word)) & (step * 2u - 1u)) << k;
        }
        store_bits_word(i, bits & ((1u << left) - 1u));
    }
}
