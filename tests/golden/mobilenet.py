#!/usr/bin/env python3
"""Writes mobilenet/: the activations of torchvision's MobileNetV3-small, forward and backward, as PyTorch computes them.

    pip install -r tests/golden/requirements.txt && python tests/golden/mobilenet.py

The weights are random, from a seed, and so is the input. hard_swish.npy has the rows x, y, g and dx of every hard swish, one layer
after the other. gate_OUTERxMIDDLExINNER.npy, with a number where a shape comes again, has the gate of a squeeze-and-excitation
block: a, g, y, da (OUTER·MIDDLE·INNER each), b and db (OUTER·INNER each), all in one row. y = a * hardsigmoid(b), where b is the same
for all of MIDDLE, which are the pixels.
"""

from pathlib import Path

import numpy as np
import torch
import torchvision

HERE = Path(__file__).parent / "mobilenet"


def flat(tensor):
    return tensor.detach().contiguous().numpy().ravel()


def main():
    torch.manual_seed(20261126)
    torch.set_num_threads(1)
    network = torchvision.models.mobilenet_v3_small(weights=None).train()
    image = torch.randn(2, 3, 48, 48)
    swishes, gates = [], []

    def on_hard_swish(module, inputs, output):
        swishes.append((inputs[0].detach().clone(), output))

    def on_gate(module, inputs, output):
        output.retain_grad()
        a = inputs[0].detach().clone()
        b = module.fc2(module.activation(module.fc1(module.avgpool(a)))).detach()
        gates.append((a, b, output))

    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
        if isinstance(module, torch.nn.Hardswish):
            module.register_forward_hook(on_hard_swish)
        if isinstance(module, torchvision.ops.SqueezeExcitation):
            module.register_forward_hook(on_gate)
    output = network(image)
    for _, y in swishes:
        y.retain_grad()
    (output * torch.randn_like(output)).sum().backward()

    HERE.mkdir(exist_ok=True)
    for old in HERE.glob("*.npy"):
        old.unlink()
    rows = []
    for x, y in swishes:
        leaf = x.requires_grad_()
        again = torch.nn.functional.hardswish(leaf)
        assert torch.equal(again, y)
        again.backward(y.grad)
        rows.append([flat(leaf), flat(y), flat(y.grad), flat(leaf.grad)])
    np.save(HERE / "hard_swish.npy", np.concatenate(rows, axis=1))

    names = {}
    for a, b, y in gates:
        a, b = a.requires_grad_(), b.requires_grad_()
        again = torch.nn.functional.hardsigmoid(b) * a
        assert torch.equal(again, y)
        again.backward(y.grad)
        n, c, h, w = a.shape
        name = f"gate_{n * c}x{h * w}x1"
        names[name] = names.get(name, 0) + 1
        number = f"_{names[name]}" if names[name] > 1 else ""
        np.save(HERE / f"{name}{number}.npy", np.concatenate([flat(t) for t in (a, y.grad, y, a.grad, b, b.grad)]))
    (HERE / "MADE_WITH.txt").write_text(f"torch {torch.__version__}, torchvision {torchvision.__version__}\n")
    print(len(swishes), "hard swishes,", len(gates), "gates:", names)


main()
