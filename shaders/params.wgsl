// What a launch tells a kernel, 48 bytes. `Params` in Rust fills it.
struct Params {
    len: u32,             // elements
    row_invocations: u32, // invocations in a row of the grid
    scale: f32,           // a binarized number is this or minus this
    zero: u32,            // always 0, but no compiler knows
    seed: vec2<u32>,      // of the random stream; low word first, as in offset
    offset: vec2<u32>,    // the random word that the first element takes
    // For a broadcast gate: see broadcast.wgsl.
    middle: u32,          // steps that share a number of b
    inner: u32,           // elements in a step
    first: u32,           // where the first element is in its row; for the sums, where the first row begins in a and g
    b_first: u32,         // where the first row begins in b; for the sums in db too
}
