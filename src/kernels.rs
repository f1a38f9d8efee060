use crate::{
    Binarization, Element, Error, HardSigmoid,
    definition::Form,
    grid::{self, Allowed, WORKGROUP},
    params::Params,
};
use std::sync::{Arc, OnceLock};

/// The WGSL text of every kernel: one module, valid as it stands. Its head tells entry points, constants, bindings and
/// grids.
pub const WGSL: &str = include_str!("../shaders/hard_sigmoid.wgsl");

/// The part of [`WGSL`] without bindings and entry points, to put in front of a kernel of your own.
///
/// `forward4(x, params)`, `backward4(x, g, params)`, `backward_accumulate4`, `gate4`, `gate_backward4`, `hard_swish4` and
/// `hard_swish_backward4` work on the bits of four `f32`, with a [`Params`] from any uniform of yours; `low` and `high`
/// widen the two halves of each of four words to `f32`, and `packed` rounds and packs them. `binarize4` and the `random4` of
/// its fourth argument are there too, with parameters of [`Params::binarize`]. What the shader otherwise has as pipeline
/// constants, the element type, how `definition` divides, and that a binarization is stochastic, is written into the text.
/// The example `fused` adds a bias and applies the hard sigmoid in one dispatch.
pub fn wgsl_functions(definition: HardSigmoid, element: Element) -> String {
    let functions = WGSL.split_once(ENTRY_POINTS).map_or(WGSL, |(functions, _)| functions);
    with_constants(functions, definition, true, element)
}

/// [`WGSL`] for one kernel: its pipeline constants are written into the text, for runtimes that launch text but set no
/// constants, as cubecl. `stochastic` says of a binarization that it draws its signs, with `definition` as the
/// probability.
///
/// Entry points, bindings and grids are those that the head of the text tells. A runtime that binds every buffer for
/// writing takes the ones called `_pooled`, or `_in_place`.
pub fn wgsl_kernel(kernel: Kernel, definition: HardSigmoid, stochastic: bool, element: Element) -> String {
    with_constants(WGSL, definition, stochastic, element).replace(
        "override KERNEL: u32 = 0u;",
        &format!("const KERNEL: u32 = {}u;", kernel as u32),
    )
}

fn with_constants(text: &str, definition: HardSigmoid, stochastic: bool, element: Element) -> String {
    text.replace(
        "override ELEMENT: u32 = 0u;",
        &format!("const ELEMENT: u32 = {}u;", element as u32),
    )
    .replace(
        "override DIVIDE: bool = false;",
        &format!("const DIVIDE: bool = {};", divides(definition)),
    )
    .replace(
        "override STOCHASTIC: bool = false;",
        &format!("const STOCHASTIC: bool = {stochastic};"),
    )
}

/// The line of the shader behind its functions.
const ENTRY_POINTS: &str = "// ---- Kernels, bindings and entry points";

fn divides(definition: HardSigmoid) -> bool {
    definition.form() == Form::Relu6Divide
}

/// What a launch computes. The function of the same [name](Kernel::name) is in [`cpu`](crate::cpu), and for single numbers
/// in [`HardSigmoid`] and, four at a time, in [`WGSL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// `y` from `x`.
    Forward,
    /// `dx` from `x` (or the saved `y`) and `g`.
    Backward,
    /// `dx += ` the same.
    BackwardAccumulate,
    /// `y` from `a` and `b`.
    Gate,
    /// `da` and `db` from `a`, `b` and `g`.
    GateBackward,
    /// `y` from `x`.
    HardSwish,
    /// `dx` from `x` and `g`.
    HardSwishBackward,
    /// `y` from `x`.
    Binarize,
    /// `bits` from `x`.
    BinarizePacked,
    /// `y` from `bits`.
    Unpack,
}

/// How the tensors of a launch lie in their buffers. Each has its entry points, because WGSL fixes how a binding may be
/// used, and wgpu refuses to see one buffer both read-only and writable in a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// No output shares a buffer with an input.
    Apart,
    /// The result replaces an input: `y` over `x` or `a`, `dx` or `da` over `g`.
    InPlace,
    /// An output shares a buffer with an input, in disjoint ranges.
    Pooled,
}

/// How a kernel sees a storage buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

