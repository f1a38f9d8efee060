//! Every kernel on every adapter against the CPU path, bit for bit.

mod adapters;
mod broadcast;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod functions;
mod lookup;
#[path = "../common/outside.rs"]
mod outside;
#[path = "../common/quantized_mobilenet.rs"]
mod quantized_mobilenet;
#[path = "../common/slice.rs"]
mod slice;
mod suites;
#[path = "../common/trials.rs"]
mod trials;

use cases::{Gpu, cases, each_separate, operations, separate};
use common::{assert_same_bits, definitions, golden, npy};
use hard_sigmoid::{
    Binarization, Binary, DType, Difference, Element, HardSigmoid, Op, OpError, Scalar, Unary, bf16, f16,
    gpu::{Batch, BufferRange, Kernels, LaunchError},
    offload::{Offload, OffloadError, Target, block_on},
    plan::{Placement, PlanError},
};
use std::time::Instant;
use wgpu::util::DeviceExt;

fn main() {
    cases::assert_complete();
    trials::run(&[
        ("lengths", lengths),
        ("definitions", every_definition),
        ("special_values", special_values),
        ("halves", halves),
        ("every_function", functions::every_function),
        ("short_functions_are_close", functions::short_functions_are_close),
        ("offsets", offsets),
        ("split", split),
        ("broadcast_shapes", broadcast::shapes),
        ("broadcast_special_values", broadcast::special_values),
        ("broadcast_split", broadcast::split),
        ("broadcast_errors", broadcast::errors),
        ("lookup_lengths", lookup::lengths),
        ("lookup_every_byte", lookup::every_byte),
        ("lookup_gates", lookup::gates),
        ("lookup_split", lookup::split),
        ("lookup_mobilenet", lookup::mobilenet),
        ("lookup_functions", lookup::functions),
        ("lookup_offload", lookup::offload),
        ("draws_at_the_boundary", draws_at_the_boundary),
        ("draws_in_parts", draws_in_parts),
        ("draws_at_the_end", draws_at_the_end),
        ("one_pass", two_launches_in_one_pass),
        ("batch", batch),
        ("pool", pool),
        ("threads", threads),
        ("pipeline_cache", pipeline_cache),
        ("wrong_bits_are_seen", wrong_bits_are_seen),
        ("offload", offload),
        ("lost_device", lost_device),
        ("device_lost_during_a_call", device_lost_during_a_call),
        (
            "functions_of_many_numbers (opt-in: ./test.sh exhaustive)",
            functions::many,
        ),
        ("beyond_4_gib (opt-in: ./test.sh exhaustive)", beyond_4_gib),
        ("others_suites (opt-in: ./test.sh suites)", suites::run),
    ])
    .exit();
}

/// `len` elements of the golden inputs, which hold every special value and are repeated as needed: x, g, and g shifted
/// against x.
fn inputs(len: usize) -> [Vec<f32>; 3] {
    let take = |name, from| npy(golden(name)).into_iter().cycle().skip(from).take(len).collect();
    [take("x.npy", 0), take("g.npy", 0), take("g.npy", 11)]
}

fn slices<T>(data: &[Vec<T>; 3]) -> [&[T]; 3] {
    data.each_ref().map(|values| &values[..])
}

/// Lengths around 0, the vector width, the workgroup, and the edges of a grid of at most 4 by 4 workgroups, and beyond
/// it.
fn lengths(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 4);
    let group = 1024;
    let edges = [0, 4, 16, group, 2 * group, 4 * group, 5 * group, 9 * group];
    let mut lengths: Vec<usize> = edges.iter().flat_map(|&edge| edge..edge + 6).collect();
    lengths.extend(edges[1..].iter().flat_map(|&edge| edge - 3..edge));
    // Lengths that take more than one dispatch: a whole one, and only a tail.
    lengths.extend([
        100,
        777,
        16 * group - 1,
        16 * group,
        16 * group + 3,
        32 * group,
        32 * group + 1,
        40 * group + 6,
    ]);
    assert_eq!(lengths.len(), 77);
    for case in &cases(HardSigmoid::PYTORCH) {
        for &len in &lengths {
            gpu.check(case, slices(&inputs(len)), 0);
        }
    }
}

