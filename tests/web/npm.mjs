// Tests the npm package as its users have it: packed, installed into an empty project, in Node and in Chromium.
// Arguments: the built package, the node_modules folder with playwright-core, typescript and onnxruntime-web, and the command
// `hard-sigmoid`.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { install } from "./browser.mjs";

// A page that hangs fails.
setTimeout(() => {
  console.error("ten minutes are over");
  process.exit(1);
}, 600_000).unref();
const [built, modules, command] = process.argv.slice(2).map((path) => resolve(path));
const golden = (name) => join(import.meta.dirname, "../golden", name);
const models = join(import.meta.dirname, "../../crates/inspect/tests/models");

const { project, run } = install(built);
const installed = join(project, "node_modules/hard-sigmoid");
const hs = await import(pathToFileURL(createRequire(join(project, "/")).resolve("hard-sigmoid")));

/** Compares what README says, as an array or a value, with what it is. */
function same(actual, expected) {
  const isTyped = ArrayBuffer.isView(actual);
  const wanted = isTyped ? actual.constructor.from(expected) : expected;
  const differs = isTyped ? actual.some((value, i) => !Object.is(value, wanted[i])) : false;
  const [found, given] = [actual, wanted].map((value) => JSON.stringify(isTyped ? [...value] : value));
  if (differs || found !== given) throw new Error(`README.md: ${found} instead of ${given}`);
  globalThis.checked = (globalThis.checked ?? 0) + 1;
}
assert.throws(() => same([1], [2]));
assert.throws(() => same(Float32Array.of(0), [-0]));
assert.throws(() => same(Float32Array.of(0), [0, 0]));

/** README's code as modules, with a comparison for each of its values. */
const readme = readFileSync(join(installed, "README.md"), "utf8");
const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block);
const isOfGpu = (block) => block.startsWith("// In a browser with WebGPU.\n");
const values = (texts) => texts.join("").split("→").length - 1;
function moduleOf(texts) {
  const module = texts.join("").replace(/^(.*); \/\/ → (.*)$/gm, "same($1, $2);");
  assert.ok(!module.includes("→"));
  return `${same}\n${module}\n`;
}
const [ofNode, ofGpu] = [blocks.filter((block) => !isOfGpu(block)), blocks.filter(isOfGpu)];
assert.ok(ofNode.length >= 2 && ofGpu.length >= 2);
copyFileSync(golden("x.npy"), join(project, "x.npy"));
copyFileSync(golden("jax.y.npy"), join(project, "y.npy"));
copyFileSync(join(models, "keras3_export.onnx"), join(project, "model.onnx"));
writeFileSync(join(project, "readme.mjs"), `${moduleOf(ofNode)}console.log(checked);`);
const inNode = Number(run(process.execPath, "readme.mjs"));
assert.equal(inNode, values(ofNode));
assert.ok(inNode >= 10);
console.log(`README.md: ${inNode} values in Node`);

// The results have the bits of the frameworks.
const npy = (name) => hs.readNpy(readFileSync(golden(name)));
/** Counts elements that differ in a bit, apart from the payload of NaN. */
function differing(actual, expected, isNan = Number.isNaN) {
  assert.equal(actual.length, expected.length);
  return actual.reduce((sum, value, i) => sum + !(Object.is(value, expected[i]) || (isNan(value) && isNan(expected[i]))), 0);
}
assert.equal(differing(Float32Array.of(0, 1, NaN, 2), Float32Array.of(-0, 1, NaN, 3)), 2);
const [x, g] = [npy("x.npy").data, npy("g.npy").data];
assert.ok(x instanceof Float32Array && x.length > 6000 && g.length === x.length);
const presets = hs.HardSigmoid.presets.map(String);
assert.equal(presets.length, 8);
/** Gradients of frameworks that flush subnormals, and zeros or NaNs of those that multiply by a mask: see golden/compare.py. */
const TINY = 2 ** -126;
function ownToFramework(name, ours, theirs, g) {
  const isFlushed = (ours === 0 || theirs === 0) && Math.abs(ours) <= TINY && Math.abs(theirs) <= TINY;
  const hasSign = Math.sign(1 / ours) === Math.sign(1 / theirs);
  if (isFlushed && hasSign && !["pytorch", "tangent"].includes(name)) return true;
  const isMasked = ours === 0 && (theirs === 0 || (Number.isNaN(theirs) && !Number.isFinite(g)));
  return isMasked && ["keras3", "sparse"].includes(name);
}
let [compared, own] = [0, 0];
for (const name of presets) {
  const definition = new hs.HardSigmoid(name);
  assert.equal(definition.name, name);
  const [y, dx] = [definition.forward(x), definition.backward(x, g)];
  assert.equal(differing(y, npy(`${name}.y.npy`).data), 0, `${name}: y`);
  compared += y.length;
  // Nobody computes a gradient of ONNX's operator.
  if (name !== "onnx") {
    const theirs = npy(`${name}.dx.npy`).data;
    const expected = theirs.map((value, i) => (ownToFramework(name, dx[i], value, g[i]) ? dx[i] : value));
    own += differing(theirs, expected);
    assert.equal(differing(dx, expected), 0, `${name}: dx`);
    compared += dx.length;
  }
  assert.deepEqual(hs.identify({ x, y, g, dx }).definitions, [name]);
}
assert.equal(compared, 15 * x.length);
console.log(`presets: ${compared} results of frameworks, 0 differ (apart from ${own} flushed or masked gradients)`);

// Every half is computed.
const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
const gradients = patterns.map((i) => i * 0x9e37 + 0x1234);
const pytorch = new hs.HardSigmoid("pytorch");
for (const [dtype, infinity] of [["f16", 0x7c00], ["bf16", 0x7f80]]) {
  const isNan = (bits) => (bits & 0x7fff) > infinity;
  for (const [made, file] of [
    [pytorch.forward(patterns, { dtype }), "y"],
    [pytorch.backward(patterns, gradients, { dtype }), "dx"],
    [pytorch.hardSwish(patterns, { dtype }), "hard_swish.y"],
    [pytorch.hardSwishBackward(patterns, gradients, { dtype }), "hard_swish.dx"],
  ]) {
    const { data, dtype: stored } = npy(`pytorch.${dtype}.${file}.npy`);
    assert.equal(stored, "bf16"); // as uint16
    assert.equal(differing(made, data, isNan), 0, `${dtype} ${file}`);
    assert.equal(made.length, 65536);
  }
}
console.log("halves: 8 × 65536 results of PyTorch, 0 differ");

// The operations that take a definition alone are methods of it, in camelCase.
const given = (parameters) => Object.keys(parameters).filter((name) => parameters[name] !== undefined);
const ofDefinition = hs.operations("jax").filter(({ parameters }) => given(parameters).join() === "definition");
const methodOf = (operation) => operation.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const methods = Object.getOwnPropertyNames(hs.HardSigmoid.prototype).filter((name) => !["constructor", "toString"].includes(name));
assert.deepEqual(ofDefinition.map(({ operation }) => methodOf(operation)).sort(), methods.sort());
const jax = new hs.HardSigmoid("jax");
for (const { operation } of ofDefinition) {
  const method = jax[methodOf(operation)];
  const arrays = [x, g, x.map((value) => value / 3)].slice(0, method.length - 1);
  const results = hs.compute(operation, "jax", arrays);
  const made = [method.apply(jax, arrays)].flat();
  assert.equal(made.length, results.length);
  for (const [i, result] of results.entries()) assert.equal(differing(made[i], result), 0, operation);
}
console.log(`methods: ${methods.length}`);

