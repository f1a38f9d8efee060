//! Every pipeline of the crate, and control kernels that the check has to recognize.

use crate::{
    Result,
    driver::{Compiled, Driver},
};
use hard_sigmoid::{
    DType, HardSigmoid, Op,
    plan::{Limits, Placement, Plan, Stage},
    wgsl,
};
use naga::{back, proc::BoundsCheckPolicies, valid};
use std::ffi::CString;

/// The WGSL text of a kernel that maps vectors x to vectors y.
macro_rules! control {
    ($element:literal, $result:literal) => {
        concat!(
            "struct Params { len: u32, row: u32, pad0: u32, pad1: u32 }\n",
            "@group(0) @binding(0) var<storage, read> x: array<vec4<",
            $element,
            ">>;\n",
            "@group(0) @binding(1) var<storage, read_write> y: array<vec4<",
            $element,
            ">>;\n",
            "@group(0) @binding(2) var<uniform> params: Params;\n",
            "@compute @workgroup_size(256) fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n",
            "    let i = id.y * params.row + id.x;\n",
            "    if i < params.len / 4u { y[i] = ",
            $result,
            "; }\n",
            "}"
        )
    };
}

/// Copies vectors, for comparison.
pub const COPY: &str = control!("u32", "x[i]");

/// The plain expression, which compilers fuse.
pub const PLAIN: &str = control!("f32", "clamp(0.2 * x[i] + 0.5, vec4<f32>(0.0), vec4<f32>(1.0))");

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
    pub fn compile(
        &self,
        driver: &Driver,
        entry_point: &str,
        constants: &[(&'static str, f64)],
        storage: usize,
    ) -> Result<Compiled> {
        let constants = constants
            .iter()
            .map(|&(name, value)| (name.to_string(), value))
            .collect();
        let stage = Some((naga::ShaderStage::Compute, entry_point));
        let specialized = back::pipeline_constants::process_overrides(&self.module, &self.info, stage, &constants);
        let (module, info) = specialized.map_err(|error| error.to_string())?;
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
        let spirv = back::spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
        driver.compile(&spirv, &CString::new(entry_point)?, storage as u32)
    }
}

/// One of the crate's pipelines.
pub struct Kernel {
    pub op: Op,
    pub dtype: DType,
    pub placement: Placement,
    pub entry_point: &'static str,
    /// The body computes vectors, the tail single words.
    pub is_body: bool,
    pub constants: [(&'static str, f64); 4],
    pub tensors: usize,
}

/// Values of FORMULA in shaders/hard_sigmoid.wgsl.
const RELU6_DIVIDE: f64 = 2.0;
const RELU6_DIVIDE_BOTH: f64 = 4.0;
const HALVES: f64 = 6.0;

impl Kernel {
    fn formula(&self) -> f64 {
        let formula = self.constants.iter().find(|(name, _)| *name == "FORMULA");
        formula.map_or(0.0, |(_, value)| *value)
    }

    /// Whether the compiler may fuse: in the forward pass of presets in halves a fusion doesn't change the result.
    pub fn may_fuse(&self) -> bool {
        self.formula() == HALVES && self.op.name() == "forward"
    }

    /// How many products by 1/6 may be fused: the last step of each element's division by 6.
    pub fn sixths(&self) -> usize {
        match self.formula() {
            RELU6_DIVIDE | RELU6_DIVIDE_BOTH => self.width() as usize,
            _ => 0,
        }
    }

    /// Whether the kernel may clamp floats: it converts a probability to an integer.
    pub fn limits_floats(&self) -> bool {
        ["binarize", "pack"].contains(&self.op.name())
    }

    /// Whether the tables show it: bodies with tensors in separate buffers, forward and backward with every definition, and the
    /// other operations with one definition.
    pub fn is_shown(&self) -> bool {
        let is_plain = ["forward", "backward"].contains(&self.op.name());
        let is_first = self
            .op
            .definition()
            .is_none_or(|definition| definition == HardSigmoid::PYTORCH);
        // Sums have no body: their instructions depend on the data's shape.
        self.is_body && self.placement == Placement::Separate && (is_plain || is_first)
    }

    /// Whether it reads all operands as vectors. Packed signs and broadcast operands are read by words.
    pub fn takes_vectors(&self) -> bool {
        let name = self.op.name();
        self.is_body && !["pack", "unpack", "gate_broadcast"].contains(&name)
    }

    /// Number of elements that one invocation of the body computes.
    pub fn width(&self) -> u32 {
        match self.op.name() {
            "pack" => 32,
            _ => 16 / self.dtype.size() as u32,
        }
    }

    /// Its name in the tables.
    pub fn name(&self) -> String {
        match self.op.definition() {
            Some(definition) => format!("{definition} {}", self.op.name()),
            None => self.op.name().into(),
        }
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

/// Every pipeline: kernel, placement, element type, formula, body and tail. The same pipeline comes under two names only if the
/// tables show both.
pub fn all() -> Result<Vec<Kernel>> {
    let mut seen = vec![];
    let mut all: Vec<Kernel> = vec![];
    for op in definitions().into_iter().flat_map(Op::all) {
        for &placement in Placement::ALL.iter().filter(|placement| placement.allows(op)) {
            for &dtype in DType::ALL {
                // 66 elements have a body and a tail in every kernel.
                let plan = Plan::new(op, dtype, placement, 66, &Limits::default())?;
                for stage in Stage::of(op) {
                    let mut dispatches = plan.parts().flat_map(|part| part.dispatches());
                    let dispatch = dispatches.find(|one| one.stage == stage);
                    let dispatch = dispatch.ok_or_else(|| format!("66 elements have no {stage:?}"))?;
                    let kernel = Kernel {
                        op,
                        dtype,
                        placement,
                        entry_point: dispatch.entry_point,
                        is_body: stage == Stage::Body,
                        constants: plan.constants(),
                        tensors: plan.tensors().len(),
                    };
                    let name = kernel.is_shown().then(|| kernel.name());
                    let constants = kernel.constants.map(|(_, value)| value as u32);
                    let key = (kernel.entry_point, constants, placement, name);
                    if !seen.contains(&key) {
                        seen.push(key);
                        all.push(kernel);
                    }
                }
            }
        }
    }
    Ok(all)
}

/// The crate's modules after a change of their text: one for separate buffers and in place, one for shared buffers.
pub struct Modules([Module; 2]);

impl Modules {
    pub fn new(change: impl Fn(&str) -> String) -> Result<Self> {
        Ok(Self([
            Module::new(&change(wgsl::SEPARATE))?,
            Module::new(&change(wgsl::SHARED))?,
        ]))
    }

    pub fn of(&self, placement: Placement) -> &Module {
        &self.0[usize::from(placement == Placement::Shared)]
    }
}
