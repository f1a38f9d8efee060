//! Chunks through a ring of buffers: while the device computes one, the host fills the next and empties the last.

use crate::{BufferRange, Error, Kernels, Launch, Scalar, element::Unit};
use futures_channel::oneshot;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Elements of a chunk: 4 MiB of `f32`. A multiple of 32, so that packed signs don't split.
pub(super) const CHUNK: usize = 1 << 20;

/// Chunks under way at a time.
const RING: usize = 3;

/// What to compute, from host memory to host memory.
pub(super) struct Job<'a, R> {
    /// Elements.
    pub(super) len: usize,
    pub(super) inputs: Vec<(&'a [u8], Unit)>,
    pub(super) output: &'a mut [R],
    pub(super) unit: Unit,
    pub(super) kind: Output,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Replaced,
    /// It is the last input too.
    Updated,
}

impl<'a, T: Scalar> Job<'a, T> {
    pub(super) fn of_tensors(inputs: &[&'a [T]], output: &'a mut [T], kind: Output) -> Self {
        let unit = Unit::Element(T::ELEMENT);
        let inputs = inputs.iter().map(|values| (bytemuck::cast_slice(values), unit));
        Self {
            len: output.len(),
            inputs: inputs.collect(),
            output,
            unit,
            kind,
        }
    }
}

impl<R> Job<'_, R> {
    /// The output from element `done` on.
    pub(super) fn rest(&mut self, done: usize) -> &mut [R] {
        &mut self.output[self.unit.size(done as u64) as usize / size_of::<R>()..]
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
    /// Whether the host can map what kernels bind, as where host and device share their memory.
    is_unified: bool,
    /// Buffers that no call is using.
    idle: Mutex<Vec<Slot>>,
}

impl Gpu {
    pub(super) async fn new(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        use wgpu::DeviceType::{Cpu, IntegratedGpu};
        let info = adapter.get_info();
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let is_unified = matches!(info.device_type, Cpu | IntegratedGpu) && adapter.features().contains(mappable);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hard_sigmoid::offload::device"),
            required_features: if is_unified { mappable } else { wgpu::Features::empty() },
            required_limits: wgpu::Limits::downlevel_defaults(),
            ..Default::default()
        };
        let no_device = |error: wgpu::RequestDeviceError| Error::NoDevice {
            details: error.to_string(),
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(no_device)?;
        let lost = Arc::new(Mutex::new(None));
        let report = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            let details = format!("{reason:?}: {message}");
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
        })
    }

    /// Also returns how many elements of the output are written: all of them, or those before a failure.
    pub(super) async fn run<R: bytemuck::Pod>(
        &self,
        job: &mut Job<'_, R>,
        prepare: impl Fn(&Kernels, u64, &[BufferRange<'_>]) -> Result<Launch, Error>,
    ) -> (usize, Result<(), Error>) {
        let mut idle = std::mem::take(&mut *self.idle());
        let mut under_way: VecDeque<Chunk> = VecDeque::with_capacity(RING);
        let (mut sent, mut done) = (0, 0);
        while done < job.len {
            if sent < job.len && under_way.len() < RING {
                let len = (job.len - sent).min(CHUNK);
                match self
                    .send(job, sent, len, idle.pop().unwrap_or_default(), &prepare)
                    .await
                {
                    Ok(chunk) => under_way.push_back(chunk),
                    Err(error) => return (done, Err(error)),
                }
                sent += len;
            } else if let Some(chunk) = under_way.pop_front() {
                let len = chunk.len;
                match self.receive(job, chunk).await {
                    Ok(slot) => idle.push(slot),
                    Err(error) => return (done, Err(error)),
                }
                done += len;
            }
        }
        // Another call may have returned its own.
        let mut all = self.idle();
        all.extend(idle);
        all.truncate(RING);
        (done, Ok(()))
    }

    /// Uploads a chunk and submits its launch.
    async fn send<R: bytemuck::Pod>(
        &self,
        job: &Job<'_, R>,
        start: usize,
        len: usize,
        mut slot: Slot,
        prepare: impl Fn(&Kernels, u64, &[BufferRange<'_>]) -> Result<Launch, Error>,
    ) -> Result<Chunk, Error> {
        let of_output = (bytemuck::cast_slice(job.output), job.unit);
        let updated = (job.kind == Output::Updated).then_some(of_output);
        let inputs: Vec<_> = job.inputs.iter().copied().chain(updated).collect();
        let size = |unit: Unit| unit.size(len as u64);

        let scopes = Scopes::push(self.kernels.device());
        let mut kept = slot.inputs.into_iter();
        let with_room = |&(_, unit): &(&[u8], Unit)| self.tensor(kept.next(), size(unit), wgpu::MapMode::Write);
        slot.inputs = inputs.iter().map(with_room).collect();
        slot.inputs.extend(kept);
        let output = self.tensor(slot.output.take(), size(job.unit), wgpu::MapMode::Read);
        let output = &*slot.output.insert(output);

        let pairs = || slot.inputs.iter().zip(&inputs);
        let filled = pairs().try_for_each(|(tensor, &(bytes, unit))| {
            let start = unit.size(start as u64) as usize;
            tensor.fill(&bytes[start..][..size(unit) as usize])
        });
        let prepared = filled.map_err(|error| self.failure(error)).and_then(|()| {
            let ranges = pairs().map(|(tensor, &(_, unit))| tensor.bound().slice(..size(unit)).into());
            let ranges: Vec<_> = ranges.chain([output.bound().slice(..size(job.unit)).into()]).collect();
            prepare(&self.kernels, start as u64, &ranges)
        });
        let submitted = prepared.map(|launch| {
            let mut encoder = self.kernels.device().create_command_encoder(&Default::default());
            for (tensor, &(_, unit)) in pairs() {
                tensor.upload(&mut encoder, size(unit));
            }
            launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
            output.download(&mut encoder, size(job.unit));
            let submission = self.queue.submit([encoder.finish()]);
            // Both are mapped when the submission is complete: to be read, and to be filled again.
            let used = pairs().map(|(tensor, _)| tensor).chain([output]);
            (submission, used.map(Tensor::map).collect())
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

    /// Waits for a chunk and writes its part of the output.
    async fn receive<R: bytemuck::Pod>(&self, job: &mut Job<'_, R>, chunk: Chunk) -> Result<Slot, Error> {
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
        let size = job.unit.size(chunk.len as u64);
        if let Some(output) = &chunk.slot.output {
            let part = &mut bytemuck::cast_slice_mut(job.rest(chunk.start))[..size as usize];
            output.empty(part).map_err(|error| self.failure(error))?;
        }
        Ok(chunk.slot)
    }

    /// `kept` if it has room for so many bytes, or a new one.
    fn tensor(&self, kept: Option<Tensor>, size: u64, mode: wgpu::MapMode) -> Tensor {
        if let Some(kept) = kept.filter(|kept| kept.mapped.size() >= size) {
            return kept;
        }
        use wgpu::BufferUsages as Usages;
        let (map, staging, device) = match mode {
            wgpu::MapMode::Write => (Usages::MAP_WRITE, Usages::COPY_SRC, Usages::COPY_DST),
            wgpu::MapMode::Read => (Usages::MAP_READ, Usages::COPY_DST, Usages::COPY_SRC),
        };
        let buffer = |label, usage| {
            self.kernels.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: size.next_power_of_two().max(1 << 12),
                usage,
                mapped_at_creation: usage.contains(Usages::MAP_WRITE),
            })
        };
        let (mapped, on_device) = if self.is_unified {
            (buffer("hard_sigmoid::offload::tensor", map | Usages::STORAGE), None)
        } else {
            let staging = buffer("hard_sigmoid::offload::staging", map | staging);
            let tensor = buffer("hard_sigmoid::offload::tensor", Usages::STORAGE | device);
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
    fn check(&self, scopes: Scopes) -> impl Future<Output = Result<(), Error>> {
        let popped = scopes.pop();
        async move {
            let result = popped.await;
            // On native targets the loss is reported by a poll.
            let _ = self.kernels.device().poll(wgpu::PollType::Poll);
            self.loss().map_or(result, Err)
        }
    }

    fn failure(&self, details: impl ToString) -> Error {
        self.loss().unwrap_or(Error::Gpu {
            details: details.to_string(),
        })
    }

    fn loss(&self) -> Option<Error> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(|details| Error::DeviceLost { details })
    }
}

/// A part of a job on its way through the device.
struct Chunk {
    /// Its first element.
    start: usize,
    /// Its elements.
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
    output: Option<Tensor>,
}

/// What the host maps, and what kernels bind: one buffer if that can be. One to be filled is mapped but while it is under
/// way, one to be read only when it has come back.
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

/// What bindings, copies and mappings are made of.
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

    fn pop(self) -> impl Future<Output = Result<(), Error>> {
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

fn described(error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { source } => Error::OutOfMemory {
            details: source.to_string(),
        },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::Gpu { details: description }
        }
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
            Error::OutOfMemory {
                details: "16 GiB asked for".into()
            }
        );
        let (source, description) = ("source".into(), "what wgpu says".to_string());
        let error = wgpu::Error::Validation { source, description };
        let details = "what wgpu says".into();
        assert_eq!(described(error), Error::Gpu { details });
    }
}
