// Hard sigmoid, forward and backward, f32, f16 and bf16: every preset, with the bits of the CPU path.
//
// One module, valid as it stands. Each kernel has an entry point of its own name, which works on four words at a time
// (four f32, eight halves), and one called NAME_tail for the words that are left. Buffers come first, the parameters
// last; the ranges bound are the tensors, no padding is assumed. Where an odd number of halves ends within a word, the
// word's other half stays as it was.
//
//   kernel             binding 0    1        2        3        grid
//   forward            x (read)     y        params            ceil(whole words / 4 / 256) workgroups, in rows of params.row
//   forward_in_place   x = y        params
//   forward_pooled     x            y        params            x and y: disjoint ranges of one buffer
//   backward           x (read)     g (read) dx       params
//   backward_in_place  x            g = dx   params            x and g: two buffers, or disjoint ranges of one
//   backward_pooled    x            g        dx       params   disjoint ranges of one or two buffers
//   NAME_tail          as NAME                                 one workgroup, if len is no multiple of 4 words
//
// Data is read and written as u32, and every decision about NaN, order and clamping is made on integers: shader
// compilers may assume that floats are never NaN, and flush subnormals when they compare them.

struct Params {
    slope: f32,      // v = slope * (x * prescale) + shift
    prescale: f32,   // 1, but for a subnormal slope
    shift: f32,
    top: f32,        // t = clamp(v, 0, top)
    scale: f32,      // y = t * scale
    divide: u32,     // if not 0: y = t / 6, correctly rounded
    grad_slope: f32, // dx = grad_slope * (g * prescale) where lo <= key(x) <= hi, else 0
    nan_from: u32,   // magnitudes (bits without sign) from here on have a NaN product with the slope
    lo: i32,
    hi: i32,
    zero: u32,       // always 0, but no compiler knows: see opaque()
    len: u32,        // elements
    row: u32,        // invocations in a row of the grid
    element: u32,    // F32, F16 or BF16: what x, g, y and dx hold
    pad0: u32,       // to a multiple of 16 bytes, as GL wants it
    pad1: u32,
}

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;

const WORKGROUP: u32 = 256u;
const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// v itself. Keeps the rounding before from being fused with the operation after: nothing in WGSL forbids a compiler
// to turn a * x + b into one fma.
fn opaque(v: vec4<f32>, params: Params) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.zero));
}

// t / 6, correctly rounded, for 0 <= t <= 6; WGSL's own division may be 2.5 ulp off. The product by a rounded sixth
// is at most one step off, and the remainder t - 6q is exact: it says which way.
fn sixth(t: vec4<f32>, params: Params) -> vec4<f32> {
    let q = opaque(t * SIXTH, params);
    let r = opaque(t - 4.0 * q, params) - 2.0 * q;
    let bits = bitcast<vec4<u32>>(q);
    // Half an ulp of q, times six. 0x0b800000 is 23 steps of the exponent.
    let limit = 3.0 * bitcast<vec4<f32>>((bits & vec4<u32>(0x7f800000u)) - vec4<u32>(0x0b800000u));
    let up = select(vec4<u32>(0u), vec4<u32>(1u), r > limit);
    let down = select(vec4<u32>(0u), vec4<u32>(1u), r < -limit);
    let y = select(bits + up - down, vec4<u32>(0u), bitcast<vec4<u32>>(t) == vec4<u32>(0u));
    return bitcast<vec4<f32>>(y);
}

// The product of the slope and an operand, as bits, unless the operand makes it NaN: then the operand itself,
// quieted, or for zero times infinity the NaN that x86 gives.
fn unless_nan(product: vec4<u32>, operand: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = operand & vec4<u32>(0x7fffffffu);
    let infinite = magnitude == vec4<u32>(0x7f800000u);
    let nan = select(operand | vec4<u32>(0x00400000u), vec4<u32>(0xffc00000u), infinite);
    return select(product, nan, magnitude >= vec4<u32>(params.nan_from));
}

