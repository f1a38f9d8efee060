//! The command `hard-sigmoid`: see its `--help`.

mod curves;
#[cfg(test)]
mod damage;
mod identify;
mod inspect;
mod list;
mod npy;
mod out;
mod output;
mod progress;
mod report;
mod run;
mod stream;
mod table;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use out::Out;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Computes hard sigmoids over files, finds them in data and in models, and compares them on data.
///
/// An array is a .npy file, a tensor of a .npz or .safetensors file (FILE:TENSOR), or standard input (-). It may have any shape,
/// and holds float32, float16, or bfloat16 (in NumPy's files as the bits in uint16).
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
    List(list::Arguments),
    /// Prints completions for a shell.
    ///
    /// In bash, for example: source <(hard-sigmoid completions bash)
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: Shell,
    },
    /// Prints the manual page.
    ///
    /// To read it: hard-sigmoid man | man -l -
    Man,
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
        Command::List(arguments) => list::run(&arguments, &mut out),
        Command::Completions { shell } => {
            // It panics where it can't write.
            let mut text = vec![];
            clap_complete::generate(shell, &mut Arguments::command(), "hard-sigmoid", &mut text);
            out.write_all(&text).map(|()| true).map_err(Into::into)
        }
        Command::Man => manual(&mut out).map(|()| true).map_err(Into::into),
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

/// Writes the man page of the command and its subcommands.
fn manual(out: &mut Out) -> io::Result<()> {
    let mut command = Arguments::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    let is_own = |subcommand: &&clap::Command| subcommand.get_name() != "help";
    for subcommand in command.get_subcommands().filter(is_own) {
        let name = subcommand.get_bin_name().unwrap_or("hard-sigmoid").to_owned();
        let manual = clap_mangen::Man::new(subcommand.clone());
        writeln!(out, ".SH \"{}\"", name.to_uppercase())?;
        manual.render_synopsis_section(out)?;
        manual.render_description_section(out)?;
        manual.render_options_section(out)?;
        manual.render_extra_section(out)?;
    }
    Ok(())
}

/// One line on standard error.
fn complain(message: &str) {
    out::complain("hard-sigmoid", message);
}
