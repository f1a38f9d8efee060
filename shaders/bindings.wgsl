// Tensors in separate buffers. Each binding can be seen as vec4s or as words, to read or to write; an entry point uses
// one view of each.
@group(0) @binding(0) var<storage, read> read0_vec: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read> read0_word: array<u32>;
@group(0) @binding(1) var<storage, read> read1_vec: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> read1_word: array<u32>;
@group(0) @binding(2) var<storage, read> read2_vec: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> read2_word: array<u32>;
@group(0) @binding(0) var<storage, read_write> write0_vec: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read_write> write0_word: array<u32>;
@group(0) @binding(1) var<storage, read_write> write1_vec: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> write1_word: array<u32>;
@group(0) @binding(2) var<storage, read_write> write2_vec: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> write2_word: array<u32>;
@group(0) @binding(3) var<storage, read_write> write3_vec: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> write3_word: array<u32>;
@group(0) @binding(4) var<storage, read_write> write4_vec: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> write4_word: array<u32>;
// The parameters follow the last tensor.
@group(0) @binding(1) var<uniform> params1: Params;
@group(0) @binding(2) var<uniform> params2: Params;
@group(0) @binding(3) var<uniform> params3: Params;
@group(0) @binding(4) var<uniform> params4: Params;
@group(0) @binding(5) var<uniform> params5: Params;
