//! The command `hard-sigmoid`: see its `--help`.

mod curves;
mod identify;
mod inspect;
mod list;
mod npy;
mod out;
mod output;
mod report;
mod run;
mod stream;
mod table;

use clap::{Parser, Subcommand};
use out::Out;
use std::process::ExitCode;

/// Every hard sigmoid: over .npy files, found in data, and compared on data.
///
/// Files are NumPy .npy, little-endian and in C order, of any shape: float32, float16, or bfloat16 as the bits in uint16.
#[derive(Parser)]
#[command(name = "hard-sigmoid", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Identify(identify::Arguments),
    Inspect(inspect::Arguments),
    Report(report::Arguments),
    /// Shows every preset with its formula and source.
    List,
}

/// Whether the answer is yes, or what is wrong with the input.
type Outcome = Result<bool, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = Out::default();
    let outcome = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &mut out),
        Command::Identify(arguments) => identify::run(&arguments, &mut out),
        Command::Inspect(arguments) => inspect::run(&arguments, &mut out),
        Command::Report(arguments) => report::run(&arguments, &mut out),
        Command::List => list::run(&mut out),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// One line on standard error.
fn complain(message: &str) {
    out::complain("hard-sigmoid", message);
}