// Gradients that are added to what dx holds, on the CPU.
for (const dtype of ["f32", "f16", "bf16"]) {
  const make = (numbers, which) => (dtype === "f32" ? numbers : Uint16Array.from(numbers, (_, i) => i * 7 + 0x3333 * which));
  const [at, upstream, before] = [x, g, x.map((value) => value / 3)].map(make);
  const inputs = [at, upstream, before];
  const [sum] = hs.compute("backward_accumulate", "pytorch", inputs, { dtype });
  assert.deepEqual(hs.check("backward_accumulate", "pytorch", inputs, [sum], { dtype }), { compared: x.length, differing: 0, flushed: 0 });
  assert.ok(hs.check("backward_accumulate", "pytorch", [at, upstream, at], [sum], { dtype }).differing > 500);
}
assert.deepEqual(hs.compute("backward_accumulate", "keras", [[0], [1], [3]].map((one) => Float32Array.from(one))), [Float32Array.of(3.2)]);

// Signs as numbers, as bits, and drawn.
const signs = x.map((value) => (value >= 0 ? 1 : -1));
for (const [parameters, options] of [[{}], [{ seed: 5, offset: 2n ** 40n + 3n }], [{ seed: 2n ** 64n - 1n, definition: "keras" }]]) {
  const [drawn] = hs.compute("binarize", parameters, [x], options);
  const [bits] = hs.compute("pack", parameters, [x]);
  assert.ok(bits instanceof Uint32Array && bits.length === Math.ceil(x.length / 32));
  const [unpacked] = hs.compute("unpack", {}, [bits], { length: x.length });
  assert.equal(differing(unpacked, drawn), 0);
  assert.equal(differing(drawn, signs) > 500, parameters.seed !== undefined);
  for (const [operation, results] of [["binarize", [drawn]], ["pack", [bits]]]) {
    assert.deepEqual(hs.check(operation, parameters, [x], results), { compared: x.length, differing: 0, flushed: 0 });
  }
  assert.equal(hs.check("pack", parameters, [x], [bits.map((word) => word ^ 5)]).differing, 2 * bits.length);
  assert.deepEqual(hs.check("unpack", {}, [bits], [unpacked]), { compared: x.length, differing: 0, flushed: 0 });
}
assert.deepEqual(hs.compute("unpack", { scale: 0.5 }, [Uint32Array.of(2)], { dtype: "f16", length: 3 }), [Uint16Array.of(0xb800, 0x3800, 0xb800)]);
assert.equal(hs.compute("unpack", {}, [Uint32Array.of(2)])[0].length, 32);
const ones = Float32Array.of(1, 1, 1);
assert.deepEqual(hs.compute("straight_through", {}, [Float32Array.of(-1, 0.5, 1.1), ones]), [Float32Array.of(1, 1, 0)]);
assert.deepEqual(hs.compute("straight_through", { estimator: "identity" }, [Float32Array.of(-1, 0.5, 1.1), ones]), [ones]);

// The broadcast gate: the plain one with b repeated, and a sum for each b.
const shape = { definition: "pytorch", middle: 3, inner: 2 };
const [a, b, upstream] = [x, g, x.map((value) => value / 3)].map((array) => array.map((value) => Math.fround(value % 7) || 1));
const whole = 6 * Math.floor(a.length / 6);
const [ga, gb, gg] = [a.slice(0, whole), b.slice(0, whole / 3), upstream.slice(0, whole)];
const repeated = ga.map((_, i) => gb[Math.floor(i / 6) * 2 + (i % 2)]);
const [gated] = hs.compute("gate_broadcast", shape, [ga, gb]);
assert.equal(differing(gated, hs.compute("gate", "pytorch", [ga, repeated])[0]), 0);
const [sums] = hs.compute("gate_broadcast_sums", shape, [ga, gb, gg]);
const products = hs.compute("gate_backward", "pytorch", [ga, repeated, gg])[1];
for (const [k, sum] of sums.entries()) {
  const at = (m) => products[Math.floor(k / 2) * 6 + m * 2 + (k % 2)];
  assert.ok(Math.abs(at(0) + at(1) + at(2) - sum) < 1e-4, `${k}: ${sum}`);
}
assert.deepEqual(hs.check("gate_broadcast", shape, [ga, gb], [gated]), { compared: whole, differing: 0, flushed: 0 });
assert.deepEqual(hs.check("gate_broadcast_sums", shape, [ga, gb, gg], [sums]), { compared: whole / 3, differing: 0, flushed: 0 });
assert.ok(hs.check("gate_broadcast_sums", shape, [ga, gb, ga], [sums]).differing > 100);
assert.deepEqual(hs.plan("gate_broadcast_sums", shape, 6).tensors.map(({ name }) => name), ["a", "b", "g", "db"]);

// Quantized tensors: the bytes of ONNX Runtime, PyTorch and TFLite. A row of parameters has the scale's bits, the zero point and
// whether it is signed, of x and of y.
let rows = 0;
for (const [file, operation, definition, rounding] of [
  ["onnx", "forward", "onnx", undefined],
  ["affine(0.16666667, 0.5).hard_swish", "hard_swish", hs.HardSigmoid.affine(1 / 6, 0.5), "onnx"],
  ["pytorch", "forward", "pytorch", "pytorch"],
  ["pytorch.hard_swish", "hard_swish", pytorch, "pytorch"],
  ["tflite.hard_swish", "hard_swish", "pytorch", "tflite"],
]) {
  const [numbers, bytes] = ["parameters", "y"].map((what) => readFileSync(golden(`quantized/${file}.${what}.npy`)));
  // NumPy's headers say how long they are.
  const [parameters, expected] = [numbers, bytes].map((npy) => npy.subarray(10 + npy.readUInt16LE(8)));
  const tensor = (at) => {
    const [scale, zeroPoint, isSigned] = [parameters.readFloatLE(at), parameters.readInt32LE(at + 4), parameters.readInt32LE(at + 8)];
    return { scale, zeroPoint, dtype: isSigned ? "i8" : "u8" };
  };
  for (let row = 0; row < parameters.length / 24; row++) {
    const [x, y] = [tensor(24 * row), tensor(24 * row + 12)];
    // Smaller scales are refused.
    if (Math.min(x.scale, y.scale) < 2 ** -126) continue;
    const table = hs.quantizedTable({ operation, definition, x, y, rounding });
    assert.deepEqual(table, Uint8Array.from(expected.subarray(256 * row, 256 * row + 256)), `${file}, row ${row}`);
    rows++;
  }
}
assert.ok(rows > 800, `${rows} rows`);
console.log(`quantized: ${rows} tables of ONNX Runtime, PyTorch and TFLite, 0 differ`);
const ofBytes = { x: { scale: 0.05, zeroPoint: 100 }, y: { scale: 0.025, zeroPoint: 15 } };
const table = hs.quantizedTable({ operation: "hard_swish", definition: "pytorch", ...ofBytes });
assert.notDeepEqual(table, hs.quantizedTable({ operation: "forward", definition: "pytorch", ...ofBytes }));
const bytes = Uint8Array.from({ length: 1001 }, (_, i) => i * 7);
const signed = new Int8Array(bytes.buffer);
const lookedUp = hs.compute("lookup", {}, [bytes, table])[0];
assert.deepEqual(lookedUp, bytes.map((byte) => table[byte]));
assert.deepEqual(hs.compute("lookup", {}, [signed, table]), [new Int8Array(lookedUp.buffer)]);
assert.equal(hs.compute("lookup", {}, [Buffer.from(bytes), table], { dtype: "u8" })[0].constructor, Uint8Array);
assert.deepEqual(hs.check("lookup", {}, [bytes, table], [lookedUp]), { compared: 1001, differing: 0, flushed: 0 });
const twisted = hs.check("lookup", {}, [bytes, table], [lookedUp.with(3, lookedUp[3] ^ 1)]);
assert.deepEqual([twisted.differing, /^y\[3\] of lookup in u8 is \d+, but has to be \d+; x = 21, /.test(twisted.first)], [1, true], twisted.first);
const tables = Uint8Array.from({ length: 65536 }, (_, i) => (i * 31) >> 3);
const pairs = { middle: 3, inner: 2 };
const [gatedBytes] = hs.compute("lookup_gate", pairs, [bytes.slice(0, 996), bytes.slice(0, 332), tables]);
assert.deepEqual(gatedBytes, bytes.slice(0, 996).map((a, i) => tables[256 * bytes[Math.floor(i / 6) * 2 + (i % 2)] + a]));
assert.match(hs.wgsl("lookup", {}, { dtype: "u8" }), /@compute/);
// Every operation is computed and compared in each type that it takes.
for (const { operation, parameters, dtypes } of hs.operations("pytorch")) {
  for (const dtype of dtypes) {
    const { tensors } = hs.plan(operation, parameters, 12, { dtype });
    assert.ok(tensors.length >= 2, operation);
    assert.match(hs.wgsl(operation, parameters, { dtype }), /@compute/);
  }
  assert.equal(dtypes.join(), operation.startsWith("lookup") ? "u8" : "f32,f16,bf16");
}

