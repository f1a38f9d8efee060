//! The CPU path on the bytes of contiguous arrays. It takes bytes because NumPy itself has no bfloat16.

use crate::{Operation, dtype, threads::on_living, value_error};
use bytemuck::{Pod, cast_slice, cast_slice_mut};
use hard_sigmoid::{DType, Op, OpError, Scalar, bf16, cpu, f16};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

/// Applies an operation to `inputs` and writes `outputs`. Other Python threads run meanwhile.
#[pyfunction]
pub fn compute(
    py: Python<'_>,
    operation: &Operation,
    dtype_name: &str,
    inputs: Vec<Bound<'_, PyArray1<u8>>>,
    outputs: Vec<Bound<'_, PyArray1<u8>>>,
) -> PyResult<()> {
    let op = operation.0;
    let in_use =
        |_| PyRuntimeError::new_err("an array is in use by another thread or given to this call twice: pass a copy");
    let inputs: Vec<_> = inputs
        .iter()
        .map(|one| one.try_readonly())
        .collect::<Result<_, _>>()
        .map_err(in_use)?;
    let outputs: Result<Vec<_>, _> = outputs.iter().map(|one| one.try_readwrite()).collect();
    let mut outputs = outputs.map_err(in_use)?;
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
    py.detach(|| on_living(|| run(op, &inputs, &mut outputs)))
        .map_err(value_error)
}

fn typed<T: Scalar>(op: Op, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), OpError> {
    match (op, inputs, outputs) {
        (Op::Unary(op), [x], [y]) => cpu::unary::<T>(op, of(x), of_mut(y)),
        (Op::Binary(op), [first, second], [out]) => cpu::binary::<T>(op, of(first), of(second), of_mut(out)),
        (Op::GateBackward(d), [a, b, g], [da, db]) => {
            cpu::gate_backward::<T>(d, of(a), of(b), of(g), of_mut(da), of_mut(db))
        }
        (Op::GateBroadcast(gate), [a, b], [y]) => cpu::gate_broadcast::<T>(gate, of(a), of(b), of_mut(y)),
        (Op::GateBroadcastSums(gate), [a, b, g], [db]) => {
            cpu::gate_broadcast_sums::<T>(gate, of(a), of(b), of(g), of_mut(db))
        }
        (Op::Pack(how), [x], [bits]) => cpu::pack::<T>(how, of(x), of_mut(bits)),
        (Op::Unpack(scale), [bits], [y]) => cpu::unpack::<T>(scale.get(), of(bits), of_mut(y)),
        _ => unreachable!("the package's own code gives each operation its tensors"),
    }
}

/// The elements of an aligned array. An empty array may be unaligned.
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
