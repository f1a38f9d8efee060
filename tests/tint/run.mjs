// Runs kernels through Dawn, whose compiler is Tint, as Chrome's is, and compares every bit with what the CPU path gave.
// Arguments: the folder that tests/tint.rs has filled, and the node_modules folder with the package `webgpu`.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, modules] = process.argv.slice(2);
const { create, globals } = await import(createRequire(resolve(modules) + "/").resolve("webgpu"));
Object.assign(globalThis, globals);
// Kept: it is freed with its last reference.
globalThis.gpu = create([]);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn has no adapter: VK_ICD_FILENAMES names SwiftShader's or a newer lavapipe's driver");
const device = await adapter.requestDevice();
device.addEventListener("uncapturederror", (event) => {
  throw new Error(event.error.message);
});
console.log(`adapter: ${adapter.info.description || adapter.info.architecture}`);

const GUARD = 16;
const read = (name) => new Uint8Array(readFileSync(join(folder, name)));
const words = (bytes) => Math.ceil(bytes / 4) * 4;

/** The outputs, each with guard bytes behind it. */
async function results({ text, entry, inputs, sizes, params, groups, tail }) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const upload = (bytes, extra, how) => {
    const buffer = device.createBuffer({ size: words(bytes.length) + extra, usage: how });
    const padded = new Uint8Array(words(bytes.length) + extra).fill(0xab);
    padded.set(bytes);
    device.queue.writeBuffer(buffer, 0, padded);
    return buffer;
  };
  const tensors = inputs.map((bytes) => upload(bytes, 0, usage));
  const outputs = sizes.map((size) => upload(new Uint8Array(size).fill(0xab), GUARD, usage));
  const uniform = upload(params, 0, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
  const module = device.createShaderModule({ code: text });
  const encoder = device.createCommandEncoder();
  for (const [name, count] of [[entry, groups], ...(tail ? [[`${entry}_tail`, 1]] : [])]) {
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: name } });
    const written = outputs.map((buffer, i) => ({ buffer, size: words(sizes[i]) }));
    const bound = [...tensors.map((buffer) => ({ buffer })), ...written, { buffer: uniform }];
    const entries = bound.map((resource, binding) => ({ binding, resource }));
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(count);
    pass.end();
  }
  const staged = outputs.map((output) => {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = device.createBuffer({ size: output.size, usage });
    encoder.copyBufferToBuffer(output, 0, staging, 0, output.size);
    return staging;
  });
  device.queue.submit([encoder.finish()]);
  const read = [];
  for (const staging of staged) {
    await staging.mapAsync(GPUMapMode.READ);
    read.push(new Uint8Array(staging.getMappedRange().slice(0)));
  }
  for (const buffer of [...tensors, ...outputs, uniform, ...staged]) buffer.destroy();
  return read;
}

// Subnormals may come as a zero of their sign, which WGSL allows; the smallest normal number may be one rounded up.
function compare(actual, expected, element) {
  const [Bits, sign, smallest] = {
    f32: [Uint32Array, 0x80000000, 0x00800000],
    f16: [Uint16Array, 0x8000, 0],
    bf16: [Uint16Array, 0x8000, 0x0080],
    // Nothing is tiny here.
    bits: [Uint32Array, 0, -Infinity],
  }[element];
  const [a, e] = [actual, expected].map((bytes) => new Bits(bytes.slice().buffer));
  let [differing, flushed] = [0, 0];
  for (let i = 0; i < e.length; i++) {
    if (a[i] === e[i]) continue;
    const isTiny = (e[i] & (sign - 1)) <= smallest && a[i] === (e[i] & sign) >>> 0;
    if (isTiny) flushed++;
    else differing++;
  }
  return [differing, flushed];
}

// The comparison can fail.
const bytesOf = (...values) => new Uint8Array(new Float32Array(values).buffer);
if (String(compare(bytesOf(1, 0, 2), bytesOf(1, 1e-40, 3), "f32")) !== "1,1") throw new Error("differences aren't seen");
const bitsOf = (...values) => new Uint8Array(new Uint32Array(values).buffer);
if (String(compare(bitsOf(0, 0, 5), bitsOf(0xffffffff, 1, 5), "bits")) !== "2,0") throw new Error("lost bits aren't seen");

let [cases, failed, all] = [0, 0, 0];
for (const line of readFileSync(join(folder, "cases"), "utf8").trim().split("\n")) {
  const [name, element, entry, inputs, outputs, groups, tail] = line.split("\t");
  const numbers = (count) => [...Array(Number(count)).keys()];
  const expected = numbers(outputs).map((i) => read(`${name}.expected.${i}`));
  const actual = await results({
    text: readFileSync(join(folder, `${name}.wgsl`), "utf8"),
    entry,
    inputs: numbers(inputs).map((i) => read(`${name}.${i}`)),
    sizes: expected.map((bytes) => bytes.length),
    params: read(`${name}.params`),
    groups: Number(groups),
    tail: tail === "true",
  });
  const counts = expected.map((bytes, i) => compare(actual[i].slice(0, bytes.length), bytes, element));
  const [differing, flushed] = [0, 1].map((k) => counts.reduce((sum, count) => sum + count[k], 0));
  const intact = expected.every((bytes, i) => actual[i].slice(bytes.length).every((byte) => byte === 0xab));
  if (differing || !intact) failed++;
  cases++;
  all += expected.reduce((sum, bytes) => sum + bytes.length / (element.endsWith("16") ? 2 : 4), 0);
  const notes = (flushed ? ` (${flushed} subnormals as zero)` : "") + (intact ? "" : ", wrote behind its end");
  console.log(`${name.padEnd(36)} ${differing} differ${notes}`);
}
console.log(`${cases} cases, ${all} results, ${failed} cases failed`);
process.exit(failed || !cases ? 1 : 0);
