// The functions on words for bytes, which lie four to a word, the first one in the lowest bits.

// The number of words that belong wholly to the tensor. Bytes of the next word may belong to it too.
fn whole_words() -> u32 {
    return params.len / 4u;
}
fn in_tail(i: u32) -> bool {
    return 4u * i < params.len;
}
// The word to store at index i. It is `result`, but if the tensor ends within the word, the bytes after its end are those of
// `before`.
fn merged(result: u32, before: u32, i: u32) -> u32 {
    let left = params.len - 4u * i;
    let mask = select((1u << ((left & 3u) << 3u)) - 1u, 0xffffffffu, left >= 4u);
    return (before & ~mask) | (result & mask);
}

// The byte at a place of the table. A shift takes the number of places modulo 32.
fn entry(place: u32) -> u32 {
    return (load_table_word(place >> 2u) >> (place << 3u)) & 0xffu;
}
// The bytes that the table has for those of a word.
fn looked_up(x: u32) -> u32 {
    return entry(x & 0xffu) | (entry((x >> 8u) & 0xffu) << 8u) | (entry((x >> 16u) & 0xffu) << 16u)
        | (entry(x >> 24u) << 24u);
}

// Gates four words of a. `word` is the index of the first one in its part: see broadcast.wgsl.
fn gate_words(a: vec4<u32>, word: u32) -> vec4<u32> {
    let at = places(params.first + 4u * word, 16u);
    if at.is_run {
        let first = vec4<u32>(place(at.first)) + vec4<u32>(0u, 1u, 2u, 3u) * at.stride;
        let step = vec4<u32>(4u * at.stride);
        return gated_vector(
            a,
            vec4<u32>(
                word_of_b(first),
                word_of_b(first + step),
                word_of_b(first + 2u * step),
                word_of_b(first + 3u * step),
            ),
        );
    }
    let first = four_places(at.first, at.row);
    let second = four_places(first.next, at.row);
    let third = four_places(second.next, at.row);
    let fourth = four_places(third.next, at.row);
    return gated_vector(
        a,
        vec4<u32>(
            word_of_b(first.places),
            word_of_b(second.places),
            word_of_b(third.places),
            word_of_b(fourth.places),
        ),
    );
}
fn gate_tail(a: u32, word: u32) -> u32 {
    let at = places(params.first + 4u * word, 4u);
    return gated(a, word_of_b(four_places(at.first, at.row).places));
}
// The bytes that the table of pairs has for those of a word of a and a word of b.
fn gated_singly(a: u32, b: u32) -> u32 {
    return entry(((b & 0xffu) << 8u) | (a & 0xffu)) | (entry((b & 0xff00u) | ((a >> 8u) & 0xffu)) << 8u)
        | (entry(((b >> 8u) & 0xff00u) | ((a >> 16u) & 0xffu)) << 16u)
        | (entry(((b >> 16u) & 0xff00u) | (a >> 24u)) << 24u);
}
// The byte at a place of b.
fn byte_of_b(place: u32) -> u32 {
    return (load_b_word(place >> 2u) >> (place << 3u)) & 0xffu;
}
// The word of the bytes at four places of b.
fn word_of_b(places: vec4<u32>) -> u32 {
    return byte_of_b(places.x) | (byte_of_b(places.y) << 8u) | (byte_of_b(places.z) << 16u) | (byte_of_b(places.w) << 24u);
}
// The number at a place of b, in every element of a word.
fn number_of_b(place: u32) -> u32 {
    return byte_of_b(place) * 0x01010101u;
}
const VECTOR_BITS: u32 = 4u; // A vector has 2^4 elements.
