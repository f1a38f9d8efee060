//! Both modules parse, validate without optional capabilities, and translate to what wgpu feeds to Vulkan, Metal, DX12
//! and GL. No GPU needed. If the compilers that take a translation are installed, they compile it: see `compilers.rs`.

mod compilers;

use expect_test::expect_file;
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Op, Unary,
    plan::{Limits, Placement, Plan},
    wgsl,
};
use naga::{back, proc::BoundsCheckPolicies, valid};

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

/// The module for separate buffers and in place, and the one for shared buffers.
type Modules = [Shader; 2];

fn modules(change: impl Fn(&str) -> String) -> Modules {
    [("separate", wgsl::SEPARATE), ("shared", wgsl::SHARED)].map(|(name, text)| checked(name.into(), &change(text)))
}

fn shaders() -> Modules {
    modules(str::to_string)
}

/// An entry point, specialised to an operation that uses it and an element type.
struct Variant<'a> {
    shader: &'a Shader,
    entry: &'a str,
    op: Op,
    dtype: DType,
    placement: Placement,
}

/// Calls `translate` for each entry point; it returns the translation or a description of the error.
fn each_variant(shaders: &Modules, mut translate: impl FnMut(Variant) -> Result<Vec<u8>, String>) {
    let mut count = 0;
    // One preset divides, the other doesn't.
    let operations = [HardSigmoid::PYTORCH, HardSigmoid::KERAS].into_iter().flat_map(Op::all);
    for op in operations {
        for &placement in Placement::ALL.iter().filter(|placement| placement.allows(op)) {
            let shader = &shaders[usize::from(placement == Placement::Shared)];
            for &dtype in DType::ALL {
                // 66 elements have a body and a tail in every kernel.
                let plan = Plan::new(op, dtype, placement, 66, &Limits::default()).unwrap();
                let constants = plan.constants().map(|(name, value)| (name.to_string(), value));
                let dispatches = plan.parts().flat_map(|part| part.dispatches().collect::<Vec<_>>());
                for dispatch in dispatches {
                    let entry = dispatch.entry_point;
                    let what = format!("{} {entry} {op:?} {dtype}", shader.name);
                    let stage = Some((naga::ShaderStage::Compute, entry));
                    let constants = constants.clone().into_iter().collect();
                    let specialised =
                        back::pipeline_constants::process_overrides(&shader.module, &shader.info, stage, &constants);
                    let (module, info) = specialised.unwrap_or_else(|e| panic!("{what}: {e}"));
                    let specialised = Shader {
                        name: shader.name.clone(),
                        module: module.into_owned(),
                        info: info.into_owned(),
                    };
                    let variant = Variant {
                        shader: &specialised,
                        entry,
                        op,
                        dtype,
                        placement,
                    };
                    let translated = translate(variant).unwrap_or_else(|e| panic!("{what}: {e}"));
                    assert!(!translated.is_empty());
                    count += 1;
                }
            }
        }
    }
    assert!(count > 400, "{count}");
}

#[test]
#[should_panic(expected = "invalid field accessor `length`")]
fn a_shader_that_does_not_parse_is_seen() {
    checked("broken".into(), &wgsl::SEPARATE.replace("params.len", "params.length"));
}

#[test]
#[should_panic(expected = "Entry point unary at Compute is invalid")]
fn a_shader_that_is_not_valid_is_seen() {
    checked(
        "broken".into(),
        &wgsl::SEPARATE.replace("@binding(2) var<uniform>", "@binding(0) var<uniform>"),
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

/// Only a Mac has a Metal compiler, so the text that it gets is kept as it was reviewed: an integer operation on the
/// bits (`opaque`) follows every rounding that has to happen, and NaN is told from the bits. Where a new naga changes
/// the text, review the difference, and keep it with `UPDATE_EXPECT=1`.
#[test]
fn msl_is_as_reviewed() {
    let snapshots = [
        (
            Op::from(Unary::Forward(HardSigmoid::PYTORCH)),
            "unary",
            expect_file!["snapshots/forward.metal"],
        ),
        (
            Binary::Backward(HardSigmoid::PYTORCH).into(),
            "binary",
            expect_file!["snapshots/backward.metal"],
        ),
    ];
    let mut seen = vec![];
    each_variant(&shaders(), |variant| {
        let text = msl(Variant { ..variant })?;
        let is_plain = variant.dtype == DType::F32 && variant.placement == Placement::Separate;
        let found = snapshots
            .iter()
            .find(|(op, entry, _)| is_plain && *op == variant.op && *entry == variant.entry);
        if let Some((_, entry, snapshot)) = found {
            snapshot.assert_eq(std::str::from_utf8(&text).unwrap());
            seen.push(*entry);
        }
        Ok(text)
    });
    assert_eq!(seen, ["unary", "binary"]);
}
