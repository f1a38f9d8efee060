//! Reads the machine code that the shader compilers of real drivers make of the kernels, without a GPU: `./test.sh isa`.
//!
//! Environment variables choose the driver, so each device is read by a process of its own, which prints its counts.

mod check;
mod driver;
mod kernels;
mod listing;
mod page;

use listing::Vendor;
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: isa [--intel-shim libintel_noop_drm_shim.so] [--write docs/portability.md]

Compiles every pipeline with AMD's driver (RADV), and with Intel's (ANV) if Mesa's shim for its device is given. Fails if a
product is fused where two roundings are promised, if floats are compared or clamped, if vectors are split, if registers spill, or
if a kernel takes more instructions than its limit.";

/// A device that a driver compiles for.
pub struct Device {
    name: &'static str,
    about: &'static str,
    vendor: Vendor,
}

const DEVICES: [Device; 7] = [
    Device::new("gfx1100", "AMD RDNA 3", Vendor::Amd),
    Device::new("navi21", "AMD RDNA 2", Vendor::Amd),
    Device::new("vega10", "AMD GCN 5", Vendor::Amd),
    Device::new("polaris10", "AMD GCN 4", Vendor::Amd),
    Device::new("dg2", "Intel Xe HPG", Vendor::Intel),
    Device::new("tgl", "Intel Xe LP", Vendor::Intel),
    Device::new("skl", "Intel Gen 9", Vendor::Intel),
];

impl Device {
    const fn new(name: &'static str, about: &'static str, vendor: Vendor) -> Self {
        Self { name, about, vendor }
    }

    /// The environment that makes the loader and the driver choose it. `None` without the shim that it needs.
    fn environment(&self, shim: Option<&Path>) -> Result<Option<Vec<(&'static str, String)>>> {
        let (driver, mut environment) = match (self.vendor, shim) {
            (Vendor::Amd, _) => ("radeon_icd", vec![("RADV_FORCE_FAMILY", self.name.to_string())]),
            (Vendor::Intel, None) => return Ok(None),
            (Vendor::Intel, Some(shim)) => (
                "intel_icd",
                vec![
                    ("INTEL_STUB_GPU_PLATFORM", self.name.to_string()),
                    ("LD_PRELOAD", shim.display().to_string()),
                ],
            ),
        };
        let folder = Path::new("/usr/share/vulkan/icd.d");
        let files = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let files = files.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found = files.filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(driver))
        });
        let file = found
            .next()
            .ok_or_else(|| format!("{} has no {driver}; install mesa-vulkan-drivers", folder.display()))?;
        environment.push(("VK_ICD_FILENAMES", file.display().to_string()));
        Ok(Some(environment))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let (mut shim, mut page, mut device) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let value = match argument {
            "--intel-shim" => &mut shim,
            "--write" => &mut page,
            // For the processes that this one starts.
            "--device" => &mut device,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        };
        let Some(given) = arguments.next() else {
            eprintln!("{argument} needs a value\n{USAGE}");
            return ExitCode::from(2);
        };
        *value = Some(PathBuf::from(given));
    }
    let done = match device {
        Some(name) => {
            let named = DEVICES.iter().find(|device| name.to_str() == Some(device.name));
            named.map_or(Err("--device: no such device".into()), check::check)
        }
        None => read_all(shim.as_deref(), page.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("isa: {error}");
            ExitCode::FAILURE
        }
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
            .args(["--device", device.name])
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
    print!("\n{}", page::table(&counted));
    if let Some(path) = page {
        page::write(path, &counted)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
