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
