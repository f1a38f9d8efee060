//! The launches that the tests go through: each operation in each placement, and a device to run it on.

use crate::adapters;
use hard_sigmoid::{
    DType, Difference, Element, Finite, HardSigmoid, Op, Scalar,
    gpu::{Batch, BufferRange, Kernels, Launch},
    plan::Placement,
};
use std::{fmt::Debug, sync::Mutex};
use wgpu::util::DeviceExt;

/// A launch to test, and where its tensors are.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub op: Op,
    pub layout: Layout,
}

/// The buffer of each operand, and where each result goes.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub placement: Placement,
    pub inputs: &'static [usize],
    pub outputs: &'static [Output],
}

#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// The result goes in place of the operand that it may replace.
    Over,
    /// The result goes into a buffer, after what is already there.
    In(usize),
}

/// Every layout of this number of operands and results. The plainest comes first.
fn layouts(inputs: usize, outputs: usize) -> &'static [Layout] {
    use Output::{In, Over};
    use Placement::{InPlace, Separate, Shared};
    macro_rules! table {
        ($($placement:ident $inputs:expr => $outputs:expr;)*) => {
            &[$(Layout { placement: $placement, inputs: &$inputs, outputs: &$outputs }),*]
        };
    }
    match (inputs, outputs) {
        (1, 1) => table! {
            Separate [0] => [In(1)];
            InPlace [0] => [Over];
            Shared [0] => [In(0)];
        },
        (2, 1) => table! {
            Separate [0, 1] => [In(2)];
            Separate [0, 0] => [In(1)];
            InPlace [0, 1] => [Over];
            InPlace [0, 0] => [Over];
            Shared [0, 0] => [In(0)];
            Shared [0, 1] => [In(0)];
            Shared [0, 1] => [In(1)];
        },
        (3, 2) => table! {
            Separate [0, 1, 2] => [In(3), In(4)];
            Separate [0, 0, 0] => [In(1), In(1)];
            InPlace [0, 1, 2] => [Over, In(3)];
            InPlace [0, 0, 0] => [Over, In(0)];
            Shared [0, 1, 2] => [In(0), In(1)];
            Shared [0, 0, 0] => [In(0), In(0)];
        },
        other => panic!("no layouts for {other:?} operands and results"),
    }
}

fn layouts_of(op: Op) -> impl Iterator<Item = &'static Layout> {
    let all = layouts(op.inputs().len(), op.outputs().len()).iter();
    all.filter(move |layout| layout.placement.allows(op))
}

/// Every operation on numbers whose tensors have one length. `broadcast.rs` and `lookup.rs` test the others.
pub fn operations(definition: HardSigmoid) -> impl Iterator<Item = Op> {
    let all = Op::all(definition).into_iter();
    all.filter(|op| op.broadcast().is_none() && op.dtypes().contains(&DType::F32))
}

/// Every operation with `definition`, in every layout.
pub fn cases(definition: HardSigmoid) -> Vec<Case> {
    operations(definition)
        .flat_map(|op| layouts_of(op).map(move |&layout| Case { op, layout }))
        .collect()
}

/// The case with every tensor in a buffer of its own.
pub fn separate(op: impl Into<Op>) -> Case {
    let op = op.into();
    let layout = *layouts_of(op).next().expect("every operation has a layout");
    Case { op, layout }
}

/// Every operation with `definition`, with every tensor in a buffer of its own.
pub fn each_separate(definition: HardSigmoid) -> Vec<Case> {
    operations(definition).map(separate).collect()
}

/// Asserts that every operation has a case in every placement that it allows.
pub fn assert_complete() {
    for op in operations(HardSigmoid::PYTORCH) {
        for placement in Placement::ALL {
            let has_case = layouts_of(op).any(|layout| layout.placement == *placement);
            assert_eq!(has_case, placement.allows(op), "{op:?} {placement:?}");
        }
    }
}

impl Case {
    fn adds(&self) -> bool {
        self.op.name() == "backward_accumulate"
    }

