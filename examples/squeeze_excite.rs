//! Computes the activations of a squeeze-and-excitation block, as in MobileNetV3, in a program that owns its device: hard swish,
//! the gate of each channel, and both gradients, in one pass. Every bit is compared with the CPU path.
//!
//! Here the gate b is given. In a network it comes from the mean of h, so its gradient db flows back to h and adds to dh.
//!
//! `cargo run --release --example squeeze_excite`

use hard_sigmoid::{
    Binary, BroadcastGate, DType, HardSigmoid, Op, OpError, Unary, cpu,
    gpu::{Batch, Kernels},
};
use wgpu::util::DeviceExt;

/// The shape, with channels last. For channels first use `BroadcastGate::new(_, PIXELS, 1)`.
const IMAGES: usize = 8;
const PIXELS: usize = 14 * 14;
const CHANNELS: usize = 96;

const PYTORCH: HardSigmoid = HardSigmoid::PYTORCH;

/// y = h·hs(b) with h = hard_swish(z), and dz and db for a gradient g of y.
struct Results {
    y: Vec<f32>,
    dz: Vec<f32>,
    db: Vec<f32>,
}

fn on_the_cpu(gate: BroadcastGate, [z, b, g]: [&[f32]; 3]) -> Result<Results, OpError> {
    let [mut h, mut y, mut dh, mut dz] = [(); 4].map(|()| vec![0.0; z.len()]);
    let mut db = vec![0.0; b.len()];
    cpu::unary(Unary::HardSwish(PYTORCH), z, &mut h)?;
    cpu::gate_broadcast(gate, &h, b, &mut y)?;
    cpu::gate_broadcast_sums(gate, &h, b, g, &mut db)?;
    cpu::gate_broadcast(gate, g, b, &mut dh)?;
    cpu::binary(Binary::HardSwishBackward(PYTORCH), z, &dh, &mut dz)?;
    Ok(Results { y, dz, db })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().len() > 1 {
        println!(
            "usage: squeeze_excite\n\nRuns the activations of a squeeze-and-excitation block, and compares every bit."
        );
        return Ok(());
    }
    let numbers = |len: usize, step: usize| -> Vec<f32> {
        let number = |i: usize| (i * step % 8191) as f32 / 1024.0 - 4.0;
        (0..len).map(number).collect()
    };
    let len = IMAGES * PIXELS * CHANNELS;
    let (z, b, g) = (numbers(len, 7919), numbers(IMAGES * CHANNELS, 5003), numbers(len, 3571));

    // Your runtime has all of this already.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None));
    let adapter = adapter.map_err(|error| format!("{error}. Install a GPU driver, such as Mesa's, or run cpu_only"))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default()))?;
    let buffer = |contents: &[f32]| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(contents),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
    };
    let [z_buffer, b_buffer, g_buffer] = [&z, &b, &g].map(|values| buffer(values));
    let [h_buffer, y_buffer] = [(); 2].map(|()| buffer(&vec![0.0; len]));
    let db_buffer = buffer(&vec![0.0; b.len()]);

    // Create these once for each device and keep them.
    let kernels = Kernels::new(&device)?;
    let mut batch = Batch::new(&kernels)?;
    let gate = BroadcastGate::new(PYTORCH, PIXELS as u32, CHANNELS as u32)?;

    // At every step, with the shapes of that step. The tensors are the operands, followed by the results.
    let [z_, b_, g_, h, y, db] = [&z_buffer, &b_buffer, &g_buffer, &h_buffer, &y_buffer, &db_buffer].map(Into::into);
    let dtype = DType::F32;
    batch.clear();
    batch.add(Unary::HardSwish(PYTORCH), dtype, &[z_, h])?;
    batch.add(Op::GateBroadcast(gate), dtype, &[h, b_, y])?;
    // The sums first: dh replaces g, then dz replaces dh.
    batch.add(Op::GateBroadcastSums(gate), dtype, &[h, b_, g_, db])?;
    batch.add(Op::GateBroadcast(gate), dtype, &[g_, b_, g_])?;
    batch.add(Binary::HardSwishBackward(PYTORCH), dtype, &[z_, g_, g_])?;
    let mut encoder = device.create_command_encoder(&Default::default());
    batch
        .write(&queue)
        .encode_all(&mut encoder.begin_compute_pass(&Default::default()));

    // Your runtime submits and reads back.
    queue.submit([encoder.finish()]);
    let expected = on_the_cpu(gate, [&z, &b, &g])?;
    let mut differing = 0;
    for (buffer, expected) in [
        (&y_buffer, expected.y),
        (&g_buffer, expected.dz),
        (&db_buffer, expected.db),
    ] {
        let actual = read(&device, &queue, buffer);
        assert_eq!(actual.len(), expected.len());
        let pairs = actual.iter().zip(&expected);
        differing += pairs
            .filter(|(actual, expected)| actual.to_bits() != expected.to_bits())
            .count();
    }
    println!(
        "{}: {IMAGES} images of {PIXELS} pixels and {CHANNELS} channels through hard swish and gate, and back, in one pass; \
         {differing} of {} results differ from the CPU path",
        adapter.get_info().name,
        2 * len + b.len(),
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
