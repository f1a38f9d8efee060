//! The caller's tensors: their requirements and their placement.

use crate::{
    gpu::error::LaunchError,
    math::{dtype::DType, error::OpError, lengths::MAX_TENSORS, op::Op},
    plan::{Limits, Placement, WORD},
};

/// A range of the caller's buffer, in bytes: one tensor of consecutive elements.
///
/// It is made from `&wgpu::Buffer` (the whole buffer), from a `wgpu::BufferSlice`, or field by field. The range is
/// exactly the tensor, and nothing outside it is written. If halves or bytes end within a word, the buffer must hold
/// the whole word, whose rest keeps its value. The range must start at a multiple of the device's
/// `min_storage_buffer_offset_alignment`, and its buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BufferRange<'a> {
    /// The buffer.
    pub buffer: &'a wgpu::Buffer,
    /// Where the range starts, in bytes.
    pub offset: u64,
    /// How long the range is, in bytes.
    pub size: u64,
}

impl<'a> From<&'a wgpu::Buffer> for BufferRange<'a> {
    fn from(buffer: &'a wgpu::Buffer) -> Self {
        Self {
            buffer,
            offset: 0,
            size: buffer.size(),
        }
    }
}

impl<'a> From<wgpu::BufferSlice<'a>> for BufferRange<'a> {
    fn from(slice: wgpu::BufferSlice<'a>) -> Self {
        Self {
            buffer: slice.buffer(),
            offset: slice.offset(),
            size: slice.size(),
        }
    }
}

impl BufferRange<'_> {
    fn same_buffer(&self, other: &Self) -> bool {
        self.buffer == other.buffer
    }

    fn is(&self, other: &Self) -> bool {
        self.same_buffer(other) && self.offset == other.offset && self.size == other.size
    }

    /// The size in bytes, rounded up to whole words.
    fn bound_size(&self) -> u64 {
        self.size.next_multiple_of(WORD)
    }

    fn bytes(&self) -> [u64; 2] {
        [self.offset, self.offset + self.size]
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.same_buffer(other)
            && self.offset < other.offset + other.bound_size()
            && other.offset < self.offset + self.bound_size()
    }
}

/// The tensors of a launch, operands and then results, in the order of [`Op::inputs`] and [`Op::outputs`].
#[derive(Clone, Copy)]
pub(crate) struct Tensors<'a, 'b> {
    pub(crate) op: Op,
    pub(crate) dtype: DType,
    pub(crate) ranges: &'a [BufferRange<'b>],
}

/// The length and placement of tensors that were checked.
#[derive(Clone, Copy)]
pub(crate) struct Checked {
    /// The number of elements.
    pub(crate) len: u64,
    pub(crate) placement: Placement,
}

impl Tensors<'_, '_> {
    fn inputs(&self) -> usize {
        self.op.inputs().len()
    }

    fn name(&self, index: usize) -> &'static str {
        self.op.tensor_name(index)
    }

    /// Checks everything that wgpu would panic at, or report without saying which tensor it means.
    pub(crate) fn check(&self, limits: &Limits, max_buffer_size: u64) -> Result<Checked, LaunchError> {
        let (needed, given) = (self.op.tensors(), self.ranges.len());
        if given != needed {
            let op = self.op.name();
            return Err(LaunchError::TensorCount { op, needed, given });
        }
        let mut sizes = [0; MAX_TENSORS];
        for (index, size) in sizes[..given].iter_mut().enumerate() {
            self.check_range(index, limits, max_buffer_size)?;
            *size = self.ranges[index].size;
        }
        let len = self.op.check_sizes(self.dtype, &sizes[..given])?;
        let placement = self.placement()?;
        Ok(Checked { len, placement })
    }

    fn check_range(&self, index: usize, limits: &Limits, max_buffer_size: u64) -> Result<(), LaunchError> {
        let BufferRange { buffer, offset, size } = self.ranges[index];
        let (operand, dtype, buffer_size) = (self.name(index), self.dtype, buffer.size());
        let bound = size.checked_next_multiple_of(WORD);
        let end = bound.and_then(|bound| offset.checked_add(bound));
        if end.is_none_or(|end| end > buffer_size) {
            return Err(LaunchError::OutOfRange {
                operand,
                offset,
                size,
                buffer_size,
                max_buffer_size,
            });
        }
        let (end, limit) = (offset + size, max_buffer_size);
        if end > limit {
            return Err(LaunchError::BufferTooLarge { operand, end, limit });
        }
        if !self.op.holds_bits(index) && size % dtype.size() != 0 {
            let element = dtype.size();
            return Err(OpError::PartialElement { operand, size, element }.into());
        }
        let alignment = limits.min_storage_buffer_offset_alignment;
        if offset % u64::from(alignment) != 0 {
            return Err(LaunchError::Misaligned {
                operand,
                offset,
                alignment,
            });
        }
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            return Err(LaunchError::MissingUsage { operand });
        }
        Ok(())
    }

    /// The placement of the tensors, unless two overlap in a way that no kernel supports.
    fn placement(&self) -> Result<Placement, LaunchError> {
        let (inputs, outputs) = (0..self.inputs(), self.inputs()..self.ranges.len());
        let disjoint = |a: usize, b: usize| {
            if self.ranges[a].overlaps(&self.ranges[b]) {
                return Err(LaunchError::Overlap {
                    op: self.op,
                    a: self.name(a),
                    a_range: self.ranges[a].bytes(),
                    b: self.name(b),
                    b_range: self.ranges[b].bytes(),
                });
            }
            Ok(())
        };
        let first_output = outputs.start;
        let replaced = self
            .op
            .replaces()
            .filter(|&input| self.ranges[first_output].is(&self.ranges[input]));
        let overlaid = |input: usize| {
            let (input, output) = (&self.ranges[input], &self.ranges[first_output]);
            output.is(input) && output.size > 0
        };
        if self.op.replaces().is_none() && inputs.clone().any(overlaid) {
            return Err(OpError::NotInPlace { op: self.op.name() }.into());
        }
        for input in inputs.clone() {
            for output in outputs.clone() {
                if !(output == first_output && replaced == Some(input)) {
                    disjoint(input, output)?;
                }
            }
        }
        for output in first_output + 1..self.ranges.len() {
            disjoint(first_output, output)?;
        }
        let shares = |input: usize| {
            outputs
                .clone()
                .any(|output| self.ranges[input].same_buffer(&self.ranges[output]))
        };
        if !inputs.clone().any(shares) {
            return Ok(Placement::Separate);
        }
        // Every tensor is bound read-write, so not even two operands may overlap.
        for first in inputs.clone() {
            for second in first + 1..inputs.end {
                disjoint(first, second)?;
            }
        }
        Ok(if replaced.is_some() {
            Placement::InPlace
        } else {
            Placement::Shared
        })
    }
}
