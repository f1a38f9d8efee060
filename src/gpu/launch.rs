use crate::{
    gpu::{
        Kernels,
        error::{LaunchError, in_one_line},
        operands::{BufferRange, Tensors},
        pipelines::{Compiled, Layout},
    },
    math::{
        binarize::Binarization,
        broadcast::BroadcastGate,
        definition::HardSigmoid,
        dtype::DType,
        error::OpError,
        finite::Finite,
        lengths::MAX_TENSORS,
        op::{Binary, Op, Unary},
    },
    plan::{Binding, Dispatch, Kernel, MAX_DISPATCHES, Params, Part, Plan},
};

/// A checked launch. It can be recorded any number of times. One that draws signs at random draws the same ones each time: for
/// others, prepare it with another seed or offset.
///
/// It keeps its buffers alive and holds everything that recording needs; [`encode`](Launch::encode) allocates nothing
/// and can't fail. On the host a launch takes about 3.5 kB, which wgpu frees at the first submission after the launch
/// is dropped. A runtime that prepares launches anew at every step should use a [`Batch`](crate::gpu::Batch).
#[must_use = "a launch does nothing until it is encoded"]
#[derive(Clone, Debug)]
pub struct Launch {
    kernel: Kernel,
    /// The first part of the tensors, which is nearly always the only one; none for an empty tensor.
    first: Option<Recorded>,
    /// The other parts, if a tensor exceeds a binding or a grid.
    others: Vec<Recorded>,
}

/// A part of the tensor that one bind group covers.
#[derive(Clone, Debug)]
struct Recorded {
    bind_group: wgpu::BindGroup,
    /// The number of its dynamic offsets, which are all 0.
    dynamic: usize,
    /// The pipeline and the grid of each stage.
    dispatches: [Option<(wgpu::ComputePipeline, [u32; 3])>; MAX_DISPATCHES],
}

impl Launch {
    /// Records the launch into the caller's pass. Sets pipeline and bind group 0; nothing else of the pass changes.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        for part in self.first.iter().chain(&self.others) {
            pass.set_bind_group(0, &part.bind_group, &[0; MAX_TENSORS + 1][..part.dynamic]);
            for (pipeline, [x, y, z]) in part.dispatches.iter().flatten() {
                pass.set_pipeline(pipeline);
                pass.dispatch_workgroups(*x, *y, *z);
            }
        }
    }

    /// The kernel that it runs: operation, element type, and the placement of its tensors.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}

