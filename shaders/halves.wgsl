// The functions on words for halves, which lie two to a word. Halves are widened to f32, computed there, and rounded once.
// f16.wgsl and bf16.wgsl have what differs between the two types.
//
// "A half in the upper bits" lies in the upper 16 bits of a word. The lower 16 bits don't matter.

// The first half of a word, widened to f32, in bits.
fn low(word: u32) -> u32 {
    return widened(word << 16u);
}
// The second half of a word, widened to f32, in bits.
fn high(word: u32) -> u32 {
    return widened(word);
}

// y of a preset, two halves in the word x and in y. A compiler may fuse its operations, and a GPU may flush its subnormals:
// only the last rounding shows in a half.
fn forward_halves(x: u32) -> u32 {
    let first = forward_half(x << 16u);
    return (first >> 16u) | (forward_half(x) & 0xffff0000u);
}

// Formulas of backward_halves.

// g where the gradient passes, quieted if it is NaN.
fn unscaled_halves(x: u32, g: u32) -> u32 {
    let dx = select(0u, g & 0xffffu, passes(x << 16u)) | select(0u, g & 0xffff0000u, passes(x));
    return dx | quiet_bits(dx & 0x7fff7fffu);
}

// Rounds bits to a multiple of 2^places, ties to even. The caller cuts off the bits below that.
fn rounded(bits: u32, places: u32) -> u32 {
    return bits + (1u << (places - 1u)) - 1u + extractBits(bits, places, 1u);
}

// The number of words that belong wholly to the tensor. Half of the next word may belong to it too.
fn whole_words() -> u32 {
    return params.len / 2u;
}
fn in_tail(i: u32) -> bool {
    return i < whole_words() || (i == whole_words() && (params.len & 1u) == 1u);
}
// The word to store at index i. It is `result`, but if the tensor ends in the middle of the word, its upper half is that of
// `before`.
fn merged(result: u32, before: u32, i: u32) -> u32 {
    return select((before & 0xffff0000u) | (result & 0xffffu), result, i < whole_words());
}

// Which signs of four words are plus: those of the first halves, and those of the second halves.
struct Signs {
    low: vec4<bool>,
    high: vec4<bool>,
}

// Formulas of signs, which gives the signs of four words of x. `word` is the index of the first word in its part, which the draws
// need.

fn plain_signs(x: vec4<u32>, word: u32) -> Signs {
    return Signs(signs_of_halves(x << vec4<u32>(16u)), signs_of_halves(x));
}
// The signs of four halves in the upper bits.
fn signs_of_halves(x: vec4<u32>) -> vec4<bool> {
    return vec4<bool>(is_plus_half(x.x), is_plus_half(x.y), is_plus_half(x.z), is_plus_half(x.w));
}
fn drawn_signs(x: vec4<u32>, word: u32) -> Signs {
    let first = random4(2u * word, params.seed, params.offset);
    return signs_by(x, first, random4(2u * word + 4u, params.seed, params.offset));
}
// drawn_signs where the random words of the eight halves are two whole blocks.
fn signs_aligned(x: vec4<u32>, word: u32) -> Signs {
    let first = random4_aligned(2u * word, params.seed, params.offset);
    return signs_by(x, first, random4_aligned(2u * word + 4u, params.seed, params.offset));
}
fn signs_by(x: vec4<u32>, first: vec4<u32>, second: vec4<u32>) -> Signs {
    return Signs(
        drawn_signs_of_halves(x << vec4<u32>(16u), vec4<u32>(first.xz, second.xz)),
        drawn_signs_of_halves(x, vec4<u32>(first.yw, second.yw)),
    );
}
fn drawn_signs_of_halves(x: vec4<u32>, random: vec4<u32>) -> vec4<bool> {
    return vec4<bool>(
        is_drawn_plus(widened(x.x), random.x),
        is_drawn_plus(widened(x.y), random.y),
        is_drawn_plus(widened(x.z), random.z),
        is_drawn_plus(widened(x.w), random.w),
    );
}
// Four words of binarized numbers.
fn signed_words(signs: Signs) -> vec4<u32> {
    return vec4<u32>(
        signed_halves(signs.low.x, signs.high.x, params.scale),
        signed_halves(signs.low.y, signs.high.y, params.scale),
        signed_halves(signs.low.z, signs.high.z, params.scale),
        signed_halves(signs.low.w, signs.high.w, params.scale),
    );
}
// Signs as the lowest bits of a number, and back.
const WORDS: u32 = 16u;
const LOW_PLACES: vec4<u32> = vec4<u32>(1u, 4u, 16u, 64u);
const HIGH_PLACES: vec4<u32> = vec4<u32>(2u, 8u, 32u, 128u);
fn bits_of(signs: Signs) -> u32 {
    return bits4(signs.low, LOW_PLACES) | bits4(signs.high, HIGH_PLACES);
}
fn signs_in(bits: u32) -> Signs {
    let none = vec4<u32>(0u);
    return Signs((vec4<u32>(bits) & LOW_PLACES) != none, (vec4<u32>(bits) & HIGH_PLACES) != none);
}

