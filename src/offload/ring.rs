//! Sends chunks through a ring of buffers: while the device computes one, the host fills the next and empties the last.

use crate::{
    gpu::{Kernels, error::in_one_line, operands::BufferRange},
    math::{dtype::DType, op::Op},
    offload::error::OffloadError,
    plan::{Kernel, Placement},
};
use futures_channel::oneshot;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The number of elements of a chunk: 4 MiB of `f32`. It is a multiple of 32, so that no word of packed signs is split.
pub(super) const CHUNK: usize = 1 << 20;

/// The number of chunks that are under way at a time.
const RING: usize = 3;

/// An operation on tensors in host memory.
pub(super) struct Transfer<'a, R, const M: usize> {
    pub(super) op: Op,
    pub(super) dtype: DType,
    /// The number of elements.
    pub(super) len: usize,
    /// The operands in the order of the operation, without one that an output replaces.
    pub(super) inputs: Vec<&'a [u8]>,
    pub(super) outputs: [&'a mut [R]; M],
    pub(super) kind: Output,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Its previous content is ignored.
    Replaced,
    /// It is the operand of this index too.
    Updated(usize),
    /// The operation adds to it.
    Added,
}

impl<R: bytemuck::Pod, const M: usize> Transfer<'_, R, M> {
    /// The outputs from element `done` on.
    pub(super) fn rest(&mut self, done: usize) -> [&mut [R]; M] {
        let first = self.size(self.op.inputs().len(), done) as usize / size_of::<R>();
        self.outputs.each_mut().map(|output| &mut output[first..])
    }

    /// The bytes that `len` elements take in a tensor. Operands come first, then results.
    fn size(&self, tensor: usize, len: usize) -> u64 {
        self.op.size(tensor, self.dtype, len as u64)
    }

    /// The bytes of every operand from element `start` on, `len` elements each, and after them the bytes that the
    /// operation adds to.
    fn uploads(&self, start: usize, len: usize) -> Vec<&[u8]> {
        let output = bytemuck::cast_slice(&*self.outputs[0]);
        let mut all = self.inputs.clone();
        match self.kind {
            Output::Replaced => {}
            Output::Updated(index) => all.insert(index, output),
            Output::Added => all.push(output),
        }
        for (index, bytes) in all.iter_mut().enumerate() {
            *bytes = &bytes[self.size(index, start) as usize..][..self.size(index, len) as usize];
        }
        all
    }
}

/// A device of our own.
#[derive(Debug)]
pub(super) struct Gpu {
    pub(super) kernels: Kernels,
    pub(super) info: wgpu::AdapterInfo,
    queue: wgpu::Queue,
    /// Why the device was lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
    /// Whether the host can map what kernels bind, as it can if host and device share memory.
    is_unified: bool,
    /// Buffers that no call is using.
    idle: Mutex<Vec<Slot>>,
    /// The device is lost before the chunk that starts here is sent.
    #[cfg(test)]
    pub(super) lose_at: std::sync::OnceLock<usize>,
}

