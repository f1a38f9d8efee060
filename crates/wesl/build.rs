//! Writes the package: a module for each preset, with the text of `hard_sigmoid::wgsl`.

use hard_sigmoid::{
    HardSigmoid, Op, Preset,
    wgsl::{Options, Text, scalar},
};
use std::{env, fs, path::Path};

/// What others may import.
const PUBLIC: [&str; 9] = [
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_sigmoid_backward_from_output",
    "hard_sigmoid_backward_accumulate",
    "hard_swish",
    "hard_swish_backward",
    "hard_sigmoid_gate",
    "hard_sigmoid_gate_da",
    "hard_sigmoid_gate_db",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let package = format!(
        "/// The package, for `StandardResolver::add_package`.\n\
         pub static PACKAGE: StaticPackage = StaticPackage {{\n    \
             crate_name: \"hard_sigmoid_wesl\",\n    \
             root: &{},\n    \
             dependencies: &[],\n\
         }};\n",
        tree()
    );
    let folder = env::var("OUT_DIR").expect("Cargo sets it");
    fs::write(Path::new(&folder).join("hard_sigmoid.rs"), package).expect("the build folder can be written");
}

/// A module for each preset, and those of the short texts in a module of their own.
fn tree() -> String {
    let short = module("short", "", &presets(Text::Short));
    let exact = presets(Text::Exact);
    module("hard_sigmoid", "", &[exact, vec![short]].concat())
}

fn presets(text: Text) -> Vec<String> {
    let of = |preset: &Preset| module(preset.name, &source(preset.definition, text), &[]);
    HardSigmoid::PRESETS.iter().map(of).collect()
}

/// Every function of a definition. Binarization has none, and its draws have no seed here.
fn source(definition: HardSigmoid, text: Text) -> String {
    let options = Options {
        text,
        ..Default::default()
    };
    let all = Op::all(definition).into_iter();
    let own = all.filter(|op| op.definition().is_some() && op.name() != "binarize");
    let texts: Vec<_> = own.filter_map(|op| scalar(op, &options).ok()).collect();
    let private = texts.join("\n");
    PUBLIC.iter().fold(private, |text, name| {
        let declared = format!("\nfn {name}(");
        assert_eq!(text.matches(&declared).count(), 1, "{name}");
        text.replace(&declared, &format!("\npublic fn {name}("))
    })
}

/// A module in Rust's words.
fn module(name: &str, source: &str, submodules: &[String]) -> String {
    let submodules: Vec<_> = submodules.iter().map(|one| format!("&{one}")).collect();
    format!(
        "StaticPackageModule {{ name: {name:?}, source: {source:?}, submodules: &[{}] }}",
        submodules.join(", ")
    )
}
