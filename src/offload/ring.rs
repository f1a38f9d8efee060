//! Sends chunks through a ring of buffers: while the device computes one, the host fills the next and empties the last.

use crate::{
    gpu::operands::BufferRange,
    offload::{
        device::Gpu,
        error::OffloadError,
        scopes::Scopes,
        staging::{Slot, Tensor, whole_words},
        transfer::{Mode, Transfer},
    },
};
use futures_channel::oneshot;
use std::{
    collections::VecDeque,
    sync::{MutexGuard, PoisonError},
};

/// The number of elements of a chunk: 4 MiB of `f32`. It is a multiple of 32, so that no word of packed signs is split.
pub(super) const CHUNK: usize = 1 << 20;

/// The number of chunks that are under way at a time.
const RING: usize = 3;

/// A part of a transfer on its way through the device.
struct Chunk {
    /// The first element of the chunk.
    start: usize,
    /// The number of elements of the chunk.
    len: usize,
    slot: Slot,
    submission: wgpu::SubmissionIndex,
    /// A report for each buffer that was asked to be mapped.
    mapped: Vec<oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>>,
}

impl Gpu {
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
        let &Transfer { op, dtype, mode, .. } = transfer;
        let uploads = transfer.uploads(start, len);
        let downloads = vec![transfer.size_of_outputs(len); transfer.outputs.len()];

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
            if let (Mode::Added, Some(before)) = (mode, inputs.last()) {
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
        // In a browser this poll does nothing: its event loop reports by itself. A failure also reaches the callbacks.
        let _ = self.kernels.device().poll(wait);
        for mapped in chunk.mapped {
            let never = |_| self.failure("a buffer was never mapped");
            mapped.await.map_err(never)?.map_err(|error| self.failure(error))?;
        }
        let size = transfer.size_of_outputs(chunk.len);
        for (tensor, output) in chunk.slot.outputs.iter().zip(transfer.rest(chunk.start)) {
            let part = &mut bytemuck::cast_slice_mut(output)[..size as usize];
            tensor.read(part).map_err(|error| self.failure(error))?;
        }
        Ok(chunk.slot)
    }

    /// Makes the first tensors large enough, each for its number of bytes in `sizes`.
    fn make_room(&self, tensors: &mut Vec<Tensor>, sizes: impl Iterator<Item = u64>, mode: wgpu::MapMode) {
        let tensor = |size| Tensor::new(self.kernels.device(), size, mode, self.is_unified);
        for (index, size) in sizes.enumerate() {
            match tensors.get(index) {
                Some(kept) if kept.holds(size) => {}
                Some(_) => tensors[index] = tensor(size),
                None => tensors.push(tensor(size)),
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
