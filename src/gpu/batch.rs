use crate::{
    gpu::{Kernels, error::LaunchError, operands::BufferRange, pipelines::Compiled},
    math::{dtype::DType, lengths::MAX_TENSORS, op::Op},
    plan::{Dispatch, Kernel, MAX_DISPATCHES, Params, Part, UnsupportedDevice, limits::MAX_BINDING},
};
use rustc_hash::{FxHashMap, FxHasher};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

/// The launches of one step of a runtime whose shapes change at every step.
///
/// A [`Launch`](crate::gpu::Launch) has a parameter buffer and a bind group of its own, which is right for a launch
/// that is recorded again and again. A batch writes the parameters of all its launches at once, and keeps its bind
/// groups: tensors of a pool are bound with offsets that change from step to step. It checks tensors as a launch does.
///
/// ```
/// use hard_sigmoid::{DType, HardSigmoid, Unary, gpu::{Batch, LaunchError}};
///
/// /// Runs once for each step; the batch is kept.
/// fn step(
///     batch: &mut Batch,
///     queue: &wgpu::Queue,
///     encoder: &mut wgpu::CommandEncoder,
///     x: wgpu::BufferSlice<'_>,
///     y: wgpu::BufferSlice<'_>,
/// ) -> Result<(), LaunchError> {
///     batch.clear();
///     let forward = batch.add(Unary::Forward(HardSigmoid::PYTORCH), DType::F32, &[x.into(), y.into()])?;
///     // ... and all other launches of the step, and then:
///     let written = batch.write(queue);
///     written.encode(forward, &mut encoder.begin_compute_pass(&Default::default()))
/// }
/// ```
///
/// Submit a step's commands before you write the batch again. To record several steps before submitting, use one batch
/// for each. A bind group keeps its buffers alive until it hasn't been used for 16 steps. A batch that is made doesn't
/// notice a later loss of the device; the device's own callback reports it.
#[derive(Debug)]
pub struct Batch {
    kernels: Kernels,
    /// Random, so that launches of another batch are recognized.
    id: u64,
    /// The number of launches whose parameters share a buffer.
    per_page: usize,
    /// Bytes from one launch's parameters to the next one's.
    stride: usize,
    pages: Vec<Page>,
    parts: Vec<Recorded>,
    groups: Groups,
    step: u64,
}

/// One launch of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLaunch {
    batch: u64,
    step: u64,
    first: usize,
    end: usize,
}

/// A [`Batch`] whose parameters are written: it can be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a>(&'a Batch);

/// Parameters of some launches.
#[derive(Debug)]
struct Page {
    buffer: wgpu::Buffer,
    bytes: Vec<u8>,
}

/// The most launches whose parameters share a buffer: 64 KiB if they are 256 bytes apart.
const MAX_PER_PAGE: u64 = 256;

/// The number of steps for which an unused bind group is kept.
const KEPT: u64 = 16;

/// The smallest binding if the buffer has room, so that small tensors of all lengths find the same bind group.
const MIN_BINDING: u64 = 4096;

/// A part of a launch, which one bind group covers.
#[derive(Debug)]
struct Recorded {
    compiled: Arc<Compiled>,
    bind_group: wgpu::BindGroup,
    /// The dynamic offset of every binding, in order. Those of the tensors are there only if they are dynamic.
    offsets: [u32; MAX_TENSORS + 1],
    dynamic: usize,
    dispatches: [Option<Dispatch>; MAX_DISPATCHES],
}

/// Bind groups, by the hash of what they are made of.
#[derive(Debug, Default)]
struct Groups(FxHashMap<u64, Vec<Group>>);

#[derive(Debug)]
struct Group {
    layout: wgpu::BindGroupLayout,
    page: usize,
    /// Buffer, offset and size of each tensor's binding.
    tensors: Vec<(wgpu::Buffer, u64, u64)>,
    bind_group: wgpu::BindGroup,
    /// The last step that used it.
    used: u64,
}

impl Batch {
    /// An empty batch. Keep it from step to step.
    ///
    /// # Errors
    /// [`LaunchError::DeviceLost`] if the device is already lost (a browser doesn't tell).
    /// [`UnsupportedDevice`] if it was made with buffers too small for the parameters of a launch;
    /// `wgpu::Limits::downlevel_defaults()` is enough.
    pub fn new(kernels: &Kernels) -> Result<Self, LaunchError> {
        let inner = &kernels.0;
        let stride = size_of::<Params>().next_multiple_of(inner.params_alignment as usize);
        let per_page = (inner.max_buffer_size / stride as u64).min(MAX_PER_PAGE);
        UnsupportedDevice::check("max_buffer_size", stride as u64, inner.max_buffer_size)?;
        kernels.check_alive()?;
        Ok(Self {
            kernels: kernels.clone(),
            id: RandomState::new().hash_one(()),
            per_page: per_page as usize,
            stride,
            pages: Vec::new(),
            parts: Vec::new(),
            groups: Groups::default(),
            step: 0,
        })
    }

