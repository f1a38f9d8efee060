//! Runs the kernels on a version of wgpu that this crate doesn't depend on, by following the plan: what to compile, bind and
//! dispatch, as plain data. Any other WebGPU implementation can follow it in the same way.
//!
//! `cargo run --release -p hard-sigmoid-plan`

use hard_sigmoid::{
    Binary, DType, Difference, Element, HardSigmoid,
    plan::{Device, Kernel, Limits, Placement, Plan},
};
use wgpu29 as wgpu;
use wgpu29::util::DeviceExt;

const OP: Binary = Binary::Backward(HardSigmoid::PYTORCH);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;

    let x: Vec<f32> = (0..1_000_003).map(|i| (i as f32 - 500_000.0) * 1e-5).collect();
    let g: Vec<f32> = x.iter().map(|x| 1.0 + x * x).collect();
    let buffer = |contents: &[u8], usage| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents,
            usage,
        })
    };
    let storage = |values: &[f32]| {
        buffer(
            bytemuck::cast_slice(values),
            wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        )
    };
    let tensors = [storage(&x), storage(&g), storage(&vec![f32::NAN; x.len()])];

    // The plan depends on the device's limits.
    let has = device.limits();
    let limits = Limits {
        max_storage_buffers_per_shader_stage: has.max_storage_buffers_per_shader_stage,
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        min_storage_buffer_offset_alignment: has.min_storage_buffer_offset_alignment,
        max_compute_workgroups_per_dimension: has.max_compute_workgroups_per_dimension,
        max_compute_workgroup_storage_size: has.max_compute_workgroup_storage_size,
    };
    let kernel = Kernel::new(OP, DType::F32, Placement::Separate)?;
    let plan = Plan::new(kernel, x.len() as u64, &Device::new(limits)?)?;

    // A program would keep the module, and a pipeline for each entry point. This example runs once.
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(kernel.text().into()),
    });
    let pipeline = |entry_point| {
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        })
    };

    let mut encoder = device.create_command_encoder(&Default::default());
    let mut dispatches = 0;
    for part in plan.parts() {
        let params = buffer(bytemuck::bytes_of(&part.params), wgpu::BufferUsages::UNIFORM);
        let bound = part.bindings().iter().map(|binding| wgpu::BufferBinding {
            buffer: &tensors[binding.tensor],
            offset: binding.offset,
            size: wgpu::BufferSize::new(binding.size),
        });
        let bound: Vec<_> = bound.chain([params.as_entire_buffer_binding()]).collect();
        for dispatch in part.dispatches() {
            let pipeline = pipeline(dispatch.entry_point());
            let entries = (0..).zip(&bound).map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(buffer.clone()),
            });
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries.collect::<Vec<_>>(),
            });
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let [x, y, z] = dispatch.workgroups;
            pass.dispatch_workgroups(x, y, z);
            dispatches += 1;
        }
    }

    // Read back and compare every bit with the CPU path.
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: tensors[2].size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&tensors[2], 0, &staging, 0, staging.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapping"));
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let view = staging.get_mapped_range(..);
    let dx: &[f32] = bytemuck::cast_slice(&view);
    let is_wrong = |&i: &usize| {
        let element = Element {
            operands: [x[i], g[i], 0.0],
            before: 0.0,
            index: i as u64,
        };
        element.compare(OP, 0, dx[i]) == Difference::Wrong
    };
    let differing = (0..x.len()).filter(is_wrong).count();
    println!(
        "{}, wgpu 29: {} elements in {dispatches} dispatches, {differing} differ from the CPU path",
        adapter.get_info().name,
        x.len(),
    );
    if differing > 0 {
        return Err("the GPU's bits differ from the CPU path's".into());
    }
    Ok(())
}
