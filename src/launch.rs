use crate::{Element, Error, HardSigmoid, Kernel, Kernels, grid::Grid, params::Params};

/// Bytes of a word, the unit of bindings and of the shader: one `f32`, or two halves.
const WORD: u64 = 4;

/// A range of the caller's buffer, in bytes: one tensor of consecutive elements.
///
/// Made from `&wgpu::Buffer` (the whole of it), from a `wgpu::BufferSlice`, or field by field. The range is exactly
/// the tensor; nothing outside it is written (where an odd number of halves ends within a word, the buffer has to hold
/// the whole word, whose other half stays as it was). It has to start at a multiple of the device's
/// `min_storage_buffer_offset_alignment`, and its buffer needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BufferRange<'a> {
    /// The buffer.
    pub buffer: &'a wgpu::Buffer,
    /// Where the range starts, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
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

    /// The size in whole words, in bytes.
    fn bound_size(&self) -> u64 {
        self.size.next_multiple_of(WORD)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.same_buffer(other)
            && self.offset < other.offset + other.bound_size()
            && other.offset < self.offset + self.bound_size()
    }
}

/// A checked launch, ready to be recorded any number of times.
///
/// It keeps its buffers alive and holds everything that recording needs; [`encode`](Launch::encode) allocates nothing
/// and can't fail.
#[derive(Clone, Debug)]
pub struct Launch {
    kernel: Kernel,
    /// One, or several for a tensor that exceeds a binding or a grid, or none for an empty tensor.
    segments: Vec<Segment>,
}

/// A part of the tensor that one dispatch can cover.
#[derive(Clone, Debug)]
struct Segment {
    bind_group: wgpu::BindGroup,
    body: Option<(wgpu::ComputePipeline, Grid)>,
    tail: Option<wgpu::ComputePipeline>,
}

impl Launch {
    /// Records the launch into the caller's pass. Sets pipeline and bind group 0; nothing else of the pass changes.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        for segment in &self.segments {
            pass.set_bind_group(0, &segment.bind_group, &[]);
            if let Some((pipeline, grid)) = &segment.body {
                pass.set_pipeline(pipeline);
                pass.dispatch_workgroups(grid.x, grid.y, 1);
            }
            if let Some(pipeline) = &segment.tail {
                pass.set_pipeline(pipeline);
                pass.dispatch_workgroups(1, 1, 1);
            }
        }
    }

    /// The kernel that the ranges called for.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}

