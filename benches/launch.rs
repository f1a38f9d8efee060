//! What a launch costs the host, compared with the same calls to wgpu written by hand.
//!
//! `cargo bench --bench launch` asserts results first. Each row is the median of runs in turn, ours and by hand: a
//! pipeline, a bind group of the same three buffers, and a dispatch of the same shader. The last rows are a step of 100
//! launches on tensors of a pool, whose lengths and places change at every step; by hand it takes one bind group with
//! dynamic offsets and one buffer of parameters, which is written at once. The bench runs on the adapter that
//! `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose.
//!
//! A second table has what the first launch costs, and whose time it is: the text is ours, the module naga's (parsing and
//! validation), the pipelines naga's SPIR-V and the driver's code. With Mesa, set `MESA_SHADER_CACHE_DISABLE=true`: what is cached
//! on the disk costs less.

mod common;

use common::{DEFINITION, assert_results, difference, is_short};
use hard_sigmoid::{
    DType, HardSigmoid, Op, Unary,
    gpu::{Batch, BufferRange, Kernels},
    plan::Kernel,
    wgsl,
};
use std::{cell::RefCell, time::Instant};
use wgpu::util::DeviceExt;

const LEN: usize = 1024;
const LAUNCHES: usize = 1000;
const ROUNDS: usize = 41;

/// The launches of a step, the bytes of a pool, and the size of a tensor's place in it.
const STEP: usize = 100;
const POOL: u64 = 4 << 20;
const PLACE: u64 = 32 << 10;

const BY_HAND: &str = "
struct Mine {
    len: u32,
}
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> mine: Mine;
@compute @workgroup_size(256)
fn by_hand(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < mine.len / 4u {
        let v = x[id.x];
        y[id.x] = vec4(hard_sigmoid(v.x), hard_sigmoid(v.y), hard_sigmoid(v.z), hard_sigmoid(v.w));
    }
}";

/// The words of `Mine`, as many as GL drivers want.
fn mine(len: usize) -> [u32; 4] {
    [len as u32, 0, 0, 0]
}

fn main() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None)).unwrap();
    let device = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let info = adapter.get_info();
    println!(
        "{} ({:?}, {} {})",
        info.name, info.backend, info.driver, info.driver_info
    );
    assert_results("launch", |computed| {
        let single = Single::new(&device, computed);
        let pool = Pool::new(&device, computed);
        vec![
            ("ours", single.compare(&|pass| single.prepare().encode(pass))),
            (
                "by hand",
                single.compare(&|pass| single.encode_by_hand(pass, &single.bind_by_hand())),
            ),
            ("a batch", pool.step(1, &|pass| pool.ours(1, pass)).difference),
            ("a step by hand", pool.step(2, &|pass| pool.by_hand(2, pass)).difference),
        ]
    });
    if is_short() {
        for (_, ops) in first_uses() {
            first_use(&adapter, &ops);
        }
        return;
    }

    let single = Single::new(&device, DEFINITION);
    let (launch, bind_group) = (single.prepare(), single.bind_by_hand());
    let mut times = [(); 6].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let encoded = single.time(&|pass| launch.encode(pass));
        let encoded_by_hand = single.time(&|pass| single.encode_by_hand(pass, &bind_group));
        let [prepared, _] = single.time(&|pass| single.prepare().encode(pass));
        let [prepared_by_hand, _] = single.time(&|pass| single.encode_by_hand(pass, &single.bind_by_hand()));
        let all = [
            encoded[0],
            encoded_by_hand[0],
            prepared,
            prepared_by_hand,
            encoded[1],
            encoded_by_hand[1],
        ];
        for (times, seconds) in times.iter_mut().zip(all) {
            // The first run warms up.
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let pool = Pool::new(&device, DEFINITION);
    let mut steps = [(); 6].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let ours = pool.step(round, &|pass| pool.ours(round, pass));
        let by_hand = pool.step(round, &|pass| pool.by_hand(round, pass));
        assert_eq!((ours.difference, by_hand.difference), (None, None));
        let all = [
            ours.recorded,
            by_hand.recorded,
            ours.submitted,
            by_hand.submitted,
            ours.recorded + ours.submitted,
            by_hand.recorded + by_hand.submitted,
        ];
        for (times, seconds) in steps.iter_mut().zip(all) {
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let median = |mut times: Vec<f64>, launches: usize| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / launches as f64 * 1e6
    };
    let medians = times.map(|times| median(times, LAUNCHES));
    let of_steps = steps.map(|times| median(times, STEP));
    println!(
        "{:<46}{:>10} {:>10} {:>7}",
        "for each launch of 1024 elements", "ours", "by hand", "ratio"
    );
    for (what, pair) in [
        "encode",
        "prepare + encode",
        "encode, submit, complete (1000 in one pass)",
        "a step's launch: check, write, encode, finish",
        "a step's launch: submit",
        "a step's launch in all",
    ]
    .into_iter()
    .zip(medians.chunks(2).chain(of_steps.chunks(2)))
    {
        println!(
            "{what:<46}{:>7.2} us {:>7.2} us {:>7.2}",
            pair[0],
            pair[1],
            pair[0] / pair[1]
        );
    }
    print_first_uses(&adapter);
}

