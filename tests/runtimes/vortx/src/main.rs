//! A layer in vortx: its matrix product, then in the same pass a kernel of one's own that calls a function of hard-sigmoid.
//!
//! vortx compiles its kernels from Rust when it is built, with a compiler of their own. They are left out here
//! (`KHAL_SKIP_SPIRV=1`), so that the kernel of the matrix product is WGSL too. What vortx binds and dispatches is the same.

#[path = "../../layer.rs"]
mod layer;

use khal::{
    BufferUsages, ShaderArgs,
    backend::{Backend, Dispatch, Encoder, GpuBackend, WebGpu},
    re_exports::wgpu,
};
use layer::{INPUTS, Layer, OUTPUTS, ROWS};
use vortx::{
    Gemm,
    shaders::linalg::{GemmNaive, GemmTiled},
    shapes::TensorLayoutBuffers,
    tensor::Tensor,
};

/// vortx's `gemm_naive` for one matrix.
const PRODUCT: &str = "
struct Shape { size: vec4<u32>, stride: vec4<u32> }
@group(0) @binding(0) var<uniform> out_shape: Shape;
@group(0) @binding(1) var<uniform> lhs_shape: Shape;
@group(0) @binding(2) var<uniform> rhs_shape: Shape;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read> lhs: array<f32>;
@group(0) @binding(5) var<storage, read> rhs: array<f32>;

@compute @workgroup_size(32)
fn product(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < out_shape.size.w {
        var sum = 0.0;
        for (var j = 0u; j < lhs_shape.size.w; j++) {
            let a = lhs[dot(lhs_shape.stride.zw, vec2(id.y, j))];
            sum += a * rhs[dot(rhs_shape.stride.zw, vec2(j, id.x))];
        }
        out[dot(out_shape.stride.zw, id.yx)] = sum;
    }
}
";

const KERNEL: &str = "
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn scaled_hard_swish(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) {
        y[id.x] = hard_swish(scale[id.x % arrayLength(&scale)] * sums[id.x]);
    }
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let name = adapter.get_info().name;
    let backend = GpuBackend::WebGpu(WebGpu::from_device(instance, adapter, device, queue));

    let gemm = Gemm {
        gemm_naive: GemmNaive::from_bytes(&backend, PRODUCT.as_bytes(), "product")?,
        gemm_tiled: GemmTiled::from_bytes(&backend, PRODUCT.as_bytes(), "product")?,
    };
    let module = backend.load_module(&(layer::text()? + KERNEL))?;
    let function = backend.load_function(&module, "scaled_hard_swish", 0)?;

    let layer = Layer::new();
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
    let [rows, inputs, outputs] = [ROWS, INPUTS, OUTPUTS].map(|length| length as u32);
    let matrix = |rows, columns, values: &[f32]| Tensor::matrix(&backend, rows, columns, values, usage);
    let x = matrix(rows, inputs, &layer.x)?;
    let w = matrix(outputs, inputs, &layer.w)?;
    let scale = matrix(1, outputs, &layer.scale)?;
    let mut sums = Tensor::<f32>::matrix_uninit(&backend, rows, outputs, usage)?;
    let y = Tensor::<f32>::matrix_uninit(&backend, rows, outputs, usage)?;

    let mut shapes = TensorLayoutBuffers::new(&backend);
    let mut encoder = backend.begin_encoding();
    let mut pass = encoder.begin_pass("layer", None);
    gemm.dispatch_naive(&backend, &mut shapes, &mut pass, &mut sums, &x, w.transpose_last_dims())?;
    let mut dispatch = pass.begin_dispatch(&function);
    sums.buffer().write_arg((0, 0).into(), &mut dispatch)?;
    scale.buffer().write_arg((0, 1).into(), &mut dispatch)?;
    y.buffer().write_arg((0, 2).into(), &mut dispatch)?;
    dispatch.launch(y.len() as u32, [64, 1, 1])?;
    drop(pass);
    backend.submit(encoder)?;

    let sums = pollster::block_on(backend.slow_read_vec(sums.buffer()))?;
    let y = pollster::block_on(backend.slow_read_vec(y.buffer()))?;
    layer.check(&format!("vortx 0.5 (khal 0.4, wgpu 30) on {name}"), &sums, &y)
}