/// A family of entry points: kernels that bind the same buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Unary,
    Binary,
    GateBackward,
    Pack,
    Unpack,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Self; 10] = [
        Self::Forward,
        Self::Backward,
        Self::BackwardAccumulate,
        Self::Gate,
        Self::GateBackward,
        Self::HardSwish,
        Self::HardSwishBackward,
        Self::Binarize,
        Self::BinarizePacked,
        Self::Unpack,
    ];

    /// The name of its function.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    const fn row(self) -> (&'static str, &'static str, Shape) {
        macro_rules! row {
            ($name:literal, $shape:ident) => {
                ($name, concat!("hard_sigmoid::", $name), Shape::$shape)
            };
        }
        match self {
            Self::Forward => row!("forward", Unary),
            Self::Backward => row!("backward", Binary),
            Self::BackwardAccumulate => row!("backward_accumulate", Binary),
            Self::Gate => row!("gate", Binary),
            Self::GateBackward => row!("gate_backward", GateBackward),
            Self::HardSwish => row!("hard_swish", Unary),
            Self::HardSwishBackward => row!("hard_swish_backward", Binary),
            Self::Binarize => row!("binarize", Unary),
            Self::BinarizePacked => row!("binarize_packed", Pack),
            Self::Unpack => row!("unpack", Unpack),
        }
    }

    /// What its objects on the device are called.
    pub(crate) const fn label(self) -> &'static str {
        self.row().1
    }

    const fn shape(self) -> Shape {
        self.row().2
    }

    /// How its tensors may lie.
    pub const fn placements(self) -> &'static [Placement] {
        use Placement::{Apart, InPlace, Pooled};
        match self {
            // What is added to can't be the gradient that is added, and signs are smaller than numbers.
            Self::BackwardAccumulate | Self::BinarizePacked | Self::Unpack => &[Apart, Pooled],
            _ => &[Apart, InPlace, Pooled],
        }
    }

    /// The storage buffers, in the order of their bindings; the parameters follow.
    pub(crate) fn buffers(self, placement: Placement) -> &'static [Access] {
        self.shape().row(placement).1
    }

    /// The entry point in [`WGSL`] for one of its [placements](Kernel::placements). The one for the words at the end of a
    /// tensor has `_tail` behind its name.
    pub fn entry_point(self, placement: Placement) -> &'static str {
        self.shape().row(placement).0
    }
}

impl Placement {
    /// Every placement.
    pub const ALL: [Self; 3] = [Self::Apart, Self::InPlace, Self::Pooled];
}

impl Shape {
    const ALL: [Self; 5] = [Self::Unary, Self::Binary, Self::GateBackward, Self::Pack, Self::Unpack];

    fn row(self, placement: Placement) -> (&'static str, &'static [Access]) {
        use Access::{Read, ReadWrite};
        use Placement::{Apart, InPlace, Pooled};
        match (self, placement) {
            (Self::Unary, Apart) => ("unary", &[Read, ReadWrite]),
            (Self::Unary, InPlace) => ("unary_in_place", &[ReadWrite]),
            (Self::Unary, Pooled) => ("unary_pooled", &[ReadWrite; 2]),
            (Self::Binary, Apart) => ("binary", &[Read, Read, ReadWrite]),
            (Self::Binary, InPlace) => ("binary_in_place", &[ReadWrite; 2]),
            (Self::Binary, Pooled) => ("binary_pooled", &[ReadWrite; 3]),
            (Self::GateBackward, Apart) => ("gate_backward", &[Read, Read, Read, ReadWrite, ReadWrite]),
            (Self::GateBackward, InPlace) => ("gate_backward_in_place", &[ReadWrite; 4]),
            (Self::GateBackward, Pooled) => ("gate_backward_pooled", &[ReadWrite; 5]),
            (Self::Pack, Apart) => ("binarize_packed", &[Read, ReadWrite]),
            (Self::Unpack, Apart) => ("unpack", &[Read, ReadWrite]),
            // Never in place: see `Kernel::placements`.
            (Self::Pack, InPlace | Pooled) => ("binarize_packed_pooled", &[ReadWrite; 2]),
            (Self::Unpack, InPlace | Pooled) => ("unpack_pooled", &[ReadWrite; 2]),
        }
    }
}

/// What a pipeline is compiled for: everything that is no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) kernel: Kernel,
    pub(crate) placement: Placement,
    pub(crate) element: Element,
    pub(crate) form: ShaderForm,
}