/// Devices on which kernels are compiled.
const FIRST_ROUNDS: usize = 5;

/// Seconds for the texts, the modules and the pipelines one after the other, and for `warm_up`.
type FirstUse = [f64; 4];

/// What a first use may compile.
fn first_uses() -> [(&'static str, Vec<(Op, DType)>); 2] {
    let forward = vec![(Op::from(Unary::Forward(DEFINITION)), DType::F32)];
    let of_dtypes = |op: Op| op.dtypes().iter().map(move |&dtype| (op, dtype));
    let all = Op::all(DEFINITION).into_iter().flat_map(of_dtypes).collect();
    [("forward in f32", forward), ("every operation and type", all)]
}

fn print_first_uses(adapter: &wgpu::Adapter) {
    println!(
        "{:<26}{:>8} {:>11} {:>11} {:>11} {:>11}",
        "first use", "kernels", "text", "modules", "pipelines", "warm_up"
    );
    for (name, ops) in first_uses() {
        let rounds: Vec<FirstUse> = (0..FIRST_ROUNDS).map(|_| first_use(adapter, &ops)).collect();
        let milliseconds = |i: usize| {
            let mut times: Vec<f64> = rounds.iter().map(|seconds| seconds[i]).collect();
            times.sort_by(f64::total_cmp);
            times[FIRST_ROUNDS / 2] * 1e3
        };
        print!("{name:<26}{:>8}", kernels(&ops).count());
        println!(
            " {:>8.2} ms {:>8.2} ms {:>8.2} ms {:>8.2} ms",
            milliseconds(0),
            milliseconds(1),
            milliseconds(2),
            milliseconds(3)
        );
    }
}

fn kernels(ops: &[(Op, DType)]) -> impl Iterator<Item = Kernel> {
    ops.iter()
        .flat_map(|&(op, dtype)| Kernel::all(op).filter(move |kernel| kernel.dtype() == dtype))
}

/// Compiles on new devices, and returns what took the time.
fn first_use(adapter: &wgpu::Adapter, ops: &[(Op, DType)]) -> FirstUse {
    let (device, _queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let mut seconds = [0.0; 4];
    for kernel in kernels(ops) {
        let start = Instant::now();
        let text = kernel.text();
        seconds[0] += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        seconds[1] += start.elapsed().as_secs_f64();
        let start = Instant::now();
        for stage in kernel.stages() {
            let _pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some(stage.entry_point()),
                compilation_options: Default::default(),
                cache: None,
            });
        }
        seconds[2] += start.elapsed().as_secs_f64();
    }
    let (device, _queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let start = Instant::now();
    let compiled = Kernels::new(&device).unwrap();
    compiled.warm_up(ops.iter().copied()).unwrap();
    seconds[3] = start.elapsed().as_secs_f64();
    seconds
}

fn module(device: &wgpu::Device, definition: HardSigmoid) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(
            (wgsl::scalar(Unary::Forward(definition), &Default::default()).unwrap() + BY_HAND).into(),
        ),
    })
}

