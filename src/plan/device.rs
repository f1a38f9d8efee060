use crate::plan::{
    PlanError, grid,
    kernel::Kernel,
    limits::{Limits, MAX_ALIGNMENT, UnsupportedDevice},
};

/// A device whose limits were checked once, for all plans.
///
/// ```
/// use hard_sigmoid::plan::{Device, Limits};
///
/// let device = Device::new(Limits { max_storage_buffer_binding_size: 1 << 30, ..Default::default() })?;
/// assert_eq!(device.limits().max_storage_buffer_binding_size, 1 << 30);
/// # Ok::<(), hard_sigmoid::plan::PlanError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device(Limits);

/// A device with WebGPU's default limits.
impl Default for Device {
    fn default() -> Self {
        Self(Limits::default())
    }
}

impl Device {
    /// Checks what every kernel needs.
    ///
    /// # Errors
    /// [`UnsupportedDevice`] if a limit is too small, [`PlanError::Alignment`] if WebGPU doesn't allow the alignment.
    pub fn new(limits: Limits) -> Result<Self, PlanError> {
        let given = limits.min_storage_buffer_offset_alignment;
        if !given.is_power_of_two() || given > MAX_ALIGNMENT {
            return Err(PlanError::Alignment { given });
        }
        grid::check_limits(&limits)?;
        Ok(Self(limits))
    }

    /// The limits.
    pub const fn limits(self) -> Limits {
        self.0
    }

    /// Checks what a kernel needs.
    ///
    /// # Errors
    /// If the device can't bind its tensors, or has too little workgroup memory.
    pub fn check(self, kernel: Kernel) -> Result<(), UnsupportedDevice> {
        UnsupportedDevice::check(
            "max_storage_buffers_per_shader_stage",
            kernel.tensors().len() as u64,
            self.0.max_storage_buffers_per_shader_stage.into(),
        )?;
        UnsupportedDevice::check(
            "max_storage_buffer_binding_size",
            kernel.op().table_size(),
            self.0.max_storage_buffer_binding_size,
        )?;
        UnsupportedDevice::check(
            "max_compute_workgroup_storage_size",
            kernel.workgroup_memory().into(),
            self.0.max_compute_workgroup_storage_size.into(),
        )
    }
}