// Gates four words of a. `word` is the index of the first one in its part: see broadcast.wgsl.
fn gate_words(a: vec4<u32>, word: u32) -> vec4<u32> {
    let at = places_of_words(word);
    return gated_vector(
        a,
        vec4<u32>(
            word_of_b(at.low.x, at.high.x),
            word_of_b(at.low.y, at.high.y),
            word_of_b(at.low.z, at.high.z),
            word_of_b(at.low.w, at.high.w),
        ),
    );
}
fn gate_tail(a: u32, word: u32) -> u32 {
    let at = places_of_words(word);
    return gated(a, word_of_b(at.low.x, at.high.x));
}
// A word of a, gated by a word of b, one half after the other. f16.wgsl has gate_halves for both at once.
fn gated_singly(a: u32, b: u32) -> u32 {
    return packed_results(gate_bits(low(a), low(b)), gate_bits(high(a), high(b)));
}
// The half at a place of b, in the lower bits.
fn half_of_b(place: u32) -> u32 {
    return load_b_word(place >> 1u) >> ((place & 1u) << 4u);
}
// The word of the halves at two places of b.
fn word_of_b(first: u32, second: u32) -> u32 {
    return (half_of_b(first) & 0xffffu) | (half_of_b(second) << 16u);
}
// The number at a place of b, in every element of a word.
fn number_of_b(place: u32) -> u32 {
    return word_of_b(place, place);
}
const VECTOR_BITS: u32 = 3u; // A vector has 2^3 elements.
// Where the numbers of b are in their binding: `low` for those that gate the first half of each word, `high` for those that
// gate the second half.
struct PlacesOfHalves {
    low: vec4<u32>,
    high: vec4<u32>,
}
fn places_of_words(word: u32) -> PlacesOfHalves {
    let at = places(params.first + 2u * word, 8u);
    if at.is_run {
        let low = vec4<u32>(place(at.first)) + vec4<u32>(0u, 2u, 4u, 6u) * at.stride;
        return PlacesOfHalves(low, low + vec4<u32>(at.stride));
    }
    let first = four_places(at.first, at.row);
    let second = four_places(first.next, at.row).places;
    return PlacesOfHalves(vec4<u32>(first.places.xz, second.xz), vec4<u32>(first.places.yw, second.yw));
}
// The half at a place, widened to f32, in bits. `word` is the word in which it lies.
fn half_at(word: u32, place: u32) -> u32 {
    // The first half of a word moves to the upper 16 bits. The second half is there already.
    return widened(word << ((1u - (place & 1u)) << 4u));
}

// Where the sums of workgroup number `number` begin in the bindings of b and db: see broadcast_sums.wgsl.
fn first_place(number: u32) -> u32 {
    return (params.b_first & 0xfffffffeu) + number * SUMS;
}
fn product_at(element: u32, exists: bool) -> f32 {
    let g = half_at(load_g_word(element >> 1u), element);
    return product(g, half_at(load_a_word(element >> 1u), element), exists);
}
fn written(first: u32, invocation: u32) -> Written {
    let place = first + 2u * invocation;
    let mask = select(0u, 0xffffu, is_sum(place)) | select(0u, 0xffff0000u, is_sum(place + 1u));
    return Written(place / 2u, select(0u, mask, 2u * invocation < SUMS));
}
fn gradients(b: u32, before: u32, mask: u32, invocation: u32) -> u32 {
    let first = backward_bits(low(b), tree(2u * invocation));
    let second = backward_bits(high(b), tree(2u * invocation + 1u));
    return (before & ~mask) | (packed_results(first, second) & mask);
}
