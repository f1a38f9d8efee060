use crate::{
    cpu::run::{run, values},
    math::{
        broadcast::{BroadcastGate, PARTIALS},
        contract::{Difference, Element, Flush, subnormal_as_zero},
        dtype::{DType, Scalar},
        error::OpError,
        op::{Binary, Op},
    },
};
use half::{bf16, f16};
use std::fmt;

/// How a device's results compare with the CPU path's: see [`compare`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many results were compared.
    pub compared: u64,
    /// How many of them are wrong: [`Difference::Wrong`].
    pub differing: u64,
    /// How many differ only because a subnormal was treated as zero: [`Difference::Subnormal`].
    pub flushed: u64,
    /// The first of the wrong results.
    pub first: Option<WrongResult>,
}

/// A result that is wrong; it displays as a sentence. Numbers are given by their bits, those of halves in the lower 16; a packed
/// sign is 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongResult {
    /// The operation.
    pub op: Op,
    /// The element type of its tensors.
    pub dtype: DType,
    /// Which of the operation's outputs it belongs to: a place in [`Op::outputs`].
    pub output: usize,
    /// Its place in the tensor.
    pub index: u64,
    /// The operands at that place, in the order of [`Op::inputs`], and then what the output held, for an operation that adds
    /// to it; what follows is 0. For a sum of a broadcast gate they are the first of those that it depends on.
    pub operands: [u32; 3],
    /// The CPU path's result.
    pub expected: u32,
    /// The device's result.
    pub actual: u32,
}

impl fmt::Display for WrongResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (op, inputs) = (self.op, self.op.inputs().len());
        let number = |tensor: usize, bits: u32| match self.dtype {
            DType::U8 => bits.to_string(),
            _ if op.holds_bits(tensor) => bits.to_string(),
            DType::F32 => format!("{:?} ({bits:#010x})", f32::from_bits(bits)),
            DType::F16 => format!("{:?} ({bits:#06x})", f16::from_bits(bits as u16)),
            DType::Bf16 => format!("{:?} ({bits:#06x})", bf16::from_bits(bits as u16)),
        };
        write!(
            f,
            "{}[{}] of {} in {} is ",
            op.outputs()[self.output],
            self.index,
            op.name(),
            self.dtype
        )?;
        let [actual, expected] = [self.actual, self.expected].map(|bits| number(inputs + self.output, bits));
        write!(f, "{actual}, but has to be {expected}; ")?;
        for (tensor, bits) in (0..inputs).zip(self.operands) {
            let comma = if tensor > 0 { ", " } else { "" };
            write!(f, "{comma}{} = {}", op.tensor_name(tensor), number(tensor, bits))?;
        }
        match op {
            Op::GateBroadcastSums(gate) => write!(f, "; a and g are the first of {}", gate.middle()),
            op if adds(op) => write!(f, "; before, dx was {}", number(inputs, self.operands[inputs])),
            _ => Ok(()),
        }
    }
}

impl Comparison {
    fn add(&mut self, difference: Difference, wrong: impl FnOnce() -> WrongResult) {
        match difference {
            Difference::None => {}
            Difference::Subnormal => self.flushed += 1,
            Difference::Wrong => {
                self.differing += 1;
                self.first.get_or_insert_with(wrong);
            }
        }
    }
}

