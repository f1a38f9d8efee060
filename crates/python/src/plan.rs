//! Returns what a WebGPU program needs to run the kernels: text, parameters and dispatches.

use crate::{Operation, dtype, value_error};
use hard_sigmoid::{
    Op,
    plan::{Access, Limits, Operand, Placement, Plan},
    wgsl as text,
};
use pyo3::{prelude::*, types::PyBytes};

/// A tensor's name, and offset and size of the bytes to bind.
type Range = (&'static str, u64, u64);

/// A tensor's name and how it is bound.
type Tensor = (&'static str, &'static str);

/// An entry point and its workgroups.
type Dispatched = (&'static str, (u32, u32, u32));

/// Parameters, bindings and dispatches.
type Part<'py> = (Bound<'py, PyBytes>, Vec<Range>, Vec<Dispatched>);

/// More parts than any tensor has that fits a device.
const MOST_PARTS: usize = 1 << 16;

/// The module of one kernel, with its constants in the text.
#[pyfunction]
pub fn wgsl(operation: &Operation, dtype_name: &str, placement: &str) -> PyResult<String> {
    let placement = allowed(operation.0, placement)?;
    Ok(text::kernel(operation.0, dtype(dtype_name)?, placement))
}

/// The parts, and each tensor's name and how it is bound.
#[pyfunction]
pub fn plan<'py>(
    py: Python<'py>,
    operation: &Operation,
    length: u64,
    dtype_name: &str,
    placement: &str,
    limits: (u32, u64, u32, u32),
) -> PyResult<(Vec<Tensor>, Vec<Part<'py>>)> {
    let op = operation.0;
    let limits = Limits {
        max_storage_buffers_per_shader_stage: limits.0,
        max_storage_buffer_binding_size: limits.1,
        min_storage_buffer_offset_alignment: limits.2,
        max_compute_workgroups_per_dimension: limits.3,
    };
    let plan = Plan::new(op, dtype(dtype_name)?, allowed(op, placement)?, length, &limits).map_err(value_error)?;
    let name = |operand| match operand {
        Operand::Input(index) => op.inputs()[index],
        Operand::Output(index) => op.outputs()[index],
    };
    let tensors = plan.tensors().map(|(operand, access)| match access {
        Access::Read => (name(operand), "read-only-storage"),
        Access::ReadWrite => (name(operand), "storage"),
    });
    if plan.parts().nth(MOST_PARTS).is_some() {
        return Err(value_error(format_args!(
            "a tensor of {length} elements has more than {MOST_PARTS} parts on this device: split it"
        )));
    }
    let parts = plan.parts().map(|part| {
        let bindings = part
            .bindings()
            .iter()
            .map(|one| (name(one.operand), one.offset, one.size));
        let dispatches = part.dispatches().map(|one| (one.entry_point, one.workgroups.into()));
        (
            PyBytes::new(py, bytemuck::bytes_of(&part.params)),
            bindings.collect(),
            dispatches.collect(),
        )
    });
    Ok((tensors.collect(), parts.collect()))
}

fn allowed(op: Op, name: &str) -> PyResult<Placement> {
    let placement: Placement = name.parse().map_err(value_error)?;
    if !placement.allows(op) {
        return Err(value_error(hard_sigmoid::OpError::NotInPlace { op: op.name() }));
    }
    Ok(placement)
}
