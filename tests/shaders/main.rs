//! Every file in `shaders/` parses, validates without optional capabilities, and translates to what wgpu feeds to
//! Vulkan, Metal, DX12 and GL. No GPU needed. What is translated goes through the compilers that take it, where they are
//! installed: `compilers.rs`.

mod compilers;

use expect_test::expect_file;
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

/// An entry point, specialised to a kernel that uses it, an element type and a form.
struct Variant<'a> {
    shader: &'a Shader,
    entry: &'a str,
    kernel: Kernel,
    element: Element,
    divides: bool,
    is_drawn: bool,
}

/// Calls `translate` for each; it returns the translation or a description of the error.
fn each_variant(shaders: &[Shader], mut translate: impl FnMut(Variant) -> Result<Vec<u8>, String>) {
    let mut count = 0;
    for shader in shaders {
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
                let variant = Variant {
                    shader: &specialised,
                    entry: &entry,
                    kernel,
                    element,
                    divides: divide,
                    is_drawn: stochastic,
                };
                let translated = translate(variant).unwrap_or_else(|e| panic!("{} {entry}: {e}", shader.name));
                assert!(!translated.is_empty());
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

fn spirv(Variant { shader, entry, .. }: Variant) -> Result<Vec<u8>, String> {
    let options = back::spv::Options::default();
    let pipeline = back::spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: entry.into(),
    };
    let words = back::spv::write_vec(&shader.module, &shader.info, &options, Some(&pipeline));
    words
        .map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect())
        .map_err(|e| e.to_string())
}

fn msl(Variant { shader, entry, .. }: Variant) -> Result<Vec<u8>, String> {
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
    let names: Result<Vec<_>, _> = info.entry_point_names.into_iter().collect();
    names.map_err(|e| e.to_string())?;
    Ok(text.into())
}

fn hlsl(Variant { shader, entry, .. }: Variant, model: back::hlsl::ShaderModel) -> Result<Vec<u8>, String> {
    let options = back::hlsl::Options {
        shader_model: model,
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
    let names: Result<Vec<_>, _> = info.entry_point_names.into_iter().collect();
    names.map_err(|e| e.to_string())?;
    Ok(text.into())
}

fn glsl(Variant { shader, entry, .. }: Variant) -> Result<Vec<u8>, String> {
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
    Ok(text.into())
}

#[test]
fn all_translate() {
    each_variant(&shaders(), spirv);
    each_variant(&shaders(), msl);
    each_variant(&shaders(), glsl);
    for model in [back::hlsl::ShaderModel::V5_1, back::hlsl::ShaderModel::V6_0] {
        each_variant(&shaders(), |variant| hlsl(variant, model));
    }
}

/// There is no Metal compiler but on a Mac, so the text that it gets is kept as it was reviewed: behind every rounding that has
/// to happen stands an integer operation on the bits (`opaque`), and NaN is told from the bits. Where a new naga changes it,
/// review the difference, and keep it with `UPDATE_EXPECT=1`.
#[test]
fn msl_is_as_reviewed() {
    let snapshots = [
        ("unary", Kernel::Forward, expect_file!["snapshots/forward.metal"]),
        ("binary", Kernel::Backward, expect_file!["snapshots/backward.metal"]),
    ];
    let mut seen = vec![];
    each_variant(&shaders(), |variant| {
        let (entry, kernel) = (variant.entry, variant.kernel);
        let is_plain = variant.element == Element::F32 && variant.divides && !variant.is_drawn;
        let text = msl(variant)?;
        let snapshot = snapshots
            .iter()
            .find(|(e, k, _)| is_plain && *e == entry && *k == kernel);
        if let Some((entry, _, snapshot)) = snapshot {
            snapshot.assert_eq(std::str::from_utf8(&text).unwrap());
            seen.push(*entry);
        }
        Ok(text)
    });
    assert_eq!(seen, ["unary", "binary"]);
}
