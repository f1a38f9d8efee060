//! One operation as WGSL functions, for a kernel of your own.
//!
//! [`Kernel::text`](crate::plan::Kernel::text) gives whole kernels. Both are put together from the files in `shaders/`:
//! `hard_sigmoid.wgsl` has the hard sigmoid itself, `formula.rs` chooses formulas and writes constants, and only what is needed
//! is kept.

use crate::{
    math::{
        binarize::Binarization,
        dtype::DType,
        error::OpError,
        op::{Binary, Op, Unary},
    },
    plan::{
        formula::{self, compares_first_operand, is_of_halves},
        items::needed,
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
const FUNCTIONS: [&str; 5] = [
    part!("hard_sigmoid"),
    part!("gate"),
    part!("hard_swish"),
    part!("binarize"),
    part!("philox"),
];

/// How the tensors of an element type are read.
fn words(dtype: DType) -> &'static [&'static str] {
    match dtype {
        DType::F32 => &[part!("f32")],
        DType::F16 => &[part!("halves"), part!("f16")],
        DType::Bf16 => &[part!("halves"), part!("bf16")],
    }
}

/// The text of a kernel.
pub(super) fn kernel(kernel: Kernel) -> String {
    let (op, dtype) = (kernel.op(), kernel.dtype());
    let family = match op {
        Op::Pack(_) => part!("pack").into(),
        Op::Unpack(_) => part!("unpack").into(),
        Op::GateBroadcast(_) => part!("broadcast").into(),
        Op::GateBroadcastSums(_) => part!("broadcast_sums").into(),
        Op::Unary(_) | Op::Binary(_) | Op::GateBackward(_) => elementwise(op, dtype),
    };
    let about = format!("// {} in {dtype}, tensors {}", op.name(), kernel.placement());
    let about = match op.definition() {
        Some(definition) => format!("{about}: {definition}, {}\n", definition.formula()),
        None => format!("{about}\n"),
    };
    let bindings = bindings(kernel);
    let formulas = formula::text(op, dtype);
    let drawn = drawn(op);
    let mut parts = vec![&*bindings, PARAMS, &*family, part!("elementwise"), &*drawn, &*formulas];
    parts.extend(words(dtype));
    parts.extend(FUNCTIONS);
    about + &needed(&parts.join("\n"), &[])
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

/// The functions of a binarization, which draw signs or don't.
fn drawn(op: Op) -> String {
    let prefix = if is_stochastic(op) { "drawn_" } else { "" };
    format!(
        "fn binarize4(x: vec4<u32>, word: u32) -> vec4<u32> {{\n    return {prefix}binarize_words(x, word);\n}}\n\
         fn signs4(x: vec4<u32>, word: u32) -> u32 {{\n    return {prefix}signs_of_words(x, word);\n}}\n"
    )
}

fn is_stochastic(op: Op) -> bool {
    matches!(op.binarization(), Some(Binarization::Stochastic { .. }))
}

/// The entry points of a kernel that computes each element from the same element of its operands.
fn elementwise(op: Op, dtype: DType) -> String {
    let adds = matches!(op, Op::Binary(Binary::BackwardAccumulate(_)));
    let read: Vec<_> = op.inputs().iter().chain(op.outputs().iter().filter(|_| adds)).collect();
    let results = results(op, dtype);
    let mut text = String::from(
        "@compute @workgroup_size(WORKGROUP)\nfn body(@builtin(global_invocation_id) id: vec3<u32>) {\n    \
         let i = vector_index(id);\n    if in_body(i) {\n",
    );
    let uses_word = matches!(op, Op::Unary(Unary::Binarize(_)));
    if uses_word {
        text += "        let word = 4u * i;\n";
    }
    for name in &read {
        let _ = writeln!(text, "        let {name} = load_{name}(i);");
    }
    for (name, result) in op.outputs().iter().zip(&results) {
        let _ = writeln!(text, "        let new_{name} = {result};");
    }
    for name in op.outputs() {
        let _ = writeln!(text, "        store_{name}(i, new_{name});");
    }
    text += "    }\n}\n@compute @workgroup_size(4)\nfn tail(@builtin(local_invocation_index) lane: u32) {\n    \
             let i = tail_index(lane);\n    if in_tail(i) {\n";
    if uses_word {
        text += "        let word = i;\n";
    }
    for name in &read {
        let _ = writeln!(text, "        let {name} = vec4<u32>(load_{name}_word(i));");
    }
    for (name, result) in op.outputs().iter().zip(&results) {
        let _ = writeln!(
            text,
            "        let new_{name} = merged({result}, load_{name}_word(i), i);"
        );
    }
    for name in op.outputs() {
        let _ = writeln!(text, "        store_{name}_word(i, new_{name});");
    }
    text + "    }\n}\n"
}

/// The function of four elements that computes each result of an operation, and its operands.
type Call = (&'static str, &'static [&'static str]);

/// The calls of an elementwise operation, one for each result. Others have none.
fn calls(op: Op) -> &'static [Call] {
    match op {
        Op::Unary(Unary::Forward(_)) => &[("forward4", &["x"])],
        Op::Unary(Unary::HardSwish(_)) => &[("hard_swish4", &["x"])],
        // `binarize4` takes words: see `results`.
        Op::Unary(Unary::Binarize(_)) => &[("binarize4", &["x"])],
        Op::Binary(Binary::Backward(_) | Binary::StraightThrough(_)) => &[("backward4", &["x", "g"])],
        Op::Binary(Binary::BackwardFromOutput(_)) => &[("backward4", &["y", "g"])],
        Op::Binary(Binary::BackwardAccumulate(_)) => &[("backward_accumulate4", &["x", "g", "dx"])],
        Op::Binary(Binary::HardSwishBackward(_)) => &[("hard_swish_backward4", &["x", "g"])],
        Op::Binary(Binary::Gate(_)) => &[("gate4", &["a", "b"])],
        Op::GateBackward(_) => &[("gate4", &["g", "b"]), ("gate_db4", &["a", "b", "g"])],
        Op::Pack(_) | Op::Unpack(_) | Op::GateBroadcast(_) | Op::GateBroadcastSums(_) => &[],
    }
}

/// For each result of an operation, the expression of four words of it. It uses four words of each operand, and `word`,
/// the index of the first of them.
fn results(op: Op, dtype: DType) -> Vec<String> {
    if let Op::Unary(Unary::Binarize(_)) = op {
        return vec!["binarize4(x, word)".into()];
    }
    let call = |(function, operands): &Call| match dtype {
        _ if is_of_halves(op, dtype) => {
            let function = function.replace('4', "_halves");
            format!("{function}({})", operands.join(", "))
        }
        DType::F32 => format!("{function}({})", operands.join(", ")),
        DType::F16 | DType::Bf16 => {
            let widened = |half: &str, unchanged: &str| {
                let operand = |(i, name): (usize, &&str)| match i {
                    0 if compares_first_operand(op) => format!("{name}{unchanged}"),
                    _ => format!("{half}({name})"),
                };
                operands.iter().enumerate().map(operand).collect::<Vec<_>>().join(", ")
            };
            let (first, second) = (widened("low", " << vec4<u32>(16u)"), widened("high", ""));
            format!("packed_results({function}({first}), {function}({second}))")
        }
    };
    calls(op).iter().map(call).collect()
}

/// An operation as functions for a kernel of your own. The text binds nothing, takes no parameters, and has nothing that the
/// operation doesn't need.
///
/// For each result there is a function. It takes operands in their order ([`Op::inputs`]), each as the bits of four `f32`; they
/// may come straight out of arithmetic. It computes in `f32`, whatever `dtype` is:
///
/// ```wgsl
/// fn forward(x: vec4<u32>) -> vec4<u32>
/// fn hard_swish(x: vec4<u32>) -> vec4<u32>
/// fn backward(x: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// fn backward_from_output(y: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// fn backward_accumulate(x: vec4<u32>, g: vec4<u32>, dx: vec4<u32>) -> vec4<u32> // adds to dx
/// fn hard_swish_backward(x: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// fn straight_through(x: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// fn gate(a: vec4<u32>, b: vec4<u32>) -> vec4<u32>
/// fn gate_backward_da(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// fn gate_backward_db(a: vec4<u32>, b: vec4<u32>, g: vec4<u32>) -> vec4<u32>
/// ```
///
/// The text keeps each rounding apart, and apart from the arithmetic that made the operands. The bits are those of the CPU path,
/// except for subnormal numbers, which WGSL lets a GPU take for zero.
///
/// **Text.** It goes before your kernel, and after lines such as `enable f16;`. A module has room for one such text. It takes
/// some names, such as `value4` and `rounded`: give yours a prefix. Don't define a function that has the name of a built-in one
/// that the text calls, such as `clamp` or `max`.
///
/// **Halves.** With `dtype` f16 or bf16 the text also has these functions. Of eight consecutive elements, which are in
/// four words, `low` gives the first, third, fifth and seventh, and `high` the others. `packed` rounds any `f32` to
/// halves.
///
/// ```wgsl
/// fn low(words: vec4<u32>) -> vec4<u32>
/// fn high(words: vec4<u32>) -> vec4<u32>
/// fn packed(low: vec4<u32>, high: vec4<u32>) -> vec4<u32>
/// ```
///
/// **Signs.** A stochastic `binarize` takes random words too. Its seed and offset aren't in the text, so that they may
/// change: pass those of the [`Binarization`], the low word of each first. Halves take the words of two calls,
/// `a = random4(element, …)` and `b = random4(element + 4, …)`. The signs of the `low` halves take `vec4(a.xz, b.xz)`,
/// and those of the `high` halves `vec4(a.yw, b.yw)`. The numbers are plus and minus `scale`.
///
/// ```wgsl
/// fn binarize(x: vec4<u32>, scale: f32) -> vec4<u32>
/// fn binarize(x: vec4<u32>, random: vec4<u32>, scale: f32) -> vec4<u32> // stochastic
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
    let calls = calls(op);
    if calls.is_empty() {
        return Err(OpError::NotElementwise { op: op.name() });
    }
    let mut text = String::new();
    let mut roots: Vec<String> = vec![];
    for (&result, (called, used)) in op.outputs().iter().zip(calls) {
        let name = match calls {
            [_] => op.name().to_string(),
            _ => format!("{}_{result}", op.name()),
        };
        // An operand may be the result of arithmetic, which must not be fused with the function's own.
        let mut operands: Vec<_> = op.inputs().to_vec();
        operands.extend(used.iter().filter(|operand| !op.inputs().contains(operand)));
        let parameters: Vec<_> = operands.iter().map(|operand| format!("{operand}: vec4<u32>")).collect();
        let parameters = parameters.join(", ");
        let arguments: Vec<_> = used.iter().map(|operand| format!("from_outside({operand})")).collect();
        let arguments = arguments.join(", ");
        let function = match op {
            Op::Unary(Unary::Binarize(_)) if is_stochastic(op) => format!(
                "fn {name}({parameters}, random: vec4<u32>, scale: f32) -> vec4<u32> {{\n    \
                 return signed4(is_drawn_plus4({arguments}, random), scale);\n}}\n"
            ),
            Op::Unary(Unary::Binarize(_)) => format!(
                "fn {name}({parameters}, scale: f32) -> vec4<u32> {{\n    return signed4(is_plus4({arguments}), scale);\n}}\n"
            ),
            _ => format!("fn {name}({parameters}) -> vec4<u32> {{\n    return {called}({arguments});\n}}\n"),
        };
        text += &function;
        roots.push(name);
    }
    // The function computes in f32, whatever the tensors hold.
    let formulas = formula::text(op, DType::F32);
    let mut parts = vec![&*text, part!("function"), &*formulas];
    if dtype != DType::F32 {
        parts.extend(words(dtype));
        roots.extend(["low", "high", "packed"].map(String::from));
    }
    if is_stochastic(op) {
        roots.push("random4".into());
    }
    parts.extend(FUNCTIONS);
    let roots: Vec<_> = roots.iter().map(String::as_str).collect();
    Ok(needed(&parts.join("\n"), &roots))
}

#[cfg(test)]
mod tests {
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

    /// The text parses alone, binds nothing, and has a function for each result, which keeps every operand apart from what made
    /// it.
    #[test]
    fn a_function_stands_by_itself() {
        let mut without = BTreeSet::new();
        for op in definitions().into_iter().flat_map(Op::all) {
            for &dtype in DType::ALL {
                let text = match function(op, dtype) {
                    Ok(text) => text,
                    Err(error) => {
                        assert_eq!(error, OpError::NotElementwise { op: op.name() });
                        without.insert(op.name());
                        continue;
                    }
                };
                let (module, _) = checked(&text);
                assert!(
                    module.entry_points.is_empty() && module.global_variables.is_empty() && module.overrides.is_empty()
                );
                let names: BTreeSet<_> = module
                    .functions
                    .iter()
                    .filter_map(|(_, one)| one.name.as_deref())
                    .collect();
                for name in ["low", "high", "packed"] {
                    assert_eq!(
                        names.contains(name),
                        dtype != DType::F32,
                        "{name} for {op:?} in {dtype}"
                    );
                }
                for result in op.outputs() {
                    let name = match op.outputs() {
                        [_] => op.name().to_string(),
                        _ => format!("{}_{result}", op.name()),
                    };
                    let (_, own) = text.split_once(&format!("fn {name}(")).expect("the operation's name");
                    let own = own.split('}').next().unwrap();
                    assert!(own.contains("from_outside("), "{own}");
                }
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

    /// Each formula, and slopes and shifts for which kernels have functions of their own.
    fn definitions() -> Vec<HardSigmoid> {
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
    fn called(module: &naga::Module, function: &naga::Function) -> BTreeSet<naga::Handle<naga::Function>> {
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
