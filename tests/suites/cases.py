#!/usr/bin/env python3
"""Runs other people's tests of hard sigmoid and hard swish on the CPU path, and writes their cases for the kernels.

    python tests/suites/cases.py FOLDER

Prints how many values have other bits than a suite expects, and by how much. The folder gets `index.tsv` and the tensors for
`tests/gpu/suites.rs`, and `rows.json` for `table.py`. Run by `./test.sh suites`.
"""

import json
import re
import sys
import unittest
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import torch
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test import BackendTest
from torch.testing._internal.common_methods_invocations import op_db

from hard_sigmoid import HardSigmoid

NUMBERS = Path(__file__).parent / "numbers"
F = np.float32
# The largest distance in ulp that a suite allows, where it counts in ulp.
ALLOWED = {"WebNN `hardSigmoid`": 2, "WebNN `hardSwish`": 4}


@dataclass
class Case:
    """What a test expects of an operation."""

    suite: str
    test: str
    operation: str
    definition: str
    inputs: list
    expected: np.ndarray


def from_numbers(suite, file, operation, definition=None):
    """The tests of a file. Its numbers are rounded to float32 and then to the test's type, as C++ does."""
    for test in json.loads((NUMBERS / f"{file}.json").read_text())["tests"]:
        of = definition or str(HardSigmoid.affine(test["alpha"], test["beta"]))
        x, y = (np.array(test[name], F).astype(test["dtype"]) for name in "xy")
        yield Case(suite, test["name"], operation, of, [x], y)


def webnn():
    yield from from_numbers("WebNN `hardSigmoid`", "webnn_hard_sigmoid", "forward")
    yield from from_numbers("WebNN `hardSwish`", "webnn_hard_swish", "hard_swish", "pytorch")


def openvino():
    yield from from_numbers("OpenVINO `HSigmoid`", "openvino_hsigmoid", "forward", "pytorch")
    yield from from_numbers("OpenVINO `HardSigmoid`", "openvino_hard_sigmoid", "forward")
    yield from from_numbers("OpenVINO `HSwish`", "openvino_hswish", "hard_swish", "pytorch")


def tflite_micro():
    """The one test with floats in tensorflow/tflite-micro, tensorflow/lite/micro/kernels/hard_swish_test.cc, commit
    2147476cb12f0fbbf1ae3db0b24206807425b127. It has no numbers: C++'s minstd_rand makes x, and a formula makes y."""
    state, x = 1, []
    for _ in range(100):
        state = state * 48271 % (2**31 - 1)
        x.append(F(-10) + F(20) * (F(state) * F(2**-31)))
    x = np.array(x)
    y = x * np.clip(x + F(3), F(0), F(6)) * F(1 / 6)
    yield Case("TFLite Micro `HARD_SWISH`", "SimpleHardSwishTestFloat", "hard_swish", "pytorch", [x], y)


def opinfo():
    """PyTorch's own samples. Each goes through PyTorch here, with and without a gradient."""
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    version = torch.__version__.split("+")[0]
    operations = {"nn.functional.hardsigmoid": ("forward", "backward"), "nn.functional.hardswish": ("hard_swish", "hard_swish_backward")}
    for op in op_db:
        if op.name not in operations:
            continue
        suite = f"PyTorch {version} `{op.name.split('.')[-1]}`"
        forward, backward = operations[op.name]
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            for gradient in (False, True):
                for kind in ("sample_inputs", "reference_inputs"):
                    for i, sample in enumerate(getattr(op, kind)("cpu", dtype, requires_grad=gradient)):
                        assert not sample.args and not sample.kwargs
                        test, x = f"{kind} {i} {gradient}", sample.input.detach()
                        # Some samples are views of a tensor that needs no gradient, so that they get none either.
                        leaf = x.detach().requires_grad_(gradient)
                        y = op(leaf)
                        yield Case(suite, test, forward, "pytorch", [x], array(y))
                        if gradient:
                            g = torch.randn(y.shape, generator=generator).to(dtype)
                            (dx,) = torch.autograd.grad(y, leaf, g)
                            yield Case(suite, test, backward, "pytorch", [x, g], array(dx))


def array(tensor):
    if not isinstance(tensor, torch.Tensor):
        return tensor
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().numpy()


class Prepared(BackendRep):
    """A model that is a hard sigmoid, a hard swish, or a hard sigmoid times its input."""

    def __init__(self, model):
        nodes = model.graph.node
        attributes = {attribute.name: attribute.f for attribute in nodes[0].attribute}
        operators = [node.op_type for node in nodes]
        if operators == ["HardSwish"]:
            attributes = {"alpha": 1 / 6, "beta": 0.5}
        self.definition = HardSigmoid.affine(attributes.get("alpha", 0.2), attributes.get("beta", 0.5))
        names = {("HardSigmoid",): "forward", ("HardSwish",): "hard_swish", ("HardSigmoid", "Mul"): "gate"}
        self.operation = names[tuple(operators)]

    def run(self, inputs, **_):
        self.inputs = [*inputs] * (2 if self.operation == "gate" else 1)
        last_run.append(self)
        return [getattr(self.definition, self.operation)(*self.inputs)]


last_run = []


