// Where the page computes: on the visitor's GPU by the kernels, or on the CPU in WebAssembly. Both have the method run.

/** Elements that go to the GPU at a time: 64 MiB of float32. */
const PIECE = 1 << 24;
/** The byte that fills results before they are computed, and the bytes after them. */
const SENTINEL = 0xab;
const GUARD = 16;

export class Cpu {
  constructor(hs) {
    this.hs = hs;
  }
  /** The first result of an operation. */
  async run(operation, definition, inputs, options) {
    return this.hs.compute(operation, definition, inputs, options)[0];
  }
}

export class Gpu {
  /** Opens a GPU. Throws if there is none. */
  static async open(hs) {
    if (!navigator.gpu) throw new Error("this browser has no WebGPU, or allows it only on https and localhost");
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) throw new Error("WebGPU found no adapter");
    return new Gpu(hs, await adapter.requestDevice(), adapter);
  }
  constructor(hs, device, { info, limits }) {
    const { vendor = "", architecture = "", description = "", isFallbackAdapter } = info ?? {};
    this.limits = limits;
    // Browsers often tell no more than its maker and family.
    this.name = description || `${vendor} ${architecture}`.trim() || "An adapter without a name";
    this.isSoftware = isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(`${this.name} ${architecture}`);
    this.hs = hs;
    this.device = device;
    this.kernels = new hs.Kernels(device);
    device.lost.then(({ message }) => (this.lost = new Error(`the GPU was lost${message && `: ${message}`}`)));
  }
  /** The first result of an operation on elements, in pieces. */
  async run(operation, definition, inputs, { dtype } = {}) {
    const result = new inputs[0].constructor(inputs[0].length);
    for (let start = 0; start < result.length; start += PIECE) {
      const piece = inputs.map((input) => input.subarray(start, start + PIECE));
      const [bytes] = await this.apply(operation, definition, piece, { dtype, length: piece[0].length });
      result.set(new result.constructor(bytes.buffer, 0, piece[0].length), start);
    }
    return result;
  }
  /** The tensors of an operation: the name of each, whether it is an operand, and its bytes. */
  tensors(operation, parameters, length, dtype) {
    const { tensors, parts } = this.hs.plan(operation, parameters, length, { dtype, limits: this.device.limits });
    const bindings = parts.flatMap(({ bindings }) => bindings);
    return tensors.map(({ name, type }) => {
      const ends = bindings.filter(({ tensor }) => tensor === name).map(({ offset, size }) => offset + size);
      // Buffers have whole words, so an odd half has a neighbour.
      return { name, isOperand: type === "read-only-storage", size: Math.ceil(Math.max(0, ...ends) / 4) * 4 };
    });
  }
  /** The bytes of all results of an operation. `inputs` are its operands, and then what its result holds, if it adds to it. */
  async apply(operation, parameters, inputs, { dtype = "f32", length }) {
    const { device } = this;
    if (this.lost) throw this.lost;
    const tensors = this.tensors(operation, parameters, length, dtype);
    const before = inputs.slice(tensors.filter(({ isOperand }) => isOperand).length);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    const buffers = [];
    const buffer = (descriptor) => {
      const made = device.createBuffer(descriptor);
      buffers.push(made);
      return made;
    };
    let errors, launch;
    try {
      const named = {};
      const staged = [];
      device.pushErrorScope("out-of-memory");
      device.pushErrorScope("validation");
      try {
        const encoder = device.createCommandEncoder();
        for (const [i, { name, isOperand, size }] of tensors.entries()) {
          const made = (named[name] = buffer({ size: size + GUARD, usage, mappedAtCreation: true }));
          const mapped = new Uint8Array(made.getMappedRange()).fill(SENTINEL);
          const content = isOperand ? inputs[i] : before[staged.length];
          if (content) mapped.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
          made.unmap();
          if (isOperand) continue;
          const staging = buffer({ size: size + GUARD, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
          staged.push({ name, made, staging, size });
        }
        const pass = encoder.beginComputePass();
        launch = this.kernels.prepare(operation, parameters, named, { length, dtype });
        launch.encode(pass);
        pass.end();
        for (const { made, staging, size } of staged) encoder.copyBufferToBuffer(made, 0, staging, 0, size + GUARD);
        device.queue.submit([encoder.finish()]);
        for (const one of staged) one.mapped = one.staging.mapAsync(GPUMapMode.READ);
      } finally {
        // This comes before any wait, in which another run may push scopes of its own.
        errors = Promise.all([device.popErrorScope(), device.popErrorScope()]);
        // They are awaited last, and a rejection may come earlier.
        errors.catch(() => {});
      }
      const results = [];
      for (const { name, staging, mapped, size } of staged) {
        await mapped;
        const bytes = new Uint8Array(staging.getMappedRange()).slice();
        if (bytes.subarray(size).some((byte) => byte !== SENTINEL)) throw new Error(`${operation} wrote beyond its ${name}`);
        results.push(bytes.slice(0, size));
      }
      return results;
    } finally {
      for (const one of [launch, ...buffers]) one?.destroy();
      const error = (await errors).find(Boolean);
      if (error) throw new Error(error.message || "the GPU refused a call");
      if (this.lost) throw this.lost;
    }
  }
}