// Functions of numbers, whose text is tested in the library.
for (const [type, number] of [["f32", "f32"], ["f16", "f16"], ["packed_f16", "u32"], ["packed_bf16", "u32"]]) {
  for (const text of ["exact", "short"]) {
    const written = hs.scalar("hard_swish", pytorch, { type, text, prefix: "my_" });
    assert.ok(written.startsWith("// hard_swish: ") && written.includes(`\nfn my_hard_swish(x: ${number}) -> ${number} {`), written);
    assert.equal(written.includes("\n// Short."), text === "short", written);
  }
}
assert.equal(hs.scalar("hard_swish", "pytorch"), hs.scalar("hard_swish", pytorch, { type: "f32", text: "exact", prefix: "" }));
assert.match(hs.scalar("binarize", { seed: 1 }), /fn binarize\(x: f32, random: u32\)[^]*fn binarize_random4\(/);
assert.match(hs.scalar("straight_through", { estimator: "identity" }, { text: "short" }), /return g;/);

// A file comes out alike from an ArrayBuffer, a part of one, and a Buffer. Float64, float16 and Fortran's order are read too.
const file = readFileSync(golden("x.npy"));
const shifted = new Uint8Array(file.length + 3);
shifted.set(file, 3);
for (const same of [file, Uint8Array.from(file).buffer, shifted.subarray(3)]) {
  const { start, ...read } = hs.readNpy(same);
  assert.equal(start % 64, 0);
  assert.deepEqual({ ...read, data: differing(read.data, x) }, { dtype: "f32", shape: [x.length], isFortran: false, isBigEndian: false, data: 0 });
}
/** A file of NumPy's with this header. */
function npyFile(header, data) {
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}${header}`, "latin1");
  return Buffer.concat([start, Buffer.from(data.buffer)]);
}
const wide = hs.readNpy(npyFile("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 1), }\n", Float64Array.of(0.1, -0)));
assert.deepEqual(wide, { dtype: "f64", shape: [2, 1], isFortran: true, isBigEndian: false, data: Float64Array.of(0.1, -0), start: wide.start });
// Big-endian files have the same elements.
for (const [descr, dtype, data] of [["f8", "f64", Float64Array.of(0.1, -0)], ["f4", "f32", x], ["f2", "f16", patterns], ["u2", "bf16", patterns]]) {
  const header = `{'descr': '>${descr}', 'fortran_order': False, 'shape': (${data.length},), }\n`;
  const turned = Buffer.from(data.slice().buffer);
  ({ 8: () => turned.swap64(), 4: () => turned.swap32(), 2: () => turned.swap16() })[data.BYTES_PER_ELEMENT]();
  const big = hs.readNpy(npyFile(header, new Uint8Array(turned)));
  assert.deepEqual([big.dtype, big.isBigEndian, big.data], [dtype, true, data]);
}
const half = hs.readNpy(npyFile("{'descr': '<f2', 'fortran_order': False, 'shape': (), }\n", Uint16Array.of(0x3c00)));
assert.deepEqual([half.dtype, half.shape, half.data], ["f16", [], Uint16Array.of(0x3c00)]);
const halves = Object.fromEntries(Object.entries({ x: patterns, y: npy("pytorch.f16.y.npy").data }).map(([name, data]) => {
  return [name, hs.readNpy(npyFile("{'descr': '<f2', 'fortran_order': False, 'shape': (65536,), }", data))];
}));
assert.deepEqual(hs.identify(halves).definitions[0], "pytorch");
const doubles = Float64Array.from(x);
assert.deepEqual(hs.identify({ x: doubles, y: pytorch.forward(x) }).definitions, ["pytorch", "keras3"]);
const noisy = hs.identify({ x, y: pytorch.forward(x).map((y) => y + 1e-5) }, { atol: 2e-5 });
assert.deepEqual([noisy.nearest, noisy.within], ["pytorch", 2e-5]);
assert.equal(hs.identify({ x, y: pytorch.forward(x) }, { atol: 2e-5 }).within, 0);
assert.equal(noisy.ranges, null);
const fitted = hs.identify({ x, y: x.map((x, i) => Math.min(Math.max(0.37 * x + 0.41, 0), 1) + 1e-5 * ((i % 3) - 1)) }, { atol: 1e-4 });
assert.deepEqual(fitted.definitions, ["affine(0.37, 0.41, strict)"]);
assert.ok(fitted.ranges.alpha[0] < 0.37 && 0.37 < fitted.ranges.alpha[1]);

// Definitions made by alpha and beta, and what they tell.
assert.equal(hs.HardSigmoid.affine(0.2, 0.5).text, "onnx");
assert.equal(hs.HardSigmoid.affine(1.5, 0.25, "half").text, "affine(1.5, 0.25, half)");
assert.deepEqual(new hs.HardSigmoid(pytorch), pytorch);
assert.deepEqual([pytorch.kinks, pytorch.kinkRule, pytorch.shift], [[-3, 3], "strict", 0.5]);
assert.equal(hs.HardSigmoid.affine(0, 0.5).kinks, null);
assert.equal(hs.HardSigmoid.presets, hs.HardSigmoid.presets);
assert.equal(hs.check("forward", "pytorch", [x], [pytorch.forward(x).map((y) => y + 1)]).differing > 3000, true);

// Every complaint of index.js, and those of the Rust half.
const short = Float32Array.of(1);
const device = { limits: { maxStorageBuffersPerShaderStage: 8, maxStorageBufferBindingSize: 1 << 27 } };
device.limits = { ...device.limits, minStorageBufferOffsetAlignment: 256, maxComputeWorkgroupsPerDimension: 65535 };
device.limits.maxComputeWorkgroupStorageSize = 16384;
const prepare = (tensors, options) => new hs.Kernels(device).prepare("forward", "pytorch", tensors, { length: 5, ...options });
const STORAGE = 0x80;
const sized = (size, usage = STORAGE) => ({ size, usage });
const big = sized(1024);
const long = sized(4096);
const shaped = (shape, isFortran = false) => ({ dtype: "f32", shape, isFortran, data: x.slice(0, 6) });
const tableOf = (change) => hs.quantizedTable({ operation: "forward", definition: "pytorch", ...ofBytes, ...change });
const complaints = [
  [TypeError, "x has to be { scale, zeroPoint }, a number and a whole number", () => tableOf({ x: { scale: 1 } })],
  [TypeError, "y has to be { scale, zeroPoint }", () => tableOf({ y: undefined })],
  [RangeError, "the zeroPoint of y is 4294967296, but", () => tableOf({ y: { scale: 1, zeroPoint: 2 ** 32 } })],
  [TypeError, "the dtype of x is 8, but has to be a string", () => tableOf({ x: { scale: 1, zeroPoint: 0, dtype: 8 } })],
  [TypeError, "operation is undefined, but has to be a string", () => tableOf({ operation: undefined })],
  [Error, "y: zero point is 200; it must be a number of i8", () => tableOf({ y: { scale: 1, zeroPoint: 200, dtype: "i8" } })],
  [Error, "x: scale is 0.0; it must be positive", () => tableOf({ x: { scale: 0, zeroPoint: 0 } })],
  [Error, 'no type of bytes is called "u16"', () => tableOf({ x: { scale: 1, zeroPoint: 0, dtype: "u16" } })],
  [Error, 'no rounding is called "up"; use one of onnx, pytorch, tflite', () => tableOf({ rounding: "up" })],
  [Error, "TFLite has no quantized kernel for forward", () => tableOf({ rounding: "tflite" })],
  [Error, "backward has no quantized form", () => tableOf({ operation: "backward" })],
  [Error, "forward takes tensors of f32, f16, bf16, but u8 was given", () => pytorch.forward(bytes)],
  [Error, "lookup takes tensors of u8, but f32 was given", () => hs.wgsl("lookup", {})],
  [Error, "table must hold 256 bytes, one for each value, but it holds 1001", () => hs.compute("lookup", {}, [bytes, bytes])],
  [Error, "8-bit numbers stand for others", () => hs.identify({ x: bytes, y: bytes })],
  [TypeError, "x is a Uint16Array: say what it holds", () => hs.identify({ x: patterns, y: patterns })],
  [TypeError, "input 0 is not a Float32Array", () => pytorch.forward([1, 2])],
  [TypeError, "input 0 is not a Float32Array", () => pytorch.forward(doubles)],
  [TypeError, "result 1 is not a Float32Array", () => hs.check("gate_backward", "pytorch", [x, x, x], [x, doubles])],
  [TypeError, "the inputs are given as a list", () => hs.compute("forward", "pytorch", x)],
  [TypeError, "the inputs are given as a list", () => hs.check("forward", "pytorch", x, x)],
  [TypeError, "the results are given as a list", () => hs.check("forward", "pytorch", [x], x)],
  [TypeError, "different element types: f32, f16", () => pytorch.backward(short, patterns.slice(1, 2), { dtype: "f16" })],
  [Error, `x holds ${x.length} elements but g holds 1`, () => pytorch.backward(x, short)],
  [Error, `x holds ${x.length} elements but y holds 1`, () => hs.check("forward", "pytorch", [x], [short])],
  [Error, "isn't a multiple of middle·inner = 3·2 = 6", () => hs.compute("gate_broadcast", shape, [short, short])],
  [TypeError, "the parameters are 3, but have to be a hard sigmoid", () => hs.compute("forward", 3, [x])],
  [TypeError, "no parameter is called sed; use definition", () => hs.compute("binarize", { sed: 1 }, [x])],
  [TypeError, "scale is 1, but has to be a number", () => hs.compute("binarize", { scale: "1" }, [x])],
  [RangeError, "seed is -1, but has to be a whole number from 0 to 18446744073709551615", () => hs.compute("pack", { seed: -1 }, [x])],
  [RangeError, "middle is 4294967296, but has to be", () => hs.plan("gate_broadcast", { ...shape, middle: 2 ** 32 }, 6)],
  [TypeError, "estimator is 3, but has to be a string", () => hs.wgsl("straight_through", { estimator: 3 })],
  [TypeError, "input 0 is not a Uint32Array, which holds signs", () => hs.compute("unpack", {}, [x])],
  [RangeError, "the length is 0.5, but has to be", () => hs.compute("unpack", {}, [Uint32Array.of(1)], { length: 0.5 })],
  [Error, "forward takes no seed", () => hs.compute("forward", { definition: "jax", seed: 1 }, [x])],
  [Error, "forward needs a hard sigmoid", () => hs.wgsl("forward", {})],
  [Error, "binarize draws at random only with a seed", () => hs.compute("binarize", "jax", [x])],
  [Error, "gate_broadcast needs middle", () => hs.wgsl("gate_broadcast", "jax")],
  [Error, 'no estimator is called "soft"', () => hs.wgsl("straight_through", { estimator: "soft" })],
  [TypeError, "a definition is a string", () => new hs.HardSigmoid(3)],
  [TypeError, "g and dx belong together", () => hs.identify({ x, y: x, g })],
  [TypeError, "dtype is bf16, but the arrays hold f32", () => pytorch.forward(x, { dtype: "bf16" })],
  [TypeError, "operation is 3, but has to be a string", () => hs.compute(3, "pytorch", [x])],
  [TypeError, "operation is [object Object], but has to be a string", () => hs.plan({}, "pytorch", 4)],
  [TypeError, "dtype is 32, but has to be a string", () => hs.wgsl("forward", "pytorch", { dtype: 32 })],
  [TypeError, "type is 16, but has to be a string", () => hs.scalar("forward", "pytorch", { type: 16 })],
  [TypeError, "text is true, but has to be a string", () => hs.scalar("forward", "pytorch", { text: true })],
  [TypeError, "prefix is null, but has to be a string", () => hs.scalar("forward", "pytorch", { prefix: null })],
  [Error, 'no number is called "bf16"; use one of f32, f16, packed_f16', () => hs.scalar("forward", "pytorch", { type: "bf16" })],
  [Error, 'no text is called "long"; use one of exact, short', () => hs.scalar("forward", "pytorch", { text: "long" })],
  [Error, 'the prefix "1" can\'t begin a name', () => hs.scalar("forward", "pytorch", { prefix: "1" })],
  [Error, "pack doesn't make one number of one element", () => hs.scalar("pack", {})],
  [TypeError, "placement is 1, but has to be a string", () => hs.plan("forward", "pytorch", 4, { placement: 1 })],
  [RangeError, "inputs and results take 4000000000 bytes, but", () => pytorch.forward(new Float32Array(5e8))],
  [TypeError, "Kernels takes a GPUDevice; await what", () => new hs.Kernels(Promise.resolve())],
  [TypeError, "x is not a Float32Array", () => hs.identify({ x: { data: () => x, dtype: "float32" }, y: x })],
  [RangeError, "the arrays have no elements", () => hs.identify({ x: x.slice(0, 0), y: x.slice(0, 0) })],
  [RangeError, "y is in Fortran order, but x in C order", () => hs.identify({ x: shaped([3, 2]), y: shaped([3, 2], true) })],
  [RangeError, "y has shape (2, 3), but x has (3, 2)", () => hs.identify({ x: shaped([3, 2]), y: shaped([2, 3]) })],
  [RangeError, "dx has shape (3, 2), but x has (6,)", () => hs.identify({ x: shaped([6]), y: x.slice(0, 6), g: x.slice(0, 6), dx: shaped([3, 2]) })],
  [TypeError, "y is not a Float32Array", () => hs.identify({ x })],
  [RangeError, `dx has 1 elements, but x has ${x.length}`, () => hs.identify({ x, y: x, g, dx: short })],
  [RangeError, "the length is -1, but has to be", () => hs.plan("forward", "pytorch", -1)],
  [RangeError, "the length is undefined, but has to be", () => hs.plan("forward", "pytorch")],
  [TypeError, "limits.maxStorageBuffersPerShaderStage is undefined", () => hs.plan("forward", "pytorch", 1, { limits: {} })],
  [TypeError, 'placement "separate" takes buffers for x, y; given are x', () => prepare({ x: big })],
  [TypeError, 'placement "in_place" takes buffers for x; given are x, y', () => prepare({ x: big, y: long }, { placement: "in_place" })],
  [TypeError, "takes buffers for x, y; given are none", () => prepare()],
  [RangeError, "the length is undefined", () => new hs.Kernels(device).prepare("forward", "pytorch", { x: big, y: long })],
  [TypeError, "y is not a GPUBuffer", () => prepare({ x: big, y: undefined })],
  [TypeError, "y is not a GPUBuffer", () => prepare({ x: big, y: x })],
  [TypeError, "the buffer of y was created without GPUBufferUsage.STORAGE", () => prepare({ x: big, y: sized(1024, ~STORAGE) })],
  [RangeError, "the buffer of y has 19 bytes, but 20 are needed", () => prepare({ x: big, y: sized(19) })],
  [RangeError, "the buffer of y has 11 bytes, but 12 are needed", () => prepare({ x: big, y: sized(11) }, { dtype: "f16" })],
  [RangeError, "has 1024 bytes, but 1044 are needed", () => prepare({ x: { buffer: big, offset: 1024 }, y: long })],
  [RangeError, "x begins at byte 128, which isn't 0 or a multiple of 256", () => prepare({ x: { buffer: big, offset: 128 }, y: long })],
  [RangeError, "x begins at byte NaN", () => prepare({ x: { buffer: big, offset: NaN }, y: long })],
  [RangeError, "x begins at byte -256", () => prepare({ x: { buffer: big, offset: -256 }, y: long })],
  [RangeError, 'x and y share a buffer: use placement "shared"', () => prepare({ x: big, y: { buffer: big, offset: 512 } })],
  [
    RangeError,
    "x and y share a buffer, and their ranges in it overlap",
    () => prepare({ x: { buffer: long, offset: 256 }, y: long }, { length: 65, placement: "shared" }),
  ],
  [Error, 'no hard sigmoid is called "sigmoid"; use one of keras, ', () => new hs.HardSigmoid("sigmoid")],
  [Error, "alpha of affine must be a finite f32 number", () => hs.HardSigmoid.affine(NaN, 0)],
  [Error, "kink rule of affine must be strict", () => hs.HardSigmoid.affine(1, 0, "soft")],
  [Error, 'no operation is called "relu"; use one of forward', () => hs.compute("relu", "pytorch", [x])],
  [Error, "backward takes 2 arrays (x, g), but 1 were given", () => hs.compute("backward", "pytorch", [x])],
  [Error, "backward_accumulate takes 3 arrays (x, g, dx), but 2 were given", () => hs.compute("backward_accumulate", "pytorch", [x, g])],
  [Error, "gate_backward needs 3 and 2 tensors, its operands and results, but 3 and 1 were given", () => hs.check("gate_backward", "pytorch", [x, x, x], [x])],
  [Error, 'no dtype is called "f64"', () => hs.wgsl("forward", "pytorch", { dtype: "f64" })],
  [Error, 'no placement is called "inplace"', () => hs.wgsl("forward", "pytorch", { placement: "inplace" })],
  [Error, "backward_accumulate", () => hs.wgsl("backward_accumulate", "pytorch", { placement: "in_place" })],
  [Error, "atol is -1; it must be", () => hs.identify({ x, y: x }, { atol: -1 })],
  [Error, "split it", () => hs.plan("forward", "pytorch", 2 ** 50)],
  [
    Error,
    "the kernel needs max_storage_buffers_per_shader_stage of at least 2",
    () => hs.plan("forward", "pytorch", 1, { limits: { ...device.limits, maxStorageBuffersPerShaderStage: 1 } }),
  ],
  ...["x.npy", Promise.resolve(file), new Blob([file]), [1, 2]].map((given) => [TypeError, "a file is given as its bytes", () => hs.readNpy(given)]),
  [Error, "not a .npy file (it ends within its header)", () => hs.readNpy(file.subarray(0, 50))],
  [Error, "not a .npy file (it doesn't begin as one)", () => hs.readNpy(new Uint8Array(100))],
  [Error, "its dtype is '<i4'", () => hs.readNpy(npyFile("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", short))],
  [Error, "truncated or damaged", () => hs.readNpy(file.subarray(0, -1))],
];
const seen = [];
// Of every model `inspect` says what the command says, and why it isn't read.
const names = readdirSync(models).filter((name) => /\.(onnx|tflite|keras|h5|json|bin)$/.test(name));
assert.ok(names.length > 25);
const ofCommand = JSON.parse(spawnSync(command, ["inspect", "--json", ...names], { cwd: models }).stdout);
const weights = "onnx_external.bin";
for (const [i, name] of names.entries()) {
  const [file, other] = [name, weights].map((name) => readFileSync(join(models, name)));
  for (const model of [file, new Uint8Array(file).buffer, new Blob([file])]) {
    const found = await hs.inspect(model, { beside: { [weights]: new Blob([other]) } }).catch(({ message }) => ({ error: message }));
    const { report, ...json } = found;
    assert.deepEqual({ file: name, ...json }, ofCommand[i]);
    if (json.error) continue;
    const said = spawnSync(command, ["inspect", name], { cwd: models, encoding: "utf8" }).stdout;
    assert.equal(`${name}: ${report}\n\n`, said);
  }
}
const { note } = await hs.inspect(readFileSync(join(models, "onnx_external.onnx")));
assert.match(note, /are in onnx_external\.bin, which is not beside the model, so/);
console.log(`inspect: ${names.length} files as the command has them`);
// Of a large file only a part is read, and with the whole there is an answer.
{
  const small = readFileSync(join(models, "keras3_export.onnx"));
  // A field of another number, with 64 MiB.
  const unknown = Uint8Array.of(0x82, 0x7d, 0x80, 0x80, 0x80, 0x20);
  const large = new Blob([unknown, new Uint8Array(64 << 20), small]);
  let read = 0;
  const slice = (from, to) => ((read += to - from), large.slice(from, to));
  const { report, ...json } = await hs.inspect({ size: large.size, slice });
  assert.deepEqual({ file: "keras3_export.onnx", ...json }, ofCommand[names.indexOf("keras3_export.onnx")]);
  assert.ok(read > 0 && read < 2 ** 20, `${read} bytes are read`);
}
for (const [text, ...call] of [
  ["the model is model.onnx, but has to be a Uint8Array", "model.onnx"],
  ["w is undefined, but has to be a Uint8Array", new Uint8Array(3), { beside: { w: undefined } }],
  ["it is empty", new Uint8Array(0)],
]) {
  await assert.rejects(hs.inspect(...call), ({ message }) => {
    seen.push(message);
    return message.includes(text);
  });
}
for (const [type, text, call] of complaints) {
  assert.throws(call, (error) => {
    assert.ok(error.constructor === type && error.message.includes(text), `${text}: ${error}`);
    seen.push(error.message);
    return true;
  });
}
// The module is loaded as in a browser whose server doesn't have the file, or has a page for it.
const { fetch } = globalThis;
const { getBuiltinModule } = process;
process.getBuiltinModule = undefined;
for (const [i, answer] of [{ status: 404 }, { headers: { "Content-Type": "text/html;charset=utf-8" } }].entries()) {
  globalThis.fetch = () => Promise.resolve(new Response("", answer));
  await assert.rejects(import(pathToFileURL(join(installed, "index.js")) + `?${i}`), ({ message }) => {
    seen.push(message);
    return message.includes("/hard-sigmoid/native_bg.wasm isn't there: copy");
  });
}
Object.assign(globalThis, { fetch });
Object.assign(process, { getBuiltinModule });
const source = readFileSync(join(installed, "index.js"), "utf8");
const literals = [...source.matchAll(/Error\((`[^`]*`|"(?:[^"\\]|\\.)*")\)/g)].map(([, literal]) => literal);
const written = literals.map((literal) => literal.slice(1, -1).replaceAll("\\", ""));
assert.equal(written.length, source.split("throw new ").length - 1);
for (const text of written) {
  const pattern = text.split(/\$\{.*?\}(?=[^)]|$)/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  assert.ok(seen.some((message) => new RegExp(`^${pattern.join(".*")}$`).test(message)), `nothing says "${text}"`);
}
console.log(`complaints: ${seen.length} seen, among them the ${written.length} of index.js`);

