// Where the page computes: on the visitor's GPU by the kernels, or on the CPU in WebAssembly. Both have the method run.

/** Elements that go to the GPU at a time: 64 MiB of float32. */
const PIECE = 1 << 24;

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
    return new Gpu(hs, await adapter.requestDevice(), adapter.info ?? {});
  }
  constructor(hs, device, { vendor = "", architecture = "", description = "", isFallbackAdapter }) {
    // Browsers often tell no more than its maker and family.
    this.name = description || `${vendor} ${architecture}`.trim() || "An adapter without a name";
    this.isSoftware = isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(`${this.name} ${architecture}`);
    this.device = device;
    this.kernels = new hs.Kernels(device);
    device.lost.then(({ message }) => (this.lost = new Error(`the GPU was lost${message && `: ${message}`}`)));
  }
  async run(operation, definition, inputs, { dtype } = {}) {
    const result = new inputs[0].constructor(inputs[0].length);
    for (let start = 0; start < result.length; start += PIECE) {
      const piece = inputs.map((input) => input.subarray(start, start + PIECE));
      await this.runPiece(operation, definition, piece, dtype ?? "f32", result.subarray(start, start + PIECE));
    }
    return result;
  }
  async runPiece(operation, definition, inputs, dtype, result) {
    const { device } = this;
    if (this.lost) throw this.lost;
    // Buffers have whole words, so an odd half has a neighbour.
    const size = Math.ceil(result.byteLength / 4) * 4;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    const buffers = [];
    const buffer = (descriptor) => {
      const made = device.createBuffer(descriptor);
      buffers.push(made);
      return made;
    };
    let errors, launch;
    try {
      let staging, mapped;
      device.pushErrorScope("out-of-memory");
      device.pushErrorScope("validation");
      try {
        const tensors = inputs.map((input) => {
          const made = buffer({ size, usage, mappedAtCreation: true });
          new input.constructor(made.getMappedRange()).set(input);
          made.unmap();
          return made;
        });
        const out = buffer({ size, usage });
        staging = buffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        const named = inputs.length === 1 ? { x: tensors[0], y: out } : { x: tensors[0], g: tensors[1], dx: out };
        launch = this.kernels.prepare(operation, definition, named, { length: result.length, dtype });
        launch.encode(pass);
        pass.end();
        encoder.copyBufferToBuffer(out, 0, staging, 0, size);
        device.queue.submit([encoder.finish()]);
        mapped = staging.mapAsync(GPUMapMode.READ);
      } finally {
        // This comes before any wait, in which another run may push scopes of its own.
        errors = Promise.all([device.popErrorScope(), device.popErrorScope()]);
        // They are awaited last, and a rejection may come earlier.
        errors.catch(() => {});
      }
      await mapped;
      result.set(new result.constructor(staging.getMappedRange()).subarray(0, result.length));
    } finally {
      for (const one of [launch, ...buffers]) one?.destroy();
      const error = (await errors).find(Boolean);
      if (error) throw new Error(error.message);
      if (this.lost) throw this.lost;
    }
  }
}

/** The elements that are timed, 16 MiB of float32: more than caches hold, and less than a phone has. */
const ELEMENTS = 1 << 22;
const BYTES = 4 * ELEMENTS;
/** The milliseconds that are long enough for the coarse clocks of browsers. */
const LONG_ENOUGH = 200;
const ROUNDS = 5;

/**
 * GB/s read and written: of the forward kernel and of a copy, both in GPU memory, and of the CPU path. Nothing but `differing` if
 * the kernel's results are wrong.
 */
export async function measure(hs, gpu, definition) {
  const x = Float32Array.from({ length: ELEMENTS }, (_, i) => (i % 4096) / 512 - 4);
  let y;
  const cpu = await best(async (count) => {
    for (let i = 0; i < count; i++) y = definition.forward(x);
  });
  if (!gpu) return { cpu };
  const onGpu = await gpu.run("forward", definition, [x]);
  const { differing } = hs.check("forward", definition, [x], [onGpu]);
  if (differing) return { differing };
  const { device } = gpu;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: BYTES, usage }));
  let launch;
  try {
    device.queue.writeBuffer(from, 0, x);
    launch = gpu.kernels.prepare("forward", definition, { x: from, y: to }, { length: ELEMENTS });
    const finish = (encoder) => {
      device.queue.submit([encoder.finish()]);
      return device.queue.onSubmittedWorkDone();
    };
    const kernel = await best((count) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < count; i++) launch.encode(pass);
      pass.end();
      return finish(encoder);
    });
    const copy = await best((count) => {
      const encoder = device.createCommandEncoder();
      for (let i = 0; i < count; i++) encoder.copyBufferToBuffer(from, 0, to, 0, BYTES);
      return finish(encoder);
    });
    if (gpu.lost) throw gpu.lost;
    return { kernel, copy, cpu };
  } finally {
    for (const one of [launch, from, to]) one?.destroy();
  }
}

/** The best of some rounds. */
async function best(run) {
  let [count, shortest, rounds] = [1, Infinity, 0];
  while (rounds < ROUNDS) {
    const start = performance.now();
    await run(count);
    const took = performance.now() - start;
    if (took < LONG_ENOUGH && rounds === 0) count *= 2;
    else {
      shortest = Math.min(shortest, took / count);
      rounds++;
    }
  }
  return (2 * BYTES) / shortest / 1e6;
}
