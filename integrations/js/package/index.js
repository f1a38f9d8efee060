// The public half of the package: see index.d.ts. The rest is WebAssembly, which is ready when the import is.
import load, * as native from "./native.js";

const wasm = new URL("native_bg.wasm", import.meta.url);
// Browsers fetch it; Node doesn't fetch files.
const source =
  wasm.protocol === "file:" && globalThis.process?.versions?.node
    ? (await import(/* @vite-ignore */ /* webpackIgnore: true */ "node:fs/promises")).readFile(wasm)
    : wasm;
await load({ module_or_path: await source });

/** The bytes of an array, without a copy. */
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The element type of an array. Uint16Array may hold either kind of half. */
function dtypeOf(array, name, dtype) {
  if (array instanceof Float32Array) return "f32";
  if (globalThis.Float16Array && array instanceof Float16Array) return "f16";
  if (array instanceof Uint16Array) {
    if (dtype === "f16" || dtype === "bf16") return dtype;
    throw new TypeError(`${name} is a Uint16Array: say what it holds, dtype "f16" or "bf16"`);
  }
  throw new TypeError(`${name} is not a Float32Array, a Float16Array or a Uint16Array with the bits of halves`);
}

/** The arrays' common element type. */
function commonDtype(arrays, dtype) {
  if (!Array.isArray(arrays) || arrays.length === 0) throw new TypeError("the arrays are given as a list, such as [x]");
  const all = arrays.map((array, i) => dtypeOf(array, `array ${i}`, dtype));
  if (all.some((one) => one !== all[0])) throw new TypeError(`the arrays have different element types: ${all.join(", ")}`);
  if (dtype && dtype !== all[0]) throw new TypeError(`dtype is ${dtype}, but the arrays hold ${all[0]}`);
  if (arrays.some((array) => array.length !== arrays[0].length)) {
    throw new RangeError(`the arrays have different lengths: ${arrays.map((array) => array.length).join(", ")}`);
  }
  return all[0];
}

const textOf = (definition) => {
  if (typeof definition === "string") return definition;
  if (definition instanceof HardSigmoid) return definition.text;
  throw new TypeError("a definition is a string, such as \"pytorch\", or a HardSigmoid");
};

export class HardSigmoid {
  constructor(text) {
    Object.assign(this, native.definition(textOf(text)));
    Object.freeze(this);
  }
  static affine(alpha, beta, kinkRule = "strict") {
    return new HardSigmoid(`affine(${Math.fround(alpha)}, ${Math.fround(beta)}, ${kinkRule})`);
  }
  static get presets() {
    return native.presets().map((name) => new HardSigmoid(name));
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
  hardSwish(x, options) {
    return compute("hard_swish", this, [x], options)[0];
  }
  hardSwishBackward(x, g, options) {
    return compute("hard_swish_backward", this, [x, g], options)[0];
  }
}

export function compute(operation, definition, inputs, { dtype } = {}) {
  const common = commonDtype(inputs, dtype);
  const results = native.compute(operation, textOf(definition), common, inputs.map(bytesOf));
  const Typed = inputs[0].constructor;
  return results.map((bytes) => new Typed(bytes.buffer, bytes.byteOffset, bytes.byteLength / Typed.BYTES_PER_ELEMENT));
}

export function check(operation, definition, inputs, results, { dtype } = {}) {
  const common = commonDtype([...inputs, ...results], dtype);
  return native.check(operation, textOf(definition), common, inputs.map(bytesOf), results.map(bytesOf));
}

export function identify({ x, y, g, dx }, { atol = 0, dtype } = {}) {
  if (!g !== !dx) throw new TypeError("g and dx belong together: give both or neither");
  // What readNpy returns knows its type.
  const all = Object.entries(g ? { x, y, g, dx } : { x, y }).map(([name, given]) => {
    if (given?.data && given.dtype) {
      return { name, array: given.data, dtype: given.dtype, isFortran: given.isFortran === true && given.shape.length > 1 };
    }
    return { name, array: given, dtype: given instanceof Float64Array ? "f64" : dtypeOf(given, name, dtype), isFortran: false };
  });
  if (all[0].array.length === 0) throw new RangeError("the arrays have no elements");
  const isOneOrder = all.every(({ isFortran }) => isFortran === all[0].isFortran);
  if (!isOneOrder) throw new RangeError("some arrays are in Fortran order, others in C order: save all in one");
  for (const { name, array } of all) {
    const wanted = all[0].array.length;
    if (array.length !== wanted) throw new RangeError(`${name} has ${array.length} elements, but x has ${wanted}`);
  }
  return native.identify(all.map(({ array }) => bytesOf(array)), all.map(({ dtype }) => dtype), atol);
}

// WebGPU's own defaults.
const DEFAULT_LIMITS = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 << 20,
  minStorageBufferOffsetAlignment: 256,
  maxComputeWorkgroupsPerDimension: 65535,
};

