//! The launches that the tests go through: each kernel in each way and placement, what it has to give, and a device to
//! run it on.

use crate::{
    adapters,
    common::{assert_same_bits, assert_same_bits_or_flushed, flushed},
};
use hard_sigmoid::{
    Binarization, BufferRange, Element, HardSigmoid, Kernel, Kernels, Launch, Placement, Scalar, StraightThrough,
};
use wgpu::util::DeviceExt;

/// A launch to test: what it computes, and where its operands lie: the buffer of each input in the order of the API, and
/// where each output goes.
pub struct Case {
    pub kernel: Kernel,
    pub way: Way,
    pub placement: Placement,
    pub inputs: &'static [usize],
    pub outputs: &'static [Output],
}

/// Kernels that serve several functions: which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the kernel is called; binarization is deterministic.
    Plain,
    /// `backward_from_output`
    FromOutput,
    /// `binarize_backward`
    HardTanh,
    Identity,
    /// Binarization by draws, the definition being the probability.
    Drawn,
}

#[derive(Clone, Copy)]
pub enum Output {
    /// Over an input, by its index.
    Over(usize),
    /// In a buffer, after what else lies there.
    In(usize),
}

pub const CASES: [Case; 47] = {
    use Kernel::*;
    use Output::*;
    use Placement::*;
    use Way::*;
    macro_rules! table {
        ($($kernel:ident $way:ident $placement:ident $inputs:expr => $outputs:expr;)*) => {
            [$(Case {
                kernel: $kernel,
                way: $way,
                placement: $placement,
                inputs: &$inputs,
                outputs: &$outputs,
            }),*]
        };
    }
    table! {
        Forward Plain Apart [0] => [In(1)];
        Forward Plain InPlace [0] => [Over(0)];
        Forward Plain Pooled [0] => [In(0)];
        Backward Plain Apart [0, 1] => [In(2)];
        Backward Plain Apart [0, 0] => [In(1)];
        Backward Plain InPlace [0, 1] => [Over(1)];
        Backward Plain InPlace [0, 0] => [Over(1)];
        Backward Plain Pooled [0, 0] => [In(0)];
        Backward Plain Pooled [0, 1] => [In(0)];
        Backward Plain Pooled [0, 1] => [In(1)];
        Backward FromOutput Apart [0, 1] => [In(2)];
        Backward FromOutput InPlace [0, 1] => [Over(1)];
        Backward FromOutput Pooled [0, 0] => [In(0)];
        Backward HardTanh Apart [0, 1] => [In(2)];
        Backward HardTanh InPlace [0, 1] => [Over(1)];
        Backward Identity Apart [0, 1] => [In(2)];
        BackwardAccumulate Plain Apart [0, 1] => [In(2)];
        BackwardAccumulate Plain Pooled [0, 0] => [In(0)];
        BackwardAccumulate Plain Pooled [0, 1] => [In(1)];
        Gate Plain Apart [0, 1] => [In(2)];
        Gate Plain InPlace [0, 1] => [Over(0)];
        Gate Plain InPlace [0, 0] => [Over(0)];
        Gate Plain Pooled [0, 0] => [In(0)];
        Gate Plain Pooled [0, 1] => [In(1)];
        GateBackward Plain Apart [0, 1, 2] => [In(3), In(4)];
        GateBackward Plain Apart [0, 0, 0] => [In(1), In(1)];
        GateBackward Plain InPlace [0, 1, 2] => [Over(2), In(3)];
        GateBackward Plain InPlace [0, 0, 0] => [Over(2), In(0)];
        GateBackward Plain Pooled [0, 1, 2] => [In(0), In(1)];
        GateBackward Plain Pooled [0, 0, 0] => [In(0), In(0)];
        HardSwish Plain Apart [0] => [In(1)];
        HardSwish Plain InPlace [0] => [Over(0)];
        HardSwish Plain Pooled [0] => [In(0)];
        HardSwishBackward Plain Apart [0, 1] => [In(2)];
        HardSwishBackward Plain InPlace [0, 1] => [Over(1)];
        HardSwishBackward Plain Pooled [0, 1] => [In(0)];
        Binarize Drawn Apart [0] => [In(1)];
        Binarize Drawn InPlace [0] => [Over(0)];
        Binarize Drawn Pooled [0] => [In(0)];
        Binarize Plain Apart [0] => [In(1)];
        Binarize Plain InPlace [0] => [Over(0)];
        BinarizePacked Drawn Apart [0] => [In(1)];
        BinarizePacked Drawn Pooled [0] => [In(0)];
        BinarizePacked Plain Apart [0] => [In(1)];
        BinarizePacked Plain Pooled [0] => [In(0)];
        Unpack Plain Apart [0] => [In(1)];
        Unpack Plain Pooled [0] => [In(0)];
    }
};