/// Computes an operation as [`run`](fn@run) does, and compares what a device made of it, bit by bit. `inputs` are the operands,
/// and after them what the output held, for an operation that adds to it.
///
/// WGSL lets a device treat subnormal numbers as zero; such results are counted apart.
///
/// ```
/// use hard_sigmoid::{DType, HardSigmoid, Unary, cpu};
///
/// let (x, from_device) = ([1.0_f32, 0.5], [4.0_f32 / 6.0, 0.6]);
/// let [x, y] = [&x, &from_device].map(|values| bytemuck::bytes_of(values));
/// let seen = cpu::compare(Unary::Forward(HardSigmoid::PYTORCH), DType::F32, &[x], &[y])?;
/// assert_eq!((seen.compared, seen.differing, seen.flushed), (2, 1, 0));
/// let wrong = seen.first.unwrap();
/// assert_eq!((wrong.index, f32::from_bits(wrong.expected)), (1, 3.5 / 6.0));
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
///
/// # Errors
/// As [`run`](fn@run).
pub fn compare(op: impl Into<Op>, dtype: DType, inputs: &[&[u8]], results: &[&[u8]]) -> Result<Comparison, OpError> {
    let op = op.into();
    let needed = [op.inputs().len() + usize::from(adds(op)), op.outputs().len()];
    let given = [inputs.len(), results.len()];
    if needed != given {
        let op = op.name();
        return Err(OpError::TensorCount { op, needed, given });
    }
    let (operands, before) = inputs.split_at(op.inputs().len());
    let before = |output: usize, actual: &[u8]| before.get(output).map_or(vec![0; actual.len()], |it| it.to_vec());
    let mut expected: Vec<Vec<u8>> = (0..).zip(results).map(|(i, actual)| before(i, actual)).collect();
    let mut outputs: Vec<&mut [u8]> = expected.iter_mut().map(Vec::as_mut_slice).collect();
    run(op, dtype, operands, &mut outputs)?;
    for (output, (expected, actual)) in expected.iter().zip(results).enumerate() {
        if expected.len() != actual.len() {
            let [a_len, b_len] = [expected, *actual].map(|bytes| bytes.len() as u64 / dtype.size());
            let (a, b) = (op.outputs()[output], "its result");
            return Err(OpError::LengthMismatch { a, a_len, b, b_len });
        }
    }
    let compared = match dtype {
        DType::F32 => compared::<f32>,
        DType::F16 => compared::<f16>,
        DType::Bf16 => compared::<bf16>,
        DType::U8 => compared_bytes,
    };
    let mut comparison = Comparison::default();
    for (output, (expected, actual)) in expected.iter().zip(results).enumerate() {
        compared(op, output, inputs, [expected, actual], &mut comparison);
    }
    Ok(comparison)
}

/// Whether an operation adds to what its output holds.
fn adds(op: Op) -> bool {
    matches!(op, Op::Binary(Binary::BackwardAccumulate(_)))
}

/// Bytes that are compared at once.
const BLOCK: usize = 4096;

fn compared<T: Scalar>(
    op: Op,
    output: usize,
    inputs: &[&[u8]],
    [expected, actual]: [&[u8]; 2],
    comparison: &mut Comparison,
) {
    let len = |bytes: &[u8]| bytes.len() as u64 / T::DTYPE.size();
    let packs = matches!(op, Op::Pack(_));
    comparison.compared += len(if packs { inputs[0] } else { actual });
    for start in (0..actual.len()).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(actual.len());
        let [expected, actual] = [expected, actual].map(|bytes| &bytes[block.clone()]);
        if expected == actual {
            continue;
        }
        if packs {
            for bit in 0..8 * actual.len() {
                let [expected, actual] = [expected, actual].map(|bytes| sign(bytes, bit));
                let index = 8 * start + bit;
                if expected != actual {
                    let wrong = || wrong::<T>(op, inputs, output, index, [expected, actual]);
                    comparison.add(Difference::Wrong, wrong);
                }
            }
            continue;
        }
        let (expected, actual) = (values::<T>(expected), values::<T>(actual));
        for (i, both) in expected.iter().zip(&*actual).enumerate() {
            let [expected, actual] = [*both.0, *both.1].map(bits);
            if expected != actual {
                let index = start / size_of::<T>() + i;
                let difference = difference(op, inputs, output, index, [*both.0, *both.1]);
                comparison.add(difference, || wrong::<T>(op, inputs, output, index, [expected, actual]));
            }
        }
    }
}

/// [`compared`] of look-ups, whose operands are bytes.
fn compared_bytes(
    op: Op,
    output: usize,
    inputs: &[&[u8]],
    [expected, actual]: [&[u8]; 2],
    comparison: &mut Comparison,
) {
    comparison.compared += actual.len() as u64;
    for (index, (&expected, &actual)) in expected.iter().zip(actual).enumerate() {
        if expected != actual {
            comparison.add(Difference::Wrong, || {
                let [first, second, _] = places(op, index);
                let looked_up = inputs[..inputs.len() - 1].iter().zip([first, second]);
                let mut operands = [0; 3];
                for (operand, (bytes, place)) in operands.iter_mut().zip(looked_up) {
                    *operand = bytes[place].into();
                }
                // The table is the last operand.
                operands[inputs.len() - 1] = expected.into();
                WrongResult {
                    op,
                    dtype: DType::U8,
                    output,
                    index: index as u64,
                    operands,
                    expected: expected.into(),
                    actual: actual.into(),
                }
            });
        }
    }
}

