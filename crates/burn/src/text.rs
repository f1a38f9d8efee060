//! Launches our WGSL text on cubecl's wgpu runtime, whichever shading language burn compiles its own kernels to.
//!
//! cubecl takes WGSL text if it compiles to WGSL itself. With burn's features `vulkan` and `metal` it compiles to SPIR-V and MSL
//! and refuses WGSL, although wgpu still takes it. So we switch the runtime's options to WGSL while it creates our pipeline, on the
//! device's own thread, where nothing else runs. cubecl keeps the pipeline and launches it like any other.

use burn_cubecl::cubecl::{
    CubeKernel, PrecompiledSource,
    client::Client,
    device::DeviceId,
    device_handle::DeviceHandle,
    ir::{UIntKind, metadata::Info},
    prelude::*,
    server::KernelArguments,
    wgpu::{AutoCompiler, WgpuServer},
};
use cubecl_server::stream::WriteScoped;
use hard_sigmoid::plan::{Device, Kernel, Limits, Stage};
use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

/// cubecl's runtime on wgpu. Its compiler is one of three, chosen when the device starts.
type Server = WgpuServer<AutoCompiler>;

/// The limits and pipelines of a device.
struct Known {
    limits: Device,
    /// Kernels whose pipelines cubecl has created.
    made: HashSet<KernelId>,
}

/// Kept for every device until the program ends, as cubecl keeps its devices.
static KNOWN: LazyLock<Mutex<HashMap<DeviceId, Known>>> = LazyLock::new(Mutex::default);

/// Locks [`KNOWN`]. A panic while it was locked leaves nothing half done in it.
fn known() -> MutexGuard<'static, HashMap<DeviceId, Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn server(client: &Client) -> DeviceHandle<Server> {
    DeviceHandle::new(client.service_id().device)
}

/// The device's limits. `None` if it isn't wgpu's (CUDA and ROCm), or if they are below what every kernel needs.
pub fn limits(client: &Client) -> Option<Device> {
    let id = client.service_id().device;
    if !client.name().starts_with("wgpu<") {
        return None;
    }
    if let Some(known) = known().get(&id) {
        return Some(known.limits);
    }
    // Don't hold the lock here: the device's thread may be about to take it.
    let limits = server(client)
        // There is one, since the tensor has a stream.
        .submit_blocking(|server| {
            server
                .write_streams()
                .streams()
                .next()
                .map(|stream| stream.device.limits())
        })
        .ok()??;
    let limits = Limits {
        max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
        min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
        max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
        max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
    };
    let limits = Device::new(limits).ok()?;
    let made = HashSet::new();
    known().entry(id).or_insert(Known { limits, made });
    Some(limits)
}

/// Enqueues a launch after everything that is already enqueued.
pub fn launch(client: &Client, entry_point: EntryPoint, count: CubeCount, arguments: KernelArguments) {
    let (id, kernel) = (client.service_id().device, entry_point.id());
    let takes_text = client.name() == "wgpu<wgsl>";
    let is_made = || known().get(&id).is_some_and(|known| known.made.contains(&kernel));
    if takes_text || is_made() {
        client.launch(Box::new(entry_point), count, arguments);
        return;
    }
    let server = server(client);
    let launched = client.exclusive(move || {
        let _text = TakingText::new(server);
        client.launch(Box::new(entry_point), count, arguments);
    });
    launched.unwrap_or_else(|error| panic!("launching a hard sigmoid: {error}"));
    if let Some(known) = known().get_mut(&id) {
        known.made.insert(kernel);
    }
}

/// Makes the runtime take WGSL until it is dropped. Use it only on the device's own thread, so that no other task runs meanwhile.
struct TakingText {
    server: DeviceHandle<Server>,
    before: [bool; 2],
}

impl TakingText {
    fn new(server: DeviceHandle<Server>) -> Self {
        let before = set(&server, [false; 2]);
        Self { server, before }
    }
}

impl Drop for TakingText {
    fn drop(&mut self) {
        set(&self.server, self.before);
    }
}

/// Whether the runtime compiles to SPIR-V and to MSL.
#[cfg(test)]
pub fn languages(client: &Client) -> [bool; 2] {
    let options = server(client).submit_blocking(|server| server.compilation_options);
    let options = options.unwrap();
    [options.supports_vulkan_compiler, options.supports_msl_compiler]
}

/// Sets whether the runtime compiles to SPIR-V and to MSL, and returns the previous setting.
fn set(server: &DeviceHandle<Server>, compiles: [bool; 2]) -> [bool; 2] {
    let set = server.submit_blocking(move |server| {
        let options = &mut server.compilation_options;
        let before = [options.supports_vulkan_compiler, options.supports_msl_compiler];
        [options.supports_vulkan_compiler, options.supports_msl_compiler] = compiles;
        before
    });
    set.unwrap_or_else(|error| panic!("the device's thread: {error:?}"))
}

/// An entry point of a kernel's text, as a cubecl kernel.
pub struct EntryPoint {
    pub kernel: Kernel,
    pub stage: Stage,
}

impl KernelMetadata for EntryPoint {
    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info((self.kernel.pipeline_key(), self.stage, env!("CARGO_PKG_VERSION")))
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl CubeKernel for EntryPoint {
    /// Never compiled: [`source`](Self::source) replaces it. The text says how large a workgroup is.
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(CubeDim::new_single().0, ExecutionMode::Checked, AddressType::U32);
        KernelDefinition {
            body: Scope::root(settings.clone()),
            settings,
            info: Info::default(),
        }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.kernel.text(),
            entrypoint_name: self.stage.entry_point().into(),
            lang: "wgsl",
        })
    }
}
