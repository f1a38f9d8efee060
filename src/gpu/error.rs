use crate::{
    math::{error::OpError, op::Op},
    plan::{PlanError, UnsupportedDevice},
};
use std::fmt;

/// The kernels can't be made, or a launch can't be prepared. Nothing was recorded.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchError {
    /// The operation doesn't fit its tensors, or the device was made with a limit below what the kernel needs.
    Plan(PlanError),
    /// A range, in whole 4-byte words, reaches beyond the end of its buffer.
    OutOfRange {
        /// Name of the operand.
        operand: &'static str,
        /// Where the range starts, in bytes.
        offset: u64,
        /// How long the range is, in bytes.
        size: u64,
        /// Size of the buffer in bytes.
        buffer_size: u64,
        /// The device's `max_buffer_size`.
        max_buffer_size: u64,
    },
    /// A range is larger than any buffer of the device, so wgpu has already refused to make its buffer.
    BufferTooLarge {
        /// Name of the operand.
        operand: &'static str,
        /// Where the range ends, in bytes.
        end: u64,
        /// The device's `max_buffer_size`.
        limit: u64,
    },
    /// A range starts where the device can't bind a storage buffer.
    Misaligned {
        /// Name of the operand.
        operand: &'static str,
        /// Where the range starts, in bytes.
        offset: u64,
        /// The device's `min_storage_buffer_offset_alignment`.
        alignment: u32,
    },
    /// A buffer was made without `BufferUsages::STORAGE`.
    MissingUsage {
        /// Name of the operand.
        operand: &'static str,
    },
    /// Two ranges of one buffer overlap in a way that no kernel supports.
    Overlap {
        /// The operation.
        op: Op,
        /// Name of the first operand or result.
        a: &'static str,
        /// The range of the first one in the buffer, in bytes.
        a_range: [u64; 2],
        /// Name of the second operand or result.
        b: &'static str,
        /// The range of the second one in the same buffer, in bytes.
        b_range: [u64; 2],
    },
    /// A different number of tensors was given than the operation has.
    TensorCount {
        /// Name of the operation.
        op: &'static str,
        /// The number of the operation's operands and results.
        needed: usize,
        /// How many tensors were given.
        given: usize,
    },
    /// The launch belongs to a step that [`Batch::clear`](crate::gpu::Batch::clear) has ended.
    Stale,
    /// The launch belongs to another batch.
    OtherBatch,
    /// The device was lost, or its memory is exhausted: the parameters couldn't be stored.
    DeviceLost {
        /// What failed.
        details: String,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::OutOfRange {
                operand,
                offset,
                size,
                buffer_size,
                max_buffer_size,
            } => {
                let words = size.checked_next_multiple_of(4).unwrap_or(*size);
                write!(
                    f,
                    "{operand} takes {words} bytes (whole 4-byte words) from offset {offset}, but its buffer has {buffer_size}; "
                )?;
                match offset.checked_add(words) {
                    Some(end) if end <= *max_buffer_size => {
                        write!(f, "make the buffer at least {end} bytes, or the range shorter")
                    }
                    _ => write!(
                        f,
                        "end the range there (this device's buffers hold at most {max_buffer_size} bytes)"
                    ),
                }
            }
            Self::BufferTooLarge { operand, end, limit } => write!(
                f,
                "{operand} ends at byte {end} of its buffer, but this device's buffers hold at most {limit} bytes (max_buffer_size); \
                 ask for more in DeviceDescriptor::required_limits, or use several buffers"
            ),
            Self::Misaligned {
                operand,
                offset,
                alignment,
            } => write!(
                f,
                "{operand} starts at byte {offset}, but this device binds storage buffers at multiples of \
                 {alignment} (min_storage_buffer_offset_alignment); move the data there or copy it to a buffer of its own"
            ),
            Self::MissingUsage { operand } => write!(
                f,
                "the buffer of {operand} lacks BufferUsages::STORAGE; create it with that usage"
            ),
            Self::Overlap {
                op,
                a,
                a_range: [a_start, a_end],
                b,
                b_range: [b_start, b_end],
            } => {
                write!(
                    f,
                    "{a} (bytes {a_start} to {a_end}) and {b} (bytes {b_start} to {b_end}) of {} overlap; give them ranges that \
                     don't",
                    op.name()
                )?;
                let is_operand = op.inputs().contains(b);
                match op.replaces() {
                    // Operands may overlap if no result shares their buffer.
                    _ if is_operand => write!(f, ", or put the result into another buffer"),
                    Some(input) => {
                        let (result, replaced) = (op.outputs()[0], op.inputs()[input]);
                        write!(f, " (in place, {result} takes exactly the range of {replaced})")
                    }
                    None => Ok(()),
                }
            }
            Self::TensorCount { op, needed, given } => write!(
                f,
                "{op} takes {needed} tensors (operands, then results), but {given} were given"
            ),
            Self::Stale => write!(
                f,
                "the launch belongs to a step that Batch::clear has ended; add it again in this step"
            ),
            Self::OtherBatch => write!(
                f,
                "the launch belongs to another batch; record it with the batch that it was added to"
            ),
            Self::DeviceLost { details } => {
                write!(f, "the device is lost or out of memory ({details}); make a new device")
            }
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Plan(error) => error.source(),
            _ => None,
        }
    }
}

/// wgpu's text in one line: what it names as causes, without its heading.
pub(crate) fn in_one_line(error: impl fmt::Display) -> String {
    let text = error.to_string();
    let causes = text.split_once("Caused by:").map_or(&*text, |(_, causes)| causes);
    let lines: Vec<_> = causes.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(": ")
}

impl From<PlanError> for LaunchError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<OpError> for LaunchError {
    fn from(error: OpError) -> Self {
        Self::Plan(error.into())
    }
}

impl From<UnsupportedDevice> for LaunchError {
    fn from(error: UnsupportedDevice) -> Self {
        Self::Plan(error.into())
    }
}
