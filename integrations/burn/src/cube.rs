//! burn's wgpu backend, on which cubecl launches our WGSL text: one dispatch, and a small second one for a length that is no
//! multiple of 16 bytes.

use crate::{
    backend::{Binary, HardSigmoidBackend, Unary},
    host,
};
use burn::{
    backend::{TensorMetadata, tensor::FloatTensor},
    tensor::DType,
};
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
use hard_sigmoid::{Binarization, Element, HardSigmoid, Kernel, Params, wgsl_kernel};

/// Invocations in a workgroup of the shader.
const WORKGROUP: u64 = 256;

impl HardSigmoidBackend for CubeBackend {
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Unary) -> FloatTensor<Self> {
        let Some(element) = element(&x) else {
            return host::unary::<Self>(x, of);
        };
        let launch = match of {
            Unary::Forward(definition) => Launch::new(Kernel::Forward, definition, element),
            Unary::HardSwish(definition) => Launch::new(Kernel::HardSwish, definition, element),
            Unary::Binarize(binarization, _) => Launch::binarize(binarization, element),
        };
        let x = into_contiguous(x);
        // A tensor that nobody else holds is overwritten.
        if x.can_mut() {
            launch.run("unary_in_place", &[&x]);
            return x;
        }
        let y = like(&x);
        launch.run("unary_pooled", &[&x, &y]);
        y
    }

    fn hard_sigmoid_binary(a: FloatTensor<Self>, b: FloatTensor<Self>, of: Binary) -> FloatTensor<Self> {
        let Some(element) = element(&a) else {
            return host::binary::<Self>(a, b, of);
        };
        assert_eq!(a.dtype(), b.dtype(), "both tensors have to hold the same type");
        let (kernel, definition) = match of {
            Binary::Gate(definition) => (Kernel::Gate, definition),
            Binary::Backward(definition) => (Kernel::Backward, definition),
            Binary::HardSwishBackward(definition) => (Kernel::HardSwishBackward, definition),
            Binary::StraightThrough(_) => (Kernel::Backward, HardSigmoid::COURBARIAUX),
        };
        let mut launch = Launch::new(kernel, definition, element);
        if let Binary::StraightThrough(estimator) = of {
            launch.params = Box::new(move |len, row| Params::straight_through(estimator, len, row));
        }
        // The shader takes the gate first, and what goes through it last, where the result may replace it.
        let (first, last) = if kernel == Kernel::Gate { (b, a) } else { (a, b) };
        let (first, last) = (into_contiguous(first), into_contiguous(last));
        if last.can_mut() {
            launch.run("binary_in_place", &[&first, &last]);
            return last;
        }
        let out = like(&last);
        launch.run("binary_pooled", &[&first, &last, &out]);
        out
    }

    fn hard_sigmoid_gate_backward(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        g: FloatTensor<Self>,
        definition: HardSigmoid,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let Some(element) = element(&a) else {
            return host::gate_backward::<Self>(a, b, g, definition);
        };
        let [a, b, g] = [a, b, g].map(into_contiguous);
        let db = like(&b);
        let launch = Launch::new(Kernel::GateBackward, definition, element);
        if g.can_mut() {
            launch.run("gate_backward_in_place", &[&b, &a, &g, &db]);
            return (g, db);
        }
        let da = like(&a);
        launch.run("gate_backward_pooled", &[&b, &a, &g, &da, &db]);
        (da, db)
    }
}

