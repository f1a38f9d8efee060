use crate::{
    Binarization, Element, Error, HardSigmoid, Kernel, Kernels, Placement, StraightThrough,
    element::Unit,
    grid::{Grid, WORD, Work},
    kernels::{ShaderForm, Variant},
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

/// A tensor of a launch.
#[derive(Clone, Copy)]
struct Operand<'a> {
    /// What errors call it.
    name: &'static str,
    range: BufferRange<'a>,
    unit: Unit,
}

/// What a launch computes, from which parameters.
#[derive(Clone, Copy)]
struct Job {
    kernel: Kernel,
    element: Element,
    form: ShaderForm,
    /// Of no length yet.
    params: Params,
}

impl Job {
    fn new(kernel: Kernel, definition: HardSigmoid, element: Element) -> Self {
        Self {
            kernel,
            element,
            form: definition.into(),
            params: Params::new(definition, 0, 0),
        }
    }

    fn binarize(kernel: Kernel, binarization: Binarization, scale: f32, element: Element) -> Result<Self, Error> {
        element.check_scale(scale)?;
        Ok(Self {
            kernel,
            element,
            form: binarization.into(),
            params: Params::binarize(binarization, scale, 0, 0),
        })
    }

    fn operand<'a>(self, name: &'static str, range: impl Into<BufferRange<'a>>) -> Operand<'a> {
        Operand {
            name,
            range: range.into(),
            unit: Unit::Element(self.element),
        }
    }