// Types.
writeFileSync(
  join(project, "use.ts"),
  `import { HardSigmoid, Kernels, check, compute, identify, inspect, operations, plan, quantizedTable, readNpy, scalar, wgsl } from "hard-sigmoid";
import type { Comparison, Launch, Model, Npy, Operation, Plan } from "hard-sigmoid";
const x: Float32Array = new Float32Array(3);
const definition: HardSigmoid = HardSigmoid.affine(0.2, 0.5, "inclusive");
const y: Float32Array = definition.forward(x);
const halves: Uint16Array = new HardSigmoid("pytorch").forward(new Uint16Array(3), { dtype: "bf16" });
const float16: Float16Array = definition.forward(new Float16Array(3));
const [dx]: Float32Array[] = compute("backward", "keras", [x, y]);
const [bits]: Uint32Array[] = compute("pack", { seed: 1n, definition }, [x]);
const [unpacked] = compute("unpack", { scale: 0.5 }, [bits!], { length: 3 });
check("pack", {}, [x], [bits!]);
const of = { scale: 0.5, zeroPoint: 0 };
const table: Uint8Array = quantizedTable({ operation: "hard_swish", definition, x: { ...of, dtype: "i8" }, y: of, rounding: "onnx" });
const [lookedUp]: Int8Array[] = compute("lookup", {}, [new Int8Array(3), table]);
check("lookup", {}, [new Int8Array(3), table], [lookedUp!], { dtype: operations("jax")[0]!.dtypes[0]! });
const { differing }: Comparison = check("forward", definition, [x], [y]);
identify({ x: readNpy(new ArrayBuffer(9)), y });
const { definitions, within } = identify({ x: new Float64Array(3), y, g: x, dx: dx! }, { atol: 1e-6 });
const model: Model = await inspect(new Uint8Array(9), { beside: { "w.bin": new ArrayBuffer(9) } });
const exact: string[] = model.activations[0]!.computed[0]!.exact;
const planned: Plan = plan("forward", definition, 3, { placement: "in_place" });
const operation: Operation = "gate_backward";
declare const device: GPUDevice, pass: GPUComputePassEncoder, buffer: GPUBuffer;
const { parts } = plan(operation, "jax", 3, { limits: device.limits });
const launch: Launch = new Kernels(device).prepare("forward", "jax", { x: buffer, y: { buffer, offset: 256 } }, { length: 3 });
launch.encode(pass);
launch.destroy();
new Kernels(device).encode(pass, "forward", "jax", { x: buffer, y: buffer }, { length: 3, dtype: "f16" });
const texts: string[] = [wgsl("forward", "jax"), scalar("backward", "jax", { type: "packed_f16", text: "short" }), planned.wgsl];
const { data, shape } = readNpy(new Uint8Array(9));
const npy: Npy = readNpy(new Uint8Array(9));
const wide: Float64Array | null = npy.dtype === "f64" ? npy.data : null;
console.log(halves, float16, unpacked, differing, definitions.join(), within + 1, parts[0]?.params.length, texts, data.length, shape, wide, exact);
// @ts-expect-error
quantizedTable({ operation: "backward", definition, x: of, y: of });
// @ts-expect-error
compute("lookup", {}, [x, table]);
// @ts-expect-error
plan("relu", definition, 3);
// @ts-expect-error
plan("binarize", { sed: 1 }, 3);
// @ts-expect-error
scalar("pack", {});
// @ts-expect-error
scalar("forward", "jax", { dtype: "f16" });
// @ts-expect-error
compute("unpack", {}, [x]);
// @ts-expect-error
definition.forward([1, 2]);
// @ts-expect-error
definition.forward(new Float64Array(3));
// @ts-expect-error
HardSigmoid.affine(1, 0, "soft");
// @ts-expect-error
new Kernels(device).encode(pass, "forward", "jax", { x: buffer }, {});
// @ts-expect-error
new Kernels(device).encode(pass, "forward", "jax", { x: new Float32Array(3), y: buffer }, { length: 3 });
// @ts-expect-error
new Kernels(device).encode(pass, "forward", "jax", { x: { buffer, ofset: 256 }, y: buffer }, { length: 3 });
// @ts-expect-error
new Kernels(device).encode(device, "forward", "jax", { x: buffer, y: buffer }, { length: 3 });
// @ts-expect-error
new Kernels(buffer);
// @ts-expect-error
if (npy.dtype === "f16") npy.data satisfies Float32Array;
// @ts-expect-error
definition.kinks![0] = 3;
// @ts-expect-error
inspect("model.onnx");
`,
);
const tsc = [join(modules, "typescript/bin/tsc"), "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
run(process.execPath, ...tsc, "--types", "", "--lib", "esnext,dom", "use.ts");
// Without Float16Array in the library the rest still has its types.
const older = readFileSync(join(project, "use.ts"), "utf8").replaceAll(/^.*float16: .*\n| float16,/gm, "");
writeFileSync(join(project, "older.ts"), older);
run(process.execPath, ...tsc, "--types", "", "--lib", "es2022,dom", "older.ts");
// Without WebGPU's types the mistakes are still seen.
const ownTypes = `type GPUBuffer = { size: number; usage: number; destroy(): void };
type GPUComputePassEncoder = { setPipeline(one: unknown): void; dispatchWorkgroups(x: number, y?: number, z?: number): void };
type GPUDevice = { limits: Limits; createBuffer(one: unknown): GPUBuffer; createBindGroup(one: unknown): unknown };
declare const console: { log(...texts: unknown[]): void };
`;
writeFileSync(join(project, "bare.ts"), older.replace("Launch, ", "Launch, Limits, ") + ownTypes);
run(process.execPath, ...tsc, "--types", "", "--lib", "es2022", "bare.ts");
writeFileSync(join(project, "wrong.ts"), 'import { plan } from "hard-sigmoid"; plan("relu", "jax", 3);');
assert.throws(() => execFileSync(process.execPath, [...tsc, "wrong.ts"], { cwd: project, stdio: "ignore" }));
console.log("types: tsc has no complaint");

// In Chromium: a static server of node_modules, as any other, and pages of this test.
const { chromium } = createRequire(join(modules, "/"))("playwright-core");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const IMPORTS = '<script type="importmap">{ "imports": { "hard-sigmoid": "/node_modules/hard-sigmoid/index.js" } }</script>';
// README's own kernel runs.
const BIASED = `
{
  const data = device.createBuffer({ size: read.size, usage: GPUBufferUsage.STORAGE | 12 });
  device.queue.writeBuffer(data, 0, x);
  const resources = [{ binding: 0, resource: { buffer: data } }];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: resources }));
  pass.dispatchWorkgroups(Math.ceil(x.length / 64));
  pass.end();
  const [sum, result] = [x.map((value) => value + 0.25), new Float32Array(x.length)];
  read.unmap();
  encoder.copyBufferToBuffer(data, 0, read, 0, read.size);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  result.set(new Float32Array(read.getMappedRange()));
  same(check("hard_swish", "pytorch", [sum], [result]), { compared: 1001, differing: 0, flushed: 0 });
}
globalThis.done = checked;`;
const PAGES = {
  "/empty.html": IMPORTS,
  "/readme.html": `${IMPORTS}<script type="module">${moduleOf(ofGpu)}${BIASED}</script>`,
};
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  try {
    const name = pathname.replace(/^\/node_modules\//, "/");
    const path = name.startsWith("/hard-sigmoid/") ? join(project, "node_modules", name) : join(modules, name);
    const body = PAGES[pathname] ?? readFileSync(path);
    response.writeHead(200, { "Content-Type": TYPES[extname(pathname)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  ignoreDefaultArgs: ["--disable-gpu"],
  args: [
    ...["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"],
    ...["--disable-component-update", "--disable-sync", "--enable-unsafe-webgpu"],
  ],
});
/** Opens a page, and fails on whatever its console has to complain about. */
async function visit(path, use) {
  const page = await browser.newPage();
  const found = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && found.push(message.text()));
  page.on("pageerror", (error) => found.push(String(error)));
  page.on("requestfailed", (request) => found.push(request.url()));
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}${path}`);
    await use(page);
  } catch (error) {
    console.error(path, found);
    throw error;
  }
  // Chromium asks for an icon of each page, and says so of a power preference that it doesn't heed.
  const known = /favicon|404 \(Not Found\)|powerPreference option is currently ignored/;
  assert.deepEqual(found.filter((text) => !known.test(text)), [], path);
  await page.close();
}

await visit("/readme.html", async (page) => {
  const inBrowser = await page.waitForFunction(() => globalThis.done, null, { timeout: 60000 });
  assert.equal(await inBrowser.jsonValue(), values(ofGpu) + 1);
  console.log(`README.md: ${values(ofGpu) + 1} values in Chromium`);
});
for (const [example, number] of [["webgpu", 1000003], ["onnxruntime", 8008]]) {
  await visit(`/node_modules/hard-sigmoid/examples/${example}.html`, async (page) => {
    await page.waitForFunction(() => document.title !== "Running…", null, { timeout: 120000 });
    assert.equal(await page.title(), `${number} compared, 0 differ`, example);
    assert.equal(await page.locator("#verdict").textContent(), await page.title());
    console.log(`${example}.html: ${await page.title()}`);
  });
}

// An example whose module doesn't arrive, or that has no GPU, says so.
for (const [prepare, says] of [
  [(page) => page.route("**/native.js", (route) => route.abort()), /^A module didn't arrive/],
  [(page) => page.route("**/native_bg.wasm", (route) => route.abort()), /fetch/],
  [(page) => page.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined })), /^This browser has no WebGPU\.$/],
]) {
  for (const example of ["webgpu", "onnxruntime"]) {
    const page = await browser.newPage();
    await prepare(page);
    await page.goto(`http://127.0.0.1:${server.address().port}/node_modules/hard-sigmoid/examples/${example}.html`);
    await page.waitForFunction(() => document.title !== "Running…", null, { timeout: 120000 });
    assert.match(await page.locator("#verdict").textContent(), says, example);
    await page.close();
  }
}

/** In the page: every operation on tensors among guards. Returns what was counted. */
async function everyOperation({ lengths, definitions, limits, dtypes = ["f32", "f16", "bf16", "u8"] }) {
  const { Kernels, check, plan, HardSigmoid } = await import("hard-sigmoid");
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  device.addEventListener("uncapturederror", ({ error }) => console.error(error.message));
  // A device that claims less than it has, so that tensors take several parts.
  const claimed = new Proxy(device, {
    get(target, name) {
      if (name === "limits") return limits ?? target.limits;
      return typeof target[name] === "function" ? target[name].bind(target) : target[name];
    },
  });
  const kernels = new Kernels(claimed);
  const OPERATIONS = {
    forward: [["x"], ["y"], "x"],
    hard_swish: [["x"], ["y"], "x"],
    backward: [["x", "g"], ["dx"], "g"],
    backward_from_output: [["y", "g"], ["dx"], "g"],
    backward_accumulate: [["x", "g", "dx"], ["dx"], null],
    hard_swish_backward: [["x", "g"], ["dx"], "g"],
    gate: [["a", "b"], ["y"], "a"],
    gate_backward: [["a", "b", "g"], ["da", "db"], "g"],
    binarize: [["x"], ["y"], "x", { seed: 2n ** 40n + 7n, offset: 3, scale: 0.75 }],
    straight_through: [["x", "g"], ["dx"], "g", { estimator: "hard_tanh" }],
    pack: [["x"], ["bits"], null, { seed: 9 }],
    unpack: [["bits"], ["y"], null, { scale: 0.75 }],
    gate_broadcast: [["a", "b"], ["y"], "a", { middle: 3, inner: 2 }],
    gate_broadcast_sums: [["a", "b", "g"], ["db"], null, { middle: 3, inner: 2 }],
    lookup: [["x", "table"], ["y"], "x", {}],
    lookup_gate: [["a", "b", "table"], ["y"], "a", { middle: 3, inner: 2 }],
  };
  const isLookup = (operation) => operation.startsWith("lookup");
  const GUARD = 0xa5;
  const EDGE = 256; // bytes of guard before and after each tensor
  let [seed, turn] = [1, 0];
  const word = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) ^ (seed >>> 15);
  const counts = { launches: 0, compared: 0, differing: 0, flushed: 0, guards: 0, parts: 0 };
  // With other parameters one operation has another kernel.
  const both = [...Object.entries(OPERATIONS), ["straight_through", [["x", "g"], ["dx"], "g", { estimator: "identity" }]]];
  for (const [operation, [inputs, outputs, replaced, others]] of both) {
    for (const dtype of dtypes.filter((dtype) => (dtype === "u8") === isLookup(operation))) {
      const Typed = { f32: Float32Array, u8: Uint8Array }[dtype] ?? Uint16Array;
      const element = Typed.BYTES_PER_ELEMENT;
      for (const placement of replaced ? ["separate", "in_place", "shared"] : ["separate", "shared"]) {
        // Software GPUs take long to compile: one definition each, and they take turns.
        const definition = definitions[turn++ % definitions.length];
        const isBroadcast = others?.middle !== undefined;
        const parameters = { ...others, definition: !isLookup(operation) && (isBroadcast || !others) ? definition : undefined };
        for (const asked of lengths) {
          const length = isBroadcast ? asked - (asked % 6) : asked;
          const isSigns = (name) => name === "bits";
          const isShort = (name) => isBroadcast && (name === "b" || name === "db");
          const TypeOf = (name) => (isSigns(name) ? Uint32Array : Typed);
          const ofTable = operation === "lookup" ? 256 : 65536;
          const lengthOf = (name) => (name === "table" ? ofTable : isSigns(name) ? Math.ceil(length / 32) : isShort(name) ? length / 3 : length);
          const sizeOf = (name) => lengthOf(name) * TypeOf(name).BYTES_PER_ELEMENT;
          // Half of the numbers lie near the curve, half are any bits; but sums have no subnormal on their way.
          const half = () => (dtype === "f16" ? 0x3c00 | (word() & 0x83ff) : 0x3f80 | (word() & 0x807f));
          const near = () => (word() / 2 ** 32) * 8 - 4;
          const random = (name) => {
            const bits = new Uint32Array(Math.ceil(sizeOf(name) / 4)).map(word);
            const data = new (TypeOf(name))(bits.buffer, 0, lengthOf(name));
            if (operation === "gate_broadcast_sums") return data.map(dtype === "f32" ? near : half);
            return data.map((value, i) => (i % 2 || dtype !== "f32" || isSigns(name) ? value : near()));
          };
          const arrays = inputs.map(random);
          const written = placement === "in_place" ? outputs.slice(1) : outputs;
          const names = [...new Set([...inputs, ...written])];
          const bound = plan(operation, parameters, length, { dtype, placement }).tensors.map(({ name }) => name);
          if (bound.join() !== names.join()) throw new Error(`${operation} ${placement} binds ${bound}`);
          // The tensors' bytes among guards, in one buffer or one for each.
          const longest = Math.max(...names.map(sizeOf), length * element);
          const stride = EDGE + Math.ceil(longest / EDGE + 1) * EDGE;
          const before = names.map((name, i) => {
            const bytes = new Uint8Array(stride).fill(GUARD);
            const data = i < inputs.length ? new Uint8Array(arrays[i].buffer, 0, sizeOf(name)) : null;
            if (data) bytes.set(data, EDGE);
            return bytes;
          });
          const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
          const isShared = placement === "shared";
          const create = (size) => device.createBuffer({ size, usage });
          const buffers = isShared ? [create(stride * names.length)] : names.map(() => create(stride));
          const places = names.map((_, i) => (isShared ? { buffer: buffers[0], at: i * stride } : { buffer: buffers[i], at: 0 }));
          places.forEach(({ buffer, at }, i) => device.queue.writeBuffer(buffer, at, before[i]));
          const offset = ({ buffer, at }) => ({ buffer, offset: at + EDGE });
          const tensors = Object.fromEntries(names.map((name, i) => [name, offset(places[i])]));
          const size = stride * names.length;
          const read = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
          const encoder = device.createCommandEncoder();
          const pass = encoder.beginComputePass();
          kernels.encode(pass, operation, parameters, tensors, { length, dtype, placement });
          pass.end();
          places.forEach(({ buffer, at }, i) => encoder.copyBufferToBuffer(buffer, at, read, i * stride, stride));
          device.queue.submit([encoder.finish()]);
          await read.mapAsync(GPUMapMode.READ);
          const all = new Uint8Array(read.getMappedRange()).slice();
          for (const buffer of [read, ...buffers]) buffer.destroy();
          const after = names.map((_, i) => all.subarray(i * stride, (i + 1) * stride));
          const named = (name) => names.indexOf(name);
          const results = outputs.map((output) => (written.includes(output) ? output : replaced)).map(named);
          for (const i of names.keys()) {
            const isResult = results.includes(i);
            const kept = (byte) => !isResult || byte < EDGE || byte >= EDGE + sizeOf(names[i]);
            for (let byte = 0; byte < stride; byte++) {
              if (!kept(byte)) continue;
              counts.guards++;
              if (after[i][byte] !== before[i][byte]) {
                throw new Error(`${operation} ${dtype} ${placement} ${length}: byte ${byte - EDGE} of ${names[i]} changed`);
              }
            }
          }
          const typed = results.map((i) => new (TypeOf(names[i]))(after[i].slice(EDGE, EDGE + sizeOf(names[i])).buffer));
          const found = check(operation, parameters, arrays, typed, { dtype });
          for (const name of ["compared", "differing", "flushed"]) counts[name] += found[name];
          if (found.differing) throw new Error(`${operation} ${definition} ${dtype} ${placement} ${length}: ${found.differing}`);
          const options = { dtype, placement, limits: claimed.limits };
          // The parts of sums are limited by the grid.
          if (operation !== "gate_broadcast_sums") counts.parts = Math.max(counts.parts, plan(operation, parameters, length, options).parts.length);
          counts.launches++;
        }
      }
    }
  }
  return counts;
}
// Ten operations have one result (straight_through counts twice), one has two, and one of the ten isn't in place, nor are pack and
// unpack. The broadcast gate, of whole rows, has one for each a; its sums, never in place, one for each b.
const resultsOf = (length) => (10 * 3 - 1 + 2 * 3 + 2 * 2) * length + (3 + 2 / 3) * (length - (length % 6));
// Look-ups have one for each x, or each a of whole rows.
const lookedUpOf = (length) => 3 * (length + length - (length % 6));
const lengths = [0, 1, 2, 3, 255, 1001, 70001];
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
await visit("/empty.html", async (page) => {
  const definitions = ["pytorch", "keras", "jax", "keras3", "affine(1e30, -2, half)"];
  const counts = await page.evaluate(everyOperation, { lengths, definitions });
  console.log("every operation, element type and placement:", counts);
  assert.equal(counts.launches, (3 * (12 * 3 - 1 + 3 * 2) + 2 * 3) * lengths.length);
  assert.equal(counts.compared, 3 * Math.round(sum(lengths.map(resultsOf))) + sum(lengths.map(lookedUpOf)));
  assert.equal(counts.differing, 0);
  assert.equal(counts.parts, 1);
});
await visit("/empty.html", async (page) => {
  const limits = { maxStorageBuffersPerShaderStage: 8, maxStorageBufferBindingSize: 16384 };
  Object.assign(limits, { minStorageBufferOffsetAlignment: 256, maxComputeWorkgroupsPerDimension: 7, maxComputeWorkgroupStorageSize: 16384 });
  const counts = await page.evaluate(everyOperation, { lengths: [70001], definitions: ["keras"], dtypes: ["f16"], limits });
  console.log("in parts:", counts);
  assert.equal(counts.compared, Math.round(resultsOf(70001)));
  assert.equal(counts.differing, 0);
  assert.equal(counts.parts, 9);
});

