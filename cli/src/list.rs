//! The presets.

use crate::{Outcome, out::Out};
use hard_sigmoid::HardSigmoid;
use std::io::Write;

pub fn run(out: &mut Out) -> Outcome {
    for preset in HardSigmoid::PRESETS {
        let definition = preset.definition;
        let (low, high) = definition.kinks().expect("no preset is constant");
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
