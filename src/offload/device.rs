//! A device of our own, and why it fails.

use crate::{
    gpu::{Kernels, error::in_one_line},
    math::op::Op,
    offload::{error::OffloadError, scopes::Scopes, staging::Slot},
    plan::{Kernel, Placement},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A device of our own.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) kernels: Kernels,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) queue: wgpu::Queue,
    /// Why the device was lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
    /// Whether the host can map what kernels bind, as it can if host and device share memory.
    pub(super) is_unified: bool,
    /// Buffers that no call is using.
    pub(super) idle: Mutex<Vec<Slot>>,
    /// The first element of a chunk. The device is lost before this chunk is sent.
    #[cfg(test)]
    pub(super) lose_at: std::sync::OnceLock<usize>,
}

impl Gpu {
    pub(super) async fn new(adapter: &wgpu::Adapter) -> Result<Self, OffloadError> {
        use wgpu::DeviceType::{Cpu, IntegratedGpu};
        let info = adapter.get_info();
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let is_unified = matches!(info.device_type, Cpu | IntegratedGpu) && adapter.features().contains(mappable);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hard_sigmoid::offload::device"),
            required_features: if is_unified { mappable } else { wgpu::Features::empty() },
            required_limits: wgpu::Limits {
                // Both gradients of a gate bind five buffers, so more than four are asked for if the adapter has them.
                max_storage_buffers_per_shader_stage: adapter.limits().max_storage_buffers_per_shader_stage.clamp(4, 8),
                ..wgpu::Limits::downlevel_defaults()
            },
            ..Default::default()
        };
        let no_device = |error: wgpu::RequestDeviceError| OffloadError::NoDevice {
            details: error.to_string(),
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(no_device)?;
        let lost = Arc::new(Mutex::new(None));
        let report = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            let details = match &*message {
                "" => format!("{reason:?}"),
                _ => format!("{reason:?}: {message}"),
            };
            *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(details);
        });
        let scopes = Scopes::push(&device);
        let kernels = Kernels::new(&device);
        scopes.pop().await?;
        Ok(Self {
            kernels: kernels?,
            info,
            queue,
            lost,
            is_unified,
            idle: Mutex::default(),
            #[cfg(test)]
            lose_at: Default::default(),
        })
    }

    /// Whether the device can bind the operation's tensors.
    pub(super) fn can_run(&self, op: Op) -> bool {
        Kernel::new(op, op.dtypes()[0], Placement::Separate).is_ok_and(|kernel| self.kernels.check(kernel).is_ok())
    }

    /// The first error since the scopes were pushed, device loss before all others.
    pub(super) fn check(&self, scopes: Scopes) -> impl Future<Output = Result<(), OffloadError>> {
        let popped = scopes.pop();
        async move {
            let result = popped.await;
            // On native targets the loss is reported by a poll.
            let _ = self.kernels.device().poll(wgpu::PollType::Poll);
            if let Some(lost) = self.reported_loss() {
                return Err(lost);
            }
            result.map_err(|error| match error {
                OffloadError::Gpu { details } => self.failure(details),
                error => error,
            })
        }
    }

    /// What made a call to wgpu fail: that the device is lost, or else what wgpu says.
    pub(super) fn failure(&self, details: impl fmt::Display) -> OffloadError {
        // wgpu reports the loss of a device only when its queue is empty, but refuses its calls before.
        let unreported = || self.kernels.check_alive().err().map(OffloadError::from);
        self.reported_loss().or_else(unreported).unwrap_or(OffloadError::Gpu {
            details: in_one_line(details),
        })
    }

    fn reported_loss(&self) -> Option<OffloadError> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(|details| OffloadError::DeviceLost { details })
    }
}
