//! Kernels on device-resident tensors compared with two copies of the same bytes, on every adapter that the environment
//! allows.
//!
//! `cargo bench --bench device` asserts each result against the CPU path first. Columns: median time of one launch,
//! GB/s of the bytes that must move (each tensor once), and its ratios to `copy_buffer_to_buffer` and to the simplest
//! WGSL copy kernel, which run in turn with it. Time is the device's own if it has timestamp queries, else from
//! submission to completion. `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose adapters, `cargo bench --bench device -- 28`
//! adds tensors of 2^28 elements.

use hard_sigmoid::{
    Binarization, Binary, BroadcastGate, HardSigmoid, Scalar, Unary, cpu, f16,
    gpu::{Kernels, Launch},
};
use std::time::Instant;

const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;
const DRAWS: Binarization = Binarization::stochastic(1, 0);

/// Four words per invocation, like ours.
const COPY: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * 256u + id.x;
    if i < arrayLength(&y) {
        y[i] = x[i];
    }
}";

fn main() {
    let largest = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(26);
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default().to_lowercase();
    for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
        if adapter.get_info().name.to_lowercase().contains(&wanted) {
            Bench::new(&adapter).run(largest);
        }
    }
}

struct Bench {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
    copy: wgpu::ComputePipeline,
    /// For a device that measures time itself: two queries, what they resolve to, and how many nanoseconds a tick
    /// takes.
    clock: Option<(wgpu::QuerySet, wgpu::Buffer, f64)>,
}

/// Something to time, recorded into an encoder.
type Work<'a> = &'a dyn Fn(&mut wgpu::CommandEncoder);