/// Each method prepares one launch. Tensors, placements and errors: see [`Kernels`].
impl Kernels {
    /// Prepares `y = op(x)`; `y` may be the range of `x`.
    ///
    /// # Errors
    /// See [`Kernels`].
    pub fn unary<'a>(
        &self,
        op: Unary,
        dtype: DType,
        x: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        self.prepare(op, dtype, &[x.into(), y.into()])
    }

    /// Prepares `out = op(first, second)`, with the operands in the order of [`Op::inputs`]. `out` may be the range of
    /// the operand that [`Op::replaces`] names: `dx` over `g`, the gated tensor over `a`.
    ///
    /// # Errors
    /// See [`Kernels`].
    pub fn binary<'a>(
        &self,
        op: Binary,
        dtype: DType,
        first: impl Into<BufferRange<'a>>,
        second: impl Into<BufferRange<'a>>,
        out: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        self.prepare(op, dtype, &[first.into(), second.into(), out.into()])
    }

    /// Prepares both gradients of [`Binary::Gate`] in one launch; `da` may be the range of `g`.
    ///
    /// # Errors
    /// See [`Kernels`]. The device must allow five storage buffers in a shader stage, or four in place
    /// (`max_storage_buffers_per_shader_stage`; `wgpu::Limits::default()` has eight, `downlevel_defaults()` four).
    #[expect(clippy::too_many_arguments, reason = "the operation has five tensors")]
    pub fn gate_backward<'a>(
        &self,
        definition: HardSigmoid,
        dtype: DType,
        a: impl Into<BufferRange<'a>>,
        b: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        da: impl Into<BufferRange<'a>>,
        db: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        let ranges = [a.into(), b.into(), g.into(), da.into(), db.into()];
        self.prepare(Op::GateBackward(definition), dtype, &ranges)
    }

    /// Prepares `y = a·forward(b)`, where each number of `b` is the gate of many numbers of `a`; `y` may be the range
    /// of `a`.
    ///
    /// # Errors
    /// See [`Kernels`]; [`OpError::PartialRow`] and [`OpError::BroadcastLength`] if the lengths of `a` and `b` don't
    /// fit the gate, and [`UnsupportedDevice`](crate::plan::UnsupportedDevice) if `a` doesn't fit into one binding and
    /// `inner` numbers of `b` don't either.
    pub fn gate_broadcast<'a>(
        &self,
        gate: BroadcastGate,
        dtype: DType,
        a: impl Into<BufferRange<'a>>,
        b: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        let ranges = [a.into(), b.into(), y.into()];
        self.prepare(Op::GateBroadcast(gate), dtype, &ranges)
    }

    /// Prepares `db`, the gradient of [`Kernels::gate_broadcast`]'s `b`. The sums have the order that [`BroadcastGate`]
    /// promises. The gradient of `a` is `gate_broadcast` of `g` by `b`; record it after the sums if it replaces `g`.
    ///
    /// # Errors
    /// See [`Kernels::gate_broadcast`]; a row of `middle·inner` elements has to fit into one binding, together with
    /// `min_storage_buffer_offset_alignment` bytes more.
    pub fn gate_broadcast_sums<'a>(
        &self,
        gate: BroadcastGate,
        dtype: DType,
        a: impl Into<BufferRange<'a>>,
        b: impl Into<BufferRange<'a>>,
        g: impl Into<BufferRange<'a>>,
        db: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        let ranges = [a.into(), b.into(), g.into(), db.into()];
        self.prepare(Op::GateBroadcastSums(gate), dtype, &ranges)
    }

    /// Prepares the signs of `x` as bits: bit `i % 32` of the u32 at `i / 32`, counted from the lowest, is 1 for plus.
    /// The bits after the last element are 0. `bits` takes 4 bytes for every 32 elements, rounded up.
    ///
    /// # Errors
    /// See [`Kernels`]; [`OpError::PackedLength`] if `bits` is longer or shorter.
    pub fn pack<'a>(
        &self,
        how: Binarization,
        dtype: DType,
        x: impl Into<BufferRange<'a>>,
        bits: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        self.prepare(Op::Pack(how), dtype, &[x.into(), bits.into()])
    }

    /// Prepares `y = scale` where its bit is 1, else `-scale`: the reverse of [`Kernels::pack`].
    ///
    /// # Errors
    /// See [`Kernels::pack`]; also [`OpError::NotFinite`] if `scale` is infinite or NaN, [`OpError::ScaleTooLarge`] if
    /// the element type can't hold it.
    pub fn unpack<'a>(
        &self,
        scale: f32,
        dtype: DType,
        bits: impl Into<BufferRange<'a>>,
        y: impl Into<BufferRange<'a>>,
    ) -> Result<Launch, LaunchError> {
        let scale = Finite::new("scale", scale).map_err(OpError::from)?;
        self.prepare(Op::Unpack(scale), dtype, &[bits.into(), y.into()])
    }

    /// Prepares any operation, for a runtime whose graph holds an [`Op`]. `tensors` are the operands and then the
    /// results, in the order of [`Op::inputs`] and [`Op::outputs`].
    ///
    /// ```
    /// # use hard_sigmoid::{DType, Op, gpu::{BufferRange, Kernels, Launch, LaunchError}};
    /// fn compile(kernels: &Kernels, op: Op, tensors: &[wgpu::Buffer]) -> Result<Launch, LaunchError> {
    ///     let tensors: Vec<_> = tensors.iter().map(BufferRange::from).collect();
    ///     kernels.prepare(op, DType::F32, &tensors)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`LaunchError::TensorCount`] if the operation has a different number of tensors; for the rest see [`Kernels`].
    pub fn prepare(&self, op: impl Into<Op>, dtype: DType, tensors: &[BufferRange<'_>]) -> Result<Launch, LaunchError> {
        let (kernel, plan) = self.plan(op.into(), dtype, tensors)?;
        let compiled = self.pipelines().get(kernel);
        let mut parts = plan.parts();
        let first = parts.next();
        let first = first
            .map(|part| self.record(kernel, &compiled, tensors, &part))
            .transpose()?;
        let mut others = Vec::new();
        for part in parts {
            others.push(self.record(kernel, &compiled, tensors, &part)?);
        }
        Ok(Launch { kernel, first, others })
    }

    fn record(
        &self,
        kernel: Kernel,
        compiled: &Compiled,
        tensors: &[BufferRange<'_>],
        part: &Part,
    ) -> Result<Recorded, LaunchError> {
        let layout = self.pipelines().layout(kernel);
        let params = self.upload(&part.params)?;
        let bound = part.bindings().iter().map(|&Binding { tensor, offset, size }| {
            let range = tensors[tensor];
            (range.buffer, range.offset + offset, size)
        });
        let with_pipeline = |one: Dispatch| {
            let pipeline = self.pipelines().pipeline(compiled, one.stage);
            (pipeline.clone(), one.workgroups)
        };
        Ok(Recorded {
            bind_group: self.bind_group(kernel, layout, bound, &params),
            dynamic: layout.dynamic,
            dispatches: part.dispatches.map(|one| one.map(with_pipeline)),
        })
    }

    /// Checks the tensors, and plans what to dispatch.
    pub(super) fn plan(&self, op: Op, dtype: DType, ranges: &[BufferRange<'_>]) -> Result<(Kernel, Plan), LaunchError> {
        op.check_dtype(dtype)?;
        let tensors = Tensors { op, dtype, ranges };
        let checked = tensors.check(&self.limits(), self.0.max_buffer_size)?;
        let kernel = Kernel::new(op, dtype, checked.placement)?;
        let plan = Plan::new(kernel, checked.len, &self.0.device)?;
        self.check_buffers(kernel)?;
        Ok((kernel, plan))
    }

    /// A bind group of the tensors, each with its offset and size, and after them of the parameters at the start of a buffer.
    pub(super) fn bind_group<'a>(
        &self,
        kernel: Kernel,
        layout: &Layout,
        mut tensors: impl ExactSizeIterator<Item = (&'a wgpu::Buffer, u64, u64)>,
        params: &'a wgpu::Buffer,
    ) -> wgpu::BindGroup {
        let count = tensors.len() + 1;
        let params = (params, 0, size_of::<Params>() as u64);
        // An array of the largest size needs no allocation.
        let entries: [_; MAX_TENSORS + 1] = std::array::from_fn(|binding| {
            let (buffer, offset, size) = tensors.next().unwrap_or(params);
            wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: wgpu::BufferSize::new(size),
                }),
            }
        });
        self.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.op().name()),
            layout: &layout.bindings,
            entries: &entries[..count],
        })
    }

    /// A uniform buffer for only this launch: it is written when it is made, so no queue is needed, and two launches in
    /// one submission can't see each other's values.
    pub(super) fn upload(&self, params: &Params) -> Result<wgpu::Buffer, LaunchError> {
        let bytes = bytemuck::bytes_of(params);
        let buffer = self.device().create_buffer(&wgpu::BufferDescriptor {
            // A label would be copied for each launch; its bind group has one.
            label: None,
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        match buffer.get_mapped_range_mut(..) {
            Ok(mut mapped) => mapped.copy_from_slice(bytes),
            Err(error) => {
                return Err(LaunchError::DeviceLost {
                    details: format!("its parameter buffer can't be written: {}", in_one_line(error)),
                });
            }
        }
        buffer.unmap();
        Ok(buffer)
    }
}