/// How one result compares.
fn difference<T: Scalar>(
    op: Op,
    inputs: &[&[u8]],
    output: usize,
    index: usize,
    [expected, actual]: [T; 2],
) -> Difference {
    match op {
        Op::Unpack(_) => Difference::Wrong,
        Op::GateBroadcastSums(gate) => {
            let zero = |value: T| T::from_f32(subnormal_as_zero(value.to_f32()));
            let is_allowed = Flush::ALL.into_iter().any(|flush| {
                let flushed = T::from_f32(flushed_db::<T>(gate, inputs, index, flush));
                [flushed, zero(flushed), zero(expected)]
                    .map(bits)
                    .contains(&bits(actual))
            });
            match is_allowed {
                true => Difference::Subnormal,
                false => Difference::Wrong,
            }
        }
        _ => {
            let [first, second, third] = places(op, index);
            let operands = [(0, first), (1, second), (2, third)].map(|(tensor, at)| number(inputs, tensor, at));
            let element = Element {
                operands,
                before: number(inputs, op.inputs().len(), index),
                index: index as u64,
            };
            element.compare(op, output, actual)
        }
    }
}

/// Where the operands of a result are, in elements.
fn places(op: Op, index: usize) -> [usize; 3] {
    let Some(shape) = op.broadcast() else {
        return [index; 3];
    };
    match op {
        Op::GateBroadcastSums(_) => {
            let [row, inner] = [shape.row(), shape.inner()].map(|size| size as usize);
            let first = index / inner * row + index % inner;
            [first, index, first]
        }
        _ => [index, shape.place(index), index],
    }
}

/// `db` if every subnormal counts as zero.
fn flushed_db<T: Scalar>(gate: BroadcastGate, inputs: &[&[u8]], index: usize, flush: Flush) -> f32 {
    let zero = subnormal_as_zero;
    let [first, ..] = places(Op::GateBroadcastSums(gate), index);
    let operand = |tensor, at| zero(number::<T>(inputs, tensor, at).to_f32());
    let mut partials = [0.0_f32; PARTIALS];
    for m in 0..gate.middle() as usize {
        let at = first + m * gate.inner() as usize;
        let partial = &mut partials[m % PARTIALS];
        *partial = zero(*partial + flush.product(operand(2, at), operand(0, at)));
    }
    let mut half = PARTIALS / 2;
    while half > 0 {
        for l in 0..half {
            partials[l] = zero(partials[l] + partials[l + half]);
        }
        half /= 2;
    }
    zero(gate.db(number::<T>(inputs, 1, index).to_f32(), partials[0]))
}

/// An element of a tensor; 0 where there is no such tensor.
fn number<T: Scalar>(inputs: &[&[u8]], tensor: usize, at: usize) -> T {
    let bytes = inputs
        .get(tensor)
        .map(|bytes| &bytes[at * size_of::<T>()..][..size_of::<T>()]);
    bytes.map_or(T::from_f32(0.0), bytemuck::pod_read_unaligned)
}

/// A sign of a packed tensor.
fn sign(bytes: &[u8], at: usize) -> u32 {
    u32::from(bytes[at / 8] >> (at % 8) & 1)
}

fn bits<T: Scalar>(value: T) -> u32 {
    match *bytemuck::bytes_of(&value) {
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
        _ => unreachable!("a number has two or four bytes"),
    }
}