/// Tensors larger than a binding: with a tiny binding, and a tensor of 160 MiB on a device with default limits.
fn split(adapter: &wgpu::Adapter) {
    // A binding holds as many elements as signs fit into one alignment, but at least 1024.
    let gpu = Gpu::new(adapter, |limits| {
        let least = 32 * u64::from(limits.min_storage_buffer_offset_alignment);
        limits.max_storage_buffer_binding_size = least.max(4096);
    });
    for len in [1024, 1025, 2047, 2048, 5000, 10_003] {
        for case in &cases(HardSigmoid::COURBARIAUX) {
            gpu.check(case, slices(&inputs(len)), 1);
        }
    }
    let gpu = Gpu::new(adapter, |limits| *limits = wgpu::Limits::default());
    let [x, ..] = inputs(40 << 20);
    let all = cases(HardSigmoid::PYTORCH);
    let in_place = all
        .iter()
        .find(|case| case.layout.placement == Placement::InPlace)
        .unwrap();
    gpu.check(in_place, [&x; 3], 0);
}

/// Why a test can't run on an adapter.
fn cannot_run(name: &str, adapter: &wgpu::Adapter) -> Option<String> {
    let most = adapter.limits().max_buffer_size;
    let too_small = name.starts_with("beyond_4_gib") && most < BEYOND_4_GIB.next_multiple_of(4);
    too_small.then(|| format!("this driver's buffers end at {most} bytes"))
}

/// The size in bytes of an odd number of halves.
const BEYOND_4_GIB: u64 = (1 << 32) + (1 << 21) + 6;

