// The broadcast gate: b, and its gradient, have one number for many numbers of a. a is seen as rows of params.middle
// steps of params.inner elements, b as rows of params.inner.
//
//   entry point                        tensors, in the order of their bindings     computes
//   gate_broadcast                     a, b, y                                     y
//   gate_broadcast_in_place            a = y, b                                    y
//   gate_broadcast_sums                a, b, g, db                                 db
//
// The first two work on words as those of kernels.wgsl do, and have a NAME_tail. A binding may begin before its part
// of b does, where a buffer can be bound: params.b_first says where its first row begins. The part of a begins
// params.first elements into a row.
//
// The bindings of the sums may all begin before their parts, which are whole rows: a
// and g begin at params.first, b and db at params.b_first, and params.len is the number of sums. The grid is
// ceil(params.len / 16) workgroups for f32, ceil((params.len + params.b_first % 2) / 16) for halves, in rows of
// params.row_invocations / 256.

// Indices, in the binding of b, of the gates of four consecutive words. low: the gate of each f32, or of the first half in
// each word. high: the gate of the second half.
struct Places {
    low: vec4<u32>,
    high: vec4<u32>,
}
// word: the index of the first word in the part.
fn places(word: u32, params: Params) -> Places {
    let row = params.middle * params.inner;
    let element = params.first + select(2u * word, word, DTYPE == F32);
    let outer = element / row;
    let in_row = element - outer * row;
    var p0 = Place(params.b_first + outer * params.inner, in_row, 0u);
    // The elements that are left in the step. If a step is one element, all steps of the row share its gate, so they are those
    // left in the row.
    var run = row - in_row;
    if params.inner > 1u {
        p0.column = in_row % params.inner;
        run = params.inner - p0.column;
    }
    if run >= select(8u, 4u, DTYPE == F32) {
        let stride = select(1u, 0u, params.inner == 1u);
        if DTYPE == F32 {
            return Places(vec4<u32>(place(p0)) + vec4<u32>(0u, 1u, 2u, 3u) * stride, vec4<u32>(0u));
        }
        let low = vec4<u32>(place(p0)) + vec4<u32>(0u, 2u, 4u, 6u) * stride;
        return Places(low, low + vec4<u32>(stride));
    }
    let p1 = next_place(p0, row, params);
    let p2 = next_place(p1, row, params);
    let p3 = next_place(p2, row, params);
    if DTYPE == F32 {
        return Places(vec4<u32>(place(p0), place(p1), place(p2), place(p3)), vec4<u32>(0u));
    }
    let p4 = next_place(p3, row, params);
    let p5 = next_place(p4, row, params);
    let p6 = next_place(p5, row, params);
    let p7 = next_place(p6, row, params);
    return Places(
        vec4<u32>(place(p0), place(p2), place(p4), place(p6)),
        vec4<u32>(place(p1), place(p3), place(p5), place(p7)),
    );
}
// Where the row of b begins, and where an element is in its row and in its step.
struct Place {
    b_row: u32,
    in_row: u32,
    column: u32,
}
fn place(at: Place) -> u32 {
    return at.b_row + at.column;
}
fn next_place(at: Place, row: u32, params: Params) -> Place {
    let ends_step = at.column + 1u == params.inner;
    let ends_row = at.in_row + 1u == row;
    return Place(
        at.b_row + select(0u, params.inner, ends_row),
        select(at.in_row + 1u, 0u, ends_row),
        select(at.column + 1u, 0u, ends_step),
    );
}

// words_of: the words that hold the numbers at some places. numbers: these numbers as f32 bits, from those words.
fn words_of(places: vec4<u32>) -> vec4<u32> {
    if DTYPE == F32 {
        return places;
    }
    return places >> vec4<u32>(1u);
}
fn numbers(words: vec4<u32>, places: vec4<u32>) -> vec4<u32> {
    if DTYPE == F32 {
        return words;
    }
    // The first half of a word goes to the upper 16 bits, the second is already there.
    return widened(words << ((vec4<u32>(1u) - (places & vec4<u32>(1u))) << vec4<u32>(4u)));
}

