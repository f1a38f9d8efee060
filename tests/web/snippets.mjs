// The TensorFlow.js one-liners of the page have the bits that it promises. Arguments: the built package, and node_modules.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, modules] = process.argv.slice(2);
const tf = createRequire(resolve(modules) + "/")("@tensorflow/tfjs");
const { compute, readNpy } = await import(pathToFileURL(join(resolve(folder), "index.js")));
const here = import.meta.dirname;
// A negative alpha turns the sign of zeros in the gradient, of which the page says so.
const [ALPHA, BETA] = [0.7, 0.3];
const snippets = JSON.parse(readFileSync(join(here, "../../examples/web/page/snippets.json")));
const golden = (name) => readNpy(readFileSync(join(here, "../golden", name))).data;
const differing = (a, b) => {
  assert.equal(a.length, b.length);
  return a.reduce((sum, value, i) => sum + !Object.is(value, b[i]), 0);
};
assert.equal(differing(Float32Array.of(0, 1, NaN), Float32Array.of(-0, 1, NaN)), 1);

await tf.setBackend("cpu");
const [xs, gs] = ["x.npy", "g.npy"].map(golden);
const [x, g] = [tf.tensor1d(xs), tf.tensor1d(gs)];
let checked = 0;
// No line in TensorFlow.js is that of a hard swish.
for (const [key, all] of Object.entries(snippets).filter(([key]) => !key.endsWith("hard_swish"))) {
  const [, rule] = key.split(", ");
  const preset = rule ? `affine(${ALPHA}, ${BETA}, ${rule})` : key;
  const { code: written, bits } = all.find(({ language }) => language === "TensorFlow.js");
  const code = written.replaceAll("ALPHA", ALPHA).replaceAll("BETA", BETA);
  const of = new Function("tf", "x", `return ${code};`);
  const y = of(tf, x).dataSync();
  const [expectedY] = rule ? compute("forward", preset, [xs]) : [golden(`${preset}.y.npy`)];
  assert.equal(differing(y, expectedY), 0, `${preset}: y of ${code}`);
  const dx = tf.grad((x) => of(tf, x))(x, g).dataSync();
  const [expected] = compute("backward", preset, [xs, gs]);
  assert.equal(differing(dx, expected) === 0, bits === "y and dx", `${preset}: dx of ${code}`);
  checked += y.length;
  console.log(`${preset}: ${code}: ${bits}`);
}
assert.equal(checked, 11 * xs.length);