impl Kernels {
    /// Prepares `y = hard_sigmoid(x)`.
    ///
    /// `x` and `y` may lie in two buffers, be one and the same range (in place), or be disjoint ranges of one buffer;
    /// the kernel follows from that. Any length, 0 included: a tensor larger than the device's
    /// `max_storage_buffer_binding_size` takes several dispatches, all of them in the one launch.
    ///
    /// The buffers must belong to this device and not be destroyed or mapped when the work is submitted: wgpu doesn't
    /// let that be checked here.
    ///
    /// # Errors
    /// If the ranges are unequally long, out of range, misaligned, overlapping or without `STORAGE` usage,
    /// or [`Error::DeviceLost`] if the launch's parameters can't be stored. Where the device itself
    /// reports a failure (out of memory; in a browser also a loss) it goes to the caller's own error scope or handler.
    pub fn forward<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let (x, y) = (x.into(), y.into());
        let len = self.check_ranges(element, &[("x", x), ("y", y)])?;
        let (kernel, ranges): (_, &[_]) = if x.is(&y) {
            (Kernel::ForwardInPlace, &[y])
        } else if x.overlaps(&y) {
            return Err(Error::Overlap { a: "x", b: "y" });
        } else if x.same_buffer(&y) {
            (Kernel::ForwardPooled, &[x, y])
        } else {
            (Kernel::Forward, &[x, y])
        };
        self.prepare(kernel, definition, element, len, ranges)
    }

    /// Prepares the backward pass: `dx` from the saved input `x` and the upstream gradient `g`.
    ///
    /// `dx` may have a buffer of its own, be the same range as `g` (in place), or share a buffer with disjoint `x`
    /// and `g`; the kernel follows from that. Any length, 0 included. For what can't be checked here, see
    /// [`Kernels::forward`].
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn backward<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        dx: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let (x, g, dx) = (x.into(), g.into(), dx.into());
        let len = self.check_ranges(element, &[("x", x), ("g", g), ("dx", dx)])?;
        if x.overlaps(&dx) {
            return Err(Error::Overlap { a: "x", b: "dx" });
        }
        let (kernel, ranges): (_, &[_]) = if dx.is(&g) {
            (Kernel::BackwardInPlace, &[x, g])
        } else if g.overlaps(&dx) {
            return Err(Error::Overlap { a: "g", b: "dx" });
        } else if x.same_buffer(&dx) || g.same_buffer(&dx) {
            // Bound read-write, so not even two inputs may overlap.
            if x.overlaps(&g) {
                return Err(Error::Overlap { a: "x", b: "g" });
            }
            (Kernel::BackwardPooled, &[x, g, dx])
        } else {
            (Kernel::Backward, &[x, g, dx])
        };
        self.prepare(kernel, definition, element, len, ranges)
    }

    /// Checks each range by itself and their lengths against the first; returns the common length in elements.
    fn check_ranges(&self, element: Element, operands: &[(&'static str, BufferRange<'_>)]) -> Result<u64, Error> {
        let alignment = self.allowed().alignment;
        for &(operand, BufferRange { buffer, offset, size }) in operands {
            let buffer_size = buffer.size();
            let bound = size.checked_next_multiple_of(WORD);
            if bound
                .and_then(|bound| offset.checked_add(bound))
                .is_none_or(|end| end > buffer_size)
            {
                return Err(Error::OutOfRange {
                    operand,
                    offset,
                    size,
                    buffer_size,
                });
            }
            if size % element.size() != 0 {
                return Err(Error::PartialElement { operand, size, element });
            }
            if offset % u64::from(alignment) != 0 {
                return Err(Error::Misaligned {
                    operand,
                    offset,
                    alignment,
                });
            }
            if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
                return Err(Error::MissingUsage { operand });
            }
        }
        let (a, first) = operands[0];
        for &(b, range) in &operands[1..] {
            if range.size != first.size {
                return Err(Error::LengthMismatch {
                    a,
                    a_len: first.size / element.size(),
                    b,
                    b_len: range.size / element.size(),
                });
            }
        }
        Ok(first.size / element.size())
    }

    fn prepare(
        &self,
        kernel: Kernel,
        definition: HardSigmoid,
        element: Element,
        len: u64,
        ranges: &[BufferRange<'_>],
    ) -> Result<Launch, Error> {
        let allowed = self.allowed();
        let words = (len * element.size()).div_ceil(WORD);
        let per_word = WORD / element.size();
        let segments = allowed.segments(words).map(|(start, words)| {
            // Elements of this segment; only the last one may end within a word.
            let count = (len - start * per_word).min(u64::from(words) * per_word);
            let whole = (count / per_word) as u32;
            let grid = Grid::new(whole, allowed.workgroups);
            let params = self.upload(kernel, &Params::new(definition, element, count as u32, grid.row))?;
            let storage = ranges.iter().map(|range| wgpu::BufferBinding {
                buffer: range.buffer,
                offset: range.offset + start * WORD,
                size: wgpu::BufferSize::new(u64::from(words) * WORD),
            });
            let entries: Vec<_> = storage
                .chain([params.as_entire_buffer_binding()])
                .zip(0..)
                .map(|(buffer, binding)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let bind_group = self.device().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&format!("hard_sigmoid::{}::bind_group", kernel.name())),
                layout: self.bindings(kernel),
                entries: &entries,
            });
            Ok(Segment {
                bind_group,
                body: (grid.x > 0).then(|| (self.body(kernel).clone(), grid)),
                tail: (words != whole || !whole.is_multiple_of(4)).then(|| self.tail(kernel).clone()),
            })
        });
        Ok(Launch {
            kernel,
            segments: segments.collect::<Result<_, _>>()?,
        })
    }

    /// A uniform buffer of this launch alone: written at its creation, so no queue is needed and two launches in one
    /// submission can't see each other's values.
    fn upload(&self, kernel: Kernel, params: &Params) -> Result<wgpu::Buffer, Error> {
        let bytes = bytemuck::bytes_of(params);
        let buffer = self.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(&format!("hard_sigmoid::{}::params", kernel.name())),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        match buffer.get_mapped_range_mut(..) {
            Ok(mut mapped) => mapped.copy_from_slice(bytes),
            Err(error) => {
                return Err(Error::DeviceLost {
                    details: format!("its parameter buffer can't be written ({error}), or it is out of memory"),
                });
            }
        }
        buffer.unmap();
        Ok(buffer)
    }
}
