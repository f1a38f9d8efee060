// The functions on words for f32, where each word is an element. halves.wgsl has those for halves.

fn whole_words() -> u32 {
    return params.len;
}
fn in_tail(i: u32) -> bool {
    return i < params.len;
}
fn merged(result: u32, before: u32, i: u32) -> u32 {
    return result;
}

// Which of four signs are plus.
alias Signs = vec4<bool>;

// Formulas of signs, which gives the signs of four words of x. `word` is the index of the first word in its part, which the draws
// need.

fn plain_signs(x: vec4<u32>, word: u32) -> Signs {
    return Signs(is_plus(x.x), is_plus(x.y), is_plus(x.z), is_plus(x.w));
}
fn drawn_signs(x: vec4<u32>, word: u32) -> Signs {
    return signs_by(x, random4(word, params.seed, params.offset));
}
// drawn_signs where the random words of the four are a whole block.
fn signs_aligned(x: vec4<u32>, word: u32) -> Signs {
    return signs_by(x, random4_aligned(word, params.seed, params.offset));
}
fn signs_by(x: vec4<u32>, random: vec4<u32>) -> Signs {
    return Signs(
        is_drawn_plus(x.x, random.x),
        is_drawn_plus(x.y, random.y),
        is_drawn_plus(x.z, random.z),
        is_drawn_plus(x.w, random.w),
    );
}
// Four words of binarized numbers.
fn signed_words(signs: Signs) -> vec4<u32> {
    return vec4<u32>(
        signed(signs.x, params.scale),
        signed(signs.y, params.scale),
        signed(signs.z, params.scale),
        signed(signs.w, params.scale),
    );
}
// Signs as the lowest bits of a number, and back.
const WORDS: u32 = 32u;
const PLACES: vec4<u32> = vec4<u32>(1u, 2u, 4u, 8u);
fn bits_of(signs: Signs) -> u32 {
    return bits4(signs, PLACES);
}
fn signs_in(bits: u32) -> Signs {
    return (vec4<u32>(bits) & PLACES) != vec4<u32>(0u);
}

// Gates four words of a. `word` is the index of the first one in its part: see broadcast.wgsl.
fn gate_words(a: vec4<u32>, word: u32) -> vec4<u32> {
    let at = places_of_words(word);
    return gated_vector(a, vec4<u32>(load_b_word(at.x), load_b_word(at.y), load_b_word(at.z), load_b_word(at.w)));
}
fn gate_tail(a: u32, word: u32) -> u32 {
    return gated(a, load_b_word(places_of_words(word).x));
}
// A word of a, gated by a word of b.
fn gated_singly(a: u32, b: u32) -> u32 {
    return gate_bits(a, b);
}
// The number at a place of b, in every element of a word.
fn number_of_b(place: u32) -> u32 {
    return load_b_word(place);
}
const VECTOR_BITS: u32 = 2u; // A vector has 2^2 elements.
fn places_of_words(word: u32) -> vec4<u32> {
    let at = places(params.first + word, 4u);
    if at.is_run {
        return vec4<u32>(place(at.first)) + vec4<u32>(0u, 1u, 2u, 3u) * at.stride;
    }
    return four_places(at.first, at.row).places;
}

// Where the sums of workgroup number `number` begin in the bindings of b and db: see broadcast_sums.wgsl.
fn first_place(number: u32) -> u32 {
    return params.b_first + number * SUMS;
}
fn product_at(element: u32, exists: bool) -> f32 {
    return product(load_g_word(element), load_a_word(element), exists);
}
fn written(first: u32, invocation: u32) -> Written {
    let place = first + invocation;
    return Written(place, select(0u, 0xffffffffu, invocation < SUMS && is_sum(place)));
}
fn gradients(b: u32, before: u32, mask: u32, invocation: u32) -> u32 {
    return backward_bits(b, tree(invocation));
}
