//! Gradients: each operation keeps its inputs, and our kernels compute its gradient from them.

use crate::{backend::HardSigmoidBackend, op::Differentiable};
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
use hard_sigmoid::{Binary, BroadcastGate};

#[derive(Debug)]
struct UnaryBackward(Binary);

impl<B: HardSigmoidBackend> Backward<B, 1> for UnaryBackward {
    /// The node of the input.
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let x = checkpointer.retrieve_node_output(ops.state);
        unary::<B, _>(ops.parents, ops.node, grads, |g| B::hard_sigmoid_gradient(x, g, self.0));
    }
}

#[derive(Debug)]
struct GateBackward(BroadcastGate);

impl<B: HardSigmoidBackend> Backward<B, 2> for GateBackward {
    /// The nodes of `a` and `b`.
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
    fn hard_sigmoid_unary(x: FloatTensor<Self>, of: Differentiable) -> FloatTensor<Self> {
        let backward = UnaryBackward(of.gradient);
        match backward.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let input = prep.checkpoint(&x);
                prep.finish(input, B::hard_sigmoid_unary(x.into_primitive(), of))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::hard_sigmoid_unary(x.into_primitive(), of)),
        }
    }

    fn hard_sigmoid_gradient(_x: FloatTensor<Self>, _g: FloatTensor<Self>, _op: Binary) -> FloatTensor<Self> {
        panic!("hard-sigmoid-burn computes no second derivatives")
    }

    fn hard_sigmoid_gate(a: FloatTensor<Self>, b: FloatTensor<Self>, gate: BroadcastGate) -> FloatTensor<Self> {
        let nodes = [a.node(), b.node()];
        match GateBackward(gate).prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let inputs = [prep.checkpoint(&a), prep.checkpoint(&b)];
                let y = B::hard_sigmoid_gate(a.into_primitive(), b.into_primitive(), gate);
                prep.finish(inputs, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::hard_sigmoid_gate(a.into_primitive(), b.into_primitive(), gate)),
        }
    }

    fn hard_sigmoid_gate_backward(
        _a: FloatTensor<Self>,
        _b: FloatTensor<Self>,
        _g: FloatTensor<Self>,
        _gate: BroadcastGate,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("hard-sigmoid-burn computes no second derivatives of the gate")
    }
}