    /// Prepares the launch; `i` and `o` are the ranges of operands and results.
    pub fn launch(&self, k: &Kernels, dtype: DType, i: &[BufferRange], o: &[BufferRange]) -> Launch {
        let launch = match self.op {
            Op::Unary(op) => k.unary(op, dtype, i[0], o[0]),
            Op::Binary(op) => k.binary(op, dtype, i[0], i[1], o[0]),
            Op::GateBackward(d) => k.gate_backward(d, dtype, i[0], i[1], i[2], o[0], o[1]),
            Op::Pack(how) => k.pack(how, dtype, i[0], o[0]),
            Op::Unpack(scale) => k.unpack(Finite::get(scale), dtype, i[0], o[0]),
            other => panic!("{other:?} has no method here"),
        };
        launch.unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

/// The byte that fills everything except operands, so that a missing or a stray write shows.
const SENTINEL: u8 = 0xed;
/// Bytes between and after the tensors.
const GUARD: usize = 32;

pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub kernels: Kernels,
    /// Launches go through this batch if there is one.
    pub batch: Option<Mutex<Batch>>,
}

impl Gpu {
    pub fn new(adapter: &wgpu::Adapter, change: impl FnOnce(&mut wgpu::Limits)) -> Self {
        let (device, queue) = adapters::device(adapter, change);
        let kernels = Kernels::new(&device).unwrap();
        Self {
            device,
            queue,
            kernels,
            batch: None,
        }
    }

    /// Runs one launch as the case says, each tensor `skip` alignments further in than it has to be. Asserts that
    /// nothing but the results has changed, and returns their bytes. `data` holds the operands, and then what the
    /// output holds before the launch, if that matters.
    fn run(&self, case: &Case, dtype: DType, data: &[&[u8]], sizes: &[usize], skip: u64) -> Vec<Vec<u8>> {
        let alignment = u64::from(self.device.limits().min_storage_buffer_offset_alignment);
        let (inputs, before) = data.split_at(case.layout.inputs.len());
        let mut contents: Vec<Vec<u8>> = vec![Vec::new(); 5];
        // The buffer, and the range in it.
        let mut place = |buffer: usize, bytes: &[u8]| {
            let content = &mut contents[buffer];
            let offset = ((content.len() as u64).div_ceil(alignment) + skip) * alignment;
            content.resize(offset as usize, SENTINEL);
            content.extend(bytes);
            content.resize(content.len().next_multiple_of(4) + GUARD, SENTINEL);
            (buffer, offset, bytes.len())
        };
        let inputs: Vec<_> = inputs
            .iter()
            .zip(case.layout.inputs)
            .map(|(input, &buffer)| place(buffer, input))
            .collect();
        let outputs = case
            .layout
            .outputs
            .iter()
            .zip(sizes)
            .map(|(&output, &size)| match output {
                Output::Over => inputs[case.op.replaces().unwrap()],
                Output::In(buffer) if case.adds() => place(buffer, before[0]),
                Output::In(buffer) => place(buffer, &vec![SENTINEL; size]),
            });
        let outputs: Vec<_> = outputs.collect();
        // Buffers are numbered without gaps.
        contents.retain(|content| !content.is_empty());
        let buffers: Vec<_> = contents
            .iter()
            .map(|content| {
                self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: content,
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
                })
            })
            .collect();
        let range = |&(buffer, offset, size): &(usize, u64, usize)| BufferRange {
            buffer: &buffers[buffer],
            offset,
            size: size as u64,
        };
        let i: Vec<_> = inputs.iter().map(range).collect();
        let o: Vec<_> = outputs.iter().map(range).collect();
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        if let Some(batch) = &self.batch {
            let mut batch = batch.lock().unwrap();
            batch.clear();
            let launch = batch.add(case.op, dtype, &[&i[..], &o].concat()).unwrap();
            batch.write(&self.queue).encode(launch, &mut pass).unwrap();
        } else {
            let launch = case.launch(&self.kernels, dtype, &i, &o);
            let chosen = (launch.kernel().op(), launch.kernel().placement());
            // Empty ranges overlap nothing, so they may count as in place or not.
            assert!(
                sizes[0] == 0 || chosen == (case.op, case.layout.placement),
                "{chosen:?} instead of {case:?}"
            );
            launch.encode(&mut pass);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);

