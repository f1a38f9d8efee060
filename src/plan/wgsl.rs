//! The WGSL text of the kernels: whole modules, one kernel with its constants written in, or one
//! operation as a function.
//!
//! The text is put together from the files in `shaders/`. `hard_sigmoid.wgsl` has the hard sigmoid itself; the heads of
//! `kernels.wgsl` and `broadcast.wgsl` explain entry points, bindings and grids.

use crate::{
    math::{
        binarize::Binarization,
        dtype::DType,
        error::OpError,
        op::{Kernel, Op},
    },
    plan::{formula::Formula, params::Params, placement::Placement},
};

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../shaders/", $name, ".wgsl"))
    };
}

macro_rules! functions {
    () => {
        concat!(
            part!("params"),
            "\n",
            part!("hard_sigmoid"),
            "\n",
            part!("gate"),
            "\n",
            part!("binarize"),
            "\n",
            part!("halves")
        )
    };
}

const FUNCTIONS: &str = functions!();

/// The module of every kernel for tensors in separate buffers and in place; its pipeline constants choose the kernel.
pub const SEPARATE: &str = concat!(
    part!("options"),
    "\n",
    functions!(),
    "\n",
    part!("bindings"),
    "\n",
    part!("kernels"),
    "\n",
    part!("broadcast")
);

/// The same kernels for tensors that share a buffer: every binding is read-write.
pub const SHARED: &str = concat!(
    part!("options"),
    "\n",
    functions!(),
    "\n",
    part!("bindings_shared"),
    "\n",
    part!("kernels"),
    "\n",
    part!("broadcast")
);

/// The module that has the kernels for a placement.
pub const fn module(placement: Placement) -> &'static str {
    match placement {
        Placement::Separate | Placement::InPlace => SEPARATE,
        Placement::Shared => SHARED,
    }
}

/// The module of one kernel, with its constants in the text, for runtimes such as cubecl, which launch text but can't
/// set pipeline constants. A runtime that binds every buffer for writing takes [`Placement::Shared`] or
/// [`Placement::InPlace`].
///
/// A [`Plan`](crate::plan::Plan) names the entry points and what to bind.
pub fn kernel(op: impl Into<Op>, dtype: DType, placement: Placement) -> String {
    let op = op.into();
    let bindings = match placement {
        Placement::Separate => part!("bindings"),
        Placement::InPlace | Placement::Shared => part!("bindings_shared"),
    };
    let options = Options::of(op, dtype);
    let text = [
        &*options.text(),
        FUNCTIONS,
        bindings,
        part!("kernels"),
        part!("broadcast"),
    ];
    format!("const KERNEL: u32 = {}u;\n{}", op.row().kernel as u32, text.join("\n"))
}

