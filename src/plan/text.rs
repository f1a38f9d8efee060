//! The WGSL text of a kernel.
//!
//! It is put together from the files in `shaders/`. `hard_sigmoid.wgsl` has the hard sigmoid itself, `formula.rs` chooses
//! formulas and writes constants, and only what is needed is kept.

use crate::{
    math::{
        binarize::Binarization,
        dtype::DType,
        op::{Binary, Op, Unary},
    },
    plan::{
        formula::{Formulas, compares_first_operand, is_of_halves},
        items::{declaration, needed, renamed},
        kernel::{Access, Kernel},
    },
};
use std::fmt::Write;

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../shaders/", $name, ".wgsl"))
    };
}

/// `Params` in WGSL.
pub(crate) const PARAMS: &str = part!("params");

/// The functions of numbers, which bind nothing.
pub(super) const FUNCTIONS: [&str; 5] = [
    part!("hard_sigmoid"),
    part!("gate"),
    part!("hard_swish"),
    part!("binarize"),
    part!("philox"),
];

/// How arithmetic reads an operand that was loaded, and one that somebody else's kernel gives.
pub(super) const LOADED: &str = part!("loaded");
pub(super) const OUTSIDE: &str = part!("outside");

/// How the tensors of an element type are read.
pub(super) fn words(dtype: DType) -> &'static [&'static str] {
    match dtype {
        DType::F32 => &[part!("f32")],
        DType::F16 => &[part!("halves"), part!("f16")],
        DType::Bf16 => &[part!("halves"), part!("bf16")],
        DType::U8 => &[part!("bytes")],
    }
}

/// The text of a kernel.
pub(super) fn kernel(kernel: Kernel) -> String {
    let (op, dtype) = (kernel.op(), kernel.dtype());
    let family = match op {
        Op::Pack(_) => part!("pack").into(),
        Op::Unpack(_) => part!("unpack").into(),
        Op::Lookup => part!("lookup").into(),
        Op::GateBroadcast(_) | Op::LookupGate(_) => part!("broadcast").into(),
        Op::GateBroadcastSums(_) => part!("broadcast_sums").into(),
        Op::Unary(_) | Op::Binary(_) | Op::GateBackward(_) => elementwise(op, dtype),
    };
    let aligned = match is_stochastic(op) {
        true => aligned(&family),
        false => String::new(),
    };
    let about = format!("// {} in {dtype}, tensors {}", op.name(), kernel.placement());
    let about = match op.definition() {
        Some(definition) => format!("{about}: {definition}, {}\n", definition.formula()),
        None => format!("{about}\n"),
    };
    let bindings = bindings(kernel);
    let formulas = Formulas::new(op, dtype);
    let mut parts = vec![
        &*bindings,
        PARAMS,
        &*family,
        &*aligned,
        part!("elementwise"),
        &*formulas.text,
        LOADED,
    ];
    parts.extend(words(dtype));
    parts.extend(FUNCTIONS);
    about + &resolved(&parts, &[], op, &formulas)
}

/// The body again, as [`Stage::BodyAligned`](crate::plan::Stage::BodyAligned).
fn aligned(family: &str) -> String {
    renamed(declaration(family, "body"), |name, _| {
        ["body", "signs"].contains(&name).then(|| format!("{name}_aligned"))
    })
}

/// The parts that an operation needs, from these roots on, with its formulas for the names that `shaders/` only calls.
pub(super) fn resolved(parts: &[&str], roots: &[&str], op: Op, formulas: &Formulas) -> String {
    let signs = (
        "signs",
        if is_stochastic(op) {
            "drawn_signs"
        } else {
            "plain_signs"
        },
    );
    needed(&parts.join("\n"), roots, |name| {
        let mut chosen = formulas.chosen.iter().chain([&signs]);
        chosen
            .find(|(called, _)| *called == name)
            .map(|(_, function)| *function)
    })
}

/// The bindings of the tensors, seen as vec4s and as words, the functions that load and store them, and the parameters.
fn bindings(kernel: Kernel) -> String {
    let op = kernel.op();
    let mut text = String::new();
    for (binding, tensor) in kernel.tensors().enumerate() {
        let access = match tensor.access {
            Access::Read => "read",
            Access::ReadWrite => "read_write",
        };
        for (view, element) in [("vec", "vec4<u32>"), ("word", "u32")] {
            let name = tensor.name;
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}_{view}: array<{element}>;"
            );
        }
    }
    let _ = writeln!(
        text,
        "@group(0) @binding({}) var<uniform> params: Params;",
        kernel.tensors().len()
    );
    let names = op.inputs().iter().chain(op.outputs());
    for (index, name) in names.enumerate() {
        // In place, the first result has the binding of the operand that it replaces.
        let is_bound = kernel.tensors().any(|tensor| tensor.index == index);
        let bound = match op.replaces() {
            Some(replaced) if !is_bound => op.inputs()[replaced],
            _ => name,
        };
        for (view, suffix, element) in [("vec", "", "vec4<u32>"), ("word", "_word", "u32")] {
            let _ = writeln!(
                text,
                "fn load_{name}{suffix}(i: u32) -> {element} {{\n    return {bound}_{view}[i];\n}}"
            );
            if index >= op.inputs().len() {
                let _ = writeln!(
                    text,
                    "fn store_{name}{suffix}(i: u32, value: {element}) {{\n    {bound}_{view}[i] = value;\n}}"
                );
            }
        }
    }
    text
}

