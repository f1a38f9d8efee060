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

mod gpu;

use crate::{
    Binarization, BufferRange, Error, HardSigmoid, Kernels, Launch, Scalar, StraightThrough, cpu, element::Unit,
};
use gpu::{Gpu, Job, Output};
use std::{fmt, str::FromStr};

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
/// Slices of any length go through in chunks of 2^20 elements, three at a time: the host fills one and empties another while
/// the device computes. Extra memory stays below 72 MiB on a device with its own memory (staging buffers and tensors), 36 MiB
/// where host and device share theirs, and is kept for the next call.
///
/// A call that fails leaves its output as it was. If the device fails when part of the output is written, the CPU path
/// computes the rest, with the same bits, and it is the next call that fails.
#[derive(Debug)]
pub struct Offload(Chosen);

#[derive(Debug)]
enum Chosen {
    Cpu { why: String },
    Gpu(Box<Gpu>),
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
        Ok(Self(Chosen::Gpu(Box::new(Gpu::new(adapter).await?))))
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
        cpu::same_length(("x", x), ("y", y))?;
        self.run(
            Job::of_tensors(&[x], y, Output::Replaced),
            |kernels, _, r| kernels.forward(definition, T::ELEMENT, r[0], r[1]),
            |start, y| cpu::forward(definition, &x[start..], y),
        )
        .await
    }

    /// `x[i] = forward(x[i])`.
    ///
    /// # Errors
    /// On a GPU, [`Error::DeviceLost`], [`Error::OutOfMemory`] and [`Error::Gpu`].
    pub async fn forward_in_place<T: Scalar>(&self, definition: HardSigmoid, x: &mut [T]) -> Result<(), Error> {
        self.run(
            Job::of_tensors(&[], x, Output::Updated),
            |kernels, _, r| kernels.forward(definition, T::ELEMENT, r[0], r[1]),
            |_, x| {
                cpu::forward_in_place(definition, x);
                Ok(())
            },
        )
        .await
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
        cpu::same_length(("x", x), ("g", g))?;
        cpu::same_length(("x", x), ("dx", dx))?;
        self.run(
            Job::of_tensors(&[x, g], dx, Output::Replaced),
            |kernels, _, r| kernels.backward(definition, T::ELEMENT, r[0], r[1], r[2]),
            |start, dx| cpu::backward(definition, &x[start..], &g[start..], dx),
        )
        .await
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
        cpu::same_length(("x", x), ("g", g))?;
        self.run(
            Job::of_tensors(&[x], g, Output::Updated),
            |kernels, _, r| kernels.backward(definition, T::ELEMENT, r[0], r[1], r[2]),
            |start, g| cpu::backward_in_place(definition, &x[start..], g),
        )
        .await
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
        cpu::same_length(("x", x), ("y", y))?;
        T::ELEMENT.check_scale(scale)?;
        let from = |start| binarization.advanced(start);
        self.run(
            Job::of_tensors(&[x], y, Output::Replaced),
            |kernels, start, r| kernels.binarize(from(start), scale, T::ELEMENT, r[0], r[1]),
            |start, y| cpu::binarize(from(start as u64), scale, &x[start..], y),
        )
        .await
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
        cpu::packed_length(("x", x), bits)?;
        let from = |start| binarization.advanced(start);
        let job = Job {
            len: x.len(),
            inputs: vec![(bytemuck::cast_slice(x), Unit::Element(T::ELEMENT))],
            output: bits,
            unit: Unit::Bits,
            kind: Output::Replaced,
        };
        self.run(
            job,
            |kernels, start, r| kernels.binarize_packed(from(start), T::ELEMENT, r[0], r[1]),
            |start, bits| cpu::binarize_packed(from(start as u64), &x[start..], bits),
        )
        .await
    }

    /// `y[i]` is `scale` where bit `i` is 1, else `-scale`: see [`cpu::unpack`].
    ///
    /// # Errors
    /// As [`Offload::binarize_packed`]; also [`Error::NotFinite`] if `scale` isn't finite in `T`.
    pub async fn unpack<T: Scalar>(&self, scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), Error> {
        cpu::packed_length(("y", y), bits)?;
        T::ELEMENT.check_scale(scale)?;
        let job = Job {
            len: y.len(),
            inputs: vec![(bytemuck::cast_slice(bits), Unit::Bits)],
            output: y,
            unit: Unit::Element(T::ELEMENT),
            kind: Output::Replaced,
        };
        self.run(
            job,
            |kernels, _, r| kernels.unpack(scale, T::ELEMENT, r[0], r[1]),
            |start, y| cpu::unpack(scale, &bits[start / 32..], y),
        )
        .await
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
        cpu::same_length(("x", x), ("g", g))?;
        cpu::same_length(("x", x), ("dx", dx))?;
        self.run(
            Job::of_tensors(&[x, g], dx, Output::Replaced),
            |kernels, _, r| kernels.binarize_backward(estimator, T::ELEMENT, r[0], r[1], r[2]),
            |start, dx| cpu::binarize_backward(estimator, &x[start..], &g[start..], dx),
        )
        .await
    }

    /// Runs a job of lengths and parameters that were checked. `prepare` is told the first element of a chunk, and the
    /// ranges of its inputs and its output; `on_cpu` computes the elements of the output from `start` on.
    async fn run<R: bytemuck::Pod + Send>(
        &self,
        mut job: Job<'_, R>,
        prepare: impl Fn(&Kernels, u64, &[BufferRange<'_>]) -> Result<Launch, Error>,
        on_cpu: impl FnOnce(usize, &mut [R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Chosen::Gpu(gpu) = &self.0 else {
            return on_cpu(0, job.output);
        };
        let (done, result) = gpu.run(&mut job, prepare).await;
        match result {
            Ok(()) => Ok(()),
            Err(error) if done == 0 => Err(error),
            // A part of the output is written and its former content gone.
            Err(_) => on_cpu(done, job.rest(done)),
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
    fn targets_round_trip() {
        for target in [Target::Auto, Target::Gpu, Target::Cpu] {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert!("tpu".parse::<Target>().unwrap_err().contains("auto, gpu or cpu"));
    }

    /// A device whose dispatches do nothing.
    fn idle_device() -> Offload {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::NOOP;
        options.backend_options.noop.enable = true;
        let adapter = wgpu::Instance::new(options).request_adapter(&Default::default());
        pollster::block_on(Offload::from_adapter(&pollster::block_on(adapter).unwrap())).unwrap()
    }

    /// Loses the device when the chunk that starts at `at` is sent.
    fn losing_the_device(at: usize, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        let definition = HardSigmoid::PYTORCH;
        pollster::block_on(idle_device().run(
            Job::of_tensors(&[x], y, Output::Replaced),
            |kernels, start, r| {
                if start == at as u64 {
                    kernels.device().destroy();
                }
                kernels.forward(definition, crate::Element::F32, r[0], r[1])
            },
            |start, y| cpu::forward(definition, &x[start..], y),
        ))
    }

    #[test]
    fn a_call_that_fails_writes_nothing() {
        let x = vec![1.0; 3 * gpu::CHUNK];
        let mut y = vec![7.0; x.len()];
        for at in [0, 2 * gpu::CHUNK] {
            let error = losing_the_device(at, &x, &mut y).unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
            assert!(y.iter().all(|&y| y == 7.0));
        }
    }

    #[test]
    fn the_cpu_finishes_what_a_lost_device_began() {
        let x = vec![1.0; 5 * gpu::CHUNK + 1];
        let mut y = vec![7.0; x.len()];
        losing_the_device(3 * gpu::CHUNK, &x, &mut y).unwrap();
        let expected = HardSigmoid::PYTORCH.forward(1.0);
        // The first chunk had come back from the device that does nothing.
        assert!(y[..gpu::CHUNK].iter().all(|&y| y != 7.0 && y != expected));
        assert!(y[gpu::CHUNK..].iter().all(|&y| y == expected));
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
