//! What an activation computes, and how it differs from the presets.

use super::function::Function;
use hard_sigmoid::{HardSigmoid, Preset};
use serde::{Serialize, Serializer};

/// What an activation computes. There is one for each of the results that it may have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Computed {
    /// What it is on paper, apart from roundings.
    pub curve: String,
    /// Who computes it so. Empty if there is one way only.
    pub computed_by: Vec<&'static str>,
    /// The operations, in their order.
    pub operations: String,
    /// How many x were compared.
    pub compared: usize,
    /// Who has exactly these bits: presets, or else one definition with its alpha and beta, or else none.
    #[serde(serialize_with = "as_texts")]
    pub exact: Vec<HardSigmoid>,
    /// Who has this curve with other roundings.
    pub roundings: Vec<Difference>,
    /// Presets with other curves.
    pub functions: Vec<Difference>,
}

/// How a definition differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The definition.
    #[serde(serialize_with = "as_text")]
    pub definition: HardSigmoid,
    /// The number of x at which the bits differ.
    pub differing: usize,
    /// The largest difference: 0 where the signs of zeros differ, and nothing else.
    pub largest: f32,
}

impl Difference {
    /// Whether -0 stands in place of 0, and nothing else differs.
    pub(crate) fn is_of_signs(&self) -> bool {
        self.largest == 0.0
    }
}

fn as_text<S: Serializer>(definition: &HardSigmoid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(definition)
}

pub fn as_texts<S: Serializer>(definitions: &[HardSigmoid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(definitions.iter().map(HardSigmoid::to_string))
}

impl Computed {
    /// A few lines for people.
    pub(crate) fn text(&self, function: Function) -> String {
        let mut text = format!("{}: {}", function.name(), self.operations);
        let mut line = |what: &str, entries: &[String], between: &str| {
            if !entries.is_empty() {
                text += &format!("\n  {what:<17}{}", entries.join(between));
            }
        };
        line("on paper:", std::slice::from_ref(&self.curve), "");
        let by: Vec<_> = self.computed_by.iter().map(ToString::to_string).collect();
        line("computed by:", &by, "; ");
        let exact = self.exact.iter().map(|one| match one.preset() {
            Some(preset) => format!("{one}{}", source(preset, function)),
            None => format!("{one}, but no preset"),
        });
        let of = |count: usize| format!("at {} of {} x", grouped(count), grouped(self.compared));
        let (but_signs, near): (Vec<_>, Vec<_>) = self.roundings.iter().partition(|one| one.is_of_signs());
        let but_signs = but_signs
            .iter()
            .map(|one| format!("{}{BUT_SIGNS} ({})", one.definition, of(one.differing)));
        let exact: Vec<_> = exact.chain(but_signs).collect();
        line("the same bits:", &exact, ", ");
        if exact.is_empty() {
            line("the same bits:", &[NONE.into()], "");
        }
        let near = near.iter().map(|one| {
            let Difference {
                definition, largest, ..
            } = one;
            format!("{definition} ({}, by up to {largest:.0e})", of(one.differing))
        });
        line("other roundings:", &near.collect::<Vec<_>>(), ", ");
        let other = self.functions.iter();
        let other = other.map(|one| format!("{} (by up to {:.2})", one.definition, one.largest));
        line("other functions:", &other.collect::<Vec<_>>(), ", ");
        text
    }
}

/// Who has the preset's function.
fn source(preset: &Preset, function: Function) -> String {
    let source = match (function, preset.definition) {
        (Function::HardSigmoid, _) => preset.source.split(';').next().unwrap_or_default(),
        (Function::HardSwish, HardSigmoid::PYTORCH) => "torch.nn.functional.hardswish, Keras 3 on torch",
        (Function::HardSwish, HardSigmoid::JAX) => "jax.nn.hard_silu (XLA), Keras 3 on JAX",
        (Function::HardSwish, HardSigmoid::KERAS3) => "Keras 3 on TensorFlow in eager mode",
        (Function::HardSwish, _) => return String::new(),
    };
    format!(" ({source})")
}

pub const BUT_SIGNS: &str = ", but for the sign of zero";

pub const NONE: &str = "no preset has exactly these bits";

/// A number with commas, such as 16,385.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
