// The kernels. An entry point is named after what it binds; the constant KERNEL says what it computes, and each of its
// values has the name of the function that computes it, here and on the CPU.
//
// An entry point works on four words at a time (four f32, eight halves). NAME_tail works on the words that are left.
// Tensors come first, in the order of the call, then the parameters. A binding may be longer than its tensor:
// params.len says how long the tensor is. If an odd number of halves ends within a word, the word's other half keeps its
// value.
//
//   entry point             KERNEL                                    tensors, in the order of their bindings
//   unary                   FORWARD, HARD_SWISH, BINARIZE             x, y
//   unary_in_place                                                    x = y
//   binary                  BACKWARD, HARD_SWISH_BACKWARD,            x, g, dx
//                           BACKWARD_ACCUMULATE, GATE                 (GATE: a, b, y)
//   binary_in_place         the same without BACKWARD_ACCUMULATE      x, g = dx (GATE: a = y, b)
//   gate_backward           GATE_BACKWARD                             a, b, g, da, db
//   gate_backward_in_place                                            a, b, g = da, db
//   pack                    PACK                                      x, bits
//   unpack                  UNPACK                                    bits, y
//
// (broadcast.wgsl has the broadcast gate.)
//
// The grid of NAME is ceil(floor(whole words / 4) / 256) workgroups, in rows of params.row_invocations / 256. NAME_tail takes
// one workgroup, if the length isn't a multiple of 4 words. An invocation of pack makes one word of 32 signs instead: its
// grid is ceil(whole words of bits / 256) workgroups, and it has a tail if the length isn't a multiple of 32.

const FORWARD: u32 = 0u;
const BACKWARD: u32 = 1u;
const BACKWARD_ACCUMULATE: u32 = 2u;
const GATE: u32 = 3u;
const GATE_BACKWARD: u32 = 4u;
const HARD_SWISH: u32 = 5u;
const HARD_SWISH_BACKWARD: u32 = 6u;
const BINARIZE: u32 = 7u;
const PACK: u32 = 8u;
const UNPACK: u32 = 9u;

// Random words for the elements in four consecutive words of the tensor, from word number `word` on. low: for f32 the
// element, for halves the first of each word. high: the second.
struct Random {
    low: vec4<u32>,
    high: vec4<u32>,
}
fn random_of_words(word: u32, params: Params) -> Random {
    if !STOCHASTIC {
        return Random();
    }
    if DTYPE == F32 {
        return Random(random4(word, params.seed, params.offset), vec4<u32>(0u));
    }
    let first = random4(2u * word, params.seed, params.offset);
    let second = random4(2u * word + 4u, params.seed, params.offset);
    return Random(vec4<u32>(first.xz, second.xz), vec4<u32>(first.yw, second.yw));
}

fn unary4(x: vec4<u32>, random: vec4<u32>, params: Params) -> vec4<u32> {
    if KERNEL == HARD_SWISH {
        return hard_swish4(x, params);
    }
    if KERNEL == BINARIZE {
        return binarize4(x, random, params);
    }
    return forward4(x, params);
}
// word: the index of the first word in the tensor.
fn unary_words(x: vec4<u32>, word: u32, params: Params) -> vec4<u32> {
    if FORMULA == HALVES {
        return forward_halves(x, params);
    }
    let random = random_of_words(word, params);
    if DTYPE == F32 {
        return unary4(x, random.low, params);
    }
    if KERNEL == BINARIZE {
        return signed_halves(is_plus_low(x, random.low, params), is_plus_high(x, random.high, params), params);
    }
    return packed_results(unary4(low(x), random.low, params), unary4(high(x), random.high, params), params);
}

// before: what the result is added to.
fn binary4(first: vec4<u32>, second: vec4<u32>, before: vec4<u32>, params: Params) -> vec4<u32> {
    if KERNEL == GATE {
        return gate4(first, second, params);
    }
    if KERNEL == HARD_SWISH_BACKWARD {
        return hard_swish_backward4(first, second, params);
    }
    if KERNEL == BACKWARD_ACCUMULATE {
        return backward_accumulate4(first, second, before, params);
    }
    return backward4(first, second, params);
}
fn binary_words(first: vec4<u32>, second: vec4<u32>, before: vec4<u32>, params: Params) -> vec4<u32> {
    if DTYPE == F32 {
        return binary4(first, second, before, params);
    }
    if FORMULA == HALVES && DTYPE == F16 {
        return backward_f16_words(first, second, params);
    }
    var first_low = first << vec4<u32>(16u);
    var first_high = first;
    // The plain gradients compare x as a half, with windows of halves, so they don't widen it.
    if KERNEL != BACKWARD && KERNEL != BACKWARD_ACCUMULATE {
        first_low = low(first);
        first_high = high(first);
    }
    return packed_results(
        binary4(first_low, low(second), low(before), params),
        binary4(first_high, high(second), high(before), params),
        params,
    );
}