impl Bench {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let timestamps = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        // Software drivers write timestamps before they have done the work.
        let has_clock = adapter.features().contains(timestamps) && info.device_type != wgpu::DeviceType::Cpu;
        let descriptor = wgpu::DeviceDescriptor {
            required_features: if has_clock { timestamps } else { wgpu::Features::empty() },
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(COPY.into()),
        });
        let copy = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let clock = has_clock.then(|| {
            let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            });
            let resolved = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            (
                queries,
                buffer(&device, 256, resolved),
                f64::from(queue.get_timestamp_period()),
            )
        });
        println!(
            "\n{} ({:?}, {} {}), times by {}",
            info.name,
            info.backend,
            info.driver,
            info.driver_info,
            if clock.is_some() {
                "timestamp queries"
            } else {
                "the wall clock"
            }
        );
        let kernels = Kernels::new(&device).unwrap();
        Self {
            device,
            queue,
            kernels,
            copy,
            clock,
        }
    }

    fn run(&self, largest: u32) {
        println!(
            "{:<6}{:<18}{:>10} {:>12} {:>8} {:>8} {:>8}",
            "type", "kernel", "elements", "median", "GB/s", "of copy", "of WGSL"
        );
        for exponent in (10..=largest).step_by(4).chain((largest % 4 != 2).then_some(largest)) {
            self.rows::<f32>(1 << exponent);
            self.rows::<f16>(1 << exponent);
        }
    }

    fn rows<T: Scalar>(&self, len: usize) {
        let (size, element) = ((len * size_of::<T>()) as u64, T::DTYPE);
        if 4 * size > self.device.limits().max_buffer_size.min(8 << 30) {
            return;
        }
        let value = |i: usize| T::from_f32(((i * 7919) % 8001) as f32 / 1000.0 - 4.0);
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let [x, g, y, dx, bits] =
            [size, size, size, size, (size / 8).max(4)].map(|size| buffer(&self.device, size, storage));
        // Channels first and last, of images of 56 by 56 or so.
        let channels = 256.min(len as u32 / 4);
        let middle = |inner: u32| 4096.min(len as u32 / inner);
        let [nchw, nhwc] = [1, channels].map(|inner| BroadcastGate::new(DEFINITION, middle(inner), inner).unwrap());
        let of_b = |gate: BroadcastGate| size / u64::from(gate.middle());
        let db = buffer(&self.device, of_b(nhwc).max(of_b(nchw)), storage);
        let data: Vec<T> = (0..len).map(value).collect();
        self.queue.write_buffer(&x, 0, bytemuck::cast_slice(&data));
        self.queue.write_buffer(&g, 0, bytemuck::cast_slice(&data));

        let k = &self.kernels;
        let sign_bytes = (len / 8) as u64;
        let bits = bits.slice(..len.div_ceil(32) as u64 * 4);
        let gate = |gate: BroadcastGate| {
            let b = g.slice(..of_b(gate));
            k.gate_broadcast(gate, element, &x, b, &y).unwrap()
        };
        let gate_backward = |gate: BroadcastGate| {
            let [b, db] = [&g, &db].map(|buffer| buffer.slice(..of_b(gate)));
            k.gate_broadcast_backward(gate, element, &x, b, &g, &dx, db).unwrap()
        };
        let launches: [(_, Launch, u64); 10] = [
            (
                "forward",
                k.unary(Unary::Forward(DEFINITION), element, &x, &y).unwrap(),
                2 * size,
            ),
            (
                "backward",
                k.binary(Binary::Backward(DEFINITION), element, &x, &g, &dx).unwrap(),
                3 * size,
            ),
            (
                "hard_swish",
                k.unary(Unary::HardSwish(DEFINITION), element, &x, &y).unwrap(),
                2 * size,
            ),
            (
                "gate",
                k.binary(Binary::Gate(DEFINITION), element, &x, &g, &y).unwrap(),
                3 * size,
            ),
            (
                "binarize",
                k.unary(Unary::binarize(DRAWS, 1.0).unwrap(), element, &x, &y).unwrap(),
                2 * size,
            ),
            ("pack", k.pack(DRAWS, element, &x, bits).unwrap(), size + sign_bytes),
            ("gate nchw", gate(nchw), 2 * size + of_b(nchw)),
            ("gate nhwc", gate(nhwc), 2 * size + of_b(nhwc)),
            ("gate' nchw", gate_backward(nchw), 3 * size + 2 * of_b(nchw)),
            ("gate' nhwc", gate_backward(nhwc), 3 * size + 2 * of_b(nhwc)),
        ];
        for (name, launch, _) in &launches[..2] {
            self.time(&|encoder| launch.encode(&mut encoder.begin_compute_pass(&Default::default())));
            let (output, is_forward) = if *name == "forward" { (&y, true) } else { (&dx, false) };
            let expected = |x: f32| {
                if is_forward {
                    DEFINITION.forward(x)
                } else {
                    DEFINITION.backward(x, x)
                }
            };
            self.assert_starts(output, &data, expected);
        }

        for (gate, [forward, backward]) in [(nchw, [6, 8]), (nhwc, [7, 9])] {
            // Only as many rows as the CPU path computes quickly.
            let rows = (1 << 22 >> gate.row().ilog2()).clamp(1, len / gate.row() as usize);
            let (data, b) = (
                &data[..rows * gate.row() as usize],
                &data[..rows * gate.inner() as usize],
            );
            let (mut of_a, mut of_b) = (data.to_vec(), b.to_vec());
            for index in [forward, backward] {
                let launch = &launches[index].1;
                self.time(&|encoder| launch.encode(&mut encoder.begin_compute_pass(&Default::default())));
            }
            cpu::gate_broadcast(gate, data, b, &mut of_a).unwrap();
            self.assert_begins(&y, &of_a);
            cpu::gate_broadcast_backward(gate, data, b, data, &mut of_a, &mut of_b).unwrap();
            self.assert_begins(&dx, &of_a);
            self.assert_begins(&db, &of_b);
        }

        let (bind_group, groups) = self.copy_of(&x, &y, size);
        let rounds = (1 << 25 >> len.ilog2()).clamp(7, 101);
        for (name, launch, bytes) in &launches {
            let works: [Work; 3] = [
                &|encoder| launch.encode(&mut encoder.begin_compute_pass(&Default::default())),
                &|encoder| encoder.copy_buffer_to_buffer(&x, 0, &y, 0, size),
                &|encoder| {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&self.copy);
                    for bind_group in &bind_group {
                        pass.set_bind_group(0, bind_group, &[]);
                        pass.dispatch_workgroups(groups.0, groups.1, 1);
                    }
                },
            ];
            let mut times = [(); 3].map(|()| Vec::new());
            for round in 0..=rounds {
                for (work, times) in works.iter().zip(&mut times) {
                    let seconds = self.time(work);
                    // The first run warms up.
                    if round > 0 {
                        times.push(seconds);
                    }
                }
            }
            let [kernel, copy, wgsl] = times.map(|mut times| {
                times.sort_by(f64::total_cmp);
                times[times.len() / 2]
            });
            let rate = *bytes as f64 / kernel;
            let copies = 2.0 * size as f64;
            println!(
                "{:<6}{name:<18}{len:>10} {:>9.1} us {:>8.2} {:>8.2} {:>8.2}",
                element.to_string(),
                kernel * 1e6,
                rate / 1e9,
                rate * copy / copies,
                rate * wgsl / copies,
            );
        }
    }

    /// Bind groups of the copy kernel, as many as bindings are needed, and its grid.
    fn copy_of(&self, x: &wgpu::Buffer, y: &wgpu::Buffer, size: u64) -> (Vec<wgpu::BindGroup>, (u32, u32)) {
        let most = self.device.limits().max_storage_buffer_binding_size / 256 * 256;
        let part = size.min(most);
        let bind_groups = (0..size).step_by(part as usize).map(|offset| {
            let binding = |binding, buffer| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: wgpu::BufferSize::new(part.min(size - offset)),
                }),
            };
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.copy.get_bind_group_layout(0),
                entries: &[binding(0, x), binding(1, y)],
            })
        });
        let groups = (part / 16).div_ceil(256) as u32;
        let x = groups.min(4096);
        (bind_groups.collect(), (x, groups.div_ceil(x)))
    }

    /// Seconds that the work takes.
    fn time(&self, work: Work<'_>) -> f64 {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        match &self.clock {
            Some((queries, resolved, period)) => {
                // The timestamps are around the work rather than around its pass, since a copy has none.
                encoder.write_timestamp(queries, 0);
                work(&mut encoder);
                encoder.write_timestamp(queries, 1);
                encoder.resolve_query_set(queries, 0..2, resolved, 0);
                self.queue.submit([encoder.finish()]);
                let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&self.read(resolved, 16));
                (ticks[1] - ticks[0]) as f64 * period / 1e9
            }
            None => {
                work(&mut encoder);
                let commands = encoder.finish();
                let start = Instant::now();
                self.queue.submit([commands]);
                self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
                start.elapsed().as_secs_f64()
            }
        }
    }

    /// Compares the first elements, bit for bit.
    fn assert_starts<T: Scalar>(&self, output: &wgpu::Buffer, x: &[T], expected: impl Fn(f32) -> f32) {
        let len = x.len().min(1 << 16);
        let expected: Vec<T> = x[..len].iter().map(|x| T::from_f32(expected(x.to_f32()))).collect();
        self.assert_begins(output, &expected);
    }

    fn assert_begins<T: Scalar>(&self, output: &wgpu::Buffer, expected: &[T]) {
        let expected = bytemuck::cast_slice::<T, u8>(expected);
        let bytes = self.read(output, expected.len().next_multiple_of(4) as u64);
        assert!(bytes[..expected.len()] == *expected, "other bits than the CPU path");
    }

    fn read(&self, from: &wgpu::Buffer, size: u64) -> Vec<u8> {
        let staging = buffer(
            &self.device,
            size,
            wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        );
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        staging.get_mapped_range(..).unwrap().to_vec()
    }
}

fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}
