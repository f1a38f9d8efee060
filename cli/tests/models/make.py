#!/usr/bin/env python3
"""Writes the models in this folder by the real exporters: what `hard-sigmoid inspect` is tested on.

    pip install --no-deps -r cli/tests/models/requirements.txt && python cli/tests/models/make.py

Each framework runs in a process of its own. Beside each ONNX file NAME.txt has what the onnx package prints of its graph.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def print_graph(path):
    import onnx

    model = onnx.load(path)
    path.with_suffix(".txt").write_text(onnx.printer.to_text(model.graph) + "\n")


def without_traces(path):
    """Without the exporter's stack traces, which hold paths of this machine."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, path)


def with_torch():
    import torch

    class Activations(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.sigmoid, self.swish = torch.nn.Hardsigmoid(), torch.nn.Hardswish()

        def forward(self, x):
            relu6 = torch.nn.functional.relu6
            return (
                self.sigmoid(x),
                self.swish(x),
                relu6(x + 3) / 6,
                relu6(x + 3) * (1 / 6),
                x * relu6(x + 3) / 6,
                x * (relu6(x + 3) / 6),
                torch.clamp(0.2 * x + 0.5, 0, 1),
                torch.clamp((x + 1) / 2, 0, 1),
                # None of these is one.
                relu6(x),
                torch.clamp(x, -1, 1),
            )

    # The middle of a MobileNetV3: a hard swish, and squeeze-and-excitation.
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.swish = torch.nn.Conv2d(2, 2, 1), torch.nn.Hardswish()
            self.squeeze, self.gate = torch.nn.Conv2d(2, 2, 1), torch.nn.Hardsigmoid()

        def forward(self, x):
            x = self.swish(self.convolution(x))
            return x * self.gate(self.squeeze(x.mean((2, 3), keepdim=True)))

    torch.manual_seed(1)
    for name, module, shape in [("activations", Activations(), (2, 3)), ("block", Block(), (1, 2, 4, 4))]:
        for exporter, opset in [("dynamo", 18), ("torchscript", 11), ("torchscript", 18)]:
            path = HERE / f"torch_{name}_{exporter}_{opset}.onnx"
            options = {"dynamo": exporter == "dynamo", "opset_version": opset, "verbose": False}
            if exporter == "dynamo":
                options |= {"external_data": False}
            torch.onnx.export(module.eval(), (torch.zeros(shape),), path, **options)
            without_traces(path)
            print_graph(path)


def layers(keras):
    """A recurrent layer with two activations, an activation in a layer, and a layer that is one."""
    keras.utils.set_random_seed(1)
    x = keras.Input((6, 2), name="x")
    y = keras.layers.LSTM(2, recurrent_activation="hard_sigmoid", name="lstm")(x)
    y = keras.layers.Dense(2, activation="hard_sigmoid", name="dense")(y)
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Activation("hard_sigmoid", name="gate")], name="inner")
    return x, inner(y)


def written_out(keras, clip):
    """Activations that layers and operations write out."""
    x = keras.Input((2,), name="x")
    six = keras.layers.ReLU(6.0, name="six")

    # Of keras.applications' MobileNetV3.
    def hard_sigmoid(x):
        return keras.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    scale, limit = keras.layers.Rescaling(0.5, 0.5, name="scale"), keras.layers.ReLU(1.0, name="limit")
    outputs = [
        hard_sigmoid(x),
        keras.layers.Multiply(name="swish")([x, hard_sigmoid(x)]),
        # A layer that is called twice, at last with its own result.
        six(3 + six(x + 3) / 6) / 6,
        x * six(3 - x) / 6,
        clip(0.2 * x + 0.5, 0.0, 1.0),
        keras.Sequential([keras.Input((2,)), scale, limit], name="inner")(x),
        # None of these is one.
        six(x) / 6,
        keras.layers.ReLU(6.0, negative_slope=0.1, name="leaky")(x + 3) / 6,
    ]
    return keras.Model(x, outputs, name="written_out").to_json()


def with_keras3():
    import keras
    import numpy as np

    x, y = layers(keras)
    y = keras.layers.Activation("hard_silu", name="swish")(y)
    y = keras.layers.Activation(keras.activations.hard_sigmoid, name="function")(y)
    model = keras.Model(x, y)
    model.save(HERE / "keras3.keras")
    model.save(HERE / "keras3.h5")
    (HERE / "keras3.json").write_text(model.to_json())
    (HERE / "keras3_written_out.json").write_text(written_out(keras, keras.ops.clip))
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="hard_sigmoid", name="dense")])
    plain(np.zeros((1, 2), np.float32))
    plain.export(HERE / "keras3_export.onnx", format="onnx", verbose=False)
    print_graph(HERE / "keras3_export.onnx")


def with_keras2():
    import tensorflow as tf
    import tf2onnx
    import tf_keras as keras

    model = keras.Model(*layers(keras))
    model.save(HERE / "keras2.keras")
    model.save(HERE / "keras2.h5")
    (HERE / "keras2.json").write_text(model.to_json())
    (HERE / "keras2_written_out.json").write_text(written_out(keras, tf.clip_by_value))
    tf2onnx.convert.from_keras(model, output_path=str(HERE / "keras2_tf2onnx.onnx"))
    print_graph(HERE / "keras2_tf2onnx.onnx")
    # The converter imports it, but layers don't need it.
    sys.modules["tensorflow_decision_forests"] = types.ModuleType("tensorflow_decision_forests")
    from tensorflowjs.converters import save_keras_model

    with tempfile.TemporaryDirectory() as folder:
        save_keras_model(model, folder)
        shutil.copy(Path(folder) / "model.json", HERE / "tfjs.json")


STEPS = {"torch": with_torch, "keras3": with_keras3, "keras2": with_keras2}


def main():
    if len(sys.argv) > 1:
        return STEPS[sys.argv[1]]()
    for step in STEPS:
        subprocess.run([sys.executable, __file__, step], check=True)


if __name__ == "__main__":
    main()