fn wrong<T: Scalar>(
    op: Op,
    inputs: &[&[u8]],
    output: usize,
    index: usize,
    [expected, actual]: [u32; 2],
) -> WrongResult {
    let places = places(op, index);
    let operand = |tensor: usize| match tensor {
        _ if tensor >= inputs.len() => 0,
        // A bit beyond the tensor's length has no operand.
        _ if places[tensor] >= inputs[tensor].len() * 8 => 0,
        _ if op.holds_bits(tensor) => sign(inputs[tensor], places[tensor]),
        _ if places[tensor] >= inputs[tensor].len() / size_of::<T>() => 0,
        _ => bits(number::<T>(inputs, tensor, places[tensor])),
    };
    WrongResult {
        op,
        dtype: T::DTYPE,
        output,
        index: index as u64,
        operands: [0, 1, 2].map(operand),
        expected,
        actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{
        binarize::{Binarization, StraightThrough},
        definition::HardSigmoid,
        op::Unary,
    };

    const LEN: u64 = 6 * 3000;

    /// Operands of any bits, what the outputs held, and the CPU path's results.
    fn tensors(op: Op, dtype: DType) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let sizes = op.sizes(dtype, LEN).unwrap();
        let byte = |i: u64| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let bytes = |(seed, &size): (u64, &u64)| (0..size).map(|i| byte(i + (seed << 32)) as u8).collect();
        let mut inputs: Vec<Vec<u8>> = (0..).zip(&*sizes).map(bytes).collect();
        let mut results = inputs.split_off(op.inputs().len());
        if op.name() == "backward_accumulate" {
            inputs.push(results[0].clone());
        }
        let operands: Vec<&[u8]> = inputs[..op.inputs().len()].iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<&mut [u8]> = results.iter_mut().map(Vec::as_mut_slice).collect();
        run(op, dtype, &operands, &mut outputs).unwrap();
        (inputs, results)
    }

    fn of(op: Op, dtype: DType, inputs: &[Vec<u8>], results: &[Vec<u8>]) -> Comparison {
        let [inputs, results] = [inputs, results].map(|all| all.iter().map(Vec::as_slice).collect::<Vec<_>>());
        compare(op, dtype, &inputs, &results).unwrap()
    }

    #[test]
    fn a_wrong_bit_is_found_in_every_operation_and_type() {
        for op in Op::all(HardSigmoid::SPARSE) {
            for &dtype in op.dtypes() {
                let (inputs, results) = tensors(op, dtype);
                let same = of(op, dtype, &inputs, &results);
                let count: u64 = results.iter().map(|bytes| bytes.len() as u64 / dtype.size()).sum();
                let count = if op.name() == "pack" { LEN } else { count };
                assert_eq!(
                    (same.compared, same.differing, same.flushed),
                    (count, 0, 0),
                    "{op:?} {dtype}"
                );
                for output in 0..results.len() {
                    let mut changed = results.clone();
                    // The highest bit of a number in the second block is its sign, and 13 is no multiple of anything.
                    let at = BLOCK.min(results[output].len() / 2) / 4 * 4 + 13 * dtype.size() as usize - 1;
                    changed[output][at] ^= 0x80;
                    let found = of(op, dtype, &inputs, &changed);
                    let first = found.first.unwrap_or_else(|| panic!("{op:?} {dtype}: {found:?}"));
                    assert_eq!((found.differing, first.output), (1, output), "{op:?} {dtype}");
                    let index = if op.name() == "pack" {
                        8 * at + 7
                    } else {
                        at / dtype.size() as usize
                    };
                    assert_eq!(first.index, index as u64);
                    assert_ne!(first.expected, first.actual);
                }
            }
        }
    }

    #[test]
    fn operands_are_those_of_the_result() {
        let gate = BroadcastGate::new(HardSigmoid::JAX, 3, 2).unwrap();
        let numbers = |count: u16, from: u16| -> Vec<u8> {
            (from..from + count)
                .flat_map(|i| bf16::from_f32(i.into()).to_bits().to_ne_bytes())
                .collect()
        };
        let (a, b, g) = (numbers(12, 0), numbers(4, 100), numbers(12, 200));
        let wrong = |op: Op, inputs: &[&[u8]], size: usize| {
            let found = compare(op, DType::Bf16, inputs, &[&vec![0xab; size]]).unwrap();
            let first = found.first.unwrap();
            first.operands.map(|bits| bf16::from_bits(bits as u16).to_f32())
        };
        assert_eq!(wrong(Op::GateBroadcast(gate), &[&a, &b], 24), [0.0, 100.0, 0.0]);
        assert_eq!(
            wrong(Op::GateBroadcastSums(gate), &[&a, &b, &g], 8),
            [0.0, 100.0, 200.0]
        );
        let places = |op: Op| [5, 7].map(|index| places(op, index));
        assert_eq!(places(Op::GateBroadcast(gate)), [[5, 1, 5], [7, 3, 7]]);
        assert_eq!(places(Op::GateBroadcastSums(gate)), [[13, 5, 13], [19, 7, 19]]);
        assert_eq!(places(Unary::Forward(HardSigmoid::JAX).into()), [[5; 3], [7; 3]]);
    }

    #[test]
    fn a_subnormal_may_count_as_zero() {
        let f32s = |values: &[f32]| values.iter().flat_map(|value| value.to_ne_bytes()).collect::<Vec<u8>>();
        let gate = BroadcastGate::new(HardSigmoid::COURBARIAUX, 2, 1).unwrap();
        let tiny = 1.5 * f32::MIN_POSITIVE;
        // The sum of a subnormal product and one that isn't; half of it is db.
        let inputs = [f32s(&[0.125, 4.0]), f32s(&[0.0]), f32s(&[tiny, tiny])];
        let seen = |db: f32| {
            let seen = of(Op::GateBroadcastSums(gate), DType::F32, &inputs, &[f32s(&[db])]);
            (seen.differing, seen.flushed)
        };
        assert_eq!(
            [seen(4.125 * tiny / 2.0), seen(2.0 * tiny), seen(0.0)],
            [(0, 0), (0, 1), (1, 0)]
        );
        // A product that is rounded up to the smallest normal number may be lost before it is rounded, or not.
        let inputs = [
            f32s(&[1.0_f32.next_down(), 4.0]),
            f32s(&[0.0]),
            f32s(&[f32::MIN_POSITIVE; 2]),
        ];
        for (db, expected) in [(2.5, (0, 0)), (2.0, (0, 1)), (1.0, (1, 0))] {
            let result = [f32s(&[db * f32::MIN_POSITIVE])];
            let seen = of(Op::GateBroadcastSums(gate), DType::F32, &inputs, &result);
            assert_eq!((seen.differing, seen.flushed), expected, "{db}");
        }
        let gradient = Op::Binary(Binary::Backward(HardSigmoid::PYTORCH));
        let inputs = [f32s(&[0.0; 3]), f32s(&[tiny; 3])];
        let found = of(gradient, DType::F32, &inputs, &[f32s(&[tiny / 6.0, 0.0, -0.0])]);
        assert_eq!((found.compared, found.differing, found.flushed), (3, 1, 1));
    }

    #[test]
    fn a_wrong_result_is_told_in_a_sentence() {
        let told = |op: Op, dtype, inputs: &[&[u8]], result: &[u8]| {
            let found = compare(op, dtype, inputs, &[result]).unwrap();
            found.first.unwrap().to_string()
        };
        let forward = Op::Unary(Unary::Forward(HardSigmoid::PYTORCH));
        assert_eq!(
            told(forward, DType::F32, &[&0.5_f32.to_ne_bytes()], &0.6_f32.to_ne_bytes()),
            "y[0] of forward in f32 is 0.6 (0x3f19999a), but has to be 0.5833333 (0x3f155555); x = 0.5 (0x3f000000)"
        );
        let backward = Op::Binary(Binary::Backward(HardSigmoid::COURBARIAUX));
        let halves = [0.0, 2.0].map(|value| f16::from_f32(value).to_bits().to_ne_bytes());
        assert_eq!(
            told(backward, DType::F16, &[&halves[0], &halves[1]], &halves[0]),
            "dx[0] of backward in f16 is 0.0 (0x0000), but has to be 1.0 (0x3c00); x = 0.0 (0x0000), g = 2.0 (0x4000)"
        );
        let pack = Op::Pack(Binarization::Deterministic);
        assert_eq!(
            told(pack, DType::Bf16, &[&halves[0]], &[0; 4]),
            "bits[0] of pack in bf16 is 0, but has to be 1; x = 0.0 (0x0000)"
        );
        let adds = Op::Binary(Binary::BackwardAccumulate(HardSigmoid::COURBARIAUX));
        let [x, g] = [0.0_f32, 2.0].map(f32::to_ne_bytes);
        assert_eq!(
            told(adds, DType::F32, &[&x, &g, &g], &x),
            "dx[0] of backward_accumulate in f32 is 0.0 (0x00000000), but has to be 3.0 (0x40400000); x = 0.0 (0x00000000), g = 2.0 \
             (0x40000000); before, dx was 2.0 (0x40000000)"
        );
    }

    #[test]
    fn tensors_that_do_not_fit_are_refused() {
        let refused =
            |op: Op, inputs: &[&[u8]], results: &[&[u8]]| compare(op, DType::F32, inputs, results).unwrap_err();
        let adds = Op::Binary(Binary::BackwardAccumulate(HardSigmoid::JAX));
        let error = refused(adds, &[&[0; 8], &[0; 8]], &[&[0; 8]]);
        assert!(matches!(error, OpError::TensorCount { needed: [3, 1], .. }), "{error}");
        let error = refused(adds, &[&[0; 8], &[0; 8], &[0; 8]], &[&[0; 4]]);
        assert!(matches!(error, OpError::LengthMismatch { .. }), "{error}");
        let estimator = Op::Binary(Binary::StraightThrough(StraightThrough::Identity));
        let error = refused(estimator, &[&[0; 8], &[0; 8]], &[&[0; 4]]);
        assert!(matches!(error, OpError::LengthMismatch { .. }), "{error}");
        let pack = Op::Pack(Binarization::Deterministic);
        let error = refused(pack, &[&[0; 8]], &[&[0; 8]]);
        assert!(matches!(error, OpError::PackedLength { .. }), "{error}");
    }

    /// Bits after the last sign are wrong if they are set, and have no operand.
    #[test]
    fn bits_after_the_last_sign_are_compared() {
        let found = compare(
            Op::Pack(Binarization::Deterministic),
            DType::F32,
            &[&(-1.0_f32).to_ne_bytes()],
            &[&2_u32.to_le_bytes()],
        );
        let found = found.unwrap();
        assert_eq!((found.compared, found.differing), (1, 1));
        assert_eq!(found.first.unwrap().operands, [0; 3]);
    }
}
