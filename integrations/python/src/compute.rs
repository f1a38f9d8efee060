//! The CPU path on the bytes of contiguous arrays: NumPy itself has no bfloat16.

use crate::{Operation, dtype, value_error};
use bytemuck::{Pod, cast_slice, cast_slice_mut};
use hard_sigmoid::{DType, Op, OpError, Other, Scalar, bf16, cpu, f16};
use numpy::{PyReadonlyArray1, PyReadwriteArray1};
use pyo3::prelude::*;

/// Applies an operation to `inputs` and writes `outputs`. Other Python threads run meanwhile.
#[pyfunction]
pub fn compute(
    py: Python<'_>,
    operation: &Operation,
    dtype_name: &str,
    inputs: Vec<PyReadonlyArray1<'_, u8>>,
    mut outputs: Vec<PyReadwriteArray1<'_, u8>>,
) -> PyResult<()> {
    let op = operation.0;
    let inputs: Vec<&[u8]> = inputs.iter().map(|one| one.as_slice()).collect::<Result<_, _>>()?;
    let mut outputs: Vec<&mut [u8]> = outputs
        .iter_mut()
        .map(|one| one.as_slice_mut())
        .collect::<Result<_, _>>()?;
    let run = match dtype(dtype_name)? {
        DType::F32 => typed::<f32>,
        DType::F16 => typed::<f16>,
        DType::Bf16 => typed::<bf16>,
    };
    py.detach(|| run(op, &inputs, &mut outputs)).map_err(value_error)
}

fn typed<T: Scalar>(op: Op, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), OpError> {
    match (op, inputs, outputs) {
        (Op::Unary(op), [x], [y]) => cpu::unary::<T>(op, of(x), of_mut(y)),
        (Op::Binary(op), [first, second], [out]) => cpu::binary::<T>(op, of(first), of(second), of_mut(out)),
        (Op::Other(op), inputs, outputs) => match (op, inputs, outputs) {
            (Other::GateBackward(d), [a, b, g], [da, db]) => {
                cpu::gate_backward::<T>(d, of(a), of(b), of(g), of_mut(da), of_mut(db))
            }
            (Other::GateBroadcast(gate), [a, b], [y]) => cpu::gate_broadcast::<T>(gate, of(a), of(b), of_mut(y)),
            (Other::GateBroadcastBackward(gate), [a, b, g], [da, db]) => {
                cpu::gate_broadcast_backward::<T>(gate, of(a), of(b), of(g), of_mut(da), of_mut(db))
            }
            (Other::Pack(how), [x], [bits]) => cpu::pack::<T>(how, of(x), of_mut(bits)),
            (Other::Unpack(scale), [bits], [y]) => cpu::unpack::<T>(scale.get(), of(bits), of_mut(y)),
            _ => unreachable!("{}", OTHER_TENSORS),
        },
        _ => unreachable!("{}", OTHER_TENSORS),
    }
}

const OTHER_TENSORS: &str = "the package's own code gives each operation its tensors";

/// The elements of an aligned array. An empty one may be anywhere.
fn of<T: Pod>(bytes: &[u8]) -> &[T] {
    if bytes.is_empty() { &[] } else { cast_slice(bytes) }
}

fn of_mut<T: Pod>(bytes: &mut [u8]) -> &mut [T] {
    if bytes.is_empty() {
        &mut []
    } else {
        cast_slice_mut(bytes)
    }
}
