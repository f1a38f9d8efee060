//! Makes the figures of the docs: `pictures` draws those of `docs/definitions.md`, `tables` prints its tables, and `binarize` draws
//! stochastic binarization.
//!
//! ```text
//! cargo run --release -p figures -- pictures                 into docs/pictures
//! cargo run --release -p figures -- pictures --output DIR
//! cargo run --release -p figures -- tables
//! cargo run --release -p figures -- binarize --device gpu --seed 7 --output signs.svg
//! ```

mod binarize;
#[path = "../../cli/src/curves/mod.rs"]
mod curves;
#[path = "../../cli/src/out.rs"]
mod out;
mod pictures;
mod tables;

use clap::{Parser, Subcommand};
use out::{Out, complain};
use plotters::{element::PathElement, style::ShapeStyle};
use std::{error::Error, fs, path::Path, process::ExitCode};

/// Draws the pictures and computes the tables of the docs.
#[derive(Parser)]
#[command(name = "figures")]
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
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = Out::default();
    let done = match arguments.command {
        Command::Pictures(arguments) => pictures::run(&arguments, &mut out),
        Command::Tables => tables::print(&mut out).map_err(Into::into),
        Command::Binarize(arguments) => binarize::run(&arguments, &mut out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain("figures", &error.to_string());
            ExitCode::from(2)
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// The outline of a rectangle. plotters' own has a width of one coordinate.
fn outline([(left, top), (right, bottom)]: [(i32, i32); 2], line: ShapeStyle) -> PathElement<(i32, i32)> {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    PathElement::new(corners, line)
}