fn gate_backward_words(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, params: Params) -> GateGradients {
    if DTYPE == F32 {
        return gate_backward4(a, b, g, params);
    }
    let even = gate_backward4(low(a), low(b), low(g), params);
    let odd = gate_backward4(high(a), high(b), high(g), params);
    return GateGradients(packed_results(even.da, odd.da, params), packed_results(even.db, odd.db, params));
}

// The numbers that these signs stand for: plus or minus params.magnitude.
fn signed_halves(low: vec4<bool>, high: vec4<bool>, params: Params) -> vec4<u32> {
    let scale = vec4<u32>(bitcast<u32>(params.magnitude));
    let plus = packed_results(scale, scale, params);
    let minus_low = select(vec4<u32>(0x8000u), vec4<u32>(0u), low);
    let minus_high = select(vec4<u32>(0x80000000u), vec4<u32>(0u), high);
    return plus ^ minus_low ^ minus_high;
}

// Whether halves (in the upper 16 bits) are at least 0.
fn is_not_negative(x: vec4<u32>) -> vec4<bool> {
    let infinite = select(0x7f80ffffu, 0x7c00ffffu, DTYPE == F16);
    return (x <= vec4<u32>(infinite)) | ((x & vec4<u32>(0xffff0000u)) == vec4<u32>(0x80000000u));
}
fn is_plus_low(words: vec4<u32>, random: vec4<u32>, params: Params) -> vec4<bool> {
    if !STOCHASTIC {
        return is_not_negative(words << vec4<u32>(16u));
    }
    return is_plus4(low(words), random, params);
}
fn is_plus_high(words: vec4<u32>, random: vec4<u32>, params: Params) -> vec4<bool> {
    if !STOCHASTIC {
        return is_not_negative(words);
    }
    return is_plus4(high(words), random, params);
}

// The bits of four signs; `places` are the values of their bits.
fn bits4(is_plus: vec4<bool>, places: vec4<u32>) -> u32 {
    let bits = select(vec4<u32>(0u), places, is_plus);
    return bits.x | bits.y | bits.z | bits.w;
}
// The bits of four words of x, from the lowest on.
fn pack_words(x: vec4<u32>, word: u32, params: Params) -> u32 {
    let random = random_of_words(word, params);
    if DTYPE == F32 {
        return bits4(is_plus4(x, random.low, params), vec4<u32>(1u, 2u, 4u, 8u));
    }
    return bits4(is_plus_low(x, random.low, params), vec4<u32>(1u, 4u, 16u, 64u))
        | bits4(is_plus_high(x, random.high, params), vec4<u32>(2u, 8u, 32u, 128u));
}
// The number of words of x, or of y, that 32 signs take.
fn words_of_32() -> u32 {
    return select(16u, 32u, DTYPE == F32);
}

// The numbers of the lowest signs in `bits`, in four words.
fn unpack_words(bits: u32, params: Params) -> vec4<u32> {
    if DTYPE == F32 {
        return signed4((vec4<u32>(bits) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u), params);
    }
    return signed_halves(
        (vec4<u32>(bits) & vec4<u32>(1u, 4u, 16u, 64u)) != vec4<u32>(0u),
        (vec4<u32>(bits) & vec4<u32>(2u, 8u, 32u, 128u)) != vec4<u32>(0u),
        params,
    );
}

const WORKGROUP: u32 = 256u;

// The number of words that belong wholly to the tensor; half of the next one may belong to it too.
fn whole_words(params: Params) -> u32 {
    return select(params.len / 2u, params.len, DTYPE == F32);
}
// Which vec4 an invocation works on, if it has one, and which word of the tail.
fn vector_index(id: vec3<u32>, params: Params) -> u32 {
    return id.y * params.row_invocations + id.x;
}
fn in_body(i: u32, params: Params) -> bool {
    return i < whole_words(params) / 4u;
}
fn tail_index(lane: u32, params: Params) -> u32 {
    return (whole_words(params) & 0xfffffffcu) + lane;
}
fn in_tail(i: u32, params: Params) -> bool {
    return i < whole_words(params) || (i == whole_words(params) && DTYPE != F32 && (params.len & 1u) == 1u);
}
// The word to store at i: the result, or its low half and the neighbour's half as it was.
fn merged(result: vec4<u32>, before: u32, i: u32, params: Params) -> u32 {
    return select((before & 0xffff0000u) | (result.x & 0xffffu), result.x, i < whole_words(params));
}

