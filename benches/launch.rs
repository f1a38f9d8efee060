//! What a launch costs the host, compared with the same calls to wgpu written by hand.
//!
//! `cargo bench --bench launch` asserts results first. Each row is the median of runs in turn, ours and by hand: a
//! pipeline, a bind group of the same three buffers, and a dispatch of the same shader. The last rows are a step of 100
//! launches on tensors of a pool, whose lengths and places change at every step; by hand it takes one bind group with
//! dynamic offsets and one buffer of parameters, which is written at once. The bench runs on the adapter that
//! `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose.

use hard_sigmoid::{
    DType, HardSigmoid, Unary,
    gpu::{Batch, BufferRange, Kernels},
    plan::{Limits, Params, Placement, Plan},
    wgsl,
};
use std::time::Instant;
use wgpu::util::DeviceExt;

const LEN: usize = 1024;
const LAUNCHES: usize = 1000;
const ROUNDS: usize = 41;
const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;
const FORWARD: Unary = Unary::Forward(DEFINITION);

/// The launches of a step, the bytes of a pool, and the size of a tensor's place in it.
const STEP: usize = 100;
const POOL: u64 = 4 << 20;
const PLACE: u64 = 32 << 10;

/// The offset of the length in the parameters.
const LEN_IN_PARAMS: usize = 36;

const BY_HAND: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(256)
fn by_hand(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.len / 4u {
        y[id.x] = forward(x[id.x], params.opaque_zero);
    }
}";

fn main() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(wgpu::util::initialize_adapter_from_env_or_default(&instance, None)).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let info = adapter.get_info();
    println!(
        "{} ({:?}, {} {})",
        info.name, info.backend, info.driver, info.driver_info
    );

    let values: Vec<f32> = (0..LEN).map(|i| i as f32 * 0.01 - 5.0).collect();
    let buffer = |contents: &[u8], usage| {
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents,
            usage,
        })
    };
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let [x, y] = [(); 2].map(|()| buffer(bytemuck::cast_slice(&values), storage));

    let kernels = Kernels::new(&device).unwrap();
    let prepare = || kernels.unary(FORWARD, DType::F32, &x, &y).unwrap();
    let launch = prepare();

    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl((wgsl::function(FORWARD, DType::F32).unwrap() + BY_HAND).into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let layout = pipeline.get_bind_group_layout(0);
    let bind_by_hand = || {
        let plan = Plan::new(FORWARD, DType::F32, Placement::Separate, LEN as u64, &Limits::default()).unwrap();
        let params = plan.parts().next().unwrap().params;
        let params = buffer(bytemuck::bytes_of(&params), wgpu::BufferUsages::UNIFORM);
        let entries = [&x, &y, &params].map(|buffer| buffer.as_entire_binding());
        let entries: Vec<_> = (0..)
            .zip(entries)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        })
    };
    let bind_group = bind_by_hand();
    let encode_by_hand = |pass: &mut wgpu::ComputePass<'_>, bind_group: &wgpu::BindGroup| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups((LEN as u32 / 4).div_ceil(256), 1, 1);
    };

    let finish = |encoder: wgpu::CommandEncoder| {
        queue.submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    };
    let mut encoder = device.create_command_encoder(&Default::default());
    launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: y.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&y, 0, &staging, 0, y.size());
    finish(encoder);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let expected: Vec<f32> = values.iter().map(|&x| DEFINITION.forward(x)).collect();
    assert!(*staging.get_mapped_range(..).unwrap() == *bytemuck::cast_slice::<f32, u8>(&expected));

    // Seconds of `LAUNCHES` calls in one pass, and until the device has done them.
    let in_one_pass = |record: &dyn Fn(&mut wgpu::ComputePass<'_>)| {
        let mut encoder = device.create_command_encoder(&Default::default());
        let start = Instant::now();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..LAUNCHES {
            record(&mut pass);
        }
        let recorded = start.elapsed().as_secs_f64();
        drop(pass);
        finish(encoder);
        [recorded, start.elapsed().as_secs_f64()]
    };
    let mut times = [(); 6].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let encoded = in_one_pass(&|pass| launch.encode(pass));
        let encoded_by_hand = in_one_pass(&|pass| encode_by_hand(pass, &bind_group));
        let [prepared, _] = in_one_pass(&|pass| prepare().encode(pass));
        let [prepared_by_hand, _] = in_one_pass(&|pass| encode_by_hand(pass, &bind_by_hand()));
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
    let pool = Pool::new(&device, &queue, &kernels, &module);
    let mut steps = [(); 4].map(|()| Vec::new());
    for round in 0..=ROUNDS {
        let ours = pool.step(round, &mut |round, pass, batch| pool.ours(round, pass, batch));
        let by_hand = pool.step(round, &mut |round, pass, _| pool.by_hand(round, pass));
        for (times, seconds) in steps.iter_mut().zip([ours[0], by_hand[0], ours[1], by_hand[1]]) {
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let median = |mut times: Vec<f64>, launches: usize| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / launches as f64 * 1e6
    };
    let [a, b, c, d, e, f] = times.map(|times| median(times, LAUNCHES));
    let [g, h, i, j] = steps.map(|times| median(times, STEP));
    let medians = [a, b, c, d, e, f, g, h, i, j];
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
    ]
    .into_iter()
    .zip(medians.chunks(2))
    {
        println!(
            "{what:<46}{:>7.2} us {:>7.2} us {:>7.2}",
            pair[0],
            pair[1],
            pair[0] / pair[1]
        );
    }
}

