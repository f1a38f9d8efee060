//! Who computes the activations of a Keras model, and in which operations. Frameworks that compile a model take other operations
//! than those that it is written in: TensorFlow's graphs and XLA divide by a product, and XLA may fuse products and sums on a CPU.
//! `tests/models/frameworks.json` has what the frameworks computed.

use super::{
    activation::{How, Way},
    chain::{OnPaper, Scale, Step},
};

pub const EAGER: &str = "TensorFlow in eager mode";
pub const GRAPH: &str = "TensorFlow in a graph (tf.function; predict and fit without XLA)";
pub const MOVED: &str = "TensorFlow in a graph whose optimizer takes the constant to x";
pub const XLA: &str = "TensorFlow with XLA (jit_compile=True)";
pub const JS: &str = "TensorFlow.js";
pub const TORCH: &str = "PyTorch";
pub const JAX: &str = "JAX, one operation at a time";
pub const JIT: &str = "JAX under jit (predict and fit by default)";
pub const NUMPY: &str = "NumPy";
pub const THEANO: &str = "Theano by its formula (it wasn't run: its bits and its gradient may be others)";
pub const CNTK: &str = "CNTK by its formula (it wasn't run: its bits and its gradient may be others)";

/// XLA with a product and a sum in one rounding. It decides by more than the operations, so a model may also have the bits of two
/// roundings.
pub const FUSED_XLA: &str = "TensorFlow with XLA (jit_compile=True), where it fuses";
pub const FUSED_JIT: &str = "JAX under jit (predict and fit by default), where it fuses";

/// Who computes an activation.
#[derive(Clone, Copy, PartialEq)]
pub enum Backend {
    TensorFlow,
    TensorFlowJs,
    Torch,
    Jax,
    Numpy,
    Theano,
    Cntk,
}

/// The ways to compute an activation that is written out in these steps.
pub fn ways(steps: &[Step], on_paper: OnPaper, backends: &[Backend]) -> Vec<Way> {
    let plain = || steps.to_vec();
    let by_xla = |by, where_it_fuses| match (compiled(steps), fused(steps)) {
        (compiled, fused) if compiled == fused => (by, fused),
        (_, fused) => (where_it_fuses, fused),
    };
    let ways = backends.iter().flat_map(|backend| match backend {
        Backend::TensorFlow => {
            let mut ways = vec![(EAGER, plain()), (GRAPH, graph(steps)), by_xla(XLA, FUSED_XLA)];
            ways.extend(moved(steps).map(|moved| (MOVED, moved)));
            ways
        }
        Backend::TensorFlowJs => vec![(JS, plain())],
        Backend::Torch => vec![(TORCH, plain())],
        Backend::Jax => vec![(JAX, products(steps)), by_xla(JIT, FUSED_JIT)],
        Backend::Numpy => vec![(NUMPY, plain())],
        Backend::Theano => vec![(THEANO, plain())],
        Backend::Cntk => vec![(CNTK, plain())],
    });
    let way = |(computed_by, steps)| Way {
        computed_by,
        on_paper,
        how: How::Steps(steps),
    };
    ways.map(way).collect()
}

/// The steps, with products in place of quotients by constants.
fn products(steps: &[Step]) -> Vec<Step> {
    let product = |step: &Step| match *step {
        Step::Div(c) => Step::Mul(1.0 / c),
        Step::TimesScaled(at, scale) => Step::TimesScaled(at, scale.product()),
        step => step,
    };
    steps.iter().map(product).collect()
}

/// The steps as [`products`] gives them, without those that change nothing. (x + 0 makes 0 of -0, but compilers leave
/// it out all the same.)
fn compiled(steps: &[Step]) -> Vec<Step> {
    let mut products = products(steps);
    // A choice refers to steps by their numbers, so then every step stays.
    if !products.iter().any(|step| matches!(step, Step::Choice(_))) {
        products.retain(|step| ![Step::Add(0.0), Step::Mul(1.0)].contains(step));
    }
    products
}

/// What comes before x · (v · c), (x · v) · c or (x · c) · v at the end of the steps, and c.
fn scaled_swish(products: &[Step]) -> Option<(&[Step], f32)> {
    match *products {
        [ref before @ .., Step::Times(0), Step::Mul(c)] | [ref before @ .., Step::Mul(c), Step::Times(0)] => {
            Some((before, c))
        }
        [ref before @ .., Step::TimesScaled(0, Scale::Mul(c))] => Some((before, c)),
        _ => None,
    }
}

/// The steps as TensorFlow's graph optimizer makes them: x · (v · c) for a hard swish.
fn graph(steps: &[Step]) -> Vec<Step> {
    let products = compiled(steps);
    match scaled_swish(&products) {
        Some((before, c)) => [before, &[Step::Mul(c), Step::Times(0)]].concat(),
        None => products,
    }
}

/// The steps as TensorFlow's graph optimizer also makes them: (x · c) · v for a hard swish, such as one that is a
/// model's first layer. What decides isn't known.
fn moved(steps: &[Step]) -> Option<Vec<Step>> {
    let products = compiled(steps);
    scaled_swish(&products).map(|(before, c)| [before, &[Step::TimesScaled(0, Scale::Mul(c))]].concat())
}

/// The steps as XLA fuses them on a CPU. The product stays in its place, since a choice may compare it.
fn fused(steps: &[Step]) -> Vec<Step> {
    let products = compiled(steps);
    let mut fused = products.clone();
    for (i, pair) in products.windows(2).enumerate() {
        match *pair {
            [Step::Mul(factor), Step::Add(summand)] => fused[i + 1] = Step::Fused(factor, summand),
            [Step::Mul(factor), Step::Minus(c)] => fused[i + 1] = Step::Fused(-factor, c),
            _ => {}
        }
    }
    fused
}