/// The first case of a kernel: with every operand in a buffer of its own, and a binarization drawn.
pub fn apart(kernel: Kernel) -> &'static Case {
    let mut cases = CASES.iter();
    cases.find(|case| case.kernel == kernel).unwrap()
}

/// Every kernel has a case in every placement, and every function one at least.
pub fn assert_complete() {
    for kernel in Kernel::ALL {
        for placement in Placement::ALL {
            let has_case = CASES.iter().any(|c| c.kernel == kernel && c.placement == placement);
            let has_placement = kernel.placements().contains(&placement);
            assert_eq!(has_case, has_placement, "{kernel:?} {placement:?}");
        }
    }
    for way in [Way::Plain, Way::FromOutput, Way::HardTanh, Way::Identity, Way::Drawn] {
        assert!(CASES.iter().any(|case| case.way == way), "{way:?}");
    }
}

/// Exact in half floats.
const SCALE: f32 = 0.75;

impl Case {
    /// With random words that start at any place of a block, and cross the 32 bits of their position.
    pub fn binarization(&self, definition: HardSigmoid, len: usize) -> Binarization {
        match self.way {
            Way::Drawn => Binarization::Stochastic {
                probability: definition,
                seed: 0x0123_4567_89ab_cdef,
                offset: (1 << 33) - 1001 + len as u64 % 4,
            },
            _ => Binarization::Deterministic,
        }
    }

    /// The results for one element, by the CPU path. `before` is what an accumulated result is added to.
    pub fn expected(&self, on: Definition, data: [f32; 3], before: f32, index: usize) -> [f32; 2] {
        let (d, [first, second, third]) = (on.definition, data);
        let one = |result| [result, result];
        match (self.kernel, self.way) {
            (Kernel::Forward, _) => one(d.forward(first)),
            (Kernel::Backward, Way::FromOutput) => one(d.backward_from_output(first, second)),
            (Kernel::Backward, Way::HardTanh) => one(StraightThrough::HardTanh.backward(first, second)),
            (Kernel::Backward, Way::Identity) => one(StraightThrough::Identity.backward(first, second)),
            (Kernel::Backward, _) => one(d.backward(first, second)),
            (Kernel::BackwardAccumulate, _) => one(d.backward_accumulate(first, second, before)),
            (Kernel::Gate, _) => one(d.gate(first, second)),
            (Kernel::GateBackward, _) => d.gate_backward(first, second, third).into(),
            (Kernel::HardSwish, _) => one(d.hard_swish(first)),
            (Kernel::HardSwishBackward, _) => one(d.hard_swish_backward(first, second)),
            // Packed signs are compared as the numbers that they stand for.
            (Kernel::Binarize | Kernel::BinarizePacked | Kernel::Unpack, _) => {
                let is_plus = on.binarization.is_plus(index as u64, first);
                one(if is_plus { SCALE } else { -SCALE })
            }
        }
    }

    /// The same where every subnormal counts as zero, also between the operations. (NaN apart: no subnormal changes it.)
    pub fn expected_without_subnormals(&self, on: Definition, data: [f32; 3], before: f32, index: usize) -> [f32; 2] {
        let data = data.map(subnormal_as_zero);
        let [first, second, third] = data;
        let gradients = |a, b, g| {
            let da = flushed(on.definition.gate(g, b));
            [da, flushed(on.definition.backward(b, flushed(g * a)))]
        };
        match self.kernel {
            Kernel::BackwardAccumulate => {
                let gradient = flushed(on.definition.backward(first, second));
                [subnormal_as_zero(before) + gradient; 2]
            }
            Kernel::GateBackward => gradients(first, second, third),
            Kernel::HardSwishBackward => {
                let [da, db] = gradients(first, first, second);
                [da + db; 2]
            }
            _ => self.expected(on, data, before, index),
        }
    }

