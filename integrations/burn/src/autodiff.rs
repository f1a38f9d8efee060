//! Gradients: each operation remembers its inputs, and computes its gradient by our kernels.

use crate::backend::{Binary, HardSigmoidBackend, Unary};
use burn::backend::{
    Autodiff,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};
use hard_sigmoid::HardSigmoid;

#[derive(Debug)]
struct UnaryBackward(Unary);

impl<B: HardSigmoidBackend> Backward<B, 1> for UnaryBackward {
    /// The input.
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let x = checkpointer.retrieve_node_output(ops.state);
        let of = match self.0 {
            Unary::Forward(definition) => Binary::Backward(definition),
            Unary::HardSwish(definition) => Binary::HardSwishBackward(definition),
            Unary::Binarize(_, estimator) => Binary::StraightThrough(estimator),
        };
        unary::<B, _>(ops.parents, ops.node, grads, |g| B::hard_sigmoid_binary(x, g, of));
    }
}

#[derive(Debug)]
struct GateBackward(HardSigmoid);

impl<B: HardSigmoidBackend> Backward<B, 2> for GateBackward {
    /// `a` and `b`.
    type State = [NodeId; 2];

    fn backward(self, ops: Ops<[NodeId; 2], 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [a, b] = ops.state.map(|input| checkpointer.retrieve_node_output(input));
        let g = grads.consume::<B>(&ops.node);
        let (da, db) = B::hard_sigmoid_gate_backward(a, b, g, self.0);
        for (parent, gradient) in ops.parents.into_iter().zip([da, db]) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

impl<B: HardSigmoidBackend, C: CheckpointStrategy> HardSigmoidBackend for Autodiff<B, C> {
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Unary) -> FloatTensor<Self> {
        match UnaryBackward(of).prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let input = prep.checkpoint(&x);
                prep.finish(input, B::hard_sigmoid_unary(x.into_primitive(), of))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::hard_sigmoid_unary(x.into_primitive(), of)),
        }
    }

    fn hard_sigmoid_binary(a: FloatTensor<Self>, b: FloatTensor<Self>, of: Binary) -> FloatTensor<Self> {
        let Binary::Gate(definition) = of else {
            panic!("the hard sigmoid has no second derivatives here");
        };
        let nodes = [a.node(), b.node()];
        match GateBackward(definition).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let inputs = [prep.checkpoint(&a), prep.checkpoint(&b)];
                let y = B::hard_sigmoid_binary(a.into_primitive(), b.into_primitive(), of);
                prep.finish(inputs, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::hard_sigmoid_binary(a.into_primitive(), b.into_primitive(), of)),
        }
    }

    fn hard_sigmoid_gate_backward(
        _a: FloatTensor<Self>,
        _b: FloatTensor<Self>,
        _g: FloatTensor<Self>,
        _definition: HardSigmoid,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("the gate has no second derivatives here")
    }
}
