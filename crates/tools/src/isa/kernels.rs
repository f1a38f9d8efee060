//! Every pipeline of the crate, and control kernels that the check has to recognize.

use crate::{
    Result,
    isa::{
        driver::{Compiled, Driver},
        outside,
    },
};
use hard_sigmoid::{
    DType, HardSigmoid, Op,
    plan::{Kernel, Placement, Stage},
    wgsl::{self, Options, Text},
};
use naga::{back, proc::BoundsCheckPolicies, valid};
use std::{collections::HashSet, ffi::CString};

/// The WGSL text of a kernel that maps vectors x0, x1… of `operands` tensors to an expression, which it stores in `results` tensors.
fn control(element: &str, operands: usize, results: usize, expression: &str) -> String {
    let tensor = |binding: usize, access: &str, name: String| {
        format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<vec4<{element}>>;\n")
    };
    let bindings = (0..operands).map(|x| tensor(x, "read", format!("x{x}")));
    let bindings = bindings.chain((0..results).map(|y| tensor(operands + y, "read_write", format!("y{y}"))));
    let bindings: String = bindings.collect();
    let stores: String = (0..results).map(|y| format!("y{y}[i] = y; ")).collect();
    let uniform = operands + results;
    format!(
        "struct Params {{ len: u32, row: u32, pad0: u32, pad1: u32 }}
        {bindings}@group(0) @binding({uniform}) var<uniform> params: Params;
        @compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.y * params.row + id.x;
            if i < params.len / 4u {{ let y = {expression}; {stores} }}
        }}"
    )
}

/// Copies vectors, for comparison. With several operands it stores their exclusive or, which is an operation for each word of each
/// further operand.
pub fn copy(operands: usize, results: usize) -> String {
    let operand: Vec<_> = (0..operands).map(|x| format!("x{x}[i]")).collect();
    control("u32", operands, results, &operand.join(" ^ "))
}

/// The plain expression, which compilers fuse.
pub fn plain() -> String {
    control("f32", 1, 1, "clamp(0.2 * x0[i] + 0.5, vec4<f32>(0.0), vec4<f32>(1.0))")
}

/// A validated module, which can be compiled many times.
pub struct Module {
    module: naga::Module,
    info: valid::ModuleInfo,
}

impl Module {
    pub fn new(text: &str) -> Result<Self> {
        let module = naga::front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
        let mut validator = valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::empty());
        let info = validator
            .validate(&module)
            .map_err(|error| error.emit_to_string(text))?;
        Ok(Self { module, info })
    }

    /// Translates an entry point as wgpu does, and compiles it.
    pub fn compile(&self, driver: &Driver, entry_point: &str, storage: usize) -> Result<Compiled> {
        let options = back::spv::Options {
            lang_version: driver.spirv_version,
            flags: back::spv::WriterFlags::LABEL_VARYINGS | back::spv::WriterFlags::FORCE_POINT_SIZE,
            bounds_check_policies: BoundsCheckPolicies {
                index: naga::proc::BoundsCheckPolicy::Restrict,
                buffer: match driver.checks_bounds {
                    true => naga::proc::BoundsCheckPolicy::Unchecked,
                    false => naga::proc::BoundsCheckPolicy::Restrict,
                },
                ..Default::default()
            },
            zero_initialize_workgroup_memory: back::spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: true,
            ..Default::default()
        };
        let pipeline = back::spv::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: entry_point.into(),
        };
        let spirv =
            back::spv::write_vec(&self.module, &self.info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
        driver.compile(&spirv, &CString::new(entry_point)?, storage as u32)
    }
}

/// One of the crate's pipelines, or somebody else's that calls its functions.
pub struct Pipeline {
    pub op: Op,
    pub dtype: DType,
    pub entry: &'static str,
    /// Storage buffers that it binds.
    pub tensors: usize,
    /// How a kernel of the crate places its tensors; none for somebody else's.
    pub placement: Option<Placement>,
    pub text: String,
}

impl Pipeline {
    /// An entry point of a kernel.
    fn new(kernel: Kernel, stage: Stage, text: String) -> Self {
        Self {
            op: kernel.op(),
            dtype: kernel.dtype(),
            entry: stage.entry_point(),
            tensors: kernel.tensors().len(),
            placement: Some(kernel.placement()),
            text,
        }
    }

    /// A kernel that calls the functions of an operation straight after a multiplication.
    fn outside(op: Op, text: Text) -> Option<Self> {
        let options = Options {
            text,
            ..Default::default()
        };
        let function = wgsl::scalar(op, &options).ok()?;
        let (kernel, _) = outside::kernel(op, &options, 1 << 20, Some(1.1));
        Some(Self {
            op,
            dtype: DType::F32,
            entry: "mine",
            tensors: 2,
            placement: None,
            text: function + &kernel,
        })
    }

    /// Whether the compiler may fuse: in the forward pass of presets in halves a fusion doesn't change the result.
    pub fn may_fuse(&self) -> bool {
        self.text.contains("fn forward_halves(")
    }

    /// How many products by 1/6 or 1/3 may be fused: the last step of each element's division by 6 or 3.
    pub fn sixths(&self) -> usize {
        if ["sixth(t: f32)", "third(x: f32)"]
            .iter()
            .any(|name| self.text.contains(name))
        {
            self.width() as usize
        } else {
            0
        }
    }

    /// Whether the kernel may clamp floats: it converts a probability to an integer, or a quotient of indices.
    pub fn limits_floats(&self) -> bool {
        let is_broadcast = ["gate_broadcast", "lookup_gate"].contains(&self.op.name());
        let divides_indices = is_broadcast && self.entry.starts_with("body_");
        divides_indices || ["binarize", "pack"].contains(&self.op.name())
    }

