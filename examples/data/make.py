#!/usr/bin/env python3
"""Writes digits.x.npy and digits.g.npy: pre-activations and upstream gradients of a network trained on real data.

    pip install -r examples/data/requirements.txt && python examples/data/make.py

The data set is scikit-learn's handwritten digits (1,797 images of 8 x 8, from UCI's "Optical Recognition of
Handwritten Digits"). The network is 64 -> 64 -> 10 with PyTorch's hard sigmoid in the middle, trained with Adam.
x is the input of the hard sigmoid for all 1,797 images; g is the gradient of the mean loss with respect to its output.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

HERE = Path(__file__).parent


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 8 - 1
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    train, test = order[:1437], order[1437:]
    hidden, output = torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    parameters = [*hidden.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)

    def loss_of(rows):
        x = hidden(images[rows])
        y = torch.nn.functional.hardsigmoid(x)
        y.retain_grad()
        logits = output(y)
        return x, y, logits, torch.nn.functional.cross_entropy(logits, labels[rows])

    for epoch in range(8):
        for rows in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            loss_of(rows)[3].backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (output(torch.nn.functional.hardsigmoid(hidden(images[test]))).argmax(1) == labels[test])
        print(f"epoch {epoch}: test accuracy {accuracy.float().mean():.3f}")
    x, y, _, loss = loss_of(torch.arange(len(images)))
    loss.backward()
    x, g = x.detach().numpy(), y.grad.numpy()
    tiny = (np.abs(g) < np.finfo(np.float32).tiny) & (g != 0)
    low, high = (x <= -3).mean(), (x >= 3).mean()
    print(f"x {x.shape}, {low:.1%} low, {high:.1%} high; g from {np.abs(g).min():g} to {np.abs(g).max():g}, {tiny.sum()} subnormal")
    np.save(HERE / "digits.x.npy", x)
    np.save(HERE / "digits.g.npy", g)


if __name__ == "__main__":
    main()