/// An operation as a function for a kernel of your own. It binds nothing, and its constants are in the text.
///
/// The function has the operation's name ([`Op::name`]) and takes its operands in their order ([`Op::inputs`]), each as the
/// bits of four `f32`; they may come straight out of arithmetic. It computes in `f32`, whatever `dtype` is:
///
/// ```wgsl
/// fn forward(x: vec4<u32>, zero: u32) -> vec4<u32>
/// fn hard_swish(x: vec4<u32>, zero: u32) -> vec4<u32>
/// fn backward(x: vec4<u32>, g: vec4<u32>, zero: u32) -> vec4<u32>
/// fn backward_from_output(y: vec4<u32>, g: vec4<u32>, zero: u32) -> vec4<u32>
/// fn backward_accumulate(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>, zero: u32) -> vec4<u32> // adds to dx
/// fn hard_swish_backward(x: vec4<u32>, g: vec4<u32>, zero: u32) -> vec4<u32>
/// fn straight_through(x: vec4<u32>, g: vec4<u32>, zero: u32) -> vec4<u32>
/// fn gate(a: vec4<u32>, b: vec4<u32>, zero: u32) -> vec4<u32>
/// fn gate_backward(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>, zero: u32) -> GateGradients // has da and db
/// ```
///
/// `zero` is a number that is 0 but that the compiler must not know: read it from a uniform buffer of yours (16 bytes, which
/// some GL drivers want). With it the text keeps each rounding apart, and apart from the arithmetic that made the operands. A
/// literal, a `const` or an `override` compiles too, but gives other bits. The bits are those of the CPU path, except for
/// subnormal numbers, which WGSL lets a GPU take for zero.
///
/// **Text.** It goes before your kernel, and after lines such as `enable f16;`. A module has room for one such text. It takes
/// about 50 names, such as `Params`, `parameters` and `rounded`: give yours a prefix. Don't define a function that has the
/// name of a built-in one that the text calls, such as `clamp` or `max`.
///
/// **Halves.** With `dtype` f16 or bf16 the text also has these. Of eight elements in a row, which are in four words, `low` gives
/// the first, third, fifth and seventh, and `high` the others. `packed` rounds any `f32` to halves.
///
/// ```wgsl
/// fn low(words: vec4<u32>) -> vec4<u32>
/// fn high(words: vec4<u32>) -> vec4<u32>
/// fn packed(low: vec4<u32>, high: vec4<u32>, zero: u32) -> vec4<u32>
/// ```
///
/// **Signs.** A deterministic `binarize` takes `x` and `zero`. A stochastic one takes random words too. Its seed and offset aren't
/// in the text, so that they may change: pass those of the [`Binarization`], the low word of each first. For halves, call
/// `random4` with `element` and `element + 4`, here `a` and `b`: `low` takes `vec4(a.xz, b.xz)`, `high` takes `vec4(a.yw, b.yw)`.
///
/// ```wgsl
/// fn binarize(x: vec4<u32>, random: vec4<u32>, zero: u32) -> vec4<u32>
/// // The random words of four elements in a row, the first of which is number `element` of the tensor.
/// fn random4(element: u32, seed: vec2<u32>, offset: vec2<u32>) -> vec4<u32>
/// ```
///
/// The example `fused` adds a bias and applies the hard sigmoid in one dispatch.
///
/// # Errors
/// [`OpError::NotElementwise`] for packing, unpacking and broadcast gates, and [`OpError::ScaleTooLarge`] for a binarization
/// to numbers that `dtype` doesn't have.
pub fn function(op: impl Into<Op>, dtype: DType) -> Result<String, OpError> {
    let op = op.into();
    op.check_scale(dtype)?;
    let of_four = match op.row().kernel {
        Kernel::Forward => "forward4",
        Kernel::Backward => "backward4",
        Kernel::BackwardAccumulate => "backward_accumulate4",
        Kernel::Gate => "gate4",
        Kernel::GateBackward => "gate_backward4",
        Kernel::HardSwish => "hard_swish4",
        Kernel::HardSwishBackward => "hard_swish_backward4",
        Kernel::Binarize => "binarize4",
        Kernel::Pack | Kernel::Unpack | Kernel::GateBroadcast | Kernel::GateBroadcastSums => {
            return Err(OpError::NotElementwise { op: op.name() });
        }
    };
    // The function computes in f32, whatever the tensors hold.
    let options = Options {
        dtype,
        ..Options::of(op, DType::F32)
    };
    let also = match op.row().kernel {
        Kernel::BackwardAccumulate => Some("dx"),
        Kernel::Binarize if options.stochastic => Some("random"),
        _ => None,
    };
    let operands: Vec<_> = op.inputs().iter().copied().chain(also).collect();
    // An operand may be the result of arithmetic, which must not be fused with the function's own.
    let apart = |operand| format!("{operand} ^ vec4<u32>(zero)");
    let mut arguments: Vec<_> = operands.iter().map(apart).collect();
    if op.row().kernel == Kernel::Binarize && !options.stochastic {
        arguments.push("vec4<u32>(0u)".into());
    }
    let function = format!(
        "fn {name}({operands}: vec4<u32>, zero: u32) -> {result} {{\n    return {of_four}({arguments}, parameters(zero));\n}}\n\
         fn parameters(zero: u32) -> Params {{\n    return {parameters};\n}}\n",
        name = op.name(),
        operands = operands.join(": vec4<u32>, "),
        result = if op.outputs().len() == 2 {
            "GateGradients"
        } else {
            "vec4<u32>"
        },
        arguments = arguments.join(", "),
        parameters = Params::new(op).expression(),
    );
    let constants = options.text();
    let mut parts = vec![&*constants, &function, part!("params"), part!("hard_sigmoid")];
    match op.row().kernel {
        Kernel::Forward | Kernel::Backward => {}
        Kernel::Binarize => parts.push(part!("binarize")),
        _ => parts.push(part!("gate")),
    }
    if dtype != DType::F32 {
        parts.extend([part!("halves"), part!("functions")]);
    }
    Ok(parts.join("\n"))
}

/// The pipeline constants besides KERNEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    pub(crate) dtype: DType,
    pub(crate) formula: Formula,
    pub(crate) stochastic: bool,
}

