//! The command `hard-sigmoid`: see its `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hard_sigmoid_cli::main()
}
