//! Compares three ways from host memory to host memory, in turn: the ring of `Offload`, the naive way, and the CPU
//! path.
//!
//! `cargo bench --bench offload` asserts that all three have the same bits first. Columns: median time of a forward
//! pass with each, GB/s of the ring for the bytes of x and y, and how many times faster it is than the other two. The
//! naive way makes buffers for the whole tensor, writes, launches, copies, maps and copies again, with nothing
//! overlapping. `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose adapters, `cargo bench --bench offload -- 28` adds
//! tensors of 2^28 elements.
//!
//! Offloading pays where the link to the device is faster than the CPU's own way to its memory: hardly ever for one
//! activation. It is meant for data that is used on the device afterwards, and for convenience.

#[path = "common/adapters.rs"]
mod adapters;
mod common;

use common::{BEFORE, DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{
    Scalar, Unary, f16,
    gpu::Kernels,
    offload::{Offload, Target, block_on},
};
use std::{hint::black_box, time::Instant};

fn main() {
    let chosen = std::env::args().find_map(|argument| argument.parse().ok());
    // The short form takes several chunks too.
    let largest = chosen.unwrap_or(if is_short() { 22 } else { 26 });
    for adapter in adapters::adapters() {
        let offload = pollster::block_on(Offload::from_adapter(&adapter)).unwrap();
        let naive = Naive::new(&adapter);
        println!("\n{offload}, {DEFINITION}, forward");
        if !is_short() {
            println!(
                "{:<5}{:>10} {:>12} {:>8} {:>12} {:>7} {:>12} {:>7}",
                "type", "elements", "ring", "GB/s", "naive", "times", "CPU", "times"
            );
        }
        for exponent in (14..=largest).step_by(4).chain((largest % 4 != 2).then_some(largest)) {
            row::<f32>(&offload, &naive, 1 << exponent);
            row::<f16>(&offload, &naive, 1 << exponent);
        }
    }
}

fn row<T: Scalar>(offload: &Offload, naive: &Naive, len: usize) {
    let size = len * size_of::<T>();
    if size as u64 > naive.device.limits().max_buffer_size {
        return;
    }
    let cpu = block_on(Offload::new(Target::Cpu)).unwrap();
    let x: Vec<T> = (0..len)
        .map(|i| T::from_f32(((i * 7919) % 8001) as f32 / 1000.0 - 4.0))
        .collect();
    let mut outputs = [(); 3].map(|()| vec![T::from_f32(BEFORE); len]);
    let run = |way: usize, op: Unary, y: &mut [T]| match way {
        0 => block_on(offload.unary(op, black_box(&x), y)).unwrap(),
        1 => naive.run(op, black_box(&x), y),
        _ => block_on(cpu.unary(op, black_box(&x), y)).unwrap(),
    };
    let forward = Unary::Forward(DEFINITION);
    assert_results(&format!("{len} elements of {}", T::DTYPE), |computed| {
        let ways = ["ring", "naive way", "CPU path"]
            .into_iter()
            .zip(&mut outputs)
            .enumerate();
        let found = ways.map(|(way, (name, y))| {
            run(way, Unary::Forward(computed), y);
            (name, difference(forward, 0, y, |i| [x[i]; 3]))
        });
        found.collect()
    });
    if is_short() {
        return;
    }
    let mut times = [(); 3].map(|()| Vec::new());
    for _ in 0..(1 << 28 >> len.ilog2()).clamp(5, 51) {
        for (way, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            run(way, forward, &mut outputs[way]);
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let [ring, naive, cpu] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{:<5}{len:>10} {:>9.3} ms {:>8.2} {:>9.3} ms {:>7.2} {:>9.3} ms {:>7.2}",
        T::DTYPE.to_string(),
        ring * 1e3,
        2.0 * size as f64 / ring / 1e9,
        naive * 1e3,
        naive / ring,
        cpu * 1e3,
        cpu / ring,
    );
}

struct Naive {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
}

impl Naive {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let kernels = Kernels::new(&device).unwrap();
        Self { device, queue, kernels }
    }

    fn run<T: Scalar>(&self, op: Unary, x: &[T], y: &mut [T]) {
        use wgpu::BufferUsages as Usages;
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: size_of_val(x) as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let on_device = Usages::STORAGE | Usages::COPY_DST | Usages::COPY_SRC;
        let [tensor, staging] = [on_device, Usages::MAP_READ | Usages::COPY_DST].map(buffer);
        self.queue.write_buffer(&tensor, 0, bytemuck::cast_slice(x));
        let launch = self.kernels.unary(op, T::DTYPE, &tensor, &tensor).unwrap();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
        encoder.copy_buffer_to_buffer(&tensor, 0, &staging, 0, staging.size());
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        y.copy_from_slice(bytemuck::cast_slice(&staging.get_mapped_range(..).unwrap()));
    }
}
