#!/usr/bin/env python3
"""Writes the models in this folder by the real exporters: what `hard-sigmoid inspect` is tested on.

    pip install --no-deps -r crates/inspect/tests/models/requirements.txt && python crates/inspect/tests/models/make.py

Each framework runs in a process of its own. Beside each ONNX file NAME.txt has what the onnx package prints of its graph.
`frameworks.json` has what the frameworks computed: of each activation and each way to run it the CRC-32 of y, and at how many x it
differs from each preset. `make.py STEP` writes the files of one step alone.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import types
import warnings
import zlib
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


def quantized():
    """The block in 8 bits, in the two forms that ONNX Runtime's quantizer writes."""
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Noise(CalibrationDataReader):
        def __init__(self):
            rng = np.random.default_rng(1)
            self.left = iter([{"x": rng.normal(0, 6, (1, 2, 4, 4)).astype(np.float32)} for _ in range(4)])

        def get_next(self):
            return next(self.left, None)

    for name, form, activations in [("qdq", QuantFormat.QDQ, QuantType.QUInt8), ("qoperator", QuantFormat.QOperator, QuantType.QInt8)]:
        path = HERE / f"onnx_quantized_{name}.onnx"
        types = {"activation_type": activations, "weight_type": QuantType.QInt8}
        quantize_static(HERE / "torch_block_dynamo_18.onnx", path, Noise(), quant_format=form, **types)
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


def sample():
    import numpy as np

    return np.arange(-8192, 8193).astype(np.float32) * np.float32(0.00097)


def presets(x):
    """y of each preset, as a hard sigmoid and as a hard swish, one operation at a time in float32."""
    import numpy as np

    f = np.float32
    limit = lambda v, high: np.minimum(np.maximum(v, f(0)), f(high))
    plain = lambda alpha: limit(f(alpha) * x + f(0.5), 1)
    v, sixth = limit(x + f(3), 6), f(1 / 6)
    y = {"keras": plain(0.2), "onnx": plain(0.2), "courbariaux": plain(0.5), "tangent": plain(0.25)}
    y |= {"pytorch": v / f(6), "jax": v * sixth, "keras3": v / f(6), "sparse": plain(0.5)}
    return y, {name: x * y for name, y in y.items()} | {"pytorch": (x * v) / f(6)}


def facts(y, is_swish):
    import numpy as np

    x = sample()
    y = np.asarray(y).reshape(-1)
    assert y.dtype == np.float32 and y.shape == x.shape
    of = lambda preset: int((preset.view(np.uint32) != y.view(np.uint32)).sum())
    differing = {name: of(preset) for name, preset in presets(x)[is_swish].items()}
    return {"crc32": zlib.crc32(y.tobytes()), "differing": differing}


