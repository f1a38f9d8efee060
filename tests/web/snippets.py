#!/usr/bin/env python3
"""Runs the one-liners of examples/web/page/snippets.json in their own frameworks, and compares every bit.

    pip install -r tests/golden/requirements.txt tf_keras && python tests/web/snippets.py [--only LANGUAGE]

ALPHA and BETA stand for numbers of the visitor's own. y must have the bits of tests/golden/PRESET.y.npy. dx must have those of PRESET.dx.npy, or those of the preset by its
definition: where the two differ, the golden file has what its framework does beyond the definition (see differences() in
tests/golden/compare.py). Any NaN equals any other. A snippet must have no fewer bits than it claims, and no more.

Each framework runs in a process of its own, as TensorFlow, JAX and PyTorch bring one LLVM each. TensorFlow.js doesn't run
here.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["JAX_PLATFORMS"] = "cpu"

import numpy as np

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
F = np.float32
SIXTH = F(1 / 6)
LANGUAGES = ["PyTorch", "Keras 3", "Keras 2", "JAX", "ONNX", "NumPy", "TensorFlow.js"]
ELSEWHERE = {
    "TensorFlow.js": "not run here: it is JavaScript",
}
# v, the bounds of v or x, whether they are included, and the slope times g: see docs/definitions.md.
GRADIENTS = {
    "keras": (lambda x: x * F(0.2) + F(0.5), 0, 1, "inclusive", lambda g: g * F(0.2)),
    "onnx": (lambda x: x * F(0.2) + F(0.5), 0, 1, "strict", lambda g: g * F(0.2)),
    "courbariaux": (lambda x: (x + F(1)) / F(2), 0, 1, "inclusive", lambda g: g * F(0.5)),
    "tangent": (lambda x: (x + F(2)) / F(4), 0, 1, "strict", lambda g: g * F(0.25)),
    "pytorch": (lambda x: x, -3, 3, "strict", lambda g: g * SIXTH),
    "jax": (lambda x: x + F(3), 0, 6, "strict", lambda g: g * SIXTH),
    "keras3": (lambda x: x + F(3), 0, 6, "strict", lambda g: g / F(6)),
    "sparse": (lambda x: (x + F(1)) / F(2), 0, 1, "half", lambda g: g * F(0.5)),
}
# What stands for alpha and beta here: both have kinks among the x. First the numbers for which ONNX Runtime's y is among the golden files. A negative alpha turns
# the sign of the zeros in the gradient, and so the page promises it for the others.
FALLING, RISING = (-0.7, 0.3), (0.7, 0.3)
AFFINE = [f"affine, {rule}" for rule in ("strict", "inclusive", "half")]


def affine(alpha, beta, name):
    return lambda x: x * F(alpha) + F(beta), 0, 1, name.removeprefix("affine, "), lambda g: g * F(alpha)


GRADIENTS |= {name: affine(*RISING, name) for name in AFFINE}
# The hard swishes that a framework has by name, and their golden files.
SWISHES = {
    "pytorch, hard_swish": "pytorch.hard_swish",
    "jax, hard_swish": "jax.hard_swish",
    "keras3, hard_swish": "keras3.hard_swish",
    "affine(0.16666667, 0.5, strict), hard_swish": "affine(0.16666667, 0.5).hard_swish",
}


def by_definition(definition, x, g):
    v, low, high, kinks, slope = definition
    with np.errstate(all="ignore"):
        v, dx = v(x), slope(g)
        at_kink = (v == low) | (v == high)
        inside = (v > low) & (v < high)
        if kinks == "half":
            dx = np.where(at_kink, dx * F(0.5), dx)
        if kinks != "strict":
            inside |= at_kink
        return np.where(inside, dx, F(0))


def differing(actual, expected):
    """Which elements differ in a bit. Any NaN equals any other."""
    assert actual.dtype == expected.dtype == F, f"{actual.dtype}, not float32"
    assert actual.shape == expected.shape, f"{actual.shape} elements, not {expected.shape}"
    bits = lambda values: np.ascontiguousarray(values).view(np.uint32)
    differ = (bits(actual) != bits(expected)) & ~(np.isnan(actual) & np.isnan(expected))
    assert differ.size == actual.size
    return differ


def flushed(actual, expected):
    """Where the actual value is the zero that a device may put in place of the expected subnormal."""
    # XLA flushes a product that rounds up to the least normal number, too.
    return (actual == 0) & (np.abs(expected) <= np.finfo(F).tiny) & (np.signbit(actual) == np.signbit(expected))


def check_comparator(golden):
    """Asserts that the comparison sees the differences that it is for."""
    count = lambda a, b: int(differing(a, b).sum())
    y = golden["keras"][0]
    assert count(y, y) == 0
    for index in np.flatnonzero(~np.isnan(y))[[0, 100, -1]]:
        for bit in (0, 22, 31):
            changed = y.copy()
            changed.view(np.uint32)[index] ^= np.uint32(1 << bit)
            assert count(changed, y) == 1, "a changed bit passes"
    zero, minus, nan = (np.array([v], F) for v in (0.0, -0.0, np.nan))
    assert count(minus, zero) == count(zero, minus) == 1, "-0 passes as 0"
    assert count(nan, zero) == count(zero, nan) == 1, "NaN passes as a number"
    assert count(nan, -nan) == 0, "NaN differs from NaN"
    subnormal = np.array([1], np.uint32).view(F)
    assert flushed(zero, subnormal)[0] and not flushed(minus, subnormal)[0] and not flushed(subnormal, zero)[0]
    assert not flushed(zero, np.array([1e-30], F))[0], "a normal number passes as flushed"
    for wrong in (y.astype(np.float64), y[:-1]):
        try:
            differing(wrong, y)
        except AssertionError:
            continue
        raise AssertionError("another type or length passes")


def load():
    """x, g, and y and dx of each definition as the frameworks have them, where they have."""
    read = lambda name: np.load(GOLDEN / f"{name}.npy")
    x, g = read("x"), read("g")
    golden = {}
    for preset in [*GRADIENTS, *SWISHES]:
        if preset in AFFINE:
            with np.errstate(invalid="ignore"):
                golden[preset] = np.minimum(np.maximum(GRADIENTS[preset][0](x), F(0)), F(1)), None
            continue
        file = SWISHES.get(preset, preset)
        has_gradient = (GOLDEN / f"{file}.dx.npy").exists()
        # ONNX defines no gradient, and JAX's hard swish has one with roundings of its own.
        assert has_gradient or file.startswith(("onnx", "affine(", "jax.hard_swish")), f"{file}.dx.npy is missing"
        golden[preset] = read(f"{file}.y"), read(f"{file}.dx") if has_gradient else None
        for values in golden[preset]:
            assert values is None or values.shape == x.shape == g.shape
    return x, g, golden


def check_definitions(x, g, golden):
    """by_definition() must be the golden gradient, apart from what the frameworks do beyond the definition."""
    for preset, (_, dx) in golden.items():
        if dx is None or preset in SWISHES:
            continue
        defined = by_definition(GRADIENTS[preset], x, g)
        differ = differing(defined, dx) & ~flushed(dx, defined)
        if preset in ("keras3", "sparse"):
            # These frameworks multiply by a mask: a zero has a sign, and NaN or infinity times 0 is NaN.
            differ &= ~((defined == 0) & ((dx == 0) | (np.isnan(dx) & ~np.isfinite(g))))
        assert not differ.any(), f"{preset}: the definition's gradient differs from the golden one in {differ.sum()}"


def evaluate(code, modules, x):
    return eval(code, {"__builtins__": {}} | modules | {"x": x})


# Each runner takes code, x and g. It returns y, dx (None where the language doesn't differentiate), and y by each of the
# language's compilers.


def numpy_runner():
    def run(code, x, g):
        with np.errstate(all="ignore"):
            return evaluate(code, {"np": np}, x.copy()), None, {}

    return run, np.__version__


def torch_runner():
    import torch

    def run(code, x, g):
        leaf = torch.from_numpy(x.copy()).requires_grad_()
        y = evaluate(code, {"torch": torch}, leaf)
        y.backward(torch.from_numpy(g.copy()))
        return y.detach().numpy(), leaf.grad.numpy(), {}

    return run, torch.__version__


def jax_runner():
    import jax
    import jax.numpy as jnp

    def run(code, x, g):
        function = lambda x: evaluate(code, {"jax": jax}, x)
        x = jnp.asarray(x)
        y, pull = jax.vjp(function, x)
        # JAX may round otherwise where it differentiates.
        assert not differing(np.asarray(function(x)), np.asarray(y)).any(), "jax.vjp has another y"
        return np.asarray(y), np.asarray(pull(jnp.asarray(g))[0]), {"XLA": np.asarray(jax.jit(function)(x))}

    return run, jax.__version__


def keras_runner(name):
    import importlib

    import tensorflow as tf

    module = importlib.import_module(name)

    def run(code, x, g):
        function = lambda x: evaluate(code, {name: module, "tf": tf}, x)
        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        dx = tape.gradient(y, x, output_gradients=tf.constant(g))
        compilers = {"TensorFlow": tf.function(function), "XLA": tf.function(function, jit_compile=True)}
        return y.numpy(), dx.numpy(), {name: compiled(x).numpy() for name, compiled in compilers.items()}

    return run, f"{module.__version__} on TensorFlow {tf.__version__}"


def onnx_runner():
    import onnx
    import onnxruntime

    def run(code, x, g):
        node = evaluate(code, {"onnx": onnx}, None)
        functions, opsets = [], [onnx.helper.make_opsetid("", 21)]
        if isinstance(node, onnx.FunctionProto):
            functions.append(node)
            opsets.append(onnx.helper.make_opsetid(node.domain, 1))
            node = onnx.helper.make_node(node.name, ["x"], ["y"], domain=node.domain)

        def of_rank(rank, x):
            value = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * rank)
            graph = onnx.helper.make_graph([node], "g", [value("x")], [value("y")])
            model = onnx.helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=10)
            onnx.checker.check_model(model, full_check=True)
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            return session.run(None, {"x": x})[0]

        y = of_rank(1, x)
        assert not differing(of_rank(2, x.reshape(2, -1)).ravel(), y).any(), "another rank has other bits"
        return y, None, {}

    return run, f"Runtime {onnxruntime.__version__}, onnx {onnx.__version__}"


RUNNERS = {
    "PyTorch": torch_runner,
    "Keras 3": lambda: keras_runner("keras"),
    "Keras 2": lambda: keras_runner("tf_keras"),
    "JAX": jax_runner,
    "ONNX": onnx_runner,
    "NumPy": numpy_runner,
}


def check_file(snippets):
    """The file must have what the page reads, in the page's order."""
    assert list(snippets) == [*GRADIENTS, *SWISHES], f"not the definitions in their order: {list(snippets)}"
    for preset, rows in snippets.items():
        languages = [row["language"] for row in rows]
        assert languages == [name for name in LANGUAGES if name in languages], f"{preset}: {languages}"
        missing = set(LANGUAGES) - {"Keras 2", "Keras 3"} - set(languages)
        assert preset in SWISHES or not missing, f"{preset} has no snippet in {missing}"
        for row in rows:
            where = f"{preset}, {row['language']}"
            assert set(row) - {"where", "note"} == {"language", "code", "bits"}, f"{where}: {list(row)}"
            assert row["bits"] in ("y and dx", "y", "none"), f"{where}: {row['bits']}"
            assert all(isinstance(text, str) and text.strip() == text != "" for text in row.values()), where
            assert row.get("note", ".").endswith("."), f"{where}: the note is no sentence"
            assert "\n" not in row["code"], f"{where}: more than one line"


