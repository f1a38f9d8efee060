use std::path::{Path, PathBuf};

/// An example's program, beside this test's own in `target/PROFILE`; cargo builds it along with all tests.
pub fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let file = format!("examples/{name}{}", std::env::consts::EXE_SUFFIX);
    let program = this.ancestors().nth(2).unwrap().join(file);
    let age = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}/main.rs"));
    let is_current = age(&program).is_ok_and(|built| built >= age(&source).unwrap());
    assert!(
        is_current,
        "{} is missing or old: run cargo test without --test",
        program.display()
    );
    program
}

pub fn write_npy(path: &Path, shape: &[u64], values: &[f32]) {
    use npyz::WriterBuilder;
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(file).begin_nd().unwrap();
    writer.extend(values).unwrap();
    writer.finish().unwrap();
}

#[test]
fn the_report_counts() {
    let folder = tempfile::tempdir().unwrap();
    let x = [-4.0_f32, -3.0, 0.0, 2.5, 3.0, f32::NAN, -3.5, 3.5];
    write_npy(&folder.path().join("x.npy"), &[4, 2], &x);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program("report"));
        command.args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let output = run(&["x.npy", "--output", "r.svg", "--theme", "dark"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    // Shares at 0, between and at 1; two elements at the kinks; no gradient in the first column but at 0.
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(row("pytorch")[1..5], ["37.5%", "25.0%", "25.0%", "2"]);
    assert_eq!(row("keras")[1..5], ["37.5%", "25.0%", "25.0%", "1"]);
    assert_eq!(row("onnx")[1..5], ["37.5%", "12.5%", "37.5%", "1"]);
    assert_eq!((&*row("onnx")[6], &*row("keras")[6]), ("1/2", "0/2"));
    assert!(
        std::fs::read_to_string(folder.path().join("r.svg"))
            .unwrap()
            .contains("Courbariaux")
    );
    let missing = run(&["y.npy"]);
    assert!(!missing.status.success() && String::from_utf8(missing.stderr).unwrap().contains("y.npy: "));
}

/// Its figures can't grow old.
#[test]
fn the_page_of_definitions_has_the_figures_that_are_computed() {
    let output = std::process::Command::new(program("definitions")).output().unwrap();
    let tables = String::from_utf8(output.stdout).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/definitions.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(tables.trim().split("\n\n").count(), 5);
    for table in tables.trim().split("\n\n") {
        assert!(page.contains(table), "docs/definitions.md lacks\n{table}");
    }
    // The one that is in its text.
    assert!(tables.contains("`affine(0.16666667, 0.5)` | 45.3 %") && page.contains("| 45.3 % of y in (-3, 3)"));
}
