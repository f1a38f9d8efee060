//! What is made once for a device: layouts, and modules and pipelines when they are first needed.

use crate::{
    math::lengths::MAX_TENSORS,
    plan::{Access, Kernel, Params, Stage},
};
use rustc_hash::FxHashMap;
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// The most kernels that are kept. A program that changes alpha or beta at every step compiles at every step; the kernel that
/// wasn't used for the longest time makes room.
const MAX_KERNELS: usize = 512;

#[derive(Debug)]
pub(crate) struct Pipelines {
    device: wgpu::Device,
    cache: Option<wgpu::PipelineCache>,
    max_dynamic_storage_buffers: usize,
    /// Layouts, by the number of tensors that are bound read-only and the number of the others.
    layouts: [[OnceLock<Layout>; MAX_TENSORS + 1]; MAX_TENSORS + 1],
    /// Compiled kernels, by [`Kernel::pipeline_key`].
    kernels: Mutex<FxHashMap<Kernel, Arc<Compiled>>>,
    /// The number of uses of kernels so far.
    clock: AtomicU64,
}

/// A kernel's module and pipelines.
#[derive(Debug)]
pub(crate) struct Compiled {
    kernel: Kernel,
    module: OnceLock<wgpu::ShaderModule>,
    pipelines: [OnceLock<wgpu::ComputePipeline>; Stage::ALL.len()],
    /// The value of `Pipelines::clock` when it was last used.
    used: AtomicU64,
}

/// The layouts that kernels share if they bind the same number of tensors in the same way.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
    /// The number of bindings whose offset each dispatch gives. These are all bindings, or only the parameters, which
    /// come last, if the device allows too few dynamic offsets.
    pub(crate) dynamic: usize,
}

impl Pipelines {
    pub(crate) fn new(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Self {
        let most = device.limits().max_dynamic_storage_buffers_per_pipeline_layout;
        Self {
            device: device.clone(),
            cache,
            max_dynamic_storage_buffers: most as usize,
            layouts: Default::default(),
            kernels: Mutex::default(),
            clock: AtomicU64::new(0),
        }
    }

    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The kernel's module and pipelines, which [`pipeline`](Self::pipeline) compiles.
    pub(crate) fn get(&self, kernel: Kernel) -> Arc<Compiled> {
        let key = kernel.pipeline_key();
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut kernels = self.kernels();
        if let Some(found) = kernels.get(&key) {
            found.used.store(now, Ordering::Relaxed);
            return found.clone();
        }
        if kernels.len() >= MAX_KERNELS {
            let used = |one: &Arc<Compiled>| one.used.load(Ordering::Relaxed);
            let oldest = kernels.iter().min_by_key(|(_, one)| used(one)).map(|(key, _)| *key);
            oldest.and_then(|oldest| kernels.remove(&oldest));
        }
        let compiled = Arc::new(Compiled {
            kernel: key,
            module: OnceLock::new(),
            pipelines: Default::default(),
            used: AtomicU64::new(now),
        });
        kernels.insert(key, compiled.clone());
        compiled
    }

    /// Locks the map. A panic while it was locked leaves nothing half done in it.
    fn kernels(&self) -> MutexGuard<'_, FxHashMap<Kernel, Arc<Compiled>>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pipeline of the kernel, which compiles now if it hasn't yet.
    pub(crate) fn pipeline<'a>(&self, compiled: &'a Compiled, stage: Stage) -> &'a wgpu::ComputePipeline {
        compiled.pipelines[stage as usize].get_or_init(|| {
            let kernel = compiled.kernel;
            let (op, dtype, placement) = (kernel.op().name(), kernel.dtype(), kernel.placement());
            let module = compiled.module.get_or_init(|| {
                self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some(&format!("hard_sigmoid::{op} ({dtype}, {placement})")),
                    source: wgpu::ShaderSource::Wgsl(kernel.text().into()),
                })
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&format!("hard_sigmoid::{op} ({stage}, {dtype}, {placement})")),
                layout: Some(&self.layout(kernel).pipeline),
                module,
                entry_point: Some(stage.entry_point()),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // A kernel writes all of its workgroup memory before it reads any.
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: self.cache.as_ref(),
            })
        })
    }

    /// The number of pipelines that are compiled.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        let compiled = |one: &Arc<Compiled>| one.pipelines.iter().filter(|pipeline| pipeline.get().is_some()).count();
        self.kernels().values().map(compiled).sum()
    }

    pub(crate) fn layout(&self, kernel: Kernel) -> &Layout {
        let reads = kernel.reads();
        self.layouts[reads][kernel.tensors().len() - reads].get_or_init(|| self.new_layout(kernel))
    }

    fn new_layout(&self, kernel: Kernel) -> Layout {
        let tensors = kernel.tensors();
        let are_dynamic = tensors.len() <= self.max_dynamic_storage_buffers;
        let storage = tensors.clone().map(|tensor| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage {
                read_only: tensor.access == Access::Read,
            },
            has_dynamic_offset: are_dynamic,
            // The body needs a vector of four words, the tail one word. wgpu checks that at the dispatch.
            min_binding_size: None,
        });
        let params = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
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
        let bindings = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("hard_sigmoid::bindings"),
            entries: &entries,
        });
        let pipeline = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("hard_sigmoid::layout"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Layout {
            bindings,
            pipeline,
            dynamic: if are_dynamic { tensors.len() + 1 } else { 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gpu::tests::noop_device,
        math::{
            definition::{HardSigmoid, KinkRule},
            op::{Op, Unary},
        },
        plan::Placement,
    };

    fn kernel(op: impl Into<Op>) -> Kernel {
        let op = op.into();
        Kernel::new(op, *op.dtypes().last().unwrap(), Placement::Shared).unwrap()
    }

    /// Threads that ask at once for a pipeline that isn't compiled yet all get the same one.
    #[test]
    fn a_pipeline_is_compiled_once() {
        let device = noop_device();
        let pipelines = Pipelines::new(&device, None);
        let all = || {
            let of = |op: Op| {
                let compiled = pipelines.get(kernel(op));
                pipelines.pipeline(&compiled, Stage::Body).clone()
            };
            Op::all(HardSigmoid::PYTORCH).into_iter().map(of).collect::<Vec<_>>()
        };
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|pipelines| *pipelines == seen[0]));
        // Another cache has its own, so the comparison can fail.
        let other = Pipelines::new(&device, None);
        let forward = other.get(kernel(Unary::Forward(HardSigmoid::PYTORCH)));
        assert!(*other.pipeline(&forward, Stage::Body) != seen[0][0]);
    }

    /// Any number of definitions leaves a limited number of kernels, and those that are used stay.
    #[test]
    fn the_cache_is_limited() {
        let pipelines = Pipelines::new(&noop_device(), None);
        let kept = pipelines.get(kernel(Unary::Forward(HardSigmoid::PYTORCH)));
        let first = pipelines.get(kernel(Unary::Forward(HardSigmoid::JAX)));
        for i in 0..2 * MAX_KERNELS {
            let definition = HardSigmoid::affine(i as f32, 0.5, KinkRule::Strict).unwrap();
            pipelines.get(kernel(Unary::Forward(definition)));
            let again = pipelines.get(kernel(Unary::Forward(HardSigmoid::PYTORCH)));
            assert!(Arc::ptr_eq(&kept, &again));
        }
        assert_eq!(pipelines.kernels().len(), MAX_KERNELS);
        let again = pipelines.get(kernel(Unary::Forward(HardSigmoid::JAX)));
        assert!(!Arc::ptr_eq(&first, &again));
    }
}
