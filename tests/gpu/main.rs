//! Every kernel on every adapter against the CPU path, bit for bit.

mod adapters;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod exhaustive;

use cases::{CASES, Definition, Gpu, apart};
use common::{assert_same_bits, assert_same_bits_or_flushed, definitions, golden, npy};
use hard_sigmoid::{
    Binarization, BufferRange, Element, Error, HardSigmoid, Kernel, Kernels, Placement, Scalar, StraightThrough,
    half::{bf16, f16},
    offload::{Offload, Target},
};
use wgpu::util::DeviceExt;

fn main() {
    cases::assert_complete();
    adapters::run(&[
        ("lengths", lengths),
        ("definitions", every_definition),
        ("halves", halves),
        ("offsets", offsets),
        ("split", split),
        ("draws_at_the_boundary", draws_at_the_boundary),
        ("draws_in_parts", draws_in_parts),
        ("draws_at_the_end", draws_at_the_end),
        ("one_pass", two_launches_in_one_pass),
        ("threads", threads),
        ("pipeline_cache", pipeline_cache),
        ("wrong_bits_are_seen", wrong_bits_are_seen),
        ("offload", offload),
        ("lost_device", lost_device),
        ("exhaustive (opt-in: ./test.sh exhaustive)", exhaustive::sweep),
        ("sample (opt-in: ./test.sh matrix)", exhaustive::sample),
        ("beyond_4_gib (opt-in: ./test.sh exhaustive)", beyond_4_gib),
    ])
    .exit();
}

/// `len` elements of the golden inputs, which hold every special value, as often as it takes: x, g, and g against other x.
fn inputs(len: usize) -> [Vec<f32>; 3] {
    let take = |name, from| npy(golden(name)).into_iter().cycle().skip(from).take(len).collect();
    [take("x.npy", 0), take("g.npy", 0), take("g.npy", 11)]
}

fn slices<T>(data: &[Vec<T>; 3]) -> [&[T]; 3] {
    data.each_ref().map(|values| &values[..])
}

/// Around 0, the vector width, the workgroup, and the edges of a grid of at most 4 by 4 workgroups, and beyond it.
fn lengths(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 4);
    let group = 1024;
    let edges = [0, 4, 16, group, 2 * group, 4 * group, 5 * group, 9 * group];
    let mut lengths: Vec<usize> = edges.iter().flat_map(|&edge| edge..edge + 6).collect();
    lengths.extend(edges[1..].iter().flat_map(|&edge| edge - 3..edge));
    // From here on more than one dispatch: a whole one, and a tail alone.
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
    for case in &CASES {
        for &len in &lengths {
            gpu.check(case, HardSigmoid::PYTORCH, slices(&inputs(len)), 0);
        }
    }
}

/// Tensors larger than a binding: a tiny one, and on a device with default limits a tensor of 160 MiB.
fn split(adapter: &wgpu::Adapter) {
    // As many elements as signs fit into one alignment, but at least 1024.
    let gpu = Gpu::new(adapter, |limits| {
        let least = 32 * u64::from(limits.min_storage_buffer_offset_alignment);
        limits.max_storage_buffer_binding_size = least.max(4096);
    });
    for len in [1024, 1025, 2047, 2048, 5000, 10_003] {
        for case in &CASES {
            gpu.check(case, HardSigmoid::COURBARIAUX, slices(&inputs(len)), 1);
        }
    }
    let gpu = Gpu::new(adapter, |limits| *limits = wgpu::Limits::default());
    let [x, ..] = inputs(40 << 20);
    let in_place = CASES.iter().find(|case| case.placement == Placement::InPlace).unwrap();
    gpu.check(in_place, HardSigmoid::PYTORCH, [&x; 3], 0);
}

/// Why a test can't run on an adapter.
fn cannot_run(name: &str, adapter: &wgpu::Adapter) -> Option<String> {
    let most = adapter.limits().max_buffer_size;
    let too_small = name.starts_with("beyond_4_gib") && most < BEYOND_4_GIB.next_multiple_of(4);
    too_small.then(|| format!("this driver's buffers end at {most} bytes"))
}

/// An odd number of halves, in bytes.
const BEYOND_4_GIB: u64 = (1 << 32) + (1 << 21) + 6;

