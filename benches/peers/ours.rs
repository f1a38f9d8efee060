//! Our side of `benches/peers/compare.py`, which times us and other implementations in turn. It answers a line on stdin
//! such as `cpu forward f32 1024 50` with the median of 50 runs, in seconds. `gpu 9 f32 1024 50` is a chain of nine
//! forward passes on the adapter that `WGPU_ADAPTER_NAME` and `WGPU_BACKEND` choose, from submission to completion.

use hard_sigmoid::{Binary, DType, HardSigmoid, Scalar, Unary, bf16, cpu, f16, gpu::Kernels};
use std::{
    hint::black_box,
    io::{BufRead, Write},
    time::Instant,
};

const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

fn main() {
    if std::env::args().any(|argument| argument == "--bench") && std::env::var_os("HARD_SIGMOID_PEERS").is_none() {
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

fn on_cpu<T: Scalar>(pass: &str, len: usize, rounds: usize) -> f64 {
    let mut x: Vec<T> = values(len);
    let mut out = vec![T::from_f32(7.0); len];
    let check = |out: &[T], expected: &dyn Fn(f32) -> f32| {
        for (out, x) in out.iter().zip(values::<T>(len)) {
            let expected = T::from_f32(expected(x.to_f32()));
            assert_eq!(bytemuck::bytes_of(out), bytemuck::bytes_of(&expected));
        }
    };
    match pass {
        "forward" => {
            let seconds = median(rounds, || {
                cpu::unary(Unary::Forward(DEFINITION), black_box(&x), black_box(&mut out)).unwrap()
            });
            check(&out, &|x| DEFINITION.forward(x));
            seconds
        }
        "in_place" => median(rounds, || {
            cpu::unary_in_place(Unary::Forward(DEFINITION), black_box(&mut x)).unwrap()
        }),
        "backward" => {
            let g = x.clone();
            let seconds = median(rounds, || {
                cpu::binary(
                    Binary::Backward(DEFINITION),
                    black_box(&x),
                    black_box(&g),
                    black_box(&mut out),
                )
                .unwrap()
            });
            check(&out, &|x| DEFINITION.backward(x, x));
            seconds
        }
        _ => panic!("{pass} is no pass"),
    }
}

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
}

impl Gpu {
    fn new() -> Self {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default().to_lowercase();
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let adapter = adapters
            .iter()
            .find(|adapter| adapter.get_info().name.to_lowercase().contains(&wanted))
            .expect("no adapter");
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
        let [x, y] = [(); 2].map(|()| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: len as u64 * 4,
                usage: Usages::STORAGE | Usages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        self.queue
            .write_buffer(&x, 0, bytemuck::cast_slice(&values::<f32>(len)));
        let launches = [(&x, &y), (&y, &x)].map(|(from, to)| {
            let launch = self.kernels.unary(Unary::Forward(DEFINITION), DType::F32, from, to);
            launch.unwrap()
        });
        median(rounds, || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for launch in launches.iter().cycle().take(passes) {
                launch.encode(&mut pass);
            }
            drop(pass);
            self.queue.submit([encoder.finish()]);
            self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        })
    }
}
