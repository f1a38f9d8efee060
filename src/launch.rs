use crate::{
    Element, Error, HardSigmoid, Kernel, Kernels, Placement,
    grid::{Grid, WORD},
    kernels::Variant,
    params::Params,
};

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
    placement: Placement,
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

    /// What it computes.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// How its tensors lie.
    pub fn placement(&self) -> Placement {
        self.placement
    }
}

/// A tensor of a launch, and what errors call it.
type Operand<'a> = (&'static str, BufferRange<'a>);

/// What a launch computes, from which parameters.
#[derive(Clone, Copy)]
struct Job {
    kernel: Kernel,
    definition: HardSigmoid,
    element: Element,
    /// Of no length yet.
    params: Params,
}

impl Job {
    fn new(kernel: Kernel, definition: HardSigmoid, element: Element) -> Self {
        Self {
            kernel,
            definition,
            element,
            params: Params::new(definition, 0, 0),
        }
    }

    fn with_saved_output(self) -> Self {
        Self {
            params: self.params.with_saved_output(),
            ..self
        }
    }
}

impl Kernels {
    /// Prepares `y = hard_sigmoid(x)`.
    ///
    /// `x` and `y` may lie in two buffers, be one and the same range (in place), or be disjoint ranges of one buffer;
    /// the [`Placement`] follows from that. Any length, 0 included: a tensor larger than the device's
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
        let job = Job::new(Kernel::Forward, definition, element);
        self.prepare(job, &[("x", x.into())], &[("y", y.into())])
    }

    /// Prepares the backward pass: `dx` from the saved input `x` and the upstream gradient `g`.
    ///
    /// `dx` may have a buffer of its own, be the same range as `g` (in place), or share a buffer with disjoint `x`
    /// and `g`. Any length, 0 included. For what can't be checked here, see [`Kernels::forward`].
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
        let job = Job::new(Kernel::Backward, definition, element);
        self.prepare(job, &[("x", x.into()), ("g", g.into())], &[("dx", dx.into())])
    }

    /// Prepares the backward pass from the saved output `y`, for a forward pass in place; the few inputs where that
    /// differs from [`Kernels::backward`] are those of [`HardSigmoid::backward_from_output`].
    ///
    /// # Errors
    /// As [`Kernels::backward`].
    pub fn backward_from_output<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        y: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        dx: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::new(Kernel::Backward, definition, element).with_saved_output();
        self.prepare(job, &[("y", y.into()), ("g", g.into())], &[("dx", dx.into())])
    }

    /// Prepares `dx += ` the gradient of [`Kernels::backward`], for engines that sum gradients: one kernel, one rounding
    /// of the sum. `dx` can't be the range of `g`.
    ///
    /// # Errors
    /// As [`Kernels::backward`].
    pub fn backward_accumulate<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        dx: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::new(Kernel::BackwardAccumulate, definition, element);
        self.prepare(job, &[("x", x.into()), ("g", g.into())], &[("dx", dx.into())])
    }

    /// Prepares `y = a · hard_sigmoid(b)`; `y` may be the range of `a` (in place). The gate of a tensor by itself is
    /// [`Kernels::hard_swish`], which this becomes where `a` and `b` are one range.
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn gate<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        a: impl Into<BufferRange<'a>>,
        b: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let (a, b, y) = (a.into(), b.into(), y.into());
        if a.is(&b) {
            return self.hard_swish(definition, element, a, y);
        }
        let job = Job::new(Kernel::Gate, definition, element);
        self.prepare(job, &[("b", b), ("a", a)], &[("y", y)])
    }

    /// Prepares both gradients of [`Kernels::gate`] in one launch: `da = g · hard_sigmoid(b)` and
    /// `db = backward(b, g · a)`. `da` may be the range of `g` (in place).
    ///
    /// # Errors
    /// As [`Kernels::forward`]; also [`Error::UnsupportedDevice`] if the device was created with a
    /// `max_storage_buffers_per_shader_stage` below 5, or 4 in place (`wgpu::Limits::default()` has 8).
    #[expect(clippy::too_many_arguments, reason = "five tensors are what it is about")]
    pub fn gate_backward<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        a: impl Into<BufferRange<'a>>,
        b: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        da: impl Into<BufferRange<'a>>,
        db: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::new(Kernel::GateBackward, definition, element);
        let inputs = [("b", b.into()), ("a", a.into()), ("g", g.into())];
        self.prepare(job, &inputs, &[("da", da.into()), ("db", db.into())])
    }

    /// Prepares `y = x · hard_sigmoid(x)`; placed as in [`Kernels::forward`].
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn hard_swish<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::new(Kernel::HardSwish, definition, element);
        self.prepare(job, &[("x", x.into())], &[("y", y.into())])
    }

    /// Prepares the gradient of [`Kernels::hard_swish`] from the saved input; placed as in [`Kernels::backward`].
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn hard_swish_backward<'a>(
        &self,
        definition: HardSigmoid,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        dx: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::new(Kernel::HardSwishBackward, definition, element);
        self.prepare(job, &[("x", x.into()), ("g", g.into())], &[("dx", dx.into())])
    }

    /// Checks each range by itself and their lengths against the first; returns the common length in elements.
    fn check_ranges(&self, element: Element, operands: &[Operand<'_>]) -> Result<u64, Error> {
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

    /// Inputs and outputs in the order of the bindings. In place, the first output replaces the last input.
    fn prepare(&self, job: Job, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> Result<Launch, Error> {
        let len = self.check_ranges(job.element, &[inputs, outputs].concat())?;
        let placement = placement(job.kernel, inputs, outputs)?;
        let variant = Variant::new(job.kernel, placement, job.element, job.definition);
        self.check_buffers(variant)?;
        let kept = outputs.iter().skip(usize::from(placement == Placement::InPlace));
        let ranges: Vec<_> = inputs.iter().chain(kept).map(|(_, range)| range).collect();

        let segments = self.allowed().segments(len, job.element).map(|part| {
            let params = self.upload(job.kernel, &job.params.sized(part.len, part.grid.row))?;
            let storage = ranges.iter().map(|range| wgpu::BufferBinding {
                buffer: range.buffer,
                offset: range.offset + part.offset,
                size: wgpu::BufferSize::new(part.size),
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
                label: Some(&format!("hard_sigmoid::{}::bind_group", job.kernel.name())),
                layout: self.bindings(variant),
                entries: &entries,
            });
            Ok(Segment {
                bind_group,
                body: (part.grid.x > 0).then(|| (self.body(variant).clone(), part.grid)),
                tail: part.has_tail.then(|| self.tail(variant).clone()),
            })
        });
        Ok(Launch {
            kernel: job.kernel,
            placement,
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

/// How the operands lie, or which of them overlap in a way that no entry point supports.
fn placement(kernel: Kernel, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> Result<Placement, Error> {
    let disjoint = |a: &Operand<'_>, b: &Operand<'_>| {
        if a.1.overlaps(&b.1) {
            return Err(Error::Overlap { a: a.0, b: b.0 });
        }
        Ok(())
    };
    let [.., last] = inputs else {
        return Ok(Placement::Apart);
    };
    // What is added to can't be the gradient that is added.
    let in_place = kernel != Kernel::BackwardAccumulate && outputs[0].1.is(&last.1);
    for (i, input) in inputs.iter().enumerate() {
        for (o, output) in outputs.iter().enumerate() {
            if !(in_place && i == inputs.len() - 1 && o == 0) {
                disjoint(input, output)?;
            }
        }
    }
    if let [first, second] = outputs {
        disjoint(first, second)?;
    }
    let shared = |input: &Operand<'_>| outputs.iter().any(|output| input.1.same_buffer(&output.1));
    if !inputs.iter().any(shared) {
        return Ok(Placement::Apart);
    }
    // All are bound read-write, so not even two inputs may overlap.
    for (i, first) in inputs.iter().enumerate() {
        for second in &inputs[i + 1..] {
            disjoint(first, second)?;
        }
    }
    Ok(if in_place {
        Placement::InPlace
    } else {
        Placement::Pooled
    })
}