/// A tensor of more than 2^32 bytes, on a device with default limits except for the size of a buffer. It takes 9 GiB.
fn beyond_4_gib(adapter: &wgpu::Adapter) {
    let len = BEYOND_4_GIB / 2;
    let size = len * 2;
    let most = adapter.limits().max_buffer_size;
    let gpu = Gpu::new(adapter, |limits| {
        *limits = wgpu::Limits {
            max_buffer_size: most,
            ..Default::default()
        };
    });
    let buffer = |size, usage| {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let on_device = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let tensor = buffer(size.next_multiple_of(4), on_device);
    // Values that depend on their position, within [-4, 4] and beyond.
    let value = |i: u64| bf16::from_bits((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16 & 0xc1ff);
    let chunk = |start: u64| start..len.next_multiple_of(2).min(start + (1 << 24));
    for start in (0..len).step_by(1 << 24) {
        let values: Vec<bf16> = chunk(start).map(value).collect();
        gpu.queue
            .write_buffer(&tensor, start * 2, bytemuck::cast_slice(&values));
    }
    let range = BufferRange {
        buffer: &tensor,
        offset: 0,
        size,
    };
    let launch = gpu
        .kernels
        .unary(Unary::Forward(HardSigmoid::TANGENT), DType::Bf16, range, range)
        .unwrap();
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue.submit([encoder.finish()]);
    let mut seen = 0;
    for start in (0..len).step_by(1 << 24) {
        let part = buffer(2 * (chunk(start).end - start), on_device);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&tensor, start * 2, &part, 0, part.size());
        gpu.queue.submit([encoder.finish()]);
        let words = adapters::read(&gpu.device, &gpu.queue, &part);
        let actual: &[bf16] = bytemuck::cast_slice(&words);
        for (i, &actual) in chunk(start).zip(actual) {
            let expected = match i < len {
                true => bf16::from_f32(HardSigmoid::TANGENT.forward(value(i).to_f32())),
                // The other half of the last word is unchanged.
                false => value(i),
            };
            assert_eq!(actual.to_bits(), expected.to_bits(), "element {i}");
            seen += 1;
        }
    }
    assert_eq!(seen, len.next_multiple_of(2));
}

fn every_definition(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let [x, g, h] = inputs(npy(golden("x.npy")).len());
    for definition in definitions() {
        for case in &cases(definition) {
            gpu.check(case, [&x, &g, &h], 0);
        }
        // The inputs again, with other gradients, which include all special values.
        let rolled: Vec<f32> = g.iter().cycle().skip(1).take(g.len()).copied().collect();
        for case in &each_separate(definition) {
            gpu.check(case, [&x, &rolled, &g], 0);
            // Gradients in place of x, so that the gate's factors are arbitrary.
            gpu.check(case, [&rolled, &x, &h], 0);
        }
    }
}

/// Every triple of special values, with both signs: zero, subnormal, the smallest, the largest, infinity, NaN, and the
/// kinks.
fn special_triples() -> [Vec<f32>; 3] {
    let kinks = [1.0, 2.0, 2.5, 3.0, 2.999_999_8];
    let edges = [
        0.0,
        1e-45,
        1.17549e-38,
        f32::MIN_POSITIVE,
        1e-20,
        0.7,
        1e20,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    let quiet_and_signalling = [0x7fc0_1000, 0x7f80_2000].map(f32::from_bits);
    let positive = [&kinks[..], &edges, &quiet_and_signalling].concat();
    let values: Vec<f32> = positive.iter().flat_map(|&v| [v, -v]).collect();
    let count = values.len();
    let of = |place: usize| {
        (0..count.pow(3))
            .map(|i| values[i / count.pow(place as u32) % count])
            .collect()
    };
    std::array::from_fn(of)
}

fn special_values(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let data = special_triples();
    let (in_f16, in_bf16) = (rounded::<f16>(&data), rounded::<bf16>(&data));
    for definition in definitions() {
        for case in &each_separate(definition) {
            gpu.check(case, slices(&data), 0);
            gpu.check(case, slices(&in_f16), 0);
            gpu.check(case, slices(&in_bf16), 0);
        }
    }
}

fn rounded<T: Scalar>(data: &[Vec<f32>; 3]) -> [Vec<T>; 3] {
    data.each_ref()
        .map(|values| values.iter().map(|&value| T::from_f32(value)).collect())
}

/// All 65,536 values of each half type, forward and with sixteen sets of upstream gradients, and odd lengths.
fn halves(adapter: &wgpu::Adapter) {
    halves_of(adapter, f16::from_bits);
    halves_of(adapter, bf16::from_bits);
}

/// Every half, in an order that the round gives.
fn permuted<T>(of: fn(u16) -> T, round: u32) -> Vec<T> {
    let half = |i: u16| {
        of(i.wrapping_mul(0x9e37)
            .rotate_left(3 + round)
            .wrapping_add((round as u16).wrapping_mul(0x0fed)))
    };
    (0..=u16::MAX).map(half).collect()
}

fn halves_of<T: Scalar + std::fmt::Debug>(adapter: &wgpu::Adapter, of: fn(u16) -> T) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 7);
    let permuted = |round| permuted(of, round);
    let x: Vec<T> = (0..=u16::MAX).map(of).collect();
    for definition in definitions() {
        // Every operation with two sets of gradients, and one with many.
        for case in &each_separate(definition) {
            let rounds = if case.op == Binary::Backward(definition).into() {
                16
            } else {
                2
            };
            for round in 0..rounds {
                let [g, h] = [permuted(round), permuted(round + 5)];
                gpu.check(case, [&x, &g, &h], 0);
            }
        }
    }
    for preset in HardSigmoid::PRESETS {
        for case in &cases(preset.definition) {
            gpu.check(case, [&x, &permuted(3), &permuted(4)], 0);
        }
    }
    // Every remainder of the vector width, across a grid's edges and beyond: 49 workgroups of 2048 halves.
    for len in (0..20).chain(2040..2060).chain(100_345..100_360) {
        let take = |from: usize| -> Vec<T> { x.iter().cycle().skip(from).take(len).copied().collect() };
        for case in &cases(HardSigmoid::PYTORCH) {
            gpu.check(case, slices(&[0x3ff0, 7, 0x3c00].map(take)), 0);
        }
    }
}

