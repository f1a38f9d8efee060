// Hard sigmoid, forward and backward, and the kernels around it, binarization among them, in f32, f16 and bf16: every
// preset, with the bits of the CPU path.
//
// One module, valid as it stands. An entry point is named by what it binds; what it computes is the constant KERNEL, and
// each of those has the name of its function here and on the CPU. ELEMENT, DIVIDE and STOCHASTIC follow from tensor and
// definition.
// Entry points work on four words at a time (four f32, eight halves); one called NAME_tail is for the words that are left.
// Buffers come first, the parameters last; the ranges bound are the tensors, no padding is assumed. Where an odd number
// of halves ends within a word, the word's other half stays as it was.
//
//   entry point             KERNEL                                     buffers, in the order of their bindings
//   unary                   FORWARD, HARD_SWISH, BINARIZE              x (read), y
//   unary_in_place                                                     x = y
//   unary_pooled                                                       x, y
//   binary                  BACKWARD, HARD_SWISH_BACKWARD,             x (read), g (read), dx
//                           BACKWARD_ACCUMULATE, GATE                  (GATE: b (read), a (read), y)
//   binary_in_place                       not BACKWARD_ACCUMULATE      x, g = dx (b, a = y)
//   binary_pooled                                                      x, g, dx (b, a, y)
//   gate_backward           GATE_BACKWARD                              b (read), a (read), g (read), da, db
//   gate_backward_in_place                                             b, a, g = da, db
//   gate_backward_pooled                                               b, a, g, da, db
//   binarize_packed         BINARIZE_PACKED                            x (read), bits
//   binarize_packed_pooled                                             x, bits
//   unpack                  UNPACK                                     bits (read), y
//   unpack_pooled                                                      bits, y
//
// "in_place" and "pooled" allow their buffers to be disjoint ranges of one. The grid of NAME is ceil(whole words / 4 / 256)
// workgroups, in rows of params.row; NAME_tail takes one workgroup, if the length is no multiple of 4 words. An
// invocation of binarize_packed makes one word of 32 signs instead: ceil(whole words of bits / 256) workgroups, and
// the tail if the length is no multiple of 32. The gradients from the saved output and of a binarization are BACKWARD with
// other parameters.
//
// Data is read and written as u32, and every decision about NaN, order and clamping is made on integers: shader
// compilers may assume that floats are never NaN, and flush subnormals when they compare them.

struct Params {
    slope: f32,      // v = slope * (x * prescale) + shift
    prescale: f32,   // 1, but for a subnormal slope
    shift: f32,
    top: f32,        // t = clamp(v, 0, top)
    scale: f32,      // y = t * scale, unless DIVIDE
    grad_slope: f32, // dx = grad_slope * (g * prescale) where lo <= key(x) <= hi, else 0
    nan_from: u32,   // magnitudes (bits without sign) from here on have a NaN product with the slope
    lo: i32,
    hi: i32,
    zero: u32,       // always 0, but no compiler knows: see opaque()
    len: u32,        // elements
    row: u32,        // invocations in a row of the grid
    seed: vec2<u32>, // of the random numbers; low word first, as offset
    offset: vec2<u32>, // which of them the first element takes
    magnitude: f32,  // a binarized number is this or minus this
    pad0: u32,       // to a multiple of 16 bytes, as GL wants it
    pad1: u32,
    pad2: u32,
}

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
override ELEMENT: u32 = 0u; // what the tensors hold
override DIVIDE: bool = false; // y = t / 6, correctly rounded
override STOCHASTIC: bool = false; // a binarization draws its signs

