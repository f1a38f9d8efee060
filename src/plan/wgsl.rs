//! The WGSL text of the kernels: whole modules, one kernel with its constants written in, or the functions alone.
//!
//! The text is put together from the files in `shaders/`. `hard_sigmoid.wgsl` has the hard sigmoid itself; the heads of
//! `kernels.wgsl` and `broadcast.wgsl` explain entry points, bindings and grids.

use crate::{
    math::{binarize::Binarization, definition::HardSigmoid, dtype::DType, op::Op},
    plan::{formula::Formula, placement::Placement},
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

/// The functions without bindings and entry points, to put in front of a kernel of your own.
///
/// `forward4(x, params)`, `backward4(x, g, params)`, `backward_accumulate4`, `gate4`, `gate_backward4`, `hard_swish4`
/// and `hard_swish_backward4` work on the bits of four `f32`, with [`Params`](crate::plan::Params) from a uniform of
/// yours. `low` and `high` widen the two halves of each of four words to `f32`, and `packed` rounds and packs them. For
/// `binarize4(x, random, params)`, `random4(element, params)` gives the random words of four elements in a row; both
/// need the parameters of [`Unary::Binarize`](crate::Unary::Binarize). Their text is in `shaders/`, with a comment on
/// each.
///
/// The example `fused` adds a bias and applies the hard sigmoid in one dispatch.
pub fn functions(definition: HardSigmoid, dtype: DType) -> String {
    let options = Options {
        dtype,
        formula: Formula::of_definition(definition),
        stochastic: true,
    };
    [&*options.text(), FUNCTIONS].join("\n")
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
    use crate::math::{broadcast::BroadcastGate, op::Other};
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

    #[test]
    fn the_functions_stand_by_themselves() {
        for definition in [HardSigmoid::PYTORCH, HardSigmoid::KERAS] {
            for &dtype in DType::ALL {
                let module = naga::front::wgsl::parse_str(&functions(definition, dtype)).unwrap();
                assert!(
                    module.entry_points.is_empty() && module.global_variables.is_empty() && module.overrides.is_empty()
                );
                assert_eq!(constant(&module, "DTYPE"), naga::Literal::U32(dtype as u32));
                let formula = naga::Literal::U32(Formula::of_definition(definition) as u32);
                assert_eq!(constant(&module, "FORMULA"), formula);
                let names = module
                    .functions
                    .iter()
                    .filter_map(|(_, function)| function.name.as_deref());
                let names: BTreeSet<_> = names.collect();
                for op in Op::all(definition) {
                    let kernel = format!("{:?}", op.row().kernel);
                    // Packing and unpacking have no function of four numbers.
                    if kernel != "Pack" && kernel != "Unpack" {
                        let name = format!("{}4", snake_case(&kernel));
                        assert!(names.contains(&*name), "no function {name} for {op:?}");
                    }
                }
            }
        }
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
        for op in Op::all(HardSigmoid::KERAS) {
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
            let gate = BroadcastGate::new(HardSigmoid::PYTORCH, 2, 3).unwrap();
            let broadcast = [Other::GateBroadcast(gate), Other::GateBroadcastBackward(gate)].map(Op::Other);
            for op in Op::all(HardSigmoid::PYTORCH).into_iter().chain(broadcast) {
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
