//! What is made once for a device: modules, layouts, and pipelines when they are first needed.

use crate::{
    math::{
        dtype::DType,
        op::{Kernel, Op},
    },
    plan::{
        self,
        formula::Formula,
        params::Params,
        placement::{Access, MAX_TENSORS, Placement, Stage, access, bound},
        wgsl::{self, Options},
    },
};
use std::sync::OnceLock;

/// The key of a pipeline: everything that it is compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) op: Op,
    pub(crate) placement: Placement,
    pub(crate) options: Options,
    pub(crate) offsets: Offsets,
}

/// Which bindings have an offset that each dispatch gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Offsets {
    /// None: each launch has a bind group of its own.
    Fixed,
    /// The binding of the parameters.
    Params,
    /// The bindings of the parameters and of the tensors.
    All,
}

impl Variant {
    pub(crate) fn new(op: Op, dtype: DType, placement: Placement, offsets: Offsets) -> Self {
        let options = Options::of(op, dtype);
        Self {
            op,
            placement,
            options,
            offsets,
        }
    }

    const FORMS: usize = (Formula::Halves as usize + 1) * 2;
    const COUNT: usize =
        (Kernel::GateBroadcastSums as usize + 1) * Placement::ALL.len() * DType::ALL.len() * Self::FORMS * 3;

    fn index(self) -> usize {
        let placed = self.op.row().kernel as usize * Placement::ALL.len() + self.placement as usize;
        let typed = placed * DType::ALL.len() + self.options.dtype as usize;
        let form = self.options.formula as usize * 2 + usize::from(self.options.stochastic);
        (typed * Self::FORMS + form) * 3 + self.offsets as usize
    }

    /// Whether operands are bound read-only.
    pub(crate) fn reads(self) -> bool {
        self.placement == Placement::Separate
    }

    fn tensors(self) -> usize {
        bound(self.op, self.placement).len()
    }
}

#[derive(Debug)]
pub(crate) struct Pipelines {
    device: wgpu::Device,
    cache: Option<wgpu::PipelineCache>,
    separate: OnceLock<wgpu::ShaderModule>,
    shared: OnceLock<wgpu::ShaderModule>,
    /// Indexed by offsets, whether operands are read-only, and the number of tensors.
    layouts: [[[OnceLock<Layout>; MAX_TENSORS + 1]; 2]; 3],
    /// Indexed by [`Variant::index`].
    pipelines: Box<[[OnceLock<wgpu::ComputePipeline>; Stage::ALL.len()]]>,
}

/// The layouts that kernels share if they bind the same tensors.
#[derive(Debug)]
struct Layout {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

impl Pipelines {
    pub(crate) fn new(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Self {
        Self {
            device: device.clone(),
            cache,
            separate: OnceLock::new(),
            shared: OnceLock::new(),
            layouts: Default::default(),
            pipelines: (0..Variant::COUNT).map(|_| Default::default()).collect(),
        }
    }

    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.device
    }

    pub(crate) fn bindings(&self, variant: Variant) -> &wgpu::BindGroupLayout {
        &self.layout(variant).bindings
    }

    /// The pipeline, which compiles now if it hasn't yet.
    pub(crate) fn get(&self, variant: Variant, stage: Stage) -> &wgpu::ComputePipeline {
        let slot = &self.pipelines[variant.index()][stage as usize];
        slot.get_or_init(|| self.compile(variant, stage.entry_point(variant.op, variant.placement)))
    }

    fn module(&self, placement: Placement) -> &wgpu::ShaderModule {
        let (slot, label) = match placement {
            Placement::Separate | Placement::InPlace => (&self.separate, "hard_sigmoid::separate"),
            Placement::Shared => (&self.shared, "hard_sigmoid::shared"),
        };
        slot.get_or_init(|| {
            self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(label),
                source: wgpu::ShaderSource::Wgsl(wgsl::module(placement).into()),
            })
        })
    }

    fn layout(&self, variant: Variant) -> &Layout {
        let slot = &self.layouts[variant.offsets as usize][usize::from(variant.reads())][variant.tensors()];
        slot.get_or_init(|| Layout::new(&self.device, variant))
    }

    fn compile(&self, variant: Variant, entry_point: &str) -> wgpu::ComputePipeline {
        let (name, dtype, placement) = (variant.op.name(), variant.options.dtype, variant.placement);
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&format!("hard_sigmoid::{name} ({entry_point}, {dtype}, {placement:?})")),
            layout: Some(&self.layout(variant).pipeline),
            module: self.module(placement),
            entry_point: Some(entry_point),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &plan::constants(variant.op, variant.options),
                // A kernel writes all of its workgroup memory before it reads any.
                zero_initialize_workgroup_memory: false,
            },
            cache: self.cache.as_ref(),
        })
    }
}

impl Layout {
    fn new(device: &wgpu::Device, variant: Variant) -> Self {
        let placement = variant.placement;
        let storage = bound(variant.op, placement).map(|operand| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage {
                read_only: access(placement, operand) == Access::Read,
            },
            has_dynamic_offset: variant.offsets == Offsets::All,
            // A vec4 for the body, one word for the tail: wgpu checks it at the dispatch.
            min_binding_size: None,
        });
        let params = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: variant.offsets != Offsets::Fixed,
            min_binding_size: wgpu::BufferSize::new(size_of::<Params>() as u64),
        };
        let entries: Vec<_> = (0..)
            .zip(storage.chain([params]))
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("hard_sigmoid::bindings"),
            entries: &entries,
        });
        let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("hard_sigmoid::layout"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Self { bindings, pipeline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::definition::{HardSigmoid, KinkRule};
    use std::collections::HashSet;

    #[test]
    fn every_variant_has_a_place_of_its_own() {
        let mut seen = HashSet::new();
        let rare = HardSigmoid::affine(0.0, 0.5, KinkRule::Strict).unwrap();
        for definition in [HardSigmoid::PYTORCH, HardSigmoid::JAX, HardSigmoid::KERAS, rare] {
            for op in Op::all(definition) {
                for &placement in Placement::ALL {
                    for &dtype in DType::ALL {
                        for offsets in [Offsets::Fixed, Offsets::Params, Offsets::All] {
                            let variant = Variant::new(op, dtype, placement, offsets);
                            assert!(variant.index() < Variant::COUNT);
                            let key = (op.row().kernel, placement, variant.options, offsets);
                            seen.insert((key, variant.index()));
                        }
                    }
                }
            }
        }
        let keys: HashSet<_> = seen.iter().map(|(key, _)| key).collect();
        let indices: HashSet<_> = seen.iter().map(|(_, index)| index).collect();
        assert_eq!((keys.len(), indices.len()), (seen.len(), seen.len()));
    }
}