export function wgsl(operation, definition, { dtype = "f32", placement = "separate" } = {}) {
  return native.kernel(operation, textOf(definition), dtype, placement);
}

export function wgslFunctions(definition, { dtype = "f32" } = {}) {
  return native.functions(textOf(definition), dtype);
}

export function plan(operation, definition, length, { dtype = "f32", placement = "separate", limits = DEFAULT_LIMITS } = {}) {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`the length is ${length}, but has to be a whole number below 2^53`);
  const values = Object.keys(DEFAULT_LIMITS).map((name) => {
    if (!Number.isSafeInteger(limits[name])) throw new TypeError(`limits has no ${name}`);
    return limits[name];
  });
  const { tensors, parts } = native.plan(operation, textOf(definition), dtype, placement, length, values);
  return {
    wgsl: native.kernel(operation, textOf(definition), dtype, placement),
    tensors,
    parts: parts.map((part) => ({ ...part, params: new Uint32Array(part.params) })),
  };
}

export class Kernels {
  #device;
  /** By the number of tensors and the module's text: definitions of one formula share it, and so do in place and shared. */
  #pipelines = new Map();

  constructor(device) {
    this.#device = device;
  }

  encode(pass, operation, definition, tensors, options) {
    this.prepare(operation, definition, tensors, options).encode(pass);
  }

  prepare(operation, definition, tensors, { length, dtype = "f32", placement = "separate" }) {
    const device = this.#device;
    const { limits } = device;
    const planned = plan(operation, definition, length, { dtype, placement, limits });
    const places = new Map(planned.tensors.map(({ name }) => [name, placeOf(tensors, name)]));
    for (const { name } of planned.tensors) {
      const { buffer, offset } = places.get(name);
      const bytes = planned.parts.flatMap((part) => part.bindings).filter((one) => one.tensor === name);
      const end = bytes.reduce((end, one) => Math.max(end, offset + one.offset + one.size), 0);
      if (end > buffer.size) throw new RangeError(`the buffer of ${name} has ${buffer.size} bytes, but ${end} are needed`);
      const alignment = limits.minStorageBufferOffsetAlignment;
      if (offset % alignment) throw new RangeError(`${name} begins at byte ${offset}, which isn't a multiple of ${alignment}`);
    }
    const { layout, pipeline } = this.#compiled(planned);
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
      return { bindGroup: device.createBindGroup({ layout, entries }), dispatches: compiled };
    });
    return new Launch(parts);
  }

  #compiled({ wgsl, tensors }) {
    const key = `${tensors.length} ${wgsl}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const device = this.#device;
    const module = device.createShaderModule({ code: wgsl });
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
    this.#pipelines.set(key, compiled);
    return compiled;
  }
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
}

/** A tensor's buffer, and where it begins there. */
function placeOf(tensors, name) {
  const tensor = tensors[name];
  if (!tensor) throw new TypeError(`there is no buffer for ${name}; given are ${Object.keys(tensors).join(", ")}`);
  const { buffer, offset = 0 } = "buffer" in tensor ? tensor : { buffer: tensor };
  return { buffer, offset };
}

const NPY = { "<f8": ["f64", Float64Array], "<f4": ["f32", Float32Array], "<f2": ["f16", Uint16Array], "<u2": ["bf16", Uint16Array] };

export function readNpy(file) {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const { dtype: stored, shape, isFortran, start } = native.npy(bytes);
  const [dtype, Typed] = NPY[stored];
  // A copy, since the elements may begin anywhere. (The slice of a Buffer is none.)
  const data = new Typed(new Uint8Array(bytes.subarray(start)).buffer);
  return { dtype, shape, isFortran, data, start };
}
