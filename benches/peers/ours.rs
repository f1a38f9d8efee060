//! Our side of `benches/peers/compare.py`, which times us and other implementations in turn. It answers a line on stdin
//! such as `cpu forward f32 1024 50` with the median of 50 runs, in seconds. `gpu 9 f32 1024 50` is a chain of nine
//! forward passes on the adapter that `WGPU_ADAPTER_NAME` and `WGPU_BACKEND` choose, from submission to completion.

#[path = "../common/adapters.rs"]
mod adapters;
#[path = "../common/mod.rs"]
mod common;

use common::{BEFORE, DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Op, Scalar, Unary, bf16, cpu, f16,
    gpu::{Kernels, Launch},
};
use std::{
    hint::black_box,
    io::{BufRead, Write},
    time::Instant,
};

fn main() {
    if is_short() {
        for pass in PASSES {
            on_cpu::<f32>(pass, 1 << 10, 1);
            on_cpu::<f16>(pass, 1 << 10, 1);
            on_cpu::<bf16>(pass, 1 << 10, 1);
        }
        let gpu = Gpu::new();
        for passes in [1, 9] {
            gpu.run(passes, 1 << 10, 1);
        }
        return;
    }
    if std::env::var_os("HARD_SIGMOID_PEERS").is_none() {
        println!("run benches/peers/compare.py, which calls this");
        return;
    }
    let mut gpu = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let [device, pass, element, len, rounds] = words[..] else {
            panic!("{line:?} isn't: device pass type elements rounds");
        };
        let (len, rounds) = (len.parse().unwrap(), rounds.parse().unwrap());
        let seconds = match (device, element.parse().unwrap()) {
            ("cpu", DType::F32) => on_cpu::<f32>(pass, len, rounds),
            ("cpu", DType::F16) => on_cpu::<f16>(pass, len, rounds),
            ("cpu", DType::Bf16) => on_cpu::<bf16>(pass, len, rounds),
            ("gpu", DType::F32) => {
                let passes = pass.parse().expect("how many passes");
                gpu.get_or_insert_with(Gpu::new).run(passes, len, rounds)
            }
            _ => panic!("{line:?}: the devices are cpu, and gpu with f32"),
        };
        println!("{seconds:e}");
        std::io::stdout().flush().unwrap();
    }
}

fn median(rounds: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn values<T: Scalar>(len: usize) -> Vec<T> {
    (0..len)
        .map(|i| T::from_f32(((i * 7919) % 8001) as f32 / 1000.0 - 4.0))
        .collect()
}

const PASSES: [&str; 3] = ["forward", "in_place", "backward"];

fn on_cpu<T: Scalar>(pass: &str, len: usize, rounds: usize) -> f64 {
    let pass = *PASSES
        .iter()
        .find(|&&known| known == pass)
        .expect("forward, in_place or backward");
    let (x, g): (Vec<T>, Vec<T>) = (values(len), values(len));
    let mut out = vec![T::from_f32(BEFORE); len];
    let run = |of: HardSigmoid, out: &mut [T]| {
        let (x, g, out) = (black_box(&x), black_box(&g), black_box(out));
        match pass {
            "forward" => cpu::unary(Unary::Forward(of), x, out),
            "in_place" => cpu::unary_in_place(Unary::Forward(of), out),
            _ => cpu::binary(Binary::Backward(of), x, g, out),
        }
        .unwrap();
    };
    let right: Op = match pass {
        "backward" => Binary::Backward(DEFINITION).into(),
        _ => Unary::Forward(DEFINITION).into(),
    };
    assert_results(&format!("{len} elements of {}", T::DTYPE), |computed| {
        if pass == "in_place" {
            out.copy_from_slice(&x);
        }
        run(computed, &mut out);
        vec![(pass, difference(right, 0, &out, |i| [x[i]; 3]))]
    });
    median(rounds, || run(DEFINITION, &mut out))
}

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
}

impl Gpu {
    fn new() -> Self {
        let adapter = &adapters::adapters()[0];
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let kernels = Kernels::new(&device).unwrap();
        Self { device, queue, kernels }
    }

    fn run(&self, passes: usize, len: usize, rounds: usize) -> f64 {
        use wgpu::BufferUsages as Usages;
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: len as u64 * 4,
                usage: usage | Usages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let storage = Usages::STORAGE | Usages::COPY_SRC;
        let [x, y, staging] = [storage, storage, Usages::MAP_READ].map(buffer);
        let submit = |encoder: wgpu::CommandEncoder| {
            self.queue.submit([encoder.finish()]);
            self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        };
        let launches = |of| {
            [(&x, &y), (&y, &x)].map(|(from, to)| {
                let launch = self.kernels.unary(Unary::Forward(of), DType::F32, from, to);
                launch.unwrap()
            })
        };
        let chain = |launches: &[Launch; 2]| {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for launch in launches.iter().cycle().take(passes) {
                launch.encode(&mut pass);
            }
            drop(pass);
            submit(encoder);
        };
        let given = values::<f32>(len);
        assert_results(&format!("{passes} passes on the device"), |computed| {
            self.queue.write_buffer(&x, 0, bytemuck::cast_slice(&given));
            chain(&launches(computed));
            let last = if passes.is_multiple_of(2) { &x } else { &y };
            let mut encoder = self.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(last, 0, &staging, 0, staging.size());
            submit(encoder);
            staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
            self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
            let actual: Vec<f32> = bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap()[..]);
            staging.unmap();
            let before_last = |i: usize| (1..passes).fold(given[i], |x, _| DEFINITION.forward(x));
            let found = difference(Unary::Forward(DEFINITION), 0, &actual, |i| [before_last(i); 3]);
            vec![("forward", found)]
        });
        let launches = launches(DEFINITION);
        median(rounds, || chain(&launches))
    }
}