impl Options {
    pub(crate) fn of(op: Op, dtype: DType) -> Self {
        Self {
            dtype,
            formula: Formula::of(op, dtype),
            stochastic: matches!(op.binarization(), Some(Binarization::Stochastic { .. })),
        }
    }

    fn text(self) -> String {
        let Self {
            dtype,
            formula,
            stochastic,
        } = self;
        format!(
            "const DTYPE: u32 = {}u;\nconst FORMULA: u32 = {}u;\nconst STOCHASTIC: bool = {stochastic};\n",
            dtype as u32, formula as u32
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{definition::HardSigmoid, op::Unary};
    use crate::plan::{
        grid::WORKGROUP,
        placement::{Access, Stage, access, bound},
    };
    use naga::{AddressSpace, StorageAccess};
    use std::collections::{BTreeMap, BTreeSet};

    fn constant(module: &naga::Module, name: &str) -> naga::Literal {
        let found = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name));
        let (_, constant) = found.unwrap_or_else(|| panic!("the shader has no constant {name}"));
        match module.global_expressions[constant.init] {
            naga::Expression::Literal(literal) => literal,
            ref other => panic!("{name} is {other:?}"),
        }
    }

    /// The text parses alone, binds nothing, and has a function with the operation's name, which calls its kernel's with every
    /// operand apart from what made it.
    #[test]
    fn a_function_stands_by_itself() {
        let mut without = BTreeSet::new();
        for op in Op::all(HardSigmoid::PYTORCH) {
            for &dtype in DType::ALL {
                let text = match function(op, dtype) {
                    Ok(text) => text,
                    Err(error) => {
                        assert_eq!(error, OpError::NotElementwise { op: op.name() });
                        without.insert(op.name());
                        continue;
                    }
                };
                let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{op:?}: {error}"));
                assert!(
                    module.entry_points.is_empty() && module.global_variables.is_empty() && module.overrides.is_empty()
                );
                assert_eq!(constant(&module, "DTYPE"), naga::Literal::U32(dtype as u32));
                let formula = naga::Literal::U32(Formula::of(op, DType::F32) as u32);
                assert_eq!(constant(&module, "FORMULA"), formula);
                let names = module.functions.iter().filter_map(|(_, one)| one.name.as_deref());
                let names: BTreeSet<_> = names.collect();
                for name in ["low", "high", "packed"] {
                    assert_eq!(
                        names.contains(name),
                        dtype != DType::F32,
                        "{name} for {op:?} in {dtype}"
                    );
                }
                let (_, own) = text
                    .split_once(&format!("fn {}(", op.name()))
                    .expect("the operation's name");
                let own = own.split('}').next().unwrap();
                let kernel = snake_case(&format!("{:?}", op.row().kernel));
                let operands = op.inputs().iter().map(|operand| format!("{operand} ^ vec4<u32>(zero)"));
                let operands: Vec<_> = operands.collect();
                let call = format!("return {kernel}4({}", operands.join(", "));
                assert!(own.contains(&call), "{call} isn't in {own}");
                assert_eq!(own.contains("dx ^ vec4<u32>(zero)"), op.name() == "backward_accumulate");
            }
        }
        assert_eq!(
            without,
            BTreeSet::from(["gate_broadcast", "gate_broadcast_sums", "pack", "unpack"])
        );
        let large = Unary::binarize(Binarization::Deterministic, 1e30).unwrap();
        assert!(matches!(
            function(large, DType::F16),
            Err(OpError::ScaleTooLarge { .. })
        ));
        assert!(function(large, DType::Bf16).is_ok());
    }

    fn snake_case(name: &str) -> String {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        snake
    }

    #[test]
    fn a_kernels_constants_are_in_its_text() {
        for op in Op::all(HardSigmoid::PYTORCH) {
            for &placement in Placement::ALL {
                let module = naga::front::wgsl::parse_str(&kernel(op, DType::F16, placement)).unwrap();
                assert!(module.overrides.is_empty());
                assert_eq!(constant(&module, "KERNEL"), naga::Literal::U32(op.row().kernel as u32));
                assert_eq!(constant(&module, "DTYPE"), naga::Literal::U32(1));
                let options = Options::of(op, DType::F16);
                assert_eq!(constant(&module, "FORMULA"), naga::Literal::U32(options.formula as u32));
                assert_eq!(constant(&module, "STOCHASTIC"), naga::Literal::Bool(options.stochastic));
            }
        }
    }

