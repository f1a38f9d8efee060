// The public half of the package: see index.d.ts. The rest is WebAssembly, which is ready when the import is.
import load, * as native from "./native.js";

await load({ module_or_path: await fetched("native_bg.wasm", new URL("native_bg.wasm", import.meta.url)) });

/** A file of the package, whose address a bundler may have changed. */
async function fetched(name, address) {
  // Node doesn't fetch files. An `import` of its modules would be followed by bundlers, which have none for a browser.
  const fs = address.protocol === "file:" && globalThis.process?.getBuiltinModule?.("node:fs");
  if (fs) return fs.readFileSync(address);
  const response = await fetch(address);
  // Some servers answer with a page instead of "not found".
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  if (isPage || !response.ok) throw new Error(`${address} isn't there: copy ${name} of the package hard-sigmoid to it`);
  return response;
}

/** Checks what goes to WebAssembly as text, where another type would be a memory error. */
function checkTexts(texts) {
  for (const [name, text] of Object.entries(texts)) {
    if (typeof text !== "string") throw new TypeError(`${name} is ${String(text)}, but has to be a string`);
  }
}

/** Bytes of WebAssembly's memory that arrays may take: it ends at 4 GiB, and a failure there is never freed. */
const MEMORY = 3.5 * 2 ** 30;

function checkMemory(arrays, results) {
  const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, results);
  if (bytes > MEMORY) throw new RangeError(`inputs and results take ${bytes} bytes, but WebAssembly holds ${MEMORY}: compute them in pieces`);
}

/** The bytes of an array, without a copy. */
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const isBytes = (array) => array instanceof Uint8Array || array instanceof Int8Array;

/** The element type of an array. Uint16Array may hold either kind of half. */
function dtypeOf(array, name, dtype) {
  if (array instanceof Float32Array) return "f32";
  if (globalThis.Float16Array && array instanceof Float16Array) return "f16";
  if (array instanceof Uint16Array) {
    if (dtype === "f16" || dtype === "bf16") return dtype;
    throw new TypeError(`${name} is a Uint16Array: say what it holds, dtype "f16" or "bf16"`);
  }
  if (isBytes(array)) return "u8";
  throw new TypeError(`${name} is not a Float32Array, a Float16Array, a Uint16Array with the bits of halves, or for look-ups a Uint8Array or an Int8Array`);
}

/** Which of an operation's arrays hold signs, 32 to a word of a Uint32Array. */
const SIGNS = { pack: "result", unpack: "input" };

/** The common element type of lists of arrays, given with the name of what each holds. */
function commonDtype(operation, lists, dtype) {
  const all = [];
  for (const [list, arrays] of Object.entries(lists)) {
    if (!Array.isArray(arrays) || arrays.length === 0) throw new TypeError(`the ${list}s are given as a list, such as [x]`);
    for (const [i, array] of arrays.entries()) {
      if (list !== SIGNS[operation]) all.push(dtypeOf(array, `${list} ${i}`, dtype));
      else if (!(array instanceof Uint32Array)) throw new TypeError(`${list} ${i} is not a Uint32Array, which holds signs`);
    }
  }
  if (all.some((one) => one !== all[0])) throw new TypeError(`the arrays have different element types: ${all.join(", ")}`);
  if (dtype && all.length && dtype !== all[0]) throw new TypeError(`dtype is ${dtype}, but the arrays hold ${all[0]}`);
  return all[0] ?? dtype ?? "f32";
}

/** The parameters that are whole numbers, and what they are below. */
const WHOLE = { seed: 2n ** 64n, offset: 2n ** 64n, middle: 2n ** 32n, inner: 2n ** 32n };

/** The parameters of an operation as WebAssembly takes them, from an object, or from a hard sigmoid alone. */
function parametersOf(given) {
  if (typeof given === "string" || given instanceof HardSigmoid) return { definition: textOf(given) };
  if (Object(given) !== given) throw new TypeError(`the parameters are ${String(given)}, but have to be a hard sigmoid or an object`);
  const parameters = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const isWhole = Number.isSafeInteger(value) || typeof value === "bigint";
    if (name === "definition") {
      parameters.definition = textOf(value);
    } else if (name === "estimator") {
      checkTexts({ estimator: value });
      parameters.estimator = value;
    } else if (name === "scale") {
      if (typeof value !== "number") throw new TypeError(`scale is ${String(value)}, but has to be a number`);
      parameters.scale = value;
    } else if (Object.hasOwn(WHOLE, name)) {
      if (!isWhole || value < 0 || value >= WHOLE[name]) throw new RangeError(`${name} is ${String(value)}, but has to be a whole number from 0 to ${WHOLE[name] - 1n}`);
      parameters[name] = WHOLE[name] > 2n ** 32n ? BigInt(value) : Number(value);
    } else {
      throw new TypeError(`no parameter is called ${name}; use definition, estimator, scale, ${Object.keys(WHOLE).join(", ")}`);
    }
  }
  return parameters;
}

