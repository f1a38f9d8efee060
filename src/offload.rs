//! Host slices in, host slices out, on a device that this crate finds: a GPU where there is one, else the CPU.
//!
//! The bits are the same wherever it runs. Offloading one activation hardly ever pays in time, since the data crosses
//! the bus twice; embed the [kernels](crate::Kernels) where the data already is on the device.
//!
//! Calls are async at heart, so that they run in a browser too; on native targets each has a `_blocking` twin, and the
//! async ones block their thread while the device works.
//!
//! ```
//! use hard_sigmoid::{offload::{Offload, Target}, HardSigmoid};
//!
//! let offload = Offload::new_blocking(Target::Auto)?;
//! let x = [-4.0_f32, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! offload.forward_blocking(HardSigmoid::PYTORCH, &x, &mut y)?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//! # Ok::<(), hard_sigmoid::Error>(())
//! ```

use crate::{
    Binarization, BufferRange, Error, HardSigmoid, Kernels, Launch, Scalar, StraightThrough, cpu, element::Unit,
};
use futures_channel::oneshot;
use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// Elements that are on the device at a time: 16 MiB of each tensor. A multiple of 32, so that packed signs don't split.
const CHUNK: usize = 1 << 22;

/// Which device to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// A real GPU; else the CPU path, which is over ten times faster than a GPU emulated in software.
    #[default]
    Auto,
    /// Any adapter, software ones too; an error if there is none.
    Gpu,
    /// The CPU path.
    Cpu,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
        })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Auto, Self::Gpu, Self::Cpu]
            .into_iter()
            .find(|target| target.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no device; use auto, gpu or cpu"))
    }
}

/// A chosen device, and the hard sigmoid of host slices on it.
///
/// Long slices go through in chunks, so device memory stays near 80 MiB (tensors and staging) whatever the length. The
/// result is held on the host until it is complete: a call that fails leaves its output as it was.
#[derive(Debug)]
pub struct Offload(Chosen);

#[derive(Debug)]
enum Chosen {
    Cpu { why: String },
    Gpu(Box<Gpu>),
}

#[derive(Debug)]
struct Gpu {
    kernels: Kernels,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    /// Why the device was lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
}

impl Offload {
    /// Chooses a device.
    ///
    /// On native targets wgpu's environment variables are heeded: `WGPU_BACKEND` (`vulkan`, `metal`, `dx12`, `gl`, or
    /// several with commas), `WGPU_ADAPTER_NAME` (part of a name), `WGPU_POWER_PREF` (`low` or `high`).
    ///
    /// # Errors
    /// With [`Target::Gpu`], [`Error::NoAdapter`], [`Error::NoDevice`] or [`Error::UnsupportedDevice`]. With
    /// [`Target::Auto`] only [`Error::NoAdapter`], where `WGPU_BACKEND` or `WGPU_ADAPTER_NAME` names something that
    /// doesn't exist.
    pub async fn new(target: Target) -> Result<Self, Error> {
        if target == Target::Cpu {
            return Ok(Self::cpu("asked for"));
        }
        let adapter = find_adapter().await?;
        let chosen = match (adapter, target) {
            (Err(details), Target::Gpu) => return Err(Error::NoAdapter { details }),
            (Err(why), _) => return Ok(Self::cpu(&why)),
            (Ok(adapter), Target::Gpu) => return Self::from_adapter(&adapter).await,
            (Ok(adapter), _) => adapter,
        };
        let info = chosen.get_info();
        if info.device_type == wgpu::DeviceType::Cpu {
            return Ok(Self::cpu(&format!("the adapter found, {}, is software", info.name)));
        }
        let on_gpu = Self::from_adapter(&chosen).await;
        Ok(on_gpu.unwrap_or_else(|error| Self::cpu(&format!("{}: {error}", info.name))))
    }

    /// Computes on a device of `adapter`, whatever it is.
    ///
    /// # Errors
    /// [`Error::NoDevice`] or [`Error::UnsupportedDevice`].
    pub async fn from_adapter(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hard_sigmoid::offload::device"),
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
        Ok(Self(Chosen::Gpu(Box::new(Gpu {
            kernels: kernels?,
            queue,
            info: adapter.get_info(),
            lost,
        }))))
    }

    fn cpu(why: &str) -> Self {
        Self(Chosen::Cpu { why: why.into() })
    }