/// A tensor of more than 2^32 bytes, on a device with default limits but for the size of a buffer. It takes 9 GiB.
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
    // Values that tell where they stand, within [-4, 4] and beyond.
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
        .forward(HardSigmoid::TANGENT, Element::Bf16, range, range)
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
                // The neighbour in the last word.
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
        for case in &CASES {
            gpu.check(case, definition, [&x, &g, &h], 0);
        }
        // The same inputs against other gradients, all of the special ones among them.
        let rolled: Vec<f32> = g.iter().cycle().skip(1).take(g.len()).copied().collect();
        for kernel in Kernel::ALL {
            gpu.check(apart(kernel), definition, [&x, &rolled, &g], 0);
            // And gradients in the place of x, so that the gate's factors are any.
            gpu.check(apart(kernel), definition, [&rolled, &x, &h], 0);
        }
    }
}

/// All 65,536 values of each half type, forward and against sixteen sets of upstream gradients, and odd lengths.
fn halves(adapter: &wgpu::Adapter) {
    halves_of(adapter, f16::from_bits);
    halves_of(adapter, bf16::from_bits);
}

fn halves_of<T: Scalar>(adapter: &wgpu::Adapter, of: fn(u16) -> T) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 7);
    let permuted = |round: u32| -> Vec<T> {
        let gradient = |i: u16| {
            of(i.wrapping_mul(0x9e37)
                .rotate_left(3 + round)
                .wrapping_add(round as u16 * 0x0fed))
        };
        (0..=u16::MAX).map(gradient).collect()
    };
    let x: Vec<T> = (0..=u16::MAX).map(of).collect();
    for definition in definitions() {
        // Every kernel against a few sets, and one against many.
        for (kernel, rounds) in Kernel::ALL.map(|kernel| (kernel, if kernel == Kernel::Backward { 16 } else { 2 })) {
            for round in 0..rounds {
                let [g, h] = [permuted(round), permuted(round + 5)];
                gpu.check(apart(kernel), definition, [&x, &g, &h], 0);
            }
        }
    }
    for case in &CASES {
        for preset in &HardSigmoid::PRESETS {
            gpu.check(case, preset.definition, [&x, &permuted(3), &permuted(4)], 0);
        }
    }
    // From every residue of the vector, across a grid's edges and beyond: 49 workgroups of 2048 halves.
    for len in (0..20).chain(2040..2060).chain(100_345..100_360) {
        let take = |from: usize| -> Vec<T> { x.iter().cycle().skip(from).take(len).copied().collect() };
        for case in &CASES {
            gpu.check(case, HardSigmoid::PYTORCH, slices(&[0x3ff0, 7, 0x3c00].map(take)), 0);
        }
    }
}

