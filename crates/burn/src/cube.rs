//! The operations on burn's wgpu backend: cubecl launches our WGSL text by the plan.

use crate::{
    backend::{HardSigmoidBackend, kernels_only},
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
    plan::{Binding, Device, Kernel, Placement, Plan},
};

impl HardSigmoidBackend for CubeBackend {
    kernels_only!();

    fn hard_sigmoid_unary_kernel(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        let x = into_contiguous(x);
        match run(of.op, &[&x]) {
            Some([y]) => y,
            None => host::unary::<Self>(x, of.op),
        }
    }

    fn hard_sigmoid_gradient_kernel(x: FloatTensor<Self>, g: FloatTensor<Self>, op: Binary) -> FloatTensor<Self> {
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
        let gradients = if op::is_plain(gate) {
            run(Op::GateBackward(gate.definition()), &[&a, &b, &g]).map(|[da, db]| (da, db))
        } else {
            // The sums first, since da may replace g.
            run(Op::GateBroadcastSums(gate), &[&a, &b, &g])
                .and_then(|[db]| run(op::gate(gate), &[&g, &b]).map(|[da]| (da, db)))
        };
        gradients.unwrap_or_else(|| host::gate_backward::<Self>(a, b, g, gate))
    }
}

/// Launches an operation on contiguous tensors. `None` if the kernels can't compute it: on a runtime that isn't wgpu's, for
/// other types, and on a device whose limits are too small.
fn run<const OUTPUTS: usize>(op: impl Into<Op>, inputs: &[&CubeTensor]) -> Option<[CubeTensor; OUTPUTS]> {
    let limits = text::limits(&inputs[0].client)?;
    run_within(&limits, op.into(), inputs)
}

fn run_within<const OUTPUTS: usize>(limits: &Device, op: Op, inputs: &[&CubeTensor]) -> Option<[CubeTensor; OUTPUTS]> {
    let first = inputs[0];
    let dtype = dtype(first)?;
    assert!(
        inputs.iter().all(|input| input.dtype == first.dtype),
        "the tensors have to hold the same type"
    );
    // A tensor with no other owner is overwritten. Otherwise tensors may share a buffer of burn's pool.
    let replaced = op.replaces().filter(|&index| inputs[index].can_mut());
    let placement = match replaced {
        Some(_) => Placement::InPlace,
        None => Placement::Shared,
    };
    let len = first.shape().num_elements() as u64;
    let kernel = Kernel::new(op, dtype, placement).ok()?;
    let plan = Plan::new(kernel, len, limits).ok()?;
    let outputs = std::array::from_fn(|output| match (replaced, op) {
        (Some(index), _) if output == 0 => inputs[index].clone(),
        // The gradient of a broadcast gate has the shape of the gate.
        (_, Op::GateBroadcastSums(_)) => like(inputs[1]),
        _ => like(inputs[output]),
    });
    for part in plan.parts() {
        for dispatch in part.dispatches() {
            let arguments = part
                .bindings()
                .iter()
                .fold(KernelArguments::new(), |arguments, binding| {
                    let tensor = match inputs.get(binding.tensor) {
                        Some(input) => *input,
                        None => &outputs[binding.tensor - inputs.len()],
                    };
                    arguments.with_buffer(bound(&tensor.handle, binding).binding())
                });
            // cubecl binds them after the last buffer, as the plan does.
            let params = bytemuck::pod_collect_to_vec(bytemuck::bytes_of(&part.params));
            let [x, y, z] = dispatch.workgroups;
            text::launch(
                &first.client,
                text::EntryPoint {
                    kernel,
                    stage: dispatch.stage,
                },
                CubeCount::Static(x, y, z),
                arguments.with_info(MetadataBindingInfo::custom(params)),
            );
        }
    }
    Some(outputs)
}

/// The range of a tensor that a part of the plan binds.
fn bound(handle: &Handle, binding: &Binding) -> Handle {
    // An odd number of halves binds its whole last word; cubecl rounds up too.
    let after = handle.size_in_used().saturating_sub(binding.offset + binding.size);
    handle.clone().offset_start(binding.offset).offset_end(after)
}