fn offsets(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    for len in [1, 3, 4, 1027] {
        for skip in [1, 3, 10] {
            for case in &cases(HardSigmoid::JAX) {
                gpu.check(case, slices(&inputs(len)), skip);
            }
        }
    }
}

fn storage(device: &wgpu::Device, data: &[f32]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(data),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    })
}

/// The comparison of each random word with p is exact: for the two neighbouring inputs between which a draw changes,
/// the GPU gives minus for one and plus for the other.
fn draws_at_the_boundary(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    for preset in HardSigmoid::PRESETS {
        let (low, high) = preset.definition.kinks().unwrap();
        let len = 20_000;
        let draws = Binarization::Stochastic {
            probability: preset.definition,
            seed: 9,
            offset: (1 << 33) - 1001,
        };
        let first_plus = |index: usize| {
            // Integers in the order of the numbers.
            let number = |key: i32| f32::from_bits((key ^ (key >> 31 & i32::MAX)) as u32);
            let key = |x: f32| x.to_bits() as i32 ^ (x.to_bits() as i32 >> 31 & i32::MAX);
            let (mut minus, mut plus) = (i64::from(key(low)), i64::from(key(high)));
            while plus - minus > 1 {
                let middle = (minus + plus).div_euclid(2);
                match draws.is_plus(index as u64, number(middle as i32)) {
                    true => plus = middle,
                    false => minus = middle,
                }
            }
            number(plus as i32)
        };
        let plus: Vec<f32> = (0..len).map(first_plus).collect();
        let minus: Vec<f32> = plus.iter().map(|x| x.next_down()).collect();
        let case = separate(Unary::binarize(draws, 1.0).unwrap());
        for (x, is_plus) in [(plus, true), (minus, false)] {
            let results = gpu.results(&case, [&x; 3], 0);
            let right = results[0].iter().filter(|y| (**y > 0.0) == is_plus);
            assert_eq!(right.count(), len, "{} {is_plus}", preset.name);
        }
    }
}

/// A tensor that a caller cuts up anywhere gets the signs that it gets in one launch.
fn draws_in_parts(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let step = gpu.device.limits().min_storage_buffer_offset_alignment as usize / 4;
    let [x, ..] = inputs(5000);
    let buffers = [(); 3].map(|()| storage(&gpu.device, &x));
    let draws = Binarization::stochastic(77, u64::MAX - 2000);
    let binarize = |how| Unary::binarize(how, 2.0).unwrap();
    let whole = gpu
        .kernels
        .unary(binarize(draws), DType::F32, &buffers[0], &buffers[1])
        .unwrap();
    let mut launches = vec![whole];
    let cuts = [0, step, 7 * step, 2048, 5000];
    for cut in cuts.windows(2) {
        let range = |buffer| BufferRange {
            buffer,
            offset: cut[0] as u64 * 4,
            size: (cut[1] - cut[0]) as u64 * 4,
        };
        let part = draws.advanced(cut[0] as u64);
        let launch = gpu
            .kernels
            .unary(binarize(part), DType::F32, range(&buffers[0]), range(&buffers[2]));
        launches.push(launch.unwrap());
    }
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    for launch in &launches {
        launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
    }
    gpu.queue.submit([encoder.finish()]);
    let [whole, parts] = [1, 2].map(|i| adapters::read(&gpu.device, &gpu.queue, &buffers[i]));
    assert!(whole == parts);
    let expected: Vec<u32> = (0..)
        .zip(&x)
        .map(|(i, &x)| if draws.is_plus(i, x) { 2.0f32 } else { -2.0 }.to_bits())
        .collect();
    assert!(whole == expected);
}

