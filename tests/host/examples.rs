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
