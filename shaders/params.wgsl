// What a launch tells the kernels, 96 bytes. `Params` in Rust fills it.
struct Params {
    slope: f32,           // of the linear zone, and the factor of the gradient
    shift: f32,           // the value at x = 0 before clamping
    prescale: f32,        // RARE: a subnormal slope is passed scaled up, and its operand is scaled down by this
    nan_threshold: u32,   // RARE: an operand whose bits without sign are at least this gives NaN
    // A window (f, n, g, m) has the numbers whose bits lie in [f, f + n) or in [g, g + m). Halves are in the upper 16
    // bits.
    passing: vec4<u32>,   // the gradient passes where x lies in this window
    whole: vec4<u32>,     // HALF_KINKS: it is halved outside this one
    opaque_zero: u32,     // always 0, but no compiler knows: see opaque()
    len: u32,             // elements
    row_invocations: u32, // invocations in a row of the grid
    magnitude: f32,       // a binarized number is this or minus this
    seed: vec2<u32>,      // of the random stream; low word first, as in offset
    offset: vec2<u32>,    // the random word that the first element takes
    // For a broadcast gate: see broadcast.wgsl.
    middle: u32,          // steps that share a number of b
    inner: u32,           // elements in a step
    first: u32,           // where the first element is in its row; for the sums, where the first row begins in a and g
    b_first: u32,         // where the first row begins in b; for the sums in db too
}

// Values of DTYPE.
const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
