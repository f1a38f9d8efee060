//! Every kernel on every adapter against the CPU path, bit for bit.

mod adapters;
#[path = "../common/mod.rs"]
mod common;
mod exhaustive;

use common::{assert_same_bits, assert_same_bits_or_flushed, definitions, flushed, golden, npy};
use hard_sigmoid::{
    BufferRange, Element, Error, HardSigmoid, Kernel, Kernels, Scalar,
    half::{bf16, f16},
    offload::{Offload, Target},
};
use wgpu::util::DeviceExt;

fn main() {
    adapters::run(&[
        ("lengths", lengths),
        ("definitions", every_definition),
        ("halves", halves),
        ("offsets", offsets),
        ("split", split),
        ("one_pass", two_launches_in_one_pass),
        ("threads", threads),
        ("pipeline_cache", pipeline_cache),
        ("wrong_bits_are_seen", wrong_bits_are_seen),
        ("offload", offload),
        ("lost_device", lost_device),
        ("exhaustive (opt-in: ./test.sh exhaustive)", exhaustive::sweep),
    ])
    .exit();
}

/// Where the operands of a launch lie: the index of the buffer that holds x (and g), and where the result goes.
struct Placement {
    kernel: Kernel,
    inputs: &'static [usize],
    output: Output,
}

enum Output {
    Over(usize),
    In(usize),
}

const PLACEMENTS: [Placement; 10] = {
    use Kernel::*;
    use Output::*;
    macro_rules! table {
        ($($kernel:ident $inputs:expr, $output:expr;)*) => {
            [$(Placement { kernel: $kernel, inputs: &$inputs, output: $output }),*]
        };
    }
    table! {
        Forward [0], In(1);
        ForwardInPlace [0], Over(0);
        ForwardPooled [0], In(0);
        Backward [0, 1], In(2);
        Backward [0, 0], In(1);
        BackwardInPlace [0, 1], Over(1);
        BackwardInPlace [0, 0], Over(1);
        BackwardPooled [0, 0], In(0);
        BackwardPooled [0, 1], In(0);
        BackwardPooled [0, 1], In(1);
    }
};

/// Fills everything that is no input, so that a missing or a stray write shows.
const SENTINEL: u8 = 0xed;
/// Bytes between and behind the operands.
const GUARD: usize = 32;

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
}

impl Gpu {
    fn new(adapter: &wgpu::Adapter, change: impl FnOnce(&mut wgpu::Limits)) -> Self {
        let (device, queue) = adapters::device(adapter, change);
        let kernels = Kernels::new(&device).unwrap();
        Self { device, queue, kernels }
    }

