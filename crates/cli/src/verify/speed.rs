//! The speed of kernels on tensors in the device's memory, beside a kernel that copies one.

use crate::{
    devices::Speed,
    verify::machine::{Machine, Trouble},
};
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Op, Unary,
    gpu::{BatchLaunch, BufferRange, wgpu},
    offload::block_on,
};
use std::time::Instant;

/// Four words for each invocation, as our kernels take.
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

/// The largest tensors, 256 MiB, are beyond the caches of GPUs.
const LARGEST: u64 = 256 << 20;
/// Those for drivers that compute on the CPU are beyond its caches in most machines.
const OF_SOFTWARE: u64 = 32 << 20;
/// Smaller ones may stay in caches, so they measure something else.
const SMALLEST: u64 = 8 << 20;

/// A submission takes this long, so that what it costs to submit doesn't count.
const SECONDS: f64 = 0.04;
const ROUNDS: usize = 5;

const OF: HardSigmoid = HardSigmoid::PYTORCH;

fn operations() -> [Op; 4] {
    [
        Unary::Forward(OF).into(),
        Binary::Backward(OF).into(),
        Unary::HardSwish(OF).into(),
        Binary::Gate(OF).into(),
    ]
}

/// Measures on tensors as large as the device has memory for. `each` is told of each, and says whether to go on.
pub(super) fn measure(
    machine: &mut Machine,
    is_software: bool,
    mut each: impl FnMut() -> bool,
) -> Result<Vec<Speed>, Trouble> {
    let limits = machine.device.limits();
    let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let mut size = if is_software { OF_SOFTWARE } else { LARGEST };
    while size > binding {
        size /= 2;
    }
    if size < SMALLEST {
        return Err(Trouble::Unsupported(format!(
            "buffers of {binding} bytes are too small to measure"
        )));
    }
    let [x, g, y] = loop {
        match three(machine, size)? {
            Some(tensors) => break tensors,
            None if size > SMALLEST => size /= 2,
            None => return Err(Trouble::Failed("the device is out of memory".into())),
        }
    };
    // Numbers on all pieces of the curve, in each type.
    let number = |i: u32| 0x3f80_4000_u32.wrapping_mul(i % 251).rotate_left(i % 7) & 0xc0ff_c0ff | 0x3800_3800;
    let chunk: Vec<u8> = (0..SMALLEST as u32 / 4).flat_map(|i| number(i).to_ne_bytes()).collect();
    // Copied on the device, since what is written waits in memory of its own.
    machine.queue.write_buffer(&y, 0, &chunk);
    let mut encoder = machine.device.create_command_encoder(&Default::default());
    for buffer in [&x, &g] {
        for offset in (0..size).step_by(chunk.len()) {
            encoder.copy_buffer_to_buffer(&y, 0, buffer, offset, chunk.len() as u64);
        }
    }
    machine.queue.submit([encoder.finish()]);
    machine.wait()?;
    let copy = Copy::new(machine, [&x, &y], size);
    let mut speeds = vec![];
    for dtype in [DType::F32, DType::F16] {
        for op in operations() {
            if !each() {
                return Ok(speeds);
            }
            let range = |buffer| BufferRange {
                buffer,
                offset: 0,
                size,
            };
            let ranges = match op.inputs().len() {
                1 => vec![range(&x), range(&y)],
                _ => vec![range(&x), range(&g), range(&y)],
            };
            machine.batch.clear();
            let launch = machine.batch.add(op, dtype, &ranges).map_err(Trouble::of)?;
            let [ours, copied] = in_turn(machine, [Work::Launch(launch), Work::Copy(&copy)])?;
            let bytes = (ranges.len() as u64 * size) as f64;
            speeds.push(Speed {
                operation: op.name().into(),
                dtype: dtype.to_string(),
                elements: size / dtype.size(),
                gigabytes_per_second: bytes / ours / 1e9,
                copy_gigabytes_per_second: (2 * size) as f64 / copied / 1e9,
            });
        }
    }
    Ok(speeds)
}

/// Three tensors of this size, if the device has memory for them.
fn three(machine: &Machine, size: u64) -> Result<Option<[wgpu::Buffer; 3]>, Trouble> {
    let scope = machine.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let made = [(); 3].map(|()| machine.buffer(size, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC));
    let is_out_of_memory = block_on(scope.pop()).is_some();
    let [x, g, y] = made;
    let made = [x?, g?, y?];
    Ok((!is_out_of_memory).then_some(made))
}

enum Work<'a> {
    Launch(BatchLaunch),
    Copy(&'a Copy),
}

/// Seconds that each work takes: the medians of rounds in which they take turns.
fn in_turn(machine: &mut Machine, works: [Work; 2]) -> Result<[f64; 2], Trouble> {
    let mut counts = [1_u32; 2];
    for (work, count) in works.iter().zip(&mut counts) {
        // The first run compiles.
        time(machine, work, 1)?;
        let mut seconds = time(machine, work, 1)?;
        while seconds < SECONDS && *count < 4096 {
            *count *= 2;
            seconds = time(machine, work, *count)?;
        }
    }
    let mut times = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for ((work, &count), times) in works.iter().zip(&counts).zip(&mut times) {
            times.push(time(machine, work, count)? / f64::from(count));
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    }))
}

/// Seconds from submission to completion of a work that is done `count` times.
fn time(machine: &mut Machine, work: &Work, count: u32) -> Result<f64, Trouble> {
    let mut encoder = machine.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    let written = machine.batch.write(&machine.queue);
    for _ in 0..count {
        match work {
            Work::Launch(launch) => written.encode(*launch, &mut pass).map_err(Trouble::of)?,
            Work::Copy(copy) => copy.encode(&mut pass),
        }
    }
    drop(pass);
    let commands = encoder.finish();
    let start = Instant::now();
    machine.queue.submit([commands]);
    machine.wait()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The copy kernel on two tensors.
struct Copy {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: (u32, u32),
}

impl Copy {
    fn new(machine: &Machine, [x, y]: [&wgpu::Buffer; 2], size: u64) -> Self {
        let device = &machine.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(COPY.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [(0, x), (1, y)].map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        });
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let groups = (size / 16).div_ceil(256) as u32;
        let x = groups.min(4096);
        Self {
            pipeline,
            bind_group,
            groups: (x, groups.div_ceil(x)),
        }
    }

    fn encode(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.groups.0, self.groups.1, 1);
    }
}
