//! Reads the machine code that the shader compilers of real drivers make of the kernels, without a GPU: `./test.sh isa`.
//!
//! Environment variables choose the driver, so each device is read by a process of its own, which prints its counts.

#[path = "../../../../tests/common/careless.rs"]
mod careless;
mod check;
mod device;
#[expect(unsafe_code, reason = "Vulkan's functions are unsafe")]
mod driver;
mod kernels;
mod listing;
#[path = "../../../../tests/common/outside.rs"]
mod outside;
mod page;

use crate::Result;
use clap::Args;
use device::DEVICES;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Reads the machine code that the shader compilers of real drivers make of the kernels
///
/// Compiles every pipeline with AMD's driver (RADV), and with Intel's (ANV) if Mesa's shim for its device is given. Fails if a product
/// is fused where two roundings are promised, if floats are compared or clamped, if vectors are split, if registers spill, or if a
/// kernel takes more instructions than its limit.
#[derive(Args)]
pub struct Arguments {
    /// Mesa's shim for Intel's device; `./test.sh isa` builds it
    #[arg(long, value_name = "libintel_noop_drm_shim.so")]
    intel_shim: Option<PathBuf>,
    /// The page to write the counts to
    #[arg(long, value_name = "docs/portability.md")]
    write: Option<PathBuf>,
    /// For the processes that this one starts
    #[arg(long, hide = true)]
    device: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.device {
        Some(name) => {
            let named = DEVICES.iter().find(|device| name == device.name);
            named.map_or(Err("--device: no such device".into()), check::check)
        }
        None => read_all(arguments.intel_shim.as_deref(), arguments.write.as_deref()),
    }
}

/// Reads every device, each in a process of its own.
fn read_all(shim: Option<&Path>, page: Option<&Path>) -> Result<()> {
    let mut counted = vec![];
    for device in &DEVICES {
        let Some(environment) = device.environment(shim)? else {
            println!("{}: NOT READ, its driver needs --intel-shim", device.name);
            continue;
        };
        let output = Command::new(std::env::current_exe()?)
            .args(["isa", "--device", device.name])
            .envs(environment)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("on {} ({}): {text}{errors}", device.name, device.about).into());
        }
        let counts = page::Counts::parse(device, &text)?;
        println!("{} ({}): {}", device.name, device.about, counts.summary);
        counted.push(counts);
    }
    print!("\n{}\n{}", page::table(&counted), page::functions(&counted));
    if let Some(path) = page {
        page::write(path, &counted)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
