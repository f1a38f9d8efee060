use crate::{gpu::LaunchError, math::error::OpError};
use std::fmt;

/// A call of [`Offload`](crate::offload::Offload) failed. It has written nothing.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum OffloadError {
    /// The operation doesn't fit its operands, or the adapter's limits are below what the kernels need.
    Launch(LaunchError),
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
            Self::Launch(error) => error.fmt(f),
            Self::NoAdapter { details } => write!(f, "no adapter: {details}; install a driver or compute on the CPU"),
            Self::NoDevice { details } => write!(
                f,
                "the adapter gave no device: {details}; update its driver or compute on the CPU"
            ),
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
            Self::Launch(error) => error.source(),
            _ => None,
        }
    }
}

impl From<OpError> for OffloadError {
    fn from(error: OpError) -> Self {
        Self::Launch(error.into())
    }
}

impl From<LaunchError> for OffloadError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::DeviceLost { details } => Self::DeviceLost { details },
            error => Self::Launch(error),
        }
    }
}
