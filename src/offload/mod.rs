//! Host slices in, host slices out, on a device that this crate finds: a GPU if there is one, else the CPU.
//!
//! The bits are the same wherever it runs. Offloading one activation hardly ever saves time, since the data crosses the
//! bus twice; embed the [kernels](crate::gpu::Kernels) where the data already is on the device.
//!
//! Calls are async, so that they run in a browser too. Elsewhere they finish in their first poll and block their thread
//! while the device works: [`block_on`] runs them, and under tokio they belong in `spawn_blocking`. A timeout can't
//! cancel them.
//!
//! ```
//! use hard_sigmoid::{HardSigmoid, Unary, offload::{Offload, Target, block_on}};
//!
//! let offload = block_on(Offload::new(Target::Auto))?;
//! let x = [-4.0_f32, 0.0, 1.5];
//! let mut y = [0.0; 3];
//! block_on(offload.unary(Unary::Forward(HardSigmoid::PYTORCH), &x, &mut y))?;
//! assert_eq!(y, [0.0, 0.5, 0.75]);
//! # Ok::<(), hard_sigmoid::offload::OffloadError>(())
//! ```

mod device;
pub(crate) mod error;
mod ring;
mod scopes;
mod staging;
mod transfer;

pub use error::OffloadError;
#[cfg(not(target_family = "wasm"))]
pub use pollster::block_on;

use crate::{
    cpu,
    gpu::Kernels,
    math::{
        binarize::Binarization,
        definition::HardSigmoid,
        dtype::{DType, Scalar},
        error::OpError,
        finite::Finite,
        names::named,
        op::{Binary, Op, Unary},
    },
};
use device::Gpu;
use std::fmt;
use transfer::{Mode, Transfer};

/// Which device to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Target {
    /// A real GPU if there is one, else the CPU path, which is over ten times faster than a GPU emulated in software.
    #[default]
    Auto,
    /// Any adapter, software ones too; an error if there is none.
    Gpu,
    /// The CPU path.
    Cpu,
}

named!(Target, "device", Auto => "auto", Gpu => "gpu", Cpu => "cpu");