    fn bits<'a>(self, range: impl Into<BufferRange<'a>>) -> Operand<'a> {
        Operand {
            name: "bits",
            range: range.into(),
            unit: Unit::Bits,
        }
    }

    fn work(self) -> Work {
        match self.kernel {
            Kernel::BinarizePacked => Work::Signs(self.element),
            Kernel::Unpack => Work::FromSigns(self.element),
            _ => Work::Words(self.element),
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
        self.prepare(job, &[job.operand("x", x)], &[job.operand("y", y)])
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
        self.prepare(
            job,
            &[job.operand("x", x), job.operand("g", g)],
            &[job.operand("dx", dx)],
        )
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
        let mut job = Job::new(Kernel::Backward, definition, element);
        job.params = job.params.with_saved_output();
        self.prepare(
            job,
            &[job.operand("y", y), job.operand("g", g)],
            &[job.operand("dx", dx)],
        )
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
        self.prepare(
            job,
            &[job.operand("x", x), job.operand("g", g)],
            &[job.operand("dx", dx)],
        )
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
        self.prepare(job, &[job.operand("b", b), job.operand("a", a)], &[job.operand("y", y)])
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
        let inputs = [job.operand("b", b), job.operand("a", a), job.operand("g", g)];
        self.prepare(job, &inputs, &[job.operand("da", da), job.operand("db", db)])
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
        self.prepare(job, &[job.operand("x", x)], &[job.operand("y", y)])
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
        self.prepare(
            job,
            &[job.operand("x", x), job.operand("g", g)],
            &[job.operand("dx", dx)],
        )
    }

    /// Prepares `y = scale` or `-scale`, by the sign of `x` or as it is drawn; placed as in [`Kernels::forward`].
    ///
    /// The result depends on nothing but the binarization and each element's number and value.
    ///
    /// # Errors
    /// As [`Kernels::forward`]; also [`Error::NotFinite`] if `scale` isn't finite in the element type.
    pub fn binarize<'a>(
        &self,
        binarization: Binarization,
        scale: f32,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::binarize(Kernel::Binarize, binarization, scale, element)?;
        self.prepare(job, &[job.operand("x", x)], &[job.operand("y", y)])
    }

    /// Prepares the signs of `x` as bits: bit `i % 32` of the u32 at `i / 32`, counted from the lowest, is 1 for plus, and
    /// the bits behind the last element are 0. `bits` is as long as that takes: 4 bytes for each 32 elements begun.
    ///
    /// # Errors
    /// As [`Kernels::forward`]; [`Error::PackedLength`] if `bits` is longer or shorter.
    pub fn binarize_packed<'a>(
        &self,
        binarization: Binarization,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        bits: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::binarize(Kernel::BinarizePacked, binarization, 1.0, element)?;
        self.prepare(job, &[job.operand("x", x)], &[job.bits(bits)])
    }

    /// Prepares `y = scale` where its bit is 1, else `-scale`: the reverse of [`Kernels::binarize_packed`].
    ///
    /// # Errors
    /// As [`Kernels::binarize_packed`]; also [`Error::NotFinite`] if `scale` isn't finite in the element type.
    pub fn unpack<'a>(
        &self,
        scale: f32,
        element: Element,
        bits: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job::binarize(Kernel::Unpack, Binarization::Deterministic, scale, element)?;
        self.prepare(job, &[job.bits(bits)], &[job.operand("y", y)])
    }

    /// Prepares the gradient of a binarization, from its input `x` and the upstream gradient `g`; placed as in
    /// [`Kernels::backward`].
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn binarize_backward<'a>(
        &self,
        estimator: StraightThrough,
        element: Element,
        x: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        dx: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, Error> {
        let job = Job {
            kernel: Kernel::Backward,
            element,
            form: ShaderForm::PLAIN,
            params: Params::straight_through(estimator, 0, 0),
        };
        self.prepare(
            job,
            &[job.operand("x", x), job.operand("g", g)],
            &[job.operand("dx", dx)],
        )
    }

    /// Checks each range by itself and their lengths against each other; returns the length in elements.
    fn check_ranges<'a, 'b: 'a>(
        &self,
        element: Element,
        operands: impl Iterator<Item = &'a Operand<'b>> + Clone,
    ) -> Result<u64, Error> {
        let alignment = self.allowed().alignment;
        for &Operand { name, range, unit } in operands.clone() {
            let BufferRange { buffer, offset, size } = range;
            let (operand, buffer_size) = (name, buffer.size());
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
            let (end, limit) = (offset + size, self.max_buffer_size());
            if end > limit {
                return Err(Error::BufferTooLarge { operand, end, limit });
            }
            if unit != Unit::Bits && size % element.size() != 0 {
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
        let of_elements = |operand: &&Operand<'_>| operand.unit != Unit::Bits;
        let len = |operand: &Operand<'_>| operand.range.size / element.size();
        let Some(first) = operands.clone().find(of_elements) else {
            return Ok(0);
        };
        for operand in operands {
            if operand.unit == Unit::Bits {
                if operand.range.size != Unit::Bits.size(len(first)) {
                    return Err(Error::PackedLength {
                        operand: first.name,
                        len: len(first),
                        bits_size: operand.range.size,
                    });
                }
            } else if operand.range.size != first.range.size {
                return Err(Error::LengthMismatch {
                    a: first.name,
                    a_len: len(first),
                    b: operand.name,
                    b_len: len(operand),
                });
            }
        }
        Ok(len(first))
    }

    /// Inputs and outputs in the order of the bindings. In place, the first output replaces the last input.
    fn prepare(&self, job: Job, inputs: &[Operand<'_>], outputs: &[Operand<'_>]) -> Result<Launch, Error> {
        let len = self.check_ranges(job.element, inputs.iter().chain(outputs))?;
        let placement = placement(job.kernel, inputs, outputs)?;
        let variant = Variant {
            kernel: job.kernel,
            placement,
            element: job.element,
            form: job.form,
        };
        self.check_buffers(variant)?;
        let kept = outputs.iter().skip(usize::from(placement == Placement::InPlace));
        let bound = inputs.iter().chain(kept);

        let segments = self.allowed().parts(len, job.work()).map(|part| {
            let params = job.params.of_part(part.start, part.len, part.grid.row);
            let params = self.upload(job.kernel, &params)?;
            let entry = |(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(buffer),
            };
            let storage = bound.clone().map(|Operand { range, unit, .. }| wgpu::BufferBinding {
                buffer: range.buffer,
                offset: range.offset + unit.size(part.start),
                size: wgpu::BufferSize::new(unit.size(part.len.into()).next_multiple_of(WORD)),
            });
            let all = storage.chain([params.as_entire_buffer_binding()]);
            let entries: Vec<_> = (0..).zip(all).map(entry).collect();
            let bind_group = self.device().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(job.kernel.label()),
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
            label: Some(kernel.label()),
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
        if a.range.overlaps(&b.range) {
            return Err(Error::Overlap { a: a.name, b: b.name });
        }
        Ok(())
    };
    let [.., last] = inputs else {
        return Ok(Placement::Apart);
    };
    let in_place = kernel.placements().contains(&Placement::InPlace) && outputs[0].range.is(&last.range);
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
    let shares = |input: &Operand<'_>| outputs.iter().any(|output| input.range.same_buffer(&output.range));
    if !inputs.iter().any(shares) {
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