impl Gpu {
    pub(super) async fn new(adapter: &wgpu::Adapter) -> Result<Self, OffloadError> {
        use wgpu::DeviceType::{Cpu, IntegratedGpu};
        let info = adapter.get_info();
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let is_unified = matches!(info.device_type, Cpu | IntegratedGpu) && adapter.features().contains(mappable);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hard_sigmoid::offload::device"),
            required_features: if is_unified { mappable } else { wgpu::Features::empty() },
            required_limits: wgpu::Limits {
                // For both gradients of a gate, if the adapter allows it.
                max_storage_buffers_per_shader_stage: adapter.limits().max_storage_buffers_per_shader_stage.clamp(4, 8),
                ..wgpu::Limits::downlevel_defaults()
            },
            ..Default::default()
        };
        let no_device = |error: wgpu::RequestDeviceError| OffloadError::NoDevice {
            details: error.to_string(),
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(no_device)?;
        let lost = Arc::new(Mutex::new(None));
        let report = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            let details = match &*message {
                "" => format!("{reason:?}"),
                _ => format!("{reason:?}: {message}"),
            };
            *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(details);
        });
        let scopes = Scopes::push(&device);
        let kernels = Kernels::new(&device);
        scopes.pop().await?;
        Ok(Self {
            kernels: kernels?,
            info,
            queue,
            lost,
            is_unified,
            idle: Mutex::default(),
            #[cfg(test)]
            lose_at: Default::default(),
        })
    }

    /// Whether the device can bind the operation's tensors.
    pub(super) fn can_run(&self, op: Op) -> bool {
        Kernel::new(op, DType::F32, Placement::Separate).is_ok_and(|kernel| self.kernels.check(kernel).is_ok())
    }

    /// Runs a transfer. Also returns how many elements of the outputs are written: all of them, or those before a
    /// failure.
    pub(super) async fn run<R: bytemuck::Pod, const M: usize>(
        &self,
        transfer: &mut Transfer<'_, R, M>,
    ) -> (usize, Result<(), OffloadError>) {
        let mut idle = std::mem::take(&mut *self.idle());
        let mut under_way: VecDeque<Chunk> = VecDeque::with_capacity(RING);
        let (mut sent, mut done) = (0, 0);
        while done < transfer.len {
            if sent < transfer.len && under_way.len() < RING {
                let len = (transfer.len - sent).min(CHUNK);
                #[cfg(test)]
                if self.lose_at.get() == Some(&sent) {
                    self.kernels.device().destroy();
                }
                match self.send(transfer, sent, len, idle.pop().unwrap_or_default()).await {
                    Ok(chunk) => under_way.push_back(chunk),
                    Err(error) => return (done, Err(error)),
                }
                sent += len;
            } else if let Some(chunk) = under_way.pop_front() {
                let len = chunk.len;
                match self.receive(transfer, chunk).await {
                    Ok(slot) => idle.push(slot),
                    Err(error) => return (done, Err(error)),
                }
                done += len;
            }
        }
        // Another call may have returned its own slots.
        let mut all = self.idle();
        all.extend(idle);
        all.truncate(RING);
        (done, Ok(()))
    }

    /// Uploads a chunk and submits its launch.
    async fn send<R: bytemuck::Pod, const M: usize>(
        &self,
        transfer: &Transfer<'_, R, M>,
        start: usize,
        len: usize,
        mut slot: Slot,
    ) -> Result<Chunk, OffloadError> {
        let &Transfer { op, dtype, kind, .. } = transfer;
        let uploads = transfer.uploads(start, len);
        let downloads: Vec<u64> = (0..transfer.outputs.len())
            .map(|output| transfer.size(op.inputs().len() + output, len))
            .collect();

        let scopes = Scopes::push(self.kernels.device());
        let sizes = uploads.iter().map(|bytes| bytes.len() as u64);
        self.make_room(&mut slot.inputs, sizes, wgpu::MapMode::Write);
        self.make_room(&mut slot.outputs, downloads.iter().copied(), wgpu::MapMode::Read);
        let (inputs, outputs) = (&slot.inputs[..uploads.len()], &slot.outputs[..downloads.len()]);

        let filled = inputs
            .iter()
            .zip(&uploads)
            .try_for_each(|(tensor, bytes)| tensor.fill(bytes));
        let prepared = filled.map_err(|error| self.failure(error)).and_then(|()| {
            let operands = op.inputs().len();
            let sizes = uploads.iter().map(|bytes| bytes.len() as u64);
            let of_inputs = inputs.iter().zip(sizes).take(operands);
            let tensors = of_inputs.chain(outputs.iter().zip(downloads.iter().copied()));
            let ranges: Vec<BufferRange<'_>> = tensors
                .map(|(tensor, size)| BufferRange {
                    buffer: tensor.bound(),
                    offset: 0,
                    size,
                })
                .collect();
            Ok(self.kernels.prepare(op.advanced(start as u64), dtype, &ranges)?)
        });
        let submitted = prepared.map(|launch| {
            let mut encoder = self.kernels.device().create_command_encoder(&Default::default());
            for (tensor, bytes) in inputs.iter().zip(&uploads) {
                tensor.upload(&mut encoder, bytes.len() as u64);
            }
            if let (Output::Added, Some(before)) = (kind, inputs.last()) {
                let size = whole_words(downloads[0]);
                encoder.copy_buffer_to_buffer(before.bound(), 0, outputs[0].bound(), 0, size);
            }
            launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
            for (tensor, &size) in outputs.iter().zip(&downloads) {
                tensor.download(&mut encoder, size);
            }
            let submission = self.queue.submit([encoder.finish()]);
            // All are mapped when the submission is complete: outputs to be read, and inputs to be filled again.
            (submission, inputs.iter().chain(outputs).map(Tensor::map).collect())
        });
        self.check(scopes).await?;
        let (submission, mapped) = submitted?;
        Ok(Chunk {
            start,
            len,
            slot,
            submission,
            mapped,
        })
    }

    /// Waits for a chunk and writes its part of the outputs.
    async fn receive<R: bytemuck::Pod, const M: usize>(
        &self,
        transfer: &mut Transfer<'_, R, M>,
        chunk: Chunk,
    ) -> Result<Slot, OffloadError> {
        let wait = wgpu::PollType::Wait {
            submission_index: Some(chunk.submission),
            timeout: None,
        };
        // Does nothing in a browser, whose event loop reports by itself. A failure also reaches the callbacks.
        let _ = self.kernels.device().poll(wait);
        for mapped in chunk.mapped {
            let never = |_| self.failure("a buffer was never mapped");
            mapped.await.map_err(never)?.map_err(|error| self.failure(error))?;
        }
        let size = transfer.size(transfer.op.inputs().len(), chunk.len);
        for (tensor, output) in chunk.slot.outputs.iter().zip(transfer.rest(chunk.start)) {
            let part = &mut bytemuck::cast_slice_mut(output)[..size as usize];
            tensor.empty(part).map_err(|error| self.failure(error))?;
        }
        Ok(chunk.slot)
    }

    /// Makes the first tensors large enough, each for its number of bytes in `sizes`.
    fn make_room(&self, tensors: &mut Vec<Tensor>, sizes: impl Iterator<Item = u64>, mode: wgpu::MapMode) {
        for (index, size) in sizes.enumerate() {
            match tensors.get(index) {
                Some(kept) if kept.mapped.size() >= size => {}
                Some(_) => tensors[index] = self.tensor(size, mode),
                None => tensors.push(self.tensor(size, mode)),
            }
        }
    }

    /// A tensor with room for `size` bytes.
    fn tensor(&self, size: u64, mode: wgpu::MapMode) -> Tensor {
        use wgpu::BufferUsages as Usages;
        let (map, staging) = match mode {
            wgpu::MapMode::Write => (Usages::MAP_WRITE, Usages::COPY_SRC),
            wgpu::MapMode::Read => (Usages::MAP_READ, Usages::COPY_DST),
        };
        let bound = Usages::STORAGE | Usages::COPY_SRC | Usages::COPY_DST;
        let buffer = |label, usage| {
            self.kernels.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: size.next_power_of_two().max(1 << 12),
                usage,
                mapped_at_creation: usage.contains(Usages::MAP_WRITE),
            })
        };
        let (mapped, on_device) = if self.is_unified {
            (buffer("hard_sigmoid::offload::tensor", map | bound), None)
        } else {
            let staging = buffer("hard_sigmoid::offload::staging", map | staging);
            let tensor = buffer("hard_sigmoid::offload::tensor", bound);
            (staging, Some(tensor))
        };
        Tensor {
            mapped,
            on_device,
            mode,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first error since the scopes were pushed, device loss before all others.
    fn check(&self, scopes: Scopes) -> impl Future<Output = Result<(), OffloadError>> {
        let popped = scopes.pop();
        async move {
            let result = popped.await;
            // On native targets the loss is reported by a poll.
            let _ = self.kernels.device().poll(wgpu::PollType::Poll);
            if let Some(lost) = self.reported_loss() {
                return Err(lost);
            }
            result.map_err(|error| match error {
                OffloadError::Gpu { details } => self.failure(details),
                error => error,
            })
        }
    }

    /// What made a call to wgpu fail: that the device is lost, or else what wgpu says.
    fn failure(&self, details: impl fmt::Display) -> OffloadError {
        // wgpu reports the loss of a device only when its queue is empty, but refuses its calls before.
        let unreported = || self.kernels.check_alive().err().map(OffloadError::from);
        self.reported_loss().or_else(unreported).unwrap_or(OffloadError::Gpu {
            details: in_one_line(details),
        })
    }

    fn reported_loss(&self) -> Option<OffloadError> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(|details| OffloadError::DeviceLost { details })
    }
}

