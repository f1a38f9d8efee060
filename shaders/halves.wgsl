// The functions on words for halves, which lie two to a word. Halves are widened to f32, computed there, and rounded once.
// f16.wgsl and bf16.wgsl have what differs between the two types.
//
// "Halves in the upper bits" lie in the upper 16 bits of their lanes. The lower 16 bits don't matter.

// The first half of each of four words, widened to f32, in bits.
fn low(words: vec4<u32>) -> vec4<u32> {
    return widened(words << vec4<u32>(16u));
}
// The second half of each of four words, widened to f32, in bits.
fn high(words: vec4<u32>) -> vec4<u32> {
    return widened(words);
}

// Rounds f32 numbers, given as bits, to halves and packs them: `low` into the lower half of each word, `high` into the upper
// half. A NaN may have any payload.
fn packed(low: vec4<u32>, high: vec4<u32>) -> vec4<u32> {
    return packed_results(short_nan(low), short_nan(high));
}
// Returns v, but quiets a NaN and cuts it to the bits for which a half has room, so that rounding it can't overflow.
fn short_nan(v: vec4<u32>) -> vec4<u32> {
    return select(v, (v | vec4<u32>(QUIET)) & vec4<u32>(ROOM), magnitude4(v) > vec4<u32>(INFINITE));
}

// y of a preset, two halves in each word of x and y. A compiler may fuse its operations, and a GPU may flush its subnormals:
// only the last rounding shows in a half.
fn forward_halves(x: vec4<u32>) -> vec4<u32> {
    let first = forward_half(x << vec4<u32>(16u));
    return (first >> vec4<u32>(16u)) | (forward_half(x) & vec4<u32>(0xffff0000u));
}

// Rounds bits to a multiple of 2^places, ties to even. The caller cuts off the bits below that.
fn rounded(bits: vec4<u32>, places: u32) -> vec4<u32> {
    return bits + vec4<u32>((1u << (places - 1u)) - 1u) + extractBits(bits, places, 1u);
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
fn merged(result: vec4<u32>, before: u32, i: u32) -> u32 {
    return select((before & 0xffff0000u) | (result.x & 0xffffu), result.x, i < whole_words());
}

// Binarizes four words of x. `word` is the index of the first one in its part, which the draws need.
fn binarize_words(x: vec4<u32>, word: u32) -> vec4<u32> {
    return signed_halves(is_plus_half(x << vec4<u32>(16u)), is_plus_half(x), params.scale);
}
fn drawn_binarize_words(x: vec4<u32>, word: u32) -> vec4<u32> {
    let random = random_of_halves(word);
    return signed_halves(is_drawn_plus4(low(x), random.low), is_drawn_plus4(high(x), random.high), params.scale);
}
const WORDS: u32 = 16u;
fn signs_of_words(x: vec4<u32>, word: u32) -> u32 {
    return bits8(is_plus_half(x << vec4<u32>(16u)), is_plus_half(x));
}
fn drawn_signs_of_words(x: vec4<u32>, word: u32) -> u32 {
    let random = random_of_halves(word);
    return bits8(is_drawn_plus4(low(x), random.low), is_drawn_plus4(high(x), random.high));
}
fn bits8(low: vec4<bool>, high: vec4<bool>) -> u32 {
    return bits4(low, vec4<u32>(1u, 4u, 16u, 64u)) | bits4(high, vec4<u32>(2u, 8u, 32u, 128u));
}
// Four words of numbers, whose signs are the lowest bits of `bits`.
fn words_of_signs(bits: u32) -> vec4<u32> {
    let low = (vec4<u32>(bits) & vec4<u32>(1u, 4u, 16u, 64u)) != vec4<u32>(0u);
    let high = (vec4<u32>(bits) & vec4<u32>(2u, 8u, 32u, 128u)) != vec4<u32>(0u);
    return signed_halves(low, high, params.scale);
}

// Gates four words of a. `word` is the index of the first one in its part: see broadcast.wgsl.
fn gate_words(a: vec4<u32>, word: u32) -> vec4<u32> {
    let at = places_of_words(word);
    let i = at.low >> vec4<u32>(1u);
    let j = at.high >> vec4<u32>(1u);
    let of_low = vec4<u32>(load_b_word(i.x), load_b_word(i.y), load_b_word(i.z), load_b_word(i.w));
    let of_high = vec4<u32>(load_b_word(j.x), load_b_word(j.y), load_b_word(j.z), load_b_word(j.w));
    return gated(a, numbers(of_low, at.low), numbers(of_high, at.high));
}
fn gate_tail(a: u32, word: u32) -> vec4<u32> {
    let at = places_of_words(word);
    let of_low = vec4<u32>(load_b_word(at.low.x >> 1u));
    let of_high = vec4<u32>(load_b_word(at.high.x >> 1u));
    return gated(vec4<u32>(a), numbers(of_low, at.low), numbers(of_high, at.high));
}
fn gated(a: vec4<u32>, b_of_low: vec4<u32>, b_of_high: vec4<u32>) -> vec4<u32> {
    return packed_results(gate4(low(a), b_of_low), gate4(high(a), b_of_high));
}
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
// The halves at `places`, widened to f32, in bits. `words` has the words in which they lie.
fn numbers(words: vec4<u32>, places: vec4<u32>) -> vec4<u32> {
    // The first half of a word moves to the upper 16 bits. The second half is there already.
    return widened(words << ((vec4<u32>(1u) - (places & vec4<u32>(1u))) << vec4<u32>(4u)));
}

// Where the sums of workgroup number `number` begin in the bindings of b and db: see broadcast_sums.wgsl.
fn first_place(number: u32) -> u32 {
    return (params.b_first & 0xfffffffeu) + number * SUMS;
}
fn products_of(g: vec4<u32>, a: vec4<u32>, elements: vec4<u32>, exist: vec4<bool>) -> vec4<f32> {
    return products(numbers(g, elements), numbers(a, elements), exist);
}
fn words_of(elements: vec4<u32>) -> vec4<u32> {
    return elements >> vec4<u32>(1u);
}
fn written(first: u32, invocation: u32) -> Written {
    let place = first + 2u * invocation;
    let mask = select(0u, 0xffffu, is_sum(place)) | select(0u, 0xffff0000u, is_sum(place + 1u));
    return Written(place / 2u, select(0u, mask, 2u * invocation < SUMS));
}
fn gradients(b: u32, before: u32, mask: u32, invocation: u32) -> u32 {
    let halves = widened(vec4<u32>(b << 16u, b, 0u, 0u));
    let sums = vec4<u32>(tree(2u * invocation), tree(2u * invocation + 1u), 0u, 0u);
    let db = backward4(halves, sums);
    return (before & ~mask) | (packed_results(db, db.yxwz).x & mask);
}
