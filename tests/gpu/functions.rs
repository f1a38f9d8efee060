//! The functions of `wgsl::scalar`, called from kernels of the test's own, as an embedder calls them.

use crate::{
    adapters,
    common::definitions,
    inputs,
    outside::{self, ROW},
    permuted,
    slice::{CHUNK, chunks},
    slices, special_triples,
};
use hard_sigmoid::{
    Difference, Element, HardSigmoid, Op, Scalar, Unary, bf16, f16,
    wgsl::{self, Number, Options},
};
use std::{collections::HashSet, fmt::Debug};
use wgpu::util::DeviceExt;

/// Every function, for every definition, on special values, golden inputs, and all halves of each type.
pub fn every_function(adapter: &wgpu::Adapter) {
    let embedder = Embedder::new(adapter);
    let special = special_triples();
    let golden = inputs(40_960 - special[0].len());
    let of_f32: [Vec<f32>; 3] = std::array::from_fn(|i| [&special[i][..], &golden[i]].concat());
    let of_f16 = [0, 2, 7].map(|round| permuted(f16::from_bits, round));
    let of_bf16 = [0, 2, 7].map(|round| permuted(bf16::from_bits, round));
    let mut tried = HashSet::new();
    for op in definitions().into_iter().flat_map(Op::all) {
        // Some operations take no definition.
        if wgsl::scalar(op, &Options::default()).is_ok() && tried.insert(op) {
            embedder.check(op, Number::F32, slices(&of_f32));
            embedder.check_after_arithmetic(op, slices(&of_f32));
            embedder.check(op, Number::PackedF16, slices(&of_f16));
            embedder.check(op, Number::PackedBf16, slices(&of_bf16));
            if embedder.has_f16() {
                embedder.check(op, Number::F16, slices(&of_f16));
            }
        }
    }
    assert_eq!(tried.len(), 9 * definitions().len() + 3);
    // The comparison notices the function of another operation.
    let [jax, pytorch] = [HardSigmoid::JAX, HardSigmoid::PYTORCH].map(|of| Op::from(Unary::Forward(of)));
    let results = embedder.results(jax, &Options::default(), slices(&of_f32), None);
    assert!(wrong(pytorch, slices(&of_f32), &results, false).is_some());
}

/// Every 256th number of the sweep's, 2^24 in all, through the functions of one definition for each formula.
pub fn many(adapter: &wgpu::Adapter) {
    let embedder = Embedder::new(adapter);
    let definitions = [
        HardSigmoid::PYTORCH,
        HardSigmoid::KERAS,
        HardSigmoid::JAX,
        HardSigmoid::KERAS3,
        HardSigmoid::SPARSE,
    ];
    let every = |chunk: u64| (chunk..chunk + CHUNK).skip(77).step_by(256);
    let numbers: Vec<u32> = chunks().into_iter().flat_map(every).map(|bits| bits as u32).collect();
    let mut compared = 0;
    // Five tensors of such a part fit into a binding.
    for part in numbers.chunks(1 << 22) {
        let data: [Vec<f32>; 3] = [1u32, 0x9e37_79b1, 0x85eb_ca6b].map(|multiple| {
            let all = part.iter().map(|bits| f32::from_bits(bits.wrapping_mul(multiple)));
            all.collect()
        });
        for definition in definitions {
            let all = Op::all(definition).into_iter();
            for op in all.filter(|op| op.definition() == Some(definition)) {
                if wgsl::scalar(op, &Options::default()).is_ok() {
                    embedder.check(op, Number::F32, slices(&data));
                    compared += op.outputs().len() * part.len();
                }
            }
        }
    }
    // Nine operations, one of which has two results.
    println!("{compared} results of functions are right");
    assert_eq!(compared, definitions.len() * 10 * numbers.len());
    assert!(numbers.len() >= 1 << 16);
}

/// A short text may lose bits, but stays near the exact one.
pub fn short_functions_are_close(adapter: &wgpu::Adapter) {
    let embedder = Embedder::new(adapter);
    let data = inputs(40_960);
    let options = Options {
        text: wgsl::Text::Short,
        ..Default::default()
    };
    for definition in HardSigmoid::PRESETS.iter().map(|preset| preset.definition) {
        let results = embedder.results(Unary::Forward(definition).into(), &options, slices(&data), None);
        let is_close = |(x, y): (&f32, &f32)| x.is_nan() || (definition.forward(*x) - y).abs() < 1e-6;
        assert!(data[0].iter().zip(&results[0]).all(is_close), "{definition}");
    }
}

pub struct Embedder {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// A factor whose products are rounded.
const FACTOR: f32 = 1.1;

impl Embedder {
    pub fn new(adapter: &wgpu::Adapter) -> Self {
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            required_features: adapter.features() & wgpu::Features::SHADER_F16,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
        Self { device, queue }
    }

    fn has_f16(&self) -> bool {
        self.device.features().contains(wgpu::Features::SHADER_F16)
    }