const textOf = (definition) => {
  if (typeof definition === "string") return definition;
  if (definition instanceof HardSigmoid) return definition.text;
  throw new TypeError("a definition is a string, such as \"pytorch\", or a HardSigmoid");
};

export class HardSigmoid {
  constructor(text) {
    Object.assign(this, native.definition(textOf(text)));
    Object.freeze(this.kinks);
    Object.freeze(this);
  }
  static presets = Object.freeze(native.presets().map((name) => new HardSigmoid(name)));
  static affine(alpha, beta, kinkRule = "strict") {
    return new HardSigmoid(`affine(${Math.fround(alpha)}, ${Math.fround(beta)}, ${kinkRule})`);
  }
  toString() {
    return this.text;
  }
  forward(x, options) {
    return compute("forward", this, [x], options)[0];
  }
  backward(x, g, options) {
    return compute("backward", this, [x, g], options)[0];
  }
  backwardFromOutput(y, g, options) {
    return compute("backward_from_output", this, [y, g], options)[0];
  }
  backwardAccumulate(x, g, dx, options) {
    return compute("backward_accumulate", this, [x, g, dx], options)[0];
  }
  hardSwish(x, options) {
    return compute("hard_swish", this, [x], options)[0];
  }
  hardSwishBackward(x, g, options) {
    return compute("hard_swish_backward", this, [x, g], options)[0];
  }
  gate(a, b, options) {
    return compute("gate", this, [a, b], options)[0];
  }
  gateBackward(a, b, g, options) {
    return compute("gate_backward", this, [a, b, g], options);
  }
}

/** The type of the arrays that `compute` returns. */
function typeOfResults(operation, inputs, dtype) {
  if (operation === "pack") return Uint32Array;
  if (operation === "unpack") return dtype === "f32" ? Float32Array : Uint16Array;
  // A Buffer is a Uint8Array too.
  if (dtype === "u8") return inputs[0] instanceof Int8Array ? Int8Array : Uint8Array;
  return inputs[0].constructor;
}

export function compute(operation, parameters, inputs, { dtype, length } = {}) {
  checkTexts({ operation });
  const common = commonDtype(operation, { input: inputs }, dtype);
  if (length !== undefined) checkLength(length);
  const largest = operation === "unpack" ? 4 * (length ?? 32 * inputs[0].length) : Math.max(...inputs.map(({ byteLength }) => byteLength));
  checkMemory(inputs, operation === "gate_backward" ? 2 * largest : largest);
  const results = native.compute(operation, parametersOf(parameters), common, inputs.map(bytesOf), length);
  const Typed = typeOfResults(operation, inputs, common);
  return results.map((bytes) => new Typed(bytes.buffer, bytes.byteOffset, bytes.byteLength / Typed.BYTES_PER_ELEMENT));
}

export const version = native.version();

export function operations(definition) {
  return native.operations(textOf(definition));
}

/** What the numbers of a quantized tensor stand for, as WebAssembly takes it. */
function quantizationOf(name, given, common) {
  const { scale, zeroPoint, dtype = common } = Object(given);
  if (typeof scale !== "number" || !Number.isInteger(zeroPoint)) throw new TypeError(`${name} has to be { scale, zeroPoint }, a number and a whole number`);
  if (Math.abs(zeroPoint) >= 2 ** 31) throw new RangeError(`the zeroPoint of ${name} is ${zeroPoint}, but has to be one of its numbers`);
  checkTexts({ [`the dtype of ${name}`]: dtype });
  return { scale, zeroPoint, dtype };
}

export function quantizedTable({ operation, definition, x, y, rounding = "onnx" }) {
  checkTexts({ operation, rounding });
  const of = quantizationOf("x", x, "u8");
  return native.table(operation, textOf(definition), of, quantizationOf("y", y, of.dtype), rounding);
}

export function check(operation, parameters, inputs, results, { dtype } = {}) {
  checkTexts({ operation });
  const common = commonDtype(operation, { input: inputs, result: results }, dtype);
  checkMemory([...inputs, ...results], 0);
  return native.check(operation, parametersOf(parameters), common, inputs.map(bytesOf), results.map(bytesOf));
}

