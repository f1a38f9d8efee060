//! The kernels in a program that owns its wgpu device, buffers, encoder and pass.
//!
//! [`Kernels`] follows the [`plan`]: it checks the caller's tensors, makes what the plan says, and records
//! it.

pub(crate) mod batch;
pub(crate) mod error;
pub(crate) mod launch;
pub(crate) mod operands;
mod pipelines;

pub use batch::{Batch, BatchLaunch, Written};
pub use error::LaunchError;
pub use launch::Launch;
pub use operands::BufferRange;
/// The version of wgpu that the kernels use.
pub use wgpu;

use crate::{
    gpu::pipelines::Pipelines,
    math::{dtype::DType, op::Op},
    plan::{self, Kernel, Limits, Params, UnsupportedDevice, WORKGROUP},
};
use bytemuck::Zeroable;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The kernels on one device. Modules, layouts and pipelines are made when they are first needed, and only once even if several
/// threads need them. Cloning is cheap and shares everything.
///
/// It records into what the caller owns and does nothing else: it submits nothing, polls nothing, maps none of the
/// caller's buffers, and owns no device. Make one for each `wgpu::Device`, and keep it.
///
/// ```
/// use hard_sigmoid::{DType, HardSigmoid, Unary, gpu::{Kernels, LaunchError}};
///
/// fn activate(
///     kernels: &Kernels,
///     encoder: &mut wgpu::CommandEncoder,
///     x: &wgpu::Buffer,
///     y: &wgpu::Buffer,
/// ) -> Result<(), LaunchError> {
///     let launch = kernels.unary(Unary::Forward(HardSigmoid::PYTORCH), DType::F32, x, y)?;
///     launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
///     Ok(())
/// }
/// ```
///
/// # Tensors
///
/// A tensor is a [`BufferRange`]. Tensors may have any length, 0 included; one beyond the device's
/// `max_storage_buffer_binding_size` takes several dispatches, all in one launch. The
/// [`Placement`](crate::plan::Placement) is detected from the ranges:
///
/// - no result shares a buffer with an operand: operands may overlap each other, or be one range;
/// - the first result is exactly the range of the operand that it may replace ([`Op::replaces`]);
/// - a result shares a buffer with an operand: then no two tensors may overlap, operands included.
///
/// # Errors
///
/// Every method that prepares a launch checks its tensors first: ranges that differ in length, leave their buffer, are
/// misaligned, overlap, or lack `STORAGE` usage are a [`LaunchError`]. Three things can't be asked of wgpu, so they
/// stay its own errors when the launch is prepared, recorded or submitted: a buffer, queue or pass belongs to another
/// device of the same `wgpu::Instance`, a buffer was destroyed, or a buffer is mapped. If the device itself fails (out of
/// memory; in a browser also a loss), the error goes to the caller's error scope or handler.
///
/// **Give nothing that belongs to another `wgpu::Instance`: no buffer, queue, encoder or pass.** Each instance numbers its
/// objects for itself, and outside a browser wgpu 30 finds and compares them by this number alone. So a buffer of another
/// instance is taken for the buffer of yours that has its number: the launch reads or writes that one, without an error.
/// If there is none, wgpu panics. These kernels can't see it either, since wgpu doesn't tell a buffer's device.
#[derive(Clone, Debug)]
pub struct Kernels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: plan::Device,
    max_buffer_size: u64,
    /// The most storage and uniform buffers together, a limit of wgpu's own that WebGPU doesn't have.
    max_buffers: u32,
    params_alignment: u32,
    pipelines: Pipelines,
}

impl Kernels {
    /// Makes the kernels for `device`.
    ///
    /// # Errors
    /// [`LaunchError::DeviceLost`] if the device is already lost (a browser doesn't tell).
    /// [`UnsupportedDevice`] if it was made with limits below what the kernels need;
    /// `wgpu::Limits::downlevel_defaults()` is enough.
    ///
    /// A tensor beyond a binding is cut where a buffer can be bound, so `max_storage_buffer_binding_size` has to be at
    /// least 512 and at least 32 times `min_storage_buffer_offset_alignment`. One dispatch has to cover the elements of
    /// such a binding. That takes two workgroups in each dimension for an alignment of 256, and one for an alignment up
    /// to 128.
    pub fn new(device: &wgpu::Device) -> Result<Self, LaunchError> {
        Self::with_pipeline_cache(device, None)
    }