    /// Runs one launch in the given placement, each operand `skip` alignments further in than it has to be. Asserts
    /// that nothing but the result has changed, and returns the result.
    fn run<T: Scalar>(&self, placement: &Placement, definition: HardSigmoid, data: &[&[T]], skip: u64) -> Vec<T> {
        let alignment = u64::from(self.device.limits().min_storage_buffer_offset_alignment);
        let inputs = &data[..placement.inputs.len()];
        let len = inputs[0].len();
        let size = size_of_val(inputs[0]);
        let mut contents: Vec<Vec<u8>> = vec![Vec::new(); 3];
        let mut place = |buffer: usize, bytes: &[u8]| {
            let content = &mut contents[buffer];
            let offset = ((content.len() as u64).div_ceil(alignment) + skip) * alignment;
            content.resize(offset as usize, SENTINEL);
            content.extend(bytes);
            content.resize(content.len().next_multiple_of(4) + GUARD, SENTINEL);
            (buffer, offset)
        };
        let mut ranges = Vec::new();
        for (input, &buffer) in inputs.iter().zip(placement.inputs) {
            ranges.push(place(buffer, bytemuck::cast_slice(input)));
        }
        ranges.push(match placement.output {
            Output::Over(operand) => ranges[operand],
            Output::In(buffer) => place(buffer, &vec![SENTINEL; size]),
        });
        let used = contents.iter().filter(|content| !content.is_empty());
        let buffers: Vec<_> = used
            .map(|content| {
                self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: content,
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
                })
            })
            .collect();
        let range = |i: usize| BufferRange {
            buffer: &buffers[ranges[i].0],
            offset: ranges[i].1,
            size: size as u64,
        };
        let launch = match inputs.len() {
            1 => self.kernels.forward(definition, T::ELEMENT, range(0), range(1)),
            _ => self
                .kernels
                .backward(definition, T::ELEMENT, range(0), range(1), range(2)),
        };
        let launch = launch.unwrap();
        // Empty ranges overlap nothing, so they may count as in place or not.
        assert!(len == 0 || launch.kernel() == placement.kernel, "{:?}", launch.kernel());
        let mut encoder = self.device.create_command_encoder(&Default::default());
        launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
        self.queue.submit([encoder.finish()]);

        let &(output_buffer, output_offset) = ranges.last().unwrap();
        let output = output_offset as usize..output_offset as usize + size;
        let mut result = Vec::new();
        for (index, buffer) in buffers.iter().enumerate() {
            let mut after: Vec<u8> = bytemuck::pod_collect_to_vec(&adapters::read(&self.device, &self.queue, buffer));
            if index == output_buffer {
                result = bytemuck::pod_collect_to_vec(&after[output.clone()]);
                after[output.clone()].copy_from_slice(&contents[index][output.clone()]);
            }
            assert!(
                after == contents[index],
                "{:?}: buffer {index} changed outside the result",
                placement.kernel
            );
        }
        result
    }

    /// Runs a placement and compares it with the CPU path.
    fn check<T: Scalar>(&self, placement: &Placement, definition: HardSigmoid, x: &[T], g: &[T], skip: u64) {
        let actual = self.run(placement, definition, &[x, g], skip);
        let what = format!(
            "{:?} {definition} in {}, {} elements",
            placement.kernel,
            T::ELEMENT,
            x.len()
        );
        // Widening is exact and keeps every half apart from every other.
        let wide = |values: &[T]| -> Vec<f32> { values.iter().map(|value| value.to_f32()).collect() };
        let (actual, x, g) = (wide(&actual), wide(x), wide(g));
        let input = |i: usize| {
            format!(
                "x = {:e} ({:#010x}), g = {:e} ({:#010x})",
                x[i],
                x[i].to_bits(),
                g[i],
                g[i].to_bits()
            )
        };
        let is_forward = placement.inputs.len() == 1;
        let of = |x: f32, g: f32| {
            let result = if is_forward {
                definition.forward(x)
            } else {
                definition.backward(x, g)
            };
            T::from_f32(result).to_f32()
        };
        let mut expected: Vec<f32> = x.iter().zip(&g).map(|(&x, &g)| of(x, g)).collect();
        if definition.preset().is_none() {
            // Other parameters can also show that WGSL lets a GPU read a subnormal as zero.
            for (i, expected) in expected.iter_mut().enumerate() {
                let read_as_zero = of(subnormal_as_zero(x[i]), subnormal_as_zero(g[i]));
                if actual[i].to_bits() == read_as_zero.to_bits() {
                    *expected = read_as_zero;
                }
            }
        }
        // No result is a subnormal f32 in a preset's forward pass, nor in any of f16.
        let never_flushed = is_forward || T::ELEMENT == Element::F16;
        if never_flushed && definition.preset().is_some() {
            assert_same_bits(&what, &actual, &expected, input);
        } else {
            assert_same_bits_or_flushed(&what, &actual, &expected, input);
        }
    }
}

fn subnormal_as_zero(value: f32) -> f32 {
    if value.is_subnormal() { flushed(value) } else { value }
}

/// `len` elements of the golden inputs, which hold every special value, as often as it takes.
fn inputs(len: usize) -> (Vec<f32>, Vec<f32>) {
    let take = |name| npy(golden(name)).into_iter().cycle().take(len).collect();
    (take("x.npy"), take("g.npy"))
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
    for placement in &PLACEMENTS {
        for &len in &lengths {
            let (x, g) = inputs(len);
            gpu.check(placement, HardSigmoid::PYTORCH, &x, &g, 0);
        }
    }
}

/// Tensors larger than a binding: a tiny one, and on a device with default limits a tensor of 160 MiB.
fn split(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |limits| limits.max_storage_buffer_binding_size = 4096);
    for len in [1024, 1025, 2047, 2048, 5000, 10_003] {
        let (x, g) = inputs(len);
        for placement in &PLACEMENTS {
            gpu.check(placement, HardSigmoid::COURBARIAUX, &x, &g, 1);
        }
    }
    let gpu = Gpu::new(adapter, |limits| *limits = wgpu::Limits::default());
    let (x, _) = inputs(40 << 20);
    gpu.check(&PLACEMENTS[1], HardSigmoid::PYTORCH, &x, &x, 0);
}