    /// Starts the next step: removes all launches, and the bind groups that haven't been used for 16 steps.
    pub fn clear(&mut self) {
        self.groups.keep((self.step + 1).saturating_sub(KEPT));
        self.parts.clear();
        for page in &mut self.pages {
            page.bytes.clear();
        }
        self.step += 1;
    }

    /// Lets go of every launch and every bind group, and so of the buffers that they keep alive. [`clear`](Self::clear) keeps
    /// them for some steps.
    pub fn release(&mut self) {
        self.clear();
        self.groups = Groups::default();
    }

    /// Adds a launch. Its pipelines compile now if no earlier launch has needed them. `tensors` are the operands and then the
    /// results, in the order of [`Op::inputs`] and [`Op::outputs`].
    ///
    /// # Errors
    /// [`LaunchError::TensorCount`] if the operation has a different number of tensors; for the rest see [`Kernels`].
    pub fn add(
        &mut self,
        op: impl Into<Op>,
        dtype: DType,
        tensors: &[BufferRange<'_>],
    ) -> Result<BatchLaunch, LaunchError> {
        let first = self.parts.len();
        let (kernel, plan) = self.kernels.plan(op.into(), dtype, tensors)?;
        let compiled = self.kernels.pipelines().get(kernel);
        for part in plan.parts() {
            self.record(kernel, &compiled, tensors, &part);
        }
        Ok(BatchLaunch {
            batch: self.id,
            step: self.step,
            first,
            end: self.parts.len(),
        })
    }

    /// Writes the parameters of every launch at once. They arrive before the commands that are submitted next.
    pub fn write(&self, queue: &wgpu::Queue) -> Written<'_> {
        for page in self.pages.iter().filter(|page| !page.bytes.is_empty()) {
            queue.write_buffer(&page.buffer, 0, &page.bytes);
        }
        Written(self)
    }

    fn record(&mut self, kernel: Kernel, compiled: &Arc<Compiled>, tensors: &[BufferRange<'_>], part: &Part) {
        let page = self.parts.len() / self.per_page;
        let at = self.put(page, &part.params);
        let pipelines = self.kernels.pipelines();
        // The pipelines compile now if they haven't yet.
        for dispatch in part.dispatches() {
            pipelines.pipeline(compiled, dispatch.stage);
        }
        let layout = pipelines.layout(kernel);
        let bound = Bound::new(tensors, part, layout.dynamic > 1, &self.kernels);
        let (kernels, params) = (&self.kernels, &self.pages[page].buffer);
        let bind_group = self
            .groups
            .find(&layout.bindings, page, bound.bindings(), self.step, || {
                kernels.bind_group(kernel, layout, bound.bindings().iter().copied(), params)
            });
        let mut offsets = bound.dynamic;
        offsets[layout.dynamic - 1] = at;
        self.parts.push(Recorded {
            compiled: compiled.clone(),
            bind_group,
            offsets,
            dynamic: layout.dynamic,
            dispatches: part.dispatches,
        });
    }

    /// Appends parameters to a page; returns where they start.
    fn put(&mut self, page: usize, params: &Params) -> u32 {
        if page == self.pages.len() {
            let buffer = self.kernels.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("hard_sigmoid::batch"),
                size: (self.per_page * self.stride) as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            self.pages.push(Page {
                buffer,
                bytes: Vec::new(),
            });
        }
        let bytes = &mut self.pages[page].bytes;
        let at = bytes.len();
        bytes.extend(bytemuck::bytes_of(params));
        bytes.resize(at + self.stride, 0);
        at as u32
    }
}

impl Groups {
    /// The bind group of these bindings, which a step uses. It is made if there is none.
    fn find(
        &mut self,
        layout: &wgpu::BindGroupLayout,
        page: usize,
        tensors: &[(&wgpu::Buffer, u64, u64)],
        step: u64,
        make: impl FnOnce() -> wgpu::BindGroup,
    ) -> wgpu::BindGroup {
        let mut hasher = FxHasher::default();
        (layout, page, tensors).hash(&mut hasher);
        let same_hash = self.0.entry(hasher.finish()).or_default();
        let found = same_hash.iter_mut().find(|group| {
            let theirs = group
                .tensors
                .iter()
                .map(|(buffer, offset, size)| (buffer, *offset, *size));
            group.layout == *layout && group.page == page && theirs.eq(tensors.iter().copied())
        });
        if let Some(group) = found {
            group.used = step;
            return group.bind_group.clone();
        }
        let bind_group = make();
        let kept = |&(buffer, offset, size): &(&wgpu::Buffer, u64, u64)| (buffer.clone(), offset, size);
        same_hash.push(Group {
            layout: layout.clone(),
            page,
            tensors: tensors.iter().map(kept).collect(),
            bind_group: bind_group.clone(),
            used: step,
        });
        bind_group
    }

