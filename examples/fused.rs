//! Uses the hard sigmoid inside a kernel of your own: y = hard_sigmoid(x + bias) in one dispatch, checked bit for bit.
//!
//! `cargo run --release --example fused`

use hard_sigmoid::{DType, HardSigmoid, Unary, wgsl};
use wgpu::util::DeviceExt;

/// The kernel, to be appended to the crate's function `forward`. x has rows of 64 elements, each with a bias of its own.
const KERNEL: &str = "
@group(0) @binding(0) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;

@compute @workgroup_size(64)
fn bias_hard_sigmoid(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) {
        let sum = bitcast<vec4<f32>>(y[id.x]) + bias[id.x % 16u];
        y[id.x] = forward(bitcast<vec4<u32>>(sum));
    }
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().len() > 1 {
        println!("usage: fused\n\nPuts a hard sigmoid into a kernel of its own, after a bias, and compares every bit.");
        return Ok(());
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None));
    let adapter = adapter.map_err(|error| format!("{error}. Install a GPU driver, such as Mesa's, or run cpu_only"))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let definition = HardSigmoid::PYTORCH;
    let x: Vec<f32> = (0..64 * 1000).map(|i| (i as f32 - 32_000.0) * 1.7e-4).collect();
    let bias: Vec<f32> = (0..64).map(|i| (i as f32 - 31.5) * 0.03).collect();

    let buffer = |contents: &[u8], usage| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents,
            usage,
        })
    };
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let on_device = buffer(bytemuck::cast_slice(&x), storage);
    let bias_on_device = buffer(bytemuck::cast_slice(&bias), storage);
    let function = wgsl::function(Unary::Forward(definition), DType::F32)?;
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("bias_hard_sigmoid"),
        source: wgpu::ShaderSource::Wgsl((function + KERNEL).into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("bias_hard_sigmoid"),
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let entry = |binding, buffer| wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(buffer),
    };
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            entry(0, bias_on_device.as_entire_buffer_binding()),
            entry(1, on_device.as_entire_buffer_binding()),
        ],
    });
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: on_device.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups((x.len() / 4).div_ceil(64) as u32, 1, 1);
    }
    encoder.copy_buffer_to_buffer(&on_device, 0, &staging, 0, on_device.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapping"));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let view = staging.get_mapped_range(..)?;
    let y: &[u32] = bytemuck::cast_slice(&view);

    let expected = x.iter().enumerate().map(|(i, x)| definition.forward(x + bias[i % 64]));
    let differing = y
        .iter()
        .zip(expected)
        .filter(|(y, expected)| **y != expected.to_bits())
        .count();
    let name = adapter.get_info().name;
    println!(
        "{name}: bias and {definition} over {} elements in one dispatch, {differing} differ from the CPU path",
        x.len()
    );
    if differing > 0 {
        return Err("the GPU's bits differ from the CPU path's".into());
    }
    Ok(())
}