// y, as bits, from the bits of x.
fn forward4(x: vec4<u32>, params: Params) -> vec4<u32> {
    let scaled = opaque(bitcast<vec4<f32>>(x) * params.prescale, params);
    let v = opaque(params.slope * scaled, params) + params.shift;
    // Positive floats are ordered as their bits, and negative ones are negative integers.
    let clamped = clamp(bitcast<vec4<i32>>(v), vec4<i32>(0), vec4<i32>(bitcast<i32>(params.top)));
    let t = bitcast<vec4<f32>>(clamped);
    var y: vec4<f32>;
    if params.divide != 0u {
        y = sixth(t, params);
    } else {
        y = t * params.scale;
    }
    return unless_nan(bitcast<vec4<u32>>(y), x, params);
}

// dx, as bits, from the bits of x and of the upstream gradient g.
fn backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    // The order of floats as the order of integers, NaN beyond both ends.
    let bits = bitcast<vec4<i32>>(x);
    let key = bits ^ ((bits >> vec4<u32>(31u)) & vec4<i32>(0x7fffffff));
    let inside = (key >= vec4<i32>(params.lo)) & (key <= vec4<i32>(params.hi));
    let scaled = opaque(bitcast<vec4<f32>>(g) * params.prescale, params);
    let dx = bitcast<vec4<u32>>(params.grad_slope * scaled);
    return select(vec4<u32>(0u), unless_nan(dx, g, params), inside);
}

// The f32 of half floats (in the low 16 bits of each lane), as bits. Exact, and NaN keeps its payload.
fn widened(h: vec4<u32>, params: Params) -> vec4<u32> {
    if params.element == BF16 {
        return h << vec4<u32>(16u);
    }
    let sign = (h & vec4<u32>(0x8000u)) << vec4<u32>(16u);
    let magnitude = h & vec4<u32>(0x7fffu);
    // 112 is the difference of the exponents' biases; infinity and NaN need it twice.
    let normal = (magnitude << vec4<u32>(13u)) + vec4<u32>(0x38000000u);
    let special = normal + vec4<u32>(0x38000000u);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 5.9604644775390625e-8); // 2^-24
    let finite = select(normal, subnormal, magnitude < vec4<u32>(0x0400u));
    return sign | select(finite, special, magnitude >= vec4<u32>(0x7c00u));
}

// f32, as bits, rounded to half floats, to nearest, ties to even; NaN is quieted.
fn narrowed(bits: vec4<u32>, params: Params) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    let is_nan = magnitude > vec4<u32>(0x7f800000u);
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    if params.element == BF16 {
        let odd = (magnitude >> vec4<u32>(16u)) & vec4<u32>(1u);
        let rounded = (magnitude + vec4<u32>(0x7fffu) + odd) >> vec4<u32>(16u);
        return sign | select(rounded, (magnitude >> vec4<u32>(16u)) | vec4<u32>(0x0040u), is_nan);
    }
    let odd = (magnitude >> vec4<u32>(13u)) & vec4<u32>(1u);
    let normal = (magnitude - vec4<u32>(0x38000000u) + vec4<u32>(0x0fffu) + odd) >> vec4<u32>(13u);
    // Below 2^-14: a float next to 0.5 has steps of 2^-24, so the sum rounds to a whole number of them.
    let sum = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(magnitude), params) + 0.5);
    let subnormal = sum - vec4<u32>(0x3f000000u);
    var rounded = select(normal, subnormal, magnitude < vec4<u32>(0x38800000u));
    rounded = select(rounded, vec4<u32>(0x7c00u), magnitude >= vec4<u32>(0x477ff000u)); // 65520 and more is infinity
    rounded = select(rounded, ((magnitude >> vec4<u32>(13u)) & vec4<u32>(0x03ffu)) | vec4<u32>(0x7e00u), is_nan);
    return sign | rounded;
}

// y, from four words of x: four f32, or eight halves.
fn forward_words(x: vec4<u32>, params: Params) -> vec4<u32> {
    if params.element == F32 {
        return forward4(x, params);
    }
    let even = narrowed(forward4(widened(x & vec4<u32>(0xffffu), params), params), params);
    let odd = narrowed(forward4(widened(x >> vec4<u32>(16u), params), params), params);
    return even | (odd << vec4<u32>(16u));
}