/** A shape as NumPy spells it. */
const spelled = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const orderOf = (isFortran) => (isFortran ? "Fortran" : "C");

export function identify({ x, y, g, dx }, { atol = 0, dtype } = {}) {
  if (!g !== !dx) throw new TypeError("g and dx belong together: give both or neither");
  const all = Object.entries(g ? { x, y, g, dx } : { x, y }).map(([name, given]) => {
    // What readNpy returns has a shape, and a type: uint16 is bfloat16 unless you say otherwise.
    const array = given?.data ?? given;
    const bits = given?.dtype === "f16" ? "f16" : (dtype ?? given?.dtype);
    const { shape, isFortran } = given ?? {};
    return { name, array, shape, isFortran, dtype: array instanceof Float64Array ? "f64" : dtypeOf(array, name, bits) };
  });
  if (all[0].array.length === 0) throw new RangeError("the arrays have no elements");
  for (const { name, array } of all) {
    const wanted = all[0].array.length;
    if (array.length !== wanted) throw new RangeError(`${name} has ${array.length} elements, but x has ${wanted}`);
  }
  const [first, ...others] = all.filter(({ shape }) => shape);
  for (const { name, shape, isFortran } of others) {
    const [found, wanted] = [shape, first.shape].map(spelled);
    if (found !== wanted) throw new RangeError(`${name} has shape ${found}, but ${first.name} has ${wanted}`);
    if (shape.length > 1 && isFortran !== first.isFortran) {
      throw new RangeError(`${name} is in ${orderOf(isFortran)} order, but ${first.name} in ${orderOf(first.isFortran)} order: save all in the same order`);
    }
  }
  return native.identify(all.map(({ array }) => bytesOf(array)), all.map(({ dtype }) => dtype), atol);
}

// WebGPU's own defaults.
const DEFAULT_LIMITS = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 << 20,
  minStorageBufferOffsetAlignment: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  maxComputeWorkgroupStorageSize: 16384,
};

export function wgsl(operation, parameters, { dtype = "f32", placement = "separate" } = {}) {
  checkTexts({ operation, dtype, placement });
  return native.kernel(operation, parametersOf(parameters), dtype, placement);
}

export function scalar(operation, parameters, { type = "f32", text = "exact", prefix = "" } = {}) {
  checkTexts({ operation, type, text, prefix });
  return native.scalar(operation, parametersOf(parameters), type, text, prefix);
}

export function plan(operation, parameters, length, options) {
  return { wgsl: wgsl(operation, parameters, options), ...launchesOf(operation, parameters, length, options) };
}

function checkLength(length) {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`the length is ${length}, but has to be a whole number below 2^53`);
}

/** A plan without its text. */
function launchesOf(operation, parameters, length, { dtype = "f32", placement = "separate", limits = DEFAULT_LIMITS } = {}) {
  checkLength(length);
  const values = Object.keys(DEFAULT_LIMITS).map((name) => {
    if (!Number.isSafeInteger(limits[name])) throw new TypeError(`limits.${name} is ${limits[name]}, but has to be a whole number`);
    return limits[name];
  });
  checkTexts({ operation, dtype, placement });
  const { tensors, parts } = native.plan(operation, parametersOf(parameters), dtype, placement, length, values);
  return { tensors, parts: parts.map((part) => ({ ...part, params: new Uint32Array(part.params) })) };
}

export class Kernels {
  #device;
  /** Pipelines, by the number of tensors and the module's text. */
  #pipelines = new Map();
  /** Pipelines, by what was asked for: to make the long text only to find them would take time. */
  #known = new Map();

  constructor(device) {
    if (!device?.limits) throw new TypeError("Kernels takes a GPUDevice; await what requestDevice returns");
    this.#device = device;
  }

  encode(pass, operation, parameters, tensors, options) {
    this.prepare(operation, parameters, tensors, options).encode(pass);
  }