const QUIET: u32 = 0x00400000u;
const INFINITE: u32 = 0x7f800000u;
const MADE_NAN: u32 = 0xffc00000u; // what x86 gives for zero times infinity
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
    let infinite = magnitude == vec4<u32>(INFINITE);
    let nan = select(operand | vec4<u32>(QUIET), vec4<u32>(MADE_NAN), infinite);
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
    if DIVIDE {
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

// result, an operation on a and b, unless one of those is NaN: then the first that is, quieted.
fn unless_either_nan(result: vec4<u32>, a: vec4<u32>, b: vec4<u32>) -> vec4<u32> {
    let first = select(result, b | vec4<u32>(QUIET), (b & vec4<u32>(0x7fffffffu)) > vec4<u32>(INFINITE));
    return select(first, a | vec4<u32>(QUIET), (a & vec4<u32>(0x7fffffffu)) > vec4<u32>(INFINITE));
}

// a * b, in bits. Infinity is settled on integers: a GPU may read a subnormal as zero, and zero times infinity is NaN.
fn product4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let larger = max(a & vec4<u32>(0x7fffffffu), b & vec4<u32>(0x7fffffffu));
    let smaller = min(a & vec4<u32>(0x7fffffffu), b & vec4<u32>(0x7fffffffu));
    let finite = bitcast<vec4<u32>>(opaque(bitcast<vec4<f32>>(a), params) * opaque(bitcast<vec4<f32>>(b), params));
    let signed_infinite = ((a ^ b) & vec4<u32>(0x80000000u)) | vec4<u32>(INFINITE);
    let infinite = select(signed_infinite, vec4<u32>(MADE_NAN), smaller == vec4<u32>(0u));
    return unless_either_nan(select(finite, infinite, larger == vec4<u32>(INFINITE)), a, b);
}

// a + b, in bits.
fn sum4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    let sum = opaque(bitcast<vec4<f32>>(a), params) + opaque(bitcast<vec4<f32>>(b), params);
    let opposite = ((a & vec4<u32>(0x7fffffffu)) == vec4<u32>(INFINITE)) & ((a ^ b) == vec4<u32>(0x80000000u));
    return unless_either_nan(select(bitcast<vec4<u32>>(sum), vec4<u32>(MADE_NAN), opposite), a, b);
}

// dx + backward4(x, g).
fn backward_accumulate4(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>, params: Params) -> vec4<u32> {
    return sum4(dx, backward4(x, g, params), params);
}

// a * forward4(b).
fn gate4(a: vec4<u32>, b: vec4<u32>, params: Params) -> vec4<u32> {
    return product4(a, forward4(b, params), params);
}

struct GateGradients {
    da: vec4<u32>,
    db: vec4<u32>,
}

// Both gradients of gate4.
fn gate_backward4(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, params: Params) -> GateGradients {
    return GateGradients(gate4(g, b, params), backward4(b, product4(g, a, params), params));
}

// x * forward4(x).
fn hard_swish4(x: vec4<u32>, params: Params) -> vec4<u32> {
    return gate4(x, x, params);
}

// The gradient of hard_swish4: the sum of the gate's two.
fn hard_swish_backward4(x: vec4<u32>, g: vec4<u32>, params: Params) -> vec4<u32> {
    let gradients = gate_backward4(x, x, g, params);
    return sum4(gradients.da, gradients.db, params);
}

// The upper half of a * b.
fn product_high(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = vec2<u32>(0xffffu);
    let bits = vec2<u32>(16u);
    let middle = (a >> bits) * (b & low) + (((a & low) * (b & low)) >> bits);
    let other = (a & low) * (b >> bits) + (middle & low);
    return (a >> bits) * (b >> bits) + (middle >> bits) + (other >> bits);
}