/// The kernels' type for the tensor's elements.
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
    use burn::{
        backend::{Backend, ops::FloatTensorOps},
        tensor::TensorData,
    };
    use burn_cubecl::CubeDevice;
    use hard_sigmoid::plan::Limits;
    use hard_sigmoid::{HardSigmoid, Unary};

    fn device() -> CubeDevice {
        #[cfg(feature = "vulkan")]
        return CubeDevice::vulkan(Default::default()).unwrap();
        #[cfg(not(feature = "vulkan"))]
        CubeDevice::Wgpu(Default::default())
    }

    fn upload<B: Backend>(values: &[f32], device: &B::Device) -> FloatTensor<B> {
        B::float_from_data(TensorData::new(values.to_vec(), [values.len()]), device)
    }

    /// The results don't show whether the kernels ran, since the host gives the same bits.
    #[test]
    fn wgpu_takes_the_kernels() {
        let device = device();
        let definition = HardSigmoid::PYTORCH;
        let gate = BroadcastGate::new(definition, 5, 1).unwrap();
        for len in [0, 1, 1025] {
            let [a, b, g] = [1.0, 2.0, 3.0].map(|value| upload::<CubeBackend>(&vec![value; len], &device));
            assert!(run::<1>(Unary::Forward(definition), &[&a]).is_some());
            assert!(run::<1>(Binary::Gate(definition), &[&a, &b]).is_some());
            assert!(run::<2>(Op::GateBackward(definition), &[&a, &b, &g]).is_some());
            let [a, g] = [1.0, 3.0].map(|value| upload::<CubeBackend>(&vec![value; 5 * len], &device));
            assert!(run::<1>(Op::GateBroadcast(gate), &[&a, &b]).is_some());
            assert!(run::<1>(Op::GateBroadcastSums(gate), &[&a, &b, &g]).is_some());
        }
    }

    fn values(tensor: &CubeTensor) -> Vec<u32> {
        let data = <CubeBackend as FloatTensorOps<CubeBackend>>::float_into_data(tensor.clone());
        let data = burn::tensor::try_read_sync(data).unwrap().unwrap();
        data.as_slice::<f32>()
            .unwrap()
            .iter()
            .map(|value| value.to_bits())
            .collect()
    }

    /// Tensors longer than a binding are cut, so a part begins inside the buffer.
    #[test]
    fn parts_have_the_bits_of_the_whole() {
        let device = device();
        let x: Vec<f32> = (0..50_003).map(|i| (i % 8191) as f32 / 1024.0 - 4.0).collect();
        let (a, b) = (
            upload::<CubeBackend>(&x[..50_000], &device),
            upload::<CubeBackend>(&x[3..][..10_000], &device),
        );
        // A second owner, so that nothing is overwritten.
        let _held = (a.clone(), b.clone());
        let whole = text::limits(&a.client).unwrap();
        let limits = whole.limits();
        let small = Device::new(Limits {
            max_storage_buffer_binding_size: 32 * u64::from(limits.min_storage_buffer_offset_alignment).max(512),
            ..limits
        })
        .unwrap();
        let forward = Unary::Forward(HardSigmoid::PYTORCH).into();
        let sums = Op::GateBroadcastSums(BroadcastGate::new(HardSigmoid::PYTORCH, 5, 1).unwrap());
        let [y] = run_within::<1>(&small, forward, &[&a]).unwrap();
        let [expected] = run_within::<1>(&whole, forward, &[&a]).unwrap();
        assert!(values(&y) == values(&expected));
        let cut = run_within::<1>(&small, sums, &[&a, &b, &a]).unwrap();
        let expected = run_within::<1>(&whole, sums, &[&a, &b, &a]).unwrap();
        assert!(cut.each_ref().map(values) == expected.each_ref().map(values));
    }

    #[test]
    fn a_tensor_that_nobody_else_holds_is_overwritten() {
        let memory = |tensor: &CubeTensor| std::ptr::from_ref(tensor.handle.memory.descriptor()).addr();
        let forward = |x| CubeBackend::hard_sigmoid_unary(x, Differentiable::forward(HardSigmoid::JAX));
        let x = upload::<CubeBackend>(&[1.0; 64], &device());
        let (held, place) = (x.clone(), memory(&x));
        let y = forward(x);
        assert_ne!(memory(&y), place);
        assert_eq!(memory(&forward(held)), place);
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