def check_snippet(row, preset, run, x, g, golden):
    """What the snippet has, as a text. Raises where that isn't what it says."""
    code = filled(row["code"], RISING)
    y, dx, compiled = run(code, x, g)
    y_differs = int(differing(y, golden[0]).sum())
    found, text = "none" if y_differs else "y", f"y {y_differs} of {y.size} differ"
    if dx is not None and (preset in GRADIENTS or golden[1] is not None):
        defined = by_definition(GRADIENTS[preset], x, g) if preset in GRADIENTS else golden[1]
        differ = differing(dx, defined)
        # TensorFlow and XLA flush a subnormal gradient, and PyTorch doesn't.
        flushes = differ & flushed(dx, defined) & (row["language"] != "PyTorch")
        from_definition = int((differ & ~flushes).sum())
        text += f"; dx {from_definition} of {dx.size} differ from the definition, apart from {int(flushes.sum())} flushed"
        differs = from_definition
        if golden[1] is not None:
            # The page says which bits those are.
            has_mask = "g times 0" in row.get("note", "")
            assert has_mask or not (row["bits"] == "y and dx" and from_definition), f"{text}: the note doesn't say so"
            from_golden = int(differing(dx, golden[1]).sum())
            text += f", {from_golden} from the framework"
            differs = min(differs, from_golden)
        if not y_differs and not differs:
            found = "y and dx"
    if compiled:
        by = {name: int(differing(of, golden[0]).sum()) for name, of in compiled.items()}
        text += "".join(f"; compiled by {name}, y {count} differ" for name, count in by.items())
        where, note = row.get("where", ""), row.get("note", "")
        warns = where.endswith(("jit", "eager mode"))
        assert warns == any(by.values()), f"{text}: the snippet {'warns' if warns else 'does not warn'}"
        # TensorFlow's own compiler is the one that a model has on a machine without a GPU.
        names = "Compiled, TensorFlow" in note
        assert names == (by.get("TensorFlow", 0) > 0), f"{text}: the note {'names' if names else 'does not name'} TensorFlow"
    if row["language"] == "PyTorch" and row["bits"] == "y and dx":
        passes = run(code, np.array([np.nan], F), np.ones(1, F))[1][0] != 0
        says = "At NaN" in row.get("note", "")
        assert says == passes, f"{text}: at a single NaN the gradient is{'' if passes else ' not'} passed"
    assert found == row["bits"], f"{text}: has {found}, says {row['bits']}"
    if preset in AFFINE:
        y, dx, _ = run(filled(row["code"], FALLING), x, g)
        expected = np.load(GOLDEN / "affine({}, {}).y.npy".format(*FALLING))
        assert not differing(y, expected).any(), f"{text}; y of {FALLING} differs"
        if row["bits"] == "y and dx":
            defined = by_definition(affine(*FALLING, preset), x, g)
            differ = differing(dx, defined) & ~((dx == 0) & (np.abs(defined) <= np.finfo(F).tiny))
            assert not differ.any(), f"{text}; dx of {FALLING} differs by more than a zero's sign"
    return text


