//! A device that computes what is verified, and what goes wrong with it.

use hard_sigmoid::{
    DType, Op,
    cpu::{self, Comparison},
    gpu::{Batch, BufferRange, Kernels, LaunchError, wgpu},
    plan::PlanError,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Why nothing can be computed any more, or why an operation is left out.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This device can't run the operation.
    Unsupported(String),
    /// The device or wgpu failed.
    Failed(String),
}

/// A device, and what went wrong with it.
pub struct Machine {
    /// The device.
    pub device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) batch: Batch,
    /// The first thing that went wrong.
    fault: Arc<Mutex<Option<String>>>,
}

/// Tensors on the device, as long as the longest one that is needed, with guard words after them.
pub(super) struct Tensors {
    /// x, g and h.
    operands: [wgpu::Buffer; 3],
    outputs: [wgpu::Buffer; 2],
    /// Fills outputs, so that a result that was never written differs.
    sentinel: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// What the operands hold.
    data: [Vec<u8>; 3],
}

/// The byte that outputs and guards are filled with. Few results consist of it.
const SENTINEL: u8 = 0xab;
/// Bytes after each output.
const GUARD: u64 = 64;

impl Machine {
    /// A device of an adapter.
    ///
    /// # Errors
    /// If the adapter gives none with these limits, or the kernels can't run with them.
    pub fn new(adapter: &wgpu::Adapter, required_limits: wgpu::Limits) -> Result<Self, Trouble> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hard-sigmoid verify"),
            required_limits,
            ..Default::default()
        };
        let made = hard_sigmoid::offload::block_on(adapter.request_device(&descriptor));
        let (device, queue) = made.map_err(|error| Trouble::Failed(format!("the adapter gave no device: {error}")))?;
        let fault = Arc::new(Mutex::new(None));
        let keep = |fault: &Mutex<Option<String>>, words: String| {
            let one_line = words.split_whitespace().collect::<Vec<_>>().join(" ");
            fault
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(one_line);
        };
        let lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            keep(&lost, format!("the device was lost: {reason:?} {message}"));
        });
        let failed = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error| match error {
            wgpu::Error::OutOfMemory { .. } => keep(&failed, "the device is out of memory".into()),
            error => keep(&failed, error.to_string()),
        }));
        let batch = Kernels::new(&device)
            .map(|kernels| Batch::new(&kernels))
            .map_err(Trouble::of)?;
        Ok(Self {
            device,
            queue,
            batch: batch.map_err(Trouble::of)?,
            fault,
        })
    }

    /// What went wrong so far.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone().map_or(Ok(()), |words| Err(Trouble::Failed(words)))
    }

    /// Waits for the device.
    pub(super) fn wait(&self) -> Result<(), Trouble> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        self.check()?;
        polled.map(drop).map_err(|error| Trouble::Failed(error.to_string()))
    }

    pub(super) fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, Trouble> {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.check()?;
        Ok(buffer)
    }

    /// Tensors of up to `size` bytes.
    pub(super) fn tensors(&self, size: u64) -> Result<Tensors, Trouble> {
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let whole = size + GUARD;
        let new = || self.buffer(whole, storage);
        let tensors = Tensors {
            operands: [new()?, new()?, new()?],
            outputs: [new()?, new()?],
            sentinel: new()?,
            staging: self.buffer(whole, wgpu::BufferUsages::MAP_READ)?,
            data: Default::default(),
        };
        self.queue
            .write_buffer(&tensors.sentinel, 0, &vec![SENTINEL; whole as usize]);
        self.check()?;
        Ok(tensors)
    }

    /// Gives the operands new contents.
    pub(super) fn fill(&self, tensors: &mut Tensors, data: [Vec<u8>; 3]) -> Result<(), Trouble> {
        for (buffer, bytes) in tensors.operands.iter().zip(&data) {
            self.queue.write_buffer(buffer, 0, bytes);
        }
        tensors.data = data;
        self.check()
    }

    /// Runs `run` on the device, compares its results with those of `op` on the CPU path, and tells whether something was
    /// written beyond them.
    pub(super) fn compare(
        &mut self,
        tensors: &Tensors,
        [op, run]: [Op; 2],
        dtype: DType,
        len: u64,
    ) -> Result<(Comparison, bool), Trouble> {
        let sizes = op.sizes(dtype, len).map_err(Trouble::of)?;
        // The hard sigmoid is always that of x.
        let order = if op.inputs().first() == Some(&"a") {
            [1, 0, 2]
        } else {
            [0, 1, 2]
        };
        let count = op.inputs().len();
        let (of_inputs, of_outputs) = sizes.split_at(count);
        let adds = op.name() == "backward_accumulate";
        let operands = order.iter().map(|&at| &tensors.operands[at]).zip(of_inputs);
        let ranges: Vec<_> = operands
            .chain(tensors.outputs.iter().zip(of_outputs))
            .map(|(buffer, &size)| BufferRange {
                buffer,
                offset: 0,
                size,
            })
            .collect();
        self.batch.clear();
        let launch = self.batch.add(run, dtype, &ranges).map_err(Trouble::of)?;

        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (output, &size) in tensors.outputs.iter().zip(of_outputs) {
            // The lengths of samples and chunks fill whole words.
            let before = if adds { &tensors.operands[2] } else { &tensors.sentinel };
            encoder.copy_buffer_to_buffer(before, 0, output, 0, size);
            encoder.copy_buffer_to_buffer(&tensors.sentinel, 0, output, size, GUARD);
        }
        let written = self.batch.write(&self.queue);
        let encoded = written.encode(launch, &mut encoder.begin_compute_pass(&Default::default()));
        encoded.map_err(Trouble::of)?;
        self.queue.submit([encoder.finish()]);

        let (mut results, mut wrote_beyond) = (vec![], false);
        for (output, &size) in tensors.outputs.iter().zip(of_outputs) {
            let bytes = self.read(tensors, output, size + GUARD)?;
            wrote_beyond |= is_written(&bytes[size as usize..]);
            results.push(bytes);
        }
        let mut inputs: Vec<&[u8]> = order
            .iter()
            .zip(of_inputs)
            .map(|(&at, &size)| &tensors.data[at][..size as usize])
            .collect();
        if adds {
            inputs.push(&tensors.data[2][..of_outputs[0] as usize]);
        }
        let results: Vec<&[u8]> = results
            .iter()
            .zip(of_outputs)
            .map(|(bytes, &size)| &bytes[..size as usize])
            .collect();
        let compared = cpu::compare(op, dtype, &inputs, &results).map_err(Trouble::of)?;
        Ok((compared, wrote_beyond))
    }

    fn read(&self, tensors: &Tensors, from: &wgpu::Buffer, size: u64) -> Result<Vec<u8>, Trouble> {
        let staging = &tensors.staging;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(from, 0, staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let mapped = Arc::new(Mutex::new(false));
        let done = mapped.clone();
        staging.map_async(wgpu::MapMode::Read, ..size, move |result| {
            *done.lock().unwrap_or_else(PoisonError::into_inner) = result.is_ok();
        });
        self.wait()?;
        if !*mapped.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(Trouble::Failed("the device's results can't be read".into()));
        }
        let view = staging.get_mapped_range(..size);
        let bytes = view.map_err(|error| Trouble::Failed(error.to_string()))?.to_vec();
        staging.unmap();
        Ok(bytes)
    }
}

/// Whether a part of a guard isn't as it was.
fn is_written(guard: &[u8]) -> bool {
    guard.iter().any(|&byte| byte != SENTINEL)
}

impl Trouble {
    pub(super) fn of<E: Into<LaunchError>>(error: E) -> Self {
        let error = error.into();
        match error {
            LaunchError::Plan(PlanError::UnsupportedDevice(error)) => Self::Unsupported(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_written_is_seen() {
        let mut guard = [SENTINEL; GUARD as usize];
        assert!(!is_written(&guard));
        guard[63] = 0;
        assert!(is_written(&guard));
    }
}