/// After its last word a stream starts over, at any position in a vector, as numbers and as bits, in every type.
fn draws_at_the_end(adapter: &wgpu::Adapter) {
    fn of<T: Scalar + std::fmt::Debug>(gpu: &Gpu) {
        let x: Vec<T> = inputs(200)[0].iter().map(|&x| T::from_f32(x)).collect();
        // Draws with probability 1/2 depend on every word.
        let fair = vec![T::from_f32(0.0); 200];
        for seed in 0..50 {
            for before_end in [1, 2, 3, 4, 30, 31, 32, 100, 101] {
                let draws = Binarization::stochastic(seed * 0x1_0000_0003, u64::MAX - before_end);
                for x in [&x, &fair] {
                    gpu.check(&separate(Unary::binarize(draws, 0.5).unwrap()), [&x[..]; 3], 0);
                    gpu.check(&separate(Op::Pack(draws)), [&x[..]; 3], 0);
                }
            }
        }
    }
    let gpu = Gpu::new(adapter, |_| ());
    of::<f32>(&gpu);
    of::<f16>(&gpu);
    of::<bf16>(&gpu);
}

/// The second launch reads what the first wrote, with other parameters. The first launch is recorded twice.
fn two_launches_in_one_pass(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let forward = Unary::Forward(HardSigmoid::PYTORCH);
    gpu.kernels.warm_up([(forward, DType::F32)]).unwrap();
    let [x, ..] = inputs(5001);
    let (input, output) = (storage(&gpu.device, &x), storage(&gpu.device, &x));
    let first = gpu.kernels.unary(forward, DType::F32, &input, &output).unwrap();
    let second = gpu
        .kernels
        .unary(
            Unary::Forward(HardSigmoid::COURBARIAUX),
            DType::F32,
            output.slice(..),
            output.slice(..),
        )
        .unwrap();
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        first.encode(&mut pass);
        first.encode(&mut pass);
        second.encode(&mut pass);
    }
    gpu.queue.submit([encoder.finish()]);
    let actual: Vec<f32> = bytemuck::cast_vec(adapters::read(&gpu.device, &gpu.queue, &output));
    let twice = |&x: &f32| HardSigmoid::COURBARIAUX.forward(HardSigmoid::PYTORCH.forward(x));
    let expected: Vec<f32> = x.iter().map(twice).collect();
    assert_same_bits("two launches", &actual, &expected, |i| x[i].to_string());
}

/// Every operation in every layout through a batch: in one part and in several, and on a device that allows no dynamic
/// storage buffer.
fn batch(adapter: &wgpu::Adapter) {
    for (binding, dynamic) in [(u64::MAX, 4), (u64::MAX, 0), (1 << 13, 4)] {
        let mut gpu = Gpu::new(adapter, |limits| {
            limits.max_dynamic_storage_buffers_per_pipeline_layout = dynamic;
            limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(binding);
        });
        gpu.batch = Some(Batch::new(&gpu.kernels).unwrap().into());
        for case in &cases(HardSigmoid::PYTORCH) {
            for len in [0, 3, 1024, 5003] {
                gpu.check(case, slices(&inputs(len)), 1);
                let halves = inputs(len).map(|values| values.into_iter().map(f16::from_f32).collect::<Vec<_>>());
                gpu.check(case, slices(&halves), 0);
            }
        }
    }
}