// dx, from four words of x and of g.
fn backward_words(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    if params.element == F32 {
        return backward4(x, g, params);
    }
    let low = vec4<u32>(0xffffu);
    let high = vec4<u32>(16u);
    let even = narrowed(backward4(widened(x & low, params), widened(g & low, params), params), params);
    let odd = narrowed(backward4(widened(x >> high, params), widened(g >> high, params), params), params);
    return even | (odd << high);
}

// ---- Bindings and entry points -------------------------------------------------------------------------------------

// Words that belong to the tensor as a whole; one more may do so by half.
fn whole_words(params: Params) -> u32 {
    return select(params.len / 2u, params.len, params.element == F32);
}
// Which vec4 an invocation works on, and which word of the tail.
fn vector_index(id: vec3<u32>, params: Params) -> u32 {
    return id.y * params.row + id.x;
}
fn tail_index(lane: u32, params: Params) -> u32 {
    return (whole_words(params) & 0xfffffffcu) + lane;
}
fn in_tail(i: u32, params: Params) -> bool {
    return i < whole_words(params) || (i == whole_words(params) && params.element != F32 && (params.len & 1u) == 1u);
}
// The word to store at i: the result, or its low half beside the neighbour's.
fn merged(result: u32, before: u32, i: u32, params: Params) -> u32 {
    return select((before & 0xffff0000u) | (result & 0xffffu), result, i < whole_words(params));
}

// Every way in which a binding is seen: read or read-write, by vec4 or by element. An entry point uses one of each.
@group(0) @binding(0) var<storage, read> in0v: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read> in0: array<u32>;
@group(0) @binding(0) var<storage, read_write> io0v: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read_write> io0: array<u32>;
@group(0) @binding(1) var<storage, read> in1v: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> in1: array<u32>;
@group(0) @binding(1) var<storage, read_write> io1v: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> io1: array<u32>;
@group(0) @binding(2) var<storage, read_write> io2v: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> io2: array<u32>;
@group(0) @binding(1) var<uniform> params1: Params;
@group(0) @binding(2) var<uniform> params2: Params;
@group(0) @binding(3) var<uniform> params3: Params;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < whole_words(params2) / 4u {
        io1v[i] = forward_words(in0v[i], params2);
    }
}
@compute @workgroup_size(4)
fn forward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        io1[i] = merged(forward_words(vec4<u32>(in0[i]), params2).x, io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params1);
    if i < whole_words(params1) / 4u {
        io0v[i] = forward_words(io0v[i], params1);
    }
}
@compute @workgroup_size(4)
fn forward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params1);
    if in_tail(i, params1) {
        io0[i] = merged(forward_words(vec4<u32>(io0[i]), params1).x, io0[i], i, params1);
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < whole_words(params2) / 4u {
        io1v[i] = forward_words(io0v[i], params2);
    }
}
@compute @workgroup_size(4)
fn forward_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        io1[i] = merged(forward_words(vec4<u32>(io0[i]), params2).x, io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if i < whole_words(params3) / 4u {
        io2v[i] = backward_words(in0v[i], in1v[i], params3);
    }
}
@compute @workgroup_size(4)
fn backward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        io2[i] = merged(backward_words(vec4<u32>(in0[i]), vec4<u32>(in1[i]), params3).x, io2[i], i, params3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < whole_words(params2) / 4u {
        io1v[i] = backward_words(io0v[i], io1v[i], params2);
    }
}
@compute @workgroup_size(4)
fn backward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        io1[i] = merged(backward_words(vec4<u32>(io0[i]), vec4<u32>(io1[i]), params2).x, io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if i < whole_words(params3) / 4u {
        io2v[i] = backward_words(io0v[i], io1v[i], params3);
    }
}
@compute @workgroup_size(4)
fn backward_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        io2[i] = merged(backward_words(vec4<u32>(io0[i]), vec4<u32>(io1[i]), params3).x, io2[i], i, params3);
    }
}
