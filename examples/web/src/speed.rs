//! How fast the forward kernel is on data that is on the device, beside a copy there, and the CPU path.

use crate::{Comparison, Definition};
use futures_channel::oneshot;
use hard_sigmoid::{
    DType, Unary, cpu,
    gpu::{Kernels, Launch},
};
use wasm_bindgen::prelude::*;
use web_time::{Duration, Instant};

/// 16 MiB of f32: beyond caches, within a phone.
const ELEMENTS: usize = 1 << 22;
const BYTES: u64 = 4 * ELEMENTS as u64;

/// Long enough for the coarse clocks of browsers.
const LONG_ENOUGH: Duration = Duration::from_millis(200);
const ROUNDS: usize = 5;

/// Billions of bytes a second, read and written; the best of some rounds.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Speed {
    /// The forward kernel, on data that is on the device.
    pub kernel: Option<f64>,
    /// A copy from one buffer there to another.
    pub copy: Option<f64>,
    /// The CPU path, in WebAssembly on one core.
    pub cpu: f64,
}

#[wasm_bindgen]
impl Speed {
    /// Measures the visitor's GPU, unless `cpu_alone`, and the CPU path. The GPU's results are compared with the CPU path's
    /// first; if they differ, that is thrown as a string, and a failure of the GPU as an `Error`.
    pub async fn measure(definition: &Definition, cpu_alone: bool) -> Result<Self, JsValue> {
        let x: Vec<f32> = (0..ELEMENTS).map(|i| (i % 4096) as f32 / 512.0 - 4.0).collect();
        let mut y = vec![0.0; ELEMENTS];
        let forward = Unary::Forward(definition.0);
        let cpu = best(async |count| {
            for _ in 0..count {
                cpu::unary(forward, &x, std::hint::black_box(&mut y))?;
            }
            Ok(())
        })
        .await?;
        let (mut kernel, mut copy) = (None, None);
        if !cpu_alone {
            let resident = Resident::new(forward, &x).await?;
            let on_device = resident.results().await?;
            let mut comparison = Comparison::default();
            comparison.add(forward, [&x, &x], &on_device, &y);
            if comparison.differing > 0.0 {
                return Err("the kernel's results are not the CPU path's: nothing measured".into());
            }
            kernel = Some(best(async |count| resident.run(count).await).await?);
            copy = Some(best(async |count| resident.copy(count).await).await?);
            resident.device.destroy();
        }
        Ok(Self { kernel, copy, cpu })
    }
}

/// GB/s of what `run` does so often.
async fn best(mut run: impl AsyncFnMut(u32) -> Result<(), JsError>) -> Result<f64, JsError> {
    let mut count = 1;
    let mut shortest = f64::INFINITY;
    let mut rounds = 0;
    while rounds < ROUNDS {
        let start = Instant::now();
        run(count).await?;
        let took = start.elapsed();
        if took < LONG_ENOUGH && rounds == 0 {
            count *= 2;
        } else {
            shortest = shortest.min(took.as_secs_f64() / f64::from(count));
            rounds += 1;
        }
    }
    Ok(2.0 * BYTES as f64 / shortest / 1e9)
}

/// Tensors on a device, as in a runtime that embeds the kernels.
struct Resident {
    device: wgpu::Device,
    queue: wgpu::Queue,
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    forward: Launch,
}

impl Resident {
    async fn new(forward: Unary, x: &[f32]) -> Result<Self, JsError> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await?;
        let (device, queue) = adapter.request_device(&Default::default()).await?;
        use wgpu::BufferUsages as Usages;
        let buffer = || {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: BYTES,
                usage: Usages::STORAGE | Usages::COPY_SRC | Usages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let (of_x, y) = (buffer(), buffer());
        queue.write_buffer(&of_x, 0, bytemuck::cast_slice(x));
        let forward = Kernels::new(&device)?.unary(forward, DType::F32, &of_x, &y)?;
        Ok(Self {
            device,
            queue,
            x: of_x,
            y,
            forward,
        })
    }

    async fn run(&self, count: u32) -> Result<(), JsError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..count {
            self.forward.encode(&mut pass);
        }
        drop(pass);
        self.finish(encoder).await
    }

    async fn copy(&self, count: u32) -> Result<(), JsError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for _ in 0..count {
            encoder.copy_buffer_to_buffer(&self.x, 0, &self.y, 0, BYTES);
        }
        self.finish(encoder).await
    }

    async fn finish(&self, encoder: wgpu::CommandEncoder) -> Result<(), JsError> {
        self.queue.submit([encoder.finish()]);
        let (report, done) = oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // Fails only if nobody waits any more.
            let _ = report.send(());
        });
        Ok(done.await?)
    }

    async fn results(&self) -> Result<Vec<f32>, JsError> {
        self.run(1).await?;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: BYTES,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.y, 0, &staging, 0, BYTES);
        self.queue.submit([encoder.finish()]);
        let (report, mapped) = oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            let _ = report.send(result);
        });
        mapped.await??;
        let view = staging.get_mapped_range(..)?;
        Ok(bytemuck::pod_collect_to_vec(&view[..]))
    }
}
