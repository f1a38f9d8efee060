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
use device::{Built, DEVICES};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Reads the machine code that the shader compilers of real drivers make of the kernels
///
/// Compiles every pipeline with AMD's driver (RADV), and with those of Intel (ANV), NVIDIA (NVK), Qualcomm (Turnip) and Arm (PanVK) if
/// what they need is given; `./test.sh isa` builds it. Fails if a product is fused where two roundings are promised, if floats are
/// compared or clamped, if vectors are split, if registers spill, or if a kernel takes more instructions than its limit.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    built: Built,
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
        None => read_all(&arguments.built, arguments.write.as_deref()),
    }
}

/// Reads every device, each in a process of its own.
fn read_all(built: &Built, page: Option<&Path>) -> Result<()> {
    let mut counted = vec![];
    for device in &DEVICES {
        let environment = match device.environment(built)? {
            Ok(environment) => environment,
            Err(missing) => {
                println!(
                    "{} ({}): NOT READ, its driver needs {missing}",
                    device.name, device.about
                );
                continue;
            }
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
    for (_, table) in page::tables(&counted) {
        print!("\n{table}");
    }
    if let Some(path) = page {
        page::write(path, &counted)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
