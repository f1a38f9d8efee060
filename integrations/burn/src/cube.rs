//! burn's wgpu backend, on which cubecl launches our WGSL text as the plan says.

use crate::{backend::HardSigmoidBackend, host, op::Differentiable};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn_cubecl::{
    CubeBackend,
    cubecl::{
        CubeKernel, PrecompiledSource,
        client::Client,
        ir::{UIntKind, metadata::Info},
        prelude::*,
        server::{KernelArguments, MetadataBindingInfo},
    },
    kernel::into_contiguous,
    ops::numeric::empty_device_contiguous_dtype,
    tensor::CubeTensor,
};
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Op, Other,
    plan::{Limits, Operand, Placement, Plan},
    wgsl,
};

impl HardSigmoidBackend for CubeBackend {
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        match run(of.op, &[&x]) {
            Some([y]) => y,
            None => host::unary::<Self>(x, of.op),
        }
    }

    fn hard_sigmoid_binary(a: FloatTensor<Self>, b: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
        let [a, b] = [a, b].map(into_contiguous);
        match run(op, &[&a, &b]) {
            Some([y]) => y,
            None => host::binary::<Self>(a, b, op),
        }
    }

    fn hard_sigmoid_gate_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        g: FloatTensor<Self>,
        definition: HardSigmoid,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [a, b, g] = [a, b, g].map(into_contiguous);
        match run(Other::GateBackward(definition), &[&a, &b, &g]) {
            Some([da, db]) => (da, db),
            None => host::gate_backward::<Self>(a, b, g, definition),
        }
    }
}

/// Launches an operation on contiguous tensors. `None` where the kernels can't compute it: on a runtime that takes no WGSL
/// (CUDA, ROCm, and burn's features `vulkan` and `metal`, which compile for the driver themselves), for other types, on a
/// device whose limits are too small, and where the plan has several parts, since burn binds whole tensors.
fn run<const OUTPUTS: usize>(op: impl Into<Op>, inputs: &[&CubeTensor]) -> Option<[CubeTensor; OUTPUTS]> {
    let op = op.into();
    let first = inputs[0];
    let dtype = dtype(first)?;
    assert!(
        inputs.iter().all(|input| input.dtype == first.dtype),
        "the tensors have to hold the same type"
    );
    // A tensor that nobody else holds is overwritten. Others may lie in one buffer of burn's pool.
    let replaced = op.replaces().filter(|&index| inputs[index].can_mut());
    let placement = match replaced {
        Some(_) => Placement::InPlace,
        None => Placement::Shared,
    };
    let len = first.shape().num_elements() as u64;
    let plan = Plan::new(op, dtype, placement, len, &limits(&first.client)).ok()?;
    let mut parts = plan.parts();
    let (part, None) = (parts.next(), parts.next()) else {
        return None;
    };
    let outputs = std::array::from_fn(|output| match replaced {
        Some(index) if output == 0 => inputs[index].clone(),
        _ => like(first),
    });
    // An empty tensor has no part.
    if let Some(part) = part {
        for dispatch in part.dispatches() {
            let tensors = part.bindings().iter().map(|binding| match binding.operand {
                Operand::Input(index) => inputs[index],
                Operand::Output(index) => &outputs[index],
            });
            let arguments = tensors.fold(KernelArguments::new(), |arguments, tensor| {
                arguments.with_buffer(tensor.handle.clone().binding())
            });
            // cubecl binds them after the last buffer, as the plan does.
            let params = bytemuck::pod_collect_to_vec(bytemuck::bytes_of(&part.params));
            let [x, y, z] = dispatch.workgroups;
            let entry_point = EntryPoint {
                op,
                dtype,
                placement,
                constants: plan.constants().map(|(_, value)| value.to_bits()),
                name: dispatch.entry_point,
            };
            first.client.launch(
                Box::new(entry_point),
                CubeCount::Static(x, y, z),
                arguments.with_info(MetadataBindingInfo::custom(params)),
            );
        }
    }
    Some(outputs)
}

/// What the kernels call the tensor's type.
fn dtype(tensor: &CubeTensor) -> Option<DType> {
    if tensor.client.name() != "wgpu<wgsl>" {
        return None;
    }
    match tensor.dtype {
        burn::tensor::DType::F32 => Some(DType::F32),
        burn::tensor::DType::F16 => Some(DType::F16),
        burn::tensor::DType::BF16 => Some(DType::Bf16),
        _ => None,
    }
}

fn limits(client: &Client) -> Limits {
    let properties = client.properties();
    Limits {
        max_storage_buffers_per_shader_stage: properties.hardware.max_bindings,
        // wgpu's largest binding, or its largest buffer if that is smaller.
        max_storage_buffer_binding_size: properties.memory.max_page_size,
        min_storage_buffer_offset_alignment: properties.memory.alignment as u32,
        max_compute_workgroups_per_dimension: properties.hardware.max_cube_count.0,
    }
}

fn like(tensor: &CubeTensor) -> CubeTensor {
    empty_device_contiguous_dtype(
        tensor.client.clone(),
        tensor.device.clone(),
        tensor.shape(),
        tensor.dtype,
    )
}

/// An entry point of a kernel's text, as cubecl wants it.
struct EntryPoint {
    op: Op,
    dtype: DType,
    placement: Placement,
    /// The bits of the plan's constants: all of the operation and the element type that the text depends on.
    constants: [u64; 4],
    name: &'static str,
}

impl KernelMetadata for EntryPoint {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((self.constants, self.name, env!("CARGO_PKG_VERSION")))
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for EntryPoint {
    /// Never compiled: [`source`](Self::source) replaces it. The text says how large a workgroup is.
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(CubeDim::new_single().0, ExecutionMode::Checked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: wgsl::kernel(self.op, self.dtype, self.placement),
            entrypoint_name: self.name.into(),
            lang: "wgsl",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{backend::Backend, tensor::TensorData};
    use burn_cubecl::CubeDevice;
    use hard_sigmoid::Unary;

    fn upload<B: Backend>(values: &[f32], device: &B::Device) -> FloatTensor<B> {
        B::float_from_data(TensorData::new(values.to_vec(), [values.len()]), device)
    }

    /// The bits can't tell the kernels from the host.
    #[test]
    fn wgpu_takes_the_kernels() {
        let device = CubeDevice::Wgpu(Default::default());
        let definition = HardSigmoid::PYTORCH;
        for len in [0, 1, 1025] {
            let [a, b, g] = [1.0, 2.0, 3.0].map(|value| upload::<CubeBackend>(&vec![value; len], &device));
            assert!(run::<1>(Unary::Forward(definition), &[&a]).is_some());
            assert!(run::<1>(Binary::Gate(definition), &[&a, &b]).is_some());
            assert!(run::<2>(Other::GateBackward(definition), &[&a, &b, &g]).is_some());
        }
    }
}
