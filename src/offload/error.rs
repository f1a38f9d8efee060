use crate::{gpu::error::LaunchError, math::error::OpError, plan::limits::UnsupportedDevice};
use std::fmt;

/// A call of [`Offload`](crate::offload::Offload) failed. It has written nothing.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum OffloadError {
    /// The operation doesn't fit its operands.
    Op(OpError),
    /// No adapter matches what was asked for.
    NoAdapter {
        /// What was asked for, and which adapters there are.
        details: String,
    },
    /// The adapter refused to make a device.
    NoDevice {
        /// The driver's own words.
        details: String,
    },
    /// The adapter's limits are below what the kernels need.
    UnsupportedDevice(UnsupportedDevice),
    /// The device ran out of memory.
    OutOfMemory {
        /// The driver's own words.
        details: String,
    },
    /// The device was lost: the driver was reset, the GPU was unplugged, or somebody destroyed it.
    DeviceLost {
        /// The driver's own words.
        details: String,
    },
    /// wgpu reported an error that this crate didn't foresee.
    Gpu {
        /// wgpu's own words.
        details: String,
    },
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op(error) => error.fmt(f),
            Self::NoAdapter { details } => write!(f, "no adapter: {details}; install a driver or compute on the CPU"),
            Self::NoDevice { details } => write!(
                f,
                "the adapter gave no device: {details}; update its driver or compute on the CPU"
            ),
            Self::UnsupportedDevice(error) => error.fmt(f),
            Self::OutOfMemory { details } => write!(
                f,
                "the device is out of memory: {details}; free some of it or compute on the CPU"
            ),
            Self::DeviceLost { details } => write!(f, "the device was lost: {details}; make a new one"),
            Self::Gpu { details } => write!(f, "the GPU call failed: {details}; compute on the CPU"),
        }
    }
}

impl std::error::Error for OffloadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Op(error) => Some(error),
            Self::UnsupportedDevice(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OpError> for OffloadError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl From<UnsupportedDevice> for OffloadError {
    fn from(error: UnsupportedDevice) -> Self {
        Self::UnsupportedDevice(error)
    }
}

impl From<LaunchError> for OffloadError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::Op(error) => Self::Op(error),
            LaunchError::UnsupportedDevice(error) => Self::UnsupportedDevice(error),
            LaunchError::DeviceLost { details } => Self::DeviceLost { details },
            error => Self::Gpu {
                details: error.to_string(),
            },
        }
    }
}
