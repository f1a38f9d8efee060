// What a launch tells the kernels, 80 bytes. `Params` in Rust fills it.
struct Params {
    pre_slope: f32,       // v = pre_slope * (x * prescale) + pre_shift
    prescale: f32,        // 1, except for a subnormal slope
    pre_shift: f32,
    clamp_max: f32,       // t = clamp(v, 0, clamp_max)
    post_scale: f32,      // y = t * post_scale, unless DIVIDE
    grad_slope: f32,      // dx = grad_slope * (g * prescale) where first_key <= key(x) <= last_key, else 0
    nan_threshold: u32,   // an operand whose bits without sign are at least this gives NaN
    first_key: i32,
    last_key: i32,
    opaque_zero: u32,     // always 0, but no compiler knows: see opaque()
    len: u32,             // elements
    row_invocations: u32, // invocations in a row of the grid
    seed: vec2<u32>,      // of the random stream; low word first, as in offset
    offset: vec2<u32>,    // the random word that the first element takes
    magnitude: f32,       // a binarized number is this or minus this
    pad0: u32,            // to a multiple of 16 bytes, which GL requires
    pad1: u32,
    pad2: u32,
}

// Values of DTYPE.
const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