/// A buffer's contents.
fn read(device: &wgpu::Device, queue: &wgpu::Queue, from: &wgpu::Buffer) -> Vec<f32> {
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: from.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(from, 0, &staging, 0, from.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap()[..])
}

/// Launches on one tensor.
struct Single<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    kernels: Kernels,
    forward: Unary,
    values: Vec<f32>,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl<'a> Single<'a> {
    fn new((device, queue): &'a (wgpu::Device, wgpu::Queue), definition: HardSigmoid) -> Self {
        let values: Vec<f32> = (0..LEN).map(|i| i as f32 * 0.01 - 5.0).collect();
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let [x, y] = [(); 2].map(|()| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents: bytemuck::cast_slice(&values),
                usage: storage | wgpu::BufferUsages::COPY_DST,
            })
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module(device, definition),
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        Self {
            device,
            queue,
            kernels: Kernels::new(device).unwrap(),
            forward: Unary::Forward(definition),
            values,
            x,
            y,
            layout: pipeline.get_bind_group_layout(0),
            pipeline,
        }
    }

    fn prepare(&self) -> hard_sigmoid::gpu::Launch {
        self.kernels.unary(self.forward, DType::F32, &self.x, &self.y).unwrap()
    }

    fn bind_by_hand(&self) -> wgpu::BindGroup {
        let params = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::bytes_of(&mine(LEN)),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let entries = [&self.x, &self.y, &params].map(|buffer| buffer.as_entire_binding());
        let entries: Vec<_> = (0..)
            .zip(entries)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &entries,
        })
    }

    fn encode_by_hand(&self, pass: &mut wgpu::ComputePass<'_>, bind_group: &wgpu::BindGroup) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups((LEN as u32 / 4).div_ceil(256), 1, 1);
    }

    fn finish(&self, encoder: wgpu::CommandEncoder) {
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    }

    /// The first element that is wrong after one launch.
    fn compare(&self, record: &dyn Fn(&mut wgpu::ComputePass<'_>)) -> Option<usize> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.y, 0, None);
        record(&mut encoder.begin_compute_pass(&Default::default()));
        self.finish(encoder);
        let actual = read(self.device, self.queue, &self.y);
        difference(Unary::Forward(DEFINITION), 0, &actual, |i| [self.values[i]; 3])
    }

    /// The seconds that `LAUNCHES` calls take in one pass, and the seconds until the device has done them.
    fn time(&self, record: &dyn Fn(&mut wgpu::ComputePass<'_>)) -> [f64; 2] {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let start = Instant::now();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..LAUNCHES {
            record(&mut pass);
        }
        let recorded = start.elapsed().as_secs_f64();
        drop(pass);
        self.finish(encoder);
        [recorded, start.elapsed().as_secs_f64()]
    }
}

/// The tensors of a step, in two pools.
struct Pool<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    forward: Unary,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    params: wgpu::Buffer,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    batch: RefCell<Batch>,
}

/// A step's seconds, and the first element that is wrong after it.
struct Step {
    recorded: f64,
    submitted: f64,
    difference: Option<usize>,
}