fn offsets(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    for len in [1, 3, 4, 1027] {
        for skip in [1, 3, 10] {
            for case in &CASES {
                gpu.check(case, HardSigmoid::JAX, slices(&inputs(len)), skip);
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

/// The comparison of each random word with p is exact: of the two inputs next to each other between which a draw
/// changes, the GPU gives the one minus and the other plus.
fn draws_at_the_boundary(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    for preset in &HardSigmoid::PRESETS {
        let (low, high) = preset.definition.kinks().unwrap();
        let case = apart(Kernel::Binarize);
        let len = 20_000;
        let draws = case.binarization(preset.definition, len);
        let first_plus = |index: usize| {
            // Numbers from low to high, as integers in their order.
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
        let on = Definition {
            definition: preset.definition,
            binarization: draws,
        };
        for (x, is_plus) in [(plus, true), (minus, false)] {
            let results = gpu.results(case, on, [&x; 3], 0);
            let right = results[0].iter().filter(|y| (**y > 0.0) == is_plus);
            assert_eq!(right.count(), len, "{} {is_plus}", preset.name);
        }
    }
}

/// However a caller cuts a tensor up, its parts get the signs that they get in one launch.
fn draws_in_parts(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let step = gpu.device.limits().min_storage_buffer_offset_alignment as usize / 4;
    let [x, ..] = inputs(5000);
    let buffers = [(); 3].map(|()| storage(&gpu.device, &x));
    let draws = Binarization::stochastic(77, u64::MAX - 2000);
    let e = Element::F32;
    let whole = gpu.kernels.binarize(draws, 2.0, e, &buffers[0], &buffers[1]).unwrap();
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
            .binarize(part, 2.0, e, range(&buffers[0]), range(&buffers[2]));
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

/// After its last word a stream starts over, wherever in a vector that is: as numbers and as bits, in every type.
fn draws_at_the_end(adapter: &wgpu::Adapter) {
    fn of<T: Scalar>(gpu: &Gpu) {
        let x: Vec<T> = inputs(200)[0].iter().map(|&x| T::from_f32(x)).collect();
        // Fair draws too, which show every word.
        let fair = vec![T::from_f32(0.0); 200];
        for kernel in [Kernel::Binarize, Kernel::BinarizePacked] {
            for seed in 0..50 {
                for before_end in [1, 2, 3, 4, 30, 31, 32, 100, 101] {
                    let on = Definition {
                        definition: HardSigmoid::COURBARIAUX,
                        binarization: Binarization::stochastic(seed * 0x1_0000_0003, u64::MAX - before_end),
                    };
                    for x in [&x, &fair] {
                        let case = apart(kernel);
                        let results = &gpu.results(case, on, [&x[..]; 3], 0)[0];
                        for (i, x) in x.iter().enumerate() {
                            let expected = case.expected(on, [x.to_f32(); 3], 0.0, i)[0];
                            assert_eq!(
                                results[i], expected,
                                "{kernel:?}, seed {seed}, {before_end} before the end, {i}"
                            );
                        }
                    }
                }
            }
        }
    }
    let gpu = Gpu::new(adapter, |_| ());
    of::<f32>(&gpu);
    of::<f16>(&gpu);
    of::<bf16>(&gpu);
}

/// The second launch reads what the first wrote, with other parameters; the first is recorded twice.
fn two_launches_in_one_pass(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    gpu.kernels.warm_up(Kernel::Forward, HardSigmoid::PYTORCH, Element::F32);
    let [x, ..] = inputs(5001);
    let (input, output) = (storage(&gpu.device, &x), storage(&gpu.device, &x));
    let first = gpu
        .kernels
        .forward(HardSigmoid::PYTORCH, Element::F32, &input, &output)
        .unwrap();
    let second = gpu
        .kernels
        .forward(
            HardSigmoid::COURBARIAUX,
            Element::F32,
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

/// Eight threads share a cold pipeline cache.
fn threads(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let data = inputs(2500);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (gpu, data) = (&gpu, &data);
            scope.spawn(move || {
                for round in 0..5 {
                    let definition = HardSigmoid::PRESETS[(thread + round) % 6].definition;
                    gpu.check(&CASES[(thread * 4 + round) % CASES.len()], definition, slices(data), 0);
                }
            });
        }
    });
}

/// Pipelines compile through the caller's cache where there is one. What ends up in it is the driver's affair (lavapipe
/// keeps nothing), so only the results are looked at.
fn pipeline_cache(adapter: &wgpu::Adapter) {
    let feature = wgpu::Features::PIPELINE_CACHE & adapter.features();
    let on_vulkan = adapter.get_info().backend == wgpu::Backend::Vulkan;
    assert_eq!(
        feature.is_empty(),
        !on_vulkan,
        "wgpu has pipeline caches on Vulkan alone"
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
        // SAFETY: without data from outside there is nothing to be wrong.
        unsafe { device.create_pipeline_cache(&descriptor) }
    });
    let kernels = Kernels::with_pipeline_cache(&device, cache).unwrap();
    let case = apart(Kernel::Backward);
    kernels.warm_up(case.kernel, HardSigmoid::JAX, Element::F32);
    Gpu { device, queue, kernels }.check(case, HardSigmoid::JAX, slices(&inputs(1000)), 0);
}

/// The comparison fails on a difference of one rounding: JAX's product for PyTorch's division.
fn wrong_bits_are_seen(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let x = [1.0_f32, -2.9999998, 0.5];
    let on = Definition {
        definition: HardSigmoid::JAX,
        binarization: Binarization::Deterministic,
    };
    let actual = &gpu.results(apart(Kernel::Forward), on, [&x; 3], 0)[0];
    let expected = x.map(|x| HardSigmoid::PYTORCH.forward(x));
    let seen = common::difference(
        actual,
        &expected,
        |i| x[i].to_string(),
        |a, b| a.to_bits() == b.to_bits(),
    );
    let message = seen.expect("no difference seen");
    assert!(message.starts_with("1 of 3 elements differ, first at 2"), "{message}");
}

fn offload(adapter: &wgpu::Adapter) {
    let offload = pollster::block_on(Offload::from_adapter(adapter)).unwrap();
    let cpu = Offload::new_blocking(Target::Cpu).unwrap();
    assert!(offload.adapter_info().is_some() && cpu.adapter_info().is_none());
    // The last length takes five chunks, more than are under way at a time, and a tail.
    for len in [0, 1, 3, 1024, (1 << 22) + 7] {
        let [x, g, _] = inputs(len);
        for definition in [HardSigmoid::PYTORCH, HardSigmoid::KERAS] {
            let results = [&offload, &cpu].map(|on| {
                let (mut y, mut dx) = (vec![f32::NAN; len], vec![f32::NAN; len]);
                on.forward_blocking(definition, &x, &mut y).unwrap();
                on.backward_blocking(definition, &x, &g, &mut dx).unwrap();
                let (mut over_x, mut over_g) = (x.clone(), g.clone());
                on.forward_in_place_blocking(definition, &mut over_x).unwrap();
                on.backward_in_place_blocking(definition, &x, &mut over_g).unwrap();
                [y, over_x, dx, over_g]
            });
            let [actual, expected] = &results;
            for forward in 0..2 {
                assert_same_bits("offload", &actual[forward], &expected[forward], |i| x[i].to_string());
            }
            for backward in 2..4 {
                assert_same_bits_or_flushed("offload", &actual[backward], &expected[backward], |i| x[i].to_string());
            }
        }
    }
    // Halves, with an odd end, in one chunk and in two.
    for len in [1, 7, (1 << 20) + 3] {
        let x: Vec<f16> = inputs(len)[0].iter().map(|&x| f16::from_f32(x)).collect();
        let mut y = [vec![f16::NAN; len], vec![f16::NAN; len]];
        offload.forward_blocking(HardSigmoid::JAX, &x, &mut y[0]).unwrap();
        cpu.forward_blocking(HardSigmoid::JAX, &x, &mut y[1]).unwrap();
        assert!(y[0].iter().zip(&y[1]).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    // Signs, in one chunk and in five, of which each continues the draws.
    for len in [0, 1, 33, (1 << 22) + 7] {
        let [x, g, _] = inputs(len);
        let results = [&offload, &cpu].map(|on| {
            let (mut y, mut unpacked, mut dx) = (vec![7.0; len], vec![7.0; len], vec![7.0; len]);
            let mut bits = vec![7; len.div_ceil(32)];
            let draws = Binarization::stochastic(3, 6);
            on.binarize_blocking(draws, 0.5, &x, &mut y).unwrap();
            on.binarize_packed_blocking(draws, &x, &mut bits).unwrap();
            on.unpack_blocking(0.5, &bits, &mut unpacked).unwrap();
            assert!(unpacked == y);
            on.binarize_backward_blocking(StraightThrough::HardTanh, &x, &g, &mut dx)
                .unwrap();
            (y, bits, dx)
        });
        let [actual, expected] = &results;
        assert!(actual.0 == expected.0 && actual.1 == expected.1);
        assert_same_bits_or_flushed("offload", &actual.2, &expected.2, |i| x[i].to_string());
    }
    let mut short = [7.0_f32];
    for on in [&offload, &cpu] {
        let mut bits = [7];
        assert!(matches!(
            on.binarize_packed_blocking(Binarization::Deterministic, &[0.0_f32; 33], &mut bits),
            Err(Error::PackedLength { .. })
        ));
        assert!(matches!(
            on.unpack_blocking(f32::NAN, &bits, &mut short),
            Err(Error::NotFinite { .. })
        ));
        assert!(matches!(
            on.binarize_blocking(Binarization::Deterministic, 1.0, &[0.0; 2], &mut short),
            Err(Error::LengthMismatch { .. })
        ));
        assert_eq!(bits, [7]);
        assert!(matches!(
            on.forward_blocking(HardSigmoid::JAX, &[0.0; 2], &mut short),
            Err(Error::LengthMismatch { .. })
        ));
        assert!(matches!(
            on.backward_blocking(HardSigmoid::JAX, &[0.0], &[0.0; 2], &mut short),
            Err(Error::LengthMismatch { .. })
        ));
    }
    assert_eq!(short, [7.0]);
}

/// A lost device is an error, not a panic, and nothing is written.
fn lost_device(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let buffer = storage(&gpu.device, &[0.5; 8]);
    gpu.device.destroy();
    let error = gpu
        .kernels
        .forward(HardSigmoid::JAX, Element::F32, &buffer, &buffer)
        .unwrap_err();
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");

    let offload = pollster::block_on(Offload::from_adapter(adapter)).unwrap();
    let mut x = [0.25_f32; 8];
    offload.forward_in_place_blocking(HardSigmoid::JAX, &mut x).unwrap();
    offload.kernels().unwrap().device().destroy();
    let before = x;
    let error = offload.forward_in_place_blocking(HardSigmoid::JAX, &mut x).unwrap_err();
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    assert_eq!(x, before);
}
