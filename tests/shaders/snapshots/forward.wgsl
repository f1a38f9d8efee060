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
        let new_y = vec4<u32>(y_of(x.x), y_of(x.y), y_of(x.z), y_of(x.w));
        store_y(i, new_y);
    }
}

@compute @workgroup_size(4)
fn tail(@builtin(local_invocation_index) lane: u32) {
    let i = tail_index(lane);
    if in_tail(i) {
        let x = load_x_word(i);
        let new_y = merged(y_of(x), load_y_word(i), i);
        store_y_word(i, new_y);
    }
}

// A word of y.
fn y_of(x: u32) -> u32 {
    return forward_bits(x);
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

// An operand that was loaded, as a number.
fn number(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn whole_words() -> u32 {
    return params.len;
}

fn in_tail(i: u32) -> bool {
    return i < params.len;
}

fn merged(result: u32, before: u32, i: u32) -> u32 {
    return result;
}

// y from x.
fn forward_bits(x: u32) -> u32 {
    return unless_nan(divided_value(x), x);
}

// clamp(x + 3, 0, 6) / 6.
fn divided_value(x: u32) -> u32 {
    return bitcast<u32>(sixth(relu6(x)));
}

const QUIET: u32 = 0x00400000u;

const INFINITE: u32 = 0x7f800000u;

const SIXTH: f32 = 0.16666667163372039794921875; // 1/6 rounded to f32

// Clamps v to 0 and top, and returns bits. As integers, positive floats keep their order, and negative floats are negative.
fn clamped(v: f32, top: f32) -> u32 {
    return bitcast<u32>(clamp(bitcast<i32>(v), 0, bitcast<i32>(top)));
}

fn magnitude_of(v: u32) -> u32 {
    return v & 0x7fffffffu;
}

// Returns `result` if `operand` isn't NaN, otherwise `operand`, quieted.
fn unless_nan(result: u32, operand: u32) -> u32 {
    return select(result, operand | QUIET, magnitude_of(operand) > INFINITE);
}

// clamp(x + 3, 0, 6).
fn relu6(x: u32) -> f32 {
    return bitcast<f32>(clamped(number(x) + 3.0, 6.0));
}

// t / 6, correctly rounded, for t = 0 and 2^-22 <= t <= 6. Other t don't occur: x + 3 gives none. WGSL's own division may be
// off by 2.5 ulp. q loses its last three bits, which also keeps it apart from what uses it. So 6q has no more bits than a float,
// and the remainder t - 6q is exact. The quotient is never near the middle between two floats, so q + (t - 6q) / 6 may be
// rounded once or twice.
fn sixth(t: f32) -> f32 {
    let q = bitcast<f32>(bitcast<u32>(t * SIXTH) & 0xfffffff8u);
    return q + (t - 6.0 * q) * SIXTH;
}
