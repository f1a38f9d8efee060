//! The kernels in a program that owns its wgpu device, buffers, encoder and pass.
//!
//! [`Kernels`] follows the [`plan`](crate::plan): it checks the caller's tensors, makes what the plan says, and records
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
    gpu::pipelines::{Offsets, Pipelines, Variant},
    math::{dtype::DType, op::Op},
    plan::{
        broadcast::WORKGROUP_MEMORY,
        grid::{WORKGROUP, check_limits},
        limits::{Limits, UnsupportedDevice},
        params::Params,
        placement::{Placement, Stage, bound},
    },
};
use bytemuck::Zeroable;
use std::sync::Arc;

/// The kernels on one device. Modules, layouts and pipelines are made once, when they are first needed, even if several
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
/// `max_storage_buffer_binding_size` takes several dispatches, all in one launch. The [`Placement`] is detected from
/// the ranges:
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
    limits: Limits,
    max_buffer_size: u64,
    /// wgpu's own limit, which WebGPU doesn't have: storage and uniform buffers together.
    max_buffers: u32,
    max_dynamic_storage_buffers: u32,
    max_dynamic_uniform_buffers: u32,
    params_alignment: u32,
    pipelines: Pipelines,
}

impl Kernels {
    /// Makes the kernels for `device`.
    ///
    /// # Errors
    /// [`LaunchError::DeviceLost`] if the device is already lost (a browser doesn't tell).
    /// [`LaunchError::UnsupportedDevice`] if it was made with limits below what the kernels need;
    /// `wgpu::Limits::downlevel_defaults()` is enough. Tensors beyond a binding are cut where a buffer can be bound, so `max_storage_buffer_binding_size` has to be at
    /// least 512 and at least 32 times `min_storage_buffer_offset_alignment`. One dispatch has to hold a piece of that size,
    /// which takes two workgroups in each dimension for an alignment of 256, and one up to 128.
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
            limits: plan_limits(&limits),
            max_buffer_size: limits.max_buffer_size,
            max_buffers: limits.max_buffers_and_acceleration_structures_per_shader_stage,
            max_dynamic_storage_buffers: limits.max_dynamic_storage_buffers_per_pipeline_layout,
            max_dynamic_uniform_buffers: limits.max_dynamic_uniform_buffers_per_pipeline_layout,
            params_alignment: limits.min_uniform_buffer_offset_alignment,
            pipelines: Pipelines::new(device, cache),
        }));
        kernels.check_alive()?;
        Ok(kernels)
    }

    /// Compiles the pipelines of an operation now rather than when its first launch is prepared, for every
    /// [`Placement`] whose tensors the device can bind.
    ///
    /// # Errors
    /// [`LaunchError::DeviceLost`] if the device is lost (a browser doesn't tell).
    pub fn warm_up(&self, op: impl Into<Op>, dtype: DType) -> Result<(), LaunchError> {
        let op = op.into();
        for &placement in Placement::ALL {
            if placement.allows(op) && self.check_tensors(op, placement).is_ok() {
                let variant = Variant::new(op, dtype, placement, Offsets::Fixed);
                for stage in Stage::of(op) {
                    self.pipelines().get(variant, stage);
                }
            }
        }
        self.check_alive()
    }

    /// The device that the kernels were made for.
    pub fn device(&self) -> &wgpu::Device {
        self.pipelines().device()
    }

    /// The device's limits, as a [`Plan`](crate::plan::Plan) takes them.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Checks that the device isn't lost. wgpu doesn't tell, but it refuses to map a buffer of a lost device.
    pub(crate) fn check_alive(&self) -> Result<(), LaunchError> {
        // If memory is exhausted, this error says so. It isn't one of the caller's own calls.
        let _scope = self.device().push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        self.upload(&Params::zeroed()).map(drop)
    }

    fn pipelines(&self) -> &Pipelines {
        &self.0.pipelines
    }

    /// Checks that the device can bind the operation's tensors, and has the workgroup memory that it needs.
    /// `Kernels::new` has checked for three tensors and no workgroup memory; only the gradients of gates need more.
    pub(crate) fn check_tensors(&self, op: Op, placement: Placement) -> Result<(), UnsupportedDevice> {
        let tensors = bound(op, placement).len() as u64;
        UnsupportedDevice::check(
            "max_storage_buffers_per_shader_stage",
            tensors,
            self.0.limits.max_storage_buffers_per_shader_stage.into(),
        )?;
        // The parameters too.
        UnsupportedDevice::check(MAX_BUFFERS, tensors + 1, self.0.max_buffers.into())?;
        if let Op::GateBroadcastSums(_) = op {
            UnsupportedDevice::check(
                "max_compute_workgroup_storage_size",
                WORKGROUP_MEMORY.into(),
                self.device().limits().max_compute_workgroup_storage_size.into(),
            )?;
        }
        Ok(())
    }
}

const MAX_BUFFERS: &str = "max_buffers_and_acceleration_structures_per_shader_stage";

fn plan_limits(limits: &wgpu::Limits) -> Limits {
    Limits {
        max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
        min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
        max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
    }
}

/// Checks what every kernel needs.
fn check_device(limits: &wgpu::Limits) -> Result<(), UnsupportedDevice> {
    let params = size_of::<Params>() as u64;
    let needs: [(&'static str, u64, u64); 10] = [
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
    check_limits(&plan_limits(limits), 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{definition::HardSigmoid, op::Unary};

    /// Threads that ask at once for a pipeline that isn't compiled yet all get the same one.
    #[test]
    fn a_pipeline_is_compiled_once() {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::NOOP;
        options.backend_options.noop.enable = true;
        let adapter = pollster::block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap();
        let (device, _queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        let kernels = Kernels::new(&device).unwrap();
        let variant = |op| Variant::new(op, DType::F16, Placement::Shared, Offsets::Fixed);
        let all = || {
            let each = |op| Stage::of(op).map(move |stage| (op, stage));
            let stages = Op::all(HardSigmoid::PYTORCH).into_iter().flat_map(each);
            let pipeline = |(op, stage)| kernels.pipelines().get(variant(op), stage).clone();
            stages.map(pipeline).collect::<Vec<_>>()
        };
        let seen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|pipelines| *pipelines == seen[0]));
        // Another handle has its own, so the comparison can fail.
        let other = Kernels::new(&device).unwrap();
        let forward = variant(Unary::Forward(HardSigmoid::PYTORCH).into());
        assert!(*other.pipelines().get(forward, Stage::Body) != seen[0][0]);
    }
}
