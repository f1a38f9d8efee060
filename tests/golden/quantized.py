#!/usr/bin/env python3
"""Writes quantized/: what the real frameworks make of every byte, where input and output are 8-bit tensors.

    pip install -r tests/golden/requirements.txt && python tests/golden/quantized.py

NAME.parameters.npy has a row of int32 for each pair of tensors: scale (the bits of a float32), zero point and 1 if signed, of x
and then of y. NAME.y.npy has in the same row the bytes y for the bytes x from 0 to 255; as an int8, byte 255 is -1. For a gate, a is x
of above, b follows, then h, the hard sigmoid of b, then y; its row has the bytes y for every a and b, b first: y[256·b + a]. `.fused` is
ONNX Runtime's QLinearMul, `.scalar` PyTorch's code for the elements that fill no vector.

The functions under "The arithmetic" say in NumPy what a framework computes. Every byte of a framework is compared with them, here and on
many more scales than are kept, and the script prints how many.
"""

import os
import platform
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import flatbuffers
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import torch
from tensorflow.lite.python import schema_py_generated as schema

HERE = Path(__file__).parent / "quantized"
F = np.float32
BYTES = np.arange(256, dtype=np.uint8)
SIXTH = F(1 / 6)


# Tensors: an array of int32, a row for each pair of tensors.


def range_of(signed):
    return (-128, 127) if signed else (0, 255)


def stored(scale, zero_point, signed):
    return [int(np.array(scale, F).view(np.int32)), zero_point, signed]


def scale_of(row, of=0):
    return row[3 * of : 3 * of + 1].view(F)[0]


def tensor(row, of=0):
    """Scale, zero point and whether signed, of the tensor with this number."""
    return scale_of(row, of), int(row[3 * of + 1]), int(row[3 * of + 2])