@compute @workgroup_size(WORKGROUP)
fn unary(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        write1_vec[i] = unary_words(read0_vec[i], 4u * i, params2);
    }
}
@compute @workgroup_size(4)
fn unary_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        write1_word[i] = merged(unary_words(vec4<u32>(read0_word[i]), i, params2), write1_word[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unary_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params1);
    if in_body(i, params1) {
        write0_vec[i] = unary_words(write0_vec[i], 4u * i, params1);
    }
}
@compute @workgroup_size(4)
fn unary_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params1);
    if in_tail(i, params1) {
        write0_word[i] = merged(unary_words(vec4<u32>(write0_word[i]), i, params1), write0_word[i], i, params1);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binary(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if in_body(i, params3) {
        var before = vec4<u32>(0u);
        if KERNEL == BACKWARD_ACCUMULATE {
            before = write2_vec[i];
        }
        write2_vec[i] = binary_words(read0_vec[i], read1_vec[i], before, params3);
    }
}
@compute @workgroup_size(4)
fn binary_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        let before = write2_word[i];
        let result = binary_words(vec4<u32>(read0_word[i]), vec4<u32>(read1_word[i]), vec4<u32>(before), params3);
        write2_word[i] = merged(result, before, i, params3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binary_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        let result = binary_words(write0_vec[i], write1_vec[i], vec4<u32>(0u), params2);
        // A gated tensor replaces a, a gradient replaces g.
        if KERNEL == GATE {
            write0_vec[i] = result;
        } else {
            write1_vec[i] = result;
        }
    }
}
@compute @workgroup_size(4)
fn binary_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let first = write0_word[i];
        let second = write1_word[i];
        let result = binary_words(vec4<u32>(first), vec4<u32>(second), vec4<u32>(0u), params2);
        if KERNEL == GATE {
            write0_word[i] = merged(result, first, i, params2);
        } else {
            write1_word[i] = merged(result, second, i, params2);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params5);
    if in_body(i, params5) {
        let gradients = gate_backward_words(read0_vec[i], read1_vec[i], read2_vec[i], params5);
        write3_vec[i] = gradients.da;
        write4_vec[i] = gradients.db;
    }
}
@compute @workgroup_size(4)
fn gate_backward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params5);
    if in_tail(i, params5) {
        let gradients = gate_backward_words(vec4<u32>(read0_word[i]), vec4<u32>(read1_word[i]), vec4<u32>(read2_word[i]), params5);
        write3_word[i] = merged(gradients.da, write3_word[i], i, params5);
        write4_word[i] = merged(gradients.db, write4_word[i], i, params5);
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_backward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params4);
    if in_body(i, params4) {
        let gradients = gate_backward_words(write0_vec[i], write1_vec[i], write2_vec[i], params4);
        write2_vec[i] = gradients.da;
        write3_vec[i] = gradients.db;
    }
}
@compute @workgroup_size(4)
fn gate_backward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params4);
    if in_tail(i, params4) {
        let gradients = gate_backward_words(vec4<u32>(write0_word[i]), vec4<u32>(write1_word[i]), vec4<u32>(write2_word[i]), params4);
        write2_word[i] = merged(gradients.da, write2_word[i], i, params4);
        write3_word[i] = merged(gradients.db, write3_word[i], i, params4);
    }
}

@compute @workgroup_size(WORKGROUP)
fn pack(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < params2.len / 32u {
        var bits = 0u;
        let vectors = words_of_32() / 4u;
        for (var k = 0u; k < vectors; k++) {
            let vector = i * vectors + k;
            bits |= pack_words(read0_vec[vector], 4u * vector, params2) << (k * 32u / vectors);
        }
        write1_word[i] = bits;
    }
}
@compute @workgroup_size(4)
fn pack_tail(@builtin(local_invocation_index) lane: u32) {
    let i = params2.len / 32u;
    let left = params2.len % 32u;
    if lane == 0u && left > 0u {
        var bits = 0u;
        let step = 32u / words_of_32();
        for (var k = 0u; k < left; k += step) {
            let word = i * words_of_32() + k / step;
            bits |= (pack_words(vec4<u32>(read0_word[word]), word, params2) & (step * 2u - 1u)) << k;
        }
        write1_word[i] = bits & ((1u << left) - 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        let vectors = words_of_32() / 4u;
        write1_vec[i] = unpack_words(read0_word[i / vectors] >> (i % vectors * 32u / vectors), params2);
    }
}
@compute @workgroup_size(4)
fn unpack_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let bits = read0_word[i / words_of_32()] >> (i % words_of_32() * 32u / words_of_32());
        write1_word[i] = merged(unpack_words(bits, params2), write1_word[i], i, params2);
    }
}
