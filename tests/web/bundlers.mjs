// Bundles a program with the package as README says, and runs it in Chromium. Arguments: the built package, and the node_modules
// folder with the bundlers.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { install, launch, serve } from "./browser.mjs";

// A page that hangs fails.
setTimeout(() => {
  console.error("ten minutes are over");
  process.exit(1);
}, 600_000).unref();
const [built, modules] = process.argv.slice(2).map((path) => resolve(path));
const { project, run } = install(built);
const require = createRequire(join(modules, "/"));

// Bundlers look for their plugins in the project.
symlinkSync(join(modules, "@rollup"), join(project, "node_modules/@rollup"));
process.env.PATH = `${join(modules, ".bin")}:${process.env.PATH}`;
const PROGRAM = `import { HardSigmoid, inspect, wgsl } from "hard-sigmoid";
globalThis.run = (x) => [new HardSigmoid("pytorch").forward(x), wgsl("forward", "pytorch")];
globalThis.inspect = async (text) => (await inspect(new Blob([text]))).activations.map(({ definitions }) => String(definitions));
`;
writeFileSync(join(project, "main.js"), PROGRAM);
const page = (script) => `<!doctype html><link rel="icon" href="data:,"><script type="module" src="${script}"></script>`;
writeFileSync(join(project, "index.html"), page("main.js"));

const hs = await import(pathToFileURL(join(built, "index.js")));
const [x, expected] = ["x.npy", "pytorch.y.npy"].map((name) => hs.readNpy(readFileSync(join(import.meta.dirname, "../golden", name))).data);
assert.ok(x.length > 6000);
const model = readFileSync(join(import.meta.dirname, "../../crates/inspect/tests/models/keras2.json"), "utf8");
const differing = (a, b) => a.reduce((sum, value, i) => sum + !Object.is(value, b[i]), 0);
assert.equal(differing(Float32Array.of(0, NaN, 1), Float32Array.of(-0, NaN, 1)), 1);

const browser = await launch(modules, []);
/** Opens a page; returns what its console had to complain about, and whether the program is there. */
async function open(address) {
  const page = await browser.newPage();
  const found = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && found.push(message.text()));
  page.on("pageerror", (error) => found.push(error.message));
  await page.goto(address);
  await page.waitForFunction(() => globalThis.run, null, { timeout: 5000 }).catch(() => {});
  return { page, found };
}
/** The program computes PyTorch's bits in the page, and has the text of the kernel. */
async function works(name, address) {
  const { page, found } = await open(address);
  assert.deepEqual(found, [], name);
  const [y, text] = await page.evaluate((bits) => {
    const [y, text] = globalThis.run(new Float32Array(Uint32Array.from(bits).buffer));
    return [[...new Uint32Array(y.buffer)], text];
  }, [...new Uint32Array(x.buffer, x.byteOffset, x.length)]);
  assert.equal(y.length, x.length);
  assert.equal(differing(new Float32Array(Uint32Array.from(y).buffer), expected), 0, name);
  assert.equal(text, hs.wgsl("forward", "pytorch"), name);
  const inModel = await page.evaluate((text) => globalThis.inspect(text), model);
  assert.deepEqual(inModel, ["keras", "keras", "keras"], name);
  assert.deepEqual(found, [], name);
  await page.close();
  console.log(`${name}: ${y.length} results of PyTorch, 0 differ`);
}
/** The page has no file of WebAssembly, and says so. */
async function misses(name, address) {
  const { page, found } = await open(address);
  assert.ok(found.some((text) => /native_bg\.wasm isn't there: copy native_bg\.wasm of/.test(text)), `${name}: ${found}`);
  await page.close();
  console.log(`${name}: says what is missing`);
}

// README's commands.
const readme = readFileSync(join(built, "README.md"), "utf8");
const [, block] = readme.match(/```sh\n(# esbuild.*?)```/s);
const bundlers = block.split(/^# /m).slice(1).map((text) => text.split(/\n(.*)/s).slice(0, 2));
const versions = bundlers.map(([title]) => title.match(/^(\w+) ([\d.]+)/).slice(1));
assert.deepEqual(versions.map(([name]) => name), ["esbuild", "Rollup", "webpack", "Vite"]);
for (const [name, said] of versions) {
  const { version } = JSON.parse(readFileSync(join(modules, name.toLowerCase(), "package.json")));
  assert.ok(version.startsWith(`${said}.`), `README.md says ${name} ${said}, but ${version} was run`);
}
const dist = join(project, "dist");
for (const [title, commands] of bundlers) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  run("bash", "-euc", commands);
  // Vite writes a page, too.
  if (!title.startsWith("Vite")) writeFileSync(join(dist, "index.html"), page("main.js"));
  const { address, close } = await serve(dist);
  await works(title, address);
  if (title.startsWith("esbuild")) {
    rmSync(join(dist, "native_bg.wasm"));
    await misses("esbuild without the file", address);
  }
  close();
}

// The development servers.
const [, exclude] = readme.match(/its configuration needs\n`optimizeDeps: (.*?)`/);
const excluded = Function(`return (${exclude});`)();
for (const [name, optimizeDeps, check] of [
  ["vite", {}, works],
  ["vite7", excluded, works],
  ["vite7", {}, misses],
]) {
  const vite = await import(pathToFileURL(require.resolve(name)));
  const cacheDir = `node_modules/.cache-${name}-${check.name}`;
  const server = await vite.createServer({ root: project, cacheDir, optimizeDeps, logLevel: "error", server: { host: "127.0.0.1", port: 0 } });
  await server.listen();
  const { port } = server.httpServer.address();
  await check(`the development server of Vite ${vite.version}${optimizeDeps === excluded ? ", configured" : ""}`, `http://127.0.0.1:${port}/`);
  await server.close();
}
await browser.close();
