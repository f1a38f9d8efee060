// "Test this GPU": every operation, definition and type on a sample, beside the CPU path, and the speed of some kernels beside a copy.
// The report has the form that `hard-sigmoid verify` writes.
import { count } from "./common.js";

/** Rows of six elements, as the broadcast gate of `operations` needs them: every half about eight times. Bytes fill whole words. */
const lengthOf = (dtype) => 6 * (dtype === "u8" ? 87382 : 87383);
/** The array of each type's bits, and the one that hs.check takes. */
const TYPES = {
  f32: [Uint32Array, Float32Array],
  f16: [Uint16Array, Uint16Array],
  bf16: [Uint16Array, Uint16Array],
  u8: [Uint8Array, Uint8Array],
};

/** The bits of two more operands, which seem to have nothing to do with `seed`. */
const rotated = (bits, by) => (bits << by) | (bits >>> (32 - by));
const others = (seed) => [rotated(Math.imul(seed, 0x9e3779b1), 13), rotated(Math.imul(seed, 0x85ebca6b), 21) ^ 0x40000000];

/** x and two more operands. In f32, round numbers take turns with ones that have all of their bits. */
function sample(dtype) {
  const [Words] = TYPES[dtype];
  const length = lengthOf(dtype);
  const all = [0, 1, 2].map(() => new Words(length));
  for (let i = 0; i < length; i++) {
    const x = dtype !== "f32" ? i : i % 2 ? Math.imul(i >> 1, 16411) : (i >> 1) << 14;
    const [g, h] = others(x);
    [all[0][i], all[1][i], all[2][i]] = [x, g, h];
  }
  return all.map(({ buffer }) => new Uint8Array(buffer));
}

/** Every operation with every preset, and with a definition that is none. */
function cases(hs) {
  const definitions = [...hs.HardSigmoid.presets.map(({ text }) => text), "affine(0.3, 0.45, half)"];
  const key = (one) => JSON.stringify(one, (_, value) => (typeof value === "bigint" ? String(value) : value));
  return [...new Map(definitions.flatMap((text) => hs.operations(text)).map((one) => [key(one), one])).values()];
}

/** A tensor's bytes as an array of the type that hs.check takes. */
function typed(name, dtype, bytes) {
  const Typed = name === "bits" ? Uint32Array : TYPES[dtype][1];
  return new Typed(bytes.buffer, bytes.byteOffset, bytes.byteLength / Typed.BYTES_PER_ELEMENT);
}

/** What the browser is, without what identifies its user. */
function host() {
  const brand = navigator.userAgentData?.brands.find(({ brand }) => !/not.?a.?brand/i.test(brand));
  if (brand) return `${brand.brand} ${brand.version} on ${navigator.userAgentData.platform}`;
  const [name] = /(Firefox|Version|Chrome)\/[\d.]+/.exec(navigator.userAgent) ?? ["a browser"];
  return `${name.replace("Version", "Safari").replace("/", " ")} on ${navigator.platform}`;
}

const LIMITS = [
  "maxStorageBuffersPerShaderStage",
  "maxStorageBufferBindingSize",
  "minStorageBufferOffsetAlignment",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeWorkgroupStorageSize",
];

/** Tests a GPU. `each` is told the share that is done; it returns true to end early. */
export async function verify(hs, gpu, each) {
  const report = {
    schema: 1,
    version: hs.version,
    commit: null,
    date: new Date().toISOString().slice(0, 10),
    host: host(),
    adapter: { name: gpu.name, backend: "WebGPU", driver: "", is_software: gpu.isSoftware },
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
    inputs: "short sample",
    rows: [],
    left_out: [],
    speed: [],
    not_measured: null,
    stopped: null,
  };
  const all = cases(hs);
  const rowCount = all.reduce((sum, { dtypes }) => sum + dtypes.length, 0);
  try {
    for (const dtype of Object.keys(TYPES)) {
      const operands = sample(dtype);
      for (const { operation, parameters } of all.filter(({ dtypes }) => dtypes.includes(dtype))) {
        if (each(report.rows.length / rowCount, report)) {
          report.stopped = "it was interrupted";
          return report;
        }
        if (report.left_out.some((one) => one.operation === operation)) continue;
        try {
          gpu.tensors(operation, parameters, lengthOf(dtype), dtype);
        } catch (error) {
          report.left_out.push({ operation, why: error.message });
          continue;
        }
        report.rows.push(await row(hs, gpu, operation, parameters, dtype, operands));
      }
    }
  } catch (error) {
    report.stopped = await because(gpu, error);
    return report;
  }
  try {
    report.speed = await speeds(hs, gpu);
  } catch (error) {
    report.not_measured = await because(gpu, error);
  }
  return report;
}