def filled(code, numbers):
    for name, number in zip(("ALPHA", "BETA"), numbers):
        code = code.replace(name, str(number))
    return code


def run_language(language, snippets, x, g, golden):
    """Prints a line for each of the language's snippets, and returns how many fail."""
    rows = [(preset, row) for preset, rows in snippets.items() for row in rows if row["language"] == language]
    assert rows, f"no snippet in {language}"

    def show(preset, row, text):
        print(f"{language:<14}{preset:<12}{row['bits']:<9} {row['code']}\n    {text}", flush=True)

    if language in ELSEWHERE:
        for preset, row in rows:
            show(preset, row, ELSEWHERE[language])
        return 0
    try:
        run, version = RUNNERS[language]()
    except ModuleNotFoundError as missing:
        # The golden files of the preset onnx have ONNX Runtime's bits. Without this package no model can be built.
        if language != "ONNX" or missing.name != "onnx":
            raise
        for preset, row in rows:
            show(preset, row, "SKIPPED: the package onnx isn't installed")
        return 0
    print(f"=== {language} {version}", flush=True)
    failed = 0
    for preset, row in rows:
        try:
            show(preset, row, check_snippet(row, preset, run, x, g, golden[preset]))
        except Exception as error:
            show(preset, row, f"FAILED: {type(error).__name__}: {error}")
            failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=LANGUAGES)
    only = parser.parse_args().only
    snippets = json.loads((ROOT / "examples/web/page/snippets.json").read_text())
    check_file(snippets)
    x, g, golden = load()
    check_comparator(golden)
    check_definitions(x, g, golden)
    if only:
        return min(run_language(only, snippets, x, g, golden), 1)
    failed = []
    for language in LANGUAGES:
        # TensorFlow and XLA greet on stderr, so it is shown where it says why.
        done = subprocess.run([sys.executable, __file__, "--only", language], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            failed.append(language)
    count = sum(map(len, snippets.values()))
    print(f"{count} snippets, {x.size} elements each: {'FAILED in ' + ', '.join(failed) if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
