//! The buffers that a chunk goes through.

use futures_channel::oneshot;

/// The buffers of one chunk, kept for the next ones.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) inputs: Vec<Tensor>,
    pub(super) outputs: Vec<Tensor>,
}

/// A tensor as the host maps it and as kernels bind it: one buffer if possible. A tensor to be filled is mapped except
/// while it is under way; one to be read is mapped only after it has come back.
#[derive(Debug)]
pub(super) struct Tensor {
    mapped: wgpu::Buffer,
    on_device: Option<wgpu::Buffer>,
    mode: wgpu::MapMode,
}

impl Tensor {
    /// A tensor with room for `size` bytes: one buffer if the host can map what kernels bind.
    pub(super) fn new(device: &wgpu::Device, size: u64, mode: wgpu::MapMode, is_unified: bool) -> Self {
        use wgpu::BufferUsages as Usages;
        let (map, staging) = match mode {
            wgpu::MapMode::Write => (Usages::MAP_WRITE, Usages::COPY_SRC),
            wgpu::MapMode::Read => (Usages::MAP_READ, Usages::COPY_DST),
        };
        let bound = Usages::STORAGE | Usages::COPY_SRC | Usages::COPY_DST;
        let buffer = |label, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: size.next_power_of_two().max(1 << 12),
                usage,
                mapped_at_creation: usage.contains(Usages::MAP_WRITE),
            })
        };
        let (mapped, on_device) = if is_unified {
            (buffer("hard_sigmoid::offload::tensor", map | bound), None)
        } else {
            let staging = buffer("hard_sigmoid::offload::staging", map | staging);
            let tensor = buffer("hard_sigmoid::offload::tensor", bound);
            (staging, Some(tensor))
        };
        Self {
            mapped,
            on_device,
            mode,
        }
    }

    pub(super) fn holds(&self, size: u64) -> bool {
        self.mapped.size() >= size
    }

    pub(super) fn bound(&self) -> &wgpu::Buffer {
        self.on_device.as_ref().unwrap_or(&self.mapped)
    }

    pub(super) fn fill(&self, bytes: &[u8]) -> Result<(), wgpu::MapRangeError> {
        // The bytes of the last word beyond the tensor stay as they are.
        let mut view = self.mapped.get_mapped_range_mut(..whole_words(bytes.len() as u64))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        drop(view);
        self.mapped.unmap();
        Ok(())
    }

    pub(super) fn upload(&self, encoder: &mut wgpu::CommandEncoder, size: u64) {
        if let Some(tensor) = &self.on_device {
            encoder.copy_buffer_to_buffer(&self.mapped, 0, tensor, 0, whole_words(size));
        }
    }

    pub(super) fn download(&self, encoder: &mut wgpu::CommandEncoder, size: u64) {
        if let Some(tensor) = &self.on_device {
            encoder.copy_buffer_to_buffer(tensor, 0, &self.mapped, 0, whole_words(size));
        }
    }

    pub(super) fn map(&self) -> oneshot::Receiver<Result<(), wgpu::BufferAsyncError>> {
        let (report, mapped) = oneshot::channel();
        self.mapped.map_async(self.mode, .., move |result| {
            // Sending fails only if nobody waits any more.
            let _ = report.send(result);
        });
        mapped
    }

    pub(super) fn read(&self, bytes: &mut [u8]) -> Result<(), wgpu::MapRangeError> {
        let view = self.mapped.get_mapped_range(..whole_words(bytes.len() as u64))?;
        bytes.copy_from_slice(&view[..bytes.len()]);
        drop(view);
        self.mapped.unmap();
        Ok(())
    }
}

/// Rounds up to whole words, the unit of bindings, copies and mappings.
pub(super) fn whole_words(size: u64) -> u64 {
    size.next_multiple_of(4)
}
