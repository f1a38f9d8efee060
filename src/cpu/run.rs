use crate::{
    cpu::{binary, gate_backward, gate_broadcast, gate_broadcast_sums, lookup, lookup_gate, pack, unary, unpack},
    math::{
        dtype::{DType, Scalar},
        error::OpError,
        op::Op,
    },
};
use bytemuck::{Pod, cast_slice, pod_collect_to_vec, try_cast_slice, try_cast_slice_mut};
use half::{bf16, f16};
use std::borrow::Cow;

/// Computes any operation on the bytes of its tensors, in the order of [`Op::inputs`] and [`Op::outputs`]: for a program
/// whose graph holds an [`Op`] and a [`DType`]. [`Op::sizes`] tells how long the tensors are.
///
/// [`Binary::BackwardAccumulate`](crate::Binary::BackwardAccumulate) adds to what its result holds. A tensor that isn't
/// aligned for its element type is copied first.
///
/// ```
/// use hard_sigmoid::{DType, HardSigmoid, Unary, cpu};
///
/// let x = [-4.0_f32, 0.0, 1.5];
/// let mut y = [0; 12];
/// let op = Unary::Forward(HardSigmoid::PYTORCH);
/// cpu::run(op, DType::F32, &[bytemuck::bytes_of(&x)], &mut [&mut y])?;
/// assert_eq!(bytemuck::pod_read_unaligned::<[f32; 3]>(&y), [0.0, 0.5, 0.75]);
/// # Ok::<(), hard_sigmoid::OpError>(())
/// ```
///
/// # Errors
/// [`OpError::TensorCount`] if the operation has another number of tensors, [`OpError::PartialElement`] if the bytes of
/// one aren't whole elements; for the rest see the function of the operation. A call that fails has written nothing.
pub fn run(op: impl Into<Op>, dtype: DType, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), OpError> {
    let op = op.into();
    let needed = [op.inputs().len(), op.outputs().len()];
    let given = [inputs.len(), outputs.len()];
    if needed != given {
        let op = op.name();
        return Err(OpError::TensorCount { op, needed, given });
    }
    op.check_dtype(dtype)?;
    let of_inputs = inputs.iter().map(|bytes| bytes.len() as u64);
    let sizes: Vec<u64> = of_inputs
        .chain(outputs.iter().map(|bytes| bytes.len() as u64))
        .collect();
    for (tensor, &size) in sizes.iter().enumerate() {
        if !op.holds_bits(tensor) && !size.is_multiple_of(dtype.size()) {
            return Err(OpError::PartialElement {
                operand: op.tensor_name(tensor),
                size,
                element: dtype.size(),
            });
        }
    }
    op.check_sizes(dtype, &sizes)?;
    match dtype {
        // Look-ups have no numbers of T.
        DType::F32 | DType::U8 => typed::<f32>(op, inputs, outputs),
        DType::F16 => typed::<f16>(op, inputs, outputs),
        DType::Bf16 => typed::<bf16>(op, inputs, outputs),
    }
}

/// [`run`] with tensors whose number and sizes were checked.
fn typed<T: Scalar>(op: Op, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), OpError> {
    let input = |index: usize| values::<T>(inputs[index]);
    let (first, others) = outputs.split_at_mut(1);
    let out = &mut *first[0];
    match op {
        Op::Unary(op) => write(out, |y| unary::<T>(op, &input(0), y)),
        Op::Binary(op) => write(out, |out| binary::<T>(op, &input(0), &input(1), out)),
        Op::GateBackward(of) => write(out, |da| {
            write(others[0], |db| {
                gate_backward::<T>(of, &input(0), &input(1), &input(2), da, db)
            })
        }),
        Op::Pack(how) => write(out, |bits| pack::<T>(how, &input(0), bits)),
        Op::Unpack(scale) => write(out, |y| unpack::<T>(scale.get(), &values(inputs[0]), y)),
        Op::GateBroadcast(gate) => write(out, |y| gate_broadcast::<T>(gate, &input(0), &input(1), y)),
        Op::GateBroadcastSums(gate) => write(out, |db| {
            gate_broadcast_sums::<T>(gate, &input(0), &input(1), &input(2), db)
        }),
        Op::Lookup => lookup(inputs[1], inputs[0], out),
        Op::LookupGate(shape) => lookup_gate(shape, inputs[2], inputs[0], inputs[1], out),
    }
}

/// The numbers that bytes hold.
pub(super) fn values<T: Pod>(bytes: &[u8]) -> Cow<'_, [T]> {
    try_cast_slice(bytes).map_or_else(|_| pod_collect_to_vec(bytes).into(), Cow::Borrowed)
}

/// Runs `compute` on the numbers that bytes hold, and leaves them as they were if it fails.
fn write<T: Pod>(bytes: &mut [u8], compute: impl FnOnce(&mut [T]) -> Result<(), OpError>) -> Result<(), OpError> {
    if let Ok(values) = try_cast_slice_mut(bytes) {
        return compute(values);
    }
    let mut values: Vec<T> = pod_collect_to_vec(bytes);
    compute(&mut values)?;
    bytes.copy_from_slice(cast_slice(&values));
    Ok(())
}