/// Whether the operation draws signs.
pub(super) fn is_stochastic(op: Op) -> bool {
    matches!(op.binarization(), Some(Binarization::Stochastic { .. }))
}

/// The entry points of a kernel that computes each element from the same element of its operands.
fn elementwise(op: Op, dtype: DType) -> String {
    let adds = matches!(op, Op::Binary(Binary::BackwardAccumulate(_)));
    let read: Vec<_> = op.inputs().iter().chain(op.outputs().iter().filter(|_| adds)).collect();
    let mut text = String::from(
        "@compute @workgroup_size(WORKGROUP)\nfn body(@builtin(global_invocation_id) id: vec3<u32>) {\n    \
         let i = vector_index(id);\n    if in_body(i) {\n",
    );
    for name in &read {
        let _ = writeln!(text, "        let {name} = load_{name}(i);");
    }
    let results = || op.outputs().iter().zip(calls(op));
    for (name, call) in results() {
        let lane = |lane| {
            let lanes = call.operands.iter().map(|operand| format!("{operand}.{lane}"));
            format!("{name}_of({})", lanes.collect::<Vec<_>>().join(", "))
        };
        let _ = match op {
            Op::Unary(Unary::Binarize(_)) => writeln!(text, "        let new_{name} = signed_words(signs(x, 4u * i));"),
            _ => writeln!(
                text,
                "        let new_{name} = vec4<u32>({});",
                ["x", "y", "z", "w"].map(lane).join(", ")
            ),
        };
    }
    for name in op.outputs() {
        let _ = writeln!(text, "        store_{name}(i, new_{name});");
    }
    text += "    }\n}\n@compute @workgroup_size(4)\nfn tail(@builtin(local_invocation_index) lane: u32) {\n    \
             let i = tail_index(lane);\n    if in_tail(i) {\n";
    for name in &read {
        let _ = writeln!(text, "        let {name} = load_{name}_word(i);");
    }
    for (name, call) in results() {
        let result = match op {
            Op::Unary(Unary::Binarize(_)) => "signed_words(signs(vec4<u32>(x), i)).x".into(),
            _ => format!("{name}_of({})", call.operands.join(", ")),
        };
        let _ = writeln!(
            text,
            "        let new_{name} = merged({result}, load_{name}_word(i), i);"
        );
    }
    for name in op.outputs() {
        let _ = writeln!(text, "        store_{name}_word(i, new_{name});");
    }
    text += "    }\n}\n";
    for (name, call) in results() {
        let _ = writeln!(
            text,
            "// A word of {name}.\nfn {name}_of({}: u32) -> u32 {{\n    return {};\n}}",
            call.operands.join(": u32, "),
            call.of_words(op, dtype)
        );
    }
    text
}

/// How the shader computes a result of an operation.
pub(super) struct Call {
    /// The name that the function has in a text of [`scalar`](crate::wgsl::scalar).
    pub(super) name: &'static str,
    /// The function of the bits of `f32` numbers. Those that take halves have `halves` instead of `bits` in their name.
    pub(super) function: &'static str,
    /// The operands that it takes.
    pub(super) operands: &'static [&'static str],
}

/// The calls of an elementwise operation, one for each result. Others have none.
pub(super) fn calls(op: Op) -> &'static [Call] {
    /// A row for each function: its name in a text of ours for others, its name in `shaders/`, and its operands.
    macro_rules! calls {
        ($($name:ident $function:ident($($operand:ident),+));+) => {
            &[$(Call {
                name: stringify!($name),
                function: stringify!($function),
                operands: &[$(stringify!($operand)),+],
            }),+]
        };
    }
    match op {
        Op::Unary(Unary::Forward(_)) => calls!(hard_sigmoid forward_bits(x)),
        Op::Unary(Unary::HardSwish(_)) => calls!(hard_swish hard_swish_bits(x)),
        Op::Unary(Unary::Binarize(_)) => calls!(binarize is_plus(x)),
        Op::Binary(Binary::Backward(_)) => calls!(hard_sigmoid_backward backward_bits(x, g)),
        Op::Binary(Binary::BackwardFromOutput(_)) => calls!(hard_sigmoid_backward_from_output backward_bits(y, g)),
        Op::Binary(Binary::BackwardAccumulate(_)) => {
            calls!(hard_sigmoid_backward_accumulate backward_accumulate_bits(x, g, dx))
        }
        Op::Binary(Binary::HardSwishBackward(_)) => calls!(hard_swish_backward hard_swish_backward_bits(x, g)),
        Op::Binary(Binary::Gate(_)) => calls!(hard_sigmoid_gate gate_bits(a, b)),
        Op::Binary(Binary::StraightThrough(_)) => calls!(straight_through backward_bits(x, g)),
        Op::GateBackward(_) => {
            calls!(hard_sigmoid_gate_da gate_bits(g, b); hard_sigmoid_gate_db gate_db_bits(a, b, g))
        }
        Op::Pack(_)
        | Op::Unpack(_)
        | Op::GateBroadcast(_)
        | Op::GateBroadcastSums(_)
        | Op::Lookup
        | Op::LookupGate(_) => &[],
    }
}

