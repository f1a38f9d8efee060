// The functions on words for f32, where each word is an element. halves.wgsl has those for halves.

fn whole_words() -> u32 {
    return params.len;
}
fn in_tail(i: u32) -> bool {
    return i < params.len;
}
fn merged(result: vec4<u32>, before: u32, i: u32) -> u32 {
    return result.x;
}

// Binarizes four words of x. `word` is the index of the first one in its part, which the draws need.
fn binarize_words(x: vec4<u32>, word: u32) -> vec4<u32> {
    return signed4(is_plus4(x), params.scale);
}
fn drawn_binarize_words(x: vec4<u32>, word: u32) -> vec4<u32> {
    return signed4(is_drawn_plus4(x, random_of_f32(word)), params.scale);
}
const WORDS: u32 = 32u;
fn signs_of_words(x: vec4<u32>, word: u32) -> u32 {
    return bits4(is_plus4(x), vec4<u32>(1u, 2u, 4u, 8u));
}
fn drawn_signs_of_words(x: vec4<u32>, word: u32) -> u32 {
    return bits4(is_drawn_plus4(x, random_of_f32(word)), vec4<u32>(1u, 2u, 4u, 8u));
}
// Four words of numbers, whose signs are the lowest bits of `bits`.
fn words_of_signs(bits: u32) -> vec4<u32> {
    return signed4((vec4<u32>(bits) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u), params.scale);
}

// Gates four words of a. `word` is the index of the first one in its part: see broadcast.wgsl.
fn gate_words(a: vec4<u32>, word: u32) -> vec4<u32> {
    let at = places_of_words(word);
    return gate4(a, vec4<u32>(load_b_word(at.x), load_b_word(at.y), load_b_word(at.z), load_b_word(at.w)));
}
fn gate_tail(a: u32, word: u32) -> vec4<u32> {
    return gate4(vec4<u32>(a), vec4<u32>(load_b_word(places_of_words(word).x)));
}
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
fn products_of(g: vec4<u32>, a: vec4<u32>, elements: vec4<u32>, exist: vec4<bool>) -> vec4<f32> {
    return products(g, a, exist);
}
fn words_of(elements: vec4<u32>) -> vec4<u32> {
    return elements;
}
fn written(first: u32, invocation: u32) -> Written {
    let place = first + invocation;
    return Written(place, select(0u, 0xffffffffu, invocation < SUMS && is_sum(place)));
}
fn gradients(b: u32, before: u32, mask: u32, invocation: u32) -> u32 {
    return backward4(vec4<u32>(b), vec4<u32>(tree(invocation))).x;
}
