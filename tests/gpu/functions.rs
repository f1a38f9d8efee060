//! The functions of `wgsl::function`, called from kernels of the test's own, as an embedder calls them.

use crate::{adapters, common::definitions, inputs, permuted, slices, special_triples};
use hard_sigmoid::{Binarization, DType, Difference, Element, HardSigmoid, Op, Scalar, Unary, bf16, f16, wgsl};
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
        if wgsl::function(op, DType::F32).is_ok() && tried.insert(op) {
            embedder.check(op, slices(&of_f32));
            embedder.check(op, slices(&of_f16));
            embedder.check(op, slices(&of_bf16));
        }
    }
    assert_eq!(tried.len(), 9 * definitions().len() + 3);
    // The comparison notices the function of another operation.
    let [jax, pytorch] = [HardSigmoid::JAX, HardSigmoid::PYTORCH].map(|of| Op::from(Unary::Forward(of)));
    let results = embedder.results(jax, slices(&of_f32));
    assert!(wrong(pytorch, slices(&of_f32), &results).is_some());
}

/// `packed` rounds any f32 to halves, as after arithmetic of the embedder's own: numbers between halves, and every kind of NaN.
pub fn packed(adapter: &wgpu::Adapter) {
    let embedder = Embedder::new(adapter);
    packed_is(&embedder, f16::from_bits, f16::to_bits);
    packed_is(&embedder, bf16::from_bits, bf16::to_bits);
}