impl<'a> Pool<'a> {
    fn new((device, queue): &'a (wgpu::Device, wgpu::Queue), definition: HardSigmoid) -> Self {
        let buffer = |size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let [x, y] = [(); 2].map(|()| buffer(POOL, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC));
        let values: Vec<f32> = (0..POOL / 4).map(Self::value).collect();
        queue.write_buffer(&x, 0, bytemuck::cast_slice(&values));
        let params = buffer(256 * STEP as u64, wgpu::BufferUsages::UNIFORM);
        let dynamic = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: true,
                min_binding_size: None,
            },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[
                dynamic(0, storage(true)),
                dynamic(1, storage(false)),
                dynamic(2, wgpu::BufferBindingType::Uniform),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&pipeline_layout),
            module: &module(device, definition),
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [
            (0, &x, PLACE),
            (1, &y, PLACE),
            (2, &params, size_of_val(&mine(0)) as u64),
        ]
        .map(|(binding, buffer, size)| {
            let size = wgpu::BufferSize::new(size);
            let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size,
            });
            wgpu::BindGroupEntry { binding, resource }
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        let forward = Unary::Forward(definition);
        let kernels = Kernels::new(device).unwrap();
        Self {
            device,
            queue,
            forward,
            x,
            y,
            params,
            pipeline,
            bind_group,
            batch: Batch::new(&kernels).unwrap().into(),
        }
    }

    fn value(i: u64) -> f32 {
        (i % 2001) as f32 * 0.004 - 4.0
    }

    /// Where a tensor of a step starts, and its number of elements, a multiple of 4. Both differ at every step.
    fn tensor(round: usize, launch: usize) -> (u64, u64) {
        let place = (launch * 7 + round * 3) as u64 % (POOL / PLACE);
        (
            place * PLACE,
            4 * (1 + (launch * 131 + round * 977) as u64 % (PLACE / 16)),
        )
    }

    fn ours(&self, round: usize, pass: &mut wgpu::ComputePass<'_>) {
        let mut batch = self.batch.borrow_mut();
        batch.clear();
        for launch in 0..STEP {
            let (offset, len) = Self::tensor(round, launch);
            let range = |buffer| BufferRange {
                buffer,
                offset,
                size: 4 * len,
            };
            let tensors = [range(&self.x), range(&self.y)];
            batch.add(self.forward, DType::F32, &tensors).unwrap();
        }
        batch.write(self.queue).encode_all(pass);
    }

    fn by_hand(&self, round: usize, pass: &mut wgpu::ComputePass<'_>) {
        let mut bytes = vec![0; 256 * STEP];
        for (launch, bytes) in bytes.chunks_mut(256).enumerate() {
            let (_, len) = Self::tensor(round, launch);
            bytes[..16].copy_from_slice(bytemuck::bytes_of(&mine(len as usize)));
        }
        self.queue.write_buffer(&self.params, 0, &bytes);
        for launch in 0..STEP {
            let (offset, len) = Self::tensor(round, launch);
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(
                0,
                &self.bind_group,
                &[offset as u32, offset as u32, 256 * launch as u32],
            );
            pass.dispatch_workgroups((len as u32 / 4).div_ceil(256), 1, 1);
        }
    }

    /// Records a step and submits it.
    fn step(&self, round: usize, record: &dyn Fn(&mut wgpu::ComputePass<'_>)) -> Step {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.y, 0, None);
        self.queue.submit([encoder.finish()]);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let start = Instant::now();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        record(&mut pass);
        drop(pass);
        let commands = encoder.finish();
        let recorded = start.elapsed().as_secs_f64();
        let start = Instant::now();
        self.queue.submit([commands]);
        let submitted = start.elapsed().as_secs_f64();
        let y = read(self.device, self.queue, &self.y);
        let wrong = (0..STEP).find_map(|launch| {
            let (offset, len) = Self::tensor(round, launch);
            let first = offset as usize / 4;
            let found = difference(Unary::Forward(DEFINITION), 0, &y[first..][..len as usize], |i| {
                [Self::value((first + i) as u64); 3]
            });
            found.map(|i| first + i)
        });
        Step {
            recorded,
            submitted,
            difference: wrong,
        }
    }
}
