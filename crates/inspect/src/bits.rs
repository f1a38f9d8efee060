//! Compares activations with the presets, bit by bit.

use super::{
    activation::{Activation, How},
    chain::{self, OnPaper},
    compilers::{CNTK, THEANO},
    computed::{Computed, Difference},
    function::Function,
};
use hard_sigmoid::{HardSigmoid, Preset};

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
        // If every way has the same result, it doesn't matter who computes it, unless that one wasn't run.
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
        // The definition that has this alpha and beta is of use only if no preset has its function.
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