fn packed_is<T: Scalar>(embedder: &Embedder, of: fn(u16) -> T, bits: fn(T) -> u16) {
    // Halves with any lower bits, so that numbers between halves, and NaNs of any payload, are among them.
    let between = |i: u16| f32::from_bits(of(i).to_f32().to_bits() | u32::from(i.wrapping_mul(0x9e37)));
    let nans = [
        0x7fff_a3c5,
        0x7fff_f9db,
        0x7fff_ffff,
        0xffff_ffff,
        0x7f80_0001,
        0xff80_0001,
        0x7fff_e000,
        0xffff_0000,
    ];
    let mut x: Vec<f32> = (0..=u16::MAX).map(between).collect();
    x[..nans.len()].copy_from_slice(&nans.map(f32::from_bits));
    let op = Op::from(Unary::Forward(HardSigmoid::PYTORCH));
    let text = wgsl::function(op, T::DTYPE).unwrap()
        + "
        @group(0) @binding(0) var<storage, read_write> x: array<vec4<u32>>;
        @group(0) @binding(1) var<uniform> numbers: Numbers;
        @compute @workgroup_size(64)
        fn mine(@builtin(global_invocation_id) id: vec3<u32>) {
            // So that the layout has it.
            _ = numbers.seed;
            x[2u * id.x] = packed(x[2u * id.x], x[2u * id.x + 1u]);
        }";
    let after = embedder.run(op, &text, bytemuck::cast_slice(&x), x.len() / 8);
    let mut compared = 0;
    for (x, words) in x.chunks(8).zip(after.chunks(8)) {
        for (lane, word) in words[..4].iter().enumerate() {
            for (half, x) in [(*word as u16, x[lane]), ((word >> 16) as u16, x[lane + 4])] {
                let expected = bits(T::from_f32(x));
                assert_eq!(half, expected, "{:#010x} in {}", x.to_bits(), T::DTYPE);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, x.len());
}

struct Embedder {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

/// What a kernel has in its uniform.
const NUMBERS: &str = "struct Numbers { seed: vec2<u32>, offset: vec2<u32>, scale: f32 }\n";

impl Embedder {
    fn new(adapter: &wgpu::Adapter) -> Self {
        let (device, queue) = adapters::device(adapter, |_| ());
        Self { device, queue }
    }

    fn check<T: Scalar + Debug>(&self, op: Op, data: [&[T]; 3]) {
        let results = self.results(op, data);
        if let Some(first) = wrong(op, data, &results) {
            panic!("{op:?} in {}: {first}", T::DTYPE);
        }
    }

    /// What a kernel that calls the operation's function gives for `data`: one tensor for each result.
    fn results<T: Scalar>(&self, op: Op, data: [&[T]; 3]) -> Vec<Vec<T>> {
        let text = wgsl::function(op, T::DTYPE).unwrap() + &kernel::<T>(op, data[0].len());
        let mut bytes: Vec<u8> = data
            .iter()
            .flat_map(|operand| bytemuck::cast_slice(operand).to_vec())
            .collect();
        let (operands, size) = (bytes.len(), size_of_val(data[0]));
        bytes.resize(operands + op.outputs().len() * size, 0xed);
        let after = self.run(op, &text, &bytes, size / 16);
        let after: &[u8] = bytemuck::cast_slice(&after);
        assert!(after[..operands] == bytes[..operands], "{op:?} changed an operand");
        after[operands..]
            .chunks(size)
            .map(bytemuck::pod_collect_to_vec)
            .collect()
    }

    /// Runs the entry point `mine` over one buffer, and returns what the buffer holds then.
    fn run(&self, op: Op, text: &str, bytes: &[u8], invocations: usize) -> Vec<u32> {
        let parameters = op.parameters();
        let [seed, offset] = [parameters.seed, parameters.offset].map(Option::unwrap_or_default);
        let scale = u64::from(parameters.scale.unwrap_or_default().to_bits());
        let buffer = |contents, usage| {
            let descriptor = wgpu::util::BufferInitDescriptor {
                label: None,
                contents,
                usage,
            };
            self.device.create_buffer_init(&descriptor)
        };
        let all = buffer(bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let numbers = buffer(
            bytemuck::cast_slice(&[seed, offset, scale, 0]),
            wgpu::BufferUsages::UNIFORM,
        );
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("mine"),
            source: wgpu::ShaderSource::Wgsl([NUMBERS, text].concat().into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("mine"),
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let entries = [&all, &numbers].map(|buffer| buffer.as_entire_binding());
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
        assert_eq!(invocations % 64, 0);
        pass.dispatch_workgroups(invocations as u32 / 64, 1, 1);
        drop(pass);
        self.queue.submit([encoder.finish()]);
        adapters::read(&self.device, &self.queue, &all)
    }
}

/// A kernel over one buffer: three tensors of operands of `len` elements, and then the results.
fn kernel<T: Scalar>(op: Op, len: usize) -> String {
    let vectors = len * size_of::<T>() / 16;
    let operand = |i: usize| format!("all[{}u + i]", i * vectors);
    let mut arguments: Vec<_> = (0..op.inputs().len()).map(operand).collect();
    if op.name() == "backward_accumulate" {
        arguments.push(operand(2));
    }
    let signs = match op {
        Op::Unary(Unary::Binarize(signs)) => Some(signs.how),
        _ => None,
    };
    let draws = signs.is_some_and(|how| how != Binarization::Deterministic);
    let call = |name: &str, read: &str, random: &str| {
        let mut arguments: Vec<_> = arguments.iter().map(|argument| format!("{read}({argument})")).collect();
        if draws {
            arguments.push(random.into());
        }
        if signs.is_some() {
            arguments.push("numbers.scale".into());
        }
        format!("{name}({})", arguments.join(", "))
    };
    let names: Vec<_> = match op.outputs() {
        [_] => vec![op.name().to_string()],
        results => results.iter().map(|result| format!("{}_{result}", op.name())).collect(),
    };
    let random = |element: &str| format!("random4({element}, numbers.seed, numbers.offset)");
    // Without draws the text has no use for random words.
    let drawn = match (draws, T::DTYPE) {
        (false, _) => String::new(),
        (true, DType::F32) => format!("let random = {};", random("4u * i")),
        (true, _) => format!(
            "let first = {};
            let second = {};
            let random_low = vec4<u32>(first.xz, second.xz);
            let random_high = vec4<u32>(first.yw, second.yw);",
            random("8u * i"),
            random("8u * i + 4u")
        ),
    };
    let results = names.iter().enumerate().map(|(output, name)| match T::DTYPE {
        DType::F32 => format!("let result{output} = {};\n", call(name, "", "random")),
        _ => format!(
            "let result{output} = packed({}, {});\n",
            call(name, "low", "random_low"),
            call(name, "high", "random_high")
        ),
    });
    let results: String = results.collect();
    let stores = (0..names.len()).map(|output| format!("{} = result{output};\n", operand(3 + output)));
    format!(
        "
        @group(0) @binding(0) var<storage, read_write> all: array<vec4<u32>>;
        @group(0) @binding(1) var<uniform> numbers: Numbers;
        @compute @workgroup_size(64)
        fn mine(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            // So that the layout has it.
            _ = numbers.seed;
            {drawn}
            {results}
            {}
        }}",
        stores.collect::<String>()
    )
}

/// The first result that isn't the operation's.
fn wrong<T: Scalar + Debug>(op: Op, data: [&[T]; 3], results: &[Vec<T>]) -> Option<String> {
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
            let is_wrong = element.compare(op, output, actual) == Difference::Wrong;
            is_wrong.then(|| {
                format!(
                    "result {output} at {i}: {element:?} gives {actual:?}, expected {:?}",
                    element.expected(op)
                )
            })
        })
    })
}
