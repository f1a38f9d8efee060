//! The devices whose machine code is read.

use crate::{Result, isa::listing::Vendor};
use std::path::Path;

/// A device that a driver compiles for.
pub struct Device {
    pub name: &'static str,
    pub about: &'static str,
    pub vendor: Vendor,
}

pub const DEVICES: [Device; 7] = [
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
    pub fn environment(&self, shim: Option<&Path>) -> Result<Option<Vec<(&'static str, String)>>> {
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