    #[test]
    fn formulas_have_their_constants() {
        let module = naga::front::wgsl::parse_str(SEPARATE).unwrap();
        for (formula, name) in [
            (Formula::Affine, "AFFINE"),
            (Formula::Rare, "RARE"),
            (Formula::Relu6Divide, "RELU6_DIVIDE"),
            (Formula::Relu6Multiply, "RELU6_MULTIPLY"),
            (Formula::Relu6DivideBoth, "RELU6_DIVIDE_BOTH"),
            (Formula::HalfKinks, "HALF_KINKS"),
            (Formula::Halves, "HALVES"),
        ] {
            assert_eq!(constant(&module, name), naga::Literal::U32(formula as u32));
        }
    }

    /// Every operation's kernel is a constant of the shader, and every such constant belongs to an operation.
    #[test]
    fn kernels_and_operations_belong_together() {
        let text = part!("kernels");
        let start = text.find("const FORWARD").unwrap();
        let lines = text[start..].lines().take_while(|line| line.starts_with("const "));
        let in_shader: BTreeSet<_> = lines
            .map(|line| line.split([' ', ':']).nth(1).unwrap().to_string())
            .collect();
        let module = naga::front::wgsl::parse_str(SEPARATE).unwrap();
        let mut of_operations = BTreeSet::new();
        // A broadcast gate has entry points of its own.
        let of_elements = Op::all(HardSigmoid::KERAS).into_iter();
        for op in of_elements.filter(|op| op.broadcast().is_none()) {
            let kernel = op.row().kernel;
            let name = snake_case(&format!("{kernel:?}")).to_uppercase();
            assert_eq!(constant(&module, &name), naga::Literal::U32(kernel as u32), "{op:?}");
            of_operations.insert(name);
        }
        assert_eq!(
            of_operations, in_shader,
            "an operation is missing in `Op::all`, or a kernel in the shader"
        );
        for dtype in DType::ALL {
            let value = constant(&module, &dtype.to_string().to_uppercase());
            assert_eq!(value, naga::Literal::U32(*dtype as u32), "{dtype}");
        }
    }

    /// Entry points, workgroup sizes and bindings are what the plan says, in both modules.
    #[test]
    fn the_shader_has_what_the_plan_names() {
        for (text, placements) in [
            (SEPARATE, &[Placement::Separate, Placement::InPlace][..]),
            (SHARED, &[Placement::Shared]),
        ] {
            let module = naga::front::wgsl::parse_str(text).unwrap();
            let capabilities = naga::valid::Capabilities::empty();
            let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
            let info = validator.validate(&module).unwrap();
            let mut named = BTreeSet::new();
            for op in Op::all(HardSigmoid::PYTORCH) {
                for &placement in placements.iter().filter(|placement| placement.allows(op)) {
                    for stage in Stage::of(op) {
                        let name = stage.entry_point(op, placement);
                        let workgroup = if stage == Stage::Tail { 4 } else { WORKGROUP };
                        named.insert(name);
                        let index = module.entry_points.iter().position(|entry| entry.name == name);
                        let index = index.unwrap_or_else(|| panic!("no entry point {name}"));
                        assert_eq!(module.entry_points[index].workgroup_size, [workgroup, 1, 1]);
                        let expected = bound(op, placement).map(|operand| Some(access(placement, operand)));
                        // Every tensor and the parameters, so that a layout made from the text ("auto") has them all.
                        let expected: BTreeMap<_, _> = (0..).zip(expected.chain([None])).collect();
                        assert_eq!(used(&module, &info, index), expected, "{name} {placement:?}");
                    }
                }
            }
            if placements.len() > 1 {
                let all: BTreeSet<_> = module.entry_points.iter().map(|entry| &*entry.name).collect();
                assert_eq!(all, named, "an entry point that nothing names");
            }
        }
    }

    /// What an entry point binds; `None` is the uniform.
    fn used(module: &naga::Module, info: &naga::valid::ModuleInfo, entry: usize) -> BTreeMap<u32, Option<Access>> {
        let mut found = BTreeMap::new();
        for (handle, variable) in module.global_variables.iter() {
            if info.get_entry_point(entry)[handle].is_empty() {
                continue;
            }
            if variable.space == AddressSpace::WorkGroup {
                continue;
            }
            let binding = variable.binding.unwrap();
            assert_eq!(binding.group, 0);
            let seen = match variable.space {
                AddressSpace::Uniform => None,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => Some(Access::ReadWrite),
                AddressSpace::Storage { .. } => Some(Access::Read),
                other => panic!("{other:?}"),
            };
            assert_eq!(
                found.insert(binding.binding, seen),
                None,
                "{} is seen twice",
                binding.binding
            );
        }
        found
    }
}