  prepare(operation, parameters, tensors, { length, dtype = "f32", placement = "separate" } = {}) {
    const device = this.#device;
    const planned = launchesOf(operation, parameters, length, { dtype, placement, limits: device.limits });
    const places = placesOf(operation, placement, planned, tensors, device.limits.minStorageBufferOffsetAlignment);
    // The text doesn't have these parameters, such as a seed that changes at each step; but whether there is a seed matters.
    const { seed, offset, scale, middle, inner, ...inText } = parametersOf(parameters);
    const key = JSON.stringify([operation, inText, seed !== undefined, dtype, placement]);
    if (!this.#known.has(key)) keep(this.#known, key, this.#compiled(planned.tensors, wgsl(operation, parameters, { dtype, placement })));
    const { layout, pipeline } = this.#known.get(key);
    const parts = planned.parts.map(({ params, bindings, dispatches }) => {
      const uniform = device.createBuffer({ size: params.byteLength, usage: GPUBufferUsage.UNIFORM, mappedAtCreation: true });
      new Uint32Array(uniform.getMappedRange()).set(params);
      uniform.unmap();
      const bound = bindings.map(({ tensor, offset, size }) => {
        const place = places.get(tensor);
        return { buffer: place.buffer, offset: place.offset + offset, size };
      });
      const entries = [...bound, { buffer: uniform }].map((resource, binding) => ({ binding, resource }));
      const compiled = dispatches.map(({ entryPoint, workgroups }) => ({ pipeline: pipeline(entryPoint), workgroups }));
      return { uniform, bindGroup: device.createBindGroup({ layout, entries }), dispatches: compiled };
    });
    return new Launch(parts);
  }

  #compiled(tensors, code) {
    const key = `${tensors.length} ${code}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const device = this.#device;
    const module = device.createShaderModule({ code });
    const types = [...tensors.map(({ type }) => type), "uniform"];
    const entries = types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
    const layout = device.createBindGroupLayout({ entries });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    const pipelines = new Map();
    const pipeline = (entryPoint) => {
      if (!pipelines.has(entryPoint)) {
        const compute = { module, entryPoint };
        pipelines.set(entryPoint, device.createComputePipeline({ layout: pipelineLayout, compute }));
      }
      return pipelines.get(entryPoint);
    };
    const compiled = { layout, pipeline };
    keep(this.#pipelines, key, compiled);
    return compiled;
  }
}

/** Keeps something in a map, of which the oldest make room: a program may use any number of definitions. */
function keep(map, key, value) {
  if (map.size >= 512) map.delete(map.keys().next().value);
  map.set(key, value);
}

/** What Kernels.prepare returns. */
class Launch {
  #parts;
  constructor(parts) {
    this.#parts = parts;
  }
  encode(pass) {
    for (const { bindGroup, dispatches } of this.#parts) {
      pass.setBindGroup(0, bindGroup);
      for (const { pipeline, workgroups } of dispatches) {
        pass.setPipeline(pipeline);
        pass.dispatchWorkgroups(...workgroups);
      }
    }
  }
  destroy() {
    for (const { uniform } of this.#parts) uniform.destroy();
  }
}

/** GPUBufferUsage.STORAGE, which WebGPU fixes. */
const STORAGE = 0x80;

/** Each tensor's buffer, and where it begins and ends there. Throws where WebGPU would only complain later. */
function placesOf(operation, placement, { tensors, parts }, given, alignment) {
  const [wanted, found] = [tensors.map(({ name }) => name), Object.keys(given ?? {})];
  if ([...wanted].sort().join() !== [...found].sort().join()) {
    throw new TypeError(`${operation} with placement "${placement}" takes buffers for ${wanted.join(", ")}; given are ${found.join(", ") || "none"}`);
  }
  const bindings = parts.flatMap((part) => part.bindings);
  const places = tensors.map(({ name, type }) => {
    const { buffer, offset = 0 } = given[name]?.buffer ? given[name] : { buffer: given[name] };
    if (!Number.isSafeInteger(buffer?.size)) throw new TypeError(`${name} is not a GPUBuffer, and not { buffer, offset } with one`);
    if (!(buffer.usage & STORAGE)) throw new TypeError(`the buffer of ${name} was created without GPUBufferUsage.STORAGE`);
    if (!(Number.isSafeInteger(offset) && offset >= 0 && offset % alignment === 0)) {
      throw new RangeError(`${name} begins at byte ${offset}, which isn't 0 or a multiple of ${alignment}`);
    }
    const own = bindings.filter(({ tensor }) => tensor === name);
    const end = own.reduce((end, one) => Math.max(end, offset + one.offset + one.size), offset);
    if (end > buffer.size) throw new RangeError(`the buffer of ${name} has ${buffer.size} bytes, but ${end} are needed`);
    return { name, type, buffer, offset, end };
  });
  for (const [i, one] of places.entries()) {
    for (const other of places.slice(0, i).filter(({ buffer, type }) => buffer === one.buffer && [type, one.type].includes("storage"))) {
      const both = `${other.name} and ${one.name} share a buffer`;
      if (other.type !== one.type) throw new RangeError(`${both}: use placement "shared", and ranges that don't overlap`);
      if (one.offset < other.end && other.offset < one.end) throw new RangeError(`${both}, and their ranges in it overlap`);
    }
  }
  return new Map(places.map((place) => [place.name, place]));
}