/** In the page: what Kernels refuses, before anything is written; and a Float16Array. */
async function refusals() {
  const { HardSigmoid, Kernels } = await import("hard-sigmoid");
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [x, y, long] = [4004, 4003, 8192].map((size) => device.createBuffer({ size, usage }));
  const uniform = device.createBuffer({ size: 4004, usage: GPUBufferUsage.UNIFORM });
  const filled = new Uint8Array(4000).fill(7);
  device.queue.writeBuffer(y, 0, filled);
  const kernels = new Kernels(device);
  const said = [];
  device.pushErrorScope("validation");
  for (const tensors of [
    ...[{ x }, { x, y }, { x: { buffer: long, offset: 4 }, y: x }, { x, y: { buffer: y, offset: 4096 } }],
    ...[{ x: long, y: { buffer: long, offset: 4096 } }, { x, y: uniform }],
  ]) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    try {
      kernels.encode(pass, "forward", "pytorch", tensors, { length: 1001 });
    } catch (error) {
      said.push(`${error.name}: ${error.message}`);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
  const mapped = device.createBuffer({ size: 4000, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(y, 0, mapped, 0, 4000);
  device.queue.submit([encoder.finish()]);
  await mapped.mapAsync(GPUMapMode.READ);
  const kept = new Uint8Array(mapped.getMappedRange()).every((byte) => byte === 7);
  const invalid = await device.popErrorScope();
  const halves = new HardSigmoid("keras").forward(Float16Array.of(-2, 1));
  const bits = [...new Uint16Array(halves.buffer)];
  return { said, kept, invalid: invalid?.message ?? null, halves: [halves.constructor.name, ...bits] };
}
await visit("/empty.html", async (page) => {
  assert.deepEqual(await page.evaluate(refusals), {
    said: [
      'TypeError: forward with placement "separate" takes buffers for x, y; given are x',
      "RangeError: the buffer of y has 4003 bytes, but 4004 are needed",
      "RangeError: x begins at byte 4, which isn't 0 or a multiple of 256",
      "RangeError: the buffer of y has 4003 bytes, but 8100 are needed",
      'RangeError: x and y share a buffer: use placement "shared", and ranges that don\'t overlap',
      "TypeError: the buffer of y was created without GPUBufferUsage.STORAGE",
    ],
    kept: true,
    invalid: null,
    halves: ["Float16Array", 0x2e66, 0x399a],
  });
  console.log("refusals: six, and nothing was written");
});
/** In the page: what is compiled once, and what a launch leaves. */
async function launches() {
  const { Kernels } = await import("hard-sigmoid");
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  const create = device.createShaderModule.bind(device);
  let compiled = 0;
  device.createShaderModule = (descriptor) => (compiled++, create(descriptor));
  const [x, y] = [0, 1].map(() => device.createBuffer({ size: 400, usage: GPUBufferUsage.STORAGE }));
  const kernels = new Kernels(device);
  const prepare = (definition) => kernels.prepare("forward", definition, { x, y }, { length: 100 });
  // Two definitions, each with a text of its own, and the first one again.
  const [launch] = ["affine(0.3, 0.5, strict)", "affine(0.4, 0.5, strict)", "affine(0.3, 0.5, strict)"].map(prepare);
  const encoded = () => {
    device.pushErrorScope("validation");
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    launch.encode(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return device.popErrorScope();
  };
  const before = await encoded();
  launch.destroy();
  const after = await encoded();
  return { compiled, before: before?.message ?? null, after: /destroyed/.test(after?.message) };
}
await visit("/empty.html", async (page) => {
  assert.deepEqual(await page.evaluate(launches), { compiled: 2, before: null, after: true });
  console.log("launches: two modules for three, and no parameters left");
});
await browser.close();
server.close();
