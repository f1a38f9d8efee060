//! What a WebGPU program needs to run the kernels: text, parameters and dispatches.

use crate::{Result, dtype, error, object, operation};
use hard_sigmoid::{
    plan::{Access, Device, Kernel, Limits, Placement, Plan},
    wgsl::{self, Options},
};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// The text of a kernel.
#[wasm_bindgen]
pub fn kernel(name: &str, parameters: JsValue, dtype_name: &str, placement: &str) -> Result<String> {
    Ok(named(name, parameters, dtype_name, placement)?.text())
}

/// An operation as WGSL functions of numbers, to be called from a kernel of one's own.
#[wasm_bindgen]
pub fn scalar(name: &str, parameters: JsValue, number: &str, text: &str, prefix: &str) -> Result<String> {
    let options = Options {
        number: number.parse().map_err(error)?,
        text: text.parse().map_err(error)?,
        prefix,
    };
    Ok(wgsl::scalar(operation(name, parameters)?, &options)?)
}

#[derive(Serialize)]
struct Planned {
    tensors: Vec<Tensor>,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Tensor {
    name: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Part {
    /// The uniform buffer in words.
    params: Vec<u32>,
    bindings: Vec<Binding>,
    dispatches: Vec<Dispatch>,
}

#[derive(Serialize)]
struct Binding {
    tensor: &'static str,
    offset: u64,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dispatch {
    entry_point: &'static str,
    workgroups: [u32; 3],
}

/// No tensor that fits a device has as many parts.
const MOST_PARTS: usize = 1 << 16;

/// What to bind and dispatch on a device of these limits.
#[wasm_bindgen]
pub fn plan(
    name: &str,
    parameters: JsValue,
    dtype_name: &str,
    placement: &str,
    length: f64,
    limits: Vec<f64>,
) -> Result<JsValue> {
    let kernel = named(name, parameters, dtype_name, placement)?;
    let [buffers, binding_size, alignment, workgroups, workgroup_memory] = limits[..] else {
        return Err(error("five limits are needed"));
    };
    let limits = Limits {
        max_storage_buffers_per_shader_stage: buffers as u32,
        max_storage_buffer_binding_size: binding_size as u64,
        min_storage_buffer_offset_alignment: alignment as u32,
        max_compute_workgroups_per_dimension: workgroups as u32,
        max_compute_workgroup_storage_size: workgroup_memory as u32,
    };
    let plan = Plan::new(kernel, length as u64, &Device::new(limits)?)?;
    if plan.parts().nth(MOST_PARTS).is_some() {
        return Err(error(format_args!(
            "a tensor of {length} elements has more than {MOST_PARTS} parts on this device: split it"
        )));
    }
    let tensors = kernel.tensors().map(|tensor| Tensor {
        name: tensor.name,
        r#type: match tensor.access {
            Access::Read => "read-only-storage",
            Access::ReadWrite => "storage",
        },
    });
    let parts = plan.parts().map(|part| Part {
        params: bytemuck::pod_collect_to_vec(bytemuck::bytes_of(&part.params)),
        bindings: part
            .bindings()
            .iter()
            .zip(kernel.tensors())
            .map(|(one, tensor)| Binding {
                tensor: tensor.name,
                offset: one.offset,
                size: one.size,
            })
            .collect(),
        dispatches: part
            .dispatches()
            .map(|one| Dispatch {
                entry_point: one.entry_point(),
                workgroups: one.workgroups,
            })
            .collect(),
    });
    object(&Planned {
        tensors: tensors.collect(),
        parts: parts.collect(),
    })
}

fn named(name: &str, parameters: JsValue, dtype_name: &str, placement: &str) -> Result<Kernel> {
    let op = operation(name, parameters)?;
    Ok(Kernel::new(op, dtype(dtype_name)?, placement.parse::<Placement>()?)?)
}
