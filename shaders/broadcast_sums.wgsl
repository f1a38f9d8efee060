// db, the gradient of a broadcast gate's b: backward_bits(b, S), where S is the sum of g * a over the elements that share the
// number of b. `BroadcastGate` in Rust says in which order the products are added.
//
// A part is whole rows, and params.len is the number of its sums. Each binding may begin before its part does. The part
// begins at index params.first in a and g, and at index params.b_first in b and db.
//
// The grid has ceil(params.len / 16) workgroups for f32, and ceil((params.len + params.b_first % 2) / 16) for halves. A row
// of the grid has params.row_invocations / 256 workgroups.

// A workgroup computes SUMS sums, whose numbers of b and db lie in whole words. An invocation computes four of the 64 partial
// sums of one sum: those with the number of its lane, and with that number plus LANES, 2 * LANES and 3 * LANES.
const SUMS: u32 = 16u;
const LANES: u32 = 16u;

// If `inner` is at least this, neighbouring invocations take neighbouring columns. Otherwise they take neighbouring steps.
const WIDE: u32 = 8u;

// For each invocation the sum of its four partial sums, as bits: SUMS * LANES numbers.
var<workgroup> partials: array<u32, 256>;

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) invocation: u32) {
    let first = first_place(group.y * (params.row_invocations / WORKGROUP) + group.x);
    let share = share_of(first, invocation);
    var sums = vec4<f32>(0.0);
    if share.exists {
        for (var start = 0u; start < params.middle; start += 4u * LANES) {
            let next = step_at(share, start);
            let e = next.elements;
            let products = vec4<f32>(
                product_at(e.x, next.exist.x),
                product_at(e.y, next.exist.y),
                product_at(e.z, next.exist.z),
                product_at(e.w, next.exist.w),
            );
            sums = opaque(sums + opaque(products));
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

// Which sum an invocation works on, and which elements it adds up.
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

// The elements of a and g that an invocation's four partial sums add next. Where `exist` is false, the column has no more
// elements, and its first element stands in.
struct Step {
    elements: vec4<u32>,
    exist: vec4<bool>,
}
fn step_at(share: Share, start: u32) -> Step {
    let m = vec4<u32>(start + share.lane) + vec4<u32>(0u, LANES, 2u * LANES, 3u * LANES);
    let exist = m < vec4<u32>(params.middle);
    return Step(vec4<u32>(share.begin) + select(vec4<u32>(0u), m, exist) * params.inner, exist);
}

// g * a if the element exists, otherwise +0. Adding +0 changes no partial sum: each starts at +0, so none is -0.
fn product(g: u32, a: u32, exists: bool) -> f32 {
    let product = settled_infinity(bitcast<f32>(g) * bitcast<f32>(a), g, a, 0u);
    return bitcast<f32>(select(0u, product, exists));
}

// Returns v, since params.zero is 0. A compiler that takes floats for real numbers may reorder additions, but not across this
// operation, since it doesn't know the zero.
fn opaque(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.zero));
}

// Two steps of the tree, in bits: x + z and y + w, and then the sum of these two.
fn four_lanes(sums: vec4<f32>) -> u32 {
    let two = opaque(sums + sums.zwxy);
    return bitcast<u32>(opaque(two + two.yxwz).x);
}
// One of the workgroup's sums, in bits, after the last four steps of the tree. A NaN becomes INVALID_NAN.
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