/// A part of a transfer on its way through the device.
struct Chunk {
    /// Its first element.
    start: usize,
    /// The number of its elements.
    len: usize,
    slot: Slot,
    submission: wgpu::SubmissionIndex,
    /// A report for each buffer that was asked to be mapped.
    mapped: Vec<oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>>,
}

/// The buffers of one chunk, kept for the next ones.
#[derive(Debug, Default)]
struct Slot {
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// What the host maps and what kernels bind: one buffer if possible. A tensor to be filled is mapped except while it is
/// under way; one to be read is mapped only after it has come back.
#[derive(Debug)]
struct Tensor {
    mapped: wgpu::Buffer,
    on_device: Option<wgpu::Buffer>,
    mode: wgpu::MapMode,
}

impl Tensor {
    fn bound(&self) -> &wgpu::Buffer {
        self.on_device.as_ref().unwrap_or(&self.mapped)
    }

    fn fill(&self, bytes: &[u8]) -> Result<(), wgpu::MapRangeError> {
        // The rest of a last word stays as it is.
        let mut view = self.mapped.get_mapped_range_mut(..whole_words(bytes.len() as u64))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        drop(view);
        self.mapped.unmap();
        Ok(())
    }

    fn upload(&self, encoder: &mut wgpu::CommandEncoder, size: u64) {
        if let Some(tensor) = &self.on_device {
            encoder.copy_buffer_to_buffer(&self.mapped, 0, tensor, 0, whole_words(size));
        }
    }

