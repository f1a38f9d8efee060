//! What a launch costs the host, beside the same calls to wgpu written by hand.
//!
//! `cargo bench --bench launch` asserts the result first. Each row is the median of runs in turn, ours and by hand: a
//! pipeline, a bind group of the same three buffers, and a dispatch of the same shader. It runs on the adapter that
//! `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose.

use hard_sigmoid::{Element, HardSigmoid, Kernels, Params, wgsl_functions};
use std::time::Instant;
use wgpu::util::DeviceExt;

const LEN: usize = 1024;
const LAUNCHES: usize = 1000;
const ROUNDS: usize = 41;
const DEFINITION: HardSigmoid = HardSigmoid::PYTORCH;

const BY_HAND: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(256)
fn by_hand(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < params.len / 4u {
        y[id.x] = forward4(x[id.x], params);
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
    let prepare = || kernels.forward(DEFINITION, Element::F32, &x, &y).unwrap();
    let launch = prepare();

    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl((wgsl_functions(DEFINITION, Element::F32) + BY_HAND).into()),
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
        let params = Params::new(DEFINITION, LEN as u32, 256);
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
            // The first warms up.
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / LAUNCHES as f64 * 1e6
    });
    println!(
        "{:<46}{:>10} {:>10} {:>7}",
        "for each launch of 1024 elements", "ours", "by hand", "ratio"
    );
    for (what, pair) in [
        "encode",
        "prepare + encode",
        "encode, submit, complete (1000 in one pass)",
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
