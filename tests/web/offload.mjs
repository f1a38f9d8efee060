// hard_sigmoid::offload, compiled to WebAssembly, on WebGPU and on the CPU. Arguments: the built module, and node_modules.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { GPU, launch, serve } from "./browser.mjs";

const [folder, modules] = process.argv.slice(2);
writeFileSync(join(folder, "index.html"), '<!doctype html><link rel="icon" href="data:,"><title>offload</title>');
const { address, close } = await serve(folder);
const browser = await launch(modules, GPU);
const page = await browser.newPage();
await page.goto(address);
for (const [target, adapter] of [["gpu", "an adapter"], ["cpu", "no adapter"]]) {
  const found = await page.evaluate(async (target) => {
    const { default: init, check } = await import("./offload.js");
    await init({ module_or_path: "offload_bg.wasm" });
    return check(target);
  }, target);
  // Each of the eight presets has one result that was made wrong on purpose.
  assert.equal(found, `524288 compared, 8 differ, ${adapter}`);
  console.log(`offload on ${target}: ${found}, as intended`);
}
await browser.close();
close();
