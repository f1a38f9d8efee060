// forward in f32, tensors separate: pytorch, clamp(x + 3, 0, 6) / 6
@group(0) @binding(0) var<storage, read> x_vec: array<vec4<u32>>;

@group(0) @binding(0) var<storage, read> x_word: array<u32>;

@group(0) @binding(1) var<storage, read_write> y_vec: array<vec4<u32>>;

@group(0) @binding(1) var<storage, read_write> y_word: array<u32>;

@group(0) @binding(2) var<uniform> params: Params;

fn load_x(i: u32) -> vec4<u32> {
    return x_vec[i];
}

fn load_x_word(i: u32) -> u32 {
    return x_word[i];
}

fn store_y(i: u32, value: vec4<u32>) {
    y_vec[i] = value;
}

fn load_y_word(i: u32) -> u32 {
    return y_word[i];
}

fn store_y_word(i: u32, value: u32) {
    y_word[i] = value;
}

// What a launch tells a kernel, in 48 bytes. `Params` in Rust fills it.
struct Params {
    len: u32,             // elements of the part; for the sums, the number of its sums
    row_invocations: u32, // invocations in a row of the grid
    scale: f32,           // a binarized number is this or minus this
    zero: u32,            // always 0, which no compiler knows: see broadcast_sums.wgsl
    seed: vec2<u32>,      // seed of the random stream, its low word first
    offset: vec2<u32>,    // number of the random word that the first element takes, its low word first
    // The rest is for a broadcast gate and its sums: see broadcast.wgsl and broadcast_sums.wgsl.
    middle: u32,          // steps that share a number of b
    inner: u32,           // elements in a step
    first: u32,           // where the first element is in its row; for the sums, where the first row begins in a and g
    b_first: u32,         // where the first row begins in b; for the sums in db too
}

@compute @workgroup_size(WORKGROUP)
fn body(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = vector_index(id);
    if in_body(i) {
        let x = load_x(i);
        let new_y = forward4(x);
        store_y(i, new_y);
    }
}

@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane);
    if in_tail(i) {
        let x = vec4<u32>(load_x_word(i));
        let new_y = merged(forward4(x), load_y_word(i), i);
        store_y_word(i, new_y);
    }
}

const WORKGROUP: u32 = 256u;

// The index of the vector that an invocation of `body` computes, if in_body says that there is one.
fn vector_index(id: vec3<u32>) -> u32 {
    return id.y * params.row_invocations + id.x;
}

fn in_body(i: u32) -> bool {
    return i < whole_words() / 4u;
}

// The index of the word that an invocation of `tail` computes, if in_tail says that there is one.
fn tail_index(lane: u32) -> u32 {
    return (whole_words() & 0xfffffffcu) + lane;
}

fn value4(x: vec4<u32>) -> vec4<u32> {
    return divided_value(x);
}

fn whole_words() -> u32 {
    return params.len;
}

fn in_tail(i: u32) -> bool {
    return i < params.len;
}

fn merged(result: vec4<u32>, before: u32, i: u32) -> u32 {
    return result.x;
}

// y from x.
fn forward4(x: vec4<u32>) -> vec4<u32> {
    return unless_nan(value4(x), x);
}

// clamp(x + 3, 0, 6) / 6.
fn divided_value(x: vec4<u32>) -> vec4<u32> {
    return bitcast<vec4<u32>>(sixth(relu6(x)));
}

const QUIET: u32 = 0x00400000u;

const INFINITE: u32 = 0x7f800000u;

const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Clamps v to 0 and top, and returns bits. As integers, positive floats keep their order, and negative floats are negative.
fn clamped(v: vec4<f32>, top: f32) -> vec4<u32> {
    return bitcast<vec4<u32>>(clamp(bitcast<vec4<i32>>(v), vec4<i32>(0), vec4<i32>(bitcast<i32>(top))));
}

fn magnitude4(v: vec4<u32>) -> vec4<u32> {
    return v & vec4<u32>(0x7fffffffu);
}

// Returns `result` if `operand` isn't NaN, otherwise `operand`, quieted.
fn unless_nan(result: vec4<u32>, operand: vec4<u32>) -> vec4<u32> {
    return select(result, operand | vec4<u32>(QUIET), magnitude4(operand) > vec4<u32>(INFINITE));
}

// clamp(x + 3, 0, 6).
fn relu6(x: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(clamped(bitcast<vec4<f32>>(x) + 3.0, 6.0));
}

// t / 6, correctly rounded, for t = 0 and 2^-22 <= t <= 6. Other t don't occur: x + 3 gives none. WGSL's own division may be
// off by 2.5 ulp. q is off by one ulp at most. The remainder t - 6q is exact, because both differences that make it are. The
// quotient is never near the middle between two floats, so q + (t - 6q) / 6 may be rounded once or twice.
//
// Two integer operations keep q and the first difference apart from what uses them. Each changes one number, so no compiler
// can leave it out: q is below 1 for t = 6 too, and the difference is above 0 for t = 0 too. The last sum takes both changes
// back, so the quotients are 1 and 0.
fn sixth(t: vec4<f32>) -> vec4<f32> {
    let q = bitcast<vec4<f32>>(min(bitcast<vec4<i32>>(t * SIXTH), vec4<i32>(0x3f7fffff)));
    let difference = bitcast<vec4<f32>>(max(bitcast<vec4<i32>>(t - 4.0 * q), vec4<i32>(1)));
    return q + (difference - 2.0 * q) * SIXTH;
}