    /// Prepares it, `i` and `o` being the ranges of inputs and outputs.
    pub fn launch(&self, k: &Kernels, on: Definition, e: Element, i: &[BufferRange], o: &[BufferRange]) -> Launch {
        let (d, b) = (on.definition, on.binarization);
        let launch = match (self.kernel, self.way) {
            (Kernel::Forward, _) => k.forward(d, e, i[0], o[0]),
            (Kernel::Backward, Way::FromOutput) => k.backward_from_output(d, e, i[0], i[1], o[0]),
            (Kernel::Backward, Way::HardTanh) => k.binarize_backward(StraightThrough::HardTanh, e, i[0], i[1], o[0]),
            (Kernel::Backward, Way::Identity) => k.binarize_backward(StraightThrough::Identity, e, i[0], i[1], o[0]),
            (Kernel::Backward, _) => k.backward(d, e, i[0], i[1], o[0]),
            (Kernel::BackwardAccumulate, _) => k.backward_accumulate(d, e, i[0], i[1], o[0]),
            (Kernel::Gate, _) => k.gate(d, e, i[0], i[1], o[0]),
            (Kernel::GateBackward, _) => k.gate_backward(d, e, i[0], i[1], i[2], o[0], o[1]),
            (Kernel::HardSwish, _) => k.hard_swish(d, e, i[0], o[0]),
            (Kernel::HardSwishBackward, _) => k.hard_swish_backward(d, e, i[0], i[1], o[0]),
            (Kernel::Binarize, _) => k.binarize(b, SCALE, e, i[0], o[0]),
            (Kernel::BinarizePacked, _) => k.binarize_packed(b, e, i[0], o[0]),
            (Kernel::Unpack, _) => k.unpack(SCALE, e, i[0], o[0]),
        };
        launch.unwrap()
    }
}

/// The definition that a case is run with, also as the probability of a binarization.
#[derive(Clone, Copy)]
pub struct Definition {
    pub definition: HardSigmoid,
    pub binarization: Binarization,
}

/// Fills everything that is no input, so that a missing or a stray write shows.
const SENTINEL: u8 = 0xed;
/// Bytes between and behind the operands.
const GUARD: usize = 32;

pub struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub kernels: Kernels,
}

impl Gpu {
    pub fn new(adapter: &wgpu::Adapter, change: impl FnOnce(&mut wgpu::Limits)) -> Self {
        let (device, queue) = adapters::device(adapter, change);
        let kernels = Kernels::new(&device).unwrap();
        Self { device, queue, kernels }
    }

    /// Runs one launch as the case says, each operand `skip` alignments further in than it has to be. Asserts that
    /// nothing but the results has changed, and returns their bytes. `data` holds the inputs, and then what the output
    /// holds before if that counts.
    fn run(
        &self,
        case: &Case,
        on: Definition,
        element: Element,
        data: &[&[u8]],
        sizes: &[usize],
        skip: u64,
    ) -> Vec<Vec<u8>> {
        let alignment = u64::from(self.device.limits().min_storage_buffer_offset_alignment);
        let (inputs, before) = data.split_at(case.inputs.len());
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
            .zip(case.inputs)
            .map(|(input, &buffer)| place(buffer, input))
            .collect();
        let outputs: Vec<_> = case
            .outputs
            .iter()
            .zip(sizes)
            .map(|(&output, &size)| match output {
                Output::Over(operand) => inputs[operand],
                Output::In(buffer) if case.kernel == Kernel::BackwardAccumulate => place(buffer, before[0]),
                Output::In(buffer) => place(buffer, &vec![SENTINEL; size]),
            })
            .collect();
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
        let launch = case.launch(&self.kernels, on, element, &i, &o);
        let chosen = (launch.kernel(), launch.placement());
        // Empty ranges overlap nothing, so they may count as in place or not.
        assert!(sizes[0] == 0 || chosen == (case.kernel, case.placement), "{chosen:?}");
        let mut encoder = self.device.create_command_encoder(&Default::default());
        launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
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
        assert!(
            after == contents,
            "{:?} changed something outside its results",
            case.kernel
        );
        results
    }