    /// The adapter that was chosen; `None` on the CPU path.
    pub fn adapter_info(&self) -> Option<&wgpu::AdapterInfo> {
        match &self.0 {
            Chosen::Cpu { .. } => None,
            Chosen::Gpu(gpu) => Some(&gpu.info),
        }
    }

    /// The kernels on the chosen device; `None` on the CPU path.
    pub fn kernels(&self) -> Option<&Kernels> {
        match &self.0 {
            Chosen::Cpu { .. } => None,
            Chosen::Gpu(gpu) => Some(&gpu.kernels),
        }
    }

    /// `y[i] = forward(x[i])`.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; on a GPU also [`Error::DeviceLost`], [`Error::OutOfMemory`] and [`Error::Gpu`].
    pub async fn forward<T: Scalar>(&self, definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::forward(definition, x, y),
            Chosen::Gpu(gpu) => {
                cpu::same_length(("x", x), ("y", y))?;
                y.copy_from_slice(&gpu.forward(definition, x).await?);
                Ok(())
            }
        }
    }

    /// `x[i] = forward(x[i])`.
    ///
    /// # Errors
    /// On a GPU, [`Error::DeviceLost`], [`Error::OutOfMemory`] and [`Error::Gpu`].
    pub async fn forward_in_place<T: Scalar>(&self, definition: HardSigmoid, x: &mut [T]) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::forward_in_place(definition, x),
            Chosen::Gpu(gpu) => x.copy_from_slice(&gpu.forward(definition, x).await?),
        }
        Ok(())
    }

    /// `dx[i] = backward(x[i], g[i])`, from the saved input `x` and the upstream gradient `g`.
    ///
    /// # Errors
    /// As [`Offload::forward`].
    pub async fn backward<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &[T],
        dx: &mut [T],
    ) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::backward(definition, x, g, dx),
            Chosen::Gpu(gpu) => {
                cpu::same_length(("x", x), ("g", g))?;
                cpu::same_length(("x", x), ("dx", dx))?;
                dx.copy_from_slice(&gpu.backward(definition, x, g).await?);
                Ok(())
            }
        }
    }

    /// `g[i] = backward(x[i], g[i])`: the gradient replaces the upstream gradient.
    ///
    /// # Errors
    /// As [`Offload::forward`].
    pub async fn backward_in_place<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &mut [T],
    ) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::backward_in_place(definition, x, g),
            Chosen::Gpu(gpu) => {
                cpu::same_length(("x", x), ("g", g))?;
                g.copy_from_slice(&gpu.backward(definition, x, g).await?);
                Ok(())
            }
        }
    }

    /// `y[i]` is `scale` or `-scale`: see [`cpu::binarize`].
    ///
    /// # Errors
    /// As [`Offload::forward`]; also [`Error::NotFinite`] if `scale` isn't finite in `T`.
    pub async fn binarize<T: Scalar>(
        &self,
        binarization: Binarization,
        scale: f32,
        x: &[T],
        y: &mut [T],
    ) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::binarize(binarization, scale, x, y),
            Chosen::Gpu(gpu) => {
                cpu::same_length(("x", x), ("y", y))?;
                y.copy_from_slice(&gpu.binarize(binarization, scale, x).await?);
                Ok(())
            }
        }
    }

    /// The signs of `x` as bits: see [`cpu::binarize_packed`].
    ///
    /// # Errors
    /// As [`Offload::forward`]; also [`Error::PackedLength`].
    pub async fn binarize_packed<T: Scalar>(
        &self,
        binarization: Binarization,
        x: &[T],
        bits: &mut [u32],
    ) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::binarize_packed(binarization, x, bits),
            Chosen::Gpu(gpu) => {
                cpu::packed_length(("x", x), bits)?;
                bits.copy_from_slice(&gpu.binarize_packed(binarization, x).await?);
                Ok(())
            }
        }
    }

    /// `y[i]` is `scale` where bit `i` is 1, else `-scale`: see [`cpu::unpack`].
    ///
    /// # Errors
    /// As [`Offload::binarize_packed`]; also [`Error::NotFinite`] if `scale` isn't finite in `T`.
    pub async fn unpack<T: Scalar>(&self, scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::unpack(scale, bits, y),
            Chosen::Gpu(gpu) => {
                cpu::packed_length(("y", y), bits)?;
                y.copy_from_slice(&gpu.unpack(scale, bits, y.len()).await?);
                Ok(())
            }
        }
    }

    /// The gradient of a binarization: see [`cpu::binarize_backward`].
    ///
    /// # Errors
    /// As [`Offload::forward`].
    pub async fn binarize_backward<T: Scalar>(
        &self,
        estimator: StraightThrough,
        x: &[T],
        g: &[T],
        dx: &mut [T],
    ) -> Result<(), Error> {
        match &self.0 {
            Chosen::Cpu { .. } => cpu::binarize_backward(estimator, x, g, dx),
            Chosen::Gpu(gpu) => {
                cpu::same_length(("x", x), ("g", g))?;
                cpu::same_length(("x", x), ("dx", dx))?;
                dx.copy_from_slice(&gpu.binarize_backward(estimator, x, g).await?);
                Ok(())
            }
        }
    }
}

