//! The adapters of a benchmark.

/// The adapters that `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` choose, all by default.
pub fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default().to_lowercase();
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.retain(|adapter| adapter.get_info().name.to_lowercase().contains(&wanted));
    assert!(
        !adapters.is_empty(),
        "no adapter has {wanted:?} in its name; install a driver, mesa-vulkan-drivers for one without a GPU"
    );
    adapters
}
