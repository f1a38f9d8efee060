#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod autodiff;
mod backend;
mod cube;
mod host;
mod op;

pub use hard_sigmoid::{Binarization, HardSigmoid, StraightThrough};

use backend::HardSigmoidBackend;
use burn::{
    backend::Dispatch,
    module::{Content, DisplaySettings, Module, ModuleDisplay},
    tensor::Tensor,
};
use hard_sigmoid::Binary;
use op::Differentiable;

/// The hard sigmoid of each element, with the gradient rule of `definition`.
///
/// # Panics
/// If the tensor holds anything but f32, f16 or bf16; so does every function here.
pub fn hard_sigmoid<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    unary(x, Differentiable::forward(definition))
}

/// The hard swish `x·hard_sigmoid(x)` of each element.
pub fn hard_swish<const D: usize>(x: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    unary(x, Differentiable::hard_swish(definition))
}

/// `a·hard_sigmoid(b)`, element by element, as in squeeze-and-excitation: one kernel, and one for both gradients.
///
/// `b` is broadcast to the shape of `a` or the other way round, as in burn's own operations.
pub fn gate<const D: usize>(a: Tensor<D>, b: Tensor<D>, definition: HardSigmoid) -> Tensor<D> {
    let extents = a
        .dims()
        .iter()
        .zip(b.dims())
        .map(|(&a, b)| a.max(b))
        .collect::<Vec<_>>();
    let shape: [usize; D] = extents.try_into().expect("as many extents");
    let [a, b] = [a, b].map(|tensor| {
        if tensor.dims() == shape {
            tensor
        } else {
            tensor.expand(shape)
        }
    });
    Tensor::from_dispatch(Dispatch::hard_sigmoid_binary(
        a.into_dispatch(),
        b.into_dispatch(),
        Binary::Gate(definition),
    ))
}

/// 1 or -1 for each element, as `binarization` has it; its gradient is that of `estimator`.
///
/// A stochastic binarization draws the same signs whenever it has the same seed and offset: take another offset (or
/// [`advanced`](Binarization::advanced)) for each step.
pub fn binarize<const D: usize>(x: Tensor<D>, binarization: Binarization, estimator: StraightThrough) -> Tensor<D> {
    unary(x, Differentiable::binarize(binarization, estimator))
}

fn unary<const D: usize>(x: Tensor<D>, of: Differentiable) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::hard_sigmoid_unary(x.into_dispatch(), of))
}

/// [`hard_sigmoid`](hard_sigmoid()) as a module, for networks that are built of modules.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct HardSigmoidLayer {
    #[module(skip)]
    definition: Definition,
}

/// A definition as a constant of a module.
#[derive(Clone, Debug)]
struct Definition(HardSigmoid);

impl HardSigmoidLayer {
    /// The layer of `definition`, a preset or any other.
    pub fn new(definition: HardSigmoid) -> Self {
        Self {
            definition: Definition(definition),
        }
    }

    /// What it computes.
    pub fn definition(&self) -> HardSigmoid {
        self.definition.0
    }

    /// The hard sigmoid of each element.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        hard_sigmoid(x, self.definition())
    }
}

impl ModuleDisplay for HardSigmoidLayer {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        content.add("definition", &self.definition().to_string()).optional()
    }
}