/// What the shader has to know about a definition before it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShaderForm {
    divides: bool,
    stochastic: bool,
}

impl From<HardSigmoid> for ShaderForm {
    fn from(definition: HardSigmoid) -> Self {
        Self {
            divides: divides(definition),
            stochastic: false,
        }
    }
}

impl From<Binarization> for ShaderForm {
    fn from(binarization: Binarization) -> Self {
        match binarization {
            Binarization::Deterministic => Self::PLAIN,
            Binarization::Stochastic { probability, .. } => Self {
                divides: divides(probability),
                stochastic: true,
            },
        }
    }
}

impl ShaderForm {
    /// Of kernels that compute no hard sigmoid.
    pub(crate) const PLAIN: Self = Self {
        divides: false,
        stochastic: false,
    };
}

impl Variant {
    const COUNT: usize = Kernel::ALL.len() * Placement::ALL.len() * Element::ALL.len() * 4;

    fn index(self) -> usize {
        let kernel = self.kernel as usize;
        let placed = kernel * Placement::ALL.len() + self.placement as usize;
        let form = usize::from(self.form.divides) * 2 + usize::from(self.form.stochastic);
        (placed * Element::ALL.len() + self.element as usize) * 4 + form
    }

    /// The shader's constants.
    fn constants(self) -> [(&'static str, f64); 4] {
        [
            ("KERNEL", f64::from(self.kernel as u32)),
            ("ELEMENT", f64::from(self.element as u32)),
            ("DIVIDE", f64::from(u8::from(self.form.divides))),
            ("STOCHASTIC", f64::from(u8::from(self.form.stochastic))),
        ]
    }
}

/// The kernels on one device: layouts, shader module, and a cache in which each pipeline is compiled once, when it is
/// first needed, also under threads. Cloning is cheap and shares everything.
///
/// It records into what the caller owns and does nothing else: no submission, no polling, no mapping of the caller's
/// buffers, no device of its own. Make one for each `wgpu::Device`, and keep it.
///
/// ```
/// use hard_sigmoid::{Element, HardSigmoid, Kernels};
///
/// fn activate(
///     kernels: &Kernels,
///     encoder: &mut wgpu::CommandEncoder,
///     x: &wgpu::Buffer,
///     y: &wgpu::Buffer,
/// ) -> Result<(), hard_sigmoid::Error> {
///     let launch = kernels.forward(HardSigmoid::PYTORCH, Element::F32, x, y)?;
///     launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Kernels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    allowed: Allowed,
    max_buffer_size: u64,
    /// `max_storage_buffers_per_shader_stage`
    storage_buffers: u32,
    module: wgpu::ShaderModule,
    pipeline_cache: Option<wgpu::PipelineCache>,
    layouts: [[OnceLock<Layout>; Placement::ALL.len()]; Shape::ALL.len()],
    /// By [`Variant::index`].
    pipelines: [Pipelines; Variant::COUNT],
}

/// What kernels of one shape and placement bind.
#[derive(Debug)]
struct Layout {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

#[derive(Debug)]
struct Pipelines {
    body: OnceLock<wgpu::ComputePipeline>,
    tail: OnceLock<wgpu::ComputePipeline>,
}

impl Kernels {
    /// The kernels on `device`. Parses the shader module; pipelines follow when they are needed.
    ///
    /// # Errors
    /// [`Error::UnsupportedDevice`] if the device was created with limits below what the kernels need; those of
    /// `wgpu::Limits::downlevel_defaults()` are enough.
    pub fn new(device: &wgpu::Device) -> Result<Self, Error> {
        Self::with_pipeline_cache(device, None)
    }