// Gates four words of a. low_b, high_b: the words of b for these places.
fn gate_words(a: vec4<u32>, low_b: vec4<u32>, high_b: vec4<u32>, at: Places, params: Params) -> vec4<u32> {
    let first = numbers(low_b, at.low);
    if DTYPE == F32 {
        return gate4(a, first, params);
    }
    return packed_results(gate4(low(a), first, params), gate4(high(a), numbers(high_b, at.high), params), params);
}
fn gate_read(a: vec4<u32>, word: u32, params: Params) -> vec4<u32> {
    let at = places(word, params);
    let i = words_of(at.low);
    let b = vec4<u32>(read1_word[i.x], read1_word[i.y], read1_word[i.z], read1_word[i.w]);
    if DTYPE == F32 {
        return gate_words(a, b, b, at, params);
    }
    let j = words_of(at.high);
    let b_high = vec4<u32>(read1_word[j.x], read1_word[j.y], read1_word[j.z], read1_word[j.w]);
    return gate_words(a, b, b_high, at, params);
}
fn gate_read_tail(a: u32, word: u32, params: Params) -> vec4<u32> {
    let at = places(word, params);
    let b = vec4<u32>(read1_word[words_of(at.low).x]);
    var b_high = b;
    if DTYPE != F32 {
        b_high = vec4<u32>(read1_word[words_of(at.high).x]);
    }
    return gate_words(vec4<u32>(a), b, b_high, at, params);
}
// The same if b is bound for writing too.
fn gate_write(a: vec4<u32>, word: u32, params: Params) -> vec4<u32> {
    let at = places(word, params);
    let i = words_of(at.low);
    let b = vec4<u32>(write1_word[i.x], write1_word[i.y], write1_word[i.z], write1_word[i.w]);
    if DTYPE == F32 {
        return gate_words(a, b, b, at, params);
    }
    let j = words_of(at.high);
    let b_high = vec4<u32>(write1_word[j.x], write1_word[j.y], write1_word[j.z], write1_word[j.w]);
    return gate_words(a, b, b_high, at, params);
}
fn gate_write_tail(a: u32, word: u32, params: Params) -> vec4<u32> {
    let at = places(word, params);
    let b = vec4<u32>(write1_word[words_of(at.low).x]);
    var b_high = b;
    if DTYPE != F32 {
        b_high = vec4<u32>(write1_word[words_of(at.high).x]);
    }
    return gate_words(vec4<u32>(a), b, b_high, at, params);
}

@compute @workgroup_size(WORKGROUP)
fn gate_broadcast(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if in_body(i, params3) {
        write2_vec[i] = gate_read(read0_vec[i], 4u * i, params3);
    }
}
@compute @workgroup_size(4)
fn gate_broadcast_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        write2_word[i] = merged(gate_read_tail(read0_word[i], i, params3), write2_word[i], i, params3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_broadcast_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        write0_vec[i] = gate_write(write0_vec[i], 4u * i, params2);
    }
}
@compute @workgroup_size(4)
fn gate_broadcast_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let a = write0_word[i];
        write0_word[i] = merged(gate_write_tail(a, i, params2), a, i, params2);
    }
}

// The sums. A workgroup computes SUMS of them, whose numbers of b and db lie in whole words. An invocation computes
// four of the 64 partial sums of one sum: those of its lane, and of the lanes LANES, 2 * LANES and 3 * LANES after it.
const SUMS: u32 = 16u;
const LANES: u32 = 16u;

// If `inner` is at least this, neighbouring invocations take neighbouring columns; if not, neighbouring steps.
const WIDE: u32 = 8u;

// Each invocation's four partial sums added up, as bits: SUMS times LANES numbers.
var<workgroup> partials: array<u32, 256>;

// What an invocation adds up.
struct Share {
    sum: u32,   // number of the sum in its workgroup
    lane: u32,
    begin: u32, // where its column begins in a and g
    exists: bool,
}
// The place in b and db of a workgroup's first sum.
fn first_place(group: vec3<u32>, params: Params) -> u32 {
    let number = group.y * (params.row_invocations / WORKGROUP) + group.x;
    return select(params.b_first & 0xfffffffeu, params.b_first, DTYPE == F32) + number * SUMS;
}
fn is_sum(place: u32, params: Params) -> bool {
    return place >= params.b_first && place - params.b_first < params.len;
}
fn share_of(group: vec3<u32>, invocation: u32, params: Params) -> Share {
    let is_wide = params.inner >= WIDE;
    let sum = select(invocation / LANES, invocation % SUMS, is_wide);
    let lane = select(invocation % LANES, invocation / SUMS, is_wide);
    let place = first_place(group, params) + sum;
    let number = place - params.b_first;
    let outer = number / params.inner;
    let begin = params.first + outer * (params.middle * params.inner) + (number - outer * params.inner);
    return Share(sum, lane, begin, is_sum(place, params));
}

