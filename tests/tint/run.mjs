// Follows plans in Dawn, which compiles with Tint as Chrome does, and writes the results for main.rs to compare.
// Arguments: the folder that main.rs has filled, and the node_modules folder with the package `webgpu`.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [folder, modules] = process.argv.slice(2);
const { create, globals } = await import(createRequire(resolve(modules) + "/").resolve("webgpu"));
Object.assign(globalThis, globals);
// A global keeps it from being freed.
globalThis.gpu = create([]);
const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn has no adapter; set VK_ICD_FILENAMES to the driver of SwiftShader or of a newer lavapipe");
const device = await adapter.requestDevice();
device.addEventListener("uncapturederror", (event) => {
  throw new Error(event.error.message);
});
console.log(`adapter: ${adapter.info.description || adapter.info.architecture}`);

const GUARD = 16;
const read = (name) => new Uint8Array(readFileSync(join(folder, name)));
const words = (bytes) => Math.ceil(bytes / 4) * 4;

/** The outputs, each with guard bytes after it. */
async function results({ text, inputs, sizes, params, dispatches }) {
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
  const uniforms = params.map((bytes) => upload(bytes, 0, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST));
  const module = device.createShaderModule({ code: text });
  const encoder = device.createCommandEncoder();
  for (const { entryPoint, part, workgroups } of dispatches) {
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint } });
    const written = outputs.map((buffer, i) => ({ buffer, size: words(sizes[i]) }));
    const bound = [...tensors.map((buffer) => ({ buffer })), ...written, { buffer: uniforms[part] }];
    const entries = bound.map((resource, binding) => ({ binding, resource }));
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...workgroups);
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
  for (const buffer of [...tensors, ...outputs, ...uniforms, ...staged]) buffer.destroy();
  return read;
}

for (const line of readFileSync(join(folder, "cases"), "utf8").trim().split("\n")) {
  const [name, inputs, sizes, dispatches] = line.split("\t");
  const plan = dispatches.split(" ").map((dispatch) => {
    const [entryPoint, part, ...workgroups] = dispatch.split(":");
    return { entryPoint, part: Number(part), workgroups: workgroups.map(Number) };
  });
  const parts = Math.max(...plan.map(({ part }) => part)) + 1;
  const actual = await results({
    text: readFileSync(join(folder, `${name}.wgsl`), "utf8"),
    inputs: [...Array(Number(inputs)).keys()].map((i) => read(`${name}.${i}`)),
    sizes: sizes.split(" ").map(Number),
    params: [...Array(parts).keys()].map((i) => read(`${name}.params.${i}`)),
    dispatches: plan,
  });
  actual.forEach((bytes, i) => writeFileSync(join(folder, `${name}.actual.${i}`), bytes));
}
process.exit(0);