/// The tensors of a step, in two pools.
struct Pool<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    params: wgpu::Buffer,
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    /// The parameters of a launch; only their length changes.
    template: Vec<u8>,
    batch: std::cell::RefCell<Batch>,
}

impl<'a> Pool<'a> {
    fn new(
        device: &'a wgpu::Device,
        queue: &'a wgpu::Queue,
        kernels: &'a Kernels,
        module: &wgpu::ShaderModule,
    ) -> Self {
        let buffer = |size, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let [x, y] = [(); 2].map(|()| buffer(POOL, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC));
        let values: Vec<f32> = (0..POOL / 4).map(|i| (i % 2001) as f32 * 0.004 - 4.0).collect();
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
            module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [(0, &x, PLACE), (1, &y, PLACE), (2, &params, size_of::<Params>() as u64)].map(
            |(binding, buffer, size)| {
                let size = wgpu::BufferSize::new(size);
                let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: 0,
                    size,
                });
                wgpu::BindGroupEntry { binding, resource }
            },
        );
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        let plan = Plan::new(FORWARD, DType::F32, Placement::Separate, 4, &Limits::default()).unwrap();
        let template = bytemuck::bytes_of(&plan.parts().next().unwrap().params).to_vec();
        let batch = Batch::new(kernels).unwrap().into();
        Self {
            device,
            queue,
            x,
            y,
            params,
            pipeline,
            bind_group,
            template,
            batch,
        }
    }

    /// Where a tensor of a step starts, and its number of elements, a multiple of 4. Both differ at every step.
    fn tensor(round: usize, launch: usize) -> (u64, u64) {
        let place = (launch * 7 + round * 3) as u64 % (POOL / PLACE);
        (
            place * PLACE,
            4 * (1 + (launch * 131 + round * 977) as u64 % (PLACE / 16)),
        )
    }

    fn ours(&self, round: usize, pass: &mut wgpu::ComputePass<'_>, batch: &mut Batch) {
        batch.clear();
        for launch in 0..STEP {
            let (offset, len) = Self::tensor(round, launch);
            let range = |buffer| BufferRange {
                buffer,
                offset,
                size: 4 * len,
            };
            let tensors = [range(&self.x), range(&self.y)];
            batch.add(FORWARD, DType::F32, &tensors).unwrap();
        }
        batch.write(self.queue).encode_all(pass);
    }

    fn by_hand(&self, round: usize, pass: &mut wgpu::ComputePass<'_>) {
        let mut bytes = vec![0; 256 * STEP];
        for (launch, bytes) in bytes.chunks_mut(256).enumerate() {
            let (_, len) = Self::tensor(round, launch);
            bytes[..self.template.len()].copy_from_slice(&self.template);
            bytes[LEN_IN_PARAMS..LEN_IN_PARAMS + 4].copy_from_slice(&(len as u32).to_le_bytes());
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

    /// Returns the seconds to record a step and to submit it. Its results are compared with the CPU path.
    fn step(&self, round: usize, record: &mut dyn FnMut(usize, &mut wgpu::ComputePass<'_>, &mut Batch)) -> [f64; 2] {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.y, 0, None);
        self.queue.submit([encoder.finish()]);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let start = Instant::now();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        record(round, &mut pass, &mut self.batch.borrow_mut());
        drop(pass);
        let commands = encoder.finish();
        let recorded = start.elapsed().as_secs_f64();
        let start = Instant::now();
        self.queue.submit([commands]);
        let submitted = start.elapsed().as_secs_f64();
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: POOL,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.y, 0, &staging, 0, POOL);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let view = staging.get_mapped_range(..).unwrap();
        let y: &[f32] = bytemuck::cast_slice(&view);
        for launch in 0..STEP {
            let (offset, len) = Self::tensor(round, launch);
            for i in offset / 4..offset / 4 + len {
                let x = (i % 2001) as f32 * 0.004 - 4.0;
                assert_eq!(y[i as usize].to_bits(), DEFINITION.forward(x).to_bits(), "{i}");
            }
        }
        [recorded, submitted]
    }
}
