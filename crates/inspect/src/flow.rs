//! Follows tensors through the operations of a graph, and finds the hard sigmoids among them.

use super::{
    activation::Activation,
    chain::{Chain, Comparison, Step},
    function::Function,
};
use std::collections::HashMap;

pub enum Operand {
    Constant(f32),
    /// The tensor's name.
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
    /// Steps that are done to the first operand.
    Steps(Vec<Step>),
    Compare(Comparison),
    Not,
    /// Its operands are a condition, the result where it holds, and the result elsewhere.
    Where,
}

impl Operation {
    /// The step for a tensor and a constant in this order (or in the other order, if the operation is commutative).
    fn with_constant(&self, c: f32) -> Option<Step> {
        match self {
            Self::Add => Some(Step::Add(c)),
            Self::Sub => Some(Step::Add(-c)),
            Self::Mul => Some(Step::Mul(c)),
            Self::Div => Some(Step::Div(c)),
            Self::Min => Some(Step::Limit(f32::NEG_INFINITY, c)),
            Self::Max => Some(Step::Limit(c, f32::INFINITY)),
            Self::Steps(_) | Self::Compare(_) | Self::Not | Self::Where => None,
        }
    }

    pub fn of_constants(&self, a: f32, b: f32) -> Option<f32> {
        match self {
            Self::Add => Some(a + b),
            Self::Sub => Some(a - b),
            Self::Mul => Some(a * b),
            Self::Div => Some(a / b),
            Self::Min => Some(a.min(b)),
            Self::Max => Some(a.max(b)),
            Self::Steps(_) | Self::Compare(_) | Self::Not | Self::Where => None,
        }
    }
}

/// A comparison of a tensor with a constant.
#[derive(Clone)]
struct Condition {
    tensor: String,
    when: Comparison,
    bound: f32,
}

/// What has been done to the tensors of a graph.
#[derive(Clone, Default)]
pub struct Flow {
    /// The steps that led to a tensor.
    chains: HashMap<String, Chain>,
    /// How often a tensor is used, by operations or as a result of the graph.
    uses: HashMap<String, usize>,
    /// The number of the activation whose result a tensor is.
    results: HashMap<String, usize>,
    /// Tensors that are comparisons.
    conditions: HashMap<String, Condition>,
}

impl Flow {
    /// Starts a graph. A graph within another one knows the tensors around it. `uses` has each tensor as often as it is used.
    pub fn enter<'a>(&mut self, uses: impl IntoIterator<Item = &'a str>) {
        self.uses.clear();
        self.results.clear();
        for tensor in uses {
            *self.uses.entry(tensor.into()).or_default() += 1;
        }
    }

    pub fn forget(&mut self, tensor: &str) {
        self.chains.remove(tensor);
        self.conditions.remove(tensor);
    }

    /// Adds an operation, and to `found` the activation that it completes, if any, which is returned.
    pub fn apply<'a>(
        &mut self,
        name: String,
        operation: &Operation,
        operands: &[Operand],
        output: &str,
        found: &'a mut Vec<Activation>,
    ) -> Option<&'a mut Activation> {
        if let Some(condition) = self.condition(operation, operands) {
            self.conditions.insert(output.into(), condition);
        }
        let chain = self.chain(operation, operands)?;
        let mut completed = None;
        if let Some(recognized) = chain.recognized() {
            // The hard sigmoid in a hard swish was found before. It is listed too only if something else uses it.
            let is_inner = |tensor: &&str| self.uses.get(*tensor) == Some(&1) && self.results.contains_key(*tensor);
            let inner = match recognized.function {
                Function::HardSwish => operands.iter().filter_map(Operand::tensor).find(is_inner),
                Function::HardSigmoid => None,
            };
            let at = inner.and_then(|tensor| self.results.remove(tensor));
            let activation = Activation::written_out(name, recognized);
            let at = at.unwrap_or(found.len());
            match found.get_mut(at) {
                Some(inner) => *inner = activation,
                None => found.push(activation),
            }
            self.results.insert(output.into(), at);
            completed = found.get_mut(at);
        }
        self.chains.insert(output.into(), chain);
        completed
    }

    /// What has been done to a tensor, and to which one.
    pub fn steps(&self, tensor: &str) -> Option<(&str, Vec<Step>)> {
        self.chains.get(tensor)?.steps()
    }

    fn condition(&self, operation: &Operation, operands: &[Operand]) -> Option<Condition> {
        use Operand::{Constant, Tensor};
        let (tensor, when, bound) = match (operation, operands) {
            (Operation::Compare(when), [Tensor(x), Constant(c)]) => (x, *when, *c),
            (Operation::Compare(when), [Constant(c), Tensor(x)]) => (x, when.swapped(), *c),
            (Operation::Not, [Tensor(x)]) => {
                let condition = self.conditions.get(x)?.clone();
                let when = condition.when.negated();
                return Some(Condition { when, ..condition });
            }
            _ => return None,
        };
        let tensor = tensor.clone();
        Some(Condition { tensor, when, bound })
    }

    /// Whether a choice may be of a hard sigmoid, though no chain has it: it compares a tensor with a constant, as large as the kinks
    /// of hard sigmoids are. (Other activations compare with 0.)
    pub fn is_lost(&self, operation: &Operation, operands: &[Operand], output: &str) -> bool {
        let condition = operands
            .first()
            .and_then(Operand::tensor)
            .and_then(|name| self.conditions.get(name));
        let is_kink = condition.is_some_and(|condition| (0.1..=10.0).contains(&condition.bound.abs()));
        matches!(operation, Operation::Where) && is_kink && !self.chains.contains_key(output)
    }

    /// The steps that led to the result.
    fn chain(&self, operation: &Operation, operands: &[Operand]) -> Option<Chain> {
        use Operand::{Constant, Tensor};
        // After a complete activation a new chain begins.
        let before = |tensor: &str| {
            let chain = self.chains.get(tensor).filter(|chain| chain.recognized().is_none());
            chain.cloned().unwrap_or_default()
        };
        let then = |tensor: &str, step: Step| Some(before(tensor).with(tensor, step));
        let product = |a: &str, b: &str| self.chains.get(a)?.times(a, b);
        let scaled = |a: &str, b: &str| self.chains.get(a)?.times_scaled(a, self.chains.get(b)?);
        // The order of the arms matters: those that depend on the order of the operands come first.
        match (operation, operands) {
            (Operation::Steps(steps), [Tensor(x), ..]) => {
                Some(steps.iter().fold(before(x), |chain, &step| chain.with(x, step)))
            }
            (Operation::Where, [Tensor(condition), a, b]) => {
                let Condition { tensor, when, bound } = self.conditions.get(condition)?;
                let (x, when, value) = match (a, b) {
                    (Constant(c), Tensor(x)) => (x, *when, *c),
                    (Tensor(x), Constant(c)) => (x, when.negated(), *c),
                    _ => return None,
                };
                before(x).chosen(x, tensor, when, *bound, value)
            }
            (Operation::Mul, [Tensor(a), Tensor(b)]) => product(a, b)
                .or_else(|| product(b, a))
                .or_else(|| scaled(a, b))
                .or_else(|| scaled(b, a)),
            (operation, [Tensor(x), Constant(c)]) => then(x, operation.with_constant(*c)?),
            (Operation::Sub, [Constant(c), Tensor(x)]) => then(x, Step::Minus(*c)),
            (Operation::Div, _) => None,
            (operation, [Constant(c), Tensor(x)]) => then(x, operation.with_constant(*c)?),
            _ => None,
        }
    }
}