/// A pool whose tensors change lengths and places at every step, more launches than a page of parameters holds, and a
/// launch that reads what another wrote.
fn pool(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let [x, ..] = inputs(1 << 19);
    let [input, output] = [(); 2].map(|()| storage(&gpu.device, &x));
    let mut batch = Batch::new(&gpu.kernels).unwrap();
    let (forward, again) = (
        Unary::Forward(HardSigmoid::PYTORCH),
        Unary::Forward(HardSigmoid::COURBARIAUX),
    );
    let mut expected = x.clone();
    let mut stale = None;
    for step in 0..20_usize {
        batch.clear();
        let mut launches = vec![];
        for launch in 0..300 {
            // 512 places of 1024 elements.
            let start = (launch * 37 + step * 101) % 512 * 1024;
            let len = 1 + (launch * 131 + step * 977) % 1021;
            let range = |buffer| BufferRange {
                buffer,
                offset: start as u64 * 4,
                size: len as u64 * 4,
            };
            launches.push(
                batch
                    .add(forward, DType::F32, &[range(&input), range(&output)])
                    .unwrap(),
            );
            launches.push(batch.add(again, DType::F32, &[range(&output), range(&output)]).unwrap());
            for i in start..start + len {
                expected[i] = HardSigmoid::COURBARIAUX.forward(HardSigmoid::PYTORCH.forward(x[i]));
            }
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let written = batch.write(&gpu.queue);
        if let Some(stale) = stale {
            assert_eq!(written.encode(stale, &mut pass), Err(LaunchError::Stale));
        }
        for &launch in &launches {
            written.encode(launch, &mut pass).unwrap();
        }
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
        let actual: Vec<f32> = bytemuck::cast_vec(adapters::read(&gpu.device, &gpu.queue, &output));
        assert_same_bits("pool", &actual, &expected, |i| format!("{} in step {step}", x[i]));
        stale = launches.pop();
    }
}

/// Eight threads share pipelines that aren't compiled yet.
fn threads(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let data = inputs(2500);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (gpu, data) = (&gpu, &data);
            scope.spawn(move || {
                for round in 0..5 {
                    let presets = HardSigmoid::PRESETS;
                    let all = cases(presets[(thread + round) % presets.len()].definition);
                    gpu.check(&all[(thread * 4 + round) % all.len()], slices(data), 0);
                }
            });
        }
    });
}

/// Pipelines compile through the caller's cache if there is one. What the cache holds is up to the driver (lavapipe
/// stores nothing), so only the results are checked.
fn pipeline_cache(adapter: &wgpu::Adapter) {
    let feature = wgpu::Features::PIPELINE_CACHE & adapter.features();
    let on_vulkan = adapter.get_info().backend == wgpu::Backend::Vulkan;
    assert_eq!(
        feature.is_empty(),
        !on_vulkan,
        "wgpu has pipeline caches only on Vulkan"
    );
    let descriptor = wgpu::DeviceDescriptor {
        required_features: feature,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let cache = on_vulkan.then(|| {
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: None,
            data: None,
            fallback: false,
        };
        // SAFETY: there is no data from outside that could be invalid.
        unsafe { device.create_pipeline_cache(&descriptor) }
    });
    let kernels = Kernels::with_pipeline_cache(&device, cache).unwrap();
    let case = separate(Binary::Backward(HardSigmoid::JAX));
    kernels.warm_up([(case.op, DType::F32)]).unwrap();
    let gpu = Gpu {
        device,
        queue,
        kernels,
        batch: None,
    };
    gpu.check(&case, slices(&inputs(1000)), 0);
}

/// The comparison fails on a difference of one rounding: JAX's product instead of PyTorch's division.
fn wrong_bits_are_seen(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let x = [1.0_f32, -2.9999998, 0.5];
    let actual = &gpu.results(&separate(Unary::Forward(HardSigmoid::JAX)), [&x; 3], 0)[0];
    let differences = (0..3).map(|i| {
        let element = Element {
            operands: [x[i]; 3],
            before: 0.0,
            index: i as u64,
        };
        element.compare(Unary::Forward(HardSigmoid::PYTORCH), 0, actual[i])
    });
    let differences: Vec<_> = differences.collect();
    assert_eq!(differences, [Difference::None, Difference::None, Difference::Wrong]);
}

