// Uses the page in Chromium as a visitor would: on WebGPU, on a phone's screen, and where there is no WebGPU.
// Arguments: the built page, the node_modules folder with playwright-core, and a folder for screenshots.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";

const [site, modules, screenshots] = process.argv.slice(2);
const { chromium } = createRequire(resolve(modules) + "/")("playwright-core");
const golden = (name) => join(import.meta.dirname, "../golden", name);
mkdirSync(screenshots, { recursive: true });

// A static server, as any other. The page lies in a folder of it.
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };
const server = createServer((request, response) => {
  try {
    const name = request.url.replace(/^\/page\//, "").replace(/\?.*/, "") || "index.html";
    const body = readFileSync(join(site, name));
    response.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${server.address().port}/page/`;

const QUIET = ["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"];
QUIET.push("--disable-component-update", "--disable-sync");

/** Opens the page in a browser of its own, and fails on whatever its console has to complain about. */
async function visit(what, { args, hash = "", ...context }, use) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    ignoreDefaultArgs: ["--disable-gpu"],
    args: [...QUIET, ...args],
  });
  const page = await browser.newPage(context);
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(request.url()));
  try {
    await page.goto(address + hash);
    await page.locator("main").waitFor();
    await use(page);
  } catch (error) {
    console.error(`${what}: ${await text(page, "#status")}`, complaints);
    throw error;
  } finally {
    await page.screenshot({ path: join(screenshots, `${what}.png`), fullPage: true });
    await browser.close();
  }
  // Chromium says so of every page that asks for a power preference it doesn't heed, or for an adapter it hasn't.
  const known = /powerPreference option is currently ignored|No available adapters/;
  assert.deepEqual(complaints.filter((text) => !known.test(text)), []);
  console.log(`${what}: passed`);
}

const text = (page, selector) => page.locator(selector).textContent();
async function checked(page) {
  await page.locator("#check[data-state=done]").waitFor();
  const verdict = await text(page, "#check");
  assert.match(verdict, /: 0 of 786,432 results differ/);
  return verdict;
}
/** Uploads a file, and returns what comes back. */
async function roundTrip(page, file) {
  await page.locator("#file").setInputFiles(file);
  await page.getByText(/is ready\.$/).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#download").click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}
// Headers of NumPy's differ in padding, the elements don't.
const elements = (npy) => Array.from(new Float32Array(npy.buffer.slice(npy.byteOffset + 10 + npy.readUInt16LE(8))));
/** Equal but for the payload of NaN, of which PyTorch's vector code has only one. -0 is not 0. */
const equal = (a, b) => a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
assert.ok(!equal([0], [-0]) && !equal([1], [1, 2]) && equal([NaN], [NaN]));

const GPU = ["--enable-unsafe-webgpu"];

await visit("desktop", { args: GPU, viewport: { width: 1280, height: 900 } }, async (page) => {
  console.log(`computed on: ${await text(page, "#device")}`);
  assert.match(await text(page, "#device"), /through WebGPU/);
  // Each preset by its button: its bits against the CPU path, and the framework's own output.
  const names = await page.locator("#presets button").allTextContents();
  assert.deepEqual(names, ["keras", "onnx", "courbariaux", "tangent", "pytorch", "jax"]);
  for (const name of names) {
    await page.getByRole("button", { name, exact: true }).click();
    assert.equal(await text(page, "#name"), name);
    console.log(`${name}: ${await checked(page)}`);
    const { name: file, bytes } = await roundTrip(page, golden("x.npy"));
    assert.equal(file, `x.${name}.y.npy`);
    const expected = readFileSync(golden(`${name}.y.npy`));
    assert.ok(elements(bytes).length > 4000 && equal(elements(bytes), elements(expected)), `${name}: y of the framework`);
  }
  // The gradient for g = 1.
  await page.locator("#wanted").selectOption("gradient");
  const { name, bytes } = await roundTrip(page, golden("x.npy"));
  assert.equal(name, "x.jax.gradient.npy");
  assert.ok(new Set(elements(bytes)).size === 2, "the gradient is 0 or alpha");
  // What is no such file.
  writeFileSync(join(screenshots, "text.npy"), "no array");
  await page.locator("#file").setInputFiles(join(screenshots, "text.npy"));
  await page.getByText(/^text\.npy: not a \.npy file/).waitFor();
  assert.ok(await page.locator("#download").isHidden());

  // A drag of the dot at (0, beta) upwards, and of the upper kink inwards.
  await page.getByRole("button", { name: "pytorch" }).click();
  const before = await page.locator("#values polyline.own").getAttribute("points");
  const drag = async (id, right, up) => {
    const box = await page.locator(id).boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + right, y - up, { steps: 5 });
    await page.mouse.up();
  };
  await drag("#beta-handle", 0, 40);
  await page.getByText("any other").waitFor();
  const beta = Number(await text(page, "#beta-value"));
  assert.ok(beta > 0.55 && beta < 0.75, `beta ${beta}`);
  // The other parameter stays as it was, to the last digit.
  assert.equal(await text(page, "#alpha-value"), "0.1666667");
  await drag("#alpha-handle", -40, 0);
  const alpha = Number(await text(page, "#alpha-value"));
  assert.ok(alpha > 0.17 && alpha < 0.4, `alpha ${alpha}`);
  await checked(page);
  assert.notEqual(await page.locator("#values polyline.own").getAttribute("points"), before);
  assert.match(page.url(), /#affine\(/);
  await page.locator("#values").hover();
  assert.match(await text(page, "#readout"), /^x .*: y .*0x[0-9a-f]{8}/);
  // The plot of the gradient has room for it however steep it is.
  for (const steep of [1.5, -1.5, 0.25]) {
    await page.locator("#alpha").fill(String(steep));
    await page.locator("#gradients").getByText(String(steep).replace("-", "−"), { exact: true }).waitFor();
    const [low, high] = await page.evaluate(() => {
      const { y, height } = document.querySelector("#gradients polyline.own").getBBox();
      return [y, y + height];
    });
    const tall = await page.locator("#gradients").evaluate((svg) => svg.viewBox.baseVal.height);
    assert.ok(low >= 0 && high <= tall && high - low > tall / 5, `gradient of ${steep} from ${low} to ${high} of ${tall}`);
  }
  // The sweep runs, and stops when told to.
  await page.locator("#sweep").click();
  await page.getByText(/affine\(.*\), f32, forward and backward: 0 of [1-9][0-9,]+ results differ/).waitFor({ timeout: 60000 });
  await page.locator("#sweep").click();
  await page.getByText("Check all 2³² inputs").waitFor();
  await page.locator("#measure").click();
  await page.getByText(/Forward kernel [0-9.]+ GB\/s, [0-9.]+ of a copy there/).waitFor({ timeout: 120000 });
  console.log(await text(page, "#speed"));
});

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
await visit("phone", { args: GPU, ...phone, hash: "#affine(0.3, 0.4, inclusive)", colorScheme: "dark" }, async (page) => {
  assert.equal(await text(page, "#formula"), "y = clamp(0.3·x + 0.4, 0, 1)");
  await checked(page);
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${wide} px on a screen of ${screen}`);
});

await visit("cpu", { args: ["--disable-features=WebGPU"], viewport: { width: 1280, height: 900 } }, async (page) => {
  assert.match(await text(page, "#device"), /^The CPU, in WebAssembly, since (this browser has no WebGPU|WebGPU found no adapter)/);
  assert.ok(await page.locator("#use-gpu").isDisabled());
  await checked(page);
  const { bytes } = await roundTrip(page, golden("x.npy"));
  assert.ok(equal(elements(bytes), elements(readFileSync(golden("pytorch.y.npy")))));
});
server.close();
console.log(`screenshots in ${screenshots}`);