        let mut after: Vec<Vec<u8>> = buffers
            .iter()
            .map(|buffer| bytemuck::pod_collect_to_vec(&adapters::read(&self.device, &self.queue, buffer)))
            .collect();
        let mut results = Vec::new();
        for (buffer, offset, size) in outputs {
            let range = offset as usize..offset as usize + size;
            results.push(after[buffer][range.clone()].to_vec());
            after[buffer][range.clone()].copy_from_slice(&contents[buffer][range]);
        }
        assert!(after == contents, "{case:?} changed something outside its results");
        results
    }

    /// Returns what the case gives for `data`; packed signs become 1 and -1.
    pub fn results<T: Scalar>(&self, case: &Case, data: [&[T]; 3], skip: u64) -> Vec<Vec<T>> {
        let len = data[0].len();
        let mut bytes: Vec<&[u8]> = data.iter().map(|values| bytemuck::cast_slice(values)).collect();
        let signs = packed(data[0]);
        if matches!(case.op, Op::Unpack(_)) {
            bytes[0] = bytemuck::cast_slice(&signs);
        }
        let packs = matches!(case.op, Op::Pack(_));
        let size = if packs { size_of_val(&signs[..]) } else { bytes[1].len() };
        let results = self.run(case, T::DTYPE, &bytes, &[size; 2], skip);
        let as_numbers = |bytes: &Vec<u8>| match packs {
            true => unpacked(&bytemuck::pod_collect_to_vec(bytes), len),
            false => bytemuck::pod_collect_to_vec(bytes),
        };
        results.iter().map(as_numbers).collect()
    }

    /// Runs a case and compares it with the CPU path by the numeric contract.
    pub fn check<T: Scalar + Debug>(&self, case: &Case, data: [&[T]; 3], skip: u64) {
        let [x, g, h] = data;
        // Saved outputs, among them numbers that no forward pass gives.
        let y = || {
            let definition = case.op.definition().expect("it has a gradient");
            let y = x.iter().enumerate().map(|(i, &x)| match i % 5 {
                0 => x,
                _ => T::from_f32(definition.forward(x.to_f32())),
            });
            y.collect::<Vec<T>>()
        };
        let y = if case.op.inputs()[0] == "y" { y() } else { x.to_vec() };
        let data = [&y[..], g, h];
        let results = self.results(case, data, skip);
        let before = data[case.layout.inputs.len().min(2)];
        for (output, results) in results.iter().enumerate() {
            let mut wrong = (0..x.len()).filter_map(|i| {
                let first = match case.op {
                    Op::Unpack(_) => sign(data[0][i]),
                    _ => data[0][i],
                };
                let element = Element {
                    operands: [first, data[1][i], data[2][i]],
                    before: before[i],
                    index: i as u64,
                };
                let is_wrong = element.compare(case.op, output, results[i]) == Difference::Wrong;
                is_wrong.then(|| {
                    let (actual, expected) = (results[i], element.expected(case.op)[output]);
                    let bits = |value: T| format!("{value:?} ({:#010x})", value.to_f32().to_bits());
                    format!("{i}: {element:?} gives {}, expected {}", bits(actual), bits(expected))
                })
            });
            if let Some(first) = wrong.next() {
                let (dtype, len, others) = (T::DTYPE, x.len(), wrong.count());
                panic!("output {output} of {case:?} in {dtype}, {len} elements: {first}; and {others} others differ");
            }
        }
    }
}

/// The sign that is packed for a number, as 1 or -1.
fn sign<T: Scalar>(value: T) -> T {
    T::from_f32(if value.to_f32() >= 0.0 { 1.0 } else { -1.0 })
}

/// Packs the signs of numbers, one by one. The bits after them are set, since nothing may depend on them.
fn packed<T: Scalar>(values: &[T]) -> Vec<u32> {
    let word = |values: &[T]| {
        (0..32).fold(0, |word, i| {
            let is_set = values.get(i).is_none_or(|v| v.to_f32() >= 0.0);
            word | u32::from(is_set) << i
        })
    };
    values.chunks(32).map(word).collect()
}

/// The numbers that packed signs stand for, 1 and -1; the bits after them have to be 0.
fn unpacked<T: Scalar>(words: &[u32], len: usize) -> Vec<T> {
    let bit = |i: usize| words[i / 32] >> (i % 32) & 1;
    assert!((len..words.len() * 32).all(|i| bit(i) == 0), "bits after the last sign");
    (0..len)
        .map(|i| T::from_f32(if bit(i) == 1 { 1.0 } else { -1.0 }))
        .collect()
}