def random_rows(rng, count, signs, largest=0.3):
    """As calibration gives them: x reaches past the kinks, or stays near 0. A zero point is anywhere or at an end."""
    rows = []
    for i in range(count):
        row = []
        for signed in signs:
            low, high = range_of(signed)
            scale = F(np.exp(rng.uniform(np.log(1e-3), np.log(largest))))
            zero_point = int(rng.integers(low, high + 1)) if i % 3 else (low, high)[i // 3 % 2]
            row += stored(scale, zero_point, signed)
        rows.append(row)
    return rows


# Around the ends of what a float32 holds. The largest gives infinite numbers, and for hard swish NaN.
EXTREME = [2.0**-149, 1e-40, 2.0**-126, 1e-30, 1e-6, 1 / 256, 1.0, 100.0, 1e10, 1e36, 3e38]


def extreme_rows(rng, signs):
    rows = []
    for i, x in enumerate(EXTREME):
        for y in (EXTREME[(5 * i + 2) % len(EXTREME)], x, 0.01):
            row = []
            for scale, signed in zip((x, y), signs):
                row += stored(scale, int(rng.choice([*range_of(signed), sum(range_of(signed)) // 2])), signed)
            rows.append(row)
    return rows


def float_of(bytes, signed):
    return bytes.view(np.int8 if signed else np.uint8).astype(F)


# The arithmetic. Each operation on F is one rounding to float32; np.rint rounds to nearest, ties to even.


def dequantize(bytes, scale, zero_point, signed):
    return (float_of(bytes, signed) - F(zero_point)) * scale


def quantize(values, scale, zero_point, signed):
    return saturate(np.rint(values / scale) + F(zero_point), signed)


def saturate(whole, signed):
    """NaN becomes the lowest number."""
    low, high = range_of(signed)
    whole = np.clip(whole, F(low), F(high))
    return np.where(np.isnan(whole), F(low), whole).astype(np.int16).astype(np.uint8)


def affine(alpha):
    return lambda x: np.clip(F(alpha) * x + F(0.5), F(0), F(1))


def hard_swish_onnx(x):
    return x * affine(SIXTH)(x)


def hard_sigmoid_torch(x):
    return np.clip(x + F(3), F(0), F(6)) / F(6)


def hard_swish_torch(x):
    return x * np.clip(x + F(3), F(0), F(6)) / F(6)


def chain(function, dequantize=dequantize, quantize=quantize):
    """As ONNX defines it. PyTorch's scalar code is this with quantize_by_product, its vector code has dequantize_fused too."""
    return lambda row: quantize(function(dequantize(BYTES, *tensor(row))), *tensor(row, 1))


def quantize_by_product(values, scale, zero_point, signed):
    return saturate(np.rint(values * (F(1) / scale)) + F(zero_point), signed)


def dequantize_fused(bytes, scale, zero_point, signed):
    """fma(byte, scale, fl(scale * -zero_point)). The sum is exact in float64: a byte has 8 bits, and the product with the zero
    point is a multiple of the scale's last bit."""
    return (float_of(bytes, signed).astype(np.float64) * np.float64(scale) + np.float64(scale * F(-zero_point))).astype(F)


def gate_onnx(function):
    """Every operation and every rounding of the written chain."""

    def run(row):
        a, b, h, y = (tensor(row, of) for of in range(4))
        gate = dequantize(quantize(function(dequantize(BYTES, *b)), *h), *h)
        return quantize(dequantize(BYTES, *a)[None] * gate[:, None], *y).ravel()

    return run


def gate_fused(function):
    """ONNX Runtime's QLinearMul on x86: one product of whole numbers, one factor, and the zero point before it rounds."""

    def run(row):
        a, b, h, y = (tensor(row, of) for of in range(4))
        gate = float_of(quantize(function(dequantize(BYTES, *b)), *h), h[2]) - F(h[1])
        product = (float_of(BYTES, a[2]) - F(a[1]))[None] * gate[:, None]
        return saturate(np.rint(product * (a[0] * h[0] / y[0]) + F(y[1])), y[2]).ravel()

    return run


def wrapped(values):
    """As an int16, which wraps around."""
    return values.astype(np.int16).astype(np.int64)


def multiplier(ratio):
    """A float32 as a factor of 15 bits and a power of two, which is 0 for all that is below 2^-32."""
    mantissa, exponent = np.frexp(np.float64(ratio))
    if ratio == 0 or exponent < -31:
        return 0, 0
    whole = int(mantissa * 2**31)
    return min((whole + 2**15) >> 16, 2**15 - 1), int(exponent)


def doubled_high(product):
    """Half of 2 * product's upper half, towards zero."""
    return np.where(product < 0, -(-product >> 15), product >> 15)


def rounded_doubled_high(a, b):
    product = a * b
    return doubled_high(product + np.where(product < 0, 1 - 2**14, 2**14))


def shifted_left(values, by):
    return np.clip(values << by, -(2**15), 2**15 - 1)


def shifted_right(values, by):
    """To nearest, ties away from zero. From 16 on the mask is -1, and the result 1 or -1."""
    mask = wrapped(np.array(2**by - 1))
    return (values >> by) + ((values & mask) > (mask >> 1) + (values < 0))


def taken_by_tflite(row):
    """Its kernel refuses an x whose steps are 128 of y's or more."""
    return scale_of(row) * F(1 / 128) / scale_of(row, 1) < 1


def hard_swish_tflite(row, scales=F):
    """In int16, rounded five times: the reference kernel of TensorFlow Lite. The ratios of scales are float32."""
    (x_scale, x_zero, signed), (y_scale, y_zero, _) = tensor(row), tensor(row, 1)
    fine = scales(x_scale) / scales(128)
    to_y, y_exponent = multiplier(fine / scales(y_scale))
    to_relu, relu_exponent = multiplier(fine / scales(3 / 32768))
    x = (float_of(BYTES, signed).astype(np.int64) - x_zero) << 7
    relu = shifted_left(x, relu_exponent - 1) if relu_exponent > 0 else x
    relu = rounded_doubled_high(relu, to_relu)
    if relu_exponent > 0:
        relu = shifted_left(relu, 1)
    if relu_exponent < 0:
        relu = shifted_right(relu, -relu_exponent)
    relu = (relu + 2**15) >> 1
    y = doubled_high(relu * rounded_doubled_high(x, to_y))
    y = wrapped(shifted_right(y, -y_exponent) + y_zero)
    return np.clip(y, *range_of(signed)).astype(np.uint8)


# The frameworks. Each gives the bytes y for all x.


def bytes_of(array):
    return np.ascontiguousarray(array).view(np.uint8).ravel()


def numbers(bytes, signed):
    return bytes.view(np.int8 if signed else np.uint8)


ONNX_TYPES = [onnx.TensorProto.UINT8, onnx.TensorProto.INT8]
UNOPTIMIZED = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
DEFAULT = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def onnx_session(row, names, nodes, shapes, level):
    """A model whose tensor NAME has NAME_scale and NAME_zero. The first and the last of the shapes' names are inputs and output."""
    constants = []
    for of, name in enumerate(names):
        scale, zero_point, signed = tensor(row, of)
        zero_point = np.array(zero_point, np.int8 if signed else np.uint8)
        for suffix, value in (("scale", np.array(scale)), ("zero", zero_point)):
            constants.append(onnx.numpy_helper.from_array(value, f"{name}_{suffix}"))
    value = lambda name: onnx.helper.make_tensor_value_info(name, ONNX_TYPES[tensor(row, names.index(name))[2]], shapes[name])
    *inputs, output = map(value, shapes)
    graph = onnx.helper.make_graph(nodes, "g", inputs, [output], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def dequantized(name):
    return onnx.helper.make_node("DequantizeLinear", [name, f"{name}_scale", f"{name}_zero"], [f"float_{name}"])


def quantized(name):
    return onnx.helper.make_node("QuantizeLinear", [f"real_{name}", f"{name}_scale", f"{name}_zero"], [name])


def with_onnxruntime(operator, level, **attributes):
    def run(row, x=BYTES):
        nodes = [dequantized("x"), onnx.helper.make_node(operator, ["float_x"], ["real_y"], **attributes), quantized("y")]
        session = onnx_session(row, "xy", nodes, {"x": [None], "y": [None]}, level)
        return bytes_of(session.run(None, {"x": numbers(x, row[2])})[0])

    return run


def gate_with_onnxruntime(alpha, level):
    """Every b is a channel of one pixel, every a a pixel of each channel."""

    def run(row):
        nodes = [
            dequantized("a"),
            dequantized("b"),
            onnx.helper.make_node("HardSigmoid", ["float_b"], ["real_h"], alpha=alpha, beta=0.5),
            quantized("h"),
            dequantized("h"),
            onnx.helper.make_node("Mul", ["float_h", "float_a"], ["real_y"]),
            quantized("y"),
        ]
        shapes = {"a": ["n", "c", "h", "w"], "b": ["n", "c", 1, 1], "y": ["n", "c", "h", "w"]}
        session = onnx_session(row, "abhy", nodes, shapes, level)
        a = numbers(np.tile(BYTES, 256), row[2]).reshape(1, 256, 16, 16)
        b = numbers(BYTES, row[5]).reshape(1, 256, 1, 1)
        return bytes_of(session.run(None, {"a": a, "b": b})[0])

    return run


def with_torch(function):
    def run(row, x=BYTES):
        scale, zero_point, signed = tensor(row)
        x = torch.from_numpy(numbers(x, signed).copy())
        y = function(torch._make_per_tensor_quantized_tensor(x, float(scale), zero_point), *tensor(row, 1)[:2])
        assert (F(y.q_scale()), y.q_zero_point()) == tensor(row, 1)[:2]
        return bytes_of(y.int_repr().numpy())

    return run


def hardsigmoid(x, _scale, _zero_point):
    return torch.nn.functional.hardsigmoid(x)


def hardswish(x, scale, zero_point):
    return torch.ops.quantized.hardswish(x, float(scale), zero_point)


def fixed_by_torch(row):
    """Its hard sigmoid takes no scale: y is in 256ths."""
    signed = int(row[2])
    return np.array([*row[:3], *stored(1 / 256, range_of(signed)[0], signed)], np.int32)


RESOLVERS = [
    tf.lite.experimental.OpResolverType.BUILTIN_REF,
    tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    tf.lite.experimental.OpResolverType.AUTO,
]


def tflite_model(row):
    tensors = []
    for of, name in enumerate("xy"):
        scale, zero_point, signed = tensor(row, of)
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [float(scale)], [zero_point]
        tensors.append(schema.TensorT())
        tensors[-1].name, tensors[-1].shape, tensors[-1].quantization = name, [256], quantization
        tensors[-1].type = schema.TensorType.INT8 if signed else schema.TensorType.UINT8
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.HARD_SWISH
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [1]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_tflite(resolver):
    def run(row):
        interpreter = tf.lite.Interpreter(
            model_content=tflite_model(row), experimental_op_resolver_type=resolver, num_threads=1
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], numbers(BYTES, row[2]))
        interpreter.invoke()
        return bytes_of(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))

    return run


# What is compared and kept.


def rows_apart(what, rng, one, other, params=lambda row: row, wanted=3, tries=30000):
    """Pairs of tensors on which two kinds of arithmetic give another byte. Scales that are thousandths make ties."""
    found = []
    for tried in range(1, tries + 1):
        row = np.array(random_rows(rng, 2, (0, 0))[1], np.int32)
        if tried % 2:
            row[[0, 3]] = (rng.integers(1, 300, 2) / 1000).astype(F).view(np.int32)
        row = params(row)
        if (one(row) != other(row)).any():
            found.append(row)
            if len(found) == wanted:
                break
    print(f"{what}: {len(found)} of {tried} pairs of tensors differ", flush=True)
    return found


def compare(what, rows, framework, arithmetic):
    """Fails unless every byte of the framework is the arithmetic's. Gives the bytes."""
    results = []
    for row in rows:
        results.append(framework(row))
        differ = results[-1] != arithmetic(row)
        assert not differ.any(), f"{what}: {differ.sum()} bytes differ with {row.tolist()}, first at {differ.argmax()}"
    print(f"{what}: {len(rows)} pairs of tensors, {sum(y.size for y in results)} bytes, none differs", flush=True)
    return results


def count(what, rows, one, other):
    """Prints how many bytes two kinds of arithmetic give differently."""
    differences = [np.abs(one(row).astype(np.int16) - other(row)) for row in rows]
    differing = [(differences != 0).sum() for differences in differences]
    print(
        f"{what}: {np.count_nonzero(differing)} of {len(rows)} pairs of tensors differ, {sum(differing)} bytes,"
        f" by {max(d.max() for d in differences)} at most",
        flush=True,
    )


def save(name, rows, results):
    np.save(HERE / f"{name}.parameters.npy", np.stack(rows).astype(np.int32))
    np.save(HERE / f"{name}.y.npy", np.stack(results))


def rows_of(*parts):
    return [np.array(row, np.int32) for part in parts for row in part]


def rounded_away(values, scale, zero_point, signed):
    values = values / scale
    return saturate(np.sign(values) * np.floor(np.abs(values) + F(0.5)) + F(zero_point), signed)


def rounded_after_zero_point(values, scale, zero_point, signed):
    return saturate(np.rint(values / scale + F(zero_point)), signed)


def divided_in_float64(values, scale, zero_point, signed):
    return saturate(np.rint(values.astype(np.float64) / np.float64(scale)) + zero_point, signed)


def affine_fused(alpha):
    return lambda x: np.clip((np.float64(F(alpha)) * x.astype(np.float64) + 0.5).astype(F), F(0), F(1))


def hard_sigmoid_jax(x):
    return np.clip(x + F(3), F(0), F(6)) * SIXTH


# What is easily taken for a definition.
OTHERS = {
    "onnx": [affine_fused(0.2)],
    "affine(0.16666667, 0.5)": [affine_fused(SIXTH), hard_sigmoid_torch, hard_sigmoid_jax],
    "affine(0.16666667, 0.5).hard_swish": [
        lambda x: x * affine_fused(SIXTH)(x),
        hard_swish_torch,
        lambda x: x * hard_sigmoid_torch(x),
        lambda x: x * hard_sigmoid_jax(x),
    ],
}


def slips(name, function):
    """Arithmetic that is nearly right."""
    for quantization in (quantize_by_product, rounded_away, rounded_after_zero_point, divided_in_float64):
        yield quantization.__name__, chain(function, quantize=quantization)
    yield dequantize_fused.__name__, chain(function, dequantize=dequantize_fused)
    for number, other in enumerate(OTHERS[name]):
        yield f"definition {number}", chain(other)


ALL_SIGNS = [(0, 0), (1, 1), (0, 1), (1, 0)]
SAME_SIGNS = [(0, 0), (1, 1)]
# The names are what the crate parses.
ONNX = {
    "onnx": ("HardSigmoid", {}, affine(0.2)),
    "affine(0.16666667, 0.5)": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, affine(SIXTH)),
    "affine(0.16666667, 0.5).hard_swish": ("HardSwish", {}, hard_swish_onnx),
}


def onnx_operators(rng):
    for name, (operator, attributes, function) in ONNX.items():
        run = lambda level: with_onnxruntime(operator, level, **attributes)
        kept = [rows_of(random_rows(rng, 24, signs), extreme_rows(rng, signs)) for signs in ALL_SIGNS]
        kept = sum(kept, [])
        for slip, arithmetic in slips(name, function):
            kept += rows_apart(f"{name}, {slip}", rng, chain(function), arithmetic)
        results = compare(f"{name}, ONNX Runtime", kept, run(UNOPTIMIZED), chain(function))
        compare(f"{name}, ONNX Runtime, optimized", kept, run(DEFAULT), chain(function))
        more = rows_of(*(random_rows(rng, 200, signs) for signs in ALL_SIGNS))
        compare(f"{name}, ONNX Runtime, more", more, run(UNOPTIMIZED), chain(function))
        for length in range(1, 101):
            x = numbers(BYTES[:length], 0)
            assert (run(UNOPTIMIZED)(kept[0], x) == results[0][:length]).all()
        save(name, kept, results)


def gates(rng):
    # h as frameworks have it; and a row where a fused product gives another byte.
    for name, alpha in (("onnx.gate", 0.2), ("affine(0.16666667, 0.5).gate", 1 / 6)):
        written, fused = gate_onnx(affine(alpha)), gate_fused(affine(alpha))

        def realistic(count, signed):
            rows = rows_of(random_rows(rng, count, (signed,) * 4))
            for i, row in enumerate(rows):
                h = 1 / 255 if i % 2 else 1 / 256
                row[6:9] = stored(h, range_of(signed)[0], signed)
            return rows

        unsigned, signed = realistic(100, 0), realistic(100, 1)
        count(f"{name}, fused against written", unsigned + signed, fused, written)
        differs = lambda row: (fused(row) != written(row)).any()
        kept = [*unsigned[:1], *signed[:1], *list(filter(differs, unsigned))[:1], *list(filter(differs, signed))[:1]]
        results = compare(f"{name}, ONNX Runtime", kept, gate_with_onnxruntime(alpha, UNOPTIMIZED), written)
        # On x86 only uint8 is fused.
        kept_fused = [row for row in kept if row[2] == 0]
        save(f"{name}.fused", kept_fused, compare(f"{name}, fused", kept_fused, gate_with_onnxruntime(alpha, DEFAULT), fused))
        compare(f"{name}, ONNX Runtime, optimized, uint8", unsigned, gate_with_onnxruntime(alpha, DEFAULT), fused)
        compare(f"{name}, ONNX Runtime, optimized, int8", signed, gate_with_onnxruntime(alpha, DEFAULT), written)
        save(name, kept, results)


def fits(function):
    """Beyond int32 PyTorch's codes wrap around, each in its own way, and NaN is another byte in each."""

    def check(row):
        y = scale_of(row, 1)
        whole = function(dequantize(BYTES, *tensor(row))) * (F(1) / y)
        return np.isfinite(F(1) / y) and (np.abs(whole) < 2**30).all()

    return check


def pytorch(rng):
    torch.set_num_threads(1)
    # The last elements that don't make 64 take scalar code. On a machine without AVX2 all do.
    vectors = lambda run: lambda row: run(row, np.tile(BYTES, 2))[:256]
    scalars = lambda run: lambda row: np.concatenate([run(row, BYTES[i : i + 32]) for i in range(0, 256, 32)])
    for name, run, function, params in (
        ("pytorch", with_torch(hardsigmoid), hard_sigmoid_torch, fixed_by_torch),
        ("pytorch.hard_swish", with_torch(hardswish), hard_swish_torch, lambda row: row),
    ):
        scalar = chain(function, quantize=quantize_by_product)
        vector = chain(function, dequantize=dequantize_fused, quantize=quantize_by_product)
        defined = chain(affine(SIXTH) if function is hard_sigmoid_torch else hard_swish_onnx)
        kept, more = [], []
        for signs in SAME_SIGNS:
            kept += filter(fits(function), map(params, rows_of(random_rows(rng, 32, signs), extreme_rows(rng, signs))))
            more += map(params, rows_of(random_rows(rng, 3000, signs)))
        apart = lambda what, *others: rows_apart(f"{name}, {what}", rng, *others, params)
        kept += apart("vector and scalar code", vector, scalar)
        kept += apart("vector code and ONNX's", vector, defined)
        kept += apart("scalar code and ONNX's", scalar, defined)
        if function is hard_swish_torch:
            kept += apart("product and division", scalar, chain(function))
        save(name, kept, compare(f"{name}, vector code", kept, vectors(run), vector))
        save(f"{name}.scalar", kept, compare(f"{name}, scalar code", kept, scalars(run), scalar))
        compare(f"{name}, vector code, more", more, vectors(run), vector)
        compare(f"{name}, scalar code, more", more, scalars(run), scalar)
        # The two codes differ at few bytes, which lie in a group and after it.
        apart_at = np.flatnonzero(vector(kept[-1]) != scalar(kept[-1]))
        for length in range(1, 101):
            whole = length // 64 * 64
            x = apart_at[np.arange(length) % len(apart_at)].astype(np.uint8)
            expected = np.concatenate([vector(kept[-1])[x[:whole]], scalar(kept[-1])[x[whole:]]])
            assert (run(kept[-1], numbers(x, 0)) == expected).all(), f"{name}: length {length}"
        count(f"{name}, vector code against ONNX's", more, vector, defined)
        count(f"{name}, scalar code against ONNX's", more, scalar, defined)


def tflite(rng):
    kept, more = [], []
    for signs in SAME_SIGNS:
        wide = []
        for i in range(64):
            # Any scale that the kernel takes, and steps of x that are almost 128 of y's, where int16 wraps around.
            x = 2.0 ** rng.uniform(-40, 23)
            y = x / 128 * (1 + 2.0 ** -rng.integers(1, 23) if i % 4 == 0 else 2.0 ** rng.uniform(0, 36))
            ends = lambda signed: int(rng.choice(range_of(signed)))
            wide.append(stored(x, ends(signs[0]), signs[0]) + stored(y, ends(signs[1]), signs[1]))
        kept += filter(taken_by_tflite, rows_of(random_rows(rng, 100, signs), wide))
        more += filter(taken_by_tflite, rows_of(random_rows(rng, 500, signs)))
    # The largest x plus the zero point is beyond int16.
    kept.append(np.array(stored(1, 0, 0) + stored((1 + 2.0**-20) / 128, 255, 0), np.int32))
    taken = lambda row: row if taken_by_tflite(row) else row[[3, 1, 2, 0, 4, 5]]
    in_float64 = lambda row: hard_swish_tflite(row, np.float64)
    kept += rows_apart("tflite.hard_swish, ratios in float64", rng, hard_swish_tflite, in_float64, taken)
    for resolver in RESOLVERS:
        results = compare(f"tflite.hard_swish, {resolver.name}", kept, with_tflite(resolver), hard_swish_tflite)
    compare("tflite.hard_swish, BUILTIN_REF, more", more, with_tflite(RESOLVERS[0]), hard_swish_tflite)
    count("tflite.hard_swish against ONNX's", more, hard_swish_tflite, chain(hard_swish_onnx))
    save("tflite.hard_swish", kept, results)
    refused = np.array(stored(1, 0, 1) + stored(1 / 128, 0, 1), np.int32)
    for resolver in RESOLVERS:
        try:
            with_tflite(resolver)(refused)
        except RuntimeError:
            continue
        raise AssertionError(f"{resolver.name} takes scales that TensorFlow Lite refused")


def main():
    HERE.mkdir(exist_ok=True)
    for old in HERE.glob("*.npy"):
        old.unlink()
    with np.errstate(all="ignore"):
        for number, part in enumerate((onnx_operators, gates, pytorch, tflite)):
            part(np.random.default_rng([20261201, number]))
    modules = ", ".join(f"{m.__name__} {m.__version__}" for m in (np, onnx, onnxruntime, torch, tf))
    capability = torch.backends.cpu.get_cpu_capability()
    (HERE / "MADE_WITH.txt").write_text(f"Python {platform.python_version()}, {platform.machine()}, {capability}; {modules}\n")


if __name__ == "__main__":
    sys.exit(main())
