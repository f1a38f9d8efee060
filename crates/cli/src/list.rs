//! The presets.

use crate::{out::Out, outcome::Outcome};
use clap::Args;
use hard_sigmoid::{HardSigmoid, Preset};
use std::io::Write;

/// Shows every preset with its formula and source.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// Prints JSON; README.md describes it
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid list
  hard-sigmoid list --json";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    if arguments.json {
        let all: Vec<_> = HardSigmoid::PRESETS.iter().map(json).collect();
        writeln!(out, "{:#}", serde_json::Value::from(all))?;
        return Ok(true);
    }
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        let (low, high) = kinks(preset);
        writeln!(out, "{:<12} y = {}", preset.name, definition.formula())?;
        writeln!(
            out,
            "{:<12} slope {}, kinks at {low} and {high}, gradient there: {}",
            "",
            definition.slope(),
            definition.kink_rule(),
        )?;
        writeln!(out, "{:<12} {}", "", preset.source)?;
        writeln!(out, "{:<12} also called {}\n", "", preset.aliases.join(", "))?;
    }
    writeln!(
        out,
        "Any other: hard-sigmoid run --alpha A --beta B [--kinks strict|inclusive|half]"
    )?;
    Ok(true)
}

fn kinks(preset: &Preset) -> (f32, f32) {
    preset.definition.kinks().expect("no preset is constant")
}

fn json(preset: &Preset) -> serde_json::Value {
    let definition = preset.definition;
    serde_json::json!({
        "name": preset.name,
        "aliases": preset.aliases,
        "formula": definition.formula(),
        "slope": definition.slope(),
        "kinks": kinks(preset),
        "kink_rule": definition.kink_rule().to_string(),
        "source": preset.source,
    })
}
