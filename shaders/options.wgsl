// What a pipeline is compiled for. A runtime that can't set pipeline constants writes four constants of these names
// instead.
override KERNEL: u32 = 0u; // what to compute: a constant of kernels.wgsl
override DTYPE: u32 = 0u; // what the tensors hold
override FORMULA: u32 = 0u; // how the hard sigmoid is computed: a constant of hard_sigmoid.wgsl
override STOCHASTIC: bool = false; // a binarization draws its signs
