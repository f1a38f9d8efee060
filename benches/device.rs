//! Kernels on device-resident tensors compared with two copies of the same bytes, on every adapter that the environment
//! allows.
//!
//! `cargo bench --bench device` asserts each result against the CPU path first. Columns: median time of one launch,
//! GB/s of the bytes that must move (each tensor once), and its ratios to `copy_buffer_to_buffer` and to the simplest
//! WGSL copy kernel, which run in turn with it. Time is the device's own if it has timestamp queries, else from
//! submission to completion. `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose adapters, `cargo bench --bench device -- 28`
//! adds tensors of 2^28 elements.

#[path = "common/adapters.rs"]
mod adapters;
mod common;

use common::{DEFINITION, Found, assert_results, difference, is_short};
use hard_sigmoid::{
    Binarization, Binary, Broadcast, BroadcastGate, DType, HardSigmoid, Op, Quantization, Quantized, QuantizedGate,
    Rounding, Scalar, Unary, cpu, f16,
    gpu::{Kernels, Launch},
};
use std::time::Instant;

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
    let chosen = std::env::args().find_map(|argument| argument.parse().ok());
    let largest = chosen.unwrap_or(if is_short() { 14 } else { 26 });
    for adapter in adapters::adapters() {
        Bench::new(&adapter).run(largest);
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

fn encode(launches: &[Launch], encoder: &mut wgpu::CommandEncoder) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for launch in launches {
        launch.encode(&mut pass);
    }
}

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
        if !is_short() {
            println!(
                "{:<6}{:<18}{:>10} {:>12} {:>8} {:>8} {:>8}",
                "type", "kernel", "elements", "median", "GB/s", "of copy", "of WGSL"
            );
        }
        for exponent in (10..=largest).step_by(4).chain((largest % 4 != 2).then_some(largest)) {
            self.rows::<f32>(1 << exponent);
            self.rows::<f16>(1 << exponent);
            self.rows_of_bytes(1 << exponent);
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
        let gates = |of| [1, channels].map(|inner| BroadcastGate::new(of, middle(inner), inner).unwrap());
        let [nchw, nhwc] = gates(DEFINITION);
        let of_b = |gate: BroadcastGate| size / u64::from(gate.middle());
        let db = buffer(&self.device, of_b(nhwc).max(of_b(nchw)), storage);
        // The first numbers, which are the gates of whole channels, are between the kinks.
        let data: Vec<T> = (13..len + 13).map(value).collect();
        self.queue.write_buffer(&x, 0, bytemuck::cast_slice(&data));
        self.queue.write_buffer(&g, 0, bytemuck::cast_slice(&data));

        let k = &self.kernels;
        let sign_bytes = (len / 8) as u64;
        let bits = bits.slice(..len.div_ceil(32) as u64 * 4);
        let gate = |gate: BroadcastGate| {
            let b = g.slice(..of_b(gate));
            vec![k.gate_broadcast(gate, element, &x, b, &y).unwrap()]
        };
        let gate_backward = |gate: BroadcastGate| {
            let [b, db] = [&g, &db].map(|buffer| buffer.slice(..of_b(gate)));
            vec![
                k.gate_broadcast_sums(gate, element, &x, b, &g, db).unwrap(),
                k.gate_broadcast(gate, element, &g, b, &dx).unwrap(),
            ]
        };
        let unary = |op, y| vec![k.unary(op, element, &x, y).unwrap()];
        let binary = |op, second, out| vec![k.binary(op, element, &x, second, out).unwrap()];
        let launches = |of: HardSigmoid| -> [(_, Vec<Launch>, u64); 10] {
            let [nchw, nhwc] = gates(of);
            [
                ("forward", unary(Unary::Forward(of), &y), 2 * size),
                ("backward", binary(Binary::Backward(of), &g, &dx), 3 * size),
                ("hard_swish", unary(Unary::HardSwish(of), &y), 2 * size),
                ("gate", binary(Binary::Gate(of), &g, &y), 3 * size),
                ("binarize", unary(signs(of), &y), 2 * size),
                (
                    "pack",
                    vec![k.pack(draws(of), element, &x, bits).unwrap()],
                    size + sign_bytes,
                ),
                ("gate nchw", gate(nchw), 2 * size + of_b(nchw)),
                ("gate nhwc", gate(nhwc), 2 * size + of_b(nhwc)),
                ("gate' nchw", gate_backward(nchw), 3 * size + 2 * of_b(nchw)),
                ("gate' nhwc", gate_backward(nhwc), 3 * size + 2 * of_b(nhwc)),
            ]
        };
        assert_results(&format!("{len} elements of {element}"), |computed| {
            let launches = launches(computed);
            let run = |index: usize| {
                let (name, launches, _): &(&'static str, Vec<Launch>, u64) = &launches[index];
                self.time(&|encoder| encode(launches, encoder));
                *name
            };
            let ops: [(Op, &wgpu::Buffer); 5] = [
                (Unary::Forward(DEFINITION).into(), &y),
                (Binary::Backward(DEFINITION).into(), &dx),
                (Unary::HardSwish(DEFINITION).into(), &y),
                (Binary::Gate(DEFINITION).into(), &y),
                (signs(DEFINITION).into(), &y),
            ];
            let compared = len.min(1 << 16);
            let mut found: Found = vec![];
            for (index, (op, output)) in ops.into_iter().enumerate() {
                let name = run(index);
                let actual: Vec<T> = self.read(output, compared);
                found.push((name, difference(op, 0, &actual, |i| [data[i]; 3])));
            }
            let name = run(5);
            let mut packed = vec![0; compared / 32];
            cpu::pack(draws(DEFINITION), &data[..compared], &mut packed).unwrap();
            let bits = self.read(bits.buffer(), packed.len());
            found.push((name, first_difference(&bits, &packed)));
            for (gate, [forward, backward]) in gates(DEFINITION).into_iter().zip([[6, 8], [7, 9]]) {
                // Only as many rows as the CPU path computes quickly.
                let rows = (1 << 22 >> gate.row().ilog2()).clamp(1, len / gate.row() as usize);
                let (data, b) = (
                    &data[..rows * gate.row() as usize],
                    &data[..rows * gate.inner() as usize],
                );
                let (mut of_a, mut of_b) = (data.to_vec(), b.to_vec());
                let name = run(forward);
                cpu::gate_broadcast(gate, data, b, &mut of_a).unwrap();
                found.push((name, first_difference(&self.read(&y, of_a.len()), &of_a)));
                let name = run(backward);
                // g holds what a holds, so `of_a` is the other gradient too.
                cpu::gate_broadcast_sums(gate, data, b, data, &mut of_b).unwrap();
                found.push((name, first_difference(&self.read(&dx, of_a.len()), &of_a)));
                found.push((name, first_difference(&self.read(&db, of_b.len()), &of_b)));
            }
            found
        });
        if is_short() {
            return;
        }

        self.measure(element, len, [&x, &y], &launches(DEFINITION));
    }

    /// Look-ups of the hard swish of quantized tensors, and of gates.
    fn rows_of_bytes(&self, len: usize) {
        let size = len as u64;
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let [x, y, table] = [size, size, 1 << 16].map(|size| buffer(&self.device, size, storage));
        // The first numbers, which are the gates of whole channels, are between the kinks.
        let data: Vec<u8> = (0..len).map(|i| (150 + ((i * 7919) >> 3)) as u8).collect();
        self.queue.write_buffer(&x, 0, &data);
        let channels = 256.min(len as u32 / 4);
        let shapes = [1, channels].map(|inner| Broadcast::new(4096.min(len as u32 / inner), inner).unwrap());
        let b = |shape: Broadcast| x.slice(..size / u64::from(shape.middle()));
        let k = &self.kernels;
        let gate = |shape| {
            let tensors = [(&x).into(), b(shape).into(), (&table).into(), (&y).into()];
            vec![k.prepare(Op::LookupGate(shape), DType::U8, &tensors).unwrap()]
        };
        let tensors = [(&x).into(), table.slice(..256).into(), (&y).into()];
        let lookup = vec![k.prepare(Op::Lookup, DType::U8, &tensors).unwrap()];
        let of_b = |shape: Broadcast| 2 * size + size / u64::from(shape.middle());
        let [nchw, nhwc] = shapes;
        let launches = [
            ("lookup", lookup, 2 * size),
            ("gate nchw", gate(nchw), of_b(nchw)),
            ("gate nhwc", gate(nhwc), of_b(nhwc)),
        ];
        assert_results(&format!("{len} elements of u8"), |computed| {
            let of = Quantization::u8(1.0 / 32.0, 128).unwrap();
            let unary = |of_op| {
                Quantized::new(Unary::HardSwish(of_op), of, of, Rounding::Onnx)
                    .unwrap()
                    .table()
            };
            let gate = |of_gate| {
                QuantizedGate {
                    definition: of_gate,
                    a: of,
                    b: of,
                    h: Quantization::u8(1.0 / 256.0, 0).unwrap(),
                    y: of,
                    is_fused: false,
                }
                .table()
            };
            let run = |index: usize, table_of: &[u8]| {
                let (name, launches, _): &(&'static str, Vec<Launch>, u64) = &launches[index];
                self.queue.write_buffer(&table, 0, table_of);
                self.time(&|encoder| encode(launches, encoder));
                (*name, self.read::<u8>(&y, len))
            };
            let mut expected = vec![0; len];
            let (name, actual) = run(0, &unary(computed));
            cpu::lookup(&unary(DEFINITION), &data, &mut expected).unwrap();
            let mut found: Found = vec![(name, first_difference(&actual, &expected))];
            for (index, shape) in [(1, nchw), (2, nhwc)] {
                let (name, actual) = run(index, &gate(computed));
                let b = &data[..len / shape.middle() as usize];
                cpu::lookup_gate(shape, &gate(DEFINITION), &data, b, &mut expected).unwrap();
                found.push((name, first_difference(&actual, &expected)));
            }
            found
        });
        if !is_short() {
            self.measure(DType::U8, len, [&x, &y], &launches);
        }
    }

    /// Prints the time of each launch, beside those of copies from x to y.
    fn measure(&self, element: DType, len: usize, [x, y]: [&wgpu::Buffer; 2], launches: &[(&str, Vec<Launch>, u64)]) {
        let size = len as u64 * element.size();
        let (bind_group, groups) = self.copy_of(x, y, size);
        let rounds = (1 << 25 >> len.ilog2()).clamp(7, 101);
        for (name, launches, bytes) in launches {
            let works: [Work; 3] = [
                &|encoder| encode(launches, encoder),
                &|encoder| encoder.copy_buffer_to_buffer(x, 0, y, 0, size),
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
                let ticks: Vec<u64> = self.read(resolved, 2);
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

    /// The first elements of a buffer.
    fn read<T: bytemuck::Pod>(&self, from: &wgpu::Buffer, len: usize) -> Vec<T> {
        let bytes = len * size_of::<T>();
        let size = bytes.next_multiple_of(4) as u64;
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
        bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap()[..bytes])
    }
}

fn first_difference<T: bytemuck::Pod>(actual: &[T], expected: &[T]) -> Option<usize> {
    let differs = |(a, b): (&T, &T)| bytemuck::bytes_of(a) != bytemuck::bytes_of(b);
    actual.iter().zip(expected).position(differs)
}

/// Random signs, which depend on the definition only to be wrong with a wrong one.
fn draws(of: HardSigmoid) -> Binarization {
    Binarization::stochastic(if of == DEFINITION { 1 } else { 2 }, 0)
}

fn signs(of: HardSigmoid) -> Unary {
    Unary::binarize(draws(of), 1.0).unwrap()
}

fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage,
        mapped_at_creation: false,
    })
}
