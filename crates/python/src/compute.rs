//! The CPU path on the bytes of contiguous arrays. It takes bytes because NumPy itself has no bfloat16.

use crate::{Operation, dtype, threads::on_living, value_error};
use hard_sigmoid::cpu;
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
    let dtype = dtype(dtype_name)?;
    py.detach(|| on_living(|| cpu::run(operation.0, dtype, &inputs, &mut outputs)))
        .map_err(value_error)
}
