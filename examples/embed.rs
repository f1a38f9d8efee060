//! Runs the kernels in a program that owns its device, buffers, encoder and pass: a forward and a backward launch in one
//! pass, checked bit for bit against the CPU path.
//!
//! `cargo run --release --example embed`

use hard_sigmoid::{Binary, DType, HardSigmoid, Unary, gpu::Kernels};
use wgpu::util::DeviceExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().len() > 1 {
        println!(
            "usage: embed\n\nRuns the kernels in a program that owns its wgpu device, buffers and pass, and compares every bit."
        );
        return Ok(());
    }
    // Your runtime has all of this already.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None));
    let adapter = adapter.map_err(|error| format!("{error}. Install a GPU driver, such as Mesa's, or run cpu_only"))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let data: Vec<f32> = (0..100_003).map(|i| (i as f32 - 50_000.0) * 1e-4).collect();
    let buffer = |contents: &[f32]| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(contents),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
    };
    let (x, y, g) = (buffer(&data), buffer(&data), buffer(&vec![1.0; data.len()]));

    // Once for each device. Pipelines compile at their first launch unless you warm them up.
    let kernels = Kernels::new(&device)?;
    let (forward, backward) = (
        Unary::Forward(HardSigmoid::PYTORCH),
        Binary::Backward(HardSigmoid::PYTORCH),
    );
    kernels.warm_up([(forward, DType::F32)])?;
    // Once for these buffers, or slices of them. All errors occur here.
    let forward = kernels.unary(forward, DType::F32, &x, &y)?;
    let backward = kernels.binary(backward, DType::F32, &x, g.slice(..), g.slice(..))?; // dx over g
    // A launch may be encoded any number of times, in a pass that may hold other work.
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        forward.encode(&mut pass);
        backward.encode(&mut pass);
    }

    // Your runtime submits and reads back.
    queue.submit([encoder.finish()]);
    let results = [&y, &g].map(|buffer| read(&device, &queue, buffer));
    let differing = data
        .iter()
        .zip(results[0].iter().zip(&results[1]))
        .filter(|(x, (y, dx))| {
            let expected = (
                HardSigmoid::PYTORCH.forward(**x),
                HardSigmoid::PYTORCH.backward(**x, 1.0),
            );
            (y.to_bits(), dx.to_bits()) != (expected.0.to_bits(), expected.1.to_bits())
        });
    let differing = differing.count();
    println!(
        "{}: {} elements forward ({:?}) and backward ({:?}) in one pass, {differing} differ from the CPU path",
        adapter.get_info().name,
        data.len(),
        forward.kernel().placement(),
        backward.kernel().placement(),
    );
    if differing > 0 {
        return Err("the GPU's bits differ from the CPU path's".into());
    }
    Ok(())
}

fn read(device: &wgpu::Device, queue: &wgpu::Queue, buffer: &wgpu::Buffer) -> Vec<f32> {
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapping"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("waiting");
    bytemuck::cast_slice(&staging.get_mapped_range(..).expect("mapped")).to_vec()
}