// A block of Philox4x32-10: four random words from the number of the block, low word first, and the seed.
fn philox(block: vec2<u32>, seed: vec2<u32>) -> vec4<u32> {
    let factors = vec2<u32>(0xd2511f53u, 0xcd9e8d57u);
    var counter = vec4<u32>(block, 0u, 0u);
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let high = product_high(factors, counter.xz);
        let low = factors * counter.xz;
        counter = vec4<u32>(high.y ^ counter.y ^ key.x, low.y, high.x ^ counter.w ^ key.y, low.x);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

// The random words of four elements in a row, the first of which is number `element` of the tensor.
fn random4(element: u32, params: Params) -> vec4<u32> {
    let low = params.offset.x + element;
    let high = params.offset.y + select(0u, 1u, low < element);
    let block = vec2<u32>((low >> 2u) | (high << 30u), high >> 2u);
    let words = philox(block, params.seed);
    let skipped = low & 3u;
    if skipped == 0u {
        return words;
    }
    // There are 2^62 blocks; after the last the stream starts over.
    let next_high = (block.y + select(0u, 1u, block.x == 0xffffffffu)) & 0x3fffffffu;
    let next = philox(vec2<u32>(block.x + 1u, next_high), params.seed);
    if skipped == 1u {
        return vec4<u32>(words.yzw, next.x);
    }
    if skipped == 2u {
        return vec4<u32>(words.zw, next.xy);
    }
    return vec4<u32>(words.w, next.xyz);
}

// Whether the sign is plus. Deterministic: x >= 0. Stochastic: random / 2^32 < forward4(x), which is exact, since forward4
// times 2^32 and its ceiling are. NaN gives minus.
fn is_plus4(x: vec4<u32>, random: vec4<u32>, params: Params) -> vec4<bool> {
    if !STOCHASTIC {
        return (x <= vec4<u32>(INFINITE)) | (x == vec4<u32>(0x80000000u));
    }
    let p = forward4(x, params);
    let below = vec4<u32>(ceil(bitcast<vec4<f32>>(p) * 4294967296.0));
    // A GPU may read a subnormal p as zero; no other p above zero gives less than one.
    let drawn = random < max(below, min(p, vec4<u32>(1u)));
    let one = vec4<u32>(0x3f800000u);
    return (p == one) | ((p < one) & drawn);
}

// The number of that sign, as bits.
fn signed4(is_plus: vec4<bool>, params: Params) -> vec4<u32> {
    let plus = bitcast<u32>(params.magnitude);
    return select(vec4<u32>(plus ^ 0x80000000u), vec4<u32>(plus), is_plus);
}

// plus or minus params.magnitude, by the sign of x or as it is drawn.
fn binarize4(x: vec4<u32>, random: vec4<u32>, params: Params) -> vec4<u32> {
    return signed4(is_plus4(x, random, params), params);
}

// The f32 of half floats (in the low 16 bits of each lane), as bits. Exact, and NaN keeps its payload.
fn widened(h: vec4<u32>) -> vec4<u32> {
    if ELEMENT == BF16 {
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
    if ELEMENT == BF16 {
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

// The first and the second half of each of four words, as f32 bits; and back.
fn low(words: vec4<u32>) -> vec4<u32> {
    return widened(words & vec4<u32>(0xffffu));
}
fn high(words: vec4<u32>) -> vec4<u32> {
    return widened(words >> vec4<u32>(16u));
}
fn packed(low: vec4<u32>, high: vec4<u32>, params: Params) -> vec4<u32> {
    return narrowed(low, params) | (narrowed(high, params) << vec4<u32>(16u));
}

// ---- Kernels, bindings and entry points ----------------------------------------------------------------------------

const FORWARD: u32 = 0u;
const BACKWARD: u32 = 1u;
const BACKWARD_ACCUMULATE: u32 = 2u;
const GATE: u32 = 3u;
const GATE_BACKWARD: u32 = 4u;
const HARD_SWISH: u32 = 5u;
const HARD_SWISH_BACKWARD: u32 = 6u;
const BINARIZE: u32 = 7u;
const BINARIZE_PACKED: u32 = 8u;
const UNPACK: u32 = 9u;
override KERNEL: u32 = 0u;

// Random words for the elements of four words, the first of which is number `word` of the tensor: of those that stand
// alone or first in their word, and of those that stand second.
struct Random {
    low: vec4<u32>,
    high: vec4<u32>,
}
fn random_of_words(word: u32, params: Params) -> Random {
    if !STOCHASTIC {
        return Random();
    }
    if ELEMENT == F32 {
        return Random(random4(word, params), vec4<u32>(0u));
    }
    let first = random4(2u * word, params);
    let second = random4(2u * word + 4u, params);
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
// word: the number of the first in the tensor.
fn unary_words(x: vec4<u32>, word: u32, params: Params) -> vec4<u32> {
    let random = random_of_words(word, params);
    if ELEMENT == F32 {
        return unary4(x, random.low, params);
    }
    return packed(unary4(low(x), random.low, params), unary4(high(x), random.high, params), params);
}

// before: what the result is added to.
fn binary4(x: vec4<u32>, g: vec4<u32>, before: vec4<u32>, params: Params) -> vec4<u32> {
    if KERNEL == GATE {
        return gate4(g, x, params);
    }
    if KERNEL == HARD_SWISH_BACKWARD {
        return hard_swish_backward4(x, g, params);
    }
    if KERNEL == BACKWARD_ACCUMULATE {
        return backward_accumulate4(x, g, before, params);
    }
    return backward4(x, g, params);
}
fn binary_words(x: vec4<u32>, g: vec4<u32>, before: vec4<u32>, params: Params) -> vec4<u32> {
    if ELEMENT == F32 {
        return binary4(x, g, before, params);
    }
    return packed(
        binary4(low(x), low(g), low(before), params),
        binary4(high(x), high(g), high(before), params),
        params,
    );
}

fn gate_backward_words(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, params: Params) -> GateGradients {
    if ELEMENT == F32 {
        return gate_backward4(a, b, g, params);
    }
    let even = gate_backward4(low(a), low(b), low(g), params);
    let odd = gate_backward4(high(a), high(b), high(g), params);
    return GateGradients(packed(even.da, odd.da, params), packed(even.db, odd.db, params));
}

// The bits of four signs; `places` are the values of their bits.
fn bits4(is_plus: vec4<bool>, places: vec4<u32>) -> u32 {
    let bits = select(vec4<u32>(0u), places, is_plus);
    return bits.x | bits.y | bits.z | bits.w;
}
// The bits of four words of x, from the lowest on.
fn binarize_packed_words(x: vec4<u32>, word: u32, params: Params) -> u32 {
    let random = random_of_words(word, params);
    if ELEMENT == F32 {
        return bits4(is_plus4(x, random.low, params), vec4<u32>(1u, 2u, 4u, 8u));
    }
    return bits4(is_plus4(low(x), random.low, params), vec4<u32>(1u, 4u, 16u, 64u))
        | bits4(is_plus4(high(x), random.high, params), vec4<u32>(2u, 8u, 32u, 128u));
}
// Words of x, or of y, that 32 signs take.
fn words_of_32() -> u32 {
    return select(16u, 32u, ELEMENT == F32);
}

// The numbers of the signs that stand lowest in `bits`, in four words.
fn unpack_words(bits: u32, params: Params) -> vec4<u32> {
    if ELEMENT == F32 {
        return signed4((vec4<u32>(bits) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u), params);
    }
    return packed(
        signed4((vec4<u32>(bits) & vec4<u32>(1u, 4u, 16u, 64u)) != vec4<u32>(0u), params),
        signed4((vec4<u32>(bits) & vec4<u32>(2u, 8u, 32u, 128u)) != vec4<u32>(0u), params),
        params,
    );
}

const WORKGROUP: u32 = 256u;

// Words that belong to the tensor as a whole; one more may do so by half.
fn whole_words(params: Params) -> u32 {
    return select(params.len / 2u, params.len, ELEMENT == F32);
}
// Which vec4 an invocation works on, if it has one, and which word of the tail.
fn vector_index(id: vec3<u32>, params: Params) -> u32 {
    return id.y * params.row + id.x;
}
fn in_body(i: u32, params: Params) -> bool {
    return i < whole_words(params) / 4u;
}
fn tail_index(lane: u32, params: Params) -> u32 {
    return (whole_words(params) & 0xfffffffcu) + lane;
}
fn in_tail(i: u32, params: Params) -> bool {
    return i < whole_words(params) || (i == whole_words(params) && ELEMENT != F32 && (params.len & 1u) == 1u);
}
// The word to store at i: the result, or its low half beside the neighbour's.
fn merged(result: vec4<u32>, before: u32, i: u32, params: Params) -> u32 {
    return select((before & 0xffff0000u) | (result.x & 0xffffu), result.x, i < whole_words(params));
}

// Every way in which a binding is seen: read or read-write, by vec4 or by word. An entry point uses one of each.
@group(0) @binding(0) var<storage, read> in0v: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read> in0: array<u32>;
@group(0) @binding(0) var<storage, read_write> io0v: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read_write> io0: array<u32>;
@group(0) @binding(1) var<storage, read> in1v: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> in1: array<u32>;
@group(0) @binding(1) var<storage, read_write> io1v: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> io1: array<u32>;
@group(0) @binding(2) var<storage, read> in2v: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> in2: array<u32>;
@group(0) @binding(2) var<storage, read_write> io2v: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> io2: array<u32>;
@group(0) @binding(3) var<storage, read_write> io3v: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> io3: array<u32>;
@group(0) @binding(4) var<storage, read_write> io4v: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> io4: array<u32>;
@group(0) @binding(1) var<uniform> params1: Params;
@group(0) @binding(2) var<uniform> params2: Params;
@group(0) @binding(3) var<uniform> params3: Params;
@group(0) @binding(4) var<uniform> params4: Params;
@group(0) @binding(5) var<uniform> params5: Params;

@compute @workgroup_size(WORKGROUP)
fn unary(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        io1v[i] = unary_words(in0v[i], 4u * i, params2);
    }
}
@compute @workgroup_size(4)
fn unary_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        io1[i] = merged(unary_words(vec4<u32>(in0[i]), i, params2), io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unary_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params1);
    if in_body(i, params1) {
        io0v[i] = unary_words(io0v[i], 4u * i, params1);
    }
}
@compute @workgroup_size(4)
fn unary_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params1);
    if in_tail(i, params1) {
        io0[i] = merged(unary_words(vec4<u32>(io0[i]), i, params1), io0[i], i, params1);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unary_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        io1v[i] = unary_words(io0v[i], 4u * i, params2);
    }
}
@compute @workgroup_size(4)
fn unary_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        io1[i] = merged(unary_words(vec4<u32>(io0[i]), i, params2), io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binary(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if in_body(i, params3) {
        var before = vec4<u32>(0u);
        if KERNEL == BACKWARD_ACCUMULATE {
            before = io2v[i];
        }
        io2v[i] = binary_words(in0v[i], in1v[i], before, params3);
    }
}
@compute @workgroup_size(4)
fn binary_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        let before = io2[i];
        let result = binary_words(vec4<u32>(in0[i]), vec4<u32>(in1[i]), vec4<u32>(before), params3);
        io2[i] = merged(result, before, i, params3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binary_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        io1v[i] = binary_words(io0v[i], io1v[i], vec4<u32>(0u), params2);
    }
}
@compute @workgroup_size(4)
fn binary_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let before = io1[i];
        let result = binary_words(vec4<u32>(io0[i]), vec4<u32>(io1[i]), vec4<u32>(before), params2);
        io1[i] = merged(result, before, i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binary_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if in_body(i, params3) {
        var before = vec4<u32>(0u);
        if KERNEL == BACKWARD_ACCUMULATE {
            before = io2v[i];
        }
        io2v[i] = binary_words(io0v[i], io1v[i], before, params3);
    }
}
@compute @workgroup_size(4)
fn binary_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if in_tail(i, params3) {
        let before = io2[i];
        let result = binary_words(vec4<u32>(io0[i]), vec4<u32>(io1[i]), vec4<u32>(before), params3);
        io2[i] = merged(result, before, i, params3);
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params5);
    if in_body(i, params5) {
        let gradients = gate_backward_words(in1v[i], in0v[i], in2v[i], params5);
        io3v[i] = gradients.da;
        io4v[i] = gradients.db;
    }
}
@compute @workgroup_size(4)
fn gate_backward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params5);
    if in_tail(i, params5) {
        let gradients = gate_backward_words(vec4<u32>(in1[i]), vec4<u32>(in0[i]), vec4<u32>(in2[i]), params5);
        io3[i] = merged(gradients.da, io3[i], i, params5);
        io4[i] = merged(gradients.db, io4[i], i, params5);
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_backward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params4);
    if in_body(i, params4) {
        let gradients = gate_backward_words(io1v[i], io0v[i], io2v[i], params4);
        io2v[i] = gradients.da;
        io3v[i] = gradients.db;
    }
}
@compute @workgroup_size(4)
fn gate_backward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params4);
    if in_tail(i, params4) {
        let gradients = gate_backward_words(vec4<u32>(io1[i]), vec4<u32>(io0[i]), vec4<u32>(io2[i]), params4);
        io2[i] = merged(gradients.da, io2[i], i, params4);
        io3[i] = merged(gradients.db, io3[i], i, params4);
    }
}