/// The same calls, blocking.
#[cfg(not(target_family = "wasm"))]
impl Offload {
    /// [`Offload::new`], blocking.
    ///
    /// # Errors
    /// As [`Offload::new`].
    pub fn new_blocking(target: Target) -> Result<Self, Error> {
        pollster::block_on(Self::new(target))
    }

    /// [`Offload::forward`], blocking.
    ///
    /// # Errors
    /// As [`Offload::forward`].
    pub fn forward_blocking<T: Scalar>(&self, definition: HardSigmoid, x: &[T], y: &mut [T]) -> Result<(), Error> {
        pollster::block_on(self.forward(definition, x, y))
    }

    /// [`Offload::forward_in_place`], blocking.
    ///
    /// # Errors
    /// As [`Offload::forward_in_place`].
    pub fn forward_in_place_blocking<T: Scalar>(&self, definition: HardSigmoid, x: &mut [T]) -> Result<(), Error> {
        pollster::block_on(self.forward_in_place(definition, x))
    }

    /// [`Offload::backward`], blocking.
    ///
    /// # Errors
    /// As [`Offload::backward`].
    pub fn backward_blocking<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &[T],
        dx: &mut [T],
    ) -> Result<(), Error> {
        pollster::block_on(self.backward(definition, x, g, dx))
    }

    /// [`Offload::backward_in_place`], blocking.
    ///
    /// # Errors
    /// As [`Offload::backward_in_place`].
    pub fn backward_in_place_blocking<T: Scalar>(
        &self,
        definition: HardSigmoid,
        x: &[T],
        g: &mut [T],
    ) -> Result<(), Error> {
        pollster::block_on(self.backward_in_place(definition, x, g))
    }

    /// [`Offload::binarize`], blocking.
    ///
    /// # Errors
    /// As [`Offload::binarize`].
    pub fn binarize_blocking<T: Scalar>(
        &self,
        binarization: Binarization,
        scale: f32,
        x: &[T],
        y: &mut [T],
    ) -> Result<(), Error> {
        pollster::block_on(self.binarize(binarization, scale, x, y))
    }

    /// [`Offload::binarize_packed`], blocking.
    ///
    /// # Errors
    /// As [`Offload::binarize_packed`].
    pub fn binarize_packed_blocking<T: Scalar>(
        &self,
        binarization: Binarization,
        x: &[T],
        bits: &mut [u32],
    ) -> Result<(), Error> {
        pollster::block_on(self.binarize_packed(binarization, x, bits))
    }

    /// [`Offload::unpack`], blocking.
    ///
    /// # Errors
    /// As [`Offload::unpack`].
    pub fn unpack_blocking<T: Scalar>(&self, scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), Error> {
        pollster::block_on(self.unpack(scale, bits, y))
    }

    /// [`Offload::binarize_backward`], blocking.
    ///
    /// # Errors
    /// As [`Offload::binarize_backward`].
    pub fn binarize_backward_blocking<T: Scalar>(
        &self,
        estimator: StraightThrough,
        x: &[T],
        g: &[T],
        dx: &mut [T],
    ) -> Result<(), Error> {
        pollster::block_on(self.binarize_backward(estimator, x, g, dx))
    }
}

/// What was chosen, for a person: `CPU (asked for)`, `NVIDIA H200 (Vulkan, driver 580)`.
impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Chosen::Cpu { why } => write!(f, "CPU ({why})"),
            Chosen::Gpu(gpu) => {
                let info = &gpu.info;
                write!(
                    f,
                    "{} ({:?}, {} {})",
                    info.name, info.backend, info.driver, info.driver_info
                )
            }
        }
    }
}