def remember(model, activation, way, y, is_swish):
    """Adds to frameworks.json."""
    path = HERE / "frameworks.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known.setdefault(model, {}).setdefault(activation, {})[way] = facts(y, is_swish)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def onnx_models():
    """Models of one activation to each result, whose node has the same name: written out, in functions, and with the constants in
    another file."""
    from onnx import AttributeProto, helper

    def constants(nodes):
        """Makes operands that are numbers constants."""
        initializers = []
        for node in nodes:
            for i, operand in enumerate(node.input):
                try:
                    value = float(operand)
                except ValueError:
                    continue
                node.input[i] = f"c{operand}"
                initializers.append((node.input[i], value))
        of = lambda name, value: helper.make_tensor(name, 1, [], struct.pack("<f", value), raw=True)
        return [of(name, value) for name, value in sorted(set(initializers))]

    def model(nodes, results, functions=(), tensors=()):
        value = lambda name: helper.make_tensor_value_info(name, 1, [None])
        inputs = [helper.make_tensor_value_info("x", 1, [None])]
        graph = helper.make_graph(nodes, "g", inputs, [value(name) for name in results], [*constants(nodes), *tensors])
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=functions, producer_name="make.py")

    def steps(result, *steps):
        """Each step is an operator and its operands; "_" is the result of the step before, at first x."""
        nodes, last = [], "x"
        for i, (operator, *operands) in enumerate(steps):
            own = result if i + 1 == len(steps) else f"{result}_{i}"
            operands = [last if operand == "_" else operand for operand in operands]
            nodes.append(helper.make_node(operator, operands, [own], name=own))
            last = own
        return nodes

    def where(result, *steps_and_limits):
        (*first, limits) = steps_and_limits
        nodes = steps(f"{result}_line", *first)
        last = f"{result}_line"
        for i, (comparison, by, bound, value) in enumerate(limits):
            own, condition = (result if i + 1 == len(limits) else f"{result}_w{i}"), f"{result}_c{i}"
            by = {"x": "x", "_": f"{result}_line"}[by]
            nodes.append(helper.make_node(comparison, [by, bound], [condition], name=condition))
            nodes.append(helper.make_node("Where", [condition, value, last], [own], name=own))
            last = own
        return nodes

    sixth = repr(1 / 6)
    written_out = [
        steps("fifths_quotient", ("Add", "_", "2.5"), ("Clip", "_", "0", "5"), ("Div", "_", "5")),
        steps("fifths_product", ("Add", "_", "2.5"), ("Mul", "_", "0.2"), ("Clip", "_", "0", "1")),
        steps("fifth_first", ("Div", "_", "5"), ("Add", "_", "0.5"), ("Clip", "_", "0", "1")),
        steps("sixth_first", ("Div", "_", "6"), ("Add", "_", "0.5"), ("Clip", "_", "0", "1")),
        steps("falling", ("Sub", "3", "_"), ("Clip", "_", "0", "6"), ("Div", "_", "6")),
        steps("swish_product_last", ("Add", "_", "3"), ("Clip", "_", "0", "6"), ("Mul", "x", "_"), ("Mul", "_", sixth)),
        steps("swish_quotient_last", ("Add", "_", "3"), ("Clip", "_", "0", "6"), ("Mul", "x", "_"), ("Div", "_", "6")),
        steps("swish_quotient", ("Add", "_", "3"), ("Clip", "_", "0", "6"), ("Div", "_", "6"), ("Mul", "x", "_")),
        steps("sixths_quotient", ("Add", "_", "3"), ("Clip", "_", "0", "6"), ("Div", "_", "6")),
        steps("sixths_product", ("Add", "_", "3"), ("Relu", "_"), ("Min", "_", "6"), ("Mul", "_", sixth)),
        steps("keras_2", ("Mul", "_", "0.2"), ("Add", "_", "0.5"), ("Clip", "_", "0", "1")),
        steps("relu_then_product", ("Add", "_", "2.5"), ("Relu", "_"), ("Mul", "_", "0.2"), ("Min", "_", "1")),
        steps("binary_net", ("Clip", "_", "-1", "1"), ("Add", "_", "1"), ("Div", "_", "2")),
        where("where_of_y", ("Mul", "_", "0.2"), ("Add", "_", "0.5"), [("Less", "_", "0", "0"), ("Greater", "_", "1", "1")]),
        where("where_of_x", ("Div", "_", "6"), ("Add", "_", "0.5"), [("GreaterOrEqual", "x", "3", "1"), ("LessOrEqual", "x", "-3", "0")]),
        [helper.make_node("HardSigmoid", ["x"], ["constant"], name="constant", alpha=0.0)],
        [helper.make_node("HardSigmoid", ["x"], ["sixth"], name="sixth", alpha=1 / 6)],
        [helper.make_node("HardSwish", ["x"], ["swish"], name="swish")],
    ]
    yield "onnx_written_out.onnx", model(sum(written_out, []), [nodes[-1].name for nodes in written_out])

    # Alpha is an attribute of the caller, of the caller's caller, or the operator's default; the constants are arguments.
    def referring(node, **refers):
        for own, outer in refers.items():
            node.attribute.append(AttributeProto(name=own, ref_attr_name=outer, type=AttributeProto.FLOAT))
        return node

    gate = referring(helper.make_node("HardSigmoid", ["x"], ["y"], name="gate"), alpha="slope", beta="shift")
    outer = referring(helper.make_node("Gate", ["x"], ["y"], domain="own", name="inner"), slope="steepness")
    limited = [
        helper.make_node("Add", ["x", "three"], ["a"], name="add"),
        helper.make_node("Clip", ["a", "zero", "six"], ["c"], name="clip"),
        helper.make_node("Div", ["c", "six"], ["y"], name="divide"),
    ]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", "Gate", ["x"], ["y"], [gate], opsets, ["slope", "shift"]),
        helper.make_function("own", "Outer", ["x"], ["y"], [outer], opsets, ["steepness"]),
        helper.make_function("own", "Limited", ["x", "three", "zero", "six"], ["y"], limited, opsets),
    ]
    calls = [
        helper.make_node("Gate", ["x"], ["steep"], domain="own", name="steep", slope=0.75, shift=0.25),
        helper.make_node("Gate", ["x"], ["default"], domain="own", name="default"),
        helper.make_node("Outer", ["x"], ["nested"], domain="own", name="nested", steepness=1 / 6),
        helper.make_node("Limited", ["x", "3", "0", "6"], ["passed"], domain="own", name="passed"),
    ]
    yield "onnx_functions.onnx", model(calls, [call.name for call in calls], functions)

    # A gate, and one that ONNX Runtime fuses into a convolution. Their weights leave x as it is.
    tensors = [
        helper.make_tensor("batch", 7, [3], [1, -1, 1]),
        helper.make_tensor("picture", 7, [4], [1, 1, -1, 1]),
        helper.make_tensor("one", 1, [1, 1, 1], [1.0]),
        helper.make_tensor("none", 1, [1, 1, 1], [0.0]),
        helper.make_tensor("kernel", 1, [1, 1, 1, 1], [1.0]),
    ]
    layers = [
        helper.make_node("Reshape", ["x", "batch"], ["rows"]),
        helper.make_node("RNN", ["rows", "one", "none"], ["recurrent"], "recurrent", hidden_size=1, activations=["HardSigmoid"]),
        helper.make_node("Reshape", ["x", "picture"], ["pixels"]),
        helper.make_node("Conv", ["pixels", "kernel"], ["convolved"]),
        helper.make_node("HardSigmoid", ["convolved"], ["fused"], "fused"),
    ]
    shaped = model(layers, ["recurrent", "fused"], tensors=tensors)
    for output in shaped.graph.output:
        output.type.tensor_type.shape.dim.extend(list(output.type.tensor_type.shape.dim) * 3)
    yield "onnx_layers.onnx", shaped

    elsewhere = [steps("elsewhere", ("Add", "_", "3"), ("Clip", "_", "0", "6"), ("Div", "_", "6"))]
    yield "onnx_external.onnx", model(sum(elsewhere, []), ["elsewhere"])


