//! What operations do to tensors, as far as it makes hard sigmoids.

use super::{
    Activation, Function,
    chain::{Chain, Step},
};
use std::collections::HashMap;

pub enum Operand {
    Constant(f64),
    /// By its name.
    Tensor(String),
}

impl Operand {
    pub fn tensor(&self) -> Option<&str> {
        match self {
            Self::Constant(_) => None,
            Self::Tensor(name) => Some(name),
        }
    }
}

pub enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    /// Of the first operand alone.
    Steps(Vec<Step>),
}

impl Operation {
    /// With a constant as the second operand.
    fn with_constant(&self, c: f64) -> Option<Step> {
        match self {
            Self::Add => Some(Step::Add(c)),
            Self::Sub => Some(Step::Add(-c)),
            Self::Mul => Some(Step::Mul(c)),
            Self::Div => Some(Step::Div(c)),
            Self::Min => Some(Step::Limit(f64::NEG_INFINITY, c)),
            Self::Max => Some(Step::Limit(c, f64::INFINITY)),
            Self::Steps(_) => None,
        }
    }
}

/// What has been done to the tensors of a graph.
#[derive(Clone, Default)]
pub struct Flow {
    chains: HashMap<String, Chain>,
    /// How often a tensor is taken, by operations or as a result of the graph.
    uses: HashMap<String, usize>,
    /// Which of the activations found has a tensor as its result.
    results: HashMap<String, usize>,
}

impl Flow {
    /// Starts a graph, which sees what is around it. `uses` has each tensor as often as it is taken.
    pub fn enter<'a>(&mut self, uses: impl IntoIterator<Item = &'a str>) {
        self.uses.clear();
        self.results.clear();
        for tensor in uses {
            *self.uses.entry(tensor.into()).or_default() += 1;
        }
    }

    /// Adds an operation by its name, and the activation that is complete by it.
    pub fn apply(
        &mut self,
        name: String,
        operation: &Operation,
        operands: &[Operand],
        output: &str,
        found: &mut Vec<Activation>,
    ) {
        let Some(chain) = self.chain(operation, operands) else {
            return;
        };
        if let Some(recognized) = chain.recognized() {
            // The hard sigmoid of a hard swish was found before; it counts as one of its own if it has another use.
            let tensors = operands.iter().filter_map(Operand::tensor);
            let mut only_here = tensors.filter(|tensor| self.uses.get(*tensor) == Some(&1));
            let inner = match recognized.function {
                Function::HardSwish => only_here.find_map(|tensor| self.results.remove(tensor)),
                Function::HardSigmoid => None,
            };
            let activation = Activation::written_out(name, recognized);
            match inner {
                Some(at) => found[at] = activation,
                None => found.push(activation),
            }
            self.results.insert(output.into(), inner.unwrap_or(found.len() - 1));
        }
        self.chains.insert(output.into(), chain);
    }

    /// What has been done to the result.
    fn chain(&self, operation: &Operation, operands: &[Operand]) -> Option<Chain> {
        use Operand::{Constant, Tensor};
        // A hard sigmoid of a hard sigmoid is another one.
        let before = |tensor: &str| {
            let chain = self.chains.get(tensor).filter(|chain| chain.recognized().is_none());
            chain.cloned().unwrap_or_default()
        };
        let then = |tensor: &str, step: Step| Some(before(tensor).with(tensor, step));
        let product = |a: &str, b: &str| self.chains.get(a)?.times(a, b);
        match (operation, operands) {
            (Operation::Steps(steps), [Tensor(x), ..]) => {
                Some(steps.iter().fold(before(x), |chain, &step| chain.with(x, step)))
            }
            (Operation::Mul, [Tensor(a), Tensor(b)]) => product(a, b).or_else(|| product(b, a)),
            (operation, [Tensor(x), Constant(c)]) => then(x, operation.with_constant(*c)?),
            (Operation::Sub, [Constant(c), Tensor(x)]) => then(x, Step::Minus(*c)),
            (Operation::Div, _) => None,
            (operation, [Constant(c), Tensor(x)]) => then(x, operation.with_constant(*c)?),
            _ => None,
        }
    }
}
