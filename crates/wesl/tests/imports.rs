//! WESL imports every function of the package, and what it makes of them is the same WGSL but for names.

use hard_sigmoid::{
    HardSigmoid, Op,
    wgsl::{Options, Text, scalar},
};
use naga::{Expression, Literal, Module};
use std::{collections::BTreeSet, fs, path::Path};
use wesl::Compiler;

/// The functions of a module, and the numbers that each takes.
const FUNCTIONS: [(&str, &str); 9] = [
    ("hard_sigmoid", "x"),
    ("hard_sigmoid_backward", "x, g"),
    ("hard_sigmoid_backward_from_output", "x, g"),
    ("hard_sigmoid_backward_accumulate", "x, g, d"),
    ("hard_swish", "x"),
    ("hard_swish_backward", "x, g"),
    ("hard_sigmoid_gate", "x, g"),
    ("hard_sigmoid_gate_da", "x, g, d"),
    ("hard_sigmoid_gate_db", "x, g, d"),
];

/// The text that WESL makes of a file in a folder of shaders.
fn compiled(name: &str, source: &str) -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{name}.wesl"));
    fs::write(&path, source).unwrap();
    let mut compiler = Compiler::default();
    compiler.options.dependencies.push(&hard_sigmoid_wesl::PACKAGE);
    let compiled = compiler.compile(&path);
    compiled
        .map(|one| one.syntax.to_string())
        .map_err(|error| error.to_string())
}

fn parsed(text: &str) -> Module {
    naga::front::wgsl::parse_str(text).unwrap_or_else(|error| panic!("{}\n{text}", error.emit_to_string(text)))
}

/// The bits of every number in a module, and how many functions there are.
fn numbers(module: &Module) -> (Vec<String>, usize) {
    let functions = module.functions.iter().map(|(_, function)| function);
    let entries = module.entry_points.iter().map(|entry| &entry.function);
    let inner = functions.chain(entries).flat_map(|one| one.expressions.iter());
    let mut found: Vec<_> = inner
        .chain(module.global_expressions.iter())
        .filter_map(|(_, expression)| match expression {
            Expression::Literal(Literal::F32(value)) => Some(format!("f32 {:08x}", value.to_bits())),
            Expression::Literal(other) => Some(format!("{other:?}")),
            _ => None,
        })
        .collect();
    found.sort();
    (found, module.functions.len())
}

/// A kernel that calls these functions.
fn kernel(functions: &[(&str, &str)]) -> String {
    let calls: Vec<_> = functions
        .iter()
        .map(|(name, numbers)| format!("{name}({numbers})"))
        .collect();
    format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<vec4<f32>>;\n\
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n    \
             let x = data[id.x].x;\n    let g = data[id.x].y;\n    let d = data[id.x].z;\n    \
             data[id.x].w = {};\n\
         }}\n",
        calls.join(" + ")
    )
}

#[test]
fn every_function_is_imported() {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for preset in HardSigmoid::PRESETS {
        for (text, folder) in [(Text::Exact, ""), (Text::Short, "short::")] {
            for op in Op::all(preset.definition) {
                let options = Options {
                    text,
                    ..Default::default()
                };
                let Ok(own) = scalar(op, &options) else { continue };
                let is_declared = |(name, _): &&(&str, &str)| own.contains(&format!("\nfn {name}("));
                let functions: Vec<_> = FUNCTIONS.iter().filter(is_declared).copied().collect();
                if matches!(op.name(), "binarize" | "straight_through") {
                    continue;
                }
                assert!(!functions.is_empty(), "FUNCTIONS and build.rs lack {}", op.name());
                let of = format!("hard_sigmoid::{folder}{}", preset.name);
                let imports = functions.iter().map(|(name, _)| format!("import {of}::{name};\n"));
                let source = imports.collect::<String>() + &kernel(&functions);
                let found = compiled("imports", &source).unwrap_or_else(|error| panic!("{error}\n{source}"));
                let expected = parsed(&(own + &kernel(&functions)));
                assert_eq!(numbers(&parsed(&found)), numbers(&expected), "{found}");
                let wrong = parsed(&(found + "fn more() -> f32 {\n    return 0.25;\n}\n"));
                assert_ne!(numbers(&wrong), numbers(&expected));
                seen.extend(functions.iter().map(|(name, _)| *name));
                count += 1;
            }
        }
    }
    // gate_backward has two functions.
    assert_eq!(count, 8 * 2 * (FUNCTIONS.len() - 1));
    assert_eq!(seen.len(), FUNCTIONS.len());
}

#[test]
fn two_presets_fit_into_one_module() {
    let source = "import hard_sigmoid::keras::hard_sigmoid as keras;\n\
                  import hard_sigmoid::jax::hard_sigmoid as jax;\n\
                  import hard_sigmoid::short::jax::hard_sigmoid as short;\n";
    let source = source.to_owned() + &kernel(&[("keras", "x"), ("jax", "x"), ("short", "x")]);
    parsed(&compiled("two", &source).unwrap());
}

#[test]
fn what_isnt_there_is_an_error() {
    for (missing, message) in [
        ("hard_sigmoid::torch::hard_swish", "no submodule named `torch`"),
        ("hard_sigmoid::jax::swish", "swish"),
        ("hard_sigmoid::jax::binarize", "binarize"),
    ] {
        let name = missing.rsplit("::").next().unwrap();
        let error = compiled("missing", &format!("import {missing};\n{}", kernel(&[(name, "x")])));
        let error = error.unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