    fn download(&self, encoder: &mut wgpu::CommandEncoder, size: u64) {
        if let Some(tensor) = &self.on_device {
            encoder.copy_buffer_to_buffer(tensor, 0, &self.mapped, 0, whole_words(size));
        }
    }

    fn map(&self) -> oneshot::Receiver<Result<(), wgpu::BufferAsyncError>> {
        let (report, mapped) = oneshot::channel();
        self.mapped.map_async(self.mode, .., move |result| {
            // Fails only if nobody waits any more.
            let _ = report.send(result);
        });
        mapped
    }

    fn empty(&self, bytes: &mut [u8]) -> Result<(), wgpu::MapRangeError> {
        let view = self.mapped.get_mapped_range(..whole_words(bytes.len() as u64))?;
        bytes.copy_from_slice(&view[..bytes.len()]);
        drop(view);
        self.mapped.unmap();
        Ok(())
    }
}

/// Rounds up to whole words, the unit of bindings, copies and mappings.
fn whole_words(size: u64) -> u64 {
    size.next_multiple_of(4)
}

/// Catches every error of the calls on this thread until it is popped; without it wgpu would panic.
struct Scopes([wgpu::ErrorScopeGuard; 3]);

impl Scopes {
    fn push(device: &wgpu::Device) -> Self {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        Self([Validation, Internal, OutOfMemory].map(|filter| device.push_error_scope(filter)))
    }

    fn pop(self) -> impl Future<Output = Result<(), OffloadError>> {
        let [validation, internal, memory] = self.0;
        // Innermost first.
        let (memory, internal, validation) = (memory.pop(), internal.pop(), validation.pop());
        async move {
            let errors = [memory.await, internal.await, validation.await];
            errors
                .into_iter()
                .flatten()
                .next()
                .map_or(Ok(()), |error| Err(described(error)))
        }
    }
}

fn described(error: wgpu::Error) -> OffloadError {
    match error {
        wgpu::Error::OutOfMemory { source } => OffloadError::OutOfMemory {
            details: source.to_string(),
        },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => OffloadError::Gpu {
            details: in_one_line(description),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_memory_is_an_error_of_its_own() {
        let error = wgpu::Error::OutOfMemory {
            source: "16 GiB asked for".into(),
        };
        assert_eq!(
            described(error),
            OffloadError::OutOfMemory {
                details: "16 GiB asked for".into()
            }
        );
        let (source, description) = ("source".into(), "what wgpu says".to_string());
        let error = wgpu::Error::Validation { source, description };
        let details = "what wgpu says".into();
        assert_eq!(described(error), OffloadError::Gpu { details });
    }
}