/** Why something failed. A GPU that is lost says so after its calls have failed. */
async function because(gpu, error) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { message, name } = gpu.lost ?? error;
  return (message || name).split("\n")[0].replace(/\.$/, "");
}

async function row(hs, gpu, operation, parameters, dtype, [x, g, h]) {
  const length = lengthOf(dtype);
  const tensors = gpu.tensors(operation, parameters, length, dtype);
  // The hard sigmoid is always that of x.
  const sources = tensors[0].name === "a" ? [g, x, h] : [x, g, h];
  const inputs = tensors
    .filter(({ isOperand }) => isOperand)
    .map(({ name, size }, i) => typed(name, dtype, sources[i].subarray(0, size)));
  const outputs = tensors.filter(({ isOperand }) => !isOperand);
  if (operation === "backward_accumulate") inputs.push(typed("dx", dtype, h));
  const results = await gpu.apply(operation, parameters, inputs, { dtype, length });
  const given = outputs.map(({ name }, i) => typed(name, dtype, results[i]));
  const found = hs.check(operation, parameters, inputs, given, { dtype });
  const { definition, estimator } = parameters;
  // What is undefined is left out of the JSON.
  return { operation, definition, estimator, dtype, results: found.compared, differing: found.differing, flushed: found.flushed, first: found.first };
}

/** A report as JSON, with a line for each row, as `hard-sigmoid verify` writes it. */
export const toJson = (report) => `${JSON.stringify([report]).replaceAll('{"operation"', '\n{"operation"')}\n`;

// --- speed --------------------------------------------------------------------------------------------------------

const COPY = `
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.y * groups.x * 256u + id.x;
    if i < arrayLength(&y) {
        y[i] = x[i];
    }
}`;
/** The bytes of a tensor: more than most caches hold, and less than a phone has. */
const SIZE = 64 << 20;
const OF_SOFTWARE = 16 << 20;
/** The milliseconds that are long enough for the coarse clocks of browsers. */
const LONG_ENOUGH = 100;
const ROUNDS = 5;

async function speeds(hs, gpu) {
  const { device } = gpu;
  const bytes = gpu.isSoftware ? OF_SOFTWARE : SIZE;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  for (const filter of ["out-of-memory", "validation"]) device.pushErrorScope(filter);
  const buffers = [0, 1, 2].map(() => device.createBuffer({ size: bytes, usage }));
  const errors = Promise.all([device.popErrorScope(), device.popErrorScope()]);
  const launches = [];
  try {
    const failed = (await errors).find(Boolean);
    if (failed) throw new Error(failed.message || "the GPU is out of memory");
    const numbers = Uint32Array.from({ length: bytes / 4 }, (_, i) => (Math.imul(0x3f804000, i % 251) & 0xc0ffc0ff) | 0x38003800);
    const [x, g, y] = buffers;
    for (const buffer of [x, g]) device.queue.writeBuffer(buffer, 0, numbers);
    const module = device.createShaderModule({ code: COPY });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
    const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const bindGroup = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const groups = Math.ceil(bytes / 16 / 256);
    const copy = (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(Math.min(groups, 4096), Math.ceil(groups / 4096));
    };
    const found = [];
    for (const dtype of ["f32", "f16"]) {
      const elements = bytes / (dtype === "f32" ? 4 : 2);
      const operations = { forward: { x, y }, backward: { x, g, dx: y }, hard_swish: { x, y }, gate: { a: x, b: g, y } };
      for (const [operation, tensors] of Object.entries(operations)) {
        const launch = gpu.kernels.prepare(operation, "pytorch", tensors, { length: elements, dtype });
        launches.push(launch);
        const [ours, copied] = await inTurn(gpu, [(pass) => launch.encode(pass), copy]);
        const rate = (tensors, milliseconds) => (tensors * bytes) / milliseconds / 1e6;
        found.push({
          ...{ operation, dtype, elements },
          gigabytes_per_second: rate(Object.keys(tensors).length, ours),
          copy_gigabytes_per_second: rate(2, copied),
        });
      }
    }
    return found;
  } finally {
    for (const one of [...launches, ...buffers]) one.destroy();
  }
}

