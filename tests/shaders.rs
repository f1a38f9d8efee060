//! Every file in `shaders/` parses, validates without optional capabilities, and translates to what wgpu feeds to
//! Vulkan, Metal, DX12 and GL. No GPU needed.

use hard_sigmoid::{Element, Kernel, Placement};
use naga::{back, proc::BoundsCheckPolicies, valid};
use std::path::Path;

struct Shader {
    name: String,
    module: naga::Module,
    info: valid::ModuleInfo,
}

fn checked(name: String, text: &str) -> Shader {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let mut validator = valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::empty());
    let info = validator
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    Shader { name, module, info }
}

fn shaders() -> Vec<Shader> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let shaders: Vec<_> = files
        .map(|path| checked(name(&path), &std::fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(shaders.iter().any(|shader| shader.name == "hard_sigmoid.wgsl"));
    shaders
}

/// Calls `translate` for each entry point, specialised to each kernel that uses it, each element type and each form; it
/// returns the text or a description of the error.
fn each_variant(translate: impl Fn(&Shader, &str) -> Result<String, String>) {
    let mut count = 0;
    for shader in shaders() {
        for (kernel, placement, element, [divide, stochastic]) in variants() {
            let constants = [
                ("KERNEL".to_string(), f64::from(kernel as u32)),
                ("ELEMENT".to_string(), f64::from(element as u32)),
                ("DIVIDE".to_string(), f64::from(u8::from(divide))),
                ("STOCHASTIC".to_string(), f64::from(u8::from(stochastic))),
            ];
            for suffix in ["", "_tail"] {
                let entry = format!("{}{suffix}", kernel.entry_point(placement));
                let stage = Some((naga::ShaderStage::Compute, &entry[..]));
                let constants = constants.clone().into_iter().collect();
                let specialised =
                    back::pipeline_constants::process_overrides(&shader.module, &shader.info, stage, &constants);
                let (module, info) = specialised.unwrap_or_else(|e| panic!("{} {entry}: {e}", shader.name));
                let specialised = Shader {
                    name: shader.name.clone(),
                    module: module.into_owned(),
                    info: info.into_owned(),
                };
                let text = translate(&specialised, &entry).unwrap_or_else(|e| panic!("{} {entry}: {e}", shader.name));
                assert!(!text.is_empty());
                count += 1;
            }
        }
    }
    assert_eq!(count, variants().count() * 2);
    assert!(count > 500, "{count}");
}

fn variants() -> impl Iterator<Item = (Kernel, Placement, Element, [bool; 2])> {
    let placed = Kernel::ALL
        .into_iter()
        .flat_map(|k| k.placements().iter().map(move |&p| (k, p)));
    let typed = placed.flat_map(|(kernel, placement)| Element::ALL.map(|e| (kernel, placement, e)));
    let flags = [[false, false], [false, true], [true, false], [true, true]];
    typed.flat_map(move |(kernel, placement, e)| flags.map(|flags| (kernel, placement, e, flags)))
}

#[test]
#[should_panic(expected = "invalid field accessor `length`")]
fn a_shader_that_does_not_parse_is_seen() {
    checked(
        "broken".into(),
        &hard_sigmoid::WGSL.replace("params.len", "params.length"),
    );
}

#[test]
#[should_panic(expected = "Entry point unary at Compute is invalid")]
fn a_shader_that_is_not_valid_is_seen() {
    checked(
        "broken".into(),
        &hard_sigmoid::WGSL.replace("@binding(2) var<uniform>", "@binding(0) var<uniform>"),
    );
}

#[test]
fn spirv() {
    each_variant(|shader, entry| {
        let options = back::spv::Options::default();
        let pipeline = back::spv::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: entry.into(),
        };
        let words = back::spv::write_vec(&shader.module, &shader.info, &options, Some(&pipeline));
        words
            .map(|words| format!("{} words", words.len()))
            .map_err(|e| e.to_string())
    });
}

#[test]
fn msl() {
    each_variant(|shader, entry| {
        let options = back::msl::Options {
            lang_version: (2, 0),
            fake_missing_bindings: true,
            ..Default::default()
        };
        let pipeline = back::msl::PipelineOptions {
            entry_point: Some((naga::ShaderStage::Compute, entry.into())),
            ..Default::default()
        };
        let written = back::msl::write_string(&shader.module, &shader.info, &options, &pipeline);
        let (text, info) = written.map_err(|e| e.to_string())?;
        info.entry_point_names
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.to_string())?;
        Ok(text)
    });
}

#[test]
fn hlsl() {
    each_variant(|shader, entry| {
        let options = back::hlsl::Options {
            fake_missing_bindings: true,
            ..Default::default()
        };
        let pipeline = back::hlsl::PipelineOptions {
            entry_point: Some((naga::ShaderStage::Compute, entry.into())),
        };
        let mut text = String::new();
        let mut writer = back::hlsl::Writer::new(&mut text, &options, &pipeline);
        let info = writer
            .write(&shader.module, &shader.info, None)
            .map_err(|e| e.to_string())?;
        info.entry_point_names
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.to_string())?;
        Ok(text)
    });
}

#[test]
fn glsl() {
    each_variant(|shader, entry| {
        let options = back::glsl::Options {
            version: back::glsl::Version::new_gles(310),
            ..Default::default()
        };
        let pipeline = back::glsl::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: entry.into(),
            multiview: None,
        };
        let mut text = String::new();
        let policies = BoundsCheckPolicies::default();
        let writer = back::glsl::Writer::new(&mut text, &shader.module, &shader.info, &options, &pipeline, policies);
        writer
            .and_then(|mut writer| writer.write())
            .map_err(|e| e.to_string())?;
        Ok(text)
    });
}
