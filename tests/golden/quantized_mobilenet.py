#!/usr/bin/env python3
"""Writes quantized_mobilenet/: the 8-bit activations of torchvision's MobileNetV3-small, quantized by ONNX Runtime.

    pip install -r tests/golden/requirements.txt && python tests/golden/quantized_mobilenet.py

The weights are random, from a seed. Batch normalization and the scales are calibrated on pieces of a photograph that scikit-learn has; the
activations are those of another photograph, computed without optimizations, so that every QuantizeLinear is one.

nodes.tsv has a line for each hard swish, hard sigmoid and gate y = a * hs(b), in which b is the same for all pixels of a channel. Its
columns are the node's name, the operation, the definition, the type, the shape of y, and then for each tensor (x, y; for a gate a, b,
h = hs(b) and y) the bits of its scale as a float32 in hex, its zero point, and the file with its bytes. Nodes share files.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import sklearn
import torch
import torchvision
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.datasets import load_sample_image

from quantized import DEFAULT, F, UNOPTIMIZED, affine, chain, gate_onnx, hard_swish_onnx, stored

HERE = Path(__file__).parent / "quantized_mobilenet"
SIZE = 64


def pieces(name, rng, count):
    """Square pieces of a photograph, from a fifth of it to all of its height, as a network takes them."""
    image = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float() / 255
    height, width = image.shape[2:]
    result = []
    for _ in range(count):
        side = int(rng.integers(height // 5, height))
        top, left = rng.integers(0, height - side), rng.integers(0, width - side)
        piece = image[:, :, top : top + side, left : left + side]
        result.append(torch.nn.functional.interpolate(piece, (SIZE, SIZE), mode="bilinear", antialias=True))
    return (torch.cat(result) - 0.45) / 0.225


class Pieces(CalibrationDataReader):
    def __init__(self, images):
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"image": image[None].numpy()}


def quantized_network(folder):
    """The network in ONNX, with QuantizeLinear and DequantizeLinear around its operators."""
    rng = np.random.default_rng(20261202)
    torch.manual_seed(20261202)
    torch.set_num_threads(1)
    network = torchvision.models.mobilenet_v3_small(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(8):
            network.train()(pieces("china.jpg", rng, 16))
    image = pieces("flower.jpg", rng, 1)
    model, result = folder / "float.onnx", folder / "quantized.onnx"
    torch.onnx.export(network.eval(), (image,), model, opset_version=21, input_names=["image"], dynamo=True, verbose=False)
    quantize_static(
        model,
        result,
        Pieces(pieces("china.jpg", rng, 16)),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return onnx.load(result), image.numpy()


class Graph:
    """What is around the hard sigmoids and hard swishes."""

    def __init__(self, graph):
        self.nodes = graph.node
        self.maker = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def input(self, name):
        """The 8-bit tensor from which a DequantizeLinear makes this one."""
        node = self.maker[name]
        assert node.op_type == "DequantizeLinear", f"{name} comes from {node.op_type}"
        return self.tensor(node.input[0], node)

    def takers(self, node):
        return [taker.op_type for taker in self.nodes if node.output[0] in taker.input]

    def output(self, name):
        """The 8-bit tensor that a QuantizeLinear makes of this one, which nothing else takes."""
        (node,) = [node for node in self.nodes if name in node.input]
        assert node.op_type == "QuantizeLinear", f"{name} goes to {node.op_type}"
        return self.tensor(node.output[0], node)

    def tensor(self, name, node):
        scale, zero_point = (self.constants[constant] for constant in node.input[1:])
        assert (scale.dtype, zero_point.dtype) == (F, np.uint8)
        return name, scale.item(), zero_point.item()

    def operations(self):
        """Name, operation, slope, and the 8-bit tensors."""
        for node in self.nodes:
            # The last one goes to a ReduceMean, which stays in float32.
            if node.op_type == "HardSwish" and self.takers(node) != ["ReduceMean"]:
                yield node.name, "hard_swish", F(1 / 6), [self.input(node.input[0]), self.output(node.output[0])]
            if node.op_type == "HardSigmoid":
                alpha, beta = (onnx.helper.get_node_attr_value(node, name) for name in ("alpha", "beta"))
                assert beta == 0.5
                b, h = self.input(node.input[0]), self.output(node.output[0])
                yield node.name, "forward", F(alpha), [b, h]
                (gate,) = [n for n in self.nodes if n.op_type == "Mul" and h in map(self.input, n.input)]
                (a,) = [a for a in map(self.input, gate.input) if a != h]
                yield gate.name, "gate", F(alpha), [a, b, h, self.output(gate.output[0])]


def run(model, image, names):
    """The tensors with these names, in the unoptimized network."""
    known = {output.name for output in model.graph.output}
    for name in set(names) - known:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = UNOPTIMIZED
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {"image": image})))


def optimized_operators(path, folder):
    """How often the network has each operator once ONNX Runtime has optimized it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = DEFAULT
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def expected(operation, alpha, tensors, values):
    """What quantized.py's arithmetic gives."""
    row = np.array(sum((stored(scale, zero_point, 0) for _, scale, zero_point in tensors), []), np.int32)
    first, second = (values[name].astype(np.intp) for name, *_ in tensors[:2])
    if operation == "gate":
        return gate_onnx(affine(alpha))(row)[256 * second + first]
    return chain(hard_swish_onnx if operation == "hard_swish" else affine(alpha))(row)[first]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model, image = quantized_network(folder)
        print("optimized:", optimized_operators(folder / "quantized.onnx", folder))
    operations = list(Graph(model.graph).operations())
    names = list(dict.fromkeys(name for *_, tensors in operations for name, *_ in tensors))
    values = run(model, image, names)

    HERE.mkdir(exist_ok=True)
    for old in HERE.glob("*.npy"):
        old.unlink()
    files = {name: f"{number}.npy" for number, name in enumerate(names)}
    for name, file in files.items():
        np.save(HERE / file, values[name].ravel())
    lines, counts, elements = [], Counter(), Counter()
    for node, operation, alpha, tensors in operations:
        y = values[tensors[-1][0]]
        differ = y != expected(operation, alpha, tensors, values)
        assert not differ.any(), f"{node}: {differ.sum()} bytes differ"
        counts[operation] += 1
        elements[operation] += y.size
        fields = [node, operation, f"affine({alpha!s}, 0.5)", str(y.dtype), "x".join(map(str, y.shape))]
        for name, scale, zero_point in tensors:
            fields += [f"{F(scale).view(np.uint32):08x}", str(zero_point), files[name]]
        lines.append("\t".join(fields) + "\n")
    (HERE / "nodes.tsv").write_text("".join(lines))
    modules = ", ".join(f"{m.__name__} {m.__version__}" for m in (np, onnx, onnxruntime, sklearn, torch, torchvision))
    (HERE / "MADE_WITH.txt").write_text(f"{modules}\n")
    for operation, number in counts.items():
        print(f"{operation}: {number} nodes, {elements[operation]} bytes, none differs")


if __name__ == "__main__":
    sys.exit(main())
