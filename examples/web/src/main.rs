//! Writes the JavaScript side of a WebAssembly module: `hard-sigmoid-web MODULE.wasm FOLDER`. Run by `build.sh`.

#[cfg(not(target_family = "wasm"))]
fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [module, folder] = &arguments[..] else {
        eprintln!("usage: hard-sigmoid-web MODULE.wasm FOLDER");
        std::process::exit(2);
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .input_path(module)
        .typescript(false)
        .omit_default_module_path(false)
        // A sixth of the file, for a visitor who will not debug it.
        .remove_name_section(true);
    let generated = bindgen.web(true);
    generated.and_then(|bindgen| bindgen.generate(folder)).unwrap();
}

#[cfg(target_family = "wasm")]
fn main() {}