/// Every operation on host slices, on the device and on the CPU path, with the same results.
fn offload(adapter: &wgpu::Adapter) {
    let on_device = block_on(Offload::from_adapter(adapter)).unwrap();
    let cpu = block_on(Offload::new(Target::Cpu)).unwrap();
    assert!(on_device.adapter_info().is_some() && cpu.adapter_info().is_none());
    fn of<T: Scalar + std::fmt::Debug>(on: &Offload, len: usize, definition: HardSigmoid) {
        let [x, g, h] = inputs(len).map(|values| values.into_iter().map(T::from_f32).collect::<Vec<_>>());
        for op in operations(definition) {
            offloaded(on, op, [&x, &g, &h]);
        }
    }
    // The last length takes five chunks, more than are under way at a time, and a tail.
    for len in [0, 1, 3, 33, 1024, (1 << 22) + 7] {
        for on in [&on_device, &cpu] {
            of::<f32>(on, len, HardSigmoid::PYTORCH);
        }
    }
    // Halves of odd lengths, in one chunk and in two.
    for len in [1, 7, (1 << 20) + 3] {
        of::<f16>(&on_device, len, HardSigmoid::JAX);
        of::<bf16>(&on_device, len, HardSigmoid::KERAS);
    }
    let mut short = [7.0_f32];
    for on in [&on_device, &cpu] {
        let mut bits = [7];
        let forward = Unary::Forward(HardSigmoid::JAX);
        let backward = Binary::Backward(HardSigmoid::JAX);
        let refused = [
            block_on(on.pack(Binarization::Deterministic, &[0.0_f32; 33], &mut bits)),
            block_on(on.unpack(f32::NAN, &bits, &mut short)),
            block_on(on.unary(
                Unary::binarize(Binarization::Deterministic, 1.0).unwrap(),
                &[0.0; 2],
                &mut short,
            )),
            block_on(on.unary(forward, &[0.0; 2], &mut short)),
            block_on(on.binary(backward, &[0.0], &[0.0; 2], &mut short)),
            block_on(on.binary_in_place(Binary::BackwardAccumulate(HardSigmoid::JAX), &[0.0], &mut short)),
        ];
        let errors = refused.map(|result| match result {
            Err(OffloadError::Launch(LaunchError::Plan(PlanError::Op(error)))) => error,
            other => panic!("{other:?}"),
        });
        assert!(matches!(errors[0], OpError::PackedLength { .. }));
        assert!(matches!(errors[1], OpError::NotFinite(_)));
        for error in &errors[2..5] {
            assert!(matches!(error, OpError::LengthMismatch { .. }), "{error}");
        }
        assert!(matches!(errors[5], OpError::NotInPlace { .. }));
        // The scale is too large for the type.
        let too_large = Unary::binarize(Binarization::Deterministic, 1e5).unwrap();
        let mut half = [f16::ONE];
        let error = block_on(on.unary_in_place(too_large, &mut half)).unwrap_err();
        assert!(
            matches!(
                error,
                OffloadError::Launch(LaunchError::Plan(PlanError::Op(OpError::ScaleTooLarge { .. })))
            ),
            "{error}"
        );
        assert_eq!((bits, half), ([7], [f16::ONE]));
    }
    assert_eq!(short, [7.0]);
}

/// Runs an operation in every form that it has, and compares each result with the CPU path's.
fn offloaded<T: Scalar + std::fmt::Debug>(on: &Offload, op: Op, [x, g, h]: [&[T]; 3]) {
    let len = x.len();
    let seven = T::from_f32(7.0);
    let compare = |what: &str, results: &[&[T]]| {
        for (output, results) in results.iter().enumerate() {
            assert_eq!(results.len(), len);
            for i in 0..len {
                let element = Element {
                    operands: [x[i], g[i], h[i]],
                    before: h[i],
                    index: i as u64,
                };
                let difference = element.compare(op, output, results[i]);
                let actual = results[i];
                assert_ne!(
                    difference,
                    Difference::Wrong,
                    "{what} {op:?} of {len}, {i}: {element:?} gives {actual:?}"
                );
            }
        }
    };
    match op {
        Op::Unary(op) => {
            let (mut y, mut over_x) = (vec![seven; len], x.to_vec());
            block_on(on.unary(op, x, &mut y)).unwrap();
            block_on(on.unary_in_place(op, &mut over_x)).unwrap();
            compare("offloaded", &[&y]);
            compare("in place", &[&over_x]);
        }
        Op::Binary(binary) => {
            // An operation that adds to its output adds to h; the others overwrite h.
            let mut out = h.to_vec();
            block_on(on.binary(binary, x, g, &mut out)).unwrap();
            compare("offloaded", &[&out]);
            if let Some(replaced) = op.replaces() {
                let (kept, over) = if replaced == 0 { (g, x) } else { (x, g) };
                let mut over = over.to_vec();
                block_on(on.binary_in_place(binary, kept, &mut over)).unwrap();
                compare("in place", &[&over]);
            }
        }
        Op::GateBackward(definition) => {
            let (mut da, mut db) = (vec![seven; len], vec![seven; len]);
            block_on(on.gate_backward(definition, x, g, h, &mut da, &mut db)).unwrap();
            compare("offloaded", &[&da, &db]);
        }
        Op::Pack(how) => {
            let (mut bits, mut numbers) = (vec![7; len.div_ceil(32)], vec![seven; len]);
            block_on(on.pack(how, x, &mut bits)).unwrap();
            // Unpacking is tested by converting the bits back.
            block_on(on.unpack(1.0, &bits, &mut numbers)).unwrap();
            compare("offloaded", &[&numbers]);
        }
        Op::Unpack(_) => {}
        other => panic!("{other:?} isn't offloaded"),
    }
}