/// What the kernels call the tensor's type; `None` where they can't run: on a runtime that takes no WGSL (CUDA, ROCm, and
/// burn's features `vulkan` and `metal`, which compile for the driver themselves), for other types, and beyond the
/// elements that 32 bits count.
fn element(tensor: &CubeTensor) -> Option<Element> {
    if tensor.client.name() != "wgpu<wgsl>" || tensor.shape().num_elements() as u64 >= u64::from(u32::MAX) {
        return None;
    }
    match tensor.dtype {
        DType::F32 => Some(Element::F32),
        DType::F16 => Some(Element::F16),
        DType::BF16 => Some(Element::Bf16),
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

/// A kernel, specialised, and its parameters for a length.
struct Launch {
    text: Text,
    params: Box<dyn Fn(u32, u32) -> Params>,
}

impl Launch {
    fn new(kernel: Kernel, definition: HardSigmoid, element: Element) -> Self {
        Self {
            text: Text {
                kernel,
                definition,
                stochastic: false,
                element,
            },
            params: Box::new(move |len, row| Params::new(definition, len, row)),
        }
    }

    fn binarize(binarization: Binarization, element: Element) -> Self {
        let (definition, stochastic) = match binarization {
            Binarization::Deterministic => (HardSigmoid::COURBARIAUX, false),
            Binarization::Stochastic { probability, .. } => (probability, true),
        };
        Self {
            text: Text {
                kernel: Kernel::Binarize,
                definition,
                stochastic,
                element,
            },
            params: Box::new(move |len, row| Params::binarize(binarization, 1.0, len, row)),
        }
    }

    fn run(self, entry: &'static str, tensors: &[&CubeTensor]) {
        let client = &tensors[0].client;
        let len = tensors[0].shape().num_elements() as u64;
        let per_invocation = 16 / self.text.element.size();
        let groups = (len / per_invocation).div_ceil(WORKGROUP);
        // Rows as few and as equal as the device allows.
        let most = u64::from(client.properties().hardware.max_cube_count.0);
        let x = groups.div_ceil(groups.div_ceil(most).max(1));
        let params = (self.params)(len as u32, (x * WORKGROUP) as u32);
        if groups > 0 {
            let count = CubeCount::Static(x as u32, groups.div_ceil(x) as u32, 1);
            self.text.launch(client, entry, "", count, &params, tensors);
        }
        if !len.is_multiple_of(per_invocation) {
            let count = CubeCount::Static(1, 1, 1);
            self.text.launch(client, entry, "_tail", count, &params, tensors);
        }
    }
}

/// The shader with its constants.
#[derive(Clone, Copy)]
struct Text {
    kernel: Kernel,
    definition: HardSigmoid,
    stochastic: bool,
    element: Element,
}

impl Text {
    fn launch(
        self,
        client: &Client,
        entry: &'static str,
        suffix: &'static str,
        count: CubeCount,
        params: &Params,
        tensors: &[&CubeTensor],
    ) {
        let kernel = EntryPoint {
            text: self,
            entry,
            suffix,
        };
        // They are bound behind the last buffer, which is where the shader has its uniform.
        let params = bytemuck::pod_collect_to_vec(bytemuck::bytes_of(params));
        let arguments = tensors.iter().fold(KernelArguments::new(), |arguments, tensor| {
            arguments.with_buffer(tensor.handle.clone().binding())
        });
        let arguments = arguments.with_info(MetadataBindingInfo::custom(params));
        client.launch(Box::new(kernel), count, arguments);
    }
}

/// One of the shader's entry points, as cubecl wants it.
struct EntryPoint {
    text: Text,
    entry: &'static str,
    suffix: &'static str,
}

impl KernelMetadata for EntryPoint {
    fn id(&self) -> KernelId {
        let Text {
            kernel,
            definition,
            stochastic,
            element,
        } = self.text;
        // All that the text depends on; of the definition, whether it divides.
        let divides = definition == HardSigmoid::PYTORCH;
        let constants = (kernel as u32, element as u32, divides, stochastic);
        KernelId::new::<Self>().info((constants, self.entry, self.suffix, env!("CARGO_PKG_VERSION")))
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for EntryPoint {
    /// Never compiled: [`source`](Self::source) stands in for it.
    fn define(&self) -> KernelDefinition {
        let invocations = if self.suffix.is_empty() { WORKGROUP as u32 } else { 4 };
        let settings = KernelSettings::new(CubeDim::new_1d(invocations).0, ExecutionMode::Checked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        let Text {
            kernel,
            definition,
            stochastic,
            element,
        } = self.text;
        Some(PrecompiledSource {
            source: wgsl_kernel(kernel, definition, stochastic, element),
            entrypoint_name: format!("{}{}", self.entry, self.suffix),
            lang: "wgsl",
        })
    }
}
