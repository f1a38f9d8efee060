// Tensors that may share a buffer: every binding is read-write, because wgpu refuses a buffer that a dispatch sees both
// read-only and writable. An entry point uses one view of each binding.
@group(0) @binding(0) var<storage, read_write> read0_vec: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read_write> read0_word: array<u32>;
@group(0) @binding(1) var<storage, read_write> read1_vec: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> read1_word: array<u32>;
@group(0) @binding(2) var<storage, read_write> read2_vec: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> read2_word: array<u32>;
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
