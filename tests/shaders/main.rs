//! The texts of the kernels parse, validate without optional capabilities, and translate to what wgpu feeds to Vulkan, Metal, DX12
//! and GL. No GPU needed. If the compilers that take a translation are installed, they compile it: see `compilers.rs`.

#[path = "../common/careless.rs"]
mod careless;
mod compilers;
#[path = "../common/outside.rs"]
mod outside;

use expect_test::expect_file;
use hard_sigmoid::{
    Binary, DType, HardSigmoid, Op, Unary,
    plan::{Kernel, Placement},
    wgsl::{self, Number, Options},
};
use naga::{back, proc::BoundsCheckPolicies, valid};

struct Shader {
    module: naga::Module,
    info: valid::ModuleInfo,
}

fn checked(text: &str) -> Shader {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let mut validator = valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::empty());
    let info = validator
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    Shader { module, info }
}

/// Changes a kernel's text.
type Change = fn(&str) -> String;

/// An entry point of a kernel of ours, or of one that calls our functions.
#[derive(Clone, Copy)]
struct Variant<'a> {
    text: &'a str,
    shader: &'a Shader,
    op: Op,
    dtype: DType,
    entry: &'a str,
}

/// Calls `translate` for each entry point; it returns the translation or a description of the error.
fn each_variant(change: Change, mut translate: impl FnMut(Variant) -> Result<Vec<u8>, String>) {
    let mut count = 0;
    // One preset divides, one multiplies, one halves its gradient at the kinks, and the last two have no slope to speak of.
    let definitions = ["pytorch", "keras", "sparse", "affine(0, 0.25)", "affine(1e-40, 0.5)"];
    let definitions = definitions.map(|text| text.parse::<HardSigmoid>().unwrap());
    let mut each = |text: &str, op, dtype, entries: &[&str]| {
        let text = &change(text);
        let shader = &checked(text);
        for entry in entries {
            let variant = Variant {
                text,
                shader,
                op,
                dtype,
                entry,
            };
            let translated = translate(variant).unwrap_or_else(|e| panic!("{op:?} {dtype} {entry}: {e}"));
            assert!(!translated.is_empty());
            count += 1;
        }
    };
    for op in definitions.into_iter().flat_map(Op::all) {
        for kernel in Kernel::all(op) {
            let entries: Vec<_> = kernel.stages().iter().map(|stage| stage.entry_point()).collect();
            each(&kernel.text(), op, kernel.dtype(), &entries);
        }
        for number in [Number::F32, Number::PackedF16, Number::PackedBf16] {
            let options = Options {
                number,
                ..Default::default()
            };
            if let Ok(function) = wgsl::scalar(op, &options) {
                let factor = (number == Number::F32).then_some(1.1);
                let (kernel, _) = outside::kernel(op, &options, 4096, factor);
                each(&(function + &kernel), op, number.dtype(), &["mine"]);
            }
        }
    }
    assert!(count > 1000, "{count}");
}

/// The text of a kernel.
fn text() -> String {
    let forward = Unary::Forward(HardSigmoid::PYTORCH);
    Kernel::new(forward, DType::F32, Placement::Separate).unwrap().text()
}

#[test]
#[should_panic(expected = "invalid field accessor `length`")]
fn a_shader_that_does_not_parse_is_seen() {
    checked(&text().replace("params.len", "params.length"));
}

#[test]
#[should_panic(expected = "Entry point body at Compute is invalid")]
fn a_shader_that_is_not_valid_is_seen() {
    checked(&text().replace("@binding(2) var<uniform>", "@binding(0) var<uniform>"));
}

fn spirv(variant: Variant) -> Result<Vec<u8>, String> {
    let options = back::spv::Options::default();
    let pipeline = back::spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: variant.entry.into(),
    };
    let words = back::spv::write_vec(&variant.shader.module, &variant.shader.info, &options, Some(&pipeline));
    words
        .map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect())
        .map_err(|e| e.to_string())
}