    fn check<T: Scalar + Debug>(&self, op: Op, number: Number, data: [&[T]; 3]) {
        let options = Options {
            number,
            prefix: "their_",
            ..Default::default()
        };
        let results = self.results(op, &options, data, None);
        // A driver converts numbers between f16 and f32.
        if let Some(first) = wrong(op, data, &results, number == Number::F16) {
            panic!("{op:?} of {number}: {first}");
        }
    }

    /// The function gets products, straight out of the multiplication.
    fn check_after_arithmetic(&self, op: Op, data: [&[f32]; 3]) {
        let results = self.results(op, &Options::default(), data, Some(FACTOR));
        let products = data.map(|operand| operand.iter().map(|x| x * FACTOR).collect::<Vec<_>>());
        // A GPU may take subnormal numbers for zero.
        let is_known = |i: &usize| (0..3).all(|o| ![data[o][*i], products[o][*i]].iter().any(|x| x.is_subnormal()));
        let kept: Vec<_> = (0..data[0].len()).filter(is_known).collect();
        assert!(kept.len() > data[0].len() / 2);
        let keep = |all: &[f32]| kept.iter().map(|&i| all[i]).collect::<Vec<_>>();
        let results: Vec<_> = results.iter().map(|all| keep(all)).collect();
        // What a multiplication makes of NaN is open, and random words belong to an index.
        if op.name() != "binarize"
            && let Some(first) = wrong(op, slices(&products.each_ref().map(|all| keep(all))), &results, true)
        {
            panic!("{op:?} after arithmetic: {first}");
        }
    }

    /// What a kernel that calls the operation's functions gives for `data`, times the factor if there is one: one tensor for each result.
    fn results<T: Scalar>(&self, op: Op, options: &Options, data: [&[T]; 3], factor: Option<f32>) -> Vec<Vec<T>> {
        let elements = if options.number.wgsl() == "u32" {
            data[0].len() / 2
        } else {
            data[0].len()
        };
        let function = wgsl::scalar(op, options).unwrap();
        let directive = if options.number == Number::F16 {
            "enable f16;\n"
        } else {
            ""
        };
        let (kernel, numbers) = outside::kernel(op, options, elements, factor);
        let text = [directive, &function, &kernel].concat();
        let operands: Vec<u8> = data
            .iter()
            .flat_map(|operand| bytemuck::cast_slice(operand).to_vec())
            .collect();
        let size = size_of_val(data[0]);
        let results = vec![0xed; op.outputs().len() * size];
        let bound = [&operands[..], &results, bytemuck::cast_slice(&numbers)];
        let results = self.run(&text, bound, elements);
        let results: &[u8] = bytemuck::cast_slice(&results);
        results.chunks(size).map(bytemuck::pod_collect_to_vec).collect()
    }

    /// Runs the entry point `mine`, and returns what the buffer of the results holds then.
    pub fn run(&self, text: &str, [operands, results, numbers]: [&[u8]; 3], invocations: usize) -> Vec<u32> {
        let buffer = |contents, usage| {
            let descriptor = wgpu::util::BufferInitDescriptor {
                label: None,
                contents,
                usage,
            };
            self.device.create_buffer_init(&descriptor)
        };
        let operands = buffer(operands, wgpu::BufferUsages::STORAGE);
        let results = buffer(results, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let numbers = buffer(numbers, wgpu::BufferUsages::UNIFORM);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("mine"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("mine"),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [&operands, &results, &numbers].map(|buffer| buffer.as_entire_binding());
        let entries: Vec<_> = (0..)
            .zip(entries)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        assert_eq!(invocations % ROW, 0);
        pass.dispatch_workgroups(ROW as u32 / 64, (invocations / ROW) as u32, 1);
        drop(pass);
        self.queue.submit([encoder.finish()]);
        adapters::read(&self.device, &self.queue, &results)
    }
}

/// The first result that isn't the operation's. With `any_nan` a NaN may have another payload.
fn wrong<T: Scalar + Debug>(op: Op, data: [&[T]; 3], results: &[Vec<T>], any_nan: bool) -> Option<String> {
    assert_eq!(results.len(), op.outputs().len());
    (0..results.len()).find_map(|output| {
        assert_eq!(results[output].len(), data[0].len());
        (0..data[0].len()).find_map(|i| {
            let element = Element {
                operands: data.map(|operand| operand[i]),
                before: data[2][i],
                index: i as u64,
            };
            let actual = results[output][i];
            let are_nan = [actual, element.expected(op)[output]]
                .iter()
                .all(|y| y.to_f32().is_nan());
            let is_wrong = element.compare(op, output, actual) == Difference::Wrong && !(any_nan && are_nan);
            is_wrong.then(|| {
                format!(
                    "result {output} at {i}: {element:?} gives {actual:?}, expected {:?}",
                    element.expected(op)
                )
            })
        })
    })
}
