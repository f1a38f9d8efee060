//! The devices whose machine code is read.

use crate::{Result, isa::listing::Vendor};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A device that a driver compiles for.
pub struct Device {
    pub name: &'static str,
    pub about: &'static str,
    pub vendor: Vendor,
    /// What makes the driver, or the shim below it, choose the device.
    variables: &'static [(&'static str, &'static str)],
}

pub const DEVICES: [Device; 14] = {
    use Vendor::{Amd, Arm, Intel, Nvidia, Qualcomm};
    [
        Device::new("gfx1100", "AMD RDNA 3", Amd, &[("RADV_FORCE_FAMILY", "gfx1100")]),
        Device::new("navi21", "AMD RDNA 2", Amd, &[("RADV_FORCE_FAMILY", "navi21")]),
        Device::new("vega10", "AMD GCN 5", Amd, &[("RADV_FORCE_FAMILY", "vega10")]),
        Device::new("polaris10", "AMD GCN 4", Amd, &[("RADV_FORCE_FAMILY", "polaris10")]),
        Device::new("dg2", "Intel Xe HPG", Intel, &[("INTEL_STUB_GPU_PLATFORM", "dg2")]),
        Device::new("tgl", "Intel Xe LP", Intel, &[("INTEL_STUB_GPU_PLATFORM", "tgl")]),
        Device::new("skl", "Intel Gen 9", Intel, &[("INTEL_STUB_GPU_PLATFORM", "skl")]),
        // The chipset is hexadecimal.
        Device::new("ada", "NVIDIA Ada", Nvidia, &[("NOUVEAU_CHIPSET", "192")]),
        Device::new("ampere", "NVIDIA Ampere", Nvidia, &[("NOUVEAU_CHIPSET", "172")]),
        Device::new("turing", "NVIDIA Turing", Nvidia, &[("NOUVEAU_CHIPSET", "162")]),
        Device::new("a740", "Qualcomm Adreno 740", Qualcomm, &[("FD_GPU_ID", "740")]),
        Device::new("a660", "Qualcomm Adreno 660", Qualcomm, &[("FD_GPU_ID", "660")]),
        Device::new("g610", "Arm Mali Valhall", Arm, &[("PAN_GPU_ID", "a867")]),
        // PanVK calls its support of Bifrost broken.
        Device::new(
            "g52",
            "Arm Mali Bifrost",
            Arm,
            &[("PAN_GPU_ID", "7212"), ("PAN_I_WANT_A_BROKEN_VULKAN_DRIVER", "1")],
        ),
    ]
};

/// What `tests/isa` builds: where a driver needs it, and it's missing, the driver's devices aren't read.
#[derive(Args)]
pub struct Built {
    /// Mesa's shim for Intel's device
    #[arg(long, value_name = "libintel_noop_drm_shim.so")]
    intel_shim: Option<PathBuf>,
    /// The folder with Mesa's drivers for NVIDIA, Qualcomm and Arm, and their shims
    #[arg(long, value_name = "FOLDER")]
    mesa_drivers: Option<PathBuf>,
}

type Environment = Vec<(&'static str, String)>;

impl Device {
    const fn new(
        name: &'static str,
        about: &'static str,
        vendor: Vendor,
        variables: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self {
            name,
            about,
            vendor,
            variables,
        }
    }

    /// The environment that makes the loader and the driver choose it, or else the argument that is missing.
    pub fn environment(&self, built: &Built) -> Result<Result<Environment, &'static str>> {
        // One of Mesa's drivers, which has its shim beside it.
        let mesa = |driver: &str| {
            let folder = built.mesa_drivers.as_deref().ok_or("--mesa-drivers")?;
            Ok((
                folder.join(format!("{driver}.json")),
                Some(folder.join(format!("lib{driver}_noop_drm_shim.so"))),
            ))
        };
        let found = match (self.vendor, &built.intel_shim) {
            (Vendor::Amd, _) => Ok((installed("radeon_icd")?, None)),
            (Vendor::Intel, Some(shim)) => Ok((installed("intel_icd")?, Some(shim.clone()))),
            (Vendor::Intel, None) => Err("--intel-shim"),
            (Vendor::Nvidia, _) => mesa("nouveau"),
            (Vendor::Qualcomm, _) => mesa("freedreno"),
            (Vendor::Arm, _) => mesa("panfrost"),
        };
        Ok(found.map(|(driver, shim)| {
            let variables = self.variables.iter().map(|&(name, value)| (name, value.to_string()));
            let driver = ("VK_ICD_FILENAMES", driver.display().to_string());
            let shim = shim.map(|shim| ("LD_PRELOAD", shim.display().to_string()));
            // Nothing is written into the user's cache.
            let cache = ("MESA_SHADER_CACHE_DISABLE", "true".into());
            variables.chain([driver, cache]).chain(shim).collect()
        }))
    }
}

/// The file that describes an installed driver to Vulkan's loader.
fn installed(driver: &str) -> Result<PathBuf> {
    let folder = Path::new("/usr/share/vulkan/icd.d");
    let files = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = files.filter_map(|entry| Some(entry.ok()?.path()));
    let found = files.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(driver))
    });
    Ok(found.ok_or_else(|| format!("{} has no {driver}; install mesa-vulkan-drivers", folder.display()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each driver needs what it needs, and finds it there.
    #[test]
    fn a_device_without_its_driver_says_so() {
        let environment = |name: &str, mesa_drivers: Option<&str>| {
            let built = Built {
                intel_shim: None,
                mesa_drivers: mesa_drivers.map(Into::into),
            };
            let device = DEVICES.iter().find(|device| device.name == name).unwrap();
            device.environment(&built).unwrap()
        };
        for name in ["ada", "a660", "g52"] {
            assert_eq!(environment(name, None), Err("--mesa-drivers"));
        }
        assert_eq!(environment("skl", Some("drivers")), Err("--intel-shim"));
        let found = environment("a660", Some("drivers")).unwrap();
        for (name, value) in [
            ("FD_GPU_ID", "660"),
            ("VK_ICD_FILENAMES", "drivers/freedreno.json"),
            ("LD_PRELOAD", "drivers/libfreedreno_noop_drm_shim.so"),
        ] {
            assert!(found.contains(&(name, value.into())), "{found:?}");
        }
    }
}