    /// What the case gives for `data`, widened to f32, which is exact and keeps every half apart from every other;
    /// signs as the numbers that they stand for.
    pub fn results<T: Scalar>(&self, case: &Case, on: Definition, data: [&[T]; 3], skip: u64) -> Vec<Vec<f32>> {
        let len = data[0].len();
        let mut data: Vec<&[u8]> = data.iter().map(|values| bytemuck::cast_slice(values)).collect();
        let signs = packed(&wide::<T>(bytemuck::cast_slice(data[0])));
        if case.kernel == Kernel::Unpack {
            data[0] = bytemuck::cast_slice(&signs);
        }
        let size = match case.kernel {
            Kernel::BinarizePacked => size_of_val(&signs[..]),
            _ => data[1].len(),
        };
        let results = self.run(case, on, T::ELEMENT, &data, &[size; 2], skip);
        let as_numbers = |bytes: &Vec<u8>| match case.kernel {
            Kernel::BinarizePacked => unpacked(&bytemuck::pod_collect_to_vec(bytes), len),
            _ => wide(&bytemuck::pod_collect_to_vec::<_, T>(bytes)),
        };
        results.iter().map(as_numbers).collect()
    }

    /// Runs a case and compares it with the CPU path.
    pub fn check<T: Scalar>(&self, case: &Case, definition: HardSigmoid, data: [&[T]; 3], skip: u64) {
        let rounded = |value: f32| T::from_f32(value).to_f32();
        let [x, g, h] = data;
        let on = Definition {
            definition,
            binarization: case.binarization(definition, x.len()),
        };
        // Outputs to start from, and among them what no forward pass gives.
        let y = x.iter().enumerate().map(|(i, &x)| match i % 5 {
            0 => x,
            _ => T::from_f32(definition.forward(x.to_f32())),
        });
        let y: Vec<T> = y.collect();
        let data = if case.way == Way::FromOutput {
            [&y[..], g, h]
        } else {
            data
        };
        let results = self.results(case, on, data, skip);

        let data = data.map(wide);
        let before = &data[case.inputs.len().min(2)];
        let at = |i: usize| [data[0][i], data[1][i], data[2][i]];
        let input = |i: usize| at(i).map(|v| format!("{v:e} ({:#010x})", v.to_bits())).join(", ");
        let kernel = case.kernel;
        // A preset's forward pass meets and makes no subnormal.
        let plain = kernel == Kernel::Forward && definition.preset().is_some();
        for (index, actual) in results.iter().enumerate() {
            let what = format!(
                "output {index} of {kernel:?} {:?} {:?} {definition} in {}, {} elements",
                case.way,
                case.placement,
                T::ELEMENT,
                x.len()
            );
            let expected = |i: usize| {
                let exact = rounded(case.expected(on, at(i), before[i], i)[index]);
                let allowed = || rounded(case.expected_without_subnormals(on, at(i), before[i], i)[index]);
                if actual[i].to_bits() == exact.to_bits() || plain || actual[i].to_bits() != allowed().to_bits() {
                    exact
                } else {
                    allowed()
                }
            };
            let expected: Vec<f32> = (0..x.len()).map(expected).collect();
            if plain {
                assert_same_bits(&what, actual, &expected, input);
            } else {
                assert_same_bits_or_flushed(&what, actual, &expected, input);
            }
        }
    }
}

fn wide<T: Scalar>(values: &[T]) -> Vec<f32> {
    values.iter().map(|value| value.to_f32()).collect()
}

/// The signs of numbers, one by one; the bits behind them are set, which nothing may depend on.
fn packed(values: &[f32]) -> Vec<u32> {
    let word = |values: &[f32]| {
        (0..32).fold(0, |word, i| {
            word | u32::from(values.get(i).is_none_or(|&v| v >= 0.0)) << i
        })
    };
    values.chunks(32).map(word).collect()
}

/// The numbers that packed signs stand for; the bits behind them have to be 0.
fn unpacked(words: &[u32], len: usize) -> Vec<f32> {
    let bit = |i: usize| words[i / 32] >> (i % 32) & 1;
    assert!(
        (len..words.len() * 32).all(|i| bit(i) == 0),
        "bits behind the last sign"
    );
    (0..len).map(|i| if bit(i) == 1 { SCALE } else { -SCALE }).collect()
}

fn subnormal_as_zero(value: f32) -> f32 {
    if value.is_subnormal() { flushed(value) } else { value }
}