impl Call {
    /// The expression of a word of the result, from words of the operands.
    pub(super) fn of_words(&self, op: Op, dtype: DType) -> String {
        let Self { function, operands, .. } = self;
        match dtype {
            _ if is_of_halves(op, dtype) => {
                format!("{}({})", function.replace("_bits", "_halves"), operands.join(", "))
            }
            DType::F32 | DType::U8 => format!("{function}({})", operands.join(", ")),
            DType::F16 | DType::Bf16 => {
                let widened = |half: &str, unchanged: &str| {
                    let operand = |(i, name): (usize, &&str)| match i {
                        0 if compares_first_operand(op) => format!("{name}{unchanged}"),
                        _ => format!("{half}({name})"),
                    };
                    operands.iter().enumerate().map(operand).collect::<Vec<_>>().join(", ")
                };
                let (first, second) = (widened("low", " << 16u"), widened("high", ""));
                format!("packed_results({function}({first}), {function}({second}))")
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        math::definition::HardSigmoid,
        plan::{grid::WORKGROUP, kernel::Stage},
    };
    use naga::{AddressSpace, StorageAccess};
    use std::collections::{BTreeMap, BTreeSet};

    fn checked(text: &str) -> (naga::Module, naga::valid::ModuleInfo) {
        let module =
            naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
        let capabilities = naga::valid::Capabilities::empty();
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        let info = validator
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}", error.emit_to_string(text)));
        (module, info)
    }

    /// Each formula, and slopes and shifts for which kernels have functions of their own.
    pub(in crate::plan) fn definitions() -> Vec<HardSigmoid> {
        let others = [
            "affine(0, 0.25)",
            "affine(1e-40, 0.5, half)",
            "affine(-3, 1e-38, inclusive)",
        ];
        let others = others.map(|text| text.parse().unwrap());
        HardSigmoid::PRESETS
            .iter()
            .map(|preset| preset.definition)
            .chain(others)
            .collect()
    }

    /// Entry points, workgroup sizes and bindings are what the kernel says, and its text has no function that it doesn't call.
    #[test]
    fn a_kernel_has_what_it_names() {
        let mut count = 0;
        for kernel in definitions().into_iter().flat_map(Op::all).flat_map(Kernel::all) {
            count += 1;
            let (module, info) = checked(&kernel.text());
            assert!(module.overrides.is_empty());
            let names: Vec<_> = module.entry_points.iter().map(|entry| &*entry.name).collect();
            let stages = kernel.stages().iter().copied();
            assert_eq!(
                names,
                stages.clone().map(Stage::entry_point).collect::<Vec<_>>(),
                "{kernel:?}"
            );
            let expected = kernel.tensors().map(|tensor| Some(tensor.access));
            // Every tensor and the parameters, so that a layout made from the text ("auto") has them all.
            let expected: BTreeMap<_, _> = (0..).zip(expected.chain([None])).collect();
            let mut used = BTreeSet::new();
            for (index, stage) in stages.enumerate() {
                let workgroup = if stage == Stage::Tail { 4 } else { WORKGROUP };
                assert_eq!(module.entry_points[index].workgroup_size, [workgroup, 1, 1]);
                assert_eq!(bound(&module, &info, index), expected, "{kernel:?} {stage}");
                used.extend(called(&module, &module.entry_points[index].function));
            }
            let all: BTreeSet<_> = module.functions.iter().map(|(handle, _)| handle).collect();
            assert_eq!(used, all, "a function that nothing calls, in {kernel:?}");
        }
        assert!(count > 1000, "{count}");
    }

    /// The functions that a function calls, and those that these call.
    pub(in crate::plan) fn called(
        module: &naga::Module,
        function: &naga::Function,
    ) -> BTreeSet<naga::Handle<naga::Function>> {
        let mut found = BTreeSet::new();
        for (_, expression) in function.expressions.iter() {
            if let naga::Expression::CallResult(callee) = *expression {
                found.insert(callee);
                found.extend(called(module, &module.functions[callee]));
            }
        }
        // Functions without a result.
        let mut blocks = vec![&function.body];
        while let Some(block) = blocks.pop() {
            for statement in block.iter() {
                match statement {
                    naga::Statement::Call { function: callee, .. } => {
                        found.insert(*callee);
                        found.extend(called(module, &module.functions[*callee]));
                    }
                    naga::Statement::Block(block) => blocks.push(block),
                    naga::Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                    naga::Statement::Loop { body, continuing, .. } => blocks.extend([body, continuing]),
                    _ => {}
                }
            }
        }
        found
    }

    /// What an entry point binds; `None` is the uniform.
    fn bound(module: &naga::Module, info: &naga::valid::ModuleInfo, entry: usize) -> BTreeMap<u32, Option<Access>> {
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