    /// Like [`Kernels::new`], but compiles through the caller's pipeline cache, which the caller loads and stores.
    ///
    /// # Errors
    /// See [`Kernels::new`].
    #[cfg_attr(
        all(target_family = "wasm", feature = "offload"),
        expect(clippy::arc_with_non_send_sync, reason = "in a browser, wgpu's types aren't Send")
    )]
    pub fn with_pipeline_cache(device: &wgpu::Device, cache: Option<wgpu::PipelineCache>) -> Result<Self, LaunchError> {
        let limits = device.limits();
        check_device(&limits)?;
        let kernels = Self(Arc::new(Inner {
            device: plan::Device::new((&limits).into())?,
            max_buffer_size: limits.max_buffer_size,
            max_buffers: limits.max_buffers_and_acceleration_structures_per_shader_stage,
            params_alignment: limits.min_uniform_buffer_offset_alignment,
            pipelines: Pipelines::new(device, cache),
        }));
        kernels.check_alive()?;
        Ok(kernels)
    }

    /// Compiles the pipelines of operations now, on all cores, rather than when their first launches are prepared: for every
    /// [`Placement`](crate::plan::Placement) whose tensors the device can bind, for launches and batches. After that no step of
    /// these operations compiles anything, whatever its lengths, offsets, seeds and shapes are.
    ///
    /// ```
    /// use hard_sigmoid::{Binary, DType, HardSigmoid, Op, Unary, gpu::{Kernels, LaunchError}};
    ///
    /// /// What a training step will need.
    /// fn warm_up(kernels: &Kernels) -> Result<(), LaunchError> {
    ///     let forward = Op::from(Unary::Forward(HardSigmoid::PYTORCH));
    ///     let backward = Op::from(Binary::Backward(HardSigmoid::PYTORCH));
    ///     kernels.warm_up([(forward, DType::F32), (backward, DType::F32)])
    /// }
    /// ```
    ///
    /// # Errors
    /// [`LaunchError::DeviceLost`] if the device is lost (a browser doesn't tell). What a launch would fail with, if the device
    /// can bind an operation's tensors in no placement, or if the element type can't hold the scale of a binarization; then
    /// nothing is compiled.
    pub fn warm_up<O: Into<Op>>(&self, all: impl IntoIterator<Item = (O, DType)>) -> Result<(), LaunchError> {
        let mut kernels = vec![];
        for (op, dtype) in all {
            let op = op.into();
            op.check_dtype(dtype)?;
            let of_dtype = Kernel::all(op).filter(|kernel| kernel.dtype() == dtype);
            let (can_run, others): (Vec<_>, Vec<_>) = of_dtype.partition(|&kernel| self.check(kernel).is_ok());
            if let ([], [first, ..]) = (&can_run[..], &others[..]) {
                self.check(*first)?;
            }
            kernels.extend(can_run);
        }
        let next = AtomicUsize::new(0);
        let compile = || {
            while let Some(&kernel) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
                let compiled = self.pipelines().get(kernel);
                for &stage in kernel.stages() {
                    self.pipelines().pipeline(&compiled, stage);
                }
            }
        };
        // A browser's objects stay on their thread.
        #[cfg(not(target_family = "wasm"))]
        std::thread::scope(|scope| {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            for _ in 1..cores.min(kernels.len()) {
                scope.spawn(compile);
            }
            compile();
        });
        #[cfg(target_family = "wasm")]
        compile();
        self.check_alive()
    }

    /// The device that the kernels were made for.
    pub fn device(&self) -> &wgpu::Device {
        self.pipelines().device()
    }

    /// The device's limits.
    pub fn limits(&self) -> Limits {
        self.0.device.limits()
    }

    /// Checks that the device isn't lost. wgpu doesn't tell, but it refuses to map a buffer of a lost device.
    pub(crate) fn check_alive(&self) -> Result<(), LaunchError> {
        // If memory is exhausted, the error that is returned says so. This scope keeps it from the caller's own scopes,
        // which are for the caller's calls.
        let _scope = self.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        self.upload(&Params::zeroed()).map(drop)
    }

    fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// Checks what the kernel needs beyond what `Kernels::new` has checked.
    pub(crate) fn check(&self, kernel: Kernel) -> Result<(), UnsupportedDevice> {
        self.0.device.check(kernel)?;
        self.check_buffers(kernel)
    }

    /// Checks wgpu's own limit, which a plan doesn't know.
    fn check_buffers(&self, kernel: Kernel) -> Result<(), UnsupportedDevice> {
        // The tensors and the parameters.
        let needed = kernel.tensors().len() as u64 + 1;
        UnsupportedDevice::check(MAX_BUFFERS, needed, self.0.max_buffers.into())
    }
}

const MAX_BUFFERS: &str = "max_buffers_and_acceleration_structures_per_shader_stage";

impl From<&wgpu::Limits> for Limits {
    fn from(limits: &wgpu::Limits) -> Self {
        Self {
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
        }
    }
}

/// Checks what every kernel needs.
fn check_device(limits: &wgpu::Limits) -> Result<(), UnsupportedDevice> {
    let params = size_of::<Params>() as u64;
    let needs: [(&'static str, u64, u64); 12] = [
        ("max_bind_groups", 1, limits.max_bind_groups.into()),
        (
            "max_bindings_per_bind_group",
            6,
            limits.max_bindings_per_bind_group.into(),
        ),
        (
            "max_uniform_buffers_per_shader_stage",
            1,
            limits.max_uniform_buffers_per_shader_stage.into(),
        ),
        (
            "max_dynamic_uniform_buffers_per_pipeline_layout",
            1,
            limits.max_dynamic_uniform_buffers_per_pipeline_layout.into(),
        ),
        (
            "max_storage_buffers_per_shader_stage",
            3,
            limits.max_storage_buffers_per_shader_stage.into(),
        ),
        (
            MAX_BUFFERS,
            4,
            limits.max_buffers_and_acceleration_structures_per_shader_stage.into(),
        ),
        (
            "max_uniform_buffer_binding_size",
            params,
            limits.max_uniform_buffer_binding_size,
        ),
        ("max_buffer_size", params, limits.max_buffer_size),
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
            "max_compute_workgroup_size_y",
            1,
            limits.max_compute_workgroup_size_y.into(),
        ),
        (
            "max_compute_workgroup_size_z",
            1,
            limits.max_compute_workgroup_size_z.into(),
        ),
    ];
    for (limit, needed, has) in needs {
        UnsupportedDevice::check(limit, needed, has)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    /// A device that computes nothing.
    pub(super) fn noop_device() -> wgpu::Device {
        noop_device_with(wgpu::Limits::default())
    }

    pub(super) fn noop_device_with(required_limits: wgpu::Limits) -> wgpu::Device {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::NOOP;
        options.backend_options.noop.enable = true;
        let adapter = pollster::block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap();
        let asked = wgpu::DeviceDescriptor {
            required_limits,
            ..Default::default()
        };
        pollster::block_on(adapter.request_device(&asked)).unwrap().0
    }
}