class Ours(Backend):
    @classmethod
    def prepare(cls, model, device="CPU", **_):
        return Prepared(model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


class Recorder(BackendTest):
    """ONNX's runner, which also keeps what it compares, since it allows a relative error of 1e-3."""

    expected = []

    @classmethod
    def assert_similar_outputs(cls, ref_outputs, outputs, *rest, **others):
        super().assert_similar_outputs(ref_outputs, outputs, *rest, **others)
        cls.expected.append(ref_outputs[0])


def onnx_backend():
    """ONNX's runner calls the class Ours."""
    cases = Recorder(Ours).test_cases["OnnxBackendNodeModelTest"]
    names = sorted(name for name in dir(cases) if re.match("test_hard(sigmoid|swish)", name) and name.endswith("_cpu"))
    # Expanded, a hard sigmoid is Constant, CastLike, Mul, Add, Min and Max, so that nothing of ours would run.
    without_us = [f"test_hardsigmoid{of}_expanded_ver18_cpu" for of in ("", "_default", "_example")]
    ours = ["test_hardsigmoid_cpu", "test_hardsigmoid_default_cpu", "test_hardsigmoid_example_cpu"]
    ours += ["test_hardswish_cpu", "test_hardswish_expanded_cpu"]
    assert names == sorted(ours + without_us), f"ONNX has other tests: {names}"
    for name in ours:
        result = unittest.TestResult()
        cases(name).run(result)
        assert result.wasSuccessful() and result.testsRun == 1 and not result.skipped, (name, result)
        (one,), (y,) = last_run, Recorder.expected
        suite = f"ONNX {onnx.__version__} `{'HardSwish' if 'hardswish' in name else 'HardSigmoid'}`"
        yield Case(suite, name, one.operation, str(one.definition), one.inputs, y)
        last_run.clear()
        Recorder.expected.clear()


def words(values):
    """The bits, as integers."""
    return values.view({4: np.int32, 2: np.int16}[values.itemsize])


def other_bits(actual, expected):
    """Where a bit differs. A NaN is as good as any other, since PyTorch's vector code has one of its own."""
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    return (words(actual) != words(expected)) & ~(np.isnan(actual) & np.isnan(expected))


def ulps(actual, expected):
    """How many floats apart they are. Both zeros are one."""
    bits = [words(values).astype(np.int64) for values in (actual, expected)]
    lowest = np.iinfo(words(actual).dtype).min
    a, b = (np.where(of < 0, lowest - of, of) for of in bits)
    return np.abs(a - b)


def one_bit_wrong(actual, expected):
    """What is expected, with a wrong bit where it was right."""
    at = np.flatnonzero(~other_bits(actual, expected) & ~np.isnan(expected))[0]
    changed = expected.copy()
    words(changed)[at] ^= 1
    return changed


@dataclass
class Group:
    """The cases of a suite that are one operation in one type, end to end."""

    tests: set = field(default_factory=set)
    inputs: list = field(default_factory=list)
    expected: list = field(default_factory=list)
    actual: list = field(default_factory=list)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    groups = {}
    for suite in (webnn, opinfo, onnx_backend, openvino, tflite_micro):
        for case in suite():
            actual = np.asarray(getattr(HardSigmoid(case.definition), case.operation)(*case.inputs))
            assert actual.shape == case.expected.shape
            dtype = case.expected.dtype.name
            group = groups.setdefault((case.suite, dtype, case.operation, case.definition), Group())
            group.tests.add(case.test)
            group.inputs.append([array(of).ravel() for of in case.inputs])
            group.expected.append(case.expected.ravel())
            group.actual.append(actual.ravel())
    rows, index = {}, []
    for number, ((suite, dtype, operation, definition), group) in enumerate(groups.items()):
        actual, expected = (np.concatenate(of) for of in (group.actual, group.expected))
        differ = other_bits(actual, expected)
        assert other_bits(actual, one_bit_wrong(actual, expected)).sum() == differ.sum() + 1, "a wrong bit isn't seen"
        distances = ulps(actual, expected)[differ]
        most = ALLOWED.get(suite)
        assert most is None or (distances <= most).all(), f"{suite} allows {most} ulp, but {max(distances)} occur"
        tensors = {"expected": expected} | dict(zip("xg", map(np.concatenate, zip(*group.inputs))))
        for part, tensor in tensors.items():
            assert tensor.size == expected.size
            (folder / f"{number}.{part}").write_bytes(tensor.tobytes())
        index.append([number, operation, definition, dtype, expected.size, differ.sum()])
        row = rows.setdefault((suite, dtype), {"tests": set(), "values": 0, "distances": Counter(), "files": []})
        row["tests"] |= group.tests
        row["values"] += expected.size
        row["distances"].update(distances.tolist())
        row["files"].append(str(number))
    (folder / "index.tsv").write_text("".join("\t".join(map(str, line)) + "\n" for line in index))
    lines = []
    for (suite, dtype), row in rows.items():
        by = [f"{count} by {f'{ulp} ulp' if ulp else 'the sign of a zero'}" for ulp, count in sorted(row["distances"].items())]
        line = {"suite": suite, "dtype": dtype, "tests": len(row["tests"]), "values": row["values"]}
        line |= {"differing": ", ".join(by) or "0", "files": row["files"]}
        print(f"{suite}, {dtype}: {line['tests']} tests, {line['values']} values, other bits: {line['differing']}")
        lines.append(line)
    (folder / "rows.json").write_text(json.dumps(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
