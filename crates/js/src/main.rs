//! Writes the JavaScript side of a WebAssembly module: `hard-sigmoid-js MODULE.wasm FOLDER NAME`. `build.sh` runs it.

#[cfg(not(target_family = "wasm"))]
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [module, folder, name] = &arguments[..] else {
        eprintln!("usage: hard-sigmoid-js MODULE.wasm FOLDER NAME");
        std::process::exit(2);
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(module)
        .out_name(name)
        .typescript(false)
        .omit_default_module_path(true)
        // Function names are a sixth of the file, and users don't debug it.
        .remove_name_section(true);
    let generated = bindgen.web(true);
    generated.and_then(|bindgen| bindgen.generate(folder)).unwrap();
}

#[cfg(target_family = "wasm")]
fn main() {}
