//! A layer in web-rwkv's graph: its matrix product, then a kernel of one's own that calls a function of hard-sigmoid.

#[path = "../../layer.rs"]
mod layer;

use half::f16;
use layer::{INPUTS, Layer, OUTPUTS, ROWS};
use web_rwkv::{
    context::{BindGroupBuilder, Context, ContextBuilder, Macros, PipelineKey},
    tensor::{
        TensorCpu, TensorGpu,
        kind::ReadWrite,
        ops::{Activation, TensorOp},
    },
    wgpu,
};

type Tensor<T> = TensorGpu<T, ReadWrite>;

/// web-rwkv's preprocessor replaces `BLOCK_SIZE`.
const KERNEL: &str = "
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(BLOCK_SIZE)
fn scaled_hard_swish(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) {
        y[id.x] = hard_swish(scale[id.x % arrayLength(&scale)] * sums[id.x]);
    }
}
";

/// `y = hard_swish(scale * sums)`, as an operation like those of web-rwkv.
fn scaled_hard_swish(
    context: &Context,
    sums: &Tensor<f32>,
    scale: &Tensor<f32>,
    y: &Tensor<f32>,
) -> Result<TensorOp, Box<dyn std::error::Error>> {
    const BLOCK_SIZE: u32 = 64;
    // The pipeline is cached by this key, which hasn't the text: another definition needs another name.
    let key = PipelineKey::new(
        "pytorch_scaled_hard_swish",
        "scaled_hard_swish",
        Macros::new().u32("BLOCK_SIZE", BLOCK_SIZE),
    );
    let pipeline = context.checkout_pipeline(
        &key,
        layer::text()? + KERNEL,
        &[sums.layout(0, true), scale.layout(1, true), y.layout(2, false)],
    );
    let bindings = BindGroupBuilder::new(&key, context, &pipeline.layout)
        .bind(0, sums)
        .bind(1, scale)
        .bind(2, y)
        .build();
    Ok(TensorOp::Atom {
        pipeline,
        bindings: vec![bindings],
        dispatch: [(y.len() as u32).div_ceil(BLOCK_SIZE), 1, 1],
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None))?;
    let context = pollster::block_on(ContextBuilder::new(adapter).build())?;

    // A shape begins with the dimension whose elements are neighbours.
    let layer = Layer::new();
    let halves: Vec<_> = layer.w.iter().map(|w| f16::from_f32(*w)).collect();
    let w: Tensor<f16> = context.tensor_from_data([INPUTS, OUTPUTS, 1, 1], halves)?;
    let x: Tensor<f32> = context.tensor_from_data([INPUTS, ROWS, 1, 1], &layer.x)?;
    let scale: Tensor<f32> = context.tensor_from_data([OUTPUTS, 1, 1, 1], &layer.scale)?;
    let [sums, y]: [Tensor<f32>; 2] = [(); 2].map(|()| context.tensor_init([OUTPUTS, ROWS, 1, 1]));
    let graph = TensorOp::List(vec![
        TensorOp::matmul_mat_fp16(&w, &x, &sums, Activation::None)?,
        scaled_hard_swish(&context, &sums, &scale, &y)?,
    ]);
    context.queue.submit(context.encode(&graph));

    let [sums, y]: [TensorCpu<f32>; 2] = [sums, y].map(|tensor| tensor.back_in_place());
    let runtime = format!("web-rwkv 0.10 (wgpu 29) on {}", context.adapter.get_info().name);
    // Its thread would free the device while the process ends, and drivers can crash then.
    std::mem::forget(context);
    layer.check(&runtime, &sums.to_vec(), &y.to_vec())
}