/// A chosen device, and the operations on host slices there, except the broadcast gate. Each method computes what the
/// function of that name in [`cpu`] computes.
///
/// Slices of any length go through in chunks of 2^20 elements, three at a time: the host fills one and empties another
/// while the device computes. In f32 the buffers of a call take 24 MiB for each operand and result on a device with its own
/// memory (staging buffers and tensors), so 48 MiB forward, 72 MiB backward, and 120 MiB for `gate_backward`. They take half
/// as much if host and device share memory, and half as much in f16 and bf16. They are kept for the next call.
///
/// A call that fails leaves its output as it was. If the device fails when part of the output is written, the CPU path
/// computes the rest, with the same bits, and only the next call fails.
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
    /// On native targets wgpu's environment variables apply: `WGPU_BACKEND` (`vulkan`, `metal`, `dx12`, `gl`, or
    /// several with commas), `WGPU_ADAPTER_NAME` (part of a name), `WGPU_POWER_PREF` (`low` or `high`).
    ///
    /// # Errors
    /// With [`Target::Gpu`], [`OffloadError::NoAdapter`], [`OffloadError::NoDevice`] or
    /// [`UnsupportedDevice`](crate::plan::UnsupportedDevice). With [`Target::Auto`] only [`OffloadError::NoAdapter`],
    /// if `WGPU_BACKEND` or `WGPU_ADAPTER_NAME` names something that doesn't exist.
    pub async fn new(target: Target) -> Result<Self, OffloadError> {
        if target == Target::Cpu {
            return Ok(Self::cpu("asked for"));
        }
        let adapter = find_adapter().await?;
        let chosen = match (adapter, target) {
            (Err(details), Target::Gpu) => return Err(OffloadError::NoAdapter { details }),
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
    /// [`OffloadError::NoDevice`] or [`UnsupportedDevice`](crate::plan::UnsupportedDevice); [`OffloadError::NoAdapter`]
    /// for wgpu's noop backend, which computes nothing.
    pub async fn from_adapter(adapter: &wgpu::Adapter) -> Result<Self, OffloadError> {
        if adapter.get_info().backend == wgpu::Backend::Noop {
            return Err(OffloadError::NoAdapter {
                details: "wgpu's noop backend computes nothing".into(),
            });
        }
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
    ///
    /// [`Offload::new`] makes a `wgpu::Instance` of its own, and [`Offload::from_adapter`] takes that of the adapter. Bind
    /// only buffers that [`Kernels::device`] made: wgpu can't tell a buffer of another instance from one of its own (see
    /// [`Kernels`]).
    pub fn kernels(&self) -> Option<&Kernels> {
        match &self.0 {
            Chosen::Cpu { .. } => None,
            Chosen::Gpu(gpu) => Some(&gpu.kernels),
        }
    }

    /// [`cpu::unary`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn unary<T: Scalar>(&self, op: Unary, x: &[T], y: &mut [T]) -> Result<(), OffloadError> {
        cpu::check_sizes::<T, _>(op.into(), [size_of_val(x), size_of_val(y)])?;
        let transfer = elements(op.into(), &[x], [y], Mode::Replaced);
        let on_cpu = |done: usize, [y]: [&mut [T]; 1]| cpu::unary(op.advanced(done as u64), &x[done..], y);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::unary_in_place`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn unary_in_place<T: Scalar>(&self, op: Unary, x: &mut [T]) -> Result<(), OffloadError> {
        let transfer = elements(op.into(), &[], [x], Mode::Updated(0));
        let on_cpu = |done: usize, [x]: [&mut [T]; 1]| cpu::unary_in_place(op.advanced(done as u64), x);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::binary`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn binary<T: Scalar>(
        &self,
        op: Binary,
        first: &[T],
        second: &[T],
        out: &mut [T],
    ) -> Result<(), OffloadError> {
        let sizes = [size_of_val(first), size_of_val(second), size_of_val(out)];
        cpu::check_sizes::<T, _>(op.into(), sizes)?;
        let mode = match op {
            Binary::BackwardAccumulate(_) => Mode::Added,
            _ => Mode::Replaced,
        };
        let transfer = elements(op.into(), &[first, second], [out], mode);
        let on_cpu = |done: usize, [out]: [&mut [T]; 1]| cpu::binary(op, &first[done..], &second[done..], out);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::binary_in_place`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn binary_in_place<T: Scalar>(
        &self,
        op: Binary,
        kept: &[T],
        replaced: &mut [T],
    ) -> Result<(), OffloadError> {
        let Some(index) = Op::from(op).replaces() else {
            return Err(OpError::NotInPlace { op: op.name() }.into());
        };
        let mut sizes = [size_of_val(kept), size_of_val(kept), size_of_val(replaced)];
        sizes[index] = size_of_val(replaced);
        cpu::check_sizes::<T, _>(op.into(), sizes)?;
        let transfer = elements(op.into(), &[kept], [replaced], Mode::Updated(index));
        let on_cpu = |done: usize, [replaced]: [&mut [T]; 1]| cpu::binary_in_place(op, &kept[done..], replaced);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::gate_backward`] on this device. (On a device that binds fewer than five buffers, the CPU path computes
    /// it.)
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn gate_backward<T: Scalar>(
        &self,
        definition: HardSigmoid,
        a: &[T],
        b: &[T],
        g: &[T],
        da: &mut [T],
        db: &mut [T],
    ) -> Result<(), OffloadError> {
        let op = Op::GateBackward(definition);
        let sizes = [
            size_of_val(a),
            size_of_val(b),
            size_of_val(g),
            size_of_val(da),
            size_of_val(db),
        ];
        cpu::check_sizes::<T, _>(op, sizes)?;
        let transfer = elements(op, &[a, b, g], [da, db], Mode::Replaced);
        let on_cpu = |done: usize, [da, db]: [&mut [T]; 2]| {
            cpu::gate_backward(definition, &a[done..], &b[done..], &g[done..], da, db)
        };
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::pack`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn pack<T: Scalar>(&self, how: Binarization, x: &[T], bits: &mut [u32]) -> Result<(), OffloadError> {
        let op = Op::Pack(how);
        cpu::check_sizes::<T, _>(op, [size_of_val(x), size_of_val(bits)])?;
        let transfer = Transfer {
            op,
            dtype: T::DTYPE,
            len: x.len(),
            inputs: vec![bytemuck::cast_slice(x)],
            outputs: [bits],
            mode: Mode::Replaced,
        };
        let on_cpu = |done: usize, [bits]: [&mut [u32]; 1]| cpu::pack(how.advanced(done as u64), &x[done..], bits);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::unpack`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn unpack<T: Scalar>(&self, scale: f32, bits: &[u32], y: &mut [T]) -> Result<(), OffloadError> {
        let op = Op::Unpack(Finite::new("scale", scale).map_err(OpError::from)?);
        cpu::check_sizes::<T, _>(op, [size_of_val(bits), size_of_val(y)])?;
        let transfer = Transfer {
            op,
            dtype: T::DTYPE,
            len: y.len(),
            inputs: vec![bytemuck::cast_slice(bits)],
            outputs: [y],
            mode: Mode::Replaced,
        };
        let on_cpu = |done: usize, [y]: [&mut [T]; 1]| cpu::unpack(scale, &bits[done / 32..], y);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::lookup`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn lookup(&self, table: &[u8], x: &[u8], y: &mut [u8]) -> Result<(), OffloadError> {
        Op::Lookup.check_sizes(DType::U8, &[x, table, y].map(|bytes| bytes.len() as u64))?;
        let transfer = looked_up(vec![x, table], y, Mode::Replaced);
        let on_cpu = |done: usize, [y]: [&mut [u8]; 1]| cpu::lookup(table, &x[done..], y);
        self.run(transfer, on_cpu).await
    }

    /// [`cpu::lookup_in_place`] on this device.
    ///
    /// # Errors
    /// See [`OffloadError`].
    pub async fn lookup_in_place(&self, table: &[u8], x: &mut [u8]) -> Result<(), OffloadError> {
        Op::Lookup.check_sizes(DType::U8, &[x.len(), table.len(), x.len()].map(|len| len as u64))?;
        let transfer = looked_up(vec![table], x, Mode::Updated(0));
        let on_cpu = |_, [x]: [&mut [u8]; 1]| cpu::lookup_in_place(table, x);
        self.run(transfer, on_cpu).await
    }

    /// Runs an operation whose lengths were checked. `on_cpu` computes the elements from a given one on, and gets their
    /// outputs.
    async fn run<R: bytemuck::Pod, const M: usize>(
        &self,
        mut transfer: Transfer<'_, R, M>,
        on_cpu: impl FnOnce(usize, [&mut [R]; M]) -> Result<(), OpError>,
    ) -> Result<(), OffloadError> {
        transfer.op.check_dtype(transfer.dtype)?;
        let (done, result) = match &self.0 {
            Chosen::Gpu(gpu) if gpu.can_run(transfer.op) => gpu.run(&mut transfer).await,
            Chosen::Gpu(_) | Chosen::Cpu { .. } => return Ok(on_cpu(0, transfer.rest(0))?),
        };
        match result {
            Err(error) if done == 0 => Err(error),
            // A part of the output is written, and its former content is gone.
            Err(_) => Ok(on_cpu(done, transfer.rest(done))?),
            Ok(()) => Ok(()),
        }
    }
}

/// An operation on tensors of elements.
fn elements<'a, T: Scalar, const M: usize>(
    op: Op,
    inputs: &[&'a [T]],
    outputs: [&'a mut [T]; M],
    mode: Mode,
) -> Transfer<'a, T, M> {
    Transfer {
        op,
        dtype: T::DTYPE,
        len: outputs[0].len(),
        inputs: inputs.iter().map(|input| bytemuck::cast_slice(input)).collect(),
        outputs,
        mode,
    }
}

fn looked_up<'a>(inputs: Vec<&'a [u8]>, y: &'a mut [u8], mode: Mode) -> Transfer<'a, u8, 1> {
    Transfer {
        op: Op::Lookup,
        dtype: DType::U8,
        len: y.len(),
        inputs,
        outputs: [y],
        mode,
    }
}

/// Describes for a person what was chosen: `CPU (asked for)`, `NVIDIA H200 (Vulkan, driver 580)`.
impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Chosen::Cpu { why } => write!(f, "CPU ({why})"),
            Chosen::Gpu(gpu) => {
                let info = &gpu.info;
                write!(f, "{} ({:?}", info.name, info.backend)?;
                // Some backends don't tell their driver or its version.
                let driver = format!("{} {}", info.driver, info.driver_info);
                match driver.trim() {
                    "" => write!(f, ")"),
                    driver => write!(f, ", {driver})"),
                }
            }
        }
    }
}

/// The adapter that the environment asks for, or wgpu's choice. The outer error says that the environment names
/// something that doesn't exist; the inner text says why there is no adapter at all.
async fn find_adapter() -> Result<Result<wgpu::Adapter, String>, OffloadError> {
    let wish = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(given) = wish("WGPU_BACKEND") {
        if wgpu::Backends::from_comma_list(&given).is_empty() {
            let details = format!("WGPU_BACKEND={given} names no backend; use vulkan, metal, dx12, gl or webgpu");
            return Err(OffloadError::NoAdapter { details });
        }
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    if let Some(name) = wish("WGPU_ADAPTER_NAME") {
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
        let matches = |info: &wgpu::AdapterInfo| info.name.to_lowercase().contains(&name.to_lowercase());
        let Some(index) = infos.iter().position(matches) else {
            let names: Vec<_> = infos
                .iter()
                .map(|info| format!("{} ({:?})", info.name, info.backend))
                .collect();
            let details = match &names[..] {
                [] => format!("WGPU_ADAPTER_NAME={name} matches nothing, since there is no adapter"),
                names => format!("WGPU_ADAPTER_NAME={name} matches none of {}", names.join(", ")),
            };
            return Err(OffloadError::NoAdapter { details });
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
    Ok(instance
        .request_adapter(&options)
        .await
        .map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_round_trip() {
        for target in Target::ALL {
            assert_eq!(target.to_string().parse(), Ok(*target));
        }
        assert!(
            "tpu"
                .parse::<Target>()
                .unwrap_err()
                .to_string()
                .contains("auto, gpu, cpu")
        );
    }

    /// An adapter of a device whose dispatches do nothing.
    fn idle_adapter(limits: wgpu::Limits) -> wgpu::Adapter {
        let mut options = wgpu::InstanceDescriptor::new_without_display_handle();
        options.backends = wgpu::Backends::NOOP;
        options.backend_options.noop.enable = true;
        options.backend_options.noop.limits = Some(limits);
        block_on(wgpu::Instance::new(options).request_adapter(&Default::default())).unwrap()
    }

    const OP: Unary = Unary::Forward(HardSigmoid::PYTORCH);

    /// Loses the device when the chunk that starts at `at` is sent.
    fn losing_the_device(at: usize, x: &[f32], y: &mut [f32]) -> Result<(), OffloadError> {
        let gpu = block_on(Gpu::new(&idle_adapter(wgpu::Limits::default()))).unwrap();
        gpu.lose_at.set(at).unwrap();
        block_on(Offload(Chosen::Gpu(Box::new(gpu))).unary(OP, x, y))
    }

    #[test]
    fn an_adapter_that_computes_nothing_is_refused() {
        let error = block_on(Offload::from_adapter(&idle_adapter(wgpu::Limits::default()))).unwrap_err();
        let message = "no adapter: wgpu's noop backend computes nothing; install a driver or compute on the CPU";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn an_adapter_that_gives_no_device_is_an_error() {
        let adapter = idle_adapter(wgpu::Limits {
            max_storage_buffers_per_shader_stage: 2,
            ..Default::default()
        });
        let error = block_on(Gpu::new(&adapter)).unwrap_err();
        assert!(matches!(error, OffloadError::NoDevice { .. }), "{error}");
        assert!(
            error.to_string().contains("max_storage_buffers_per_shader_stage"),
            "{error}"
        );
    }

    #[test]
    fn a_call_that_fails_writes_nothing() {
        let x = vec![1.0; 3 * ring::CHUNK];
        let mut y = vec![7.0; x.len()];
        for at in [0, 2 * ring::CHUNK] {
            let error = losing_the_device(at, &x, &mut y).unwrap_err();
            assert!(matches!(error, OffloadError::DeviceLost { .. }), "{error}");
            assert!(y.iter().all(|&y| y == 7.0));
        }
    }

    #[test]
    fn the_cpu_finishes_what_a_lost_device_began() {
        let x = vec![1.0; 5 * ring::CHUNK + 1];
        let mut y = vec![7.0; x.len()];
        losing_the_device(3 * ring::CHUNK, &x, &mut y).unwrap();
        let expected = HardSigmoid::PYTORCH.forward(1.0);
        // The first chunk had come back from the device that does nothing.
        assert!(y[..ring::CHUNK].iter().all(|&y| y != 7.0 && y != expected));
        assert!(y[ring::CHUNK..].iter().all(|&y| y == expected));
    }

    /// Compiles only if a multi-threaded executor can run the calls.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: T) {}
        let offload = Offload::cpu("test");
        send(offload.unary::<f32>(OP, &[], &mut []));
        send(Offload::new(Target::Cpu));
    }
}
