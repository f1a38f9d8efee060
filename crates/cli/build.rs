//! Says which commit the command is built from, for the reports of `verify`.

use std::process::Command;

fn main() {
    // What a report depends on.
    for path in ["build.rs", "src", "../../src", "../../shaders"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // A package from a registry has no .git.
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let is_clone = git(&["ls-files", "build.rs"]).is_some_and(|file| !file.is_empty());
    let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|_| is_clone) else {
        return;
    };
    println!("cargo::rerun-if-changed={log}");
    let modified = git(&["status", "--porcelain", "--", ".", "../../src", "../../shaders"]);
    let mark = match modified.is_some_and(|files| !files.is_empty()) {
        true => "-modified",
        false => "",
    };
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=HARD_SIGMOID_COMMIT={commit}{mark}");
    }
}
