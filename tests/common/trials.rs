//! GPU tests run once on every adapter of the machine, and never pass silently if there is none.

use libtest_mimic::{Arguments, Conclusion, Failed, Trial};

/// A test on one adapter. If its name says `opt-in`, it is ignored unless it is asked for.
pub type Test = (&'static str, fn(&wgpu::Adapter));

/// Runs each test on each adapter. Without an adapter the tests show as ignored, with the reason in their name; with
/// `HARD_SIGMOID_REQUIRE_GPU=1` they fail.
pub fn run(tests: &[Test]) -> Conclusion {
    let mut arguments = Arguments::from_args();
    // A test computes and then waits for the device, so one a core would leave cores idle.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads.get_or_insert(2 * cores);
    let adapters = adapters();
    let required = std::env::var("HARD_SIGMOID_REQUIRE_GPU").is_ok_and(|value| value == "1");
    let mut trials = Vec::new();
    for &(name, test) in tests {
        let opt_in = name.contains("opt-in");
        if adapters.is_empty() {
            let reason = "no adapter; install a driver, mesa-vulkan-drivers for one without a GPU";
            let trial = Trial::test(format!("{name}: {reason}"), move || Err(Failed::from(reason)));
            trials.push(trial.with_ignored_flag(opt_in || !required));
        }
        for adapter in &adapters {
            let info = adapter.get_info();
            if let Some(reason) = crate::cannot_run(name, adapter) {
                println!("test {name} on {:?}: {} ... NOT RUN, {reason}", info.backend, info.name);
                continue;
            }
            let adapter = adapter.clone();
            let trial = Trial::test(format!("{name} on {:?}: {}", info.backend, info.name), move || {
                test(&adapter);
                Ok(())
            });
            trials.push(trial.with_ignored_flag(opt_in));
        }
    }
    libtest_mimic::run(&arguments, trials)
}

/// Every adapter of the backends that `WGPU_BACKEND` allows, all of them by default.
fn adapters() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.retain(|adapter| adapter.get_info().backend != wgpu::Backend::Noop);
    adapters
}