/// A lost device is an error, not a panic, and nothing is written.
fn lost_device(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let buffer = storage(&gpu.device, &[0.5; 8]);
    gpu.device.destroy();
    let op = Unary::Forward(HardSigmoid::JAX);
    let error = gpu.kernels.unary(op, DType::F32, &buffer, &buffer).unwrap_err();
    assert!(matches!(error, LaunchError::DeviceLost { .. }), "{error}");

    let offload = block_on(Offload::from_adapter(adapter)).unwrap();
    let mut x = [0.25_f32; 8];
    block_on(offload.unary_in_place(op, &mut x)).unwrap();
    offload.kernels().unwrap().device().destroy();
    let before = x;
    let error = block_on(offload.unary_in_place(op, &mut x)).unwrap_err();
    assert!(matches!(error, OffloadError::DeviceLost { .. }), "{error}");
    assert_eq!(x, before);
}

/// The device is destroyed at 24 moments of a call: of the first one, which compiles, and of a later one. Then the call
/// fails and writes nothing, or it had begun to write and the CPU path computes the rest; the next call fails. Each
/// failure says that the device was lost, in one line.
fn device_lost_during_a_call(adapter: &wgpu::Adapter) {
    let op = Unary::Forward(HardSigmoid::JAX);
    let [x, ..] = inputs(4 << 20);
    let expected: Vec<f32> = x.iter().map(|&x| HardSigmoid::JAX.forward(x)).collect();
    let assert_lost = |result: Result<(), OffloadError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, OffloadError::DeviceLost { .. }), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    };
    let offload = || block_on(Offload::from_adapter(adapter)).unwrap();
    let call = |offload: &Offload, y: &mut [f32]| block_on(offload.unary(op, &x, y));
    let mut y = vec![7.0; x.len()];
    let undisturbed = offload();
    for is_first in [true, false] {
        let start = Instant::now();
        call(&undisturbed, &mut y).unwrap();
        let whole = start.elapsed();
        let mut failed = 0;
        for moment in 0..24 {
            let offload = offload();
            if !is_first {
                call(&offload, &mut y).unwrap();
            }
            y.fill(7.0);
            let result = std::thread::scope(|scope| {
                let device = offload.kernels().unwrap().device();
                scope.spawn(move || {
                    std::thread::sleep(whole * moment / 24);
                    device.destroy();
                });
                call(&offload, &mut y)
            });
            if result.is_err() {
                assert_lost(result);
                assert!(y.iter().all(|&y| y == 7.0));
                failed += 1;
            } else {
                assert_same_bits("finished on the CPU", &y, &expected, |i| x[i].to_string());
            }
            assert_lost(call(&offload, &mut y));
        }
        assert!(failed > 0, "no call failed");
    }
}