    /// Keeps the bind groups that were used in step `since` or later.
    fn keep(&mut self, since: u64) {
        self.0.retain(|_, same_hash| {
            same_hash.retain(|group| group.used >= since);
            !same_hash.is_empty()
        });
    }
}

/// How the tensors of a part are bound.
struct Bound<'a> {
    /// Buffer, offset and size of each binding.
    all: [(&'a wgpu::Buffer, u64, u64); MAX_TENSORS],
    tensors: usize,
    /// Offsets that come with the dispatch.
    dynamic: [u32; MAX_TENSORS + 1],
}

impl<'a> Bound<'a> {
    fn new(tensors: &[BufferRange<'a>], part: &Part, are_dynamic: bool, kernels: &Kernels) -> Self {
        let bindings = part.bindings();
        let mut bound = Self {
            all: [(tensors[0].buffer, 0, 0); MAX_TENSORS],
            tensors: bindings.len(),
            dynamic: [0; MAX_TENSORS + 1],
        };
        for (bound, binding) in bound.all.iter_mut().zip(bindings) {
            let range = tensors[binding.tensor];
            *bound = (range.buffer, range.offset + binding.offset, binding.size);
        }
        bound.grow(kernels.limits().max_storage_buffer_binding_size.min(MAX_BINDING));
        let is_countable = |(_, offset, _): &(&wgpu::Buffer, u64, u64)| u32::try_from(*offset).is_ok();
        // If they can't be dynamic, the offsets stay in the bind group, and the dynamic ones are 0.
        if are_dynamic && bound.bindings().iter().all(is_countable) {
            for ((_, offset, _), dynamic) in bound.all.iter_mut().zip(&mut bound.dynamic) {
                *dynamic = std::mem::take(offset) as u32;
            }
        }
        bound
    }

    fn bindings(&self) -> &[(&'a wgpu::Buffer, u64, u64)] {
        &self.all[..self.tensors]
    }

    /// Rounds the sizes up, so that tensors of other lengths find the same bind group: a shader takes the length from
    /// the parameters. Bindings of one buffer must not grow into each other.
    fn grow(&mut self, largest: u64) {
        let mut grown = self.all;
        for (buffer, offset, size) in &mut grown[..self.tensors] {
            let larger = size.next_power_of_two().max(MIN_BINDING);
            if larger <= largest && *offset + larger <= buffer.size() {
                *size = larger;
            }
        }
        let apart = |a: &(&wgpu::Buffer, u64, u64), b: &(&wgpu::Buffer, u64, u64)| {
            a.0 != b.0 || a.1 + a.2 <= b.1 || b.1 + b.2 <= a.1
        };
        let of_tensors = &grown[..self.tensors];
        let mut each = of_tensors.iter().enumerate();
        if each.all(|(i, a)| of_tensors[i + 1..].iter().all(|b| apart(a, b))) {
            self.all = grown;
        }
    }
}

impl Written<'_> {
    /// Records a launch into the caller's pass. Sets pipeline and bind group 0; nothing else of the pass changes.
    ///
    /// # Errors
    /// [`LaunchError::Stale`] if the launch is of an earlier step, [`LaunchError::OtherBatch`] if it is of another
    /// batch; nothing is recorded.
    pub fn encode(self, launch: BatchLaunch, pass: &mut wgpu::ComputePass<'_>) -> Result<(), LaunchError> {
        if launch.batch != self.0.id {
            return Err(LaunchError::OtherBatch);
        }
        if launch.step != self.0.step {
            return Err(LaunchError::Stale);
        }
        self.encode_parts(&self.0.parts[launch.first..launch.end], pass);
        Ok(())
    }

    /// Records every launch, in the order in which they were added.
    pub fn encode_all(self, pass: &mut wgpu::ComputePass<'_>) {
        self.encode_parts(&self.0.parts, pass);
    }

    fn encode_parts(self, parts: &[Recorded], pass: &mut wgpu::ComputePass<'_>) {
        let pipelines = self.0.kernels.pipelines();
        for part in parts {
            pass.set_bind_group(0, &part.bind_group, &part.offsets[..part.dynamic]);
            for dispatch in part.dispatches.iter().flatten() {
                let [x, y, z] = dispatch.workgroups;
                pass.set_pipeline(pipelines.pipeline(&part.compiled, dispatch.stage));
                pass.dispatch_workgroups(x, y, z);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gpu::tests::{noop_device, noop_device_with},
        math::{definition::HardSigmoid, op::Unary},
    };

    /// A launch and a batch of one kernel share its pipelines, and a batch that lets go keeps nothing alive.
    #[test]
    fn pipelines_are_shared_and_bind_groups_are_released() {
        let kernels = Kernels::new(&noop_device()).unwrap();
        let buffer = kernels.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 1024,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let forward = Unary::Forward(HardSigmoid::PYTORCH);
        let tensors = [BufferRange::from(&buffer); 2];
        let launch = kernels.prepare(forward, DType::F32, &tensors).unwrap();
        let mut batch = Batch::new(&kernels).unwrap();
        batch.add(forward, DType::F32, &tensors).unwrap();
        let compiled = kernels.pipelines().get(launch.kernel());
        assert!(Arc::ptr_eq(&compiled, &batch.parts[0].compiled));
        batch.clear();
        assert_eq!((batch.parts.len(), batch.groups.0.len()), (0, 1));
        batch.release();
        assert_eq!((batch.parts.len(), batch.groups.0.len()), (0, 0));
    }

    /// Tensors of other lengths find the bind group, at every place if the device has dynamic offsets, else at their own.
    #[test]
    fn lengths_share_bind_groups() {
        for (dynamic, groups) in [(8, 1), (0, 2)] {
            let device = noop_device_with(wgpu::Limits {
                max_dynamic_storage_buffers_per_pipeline_layout: dynamic,
                ..Default::default()
            });
            let [x, y] = [(); 2].map(|()| {
                device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: 1 << 16,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            });
            let mut batch = Batch::new(&Kernels::new(&device).unwrap()).unwrap();
            for (offset, size) in [(0, 4), (256, 4096), (0, 4096), (256, 8)] {
                let tensors = [&x, &y].map(|buffer| BufferRange { buffer, offset, size });
                let forward = Unary::Forward(HardSigmoid::PYTORCH);
                batch.add(forward, DType::F32, &tensors).unwrap();
            }
            assert_eq!(batch.groups.0.len(), groups);
        }
    }

    /// After a warm-up no launch and no batch compiles anything, with any placement, length, seed or shape.
    #[test]
    fn a_step_after_a_warm_up_compiles_nothing() {
        let kernels = Kernels::new(&noop_device()).unwrap();
        let all: Vec<_> = Op::all(HardSigmoid::PYTORCH)
            .into_iter()
            .flat_map(|op| op.dtypes().iter().map(move |&dtype| (op, dtype)))
            .collect();
        kernels.warm_up(all.iter().copied()).unwrap();
        let warm = kernels.pipelines().count();
        assert!(warm > 200, "{warm} pipelines");
        let buffer = || {
            kernels.device().create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 1 << 20,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        };
        let buffers = [(); MAX_TENSORS].map(|()| buffer());
        let mut batch = Batch::new(&kernels).unwrap();
        let mut launches = 0;
        for &(op, dtype) in &all {
            for len in [6, 66, 6_006] {
                let sizes = op.advanced(len).sizes(dtype, len).unwrap();
                let separate = |(i, &size): (usize, &u64)| BufferRange {
                    buffer: &buffers[i],
                    offset: 0,
                    size,
                };
                let mut tensors: Vec<_> = sizes.iter().enumerate().map(separate).collect();
                let mut placements = vec![tensors.clone()];
                for (i, tensor) in tensors.iter_mut().enumerate() {
                    (tensor.buffer, tensor.offset) = (&buffers[0], (i << 16) as u64);
                }
                placements.push(tensors.clone());
                if let Some(replaced) = op.replaces() {
                    tensors[op.inputs().len()] = tensors[replaced];
                    placements.push(tensors);
                }
                for tensors in placements {
                    batch.add(op.advanced(len), dtype, &tensors).unwrap();
                    let _launch = kernels.prepare(op.advanced(1), dtype, &tensors).unwrap();
                    launches += 1;
                }
            }
        }
        assert!(launches > 400, "{launches} launches");
        assert_eq!(kernels.pipelines().count(), warm);
        // What wasn't warmed up is compiled, so the count can rise.
        let other = Unary::Forward(HardSigmoid::COURBARIAUX);
        batch
            .add(
                other,
                DType::F32,
                &[BufferRange::from(&buffers[0]), BufferRange::from(&buffers[1])],
            )
            .unwrap();
        assert!(kernels.pipelines().count() > warm);
    }
}
