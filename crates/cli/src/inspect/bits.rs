//! Compares activations with the presets, bit by bit.

use super::{
    Activation, Function, How,
    chain::{self, OnPaper},
    compilers::{CNTK, THEANO},
};
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

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    #[serde(serialize_with = "as_text")]
    pub definition: HardSigmoid,
    /// The number of x at which the bits differ.
    pub differing: usize,
    pub largest: f32,
}

impl Difference {
    /// Whether -0 stands in place of 0, and nothing else differs.
    pub fn is_of_signs(&self) -> bool {
        self.largest == 0.0
    }
}

fn as_text<S: Serializer>(definition: &HardSigmoid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(definition)
}

pub fn as_texts<S: Serializer>(definitions: &[HardSigmoid], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(definitions.iter().map(HardSigmoid::to_string))
}

/// Differences below this are roundings, even if constants were rounded to half precision.
const NEAR: f32 = 2e-3;

/// The x at which functions are compared. They reach beyond the kinks of all presets, and x + 3 is rounded for most of them.
pub struct Sample {
    x: Vec<f32>,
    /// Each preset's results, as a hard sigmoid and as a hard swish.
    presets: [Vec<Vec<f32>>; 2],
}

impl Sample {
    pub fn new() -> Self {
        let x: Vec<f32> = (-8192..=8192).map(|i| i as f32 * 0.000_97).collect();
        let presets = [Function::HardSigmoid, Function::HardSwish].map(|function| {
            let presets = HardSigmoid::PRESETS.iter();
            presets.map(|preset| of(&x, function, preset.definition)).collect()
        });
        Self { x, presets }
    }

    /// The presets with their results.
    fn presets(&self, function: Function) -> impl Iterator<Item = (&'static Preset, &Vec<f32>)> {
        HardSigmoid::PRESETS.iter().zip(&self.presets[function as usize])
    }

    pub fn results(&self, function: Function, how: &How) -> Vec<f32> {
        match how {
            How::Defined(definition) => of(&self.x, function, *definition),
            How::Steps(steps) => self.x.iter().map(|&x| chain::computed(steps, x)).collect(),
        }
    }

    /// Everything that the activation may compute. Ways with the same curve and the same results are one.
    pub fn computed(&self, activation: &Activation) -> Vec<Computed> {
        let function = activation.function;
        let mut all: Vec<(Vec<f32>, Computed)> = vec![];
        for way in &activation.ways {
            let results = self.results(function, &way.how);
            let by = (!way.computed_by.is_empty()).then_some(way.computed_by);
            let same = all.iter_mut().find(|(others, _)| are_same(others, &results));
            match same {
                Some((_, computed)) => computed.computed_by.extend(by),
                None => {
                    let computed = Computed {
                        computed_by: by.into_iter().collect(),
                        operations: way.how.text(function),
                        ..self.compared(function, way.on_paper, &results)
                    };
                    all.push((results, computed));
                }
            }
        }
        let mut all: Vec<_> = all.into_iter().map(|(_, computed)| computed).collect();
        // Where all are the same, it doesn't matter who computes it, unless that wasn't run.
        if let [only] = &mut all[..] {
            only.computed_by.retain(|by| [THEANO, CNTK].contains(by));
        }
        all
    }

    fn compared(&self, function: Function, on_paper: OnPaper, results: &[f32]) -> Computed {
        let plain = on_paper.definition();
        let mut computed = Computed {
            curve: function.of(&on_paper.formula()),
            computed_by: vec![],
            operations: String::new(),
            compared: self.x.len(),
            exact: vec![],
            roundings: vec![],
            functions: vec![],
        };
        let mut add = |definition: HardSigmoid, of_definition: &[f32]| {
            let both = of_definition.iter().zip(results);
            let difference = Difference {
                definition,
                differing: both.clone().filter(|(a, b)| a.to_bits() != b.to_bits()).count(),
                largest: both.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
            };
            match difference {
                Difference { differing: 0, .. } => computed.exact.push(definition),
                Difference { largest, .. } if largest < NEAR => computed.roundings.push(difference),
                _ => computed.functions.push(difference),
            }
        };
        for (preset, of_preset) in self.presets(function) {
            add(preset.definition, of_preset);
        }
        // The definition that has this alpha and beta is of use where it isn't a preset's function anyway.
        let of_plain = of(&self.x, function, plain);
        if !self
            .presets(function)
            .any(|(_, of_preset)| are_same(of_preset, &of_plain))
        {
            add(plain, &of_plain);
        }
        // A preset is the better name.
        if computed.exact.iter().any(|one| one.preset().is_some()) {
            computed.roundings.retain(|one| one.definition.preset().is_some());
        }
        computed
    }
}

fn are_same(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|a| a.to_bits()).eq(b.iter().map(|b| b.to_bits()))
}

fn of(x: &[f32], function: Function, definition: HardSigmoid) -> Vec<f32> {
    let of = |&x: &f32| match function {
        Function::HardSigmoid => definition.forward(x),
        Function::HardSwish => definition.hard_swish(x),
    };
    x.iter().map(of).collect()
}

impl Computed {
    /// A few lines for people.
    pub fn text(&self, function: Function) -> String {
        let mut text = format!("{}: {}\n", function.name(), self.operations);
        let mut line = |what: &str, entries: &[String], between: &str| {
            if !entries.is_empty() {
                text += &format!("  {what:<17}{}\n", entries.join(between));
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

/// 16,385.
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
