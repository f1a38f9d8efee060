//! Checks that the docs hold the computed figures, so that they can't become outdated.

use std::{
    io::pipe,
    path::Path,
    process::{Command, Stdio},
};

fn tools(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.args(arguments);
    command
}

#[test]
fn the_page_of_definitions_has_the_computed_tables() {
    let output = tools(&["tables"]).output().unwrap();
    let tables = String::from_utf8(output.stdout).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/definitions.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(tables.trim().split("\n\n").count(), 7);
    for table in tables.trim().split("\n\n") {
        assert!(page.contains(table), "docs/definitions.md lacks\n{table}");
    }
    // The one that is in its text.
    assert!(tables.contains("`affine(0.16666667, 0.5)` | 45.3 %") && page.contains("| 45.3 % of y in (-3, 3)"));
}

/// `tools tables | head -1` writes no error.
#[test]
fn a_reader_may_leave() {
    let folder = std::env::temp_dir().join(format!("hard-sigmoid-tools-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let picture = folder.join("binarize.svg");
    let binarize = ["binarize", "--draws", "1", "--device", "cpu", "--output"];
    let binarize: Vec<_> = binarize.into_iter().chain(picture.to_str()).collect();
    for arguments in [&["tables"][..], &binarize, &["--help"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let child = tools(arguments).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        assert!(output.status.success(), "{arguments:?}");
    }
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    std::fs::remove_dir_all(&folder).unwrap();
}
