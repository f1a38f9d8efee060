//! Returns what a WebGPU program needs to run the kernels: text, parameters and dispatches.

use crate::{Operation, dtype, value_error};
use hard_sigmoid::{
    plan::{Access, Device, Kernel, Limits, Placement, Plan},
    wgsl::Options,
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

/// No tensor that fits a device has as many parts.
const MOST_PARTS: usize = 1 << 16;

/// The text of a kernel.
#[pyfunction]
pub fn wgsl(operation: &Operation, dtype_name: &str, placement: &str) -> PyResult<String> {
    Ok(named(operation, dtype_name, placement)?.text())
}

/// An operation as WGSL functions of numbers.
#[pyfunction]
pub fn scalar(operation: &Operation, type_: &str, text: &str, prefix: &str) -> PyResult<String> {
    let options = Options {
        number: type_.parse().map_err(value_error)?,
        text: text.parse().map_err(value_error)?,
        prefix,
    };
    hard_sigmoid::wgsl::scalar(operation.0, &options).map_err(value_error)
}

/// Each tensor's name and how it is bound, and the parts.
#[pyfunction]
pub fn plan<'py>(
    py: Python<'py>,
    operation: &Operation,
    length: u64,
    dtype_name: &str,
    placement: &str,
    limits: (u32, u64, u32, u32, u32),
) -> PyResult<(Vec<Tensor>, Vec<Part<'py>>)> {
    let kernel = named(operation, dtype_name, placement)?;
    let limits = Limits {
        max_storage_buffers_per_shader_stage: limits.0,
        max_storage_buffer_binding_size: limits.1,
        min_storage_buffer_offset_alignment: limits.2,
        max_compute_workgroups_per_dimension: limits.3,
        max_compute_workgroup_storage_size: limits.4,
    };
    let device = Device::new(limits).map_err(value_error)?;
    let plan = Plan::new(kernel, length, &device).map_err(value_error)?;
    let tensors = kernel.tensors().map(|tensor| match tensor.access {
        Access::Read => (tensor.name, "read-only-storage"),
        Access::ReadWrite => (tensor.name, "storage"),
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
            .zip(kernel.tensors())
            .map(|(one, tensor)| (tensor.name, one.offset, one.size));
        let dispatches = part.dispatches().map(|one| (one.entry_point(), one.workgroups.into()));
        (
            PyBytes::new(py, bytemuck::bytes_of(&part.params)),
            bindings.collect(),
            dispatches.collect(),
        )
    });
    Ok((tensors.collect(), parts.collect()))
}

fn named(operation: &Operation, dtype_name: &str, placement: &str) -> PyResult<Kernel> {
    let placement: Placement = placement.parse().map_err(value_error)?;
    Kernel::new(operation.0, dtype(dtype_name)?, placement).map_err(value_error)
}