// The elements of a and g that four partial sums add next, and which of them exist: the others are replaced by the
// column's first one.
struct Step {
    elements: vec4<u32>,
    exist: vec4<bool>,
}
fn step_at(share: Share, start: u32, params: Params) -> Step {
    let m = vec4<u32>(start + share.lane) + vec4<u32>(0u, LANES, 2u * LANES, 3u * LANES);
    let exist = m < vec4<u32>(params.middle);
    return Step(vec4<u32>(share.begin) + select(vec4<u32>(0u), m, exist) * params.inner, exist);
}

// sums + g * a, in the lanes that exist.
fn added(sums: vec4<f32>, g: vec4<u32>, a: vec4<u32>, exist: vec4<bool>, params: Params) -> vec4<f32> {
    let product = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(a), params));
    // Infinity is settled on integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
    let larger = max(magnitude4(a), magnitude4(g));
    let smaller = min(magnitude4(a), magnitude4(g));
    let signed_infinite = ((a ^ g) & vec4<u32>(0x80000000u)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    let settled = select(product, infinite, larger == vec4<u32>(INFINITE));
    // Adding +0 changes no partial sum: none is -0, since all start at +0.
    let term = opaque(bitcast<vec4<f32>>(select(vec4<u32>(0u), settled, exist)), params);
    return opaque(sums + term, params);
}

// The first two steps of the tree: 16 lanes are left of 64.
fn four_lanes(sums: vec4<f32>, params: Params) -> u32 {
    let two = opaque(sums + sums.zwxy, params);
    return bitcast<u32>(opaque(two + two.yxwz, params).x);
}
// The other four steps of the tree, for one sum of the workgroup, as bits.
fn tree(sum: u32, params: Params) -> u32 {
    let at = sum * LANES;
    let first = eight_lanes(at, params);
    let second = eight_lanes(at + 4u, params);
    let four = opaque(first + second, params);
    let bits = four_lanes(four, params);
    return select(bits, INVALID_NAN, (bits & 0x7fffffffu) > INFINITE);
}
fn eight_lanes(at: u32, params: Params) -> vec4<f32> {
    let a = vec4<u32>(partials[at], partials[at + 1u], partials[at + 2u], partials[at + 3u]);
    let b = vec4<u32>(partials[at + 8u], partials[at + 9u], partials[at + 10u], partials[at + 11u]);
    return opaque(bitcast<vec4<f32>>(a) + bitcast<vec4<f32>>(b), params);
}

// A word of db.
struct Written {
    index: u32,
    mask: u32, // the bits of it that are written
}
// What an invocation writes at the end.
fn written(group: vec3<u32>, invocation: u32, params: Params) -> Written {
    if DTYPE == F32 {
        let place = first_place(group, params) + invocation;
        return Written(place, select(0u, 0xffffffffu, invocation < SUMS && is_sum(place, params)));
    }
    let place = first_place(group, params) + 2u * invocation;
    let mask = select(0u, 0xffffu, is_sum(place, params)) | select(0u, 0xffff0000u, is_sum(place + 1u, params));
    return Written(place / 2u, select(0u, mask, 2u * invocation < SUMS));
}
// The word of db, whose one or two sums are made from the partial sums.
fn gradients(b: u32, before: u32, mask: u32, invocation: u32, params: Params) -> u32 {
    if DTYPE == F32 {
        return backward4(vec4<u32>(b), vec4<u32>(tree(invocation, params)), params).x;
    }
    let halves = widened(vec4<u32>(b << 16u, b, 0u, 0u));
    let sums = vec4<u32>(tree(2u * invocation, params), tree(2u * invocation + 1u, params), 0u, 0u);
    let db = backward4(halves, sums, params);
    return (before & ~mask) | (packed_results(db, db.yxwz, params).x & mask);
}

@compute @workgroup_size(WORKGROUP)
fn gate_broadcast_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let share = share_of(group, invocation, params4);
    var sums = vec4<f32>(0.0);
    if share.exists {
        for (var start = 0u; start < params4.middle; start += 4u * LANES) {
            let next = step_at(share, start, params4);
            let i = words_of(next.elements);
            let a = vec4<u32>(read0_word[i.x], read0_word[i.y], read0_word[i.z], read0_word[i.w]);
            let g = vec4<u32>(read2_word[i.x], read2_word[i.y], read2_word[i.z], read2_word[i.w]);
            sums = added(sums, numbers(g, next.elements), numbers(a, next.elements), next.exist, params4);
        }
    }
    partials[share.sum * LANES + share.lane] = four_lanes(sums, params4);
    workgroupBarrier();
    let word = written(group, invocation, params4);
    if word.mask != 0u {
        let before = write3_word[word.index];
        write3_word[word.index] = gradients(read1_word[word.index], before, word.mask, invocation, params4);
    }
}
