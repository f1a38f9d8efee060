//! Makes what the docs show, each by a subcommand: pictures, tables, and the results of checks.
//!
//! ```text
//! cargo run --release -p hard-sigmoid-tools -- pictures                 into docs/pictures
//! cargo run --release -p hard-sigmoid-tools -- pictures --output DIR
//! cargo run --release -p hard-sigmoid-tools -- tables
//! cargo run --release -p hard-sigmoid-tools -- binarize --device gpu --seed 7 --output signs.svg
//! cargo run --release -p hard-sigmoid-tools -- devices report.json
//! ./test.sh matrix
//! ./test.sh isa
//! ```

mod binarize;
mod devices;
mod eight_bits;
mod isa;
mod matrix;
mod pictures;
mod portability;
mod shared;
mod tables;

use clap::{Parser, Subcommand};
use hard_sigmoid_cli::out::{Out, escaped};
use std::{
    error::Error,
    io::{Write, stderr},
    process::ExitCode,
};

/// Draws the pictures and computes the tables of the docs, and checks drivers and their compilers.
#[derive(Parser)]
#[command(name = "tools")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Pictures(pictures::Arguments),
    /// Prints the tables of docs/definitions.md
    Tables,
    Binarize(binarize::Arguments),
    Devices(devices::Arguments),
    Matrix(matrix::Arguments),
    Isa(isa::Arguments),
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Statuses of commands that fail.
const BAD_INPUT: u8 = 2;
const CHECK_FAILED: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = Out::default();
    let (done, status) = match arguments.command {
        Command::Pictures(arguments) => (pictures::run(&arguments, &mut out), BAD_INPUT),
        Command::Tables => (tables::print(&mut out).map_err(Into::into), BAD_INPUT),
        Command::Binarize(arguments) => (binarize::run(&arguments, &mut out), BAD_INPUT),
        Command::Devices(arguments) => (devices::run(&arguments), BAD_INPUT),
        Command::Matrix(arguments) => (matrix::run(&arguments), CHECK_FAILED),
        Command::Isa(arguments) => (isa::run(&arguments), CHECK_FAILED),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A check shows the output of what it ran, in lines.
            let lines: Vec<_> = error.to_string().lines().map(escaped).collect();
            let _ = writeln!(stderr(), "tools: {}", lines.join("\n"));
            ExitCode::from(status)
        }
    }
}
