use std::fmt;

/// The most bytes of a binding, whatever the device allows: on Metal wgpu 30 may lose what lies beyond (gfx-rs/wgpu
/// #10305). It also makes the number of elements of a part fit a u32.
pub(crate) const MAX_BINDING: u64 = (1 << 32) - 4;

/// The largest alignment. Parts start at multiples of up to 32 alignments, and a binding is shorter than 2^32 bytes.
pub(crate) const MAX_ALIGNMENT: u32 = 1 << 26;

/// The limits of a device, with WebGPU's names; the defaults are WebGPU's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Storage buffers that a kernel may bind.
    pub max_storage_buffers_per_shader_stage: u32,
    /// Bytes of a storage buffer that a kernel may bind.
    pub max_storage_buffer_binding_size: u64,
    /// The number of bytes that the offset of a storage buffer's binding has to be a multiple of.
    pub min_storage_buffer_offset_alignment: u32,
    /// Workgroups of a dispatch in each dimension.
    pub max_compute_workgroups_per_dimension: u32,
    /// Bytes that a workgroup may share.
    pub max_compute_workgroup_storage_size: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_storage_buffers_per_shader_stage: 8,
            max_storage_buffer_binding_size: 128 << 20,
            min_storage_buffer_offset_alignment: 256,
            max_compute_workgroups_per_dimension: 65535,
            max_compute_workgroup_storage_size: 16384,
        }
    }
}

/// A device was made with a limit below what a kernel needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsupportedDevice {
    /// The limit's name in WebGPU, or in wgpu if it is wgpu's own.
    pub limit: &'static str,
    /// What the kernel needs.
    pub needed: u64,
    /// What the device allows.
    pub has: u64,
}

impl fmt::Display for UnsupportedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, needed, has } = self;
        if *has == MAX_BINDING && *limit == "max_storage_buffer_binding_size" {
            return write!(
                f,
                "the kernel needs to bind {needed} bytes, but it binds {MAX_BINDING} at most, whatever the device allows; give \
                 shorter rows (a smaller middle·inner)"
            );
        }
        write!(
            f,
            "the kernel needs {limit} of at least {needed}, but this device was made with {has}; "
        )?;
        if *has == 0 {
            write!(
                f,
                "an adapter that allows none, such as WebGL's, can't run it; otherwise "
            )?;
        }
        write!(f, "ask for more when you make the device")?;
        let defaults = Limits::default();
        let is_default_enough = match *limit {
            "max_storage_buffer_binding_size" => *needed <= defaults.max_storage_buffer_binding_size,
            "max_compute_workgroups_per_dimension" => *needed <= defaults.max_compute_workgroups_per_dimension.into(),
            _ => true,
        };
        if is_default_enough {
            write!(f, " (WebGPU's default limits are enough)")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnsupportedDevice {}

impl UnsupportedDevice {
    /// Refuses a limit that is too small.
    pub(crate) fn check(limit: &'static str, needed: u64, has: u64) -> Result<(), Self> {
        if has < needed {
            return Err(Self { limit, needed, has });
        }
        Ok(())
    }
}