const NPY = { "<f8": ["f64", Float64Array], "<f4": ["f32", Float32Array], "<f2": ["f16", Uint16Array], "<u2": ["bf16", Uint16Array] };

/** NumPy's longest header has 10,000 bytes, behind 12 others. */
const LONGEST_HEADER = 10012;

export function readNpy(file) {
  if (!(file instanceof ArrayBuffer || file instanceof Uint8Array)) {
    throw new TypeError("a file is given as its bytes, an ArrayBuffer or a Uint8Array; await what is to give them");
  }
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const { dtype: stored, shape, isFortran, isBigEndian, start } = native.npy(bytes.subarray(0, LONGEST_HEADER), bytes.length);
  const [dtype, Typed] = NPY[stored];
  // The elements are copied, since they may begin anywhere. (The slice of a Buffer is no copy.)
  const elements = new Uint8Array(bytes.subarray(start));
  if (isBigEndian) turnBytes(elements, Typed.BYTES_PER_ELEMENT);
  return { dtype, shape, isFortran, isBigEndian, data: new Typed(elements.buffer), start };
}

/** Turns the order of the bytes in each element. */
function turnBytes(bytes, size) {
  for (let start = 0; start < bytes.length; start += size) {
    for (let first = start, last = start + size - 1; first < last; first++, last--) {
      [bytes[first], bytes[last]] = [bytes[last], bytes[first]];
    }
  }
}

/** The WebAssembly of inspect, which is loaded once it is needed. */
let inspector;
async function loadInspector() {
  const module = await import("./inspect.js");
  await module.default({ module_or_path: await fetched("inspect_bg.wasm", new URL("inspect_bg.wasm", import.meta.url)) });
  return module;
}

/** How many bytes of a Blob are read at once. */
const BLOCK = 2 ** 16;

/** A file as WebAssembly reads it: its length, and a function that returns bytes, or undefined while those of a Blob aren't there. */
function fileOf(name, file) {
  if (file instanceof ArrayBuffer) return fileOf(name, new Uint8Array(file));
  if (file instanceof Uint8Array) return { length: file.length, read: (offset, length) => file.subarray(offset, offset + length) };
  if (!Number.isSafeInteger(file?.size) || !file.slice) throw new TypeError(`${name} is ${String(file)}, but has to be a Uint8Array, an ArrayBuffer, a Blob or a File`);
  const [blocks, missing] = [new Map(), new Set()];
  const read = (offset, length) => {
    const bytes = new Uint8Array(length);
    for (let block = Math.floor(offset / BLOCK); block * BLOCK < offset + length; block++) {
      if (!blocks.has(block)) missing.add(block);
      else {
        const start = Math.max(offset, block * BLOCK);
        const end = Math.min(offset + length, (block + 1) * BLOCK);
        bytes.set(blocks.get(block).subarray(start - block * BLOCK, end - block * BLOCK), start - offset);
      }
    }
    return missing.size ? undefined : bytes;
  };
  /** Reads what was missing; says whether anything was. */
  const fill = async () => {
    const wanted = [...missing];
    missing.clear();
    for (const block of wanted) {
      blocks.set(block, new Uint8Array(await file.slice(block * BLOCK, (block + 1) * BLOCK).arrayBuffer()));
    }
    return wanted.length > 0;
  };
  return { length: file.size, read, fill };
}

export async function inspect(model, { beside = {} } = {}) {
  const file = fileOf("the model", model);
  const others = new Map(Object.entries(beside).map(([name, other]) => [name, fileOf(name, other)]));
  const besideIt = (name) => others.has(name) ? [others.get(name).length, others.get(name).read] : undefined;
  const { inspect } = await (inspector ??= loadInspector());
  for (;;) {
    let json, report, error;
    try {
      [json, report] = inspect(file.length, file.read, besideIt);
    } catch (thrown) {
      error = thrown;
    }
    // WebAssembly can't wait for bytes, so it begins again when they are there.
    const waited = await Promise.all([file, ...others.values()].map(({ fill }) => fill?.()));
    if (waited.includes(true)) continue;
    if (error) throw error;
    return { ...JSON.parse(json), report };
  }
}
