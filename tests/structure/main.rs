//! Checks the structure of `src/`: each folder belongs to a layer, and imports go only to lower layers.

use std::{collections::BTreeMap, fs, path::Path};

/// The folders of each layer, the lowest first. Those of one layer don't import each other.
const LAYERS: [&[&str]; 4] = [&["math"], &["cpu", "identify", "plan"], &["gpu"], &["offload"]];

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|folders| folders.contains(&folder))
}

/// Every `.rs` file under a folder, with its text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
            let name = path.strip_prefix(source).unwrap().to_string_lossy().replace('\\', "/");
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The names that follow `crate::` in code; names in braces are separate.
fn imports(text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut found = vec![];
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `hard_sigmoid_crate::` aren't ours.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let name = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        let Some(list) = rest.strip_prefix('{') else {
            found.push(name(rest));
            continue;
        };
        // Names at the outermost level of the braces.
        let (mut depth, mut starts) = (1, true);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => starts = true,
                _ if depth == 1 && starts && c.is_alphabetic() => {
                    found.push(name(&list[i..]));
                    starts = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

/// What is wrong with a file's imports.
fn faults(file: &str, text: &str) -> Vec<String> {
    // lib.rs is the face: it re-exports, and nobody imports through it.
    let Some((folder, _)) = file.split_once('/') else {
        return vec![];
    };
    let Some(own) = layer(folder) else {
        return vec![format!("{file} is in a folder without a layer: add {folder} to LAYERS")];
    };
    let wrong = imports(text).into_iter().filter_map(|name| match layer(&name) {
        None => Some(format!(
            "{file} imports crate::{name}, which is no folder: name the file that defines it"
        )),
        Some(theirs) if name != folder && theirs >= own => {
            Some(format!("{file} imports {name}, which isn't below {folder}"))
        }
        Some(_) => None,
    });
    wrong.collect()
}

#[test]
fn imports_run_downwards() {
    let mut all = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut count = BTreeMap::new();
    let mut wrong = vec![];
    for (file, text) in &all {
        *count.entry(file.split('/').next().unwrap()).or_insert(0) += imports(text).len();
        wrong.extend(faults(file, text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for folder in LAYERS.iter().flat_map(|folders| folders.iter()) {
        assert!(count.contains_key(folder), "the folder {folder} is gone");
    }
    assert!(count["gpu"] > 10, "the imports aren't seen: {count:?}");
}

#[test]
fn imports_that_run_up_are_seen() {
    let seen = |file: &str, text: &str| faults(file, text).len();
    assert_eq!(seen("math/op.rs", "use crate::plan::Plan;"), 1);
    assert_eq!(
        seen(
            "cpu/mod.rs",
            "use crate::{\n    math::op::Op,\n    offload::Offload,\n};"
        ),
        1
    );
    assert_eq!(seen("cpu/mod.rs", "let x = crate::identify::identify(x);"), 1);
    assert_eq!(seen("gpu/mod.rs", "use crate::HardSigmoid;"), 1);
    assert_eq!(seen("new/mod.rs", ""), 1);
    assert_eq!(
        seen(
            "gpu/mod.rs",
            "use crate::{gpu::launch::Launch, math::{op::Op, dtype::DType}};"
        ),
        0
    );
    assert_eq!(seen("cpu/mod.rs", "//! crate::offload is above"), 0);
}