fn msl(variant: Variant) -> Result<Vec<u8>, String> {
    let options = back::msl::Options {
        lang_version: (2, 0),
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = back::msl::PipelineOptions {
        entry_point: Some((naga::ShaderStage::Compute, variant.entry.into())),
        ..Default::default()
    };
    let written = back::msl::write_string(&variant.shader.module, &variant.shader.info, &options, &pipeline);
    let (text, info) = written.map_err(|e| e.to_string())?;
    let names: Result<Vec<_>, _> = info.entry_point_names.into_iter().collect();
    names.map_err(|e| e.to_string())?;
    Ok(text.into())
}

fn hlsl(variant: Variant, model: back::hlsl::ShaderModel) -> Result<Vec<u8>, String> {
    let options = back::hlsl::Options {
        shader_model: model,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let pipeline = back::hlsl::PipelineOptions {
        entry_point: Some((naga::ShaderStage::Compute, variant.entry.into())),
    };
    let mut text = String::new();
    let mut writer = back::hlsl::Writer::new(&mut text, &options, &pipeline);
    let info = writer
        .write(&variant.shader.module, &variant.shader.info, None)
        .map_err(|e| e.to_string())?;
    let names: Result<Vec<_>, _> = info.entry_point_names.into_iter().collect();
    names.map_err(|e| e.to_string())?;
    Ok(text.into())
}

fn glsl(variant: Variant) -> Result<Vec<u8>, String> {
    let options = back::glsl::Options {
        version: back::glsl::Version::new_gles(310),
        ..Default::default()
    };
    let pipeline = back::glsl::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: variant.entry.into(),
        multiview: None,
    };
    let mut text = String::new();
    let policies = BoundsCheckPolicies::default();
    let writer = back::glsl::Writer::new(
        &mut text,
        &variant.shader.module,
        &variant.shader.info,
        &options,
        &pipeline,
        policies,
    );
    writer
        .and_then(|mut writer| writer.write())
        .map_err(|e| e.to_string())?;
    Ok(text.into())
}

#[test]
fn all_translate() {
    each_variant(str::to_string, spirv);
    each_variant(str::to_string, msl);
    each_variant(str::to_string, glsl);
    for model in [back::hlsl::ShaderModel::V5_1, back::hlsl::ShaderModel::V6_0] {
        each_variant(str::to_string, |variant| hlsl(variant, model));
    }
}

/// Only a Mac has a Metal compiler, so the text that it gets is kept as it was reviewed: an integer operation on the bits follows
/// every rounding that has to happen, and NaN is told from the bits. Where a new naga changes the text, review the difference, and
/// keep it with `UPDATE_EXPECT=1`.
#[test]
fn msl_is_as_reviewed() {
    for (op, snapshot) in [
        (
            Op::from(Unary::Forward(HardSigmoid::PYTORCH)),
            expect_file!["snapshots/forward.metal"],
        ),
        (
            Binary::Backward(HardSigmoid::PYTORCH).into(),
            expect_file!["snapshots/backward.metal"],
        ),
    ] {
        let kernel = Kernel::new(op, DType::F32, Placement::Separate).unwrap();
        let text = &*kernel.text();
        let shader = &checked(text);
        let (dtype, entry) = (DType::F32, "body");
        let translated = msl(Variant {
            text,
            shader,
            op,
            dtype,
            entry,
        })
        .unwrap();
        snapshot.assert_eq(std::str::from_utf8(&translated).unwrap());
    }
}

/// The WGSL that a reader sees first, for whom it is written.
#[test]
fn wgsl_is_as_reviewed() {
    expect_file!["snapshots/forward.wgsl"].assert_eq(&text());
    let hard_swish = Unary::HardSwish(HardSigmoid::JAX);
    let function = wgsl::scalar(hard_swish, &Options::default()).unwrap();
    expect_file!["snapshots/function.wgsl"].assert_eq(&function);
}
