// The gradient of a broadcast gate's b: the sums of g * a over the elements that share a number of b, times its gradient.
// `BroadcastGate` in Rust says in which order they are added.
//
// All bindings may begin before their parts, which are whole rows: a and g begin at params.first, b and db at
// params.b_first, and params.len is the number of sums. The grid is ceil(params.len / 16) workgroups for f32,
// ceil((params.len + params.b_first % 2) / 16) for halves, in rows of params.row_invocations / 256.

// A workgroup computes SUMS sums, whose numbers of b and db lie in whole words. An invocation computes four of the 64 partial
// sums of one sum: those of its lane, and of the lanes LANES, 2 * LANES and 3 * LANES after it.
const SUMS: u32 = 16u;
const LANES: u32 = 16u;

// If `inner` is at least this, neighbouring invocations take neighbouring columns; if not, neighbouring steps.
const WIDE: u32 = 8u;

// Each invocation's four partial sums added up, as bits: SUMS times LANES numbers.
var<workgroup> partials: array<u32, 256>;

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let first = first_place(group.y * (params.row_invocations / WORKGROUP) + group.x);
    let share = share_of(first, invocation);
    var sums = vec4<f32>(0.0);
    if share.exists {
        for (var start = 0u; start < params.middle; start += 4u * LANES) {
            let next = step_at(share, start);
            let i = words_of(next.elements);
            let a = vec4<u32>(load_a_word(i.x), load_a_word(i.y), load_a_word(i.z), load_a_word(i.w));
            let g = vec4<u32>(load_g_word(i.x), load_g_word(i.y), load_g_word(i.z), load_g_word(i.w));
            sums = opaque(sums + products_of(g, a, next.elements, next.exist));
        }
    }
    partials[share.sum * LANES + share.lane] = four_lanes(sums);
    workgroupBarrier();
    let word = written(first, invocation);
    if word.mask != 0u {
        let before = load_db_word(word.index);
        store_db_word(word.index, gradients(load_b_word(word.index), before, word.mask, invocation));
    }
}

// What an invocation adds up.
struct Share {
    sum: u32,   // number of the sum in its workgroup
    lane: u32,
    begin: u32, // where its column begins in a and g
    exists: bool,
}
fn is_sum(place: u32) -> bool {
    return place >= params.b_first && place - params.b_first < params.len;
}
fn share_of(first: u32, invocation: u32) -> Share {
    let is_wide = params.inner >= WIDE;
    let sum = select(invocation / LANES, invocation % SUMS, is_wide);
    let lane = select(invocation % LANES, invocation / SUMS, is_wide);
    let place = first + sum;
    let number = place - params.b_first;
    let outer = number / params.inner;
    let begin = params.first + outer * (params.middle * params.inner) + (number - outer * params.inner);
    return Share(sum, lane, begin, is_sum(place));
}

// The elements of a and g that four partial sums add next, and which of them exist: the others are replaced by the column's
// first one.
struct Step {
    elements: vec4<u32>,
    exist: vec4<bool>,
}
fn step_at(share: Share, start: u32) -> Step {
    let m = vec4<u32>(start + share.lane) + vec4<u32>(0u, LANES, 2u * LANES, 3u * LANES);
    let exist = m < vec4<u32>(params.middle);
    return Step(vec4<u32>(share.begin) + select(vec4<u32>(0u), m, exist) * params.inner, exist);
}

// g * a in the lanes that exist, and +0 in the others, which changes no partial sum: none is -0, since all start at +0.
fn products(g: vec4<u32>, a: vec4<u32>, exist: vec4<bool>) -> vec4<f32> {
    let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(g) * bitcast<vec4<f32>>(a));
    // Infinity is settled on integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
    let larger = max(magnitude4(a), magnitude4(g));
    let smaller = min(magnitude4(a), magnitude4(g));
    let signed_infinite = ((a ^ g) & vec4<u32>(SIGN)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(INVALID_NAN), smaller == vec4<u32>(0u));
    let settled = select(product, infinite, larger == vec4<u32>(INFINITE));
    return opaque(bitcast<vec4<f32>>(select(vec4<u32>(0u), settled, exist)));
}

// Returns v. It keeps additions in their order, which a compiler that takes floats for real numbers may change.
fn opaque(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.zero));
}

// The first two steps of the tree: 16 lanes are left of 64.
fn four_lanes(sums: vec4<f32>) -> u32 {
    let two = opaque(sums + sums.zwxy);
    return bitcast<u32>(opaque(two + two.yxwz).x);
}
// The other four steps of the tree, for one sum of the workgroup, as bits.
fn tree(sum: u32) -> u32 {
    let at = sum * LANES;
    let bits = four_lanes(opaque(eight_lanes(at) + eight_lanes(at + 4u)));
    return select(bits, INVALID_NAN, (bits & 0x7fffffffu) > INFINITE);
}
fn eight_lanes(at: u32) -> vec4<f32> {
    let a = vec4<u32>(partials[at], partials[at + 1u], partials[at + 2u], partials[at + 3u]);
    let b = vec4<u32>(partials[at + 8u], partials[at + 9u], partials[at + 10u], partials[at + 11u]);
    return opaque(bitcast<vec4<f32>>(a) + bitcast<vec4<f32>>(b));
}

// A word of db, and the bits of it that an invocation writes.
struct Written {
    index: u32,
    mask: u32,
}
