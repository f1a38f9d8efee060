use crate::{
    Error,
    grid::{Allowed, WORKGROUP},
    params::Params,
};
use std::sync::{Arc, OnceLock};

/// The WGSL text of every kernel: one module, valid as it stands; its head tells the bindings and grids.
pub const WGSL: &str = include_str!("../shaders/hard_sigmoid.wgsl");

/// The part of [`WGSL`] without bindings and entry points, to put in front of a kernel of your own:
/// `forward4(x, params)` and `backward4(x, g, params)` work on the bits of four `f32`, `widened` and `narrowed` convert
/// half floats, `forward_words` and `backward_words` work on packed words of any element type, with a [`Params`] from any
/// uniform of yours. The example `fused` adds a bias and applies the hard sigmoid in one dispatch.
pub fn wgsl_functions() -> &'static str {
    WGSL.split_once(BINDINGS).map_or(WGSL, |(functions, _)| functions)
}

/// The line of the shader behind its functions.
const BINDINGS: &str = "// ---- Bindings and entry points";

/// One compute kernel. Its entry point in [`WGSL`] has the kernel's [name](Kernel::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// `x` to `y`, two buffers.
    Forward,
    /// `y` over `x`.
    ForwardInPlace,
    /// `x` to `y`, disjoint ranges of one buffer.
    ForwardPooled,
    /// `x` and `g` to `dx`, which has a buffer of its own.
    Backward,
    /// `dx` over `g`.
    BackwardInPlace,
    /// `x` and `g` to `dx`, disjoint ranges; `dx` shares its buffer with one or both.
    BackwardPooled,
}

/// How a kernel sees a storage buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Self; 6] = [
        Self::Forward,
        Self::ForwardInPlace,
        Self::ForwardPooled,
        Self::Backward,
        Self::BackwardInPlace,
        Self::BackwardPooled,
    ];

    /// The entry point that works on four words (of 32 bits) at a time.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The entry point for the words at the end.
    pub const fn tail_name(self) -> &'static str {
        self.row().1
    }

    /// The storage buffers, in the order of their bindings; the parameters follow.
    pub(crate) const fn buffers(self) -> &'static [Access] {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static str, &'static [Access]) {
        use Access::{Read, ReadWrite};
        match self {
            Self::Forward => ("forward", "forward_tail", &[Read, ReadWrite]),
            Self::ForwardInPlace => ("forward_in_place", "forward_in_place_tail", &[ReadWrite]),
            Self::ForwardPooled => ("forward_pooled", "forward_pooled_tail", &[ReadWrite, ReadWrite]),
            Self::Backward => ("backward", "backward_tail", &[Read, Read, ReadWrite]),
            Self::BackwardInPlace => ("backward_in_place", "backward_in_place_tail", &[ReadWrite, ReadWrite]),
            Self::BackwardPooled => (
                "backward_pooled",
                "backward_pooled_tail",
                &[ReadWrite, ReadWrite, ReadWrite],
            ),
        }
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
    module: wgpu::ShaderModule,
    pipeline_cache: Option<wgpu::PipelineCache>,
    slots: [Slot; Kernel::ALL.len()],
}

/// What belongs to one [`Kernel`].
#[derive(Debug)]
struct Slot {
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
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
            module,
            pipeline_cache: cache,
            slots: Kernel::ALL.map(|kernel| Slot::new(device, kernel)),
        })))
    }

    /// Compiles every pipeline now rather than at its first launch.
    pub fn warm_up(&self) {
        for kernel in Kernel::ALL {
            self.body(kernel);
            self.tail(kernel);
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

    pub(crate) fn bindings(&self, kernel: Kernel) -> &wgpu::BindGroupLayout {
        &self.0.slots[kernel as usize].bindings
    }

    pub(crate) fn body(&self, kernel: Kernel) -> &wgpu::ComputePipeline {
        let slot = &self.0.slots[kernel as usize];
        slot.body.get_or_init(|| self.compile(&slot.layout, kernel.name()))
    }

    pub(crate) fn tail(&self, kernel: Kernel) -> &wgpu::ComputePipeline {
        let slot = &self.0.slots[kernel as usize];
        slot.tail.get_or_init(|| self.compile(&slot.layout, kernel.tail_name()))
    }

    fn compile(&self, layout: &wgpu::PipelineLayout, entry_point: &str) -> wgpu::ComputePipeline {
        self.0.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&format!("hard_sigmoid::{entry_point}::pipeline")),
            layout: Some(layout),
            module: &self.0.module,
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                // No kernel uses workgroup memory.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: self.0.pipeline_cache.as_ref(),
        })
    }
}

impl Slot {
    fn new(device: &wgpu::Device, kernel: Kernel) -> Self {
        let storage = kernel.buffers().iter().map(|access| wgpu::BufferBindingType::Storage {
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
        let name = kernel.name();
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&format!("hard_sigmoid::{name}::bindings")),
            entries: &entries,
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&format!("hard_sigmoid::{name}::layout")),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Self {
            bindings,
            layout,
            body: OnceLock::new(),
            tail: OnceLock::new(),
        }
    }
}

fn check_limits(limits: &wgpu::Limits) -> Result<(), Error> {
    let needs: [(&'static str, u64, u64); 10] = [
        ("max_bind_groups", 1, limits.max_bind_groups.into()),
        (
            "max_bindings_per_bind_group",
            4,
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
            // One step of a tensor that is cut into segments.
            u64::from(limits.min_storage_buffer_offset_alignment).max(16),
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
            1,
            limits.max_compute_workgroups_per_dimension.into(),
        ),
    ];
    for (limit, needed, has) in needs {
        if has < needed {
            return Err(Error::UnsupportedDevice { limit, needed, has });
        }
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
        let module = naga::front::wgsl::parse_str(wgsl_functions()).unwrap();
        assert!(module.entry_points.is_empty() && module.global_variables.is_empty());
        let names: Vec<_> = module
            .functions
            .iter()
            .filter_map(|(_, function)| function.name.as_deref())
            .collect();
        assert_eq!(
            names,
            [
                "opaque",
                "sixth",
                "unless_nan",
                "forward4",
                "backward4",
                "widened",
                "narrowed",
                "forward_words",
                "backward_words"
            ]
        );
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
        let all = || Kernel::ALL.map(|kernel| [kernels.body(kernel).clone(), kernels.tail(kernel).clone()]);
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|pipelines| *pipelines == seen[0]));
        // Another handle has its own, so the comparison can fail.
        let other = Kernels::new(&device).unwrap();
        assert!(*other.body(Kernel::Forward) != seen[0][0][0]);
    }

    /// Entry points, workgroup sizes and bindings are what this file and `grid.rs` say.
    #[test]
    fn the_shader_has_the_kernels() {
        let module = naga::front::wgsl::parse_str(WGSL).unwrap();
        let capabilities = naga::valid::Capabilities::empty();
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        let info = validator.validate(&module).unwrap();

        let names: Vec<_> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
        let expected: Vec<_> = Kernel::ALL.iter().flat_map(|k| [k.name(), k.tail_name()]).collect();
        assert_eq!(names, expected);

        for (index, entry) in module.entry_points.iter().enumerate() {
            let kernel = Kernel::ALL[index / 2];
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
            let buffers = kernel.buffers().iter().copied().map(Some);
            let expected: BTreeMap<_, _> = (0..).zip(buffers.chain([None])).collect();
            assert_eq!(found, expected, "{}", entry.name);
        }
    }
}
