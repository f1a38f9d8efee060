//! The arguments of the command `hard-sigmoid`, and its exit status.

use crate::{identify, inspect, list, out::Out, outcome::complain, report, run, verify, wgsl};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::{
    error::Error,
    io::{self, ErrorKind, Write},
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
    Verify(verify::Arguments),
    Wgsl(wgsl::Arguments),
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

/// The status by which a shell reports a command that wrote to a closed pipe: 128 + SIGPIPE.
const READER_LEFT: u8 = 141;

/// Runs the command with the arguments of the process, and returns its exit status.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = Out::default();
    let outcome = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &mut out),
        Command::Identify(arguments) => identify::run(&arguments, &mut out),
        Command::Inspect(arguments) => inspect::run(&arguments, &mut out),
        Command::Report(arguments) => report::run(&arguments, &mut out),
        Command::List(arguments) => list::run(&arguments, &mut out),
        Command::Verify(arguments) => verify::run(&arguments, &mut out),
        Command::Wgsl(arguments) => wgsl::run(&arguments, &mut out),
        Command::Completions { shell } => completions(shell, &mut out).map(|()| true).map_err(Into::into),
        Command::Man => manual(&mut out).map(|()| true).map_err(Into::into),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // A reader of the result, such as `head`, has what it wanted.
        Err(error) if is_closed_pipe(&*error) => ExitCode::from(READER_LEFT),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Writes the script by which a shell completes arguments.
fn completions(shell: Shell, out: &mut Out) -> io::Result<()> {
    // clap_complete's script for bash stops after a subcommand if the name has a hyphen (its issue 6421). So that script
    // is made for a name without one, and registered for the real name.
    let name = if shell == Shell::Bash {
        "hard_sigmoid"
    } else {
        "hard-sigmoid"
    };
    // clap_complete panics where it can't write.
    let mut script = vec![];
    clap_complete::generate(shell, &mut Arguments::command(), name, &mut script);
    let script = String::from_utf8(script).expect("it is text");
    out.write_all(
        script
            .replace(" default hard_sigmoid\n", " default hard-sigmoid\n")
            .as_bytes(),
    )
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