/** Milliseconds that each work takes: the medians of rounds in which they take turns. */
async function inTurn(gpu, works) {
  const time = async (work, times) => {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) work(pass);
    pass.end();
    const begun = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.device.queue.onSubmittedWorkDone();
    if (gpu.lost) throw gpu.lost;
    return performance.now() - begun;
  };
  const counts = [];
  for (const work of works) {
    // The first run compiles.
    await time(work, 1);
    let times = 1;
    while ((await time(work, times)) < LONG_ENOUGH && times < 4096) times *= 2;
    counts.push(times);
  }
  const all = works.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, work] of works.entries()) all[i].push((await time(work, counts[i])) / counts[i]);
  }
  return all.map((times) => times.sort((a, b) => a - b)[ROUNDS >> 1]);
}

// --- words --------------------------------------------------------------------------------------------------------

const sum = (rows, key) => rows.reduce((sum, row) => sum + row[key], 0);

/** The verdict in a sentence, and whether it is good. */
export function verdict({ rows, adapter, stopped }) {
  const [results, differing, flushed] = ["results", "differing", "flushed"].map((key) => sum(rows, key));
  const on = `${adapter.name}${adapter.is_software ? ", a GPU emulated in software" : ""}`;
  const early = stopped ? ` It ended early: ${stopped}.` : "";
  if (differing) return { isGood: false, text: `${on} is wrong: ${count(differing)} of ${count(results)} results differ from the CPU path.${early}` };
  const subnormals = flushed ? `, or took a subnormal number as zero (${count(flushed)} of them)` : "";
  const which = stopped ? `The ${count(results)} results so far` : `All ${count(results)} results`;
  return { isGood: !stopped, text: `${which} of a sample over all bit patterns have the CPU path's bits${subnormals} on ${on}.${early}` };
}

/** Tables in Markdown, which are plain enough to read as they are. */
export function tables(report) {
  const names = [...new Set(report.rows.map(({ operation }) => operation))];
  const types = Object.keys(TYPES);
  const cell = (rows) => (rows.length ? `${count(sum(rows, "differing"))}${sum(rows, "flushed") ? ` (${count(sum(rows, "flushed"))})` : ""}` : "-");
  const lines = names.map((name) => [name, ...types.map((type) => cell(report.rows.filter((row) => row.operation === name && row.dtype === type)))]);
  const wrong = report.rows.filter(({ differing }) => differing).slice(0, 5);
  const speeds = report.speed.map((one) => {
    const rate = one.gigabytes_per_second;
    return [one.operation, one.dtype, rate.toFixed(1), (rate / one.copy_gigabytes_per_second).toFixed(2)];
  });
  return [
    table(["wrong results", ...types], lines),
    sum(report.rows, "flushed") && "In brackets: further results that took a subnormal number as zero, which WGSL allows.",
    ...wrong.map(({ definition, estimator, first }) => `Wrong: ${definition ?? estimator ?? "no definition"}, ${first}`),
    ...report.left_out.map(({ operation, why }) => `Not run: ${operation}, since ${why}`),
    report.not_measured && `Nothing was measured: ${report.not_measured}`,
    speeds.length && table(["speed", "type", "GB/s", "of a copy"], speeds),
  ].filter(Boolean).join("\n\n");
}

function table(head, lines) {
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i].length)));
  const spaced = (line) => `| ${line.map((text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]))).join(" | ")} |`;
  return [spaced(head), `|${widths.map((width, i) => `${"-".repeat(width + 1)}${i ? ":" : "-"}`).join("|")}|`, ...lines.map(spaced)].join("\n");
}

/** The text of an issue: its title in the first line. */
export function issue(report) {
  return `Report of ${report.adapter.name} in ${report.host}\n\n${verdict(report).text}\n\n${tables(report)}\n\n<details><summary>report.json</summary>\n\n\`\`\`json\n${toJson(report)}\`\`\`\n</details>\n`;
}