impl Gpu {
    async fn forward<T: Scalar>(&self, definition: HardSigmoid, x: &[T]) -> Result<Vec<T>, Error> {
        let prepare = |_, r: &[BufferRange<'_>]| self.kernels.forward(definition, T::ELEMENT, r[0], r[0]);
        self.in_chunks(x.len(), &[tensor(x)], unit::<T>(), prepare).await
    }

    async fn backward<T: Scalar>(&self, definition: HardSigmoid, x: &[T], g: &[T]) -> Result<Vec<T>, Error> {
        let prepare = |_, r: &[BufferRange<'_>]| self.kernels.backward(definition, T::ELEMENT, r[0], r[1], r[1]);
        self.in_chunks(x.len(), &[tensor(x), tensor(g)], unit::<T>(), prepare)
            .await
    }

    async fn binarize<T: Scalar>(&self, how: Binarization, scale: f32, x: &[T]) -> Result<Vec<T>, Error> {
        T::ELEMENT.check_scale(scale)?;
        let prepare = |start, r: &[BufferRange<'_>]| {
            let how = how.advanced(start);
            self.kernels.binarize(how, scale, T::ELEMENT, r[0], r[0])
        };
        self.in_chunks(x.len(), &[tensor(x)], unit::<T>(), prepare).await
    }

    async fn binarize_packed<T: Scalar>(&self, how: Binarization, x: &[T]) -> Result<Vec<u32>, Error> {
        let prepare = |start, r: &[BufferRange<'_>]| {
            let how = how.advanced(start);
            self.kernels.binarize_packed(how, T::ELEMENT, r[0], r[1])
        };
        self.in_chunks(x.len(), &[tensor(x)], Unit::Bits, prepare).await
    }

    async fn unpack<T: Scalar>(&self, scale: f32, bits: &[u32], len: usize) -> Result<Vec<T>, Error> {
        T::ELEMENT.check_scale(scale)?;
        let prepare = |_, r: &[BufferRange<'_>]| self.kernels.unpack(scale, T::ELEMENT, r[0], r[1]);
        let bits = (bytemuck::cast_slice(bits), Unit::Bits);
        self.in_chunks(len, &[bits], unit::<T>(), prepare).await
    }

    async fn binarize_backward<T: Scalar>(&self, how: StraightThrough, x: &[T], g: &[T]) -> Result<Vec<T>, Error> {
        let prepare = |_, r: &[BufferRange<'_>]| self.kernels.binarize_backward(how, T::ELEMENT, r[0], r[1], r[1]);
        self.in_chunks(x.len(), &[tensor(x), tensor(g)], unit::<T>(), prepare)
            .await
    }

    /// Uploads the inputs chunk by chunk, runs a launch on each, and brings its result back. `prepare` is told the first
    /// element of a chunk, and the ranges of the inputs; the result replaces the last of them, or has a range of its own
    /// behind them if it is made of something else.
    async fn in_chunks<R: bytemuck::Pod>(
        &self,
        len: usize,
        inputs: &[(&[u8], Unit)],
        result: Unit,
        prepare: impl Fn(u64, &[BufferRange<'_>]) -> Result<Launch, Error>,
    ) -> Result<Vec<R>, Error> {
        let mut results = Vec::with_capacity(result.size(len as u64) as usize / size_of::<R>());
        if len == 0 {
            return Ok(results);
        }
        let device = self.kernels.device();
        let longest = len.min(CHUNK) as u64;
        let buffer = |name: &str, unit: Unit, usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(&format!("hard_sigmoid::offload::{name}")),
                size: unit.size(longest).next_multiple_of(4),
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let scopes = Scopes::push(device);
        let mut units: Vec<_> = inputs.iter().map(|&(_, unit)| unit).collect();
        if units.last() != Some(&result) {
            units.push(result);
        }
        let on_device = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let buffers: Vec<_> = units.iter().map(|&unit| buffer("tensor", unit, on_device)).collect();
        let staging = buffer("staging", result, wgpu::BufferUsages::MAP_READ);
        self.check(scopes).await?;

        for start in (0..len).step_by(CHUNK) {
            let chunk = (len - start).min(CHUNK) as u64;
            let scopes = Scopes::push(device);
            for (buffer, &(bytes, unit)) in buffers.iter().zip(inputs) {
                let bytes = &bytes[unit.size(start as u64) as usize..][..unit.size(chunk) as usize];
                // wgpu writes whole words; half a one remains if the number of halves is odd.
                let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
                self.queue.write_buffer(buffer, 0, whole);
                if let [low, high] = *rest {
                    self.queue.write_buffer(buffer, whole.len() as u64, &[low, high, 0, 0]);
                }
            }
            let ranges: Vec<_> = buffers
                .iter()
                .zip(&units)
                .map(|(buffer, unit)| buffer.slice(..unit.size(chunk)).into())
                .collect();
            let launch = prepare(start as u64, &ranges);
            let bytes = result.size(chunk);
            let bound = bytes.next_multiple_of(4);
            let (report, mapped) = oneshot::channel();
            if let Ok(launch) = &launch {
                let mut encoder = device.create_command_encoder(&Default::default());
                launch.encode(&mut encoder.begin_compute_pass(&Default::default()));
                encoder.copy_buffer_to_buffer(&buffers[buffers.len() - 1], 0, &staging, 0, bound);
                self.queue.submit([encoder.finish()]);
                staging.map_async(wgpu::MapMode::Read, ..bound, move |result| {
                    // Fails only if nobody waits any more.
                    let _ = report.send(result);
                });
                // Does nothing in a browser, whose event loop reports by itself. A failure also reaches the callback.
                let _ = device.poll(wgpu::PollType::wait_indefinitely());
            }
            self.check(scopes).await?;
            launch?;
            let failed = |details: String| self.loss().unwrap_or(Error::Gpu { details });
            let mapping = mapped.await.map_err(|_| failed("the result was never mapped".into()))?;
            mapping.map_err(|error| failed(error.to_string()))?;
            let view = staging
                .get_mapped_range(..bound)
                .map_err(|error| failed(error.to_string()))?;
            results.extend_from_slice(bytemuck::cast_slice(&view[..bytes as usize]));
            drop(view);
            staging.unmap();
        }
        Ok(results)
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

    fn loss(&self) -> Option<Error> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(|details| Error::DeviceLost { details })
    }
}

fn unit<T: Scalar>() -> Unit {
    Unit::Element(T::ELEMENT)
}

fn tensor<T: Scalar>(values: &[T]) -> (&[u8], Unit) {
    (bytemuck::cast_slice(values), unit::<T>())
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

/// The adapter that the environment asks for, or wgpu's choice. The outer error is a wrong wish, the inner text says
/// why there is no adapter at all.
async fn find_adapter() -> Result<Result<wgpu::Adapter, String>, Error> {
    let wish = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(given) = wish("WGPU_BACKEND") {
        if wgpu::Backends::from_comma_list(&given).is_empty() {
            let details = format!("WGPU_BACKEND={given} names no backend; use vulkan, metal, dx12, gl or webgpu");
            return Err(Error::NoAdapter { details });
        }
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    if let Some(name) = wish("WGPU_ADAPTER_NAME") {
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let names: Vec<_> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
        let matches = |found: &String| found.to_lowercase().contains(&name.to_lowercase());
        let Some(index) = names.iter().position(matches) else {
            let details = format!("WGPU_ADAPTER_NAME={name} matches none of {names:?}");
            return Err(Error::NoAdapter { details });
        };
        return Ok(Ok(adapters[index].clone()));
    }
    // Without a preference wgpu takes the first adapter of the first backend, which may be a software one.
    let power_preference = match wgpu::PowerPreference::from_env() {
        Some(wgpu::PowerPreference::LowPower) => wgpu::PowerPreference::LowPower,
        _ => wgpu::PowerPreference::HighPerformance,
    };
    let options = wgpu::RequestAdapterOptions {
        power_preference,
        ..Default::default()
    };
    Ok(match instance.request_adapter(&options).await {
        // Its dispatches do nothing: not a place to compute.
        Ok(adapter) if adapter.get_info().backend == wgpu::Backend::Noop => Err("only wgpu's noop backend".into()),
        Ok(adapter) => Ok(adapter),
        Err(error) => Err(error.to_string()),
    })
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

    #[test]
    fn targets_round_trip() {
        for target in [Target::Auto, Target::Gpu, Target::Cpu] {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert!("tpu".parse::<Target>().unwrap_err().contains("auto, gpu or cpu"));
    }

    /// Compiles only if a multi-threaded executor can run the calls.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: T) {}
        let offload = Offload::cpu("test");
        send(offload.forward::<f32>(HardSigmoid::JAX, &[], &mut []));
        send(Offload::new(Target::Cpu));
    }
}