    /// As [`Kernels::new`], compiling through the caller's pipeline cache, which the caller loads and stores.
    ///
    /// # Errors
    /// As [`Kernels::new`].
    #[cfg_attr(
        all(target_family = "wasm", feature = "offload"),
        expect(clippy::arc_with_non_send_sync, reason = "wgpu's types are Send but in a browser")
    )]
    pub fn with_pipeline_cache(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Result<Self, Error> {
        let limits = device.limits();
        check_limits(&limits)?;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("hard_sigmoid::module"),
            source: wgpu::ShaderSource::Wgsl(WGSL.into()),
        });
        Ok(Self(Arc::new(Inner {
            device: device.clone(),
            allowed: Allowed {
                binding: limits.max_storage_buffer_binding_size,
                alignment: limits.min_storage_buffer_offset_alignment,
                workgroups: limits.max_compute_workgroups_per_dimension,
            },
            max_buffer_size: limits.max_buffer_size,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            module,
            pipeline_cache: cache,
            layouts: Default::default(),
            pipelines: std::array::from_fn(|_| Pipelines {
                body: OnceLock::new(),
                tail: OnceLock::new(),
            }),
        })))
    }

    /// Compiles the pipelines of one kernel for a definition and an element type now, rather than when its first launch is
    /// prepared: for every [`Placement`] whose buffers the device can bind. For a binarization, both ways, `definition` being
    /// the probability.
    pub fn warm_up(&self, kernel: Kernel, definition: HardSigmoid, element: Element) {
        let drawn = ShaderForm {
            stochastic: true,
            ..definition.into()
        };
        let forms: &[_] = match kernel {
            Kernel::Binarize | Kernel::BinarizePacked => &[ShaderForm::PLAIN, drawn],
            Kernel::Unpack => &[ShaderForm::PLAIN],
            _ => &[definition.into()],
        };
        for &form in forms {
            for &placement in kernel.placements() {
                let variant = Variant {
                    kernel,
                    placement,
                    element,
                    form,
                };
                if self.check_buffers(variant).is_ok() {
                    self.body(variant);
                    self.tail(variant);
                }
            }
        }
    }

    /// The device that the kernels were made for.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// What the device allows one dispatch, read once.
    pub(crate) fn allowed(&self) -> Allowed {
        self.0.allowed
    }

    pub(crate) fn max_buffer_size(&self) -> u64 {
        self.0.max_buffer_size
    }

    /// Whether the device can bind that many buffers: `Kernels::new` has asked for those of most kernels only.
    pub(crate) fn check_buffers(&self, variant: Variant) -> Result<(), Error> {
        at_least(
            "max_storage_buffers_per_shader_stage",
            variant.kernel.buffers(variant.placement).len() as u64,
            self.0.storage_buffers.into(),
        )
    }

    fn layout(&self, variant: Variant) -> &Layout {
        let shape = variant.kernel.shape();
        let slot = &self.0.layouts[shape as usize][variant.placement as usize];
        slot.get_or_init(|| Layout::new(&self.0.device, shape, variant.placement))
    }

    pub(crate) fn bindings(&self, variant: Variant) -> &wgpu::BindGroupLayout {
        &self.layout(variant).bindings
    }

    pub(crate) fn body(&self, variant: Variant) -> &wgpu::ComputePipeline {
        let slot = &self.0.pipelines[variant.index()];
        slot.body.get_or_init(|| self.compile(variant, ""))
    }

    pub(crate) fn tail(&self, variant: Variant) -> &wgpu::ComputePipeline {
        let slot = &self.0.pipelines[variant.index()];
        slot.tail.get_or_init(|| self.compile(variant, "_tail"))
    }

    fn compile(&self, variant: Variant, suffix: &str) -> wgpu::ComputePipeline {
        let name = variant.kernel.name();
        let entry_point = variant.kernel.entry_point(variant.placement);
        self.0.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&format!(
                "hard_sigmoid::{name}{suffix}::pipeline ({:?}, {})",
                variant.placement, variant.element
            )),
            layout: Some(&self.layout(variant).pipeline),
            module: &self.0.module,
            entry_point: Some(&format!("{entry_point}{suffix}")),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &variant.constants(),
                // No kernel uses workgroup memory.
                zero_initialize_workgroup_memory: false,
            },
            cache: self.0.pipeline_cache.as_ref(),
        })
    }
}

impl Layout {
    fn new(device: &wgpu::Device, shape: Shape, placement: Placement) -> Self {
        let (name, buffers) = shape.row(placement);
        let storage = buffers.iter().map(|access| wgpu::BufferBindingType::Storage {
            read_only: *access == Access::Read,
        });
        let entries: Vec<_> = storage
            .chain([wgpu::BufferBindingType::Uniform])
            .zip(0..)
            .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: match ty {
                        wgpu::BufferBindingType::Uniform => wgpu::BufferSize::new(size_of::<Params>() as u64),
                        // A vec4 for the body, one element for the tail: checked by wgpu at the dispatch.
                        wgpu::BufferBindingType::Storage { .. } => None,
                    },
                },
                count: None,
            })
            .collect();
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&format!("hard_sigmoid::{name}::bindings")),
            entries: &entries,
        });
        let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&format!("hard_sigmoid::{name}::layout")),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Self { bindings, pipeline }
    }
}