@compute @workgroup_size(WORKGROUP)
fn gate_backward_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params5);
    if in_body(i, params5) {
        let gradients = gate_backward_words(io1v[i], io0v[i], io2v[i], params5);
        io3v[i] = gradients.da;
        io4v[i] = gradients.db;
    }
}
@compute @workgroup_size(4)
fn gate_backward_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params5);
    if in_tail(i, params5) {
        let gradients = gate_backward_words(vec4<u32>(io1[i]), vec4<u32>(io0[i]), vec4<u32>(io2[i]), params5);
        io3[i] = merged(gradients.da, io3[i], i, params5);
        io4[i] = merged(gradients.db, io4[i], i, params5);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binarize_packed(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < params2.len / 32u {
        var bits = 0u;
        let vectors = words_of_32() / 4u;
        for (var k = 0u; k < vectors; k++) {
            let vector = i * vectors + k;
            bits |= binarize_packed_words(in0v[vector], 4u * vector, params2) << (k * 32u / vectors);
        }
        io1[i] = bits;
    }
}
@compute @workgroup_size(4)
fn binarize_packed_tail(@builtin(local_invocation_index) lane: u32) {
    let i = params2.len / 32u;
    let left = params2.len % 32u;
    if lane == 0u && left > 0u {
        var bits = 0u;
        let step = 32u / words_of_32();
        for (var k = 0u; k < left; k += step) {
            let word = i * words_of_32() + k / step;
            bits |= (binarize_packed_words(vec4<u32>(in0[word]), word, params2) & (step * 2u - 1u)) << k;
        }
        io1[i] = bits & ((1u << left) - 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn binarize_packed_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < params2.len / 32u {
        var bits = 0u;
        let vectors = words_of_32() / 4u;
        for (var k = 0u; k < vectors; k++) {
            let vector = i * vectors + k;
            bits |= binarize_packed_words(io0v[vector], 4u * vector, params2) << (k * 32u / vectors);
        }
        io1[i] = bits;
    }
}
@compute @workgroup_size(4)
fn binarize_packed_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = params2.len / 32u;
    let left = params2.len % 32u;
    if lane == 0u && left > 0u {
        var bits = 0u;
        let step = 32u / words_of_32();
        for (var k = 0u; k < left; k += step) {
            let word = i * words_of_32() + k / step;
            bits |= (binarize_packed_words(vec4<u32>(io0[word]), word, params2) & (step * 2u - 1u)) << k;
        }
        io1[i] = bits & ((1u << left) - 1u);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unpack(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        let vectors = words_of_32() / 4u;
        io1v[i] = unpack_words(in0[i / vectors] >> (i % vectors * 32u / vectors), params2);
    }
}
@compute @workgroup_size(4)
fn unpack_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let bits = in0[i / words_of_32()] >> (i % words_of_32() * 32u / words_of_32());
        io1[i] = merged(unpack_words(bits, params2), io1[i], i, params2);
    }
}

@compute @workgroup_size(WORKGROUP)
fn unpack_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if in_body(i, params2) {
        let vectors = words_of_32() / 4u;
        io1v[i] = unpack_words(io0[i / vectors] >> (i % vectors * 32u / vectors), params2);
    }
}
@compute @workgroup_size(4)
fn unpack_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if in_tail(i, params2) {
        let bits = io0[i / words_of_32()] >> (i % words_of_32() * 32u / words_of_32());
        io1[i] = merged(unpack_words(bits, params2), io1[i], i, params2);
    }
}