    /// Whether the tables show it: bodies with tensors in separate buffers, forward and backward with every definition, and the
    /// other operations with one definition.
    pub fn is_shown(&self) -> bool {
        let is_plain = ["forward", "backward"].contains(&self.op.name());
        let is_first = self
            .op
            .definition()
            .is_none_or(|definition| definition == HardSigmoid::PYTORCH);
        // The number of its instructions depends on the data's shape.
        let is_known = self.op.name() == "gate_broadcast_sums";
        self.is_body() && self.placement == Some(Placement::Separate) && (is_plain || is_first) && !is_known
    }

    /// Whether it reads all operands as vectors. Packed signs, broadcast operands and tables are read by words.
    pub fn takes_vectors(&self) -> bool {
        let has_words = ["pack", "unpack", "lookup"].contains(&self.op.name()) || self.op.broadcast().is_some();
        self.is_body() && !has_words
    }

    /// Number of elements that one invocation of the body computes.
    pub fn width(&self) -> u32 {
        match self.op.name() {
            _ if self.placement.is_none() => 1,
            "pack" => 32,
            _ => 16 / self.dtype.size() as u32,
        }
    }

    /// The pipeline's name in the tables.
    pub fn name(&self) -> String {
        let name = match self.op.definition() {
            Some(definition) => format!("{definition} {}", self.op.name()),
            None => match self.op.parameters().estimator {
                Some(estimator) => format!("{} {estimator}", self.op.name()),
                None => self.op.name().into(),
            },
        };
        match self.entry.strip_prefix("body_") {
            Some(which) => format!("{name}, {which}"),
            None => name,
        }
    }

    /// A body computes vectors, the tail single words.
    fn is_body(&self) -> bool {
        self.entry.starts_with("body")
    }
}

/// One definition for each formula of the shader. In halves the last two have other formulas than presets.
fn definitions() -> [HardSigmoid; 7] {
    let other = ["affine(0.16666667, 0.5)", "affine(0, 0.25)"].map(|text| text.parse().expect("it is one"));
    [
        HardSigmoid::PYTORCH,
        HardSigmoid::KERAS,
        HardSigmoid::JAX,
        HardSigmoid::KERAS3,
        HardSigmoid::SPARSE,
        other[0],
        other[1],
    ]
}

/// Every pipeline: kernel, body and tail. A text comes under two names only if the tables show both.
pub fn all() -> Vec<Pipeline> {
    let mut seen = HashSet::new();
    let ops = || definitions().into_iter().flat_map(Op::all);
    let pipelines = ops().flat_map(Kernel::all).flat_map(|kernel| {
        let text = kernel.text();
        let stages = kernel.stages().iter();
        stages.map(move |&stage| Pipeline::new(kernel, stage, text.clone()))
    });
    let outside = ops().filter_map(|op| Pipeline::outside(op, Text::Exact));
    pipelines
        .chain(outside)
        .filter(|pipeline| {
            let name = pipeline.is_shown().then(|| pipeline.name());
            // The first line names the operation.
            let text = pipeline.text.split_once('\n').map_or("", |(_, rest)| rest).to_string();
            seen.insert((text, pipeline.entry, name))
        })
        .collect()
}

/// Kernels that call functions, for the table of what a function costs: each with its name.
pub fn epilogues() -> Result<Vec<(String, Pipeline)>> {
    let mut all = vec![];
    for definition in [HardSigmoid::PYTORCH, HardSigmoid::KERAS, HardSigmoid::JAX] {
        for op in Op::all(definition) {
            if !["forward", "hard_swish", "backward", "hard_swish_backward"].contains(&op.name()) {
                continue;
            }
            for text in [Text::Short, Text::Exact] {
                let pipeline = Pipeline::outside(op, text).ok_or("it has a function")?;
                all.push((format!("{} {text}", pipeline.name()), pipeline));
            }
        }
    }
    Ok(all)
}

/// A kernel like these that calls nothing: it returns its first operand.
pub fn no_epilogue() -> Result<Pipeline> {
    let forward = Op::from(hard_sigmoid::Unary::Forward(HardSigmoid::PYTORCH));
    let mut pipeline = Pipeline::outside(forward, Text::Short).ok_or("it has a function")?;
    let (kernel, _) = outside::kernel(forward, &Options::default(), 1 << 20, Some(1.1));
    pipeline.text = format!("fn hard_sigmoid(x: f32) -> f32 {{\n    return x;\n}}\n{kernel}");
    Ok(pipeline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::careless::{NAN, ROUNDINGS, without};
    use hard_sigmoid::{Binary, Unary};

    #[test]
    fn every_precaution_is_in_the_texts() {
        let ops: [Op; 3] = [
            Unary::Forward(HardSigmoid::PYTORCH).into(),
            Unary::Forward(HardSigmoid::KERAS).into(),
            Binary::HardSwishBackward(HardSigmoid::PYTORCH).into(),
        ];
        let kernel = |op| Kernel::new(op, DType::F32, Placement::Separate).unwrap().text();
        let function = |op| wgsl::scalar(op, &Options::default()).unwrap();
        for texts in [ops.map(kernel), ops.map(function)] {
            for &precaution in ROUNDINGS.iter().chain(NAN) {
                let has_it = |text: &String| without(text, &[precaution]) != *text;
                let is_found = texts.iter().any(has_it);
                assert!(is_found, "the shader has changed: change {precaution:?} alike");
            }
        }
    }
}