fn every_definition(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let (x, g) = inputs(npy(golden("x.npy")).len());
    for definition in definitions() {
        for placement in &PLACEMENTS {
            gpu.check(placement, definition, &x, &g, 0);
        }
        // The same inputs against other gradients, all of the special ones among them.
        let rolled: Vec<f32> = g.iter().cycle().skip(1).take(g.len()).copied().collect();
        gpu.check(&PLACEMENTS[3], definition, &x, &rolled, 0);
    }
}

/// All 65,536 values of each half type, forward and against sixteen sets of upstream gradients, and odd lengths.
fn halves(adapter: &wgpu::Adapter) {
    halves_of(adapter, f16::from_bits);
    halves_of(adapter, bf16::from_bits);
}

fn halves_of<T: Scalar>(adapter: &wgpu::Adapter, of: fn(u16) -> T) {
    let gpu = Gpu::new(adapter, |limits| limits.max_compute_workgroups_per_dimension = 7);
    let x: Vec<T> = (0..=u16::MAX).map(of).collect();
    for definition in definitions() {
        for round in 0..16 {
            let gradient = |i: u16| {
                of(i.wrapping_mul(0x9e37)
                    .rotate_left(3 + round)
                    .wrapping_add(round as u16 * 0x0fed))
            };
            let g: Vec<T> = (0..=u16::MAX).map(gradient).collect();
            gpu.check(&PLACEMENTS[3], definition, &x, &g, 0);
        }
        for placement in &PLACEMENTS {
            gpu.check(placement, definition, &x, &x, 0);
        }
    }
    // From every residue of the vector, across a grid's edges and beyond: 49 workgroups of 2048 halves.
    for len in (0..20).chain(2040..2060).chain(100_345..100_360) {
        let take = |from: usize| -> Vec<T> { x.iter().cycle().skip(from).take(len).copied().collect() };
        for placement in &PLACEMENTS {
            gpu.check(placement, HardSigmoid::PYTORCH, &take(0x3ff0), &take(7), 0);
        }
    }
}

fn offsets(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    for len in [1, 3, 4, 1027] {
        let (x, g) = inputs(len);
        for skip in [1, 3, 10] {
            for placement in &PLACEMENTS {
                gpu.check(placement, HardSigmoid::JAX, &x, &g, skip);
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

/// The second launch reads what the first wrote, with other parameters; the first is recorded twice.
fn two_launches_in_one_pass(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    gpu.kernels.warm_up();
    let (x, _) = inputs(5001);
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
    let (x, g) = inputs(2500);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (gpu, x, g) = (&gpu, &x, &g);
            scope.spawn(move || {
                for round in 0..5 {
                    let definition = HardSigmoid::PRESETS[(thread + round) % 6].definition;
                    gpu.check(
                        &PLACEMENTS[(thread * 3 + round) % PLACEMENTS.len()],
                        definition,
                        x,
                        g,
                        0,
                    );
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
    kernels.warm_up();
    let (x, g) = inputs(1000);
    Gpu { device, queue, kernels }.check(&PLACEMENTS[3], HardSigmoid::JAX, &x, &g, 0);
}

/// The comparison fails on a difference of one rounding: JAX's product for PyTorch's division.
fn wrong_bits_are_seen(adapter: &wgpu::Adapter) {
    let gpu = Gpu::new(adapter, |_| ());
    let x = [1.0_f32, -2.9999998, 0.5];
    let actual = gpu.run(&PLACEMENTS[0], HardSigmoid::JAX, &[&x], 0);
    let expected = x.map(|x| HardSigmoid::PYTORCH.forward(x));
    let seen = common::difference(
        &actual,
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
    // The last length takes two chunks and a tail.
    for len in [0, 1, 3, 1024, (1 << 22) + 7] {
        let (x, g) = inputs(len);
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
    for len in [1, 7, (1 << 22) + 3] {
        let x: Vec<f16> = inputs(len).0.iter().map(|&x| f16::from_f32(x)).collect();
        let mut y = [vec![f16::NAN; len], vec![f16::NAN; len]];
        offload.forward_blocking(HardSigmoid::JAX, &x, &mut y[0]).unwrap();
        cpu.forward_blocking(HardSigmoid::JAX, &x, &mut y[1]).unwrap();
        assert!(y[0].iter().zip(&y[1]).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    let mut short = [7.0_f32];
    for on in [&offload, &cpu] {
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