fn check_limits(limits: &wgpu::Limits) -> Result<(), Error> {
    let needs: [(&'static str, u64, u64); 10] = [
        ("max_bind_groups", 1, limits.max_bind_groups.into()),
        (
            "max_bindings_per_bind_group",
            6,
            limits.max_bindings_per_bind_group.into(),
        ),
        (
            "max_storage_buffers_per_shader_stage",
            3,
            limits.max_storage_buffers_per_shader_stage.into(),
        ),
        (
            "max_uniform_buffers_per_shader_stage",
            1,
            limits.max_uniform_buffers_per_shader_stage.into(),
        ),
        (
            "max_uniform_buffer_binding_size",
            size_of::<Params>() as u64,
            limits.max_uniform_buffer_binding_size,
        ),
        (
            "max_storage_buffer_binding_size",
            // One step of a tensor that is cut into segments: as many elements as signs fit into one alignment.
            32 * u64::from(limits.min_storage_buffer_offset_alignment),
            limits.max_storage_buffer_binding_size,
        ),
        ("max_buffer_size", size_of::<Params>() as u64, limits.max_buffer_size),
        (
            "max_compute_invocations_per_workgroup",
            WORKGROUP.into(),
            limits.max_compute_invocations_per_workgroup.into(),
        ),
        (
            "max_compute_workgroup_size_x",
            WORKGROUP.into(),
            limits.max_compute_workgroup_size_x.into(),
        ),
        (
            "max_compute_workgroups_per_dimension",
            grid::min_workgroups(limits.min_storage_buffer_offset_alignment).into(),
            limits.max_compute_workgroups_per_dimension.into(),
        ),
    ];
    needs
        .into_iter()
        .try_for_each(|(limit, needed, has)| at_least(limit, needed, has))
}

fn at_least(limit: &'static str, needed: u64, has: u64) -> Result<(), Error> {
    if has < needed {
        return Err(Error::UnsupportedDevice { limit, needed, has });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use naga::{AddressSpace, StorageAccess};
    use std::collections::BTreeMap;

    #[test]
    fn the_functions_stand_by_themselves() {
        for (definition, element) in [
            (HardSigmoid::PYTORCH, Element::Bf16),
            (HardSigmoid::KERAS, Element::F32),
        ] {
            let text = wgsl_functions(definition, element);
            let module = naga::front::wgsl::parse_str(&text).unwrap();
            assert!(
                module.entry_points.is_empty() && module.global_variables.is_empty() && module.overrides.is_empty()
            );
            assert_eq!(constant(&module, "ELEMENT"), naga::Literal::U32(element as u32));
            assert_eq!(
                constant(&module, "DIVIDE"),
                naga::Literal::Bool(definition == HardSigmoid::PYTORCH)
            );
            let functions = module
                .functions
                .iter()
                .filter_map(|(_, function)| function.name.as_deref());
            let functions: Vec<_> = functions.collect();
            for kernel in Kernel::ALL {
                if ![Kernel::BinarizePacked, Kernel::Unpack].contains(&kernel) {
                    let name = format!("{}4", kernel.name());
                    assert!(functions.contains(&name.as_str()), "{name}");
                }
            }
        }
    }

    #[test]
    fn kernels_with_their_constants_in_the_text() {
        for kernel in Kernel::ALL {
            let text = wgsl_kernel(kernel, HardSigmoid::PYTORCH, kernel == Kernel::Binarize, Element::F16);
            let module = naga::front::wgsl::parse_str(&text).unwrap();
            assert!(module.overrides.is_empty());
            assert_eq!(constant(&module, "KERNEL"), naga::Literal::U32(kernel as u32));
            assert_eq!(constant(&module, "ELEMENT"), naga::Literal::U32(1));
            assert_eq!(constant(&module, "DIVIDE"), naga::Literal::Bool(true));
            assert_eq!(
                constant(&module, "STOCHASTIC"),
                naga::Literal::Bool(kernel == Kernel::Binarize)
            );
        }
    }

    fn constant(module: &naga::Module, name: &str) -> naga::Literal {
        let found = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name));
        let (_, constant) = found.unwrap_or_else(|| panic!("no constant {name}"));
        match module.global_expressions[constant.init] {
            naga::Expression::Literal(literal) => literal,
            ref other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn every_variant_has_a_place_of_its_own() {
        let mut seen = [false; Variant::COUNT];
        for kernel in Kernel::ALL {
            for placement in Placement::ALL {
                for element in Element::ALL {
                    for (divides, stochastic) in [(false, false), (false, true), (true, false), (true, true)] {
                        let form = ShaderForm { divides, stochastic };
                        let variant = Variant {
                            kernel,
                            placement,
                            element,
                            form,
                        };
                        assert!(!std::mem::replace(&mut seen[variant.index()], true), "{variant:?}");
                    }
                }
            }
        }
        assert_eq!(seen, [true; Variant::COUNT]);
    }

    /// Threads that ask for a cold pipeline at once get one and the same.
    #[test]
    fn a_pipeline_is_compiled_once() {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::NOOP;
        options.backend_options.noop.enable = true;
        let adapter = pollster::block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap();
        let (device, _queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        let kernels = Kernels::new(&device).unwrap();
        let variant = |kernel| Variant {
            kernel,
            placement: Placement::Pooled,
            element: Element::F16,
            form: HardSigmoid::PYTORCH.into(),
        };
        let all = || {
            let both = |kernel| {
                [
                    kernels.body(variant(kernel)).clone(),
                    kernels.tail(variant(kernel)).clone(),
                ]
            };
            Kernel::ALL.map(both)
        };
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|pipelines| *pipelines == seen[0]));
        // Another handle has its own, so the comparison can fail.
        let other = Kernels::new(&device).unwrap();
        assert!(*other.body(variant(Kernel::Forward)) != seen[0][0][0]);
    }

    /// Entry points, workgroup sizes and bindings are what this file and `grid.rs` say.
    #[test]
    fn the_shader_has_the_kernels() {
        let module = naga::front::wgsl::parse_str(WGSL).unwrap();
        let capabilities = naga::valid::Capabilities::empty();
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        let info = validator.validate(&module).unwrap();

        // Those of the kernels that share them follow from their shapes.
        let mut rows: Vec<_> = Shape::ALL
            .iter()
            .flat_map(|shape| Placement::ALL.map(|placement| shape.row(placement)))
            .collect();
        rows.dedup();
        let names: Vec<_> = module.entry_points.iter().map(|entry| entry.name.clone()).collect();
        let expected: Vec<_> = rows
            .iter()
            .flat_map(|(name, _)| [name.to_string(), format!("{name}_tail")])
            .collect();
        assert_eq!(names, expected);
        for kernel in Kernel::ALL {
            let value = constant(&module, &kernel.name().to_uppercase());
            assert_eq!(value, naga::Literal::U32(kernel as u32), "{kernel:?}");
        }
        for element in Element::ALL {
            let value = constant(&module, &element.to_string().to_uppercase());
            assert_eq!(value, naga::Literal::U32(element as u32), "{element}");
        }

        for (index, entry) in module.entry_points.iter().enumerate() {
            let buffers = rows[index / 2].1;
            let is_tail = index % 2 == 1;
            assert_eq!(entry.workgroup_size, [if is_tail { 4 } else { WORKGROUP }, 1, 1]);
            let mut found = BTreeMap::new();
            for (handle, variable) in module.global_variables.iter() {
                if info.get_entry_point(index)[handle].is_empty() {
                    continue;
                }
                let binding = variable.binding.unwrap();
                assert_eq!(binding.group, 0);
                let seen = match variable.space {
                    AddressSpace::Uniform => None,
                    AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                        Some(Access::ReadWrite)
                    }
                    AddressSpace::Storage { .. } => Some(Access::Read),
                    other => panic!("{other:?}"),
                };
                assert_eq!(
                    found.insert(binding.binding, seen),
                    None,
                    "{} binds {} twice",
                    entry.name,
                    binding.binding
                );
            }
            let buffers = buffers.iter().copied().map(Some);
            let expected: BTreeMap<_, _> = (0..).zip(buffers.chain([None])).collect();
            assert_eq!(found, expected, "{}", entry.name);
        }
    }
}
