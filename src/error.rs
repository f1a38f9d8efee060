use std::fmt;

/// Everything that can go wrong, in one type.
///
/// A call that returns an error has written nothing.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A parameter is infinite or NaN.
    NotFinite {
        /// `"alpha"` or `"beta"` of [`HardSigmoid::affine`](crate::HardSigmoid::affine), or the `"scale"` of a binarization,
        /// rounded to the element type.
        parameter: &'static str,
        /// What was given.
        value: f32,
    },
    /// A text names no definition (from [`str::parse`]).
    UnknownDefinition {
        /// What was given.
        given: String,
    },
    /// Two slices or buffer ranges that must hold the same number of elements don't.
    LengthMismatch {
        /// Name of the first operand.
        a: &'static str,
        /// Its length in elements.
        a_len: u64,
        /// Name of the second operand.
        b: &'static str,
        /// Its length in elements.
        b_len: u64,
    },
    /// Packed signs don't hold one 4-byte word for each 32 elements begun.
    PackedLength {
        /// Name of the operand whose signs they are.
        operand: &'static str,
        /// Its length in elements.
        len: u64,
        /// Size of the packed signs in bytes.
        bits_size: u64,
    },
    /// A range, in whole 4-byte words, reaches beyond the end of its buffer.
    OutOfRange {
        /// Name of the operand.
        operand: &'static str,
        /// Where the range starts, in bytes.
        offset: u64,
        /// How long it is, in bytes.
        size: u64,
        /// Size of the buffer in bytes.
        buffer_size: u64,
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
    /// The size of a range is not a multiple of the element's size.
    PartialElement {
        /// Name of the operand.
        operand: &'static str,
        /// Size of the range in bytes.
        size: u64,
        /// The element type.
        element: crate::Element,
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
        /// Name of the first operand.
        a: &'static str,
        /// Name of the second operand.
        b: &'static str,
    },
    /// The device was created with limits below what every kernel needs.
    UnsupportedDevice {
        /// Name of the limit, as in `wgpu::Limits`.
        limit: &'static str,
        /// What the kernels need.
        needed: u64,
        /// The device's value of it.
        has: u64,
    },
    /// No adapter answers to what was asked for.
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite { parameter, value } => {
                write!(f, "{parameter} is {value}; it must be a finite number")
            }
            Self::UnknownDefinition { given } => {
                write!(f, "no hard sigmoid is called {given:?}; use one of")?;
                for preset in &crate::HardSigmoid::PRESETS {
                    write!(f, " {},", preset.name)?;
                }
                write!(f, " or affine(ALPHA, BETA, strict|inclusive)")
            }
            Self::LengthMismatch { a, a_len, b, b_len } => write!(
                f,
                "{a} holds {a_len} elements but {b} holds {b_len}; they must be equally long"
            ),
            Self::PackedLength {
                operand,
                len,
                bits_size,
            } => write!(
                f,
                "{operand} holds {len} elements, whose signs take {} bytes (4 for each 32 elements begun), but bits has \
                 {bits_size}",
                crate::element::Unit::Bits.size(*len),
            ),
            Self::OutOfRange {
                operand,
                offset,
                size,
                buffer_size,
            } => write!(
                f,
                "{operand} takes {} bytes (whole 4-byte words) from offset {offset}, but its buffer has {buffer_size}",
                size.checked_next_multiple_of(4).unwrap_or(*size),
            ),
            Self::BufferTooLarge { operand, end, limit } => write!(
                f,
                "{operand} ends at byte {end} of its buffer, but this device's buffers end at {limit} (max_buffer_size); \
                 ask for more in DeviceDescriptor::required_limits, or use several buffers"
            ),
            Self::PartialElement { operand, size, element } => write!(
                f,
                "{operand} is {size} bytes, which is not a whole number of {element} elements of {} bytes",
                element.size()
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
            Self::Overlap { a, b } => write!(
                f,
                "{a} and {b} overlap; ranges of one buffer must be disjoint, or identical for an in-place \
                 result (y over x or a, dx or da over g)"
            ),
            Self::UnsupportedDevice { limit, needed, has } => write!(
                f,
                "the kernels need {limit} of at least {needed}, this device was created with {has}; request more \
                 in DeviceDescriptor::required_limits (wgpu::Limits::default() is enough)"
            ),
            Self::NoAdapter { details } => write!(f, "no adapter: {details}"),
            Self::NoDevice { details } => write!(f, "the adapter gave no device: {details}"),
            Self::OutOfMemory { details } => write!(f, "the device is out of memory: {details}"),
            Self::DeviceLost { details } => {
                write!(f, "the device was lost: {details}; make a new one")
            }
            Self::Gpu { details } => write!(f, "the GPU call failed: {details}"),
        }
    }
}

impl std::error::Error for Error {}