def with_onnx():
    import onnx
    import onnxruntime

    names = {"steep": "steep/gate", "default": "default/gate", "nested": "nested/inner/gate", "passed": "passed/divide"}
    for name, model in onnx_models():
        onnx.checker.check_model(model)
        path = HERE / name
        if name == "onnx_external.onnx":
            path.with_suffix(".bin").unlink(missing_ok=True)
            onnx.save(model, path, save_as_external_data=True, location="onnx_external.bin", size_threshold=0)
        else:
            onnx.save(model, path)
        print_graph(path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        results = [one.name for one in session.get_outputs()]
        for result, y in zip(results, session.run(None, {"x": sample()})):
            remember(name, names.get(result, result), "", y, "swish" in result)


def steps(keras, clip, where):
    """Activations that are written out, each of x itself."""
    x = keras.Input((1,), name="x")
    relu6 = keras.layers.ReLU(6.0)
    outputs = {
        "quotient": relu6(x + 3.0) / 6.0,
        "product": relu6(x + 3.0) * (1.0 / 6.0),
        "swish quotient last": x * relu6(x + 3.0) / 6.0,
        "swish quotient": x * (relu6(x + 3.0) / 6.0),
        "swish product": x * (relu6(x + 3.0) * (1.0 / 6.0)),
        "falling swish": x * relu6(3.0 - x) / 6.0,
        "keras 2": clip(0.2 * x + 0.5, 0.0, 1.0),
        "sixth first": clip(x / 6.0 + 0.5, 0.0, 1.0),
        "swish sixth first": x * clip(x / 6.0 + 0.5, 0.0, 1.0),
        "falling": clip(0.5 - 0.2 * x, 0.0, 1.0),
        "where": where(x <= -3.0, 0.0, where(x >= 3.0, 1.0, x / 6.0 + 0.5)),
    }
    return x, outputs


def run_steps(keras, name, clip, where, ways):
    """Runs each of the steps in each of the ways, which are functions of a model."""
    x, outputs = steps(keras, clip, where)
    (HERE / name).write_text(keras.Model(x, list(outputs.values()), name="steps").to_json())
    for label, output in outputs.items():
        history = output._keras_history
        activation = (getattr(history, "operation", None) or history.layer).name
        # By itself: TensorFlow merges equal parts of a graph, and then optimizes it in another way.
        run_and_remember(name, f"steps/{activation}", label, keras.Model(x, output), ways)


def compiled(**options):
    """A way to run a model: as `predict` compiles it."""

    def run(model):
        model.compile(**options)
        return model.predict(sample().reshape(-1, 1), batch_size=1 << 14, verbose=0)

    return run


# The names of the ways are those in src/compilers.rs, and for TFLite in src/tflite/mod.rs.
GRAPH = "TensorFlow in a graph (tf.function; predict and fit without XLA)"
MOVED = "TensorFlow in a graph whose optimizer takes the constant to x"


def with_tensorflow(keras):
    alone = compiled(jit_compile=False)

    def after_a_convolution(model):
        """One that changes nothing."""
        x = keras.Input((1,))
        image = keras.layers.Reshape((1, 1, 1))(x)
        same = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(image)
        return alone(keras.Model(x, model(keras.layers.Reshape((1,))(same))))

    return {
        "TensorFlow in eager mode": lambda model: [y.numpy() for y in as_list(model(sample().reshape(-1, 1)))],
        GRAPH: alone,
        f"{GRAPH}, elsewhere in a model": after_a_convolution,
        f"{GRAPH}, again": alone,
        "TensorFlow with XLA (jit_compile=True)": compiled(jit_compile=True),
    }


def run_and_remember(model_name, activation, label, model, ways):
    """A hard swish in a graph has one of two results; what decides isn't known."""
    import numpy as np

    x, f = sample(), np.float32
    moved = (x * f(1 / 6)) * np.clip(f(3) - x if "falling" in label else x + f(3), f(0), f(6))
    for way, run in ways.items():
        y = np.ravel(as_list(run(model))[0])
        if way.startswith(GRAPH):
            way = MOVED if y.tobytes() == moved.tobytes() else GRAPH
        remember(model_name, activation, way, y, "swish" in label or label == "hard_silu")


def as_list(results):
    return results if isinstance(results, (list, tuple)) else [results]


def run_named(keras, model_name, names, ways):
    for name in names:
        x = keras.Input((1,))
        run_and_remember(model_name, name, name, keras.Model(x, keras.layers.Activation(name)(x)), ways)


NAMES = ["hard_sigmoid", "hard_silu", "sparse_sigmoid"]


def on_backend(backend):
    """The steps and functions of Keras 3 on a backend."""

    def run():
        os.environ["KERAS_BACKEND"] = backend
        import keras

        numpy = keras.ops.convert_to_numpy
        call = lambda model: [numpy(y) for y in as_list(model(sample().reshape(-1, 1)))]
        ways = {
            "tensorflow": lambda: with_tensorflow(keras),
            "torch": lambda: {"PyTorch": call},
            "numpy": lambda: {"NumPy": call},
            "jax": lambda: {
                "JAX, one operation at a time": call,
                "JAX under jit (predict and fit by default)": lambda model: as_list(compiled()(model)),
            },
        }[backend]()
        run_steps(keras, "keras3_steps.json", keras.ops.clip, keras.ops.where, ways)
        run_named(keras, "Keras 3", NAMES, ways)

    return run


def on_keras2():
    import tensorflow as tf
    import tf_keras as keras

    run_steps(keras, "keras2_steps.json", tf.clip_by_value, tf.where, with_tensorflow(keras))
    run_named(keras, "Keras 2", ["hard_sigmoid"], with_tensorflow(keras))


def with_tflite():
    """A block like MobileNetV3's, in float32 and in 8 bits; layers of Keras 2, also with constants in halves
    and in a loop; and hard sigmoids that are written out."""
    import contextlib
    import io

    import keras
    import numpy as np
    import tensorflow as tf
    import tf_keras

    def write(name, converter):
        path = HERE / name
        path.write_bytes(converter.convert())
        with contextlib.redirect_stdout(io.StringIO()) as text:
            tf.lite.experimental.Analyzer.analyze(model_path=str(path))
        lines = text.getvalue().replace("TFLite", "\nTFLite").splitlines()
        path.with_suffix(".txt").write_text("\n".join(line.rstrip() for line in lines if "#" in line) + "\n")
        return path

    keras.utils.set_random_seed(1)
    hard_sigmoid = lambda x: keras.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    convolution = lambda name, **options: keras.layers.Conv2D(2, 1, name=name, **options)
    x = keras.Input((4, 4, 2), batch_size=1, name="x")
    y = convolution("expand")(x)
    y = y * hard_sigmoid(y)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = convolution("excite")(convolution("squeeze", activation="relu")(gate))
    y = convolution("project")(y * hard_sigmoid(gate))
    model = keras.Model(x, keras.layers.Activation("hard_silu")(y))
    write("tflite_float.tflite", tf.lite.TFLiteConverter.from_keras_model(model))

    rng = np.random.default_rng(1)
    noise = [[rng.normal(0, 6, (1, 4, 4, 2)).astype(np.float32)] for _ in range(4)]
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(noise)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    write("tflite_int8.tflite", converter)

    tf_keras.utils.set_random_seed(1)
    dense = tf_keras.layers.Dense(2, activation="hard_sigmoid", name="dense")
    model = tf_keras.Sequential([tf_keras.layers.Input((2,), batch_size=1), tf_keras.layers.Activation("hard_sigmoid"), dense])
    write("tflite_keras2.tflite", tf.lite.TFLiteConverter.from_keras_model(model))
    # Its constants are float16, and become float32 in the model.
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    write("tflite_half.tflite", converter)
    # Its gates are in the body of a loop.
    lstm = tf_keras.layers.LSTM(2, recurrent_activation="hard_sigmoid", name="lstm")
    model = tf_keras.Sequential([tf_keras.layers.Input((6, 2), batch_size=1), lstm])
    write("tflite_lstm.tflite", tf.lite.TFLiteConverter.from_keras_model(model))

    relu6 = tf.nn.relu6
    outputs = {
        "quotient": lambda x: relu6(x + 3) / 6,
        "swish": lambda x: x * relu6(x + 3) / 6,
        "keras 2": lambda x: tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0),
        "binary net": lambda x: tf.clip_by_value((x + 1) / 2, 0.0, 1.0),
        "minimum last": lambda x: tf.minimum(tf.maximum(0.25 * x + 0.5, 0.0), 1.0),
        "falling": lambda x: relu6(3 - x) / 6,
        "where": lambda x: tf.where(x < -3, 0.0, tf.where(x > 3, 1.0, x / 6 + 0.5)),
        # None of these is one.
        "relu6": lambda x: relu6(x),
        "no limit": lambda x: relu6(x + 3) / 5,
    }

    class Steps(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32, name="x")])
        def __call__(self, x):
            return {name: of(x) for name, of in outputs.items()}

    steps = Steps()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([steps.__call__.get_concrete_function()], steps)
    path = write("tflite_steps.tflite", converter)
    kinds, plain = tf.lite.experimental.OpResolverType, {}
    for way, kind in [
        ("TFLite with XNNPACK (the default)", kinds.AUTO),
        ("TFLite without delegates", kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
        ("TFLite's reference kernels", kinds.BUILTIN_REF),
    ]:
        interpreter = tf.lite.Interpreter(model_path=str(path), experimental_op_resolver_type=kind)
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [len(sample())])
        interpreter.allocate_tensors()
        run = interpreter.get_signature_runner()
        results = run(x=sample())
        names = {name: details["name"] for name, details in run.get_output_details().items()}
        for name in list(outputs)[:-2]:
            # All of them do the steps one by one, so the last one stands for each.
            assert name == "swish" or plain.setdefault(name, results[name].tobytes()) == results[name].tobytes()
            remember(path.name, names[name], way if name == "swish" else "", results[name], name == "swish")


STEPS = {"torch": with_torch, "quantized": quantized, "keras3": with_keras3, "keras2": with_keras2, "onnx": with_onnx, "tflite": with_tflite}
STEPS |= {"on keras2": on_keras2}
STEPS |= {f"on {backend}": on_backend(backend) for backend in ["tensorflow", "torch", "jax", "numpy"]}


def main():
    if len(sys.argv) > 1:
        return STEPS[sys.argv[1]]()
    (HERE / "frameworks.json").unlink(missing_ok=True)
    for step in STEPS:
        subprocess.run([sys.executable, __file__, step], check=True)


if __name__ == "__main__":
    main()
