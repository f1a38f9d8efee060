//! An operation as WGSL functions.

use crate::{choices, out::Out, outcome::Outcome};
use clap::{Args, ValueHint};
use hard_sigmoid::{
    HardSigmoid, Op, OpError, Parameters, StraightThrough,
    wgsl::{self, Number, Options, Text},
};
use std::io::Write;

/// Prints an operation as WGSL functions, for a kernel of your own.
///
/// The text binds nothing, and its numbers are constants: put it into your module, and call hard_sigmoid(x), hard_swish(x),
/// hard_sigmoid_backward(x, g) and so on. Texts of different operations fit into one module. Two texts of one operation
/// need different prefixes. As a file among WESL modules, it is imported.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// A definition by name or alias, or 'affine(ALPHA, BETA, RULE)'; `hard-sigmoid list` shows the names. Only binarize and
    /// straight_through do without
    #[arg(value_parser = choices::presets(), value_name = "PRESET")]
    preset: Option<HardSigmoid>,
    /// What the functions compute: one operation, or several with commas between them
    #[arg(long, value_parser = choices::functions(), default_value = "forward", value_delimiter = ',', value_name = "OPERATION")]
    op: Vec<String>,
    /// The bits of the CPU path, which is the default
    #[arg(long, conflicts_with = "short")]
    exact: bool,
    /// The shortest text. Its comment says what it may lose
    #[arg(long)]
    short: bool,
    /// What the functions take and return. f16 needs `enable f16;` at the start of the module; packed ones take two halves in a u32
    #[arg(long = "type", value_parser = choices::numbers(), default_value_t, value_name = "TYPE")]
    number: Number,
    /// What every name begins with
    #[arg(long, value_hint = ValueHint::Other, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Makes binarize draw at random. Its function takes the random word, so a seed isn't in the text
    #[arg(long)]
    random: bool,
    /// The number of a plus sign in binarize, 1 by default
    #[arg(long, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    scale: Option<f32>,
    /// The gradient that straight_through takes, hard_tanh by default
    #[arg(long, value_parser = choices::estimators(), value_name = "ESTIMATOR")]
    estimator: Option<StraightThrough>,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid wgsl pytorch
  hard-sigmoid wgsl pytorch --op hard_swish,hard_swish_backward --type f16 --prefix my_
  hard-sigmoid wgsl 'affine(0.3, 0.45, half)' --op backward --short
  hard-sigmoid wgsl --op binarize --scale 0.5";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    let mut texts: Vec<String> = vec![];
    for (i, name) in arguments.op.iter().enumerate() {
        // A module has room for one text of each operation.
        if !arguments.op[..i].contains(name) {
            texts.push(written(arguments, name)?);
        }
    }
    write!(out, "{}", texts.join("\n"))?;
    Ok(true)
}

fn written(arguments: &Arguments, name: &str) -> Result<String, String> {
    let parameters = Parameters {
        definition: arguments.preset,
        // No text has a seed.
        seed: arguments.random.then_some(0),
        scale: arguments.scale,
        estimator: arguments.estimator,
        ..Default::default()
    };
    let options = Options {
        number: arguments.number,
        text: if arguments.short { Text::Short } else { Text::Exact },
        prefix: &arguments.prefix,
    };
    // An operation without a function says so first, whatever it lacks besides.
    for op in Op::all(HardSigmoid::PYTORCH).into_iter().filter(|op| op.name() == name) {
        wgsl::scalar(op, &Options::default()).map_err(|error| error.to_string())?;
    }
    let op = Op::new(name, &parameters).map_err(|error| named(error, name))?;
    wgsl::scalar(op, &options).map_err(|error| error.to_string())
}

/// What is wrong, in the words of these arguments.
fn named(error: OpError, op: &str) -> String {
    match error {
        OpError::MissingParameter {
            parameter: "definition",
            ..
        } => format!("{op} needs a definition: hard-sigmoid wgsl PRESET --op {op}"),
        OpError::MissingParameter { parameter: "seed", .. } => {
            format!("{op} takes a definition only to draw at random: add --random, or leave out the definition")
        }
        OpError::ExtraParameter { parameter: "seed", .. } => format!("{op} doesn't draw at random: leave out --random"),
        error => error.to_string(),
    }
}
