// Hard sigmoid, forward and backward, f32: every preset, with the bits of the CPU path.
//
// One module, valid as it stands. Each kernel has an entry point of its own name, which works on four elements at a
// time, and one called NAME_tail for the up to three elements that are left. Buffers come first, the parameters last;
// the ranges bound are exactly the tensors, no padding is assumed.
//
//   kernel             binding 0    1        2        3        grid
//   forward            x (read)     y        params            ceil(len / 4 / 256) workgroups, in rows of params.row
//   forward_in_place   x = y        params
//   forward_pooled     x            y        params            x and y: disjoint ranges of one buffer
//   backward           x (read)     g (read) dx       params
//   backward_in_place  x            g = dx   params            x and g: two buffers, or disjoint ranges of one
//   backward_pooled    x            g        dx       params   disjoint ranges of one or two buffers
//   NAME_tail          as NAME                                 one workgroup, if len is no multiple of 4
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
    pad0: u32,       // to a multiple of 16 bytes, as GL wants it
    pad1: u32,
    pad2: u32,
}

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
    let half = 3.0 * bitcast<vec4<f32>>((bits & vec4<u32>(0x7f800000u)) - vec4<u32>(0x0b800000u));
    let up = select(vec4<u32>(0u), vec4<u32>(1u), r > half);
    let down = select(vec4<u32>(0u), vec4<u32>(1u), r < -half);
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

// ---- Bindings and entry points -------------------------------------------------------------------------------------

// Which vec4 an invocation works on, and which element of the tail.
fn vector_index(id: vec3<u32>, params: Params) -> u32 {
    return id.y * params.row + id.x;
}
fn tail_index(lane: u32, params: Params) -> u32 {
    return (params.len & 0xfffffffcu) + lane;
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
    if i < params2.len / 4u {
        io1v[i] = forward4(in0v[i], params2);
    }
}
@compute @workgroup_size(4)
fn forward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if i < params2.len {
        io1[i] = forward4(vec4<u32>(in0[i]), params2).x;
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params1);
    if i < params1.len / 4u {
        io0v[i] = forward4(io0v[i], params1);
    }
}
@compute @workgroup_size(4)
fn forward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params1);
    if i < params1.len {
        io0[i] = forward4(vec4<u32>(io0[i]), params1).x;
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < params2.len / 4u {
        io1v[i] = forward4(io0v[i], params2);
    }
}
@compute @workgroup_size(4)
fn forward_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if i < params2.len {
        io1[i] = forward4(vec4<u32>(io0[i]), params2).x;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if i < params3.len / 4u {
        io2v[i] = backward4(in0v[i], in1v[i], params3);
    }
}
@compute @workgroup_size(4)
fn backward_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if i < params3.len {
        io2[i] = backward4(vec4<u32>(in0[i]), vec4<u32>(in1[i]), params3).x;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_in_place(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params2);
    if i < params2.len / 4u {
        io1v[i] = backward4(io0v[i], io1v[i], params2);
    }
}
@compute @workgroup_size(4)
fn backward_in_place_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params2);
    if i < params2.len {
        io1[i] = backward4(vec4<u32>(io0[i]), vec4<u32>(io1[i]), params2).x;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_pooled(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id, params3);
    if i < params3.len / 4u {
        io2v[i] = backward4(io0v[i], io1v[i], params3);
    }
}
@compute @workgroup_size(4)
fn backward_pooled_tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane, params3);
    if i < params3.len {
        io2[i] = backward4(vec4<u32>(io0[i]), vec4<u32>(io1[i]), params3).x;
    }
}
