//! burn on wgpu, where cubecl launches our WGSL text as the plan says.

use crate::{
    backend::HardSigmoidBackend,
    host,
    op::{self, Differentiable},
    text,
};
use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn_cubecl::{
    CubeBackend,
    cubecl::{
        prelude::*,
        server::{Handle, KernelArguments, MetadataBindingInfo},
    },
    kernel::into_contiguous,
    ops::numeric::empty_device_contiguous_dtype,
    tensor::CubeTensor,
};
use hard_sigmoid::{
    Binary, BroadcastGate, DType, Op,
    plan::{Binding, Operand, Placement, Plan},
};

impl HardSigmoidBackend for CubeBackend {
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        match run(of.op, &[&x]) {
            Some([y]) => y,
            None => host::unary::<Self>(x, of.op),
        }
    }

    fn hard_sigmoid_gradient(x: FloatTensor<Self>, g: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
        let [x, g] = [x, g].map(into_contiguous);
        match run(op, &[&x, &g]) {
            Some([dx]) => dx,
            None => host::gradient::<Self>(x, g, op),
        }
    }

    fn hard_sigmoid_gate(a: FloatTensor<Self>, b: FloatTensor<Self>, gate: BroadcastGate) -> FloatTensor<Self> {
        let [a, b] = [a, b].map(into_contiguous);
        match run(op::gate(gate), &[&a, &b]) {
            Some([y]) => y,
            None => host::gate::<Self>(a, b, gate),
        }
    }

    fn hard_sigmoid_gate_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        g: FloatTensor<Self>,
        gate: BroadcastGate,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [a, b, g] = [a, b, g].map(into_contiguous);
        match run(op::gate_backward(gate), &[&a, &b, &g]) {
            Some([da, db]) => (da, db),
            None => host::gate_backward::<Self>(a, b, g, gate),
        }
    }
}

/// Launches an operation on contiguous tensors. `None` where the kernels can't compute it: on a runtime that isn't wgpu's, for
/// other types, and on a device whose limits are too small.
fn run<const OUTPUTS: usize>(op: impl Into<Op>, inputs: &[&CubeTensor]) -> Option<[CubeTensor; OUTPUTS]> {
    let op = op.into();
    let first = inputs[0];
    let dtype = dtype(first)?;
    assert!(
        inputs.iter().all(|input| input.dtype == first.dtype),
        "the tensors have to hold the same type"
    );
    let limits = text::limits(&first.client)?;
    // A tensor that nobody else holds is overwritten. Others may lie in one buffer of burn's pool.
    let replaced = op.replaces().filter(|&index| inputs[index].can_mut());
    let placement = match replaced {
        Some(_) => Placement::InPlace,
        None => Placement::Shared,
    };
    let len = first.shape().num_elements() as u64;
    let plan = Plan::new(op, dtype, placement, len, &limits).ok()?;
    // The first result is as large as the first operand, the gradient of a gate as the gate.
    let outputs = std::array::from_fn(|output| match replaced {
        Some(index) if output == 0 => inputs[index].clone(),
        _ => like(inputs[output]),
    });
    for part in plan.parts() {
        for dispatch in part.dispatches() {
            let arguments = part
                .bindings()
                .iter()
                .fold(KernelArguments::new(), |arguments, binding| {
                    let tensor = match binding.operand {
                        Operand::Input(index) => inputs[index],
                        Operand::Output(index) => &outputs[index],
                    };
                    arguments.with_buffer(bound(&tensor.handle, binding).binding())
                });
            // cubecl binds them after the last buffer, as the plan does.
            let params = bytemuck::pod_collect_to_vec(bytemuck::bytes_of(&part.params));
            let [x, y, z] = dispatch.workgroups;
            text::launch(
                &first.client,
                text::EntryPoint {
                    op,
                    dtype,
                    placement,
                    constants: plan.constants().map(|(_, value)| value.to_bits()),
                    name: dispatch.entry_point,
                },
                CubeCount::Static(x, y, z),
                arguments.with_info(MetadataBindingInfo::custom(params)),
            );
        }
    }
    Some(outputs)
}

/// What a part of the plan takes of a tensor.
fn bound(handle: &Handle, binding: &Binding) -> Handle {
    // The last word of an odd number of halves is bound whole; cubecl rounds up too.
    let after = handle.size_in_used().saturating_sub(binding.offset + binding.size);
    handle.clone().offset_start(binding.offset).offset_end(after)
}

/// What the kernels call the tensor's type.
fn dtype(tensor: &CubeTensor) -> Option<DType> {
    match tensor.dtype {
        burn::tensor::DType::F32 => Some(DType::F32),
        burn::tensor::DType::F16 => Some(DType::F16),
        burn::tensor::DType::BF16 => Some(DType::Bf16),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::{backend::Backend, tensor::TensorData};
    use burn_cubecl::CubeDevice;
    use hard_sigmoid::{HardSigmoid, Other, Unary};

    fn device() -> CubeDevice {
        #[cfg(feature = "vulkan")]
        return CubeDevice::vulkan(Default::default()).unwrap();
        #[cfg(not(feature = "vulkan"))]
        CubeDevice::Wgpu(Default::default())
    }

    fn upload<B: Backend>(values: &[f32], device: &B::Device) -> FloatTensor<B> {
        B::float_from_data(TensorData::new(values.to_vec(), [values.len()]), device)
    }

    /// The bits can't tell the kernels from the host.
    #[test]
    fn wgpu_takes_the_kernels() {
        let device = device();
        let definition = HardSigmoid::PYTORCH;
        let gate = BroadcastGate::new(definition, 5, 1).unwrap();
        for len in [0, 1, 1025] {
            let [a, b, g] = [1.0, 2.0, 3.0].map(|value| upload::<CubeBackend>(&vec![value; len], &device));
            assert!(run::<1>(Unary::Forward(definition), &[&a]).is_some());
            assert!(run::<1>(Binary::Gate(definition), &[&a, &b]).is_some());
            assert!(run::<2>(Other::GateBackward(definition), &[&a, &b, &g]).is_some());
            let [a, g] = [1.0, 3.0].map(|value| upload::<CubeBackend>(&vec![value; 5 * len], &device));
            assert!(run::<1>(Other::GateBroadcast(gate), &[&a, &b]).is_some());
            assert!(run::<2>(Other::GateBroadcastBackward(gate), &[&a, &b, &g]).is_some());
        }
    }

    #[test]
    fn burn_goes_on_compiling_to_its_own_language() {
        let x = upload::<CubeBackend>(&[1.0; 8], &device());
        let name = x.client.name();
        let before = text::languages(&x.client);
        if cfg!(feature = "vulkan") {
            assert_eq!((name, before), ("wgpu<spirv>", [true, false]));
        }
        run::<1>(Unary::Forward(HardSigmoid::TANGENT), &[&x]).unwrap();
        assert_eq!(text::languages(&x.client), before);
    }
}
