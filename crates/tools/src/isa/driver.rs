//! A Vulkan driver as a compiler: SPIR-V in, machine code as text out. Nothing runs, so the driver needs no device.

use crate::Result;
use ash::{ext, khr, vk};
use std::ffi::{CStr, c_char};

/// An entry point, compiled by a driver.
#[derive(Debug)]
pub struct Compiled {
    /// The machine code as text.
    pub listing: String,
    /// How many invocations run side by side.
    pub subgroup: u32,
    /// The driver's statistics, such as the number of registers.
    pub statistics: Vec<(String, u64)>,
}

pub struct Driver {
    /// The device's own name.
    pub name: String,
    /// Whether the driver checks the bounds of buffers. Otherwise naga has to.
    pub checks_bounds: bool,
    pub spirv_version: (u8, u8),
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    instance: ash::Instance,
    _loader: ash::Entry,
}

fn text(characters: &[c_char]) -> String {
    let bytes = characters.iter().map(|&c| c as u8).take_while(|&c| c != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

impl Driver {
    /// The only device of the driver that the environment chooses, opened with the features that wgpu asks for.
    pub fn open() -> Result<Self> {
        // SAFETY: the calls follow Vulkan's rules for valid usage: what a call borrows outlives it, handles belong to the
        // instance or the device that they are used with, and extensions are enabled before they are used.
        unsafe {
            let loader = ash::Entry::load()?;
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = loader.create_instance(&info, None).map_err(|error| {
                let driver = std::env::var("VK_ICD_FILENAMES").unwrap_or_default();
                format!("no Vulkan instance with the driver {driver:?}: {error}")
            })?;
            let [physical] = instance.enumerate_physical_devices()?[..] else {
                return Err("VK_ICD_FILENAMES has to name a driver with one device".into());
            };
            let properties = instance.get_physical_device_properties(physical);
            let available = instance.enumerate_device_extension_properties(physical)?;
            let has = |name: &CStr| {
                available
                    .iter()
                    .any(|extension| extension.extension_name_as_c_str() == Ok(name))
            };
            if !has(khr::pipeline_executable_properties::NAME) {
                return Err(
                    "the driver lacks VK_KHR_pipeline_executable_properties, which shows its machine code".into(),
                );
            }

            let mut robustness = vk::PhysicalDeviceRobustness2FeaturesEXT::default();
            if has(ext::robustness2::NAME) {
                let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut robustness);
                instance.get_physical_device_features2(physical, &mut features);
            }
            let checks_bounds = robustness.robust_buffer_access2 == vk::TRUE;
            let mut extensions = vec![khr::pipeline_executable_properties::NAME.as_ptr()];
            if checks_bounds {
                extensions.push(ext::robustness2::NAME.as_ptr());
            }
            let mut robustness =
                vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(checks_bounds);
            let mut shown =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
            let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
            let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
            let mut info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queue)
                .enabled_extension_names(&extensions)
                .enabled_features(&core)
                .push_next(&mut shown);
            if checks_bounds {
                info = info.push_next(&mut robustness);
            }
            let device = instance.create_device(physical, &info, None)?;
            let spirv_version = match properties.api_version {
                version if version >= vk::API_VERSION_1_3 => (1, 6),
                version if version >= vk::API_VERSION_1_2 => (1, 5),
                version if version >= vk::API_VERSION_1_1 => (1, 3),
                _ => (1, 0),
            };
            Ok(Self {
                name: text(&properties.device_name),
                checks_bounds,
                spirv_version,
                executables: khr::pipeline_executable_properties::Device::new(&instance, &device),
                device,
                instance,
                _loader: loader,
            })
        }
    }

    /// Compiles an entry point that binds `storage` storage buffers in group 0, and after them a uniform buffer.
    pub fn compile(&self, spirv: &[u32], entry_point: &CStr, storage: u32) -> Result<Compiled> {
        let binding = |index| {
            let kind = if index < storage {
                vk::DescriptorType::STORAGE_BUFFER
            } else {
                vk::DescriptorType::UNIFORM_BUFFER
            };
            vk::DescriptorSetLayoutBinding::default()
                .binding(index)
                .descriptor_type(kind)
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        };
        let bindings: Vec<_> = (0..=storage).map(binding).collect();
        // SAFETY: as in `open`; the SPIR-V is valid because naga wrote it.
        unsafe {
            let device = &self.device;
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [device.create_descriptor_set_layout(&info, None)?];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&info, None)?;
            let module = device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(spirv), None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(entry_point);
            let captured = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(captured)
                .stage(stage)
                .layout(layout);
            let made = device.create_compute_pipelines(vk::PipelineCache::null(), &[info], None);
            let pipeline = made.map_err(|(_, error)| error)?[0];
            let compiled = self.read(pipeline);
            device.destroy_pipeline(pipeline, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(sets[0], None);
            compiled
        }
    }

    fn read(&self, pipeline: vk::Pipeline) -> Result<Compiled> {
        // A driver may compile an entry point for several subgroup sizes; the last is the one it would run.
        // SAFETY: as in `open`.
        unsafe {
            let of = vk::PipelineInfoKHR::default().pipeline(pipeline);
            let executables = self.executables.get_pipeline_executable_properties(&of)?;
            let last = executables.last().ok_or("the pipeline has no executable")?;
            let (index, subgroup) = (executables.len() as u32 - 1, last.subgroup_size.max(1));
            let executable = vk::PipelineExecutableInfoKHR::default()
                .pipeline(pipeline)
                .executable_index(index);
            let statistics = self.executables.get_pipeline_executable_statistics(&executable)?;
            let number = |one: &vk::PipelineExecutableStatisticKHR<'_>| match one.format {
                vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => one.value.f64 as u64,
                vk::PipelineExecutableStatisticFormatKHR::BOOL32 => one.value.b32.into(),
                _ => one.value.u64,
            };
            let statistics = statistics.iter().map(|one| (text(&one.name), number(one))).collect();

            let query = self
                .executables
                .fp()
                .get_pipeline_executable_internal_representations_khr;
            let handle = self.device.handle();
            let mut count = 0;
            query(handle, &executable, &mut count, std::ptr::null_mut()).result()?;
            let mut all = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            // The first query fills in the sizes, the second one the text.
            query(handle, &executable, &mut count, all.as_mut_ptr()).result()?;
            let mut texts: Vec<Vec<u8>> = all.iter().map(|one| vec![0; one.data_size]).collect();
            for (one, text) in all.iter_mut().zip(&mut texts) {
                one.p_data = text.as_mut_ptr().cast();
            }
            query(handle, &executable, &mut count, all.as_mut_ptr()).result()?;
            let named = |one: &vk::PipelineExecutableInternalRepresentationKHR<'_>| {
                one.is_text == vk::TRUE && text(&one.name).to_lowercase().contains("assembly")
            };
            let found = all.iter().position(named).ok_or_else(|| {
                let names: Vec<_> = all.iter().map(|one| text(&one.name)).collect();
                format!("the driver shows no assembly, only {names:?}")
            })?;
            let listing = String::from_utf8_lossy(&texts[found]);
            Ok(Compiled {
                listing: listing.trim_end_matches('\0').to_string(),
                subgroup,
                statistics,
            })
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // SAFETY: nothing else of the device or the instance is in use.
        unsafe {
            self.device.destroy_device(None);
            self.instance.destroy_instance(None);
        }
    }
}
