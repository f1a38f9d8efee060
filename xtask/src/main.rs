//! Writes documents of this project: `cargo xtask matrix`.

mod matrix;

use std::process::ExitCode;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const USAGE: &str = "\
usage: cargo xtask matrix SWIFTSHADER_ICD NEWER_LAVAPIPE_ICD

matrix  runs the GPU tests and a sample of every operation on each driver, and writes docs/portability.md. `./test.sh matrix`
        installs the drivers and calls it.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["matrix", swiftshader, newer] => matrix::run(swiftshader, newer),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
