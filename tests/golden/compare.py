#!/usr/bin/env python3
"""Compares `hard-sigmoid run` with the real frameworks on random inputs: every definition, forward and backward, and
PyTorch in float16 and bfloat16.

    cargo build --release
    python tests/golden/compare.py target/release/hard-sigmoid --count 10000000 --seed 1 [--device gpu]

Half of the inputs are uniform on [-4, 4], half are random bit patterns. Prints how many results differ in bits; exits
with 1 if any does. Three differences are the frameworks' own and counted apart: PyTorch returns one fixed NaN for any
NaN; TensorFlow and XLA flush subnormal gradients; and where they multiply a gradient by a mask, the result outside the kinks is
a zero with a sign, or NaN.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from make import ROWS, halves_with_torch
import torch

F = np.float32


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    half = arguments.count // 2
    patterns = lambda: rng.integers(0, 2**32, arguments.count - half, dtype=np.uint32).view(F)
    x = np.concatenate([rng.uniform(-4, 4, half).astype(F), patterns()])
    g = np.concatenate([rng.standard_normal(half).astype(F), patterns()])
    g[::3] = patterns()[: g[::3].size]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "x.npy", x)
        np.save(folder / "g.npy", g)
        for name, framework in ROWS.items():
            y, dx = framework(x, g)
            wrong += compare(arguments, folder, name, "forward", y, x, g)
            if dx is not None:
                wrong += compare(arguments, folder, name, "backward", dx, x, g)
        for dtype, of in [("f16", torch.float16), ("bf16", torch.bfloat16)]:
            bits = [rng.integers(0, 2**16, arguments.count, dtype=np.uint16) for _ in range(2)]
            wrong += compare_halves(arguments, folder, dtype, bits, halves_with_torch(of, *bits))
    return min(wrong, 1)


def compare_halves(arguments, folder, dtype, bits, expected):
    """All bits but a NaN's, which is PyTorch's own."""
    infinity = {"f16": 0x7C00, "bf16": 0x7F80}[dtype]
    is_nan = lambda bits: (bits & 0x7FFF) > infinity
    for name, values in zip(["x.npy", "g.npy"], bits):
        np.save(folder / name, values.view(np.float16) if dtype == "f16" else values)
    wrong = 0
    for which, expected in zip(["forward", "backward"], expected):
        actual = run(arguments, folder, which, ["--preset", "pytorch", "--dtype", dtype]).view(np.uint16)
        differ = (actual != expected) & ~(is_nan(actual) & is_nan(expected))
        print(f"{'pytorch ' + dtype:<26}{which:<9}{actual.size} inputs, {int(differ.sum())} differ", flush=True)
        wrong += int(differ.sum())
    return wrong


def run(arguments, folder, which, definition):
    command = [arguments.program.absolute(), "run", "--device", arguments.device, "--op", which, *definition]
    command += ["--input", "x.npy", "--output", "out.npy"]
    command += ["--grad", "g.npy"] if which == "backward" else []
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return np.load(folder / "out.npy")


def compare(arguments, folder, name, which, expected, x, g):
    if name.startswith("affine("):
        alpha, beta = name[7:-1].split(", ")
        definition = ["--alpha", alpha, "--beta", beta]
    else:
        definition = ["--preset", name]
    actual = run(arguments, folder, which, definition)
    differ, nan, flushed, masked = differences(name, which, actual, expected, x, g)
    wrong = int(differ.sum())
    print(
        f"{name:<26}{which:<9}{actual.size} inputs, {wrong} differ"
        f" (apart from {int(nan.sum())} NaN patterns, {int(flushed.sum())} flushed gradients, {int(masked.sum())} masked)",
        flush=True,
    )
    return wrong


def differences(name, which, actual, expected, x, g):
    """Which elements differ, and which do for each of the three reasons that are the frameworks' own."""
    differ = actual.view(np.uint32) != expected.view(np.uint32)
    nan = differ & np.isnan(actual) & np.isnan(expected) & np.isnan(x) & (name == "pytorch")
    tiny = np.finfo(F).tiny
    flushed = differ & (np.abs(actual) <= tiny) & (np.abs(expected) <= tiny) & ((expected == 0) | (actual == 0))
    flushed &= np.signbit(actual) == np.signbit(expected)
    flushed &= which == "backward"
    masked = differ & (actual == 0) & ((expected == 0) | (np.isnan(expected) & ~np.isfinite(g)))
    masked &= (which == "backward") & (name in ("keras3", "sparse"))
    return differ & ~nan & ~flushed & ~masked, nan, flushed, masked


if __name__ == "__main__":
    sys.exit(main())
