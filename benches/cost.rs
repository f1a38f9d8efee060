//! What the hard sigmoid costs compared with the functions that it replaces: the logistic sigmoid and tanh, on the CPU
//! and on every adapter.
//!
//! `cargo bench --bench cost` asserts results first. On the CPU: one core, 2^14 elements that stay in its cache, the
//! standard library's `exp` and `tanh`. On adapters: 2^22 elements in device memory, each kernel in turn with a copy of
//! the same bytes. `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose adapters.

#[path = "common/adapters.rs"]
mod adapters;
mod common;

use common::{DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{DType, Unary, cpu, gpu::Kernels};
use std::{hint::black_box, time::Instant};

const ROUNDS: usize = 15;
const NAMES: [&str; 4] = ["hard sigmoid", "logistic sigmoid", "tanh", "copy"];

fn main() {
    on_cpu();
    for adapter in adapters::adapters() {
        on_adapter(&adapter);
    }
}

/// Numbers in [-8, 8) that seem random.
fn inputs(len: usize) -> Vec<f32> {
    let bits = (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9));
    bits.map(|bits| bits as f32 / 2f32.powi(28) - 8.0).collect()
}

/// The median seconds of each function; they run in turn.
fn medians(works: [&mut dyn FnMut(); 4]) -> [f64; 4] {
    let mut times = [const { Vec::new() }; 4];
    for round in 0..=ROUNDS {
        for i in 0..works.len() {
            let start = Instant::now();
            works[i]();
            // The first run warms up.
            if round > 0 {
                times[i].push(start.elapsed().as_secs_f64());
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    })
}

fn report(seconds: [f64; 4], elements: usize) {
    for (name, time) in NAMES.into_iter().zip(seconds) {
        let (each, ours, copy) = (time * 1e9 / elements as f64, time / seconds[0], time / seconds[3]);
        println!("{name:<18} {each:>8.3} ns an element {ours:>7.2} of the hard sigmoid {copy:>7.2} of a copy");
    }
}

fn on_cpu() {
    const REPEATS: usize = 200;
    let x = inputs(1 << 14);
    let [mut a, mut b, mut c, mut d] = [const { Vec::new() }; 4].map(|_: Vec<f32>| vec![0.0_f32; x.len()]);
    assert_results("CPU", |computed| {
        cpu::unary(Unary::Forward(computed), &x, &mut a).unwrap();
        vec![("forward", difference(Unary::Forward(DEFINITION), 0, &a, |i| [x[i]; 3]))]
    });
    let logistic = |x: f32| 1.0 / (1.0 + (-x).exp());
    map(&x, &mut b, logistic);
    map(&x, &mut c, f32::tanh);
    for (i, &x) in x.iter().enumerate() {
        assert!((b[i] - 0.5 * (1.0 + (0.5 * x).tanh())).abs() < 1e-6 && c[i] == x.tanh());
    }
    if is_short() {
        return;
    }
    let repeated = |work: &mut dyn FnMut()| (0..REPEATS).for_each(|_| work());
    let seconds = medians([
        &mut || repeated(&mut || cpu::unary(Unary::Forward(DEFINITION), black_box(&x), &mut a).unwrap()),
        &mut || repeated(&mut || map(black_box(&x), &mut b, logistic)),
        &mut || repeated(&mut || map(black_box(&x), &mut c, f32::tanh)),
        &mut || repeated(&mut || black_box(&mut d).copy_from_slice(black_box(&x))),
    ]);
    println!("CPU, one core");
    report(seconds, REPEATS * x.len());
}

fn map(x: &[f32], y: &mut [f32], of: impl Fn(f32) -> f32) {
    x.iter().zip(y).for_each(|(&x, y)| *y = of(x));
}

/// A device with x and y.
struct Resident {
    device: wgpu::Device,
    queue: wgpu::Queue,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    staging: wgpu::Buffer,
}

fn on_adapter(adapter: &wgpu::Adapter) {
    let x = inputs(1 << if is_short() { 12 } else { 22 });
    let resident = Resident::new(adapter, &x);
    let kernels = Kernels::new(&resident.device).unwrap();
    let ours = |definition| {
        let forward = Unary::Forward(definition);
        let launch = kernels.unary(forward, DType::F32, &resident.x, &resident.y).unwrap();
        let resident = &resident;
        move || resident.run(&|pass| launch.encode(pass))
    };
    let [mut logistic, mut tanh, mut copy] = ["1.0 / (1.0 + exp(-v))", "tanh(v)", "v"].map(|of| resident.plain(of));
    let close = |of: fn(f32) -> f32| {
        let y = resident.results();
        assert!(y.iter().zip(&x).all(|(y, &x)| (y - of(x)).abs() < 1e-3));
    };
    let info = adapter.get_info();
    let name = format!("{} ({:?})", info.name, info.backend);
    assert_results(&name, |computed| {
        ours(computed)();
        let found = difference(Unary::Forward(DEFINITION), 0, &resident.results(), |i| [x[i]; 3]);
        vec![("forward", found)]
    });
    logistic();
    close(|x| 1.0 / (1.0 + (-x).exp()));
    tanh();
    close(f32::tanh);
    copy();
    assert_eq!(resident.results(), x);
    if is_short() {
        return;
    }
    println!("{name}");
    let mut ours = ours(DEFINITION);
    report(medians([&mut ours, &mut logistic, &mut tanh, &mut copy]), x.len());
}

impl Resident {
    fn new(adapter: &wgpu::Adapter, x: &[f32]) -> Self {
        let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4 * x.len() as u64,
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let [of_x, y, staging] = [storage, storage, wgpu::BufferUsages::MAP_READ].map(buffer);
        queue.write_buffer(&of_x, 0, bytemuck::cast_slice(x));
        Self {
            device,
            queue,
            x: of_x,
            y,
            staging,
        }
    }

    fn submit(&self, encoder: wgpu::CommandEncoder) {
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    }

    fn run(&self, record: &dyn Fn(&mut wgpu::ComputePass)) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        record(&mut encoder.begin_compute_pass(&Default::default()));
        self.submit(encoder);
    }

    /// The plainest kernel of `of`, an expression of `v`: four elements per invocation, like ours.
    fn plain(&self, of: &str) -> impl FnMut() {
        let text = format!(
            "@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
             @group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
             @compute @workgroup_size(256) fn run(@builtin(global_invocation_id) id: vec3<u32>) {{
                 if id.x < arrayLength(&y) {{
                     let v = x[id.x];
                     y[id.x] = {of};
                 }}
             }}"
        );
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[(0, &self.x), (1, &self.y)].map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            }),
        });
        let groups = (self.x.size() / 16).div_ceil(256) as u32;
        move || {
            self.run(&|pass| {
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &bind_group, &[]);
                pass.dispatch_workgroups(groups, 1, 1);
            });
        }
    }

    fn results(&self) -> Vec<f32> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.y, 0, &self.staging, 0, self.staging.size());
        self.submit(encoder);
        self.staging
            .map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let read = bytemuck::pod_collect_to_vec(&self.staging.get_mapped_range(..).unwrap()[..]);
        self.staging.unmap();
        read
    }
}
