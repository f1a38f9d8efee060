// Uses the page in Chromium as a visitor would: on WebGPU, on a phone, without WebGPU, without JavaScript, and on a slow line.
// Arguments: the built page, the node_modules folder with playwright-core and axe-core, and a folder for screenshots.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { GPU, launch, serve } from "./browser.mjs";

const [site, modules, screenshots] = process.argv.slice(2);
const golden = (name) => join(import.meta.dirname, "../golden", name);
mkdirSync(screenshots, { recursive: true });

const axe = readFileSync(join(modules, "axe-core/axe.min.js"), "utf8");
// The page lies in a folder of the server.
const { address, close } = await serve(site);

/** Opens the page in a browser of its own, and fails on whatever its console has to complain about beyond `expected`. */
async function visit(what, { args, hash = "", prepare, expected, isSlow, ...context }, use) {
  const browser = await launch(modules, args);
  const page = await browser.newPage(context);
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(request.url()));
  try {
    if (prepare) await page.addInitScript(prepare);
    await page.goto(address + hash);
    if (context.javaScriptEnabled !== false && !isSlow) await ready(page);
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
  assert.deepEqual(complaints.filter((text) => !known.test(text) && !expected?.test(text)), []);
  console.log(`${what}: passed`);
}

const ready = (page) => page.locator("body[data-state=ready]").waitFor();
const text = (page, selector) => page.locator(selector).textContent();
async function checked(page) {
  await page.locator("#check[data-state=done]").waitFor();
  const verdict = await text(page, "#check");
  assert.match(verdict, /: 0 of 786,432 results differ/);
  return verdict;
}
/** Types another address behind the page's. */
const type = (page, hash) =>
  page.evaluate((hash) => {
    const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = hash;
    return changed;
  }, hash);
/** The curve that is drawn. */
const curve = (page) => page.locator("#values polyline.own").getAttribute("points");
async function drag(page, id, right, up) {
  const box = await page.locator(id).boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + right, y - up, { steps: 5 });
  await page.mouse.up();
}
/** Texts of the page, as it is now, that are hard to read: with a contrast below 4.5. */
const faint = (page) =>
  page.evaluate(() => {
    const rgba = (color) => color.match(/[\d.]+/g).map(Number);
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (element) => {
      const color = rgba(getComputedStyle(element).backgroundColor);
      return color[3] === 0 ? behind(element.parentElement) : color;
    };
    const contrast = (element) => {
      const style = getComputedStyle(element);
      const both = [light(rgba(element.closest("svg") ? style.fill : style.color)), light(behind(element))];
      return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    };
    const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
    const isRead = (element) =>
      [...element.childNodes].some(isText) && element.checkVisibility() && !element.closest(":disabled");
    const read = [...document.body.querySelectorAll("*")].filter(isRead);
    const hard = read.filter((element) => contrast(element) < 4.5);
    return hard.map((element) => `${element.textContent}: ${contrast(element)}`);
  });

/** What axe-core finds wrong for people who use the page by other means than eyes and a mouse. */
async function inaccessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  assert.ok(passes.length > 20, `${passes.length} rules of axe-core passed`);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** A small file of NumPy's. */
function npy(name, descr, data) {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${data.length},), }\n`;
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}${header}`, "latin1");
  return { name, mimeType: "", buffer: Buffer.concat([start, Buffer.from(data.buffer)]) };
}
/** A golden file of float32, with its elements in the other order of bytes. */
function bigEndian(name, file) {
  const golden = named(name, file).buffer;
  const turned = Buffer.from(golden.subarray(10 + golden.readUInt16LE(8))).swap32();
  return npy(name, ">f4", new Float32Array(new Uint8Array(turned).buffer));
}
/** Drops files on an element. */
const drop = (page, selector, files) =>
  page.locator(selector).evaluate(
    (element, files) => {
      const data = new DataTransfer();
      for (const [name, base64] of files) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      element.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    },
    files.map(({ name, buffer }) => [name, buffer.toString("base64")]),
  );
const named = (name, file) => ({ name, mimeType: "", buffer: readFileSync(golden(file)) });
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

const REFERENCE = "This is the CPU path itself, the reference that the GPU is compared with.";

await visit("desktop", { args: GPU, viewport: { width: 1280, height: 900 } }, async (page) => {
  console.log(`computed on: ${await text(page, "#device")}`);
  assert.match(await text(page, "#device"), /through WebGPU/);
  // Each preset by its button: its bits against the CPU path, and the framework's own output.
  const names = await page.locator("#presets button").allTextContents();
  assert.deepEqual(names, ["keras", "onnx", "courbariaux", "tangent", "pytorch", "jax", "keras3", "sparse"]);
  for (const name of names) {
    await page.getByRole("button", { name, exact: true }).click();
    assert.equal(await text(page, "#name"), name);
    console.log(`${name}: ${await checked(page)}`);
    const { name: file, bytes } = await roundTrip(page, golden("x.npy"));
    assert.equal(file, `x.${name}.y.npy`);
    const expected = readFileSync(golden(`${name}.y.npy`));
    assert.ok(elements(bytes).length > 4000 && equal(elements(bytes), elements(expected)), `${name}: y of the framework`);
  }
  // The page shows the gradient for g = 1.
  await page.getByRole("button", { name: "jax", exact: true }).click();
  await page.locator("#wanted").selectOption("gradient");
  const { name, bytes } = await roundTrip(page, golden("x.npy"));
  assert.equal(name, "x.jax.gradient.npy");
  assert.ok(new Set(elements(bytes)).size === 2, "the gradient is 0 or alpha");
  // A big-endian file has the same results.
  await page.locator("#wanted").selectOption("y");
  const turned = await roundTrip(page, bigEndian("big.npy", "x.npy"));
  assert.ok(turned.bytes.includes("'<f4'") && equal(elements(turned.bytes), elements(readFileSync(golden("jax.y.npy")))));
  // Hard swish too, by the framework's bits.
  await page.getByRole("radio", { name: "hard swish" }).check();
  for (const [name, ends] of [["pytorch", ["y", "gradient"]], ["jax", ["y"]]]) {
    await page.getByRole("button", { name, exact: true }).click();
    assert.match(await checked(page), /, hard_swish and hard_swish_backward: 0 of /);
    for (const end of ends) {
      await page.locator("#wanted").selectOption(end);
      const swish = await roundTrip(page, golden("x.npy"));
      assert.equal(swish.name, `x.${name}.hard_swish.${end}.npy`);
      if (end === "y") assert.ok(equal(elements(swish.bytes), elements(readFileSync(golden(`${name}.hard_swish.y.npy`)))));
    }
  }
  assert.equal(await text(page, "#of-values"), "y = x · hard sigmoid of x");
  assert.equal(await text(page, "#formula"), "y = x · hs(x), hs(x) = clamp(x + 3, 0, 6) · (1/6)");
  assert.ok(await page.locator("#alpha-handle").isHidden());
  await page.locator("#values").hover();
  assert.match(await text(page, "#readout"), /^x .*: y .*0x[0-9a-f]{8}.*, swish /);
  await page.getByRole("radio", { name: "hard sigmoid" }).check();
  await page.getByRole("button", { name: "jax", exact: true }).click();
  await page.locator("#wanted").selectOption("gradient");
  // What is no such file: text, a header that claims 4 GiB, one that nests, and what is too large.
  const claim = Buffer.concat([Buffer.from("\x93NUMPY\x02\x00\xff\xff\xff\xff", "latin1"), Buffer.alloc(16)]);
  const deep = Buffer.from(`\x93NUMPY\x01\x00\x28\x23{'descr': ${"[".repeat(9000)}`, "latin1");
  const large = join(screenshots, "large.npy");
  writeFileSync(large, "");
  truncateSync(large, 512 * 2 ** 20 + 1);
  for (const [file, complaint] of [
    [{ name: "text.npy", mimeType: "", buffer: Buffer.from("no array") }, /^text\.npy: not a \.npy file/],
    [{ name: "deep.npy", mimeType: "", buffer: deep }, /^deep\.npy: not a \.npy file .*\[\[\[/],
    [{ name: "claim.npy", mimeType: "", buffer: claim }, /^claim\.npy: not a \.npy file .*bytes, but may have 10000 at most/],
    [large, /^large\.npy has 536,870,913 bytes, but at most 512 MiB are read here$/],
    [npy("wide.npy", "<f8", Float64Array.of(1)), /^wide\.npy: its dtype is float64; save array\.astype/],
  ]) {
    await page.locator("#file").setInputFiles(file);
    await page.getByText(complaint).waitFor();
    assert.ok(await page.locator("#download").isHidden());
  }
  rmSync(large);
  // uint16 is bfloat16, and the page says that it took it for that.
  await page.locator("#file").setInputFiles(npy("halves.npy", "<u2", Uint16Array.of(0x3f80, 0)));
  await page.getByText(/^halves\.jax\.gradient\.npy, [0-9]+ bytes, is ready; uint16 was read as bfloat16\.$/).waitFor();
  // Dropped beside its place, a file doesn't replace the page.
  for (const type of ["dragover", "drop"]) {
    const isLeft = await page.locator("h1").evaluate((title, type) => {
      return title.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true }));
    }, type);
    assert.ok(!isLeft, `${type} is left to the browser`);
  }

  // The dot at (0, beta) is dragged upwards, and the upper kink inwards.
  await page.getByRole("button", { name: "pytorch" }).click();
  const before = await curve(page);
  await drag(page, "#beta-handle", 0, 40);
  await page.locator("#name").getByText(/^affine\(/).waitFor();
  const beta = Number(await text(page, "#beta-value"));
  assert.ok(beta > 0.55 && beta < 0.75, `beta ${beta}`);
  // The other parameter stays as it was, to the last digit.
  assert.equal(await text(page, "#alpha-value"), "0.16666667");
  await drag(page, "#alpha-handle", -40, 0);
  const alpha = Number(await text(page, "#alpha-value"));
  assert.ok(alpha > 0.17 && alpha < 0.4, `alpha ${alpha}`);
  await checked(page);
  assert.notEqual(await curve(page), before);
  assert.match(page.url(), /#affine\(/);
  await page.locator("#values").hover();
  assert.match(await text(page, "#readout"), /^x .*: y .*0x[0-9a-f]{8}/);
  // Keys read the curve too.
  const reader = page.getByRole("slider", { name: "x at which the curve is read" });
  await reader.focus();
  for (const [key, x] of [["Home", "−5"], ["ArrowRight", "−4.9921875"], ["PageUp", "−4.4921875"], ["End", "5"], ["ArrowLeft", "4.9921875"]]) {
    await page.keyboard.press(key);
    assert.ok((await text(page, "#readout")).startsWith(`x ${x}: `), `${key}: ${await text(page, "#readout")}`);
    assert.equal(await reader.getAttribute("aria-valuetext"), await text(page, "#readout"));
  }
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
    await checked(page);
  }
  // A slider moves faster than browsers let an address be written.
  await page.locator("#alpha").evaluate((slider) => {
    for (let step = 1; step <= 300; step++) {
      slider.value = step / 200;
      slider.dispatchEvent(new Event("input"));
    }
  });
  assert.equal(await page.locator("#alpha").inputValue(), "1.5");
  assert.match(await text(page, "#formula"), /^y = clamp\(1\.5·x/);
  // What was true of the definition before is no longer said.
  assert.equal(await text(page, "#check"), "Checking…");
  await checked(page);
  assert.match(decodeURIComponent(page.url()), /#affine\(1\.5, .*, strict\)$/);
  await type(page, "#nonsense");
  assert.match(decodeURIComponent(page.url()), /#affine\(1\.5, .*, strict\)$/);
  assert.match(await text(page, "#unknown"), /^No hard sigmoid is called “nonsense”; shown is affine\(1\.5, .*, strict\)\. The names are keras, onnx, /);

  // The sliders, and the dots, have names and values.
  await page.getByRole("button", { name: "pytorch" }).click();
  for (const [name, value] of [["slope alpha", "0.16666667"], ["shift beta", "0.5"]])
    assert.equal(await page.getByRole("slider", { name, exact: true }).getAttribute("aria-valuetext"), value);
  const plot = page.getByRole("group", { name: "The curve, over the logistic sigmoid" });
  const alphaDot = plot.getByRole("slider", { name: "alpha, by the upper kink" });
  const betaDot = plot.getByRole("slider", { name: "beta, the value at 0" });
  await betaDot.focus();
  await page.keyboard.press("ArrowUp");
  for (const [dot, values] of [[alphaDot, ["0.167", "-1.5", "1.5"]], [betaDot, ["0.51", "-1", "2"]]]) {
    const found = ["now", "min", "max"].map((which) => dot.getAttribute(`aria-value${which}`));
    assert.deepEqual(await Promise.all(found), values);
  }
  for (const [key, value] of [["PageUp", "0.61"], ["PageDown", "0.51"], ["End", "2"], ["Home", "−1"]]) {
    await betaDot.press(key);
    assert.equal(await text(page, "#beta-value"), value, key);
  }
  await page.getByRole("button", { name: "pytorch" }).click();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await faint(page), [], colorScheme);
    assert.deepEqual(await inaccessible(page), [], colorScheme);
    await page.screenshot({ path: join(screenshots, `desktop-${colorScheme}.png`), fullPage: true });
  }
  // With the system's colours a pressed button still differs.
  await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
  const backs = await page.locator("#presets button").evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
  assert.equal(new Set(backs).size, 2);
  await page.emulateMedia({ forcedColors: "none" });
  // The upper kink's dot stays, wherever it is dragged and for as long as a key is pressed.
  await drag(page, "#alpha-handle", 2000, 0);
  assert.ok(await alphaDot.isVisible());
  const flat = Number(await text(page, "#alpha-value"));
  assert.ok(flat > 0.09 && flat < 0.12, `alpha ${flat}`);
  await alphaDot.focus();
  for (let press = 0; press < 5; press++) await page.keyboard.press("ArrowDown");
  assert.ok(await alphaDot.evaluate((dot) => dot === document.activeElement));
  // Where the two dots coincide, there is one.
  await type(page, "#affine(0.25, 1, strict)");
  assert.ok(!(await alphaDot.isVisible()));
  await drag(page, "#beta-handle", 0, -40);
  assert.equal(await text(page, "#alpha-value"), "0.25");
  assert.ok(await alphaDot.isVisible());
  await checked(page);

  // The sweep runs, and stops when told to.
  const spoken = await text(page, "#check-status");
  assert.equal(spoken, await text(page, "#check"));
  await page.locator("#sweep").click();
  await page.locator("#check").getByText(/affine\(.*\), f32, forward and backward: 0 of [1-9][0-9,]+ results differ/).waitFor({ timeout: 60000 });
  // It is told to those who listen when it ends, and nothing else is measured meanwhile.
  assert.equal(await text(page, "#check-status"), spoken);
  assert.ok(await page.locator("#test").isDisabled());
  await page.locator("#sweep").click();
  await page.getByText("Check all 2³² inputs").waitFor();
  assert.match(await text(page, "#check-status"), /^affine.*: 0 of/);
  // The CPU path isn't compared with itself: a sweep stops there.
  await page.locator("#sweep").click();
  await page.locator("#check").getByText(/, f32, forward and backward: 0 of/).waitFor({ timeout: 60000 });
  await page.locator("#use-cpu").click();
  await page.getByText("Check all 2³² inputs").waitFor();
  assert.equal(await text(page, "#check"), REFERENCE);
  assert.ok(await page.locator("#sweep").isDisabled());
  await page.locator("#use-gpu").click();
  assert.equal(await text(page, "#check"), "Checking…");
  await checked(page);
});

await visit("compare", { args: GPU, viewport: { width: 1280, height: 900 } }, async (page) => {
  const verdict = async (a, b, what) => {
    for (const [id, value] of [["#a", a], ["#b", b], ["#what", what]]) await page.locator(id).selectOption(value);
    return text(page, "#verdict");
  };
  assert.match(await verdict("pytorch", "jax", "forward"), /^y of pytorch and jax differs at 52,431 of 262,162 x between −5 and 5 \(20%\), from x = −2\.999\d* to 2\.999\d*\. The largest difference is 5\.96e-8, at x = .*; no more than 1 float32 step anywhere\.$/);
  // Each point is a difference, and no line joins them.
  const heights = () => page.locator("#difference circle").evaluateAll((all) => new Set(all.map((one) => one.getAttribute("cy"))).size);
  const points = await page.locator("#difference circle").count();
  assert.ok(points > 50 && points <= 200 && (await heights()) > 3, `${points} points`);
  assert.equal(await page.locator("#difference polyline").getAttribute("points"), "");
  assert.equal(await text(page, "#unit"), "a point for one in 350 of the x that differ");
  assert.match(await verdict("pytorch", "jax", "backward"), /The largest difference is 0\.167, at x = 2\.9999998\.$/);
  assert.equal(await text(page, "#unit"), "a point for each x that differs");
  assert.equal(await page.locator("#difference circle").count(), 1);
  assert.match(await verdict("keras", "pytorch", "forward"), /differs at .* The largest difference is 0\.0833, at x = −?2\.(5|49)/);
  assert.match(await verdict("keras", "onnx", "forward"), /has the same bits at all 262,162 x/);
  // At the kinks, and at the two x beside the upper one whose sum rounds to 1, one passes the gradient and the other does not.
  assert.match(await verdict("keras", "onnx", "backward"), /^dy\/dx of keras and onnx differs at 4 of 262,162 .* The largest difference is 0\.200, at x = −?2\.(5|49)/);
  assert.match(await verdict("jax", "jax", "backward"), /the same definition/);
  assert.equal(await text(page, "#unit"), "nowhere");
  // Hard swish, its gradient, and what PyTorch's exporter writes.
  assert.match(await verdict("pytorch", "jax", "hard_swish"), /^y of the hard swish of pytorch and jax differs at 65,519 of 262,162 .* The largest difference is 2\.38e-7, .*; no more than 2 float32 steps anywhere\.$/);
  assert.deepEqual(await page.locator("#neighbours th").allTextContents(), ["x", "y of pytorch", "y of jax", "dy/dx of pytorch", "dy/dx of jax"]);
  // At the upper kink y is x, and the gradient is that of x.
  assert.deepEqual(await page.locator("#neighbours tr").nth(5).locator("td").allTextContents(), ["3", "0x40400000", "0x40400000", "1", "1"]);
  assert.match(await verdict("keras", "pytorch", "hard_swish"), /The largest difference is 0\.208, at x = −?2\.(5|49)/);
  assert.ok((await page.locator("#difference polyline").getAttribute("points")).split(" ").length === 1281);
  assert.match(await verdict("keras", "onnx", "hard_swish_backward"), /differs at 4 of 262,162/);
  assert.match(await verdict("pytorch", "affine(0.16666667, 0.5, strict)", "hard_swish"), /^y of the hard swish of pytorch and affine\(0\.16666667, 0\.5, strict\) differs at /);
  await verdict("keras", "onnx", "forward");
  const rows = page.locator("#neighbours tr");
  assert.equal(await rows.count(), 10);
  assert.deepEqual(await rows.nth(5).locator("td").allTextContents(), ["2.5", "0x3f800000", "0x3f800000", "0.2", "0"]);
  assert.deepEqual(await rows.nth(5).locator("mark").allTextContents(), ["0.2", "0"]);
  assert.equal(await rows.nth(6).locator("td").first().textContent(), "2.5000002");
  await page.locator("#kink").selectOption("0");
  assert.equal(await rows.nth(5).locator("td").first().textContent(), "−2.5");
  // One-liners, as many as there are languages; the clipboard gets what is shown.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const languages = await page.locator("#language option").allTextContents();
  assert.ok(languages.length >= 6, languages);
  await page.locator("#language").selectOption("PyTorch");
  assert.match(await text(page, "#snippet"), /hardsigmoid/);
  await page.locator("#copy").click();
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await text(page, "#snippet"));
  await page.evaluate(() => (navigator.clipboard.writeText = () => Promise.reject(new Error("no"))));
  await page.locator("#copy").click();
  await page.getByText("Copying was refused; the text is selected.").waitFor();
  assert.equal(await page.evaluate(() => String(getSelection())), await text(page, "#snippet"));
  // Notes say in words what the one-liners promise.
  const note = async (preset, language) => {
    await page.getByRole("button", { name: preset, exact: true }).click();
    await page.locator("#language").selectOption(language);
    return text(page, "#snippet-note");
  };
  assert.match(await note("keras", "Keras 3"), /^The same bits of y and gradient, on TensorFlow in eager mode\. XLA fuses /);
  assert.match(await note("keras", "Keras 2"), /in eager mode\. .* Up to TensorFlow 2\.15 tf_keras is tf\.keras\.$/);
  assert.equal(await note("pytorch", "WGSL, short"), "The same function; roundings may differ.");
  assert.match(await text(page, "#snippet"), /\n\/\/ Short\. .*\nfn hard_sigmoid\(x: f32\) -> f32 \{\n {4}return clamp\(x \+ 3\.0, 0\.0, 6\.0\) \/ 6\.0;\n\}$/s);
  assert.match(await note("pytorch", "WGSL, exact"), /^The same bits of y, on every driver tested\. scalar\(\) /);
  assert.match(await text(page, "#snippet"), /\n\/\/ Exact: .*\nfn hard_sigmoid\(x: f32\) -> f32 \{/s);
  assert.equal(await note("onnx", "NumPy"), "The same bits of y.");
  // The definitions of the table above are linked, and come into sight.
  const links = page.locator("#who a");
  assert.deepEqual([...(await links.allTextContents())].sort(), [...(await page.locator("#presets button").allTextContents()), "affine"].sort());
  await links.getByText("sparse").click();
  await page.locator("#name").getByText("sparse", { exact: true }).waitFor();
  await page.waitForFunction(() => document.getElementById("explore").getBoundingClientRect().top < 10);
  await links.getByText("affine").click();
  await page.locator("#name").getByText("affine(0.3, 0.5, strict)").waitFor();
  assert.equal(await text(page, "#formula"), "y = clamp(0.3·x + 0.5, 0, 1)");
  // Your own line has one-liners too, with its numbers, and the word on who has no such function.
  assert.deepEqual(await page.locator("#language option").allTextContents(), languages);
  const own = async (language) => {
    await page.locator("#language").selectOption(language);
    return [await text(page, "#snippet"), await text(page, "#snippet-note")];
  };
  assert.deepEqual(await own("ONNX"), [
    'onnx.helper.make_node("HardSigmoid", ["x"], ["y"], alpha=0.3, beta=0.5)',
    "The same bits of y. Its operator has alpha and beta, but no gradient.",
  ]);
  const [line, why] = await own("PyTorch");
  assert.equal(line, "torch.nn.functional.hardtanh(0.3 * x + 0.5, 0, 1)");
  assert.match(why, /^The same bits of y and gradient\. PyTorch has no hard sigmoid with alpha and beta: this is written out\./);
  const [script] = await own("JavaScript");
  assert.equal(script, 'new HardSigmoid("affine(0.3, 0.5, strict)").forward(x)');
  const same = await page.evaluate(async (script) => {
    const { HardSigmoid, compute } = await import("./hard-sigmoid/index.js");
    const x = Float32Array.of(-4, -0.3, 1.7, NaN);
    return [new Function("HardSigmoid", "x", `return ${script}`)(HardSigmoid, x), compute("forward", "affine(0.3, 0.5, strict)", [x])[0]].map(String);
  }, script);
  assert.equal(same[0], same[1]);
  assert.match((await own("WGSL, short"))[0], /return clamp\(0\.3 \* x \+ 0\.5, 0\.0, 1\.0\);/);
  await page.getByRole("radio", { name: "alpha (inclusive)" }).check();
  assert.equal((await own("PyTorch"))[0], "torch.clamp(0.3 * x + 0.5, 0, 1)");
  // A negative alpha makes -0 of the gradient 0.
  await type(page, "#affine(-0.25, -0.5, strict)");
  const [falling, sign] = await own("PyTorch");
  assert.equal(falling, "torch.nn.functional.hardtanh(-0.25 * x + -0.5, 0, 1)");
  assert.match(sign, /^The same bits of y\. .* Its gradient 0 is −0\.$/);
  // So has hard swish, where a framework has it.
  await page.getByRole("radio", { name: "hard swish" }).check();
  assert.deepEqual(await page.locator("#language option").allTextContents(), ["JavaScript", "WGSL, short", "WGSL, exact"]);
  await page.getByRole("button", { name: "pytorch", exact: true }).click();
  assert.equal((await own("PyTorch"))[0], "torch.nn.functional.hardswish(x)");
  assert.match((await own("WGSL, short"))[0], /fn hard_swish\(x: f32\)/);
  assert.equal((await own("JavaScript"))[0], 'new HardSigmoid("pytorch").hardSwish(x)');
  // What preloads is what the page loads.
  const [preloaded, loaded] = await page.evaluate(() => [
    [...document.querySelectorAll("link[rel=modulepreload], link[rel=preload]")].map(({ href }) => href),
    performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => /\.(js|wasm)$/.test(name)),
  ]);
  assert.deepEqual([...preloaded].sort(), [...loaded].sort());
});

await visit("layout", { args: GPU, viewport: { width: 1440, height: 900 } }, async (page) => {
  for (const width of [1440, 768, 390]) {
    await page.setViewportSize({ width, height: 900 });
    // The picture is beside the answer, or below it.
    const [title, picture] = await Promise.all(["h1", "header figure"].map((one) => page.locator(one).boundingBox()));
    if (width === 1440) assert.ok(Math.abs(picture.y - title.y) < 10 && picture.x > title.x + title.width);
    else assert.ok(picture.y > title.y + title.height && picture.x === title.x);
    // The text of pictures is as large as the page's.
    const sizes = () => page.locator("svg text").evaluateAll((all) =>
      [...new Set(all.map((one) => Math.round(100 * parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a) / 100))]);
    await page.waitForFunction((width) => document.getElementById("values").viewBox.baseVal.width < width, width);
    assert.deepEqual(await sizes(), [16], width);
    // Nothing is wider than the page, and what is wider than its place scrolls there and says so.
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    const cut = await page.locator("main *, header *").evaluateAll((all) => all.filter((one) =>
      one.checkVisibility() && one.scrollWidth > one.clientWidth && one.clientWidth && !one.closest(".scroll.cut, .button, .unseen, #who thead, svg")).map((one) => one.outerHTML));
    assert.deepEqual(cut, []);
  }
  // Nothing but what is pressed has a ground of its own.
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const grounds = await page.locator("body, body *:not([aria-pressed=true], input)").evaluateAll((all) => [...new Set(all.map((one) => getComputedStyle(one).backgroundColor))]);
    assert.deepEqual(grounds.sort(), [colorScheme === "dark" ? "rgb(21, 23, 27)" : "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"].sort());
  }
  // Each thing that keys reach shows that they did.
  await page.locator("h1").click();
  let reached = 0;
  for (; ; reached++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement === document.body)) break;
    const [what, isShown] = await page.evaluate(() => {
      const { activeElement: at } = document;
      const shown = at.querySelector(".dot, rect") ?? at.closest(".button") ?? at;
      const look = () => (({ outlineStyle, stroke, strokeWidth }) => `${outlineStyle} ${stroke} ${strokeWidth}`)(getComputedStyle(shown));
      const focused = look();
      at.blur();
      const isShown = look() !== focused;
      at.focus();
      return [at.outerHTML.slice(0, 80), isShown];
    });
    assert.ok(isShown, what);
  }
  assert.ok(reached > 40, `${reached} are reached`);
  // The lines of the picture are those of the package.
  const lines = await page.locator("#curves polyline").evaluateAll((all) => all.map((one) => [one.getAttribute("class"), one.getAttribute("points").split(" ").map((point) => point.split(",").map(Number))]));
  assert.equal(lines.length, 5);
  for (const [name, points] of lines) {
    const expected = await page.evaluate(async ([name, x]) => {
      if (name === "logistic") return x.map((x) => Number((1 / (1 + Math.exp(-x))).toPrecision(3)));
      const { HardSigmoid } = await import("./hard-sigmoid/index.js");
      return [...new HardSigmoid(name).forward(Float32Array.from(x))];
    }, [name, points.map(([x]) => x)]);
    assert.deepEqual(points.map(([, y]) => y), expected, name);
  }
});

// A name that doesn't exist is said not to, and those that do are offered.
await visit("unknown", { args: GPU, hash: "#mish<b>" }, async (page) => {
  const names = "keras, onnx, courbariaux, tangent, pytorch, jax, keras3, sparse, affine(0.3, 0.5, strict)";
  assert.equal(
    await text(page, "#unknown"),
    `No hard sigmoid is called “mish<b>”; shown is pytorch. The names are ${names}, the last with any alpha and beta, and strict, inclusive or half.`,
  );
  assert.ok(await page.locator("#unknown").isVisible());
  assert.equal(await text(page, "#name"), "pytorch");
  assert.deepEqual(await inaccessible(page), []);
  await page.locator("#unknown").getByText("onnx", { exact: true }).click();
  await page.locator("#name").getByText("onnx", { exact: true }).waitFor();
  assert.ok(await page.locator("#unknown").isHidden());
});

await visit("identify", { args: GPU, viewport: { width: 1280, height: 900 } }, async (page) => {
  const give = (slot, file) => page.locator(`[data-slot=${slot}]`).setInputFiles(file);
  const says = (words) => page.locator("#identify-status").getByText(words).waitFor();
  await give("x", golden("x.npy"));
  await says("Still missing: y.");
  await give("y", golden("keras.y.npy"));
  await says(/^keras or onnx — from [\d,]+ elements$/);
  await give("g", golden("g.npy"));
  await says("Still missing: dx.");
  await give("dx", golden("keras.dx.npy"));
  await says(/^keras — from/);
  assert.match(await text(page, "#identify-report"), /Every element agrees, and no other preset does\./);
  // Its table fits, and where it doesn't, it scrolls and says so. Its numbers are under their heads.
  const table = page.locator("#identify-report pre");
  const [head, first] = (await table.textContent()).split("\n");
  assert.match(head, /^definition {2,}y differs {2,}at most by {2,}at x {2,}dx differs {2,}at most by {2,}at x$/);
  assert.equal(first.indexOf("0"), head.indexOf("y differs") + "y differs".length - 1);
  const fits = () => table.evaluate((one) => [one.scrollWidth > one.clientWidth, one.classList.contains("cut"), document.documentElement.scrollWidth === innerWidth]);
  assert.deepEqual(await fits(), [false, false, true]);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("#identify-report pre.cut").waitFor();
  assert.deepEqual(await fits(), [true, true, true]);
  assert.match(await table.evaluate((one) => getComputedStyle(one, "::after").content), /Scroll sideways/);
  await page.setViewportSize({ width: 1280, height: 900 });
  // Big-endian files are read as well.
  await give("x", bigEndian("x.npy", "x.npy"));
  await give("dx", bigEndian("dx.npy", "keras.dx.npy"));
  await says(/^keras — from/);
  await give("y", golden("jax.y.npy"));
  await says(/^unknown — from/);
  // A hard swish is known too, and big-endian float64.
  await page.getByRole("button", { name: "Clear" }).click();
  const wide = (name) => {
    const turned = Buffer.from(Float64Array.from(elements(readFileSync(golden(name)))).buffer).swap64();
    return npy(name, ">f8", new Float64Array(new Uint8Array(turned).buffer));
  };
  await give("x", wide("x.npy"));
  await give("y", wide("jax.hard_swish.y.npy"));
  await says(/^hard_swish of jax — from/);
  await give("x", golden("x.npy"));
  await give("g", golden("g.npy"));
  await give("dx", golden("keras.dx.npy"));
  // A file of another shape, and one that isn't NumPy's, are refused.
  await give("y", golden("pytorch.f16.y.npy"));
  await says(/^y has 65536 elements, but x has \d+$/);
  await give("y", { name: "text.npy", mimeType: "", buffer: Buffer.from("no array") });
  await says(/^text\.npy: not a \.npy file/);
  assert.ok(await page.locator("#identify-report").isHidden());
  // The slots are emptied, and filled again.
  await page.getByRole("button", { name: "Clear" }).click();
  assert.deepEqual([await text(page, "#identify-status"), await text(page, "#identify-files")], ["", ""]);
  assert.deepEqual(await page.locator(".slots .button").allTextContents(), ["x", "y", "g", "dx"]);
  await give("y", golden("keras.y.npy"));
  await says("Still missing: x.");
  // Dropped together, files go by their names, or in order; two of other names begin anew, and what has no place is said to have none.
  const [y, dx] = [named("keras.y.npy", "keras.y.npy"), named("grad_x.npy", "keras.dx.npy")];
  await drop(page, "#identify", [dx, named("run1_g.npy", "g.npy"), y, named("X.npy", "x.npy")]);
  assert.equal(await text(page, "#identify-files"), "grad_x.npy is dx. run1_g.npy is g. keras.y.npy is y. X.npy is x.");
  await says(/^keras — from/);
  await drop(page, "#identify", [named("fifth.npy", "x.npy")]);
  assert.equal(await text(page, "#identify-files"), "fifth.npy was not taken, since every place has a file: clear them first.");
  await drop(page, "#identify", [named("first.npy", "x.npy"), named("second.npy", "jax.y.npy")]);
  assert.equal(await text(page, "#identify-files"), "first.npy is x. second.npy is y.");
  assert.deepEqual(await page.locator(".slots .button").allTextContents(), ["x: first.npy", "y: second.npy", "g", "dx"]);
  await says(/^jax — from/);
  // The page says what it took uint16 for.
  const halves = (name, ...bits) => npy(name, "<u2", Uint16Array.from(bits));
  await drop(page, "#identify", [halves("x.npy", 0, 0x3f80, 0xc020, 0x4000), halves("y.npy", 0x3f00, 0x3f33, 0, 0x3f66)]);
  await says(/ — from 4 elements; uint16 of x, y was read as bfloat16$/);
  // Noisy data need a tolerance.
  const noisy = readFileSync(golden("tangent.y.npy"));
  const start = 10 + noisy.readUInt16LE(8);
  for (let at = start; at < noisy.length; at += 4) noisy.writeFloatLE(noisy.readFloatLE(at) * (1 + 1e-6), at);
  await drop(page, "#identify", [named("a.x.npy", "x.npy"), { name: "a.y.npy", buffer: noisy }]);
  await says(/^unknown/);
  await page.locator("#atol").fill("1e-5");
  await page.locator("#atol").blur();
  await says(/^tangent, within .* — from/);
});

// What is in a model, as the command says it. Nothing is sent for it, and what comes is the package's.
await visit("inspect", { args: GPU, viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
  const asked = [];
  page.on("request", (request) => asked.push(`${request.method()} ${request.url().replace(address, "")}`));
  const model = (name) => join(import.meta.dirname, "../../crates/inspect/tests/models", name);
  const says = (words) => page.locator("#inspect-status").getByText(words).waitFor();
  const rows = (id) => page.locator(`${id} tr`).evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
  await page.locator("#model-file").setInputFiles(model("torch_block_dynamo_18.onnx"));
  await says(/^1 hard sigmoid and 1 hard swish in torch_block_dynamo_18\.onnx: ONNX, opset 18, made by pytorch 2\.15\.0/);
  assert.deepEqual(asked, ["GET hard-sigmoid/inspect.js", "GET hard-sigmoid/inspect_bg.wasm"]);
  const written = "affine(0.16666667, 0.5, strict)";
  assert.deepEqual(await rows("#inspect-table"), [
    ["where", "function", "written as", "name here"],
    ["n0", "hard swish", "HardSwish", written],
    ["node_hardsigmoid", "hard sigmoid", "HardSigmoid(0.16666667, 0.5)", written],
  ]);
  const [, swish] = await rows("#inspect-computed");
  assert.deepEqual(swish.slice(0, 3), ["hard swish: HardSigmoid(0.16666667, 0.5), * x", "any", written]);
  assert.equal(swish[3], "pytorch at 4,061 of 16,385 x, by up to 5e-7; jax at 2,616 of 16,385 x, by up to 2e-7; keras3 at 2,522 of 16,385 x, by up to 2e-7");
  await page.locator("#inspect-copy").click();
  await page.getByText("Copied.").waitFor();
  const [{ file, activations, report }] = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.deepEqual([file, activations.length, report], ["torch_block_dynamo_18.onnx", 2, undefined]);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await faint(page), [], colorScheme);
    assert.deepEqual(await inaccessible(page), [], colorScheme);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("#inspect-result .cut").nth(1).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  // Its definition is explored by a click.
  await page.locator("#inspect-table a").first().click();
  await page.locator("#name").getByText(written).waitFor();
  // A model of Keras has several results; weights beside an ONNX model come with it; a note is shown.
  await drop(page, "#identify", [{ name: "a.keras", buffer: readFileSync(model("keras3.keras")) }]);
  await says(/^4 hard sigmoids and 1 hard swish in a\.keras: /);
  assert.equal((await rows("#inspect-computed")).length, 7);
  const [beside, external] = ["onnx_external.bin", "onnx_external.onnx"].map((name) => ({ name, buffer: readFileSync(model(name)) }));
  await drop(page, "#identify", [beside, external]);
  await says(/^1 hard sigmoid and 0 hard swishes in onnx_external\.onnx: /);
  assert.equal((await rows("#inspect-table"))[1][3], "pytorch or keras3");
  await page.locator("#model-file").setInputFiles(model("onnx_quantized_qdq.onnx"));
  await says(/in onnx_quantized_qdq\.onnx/);
  assert.deepEqual(await page.locator("#inspect-notes li").allTextContents(), [
    "the model is quantized, so hard sigmoids written out between quantizations aren't found",
    "n0: in 8 bits, PyTorch has another byte than ONNX Runtime at 0 of 256 x, and TFLite has another byte than ONNX Runtime at 2 of 256 x, by at most 1",
    "node_hardsigmoid: in 8 bits, PyTorch gives y the scale 1/256, with the smallest number as zero point, and TFLite has no such function in 8 bits",
  ]);
  await page.locator("#model-file").setInputFiles(model("tflite_float.tflite"));
  await says(/^1 hard sigmoid and 2 hard swishes in tflite_float\.tflite: TensorFlow Lite/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  // A layer in both directions has its function twice.
  const lstm = { class_name: "LSTM", config: { name: "lstm", recurrent_activation: "hard_sigmoid" } };
  const layers = [{ class_name: "Bidirectional", config: { name: "both", layer: lstm } }];
  const twice = JSON.stringify({ class_name: "Sequential", keras_version: "2.15.0", backend: "tensorflow", config: { layers } });
  await page.locator("#model-file").setInputFiles({ name: "twice.json", mimeType: "", buffer: Buffer.from(twice) });
  await says(/^2 hard sigmoids and 0 hard swishes in twice\.json: /);
  assert.equal((await rows("#inspect-table"))[1][2], "recurrent_activation: hard_sigmoid, 2 times");
  // What isn't read is said not to be.
  await page.locator("#model-file").setInputFiles({ name: "m.json", mimeType: "", buffer: Buffer.from("no model") });
  await says(/^m\.json: not an ONNX, Keras, .* or damaged$/);
  assert.ok(await page.locator("#inspect-result").isHidden());
});

// Where a subnormal that counts as zero shows in results that are none.
await visit("subnormal", { args: GPU, hash: "#affine(1e30, 0, strict)" }, async (page) => {
  console.log(`affine(1e30, 0, strict): ${await checked(page)}`);
  for (const hash of ["#affine(1, 1e-39, inclusive)", "#affine(0.2, 2e-38, strict)", "#affine(1e-39, 0, strict)"]) {
    await type(page, hash);
    console.log(`${hash}: ${await checked(page)}`);
  }
});

// "Test this GPU": the verdict, and the report in three forms. A kernel that is wrong, a test that is stopped and a lost GPU are told.
const wait = { timeout: 600000 };
const reportOf = (page) => page.evaluate(async () => JSON.parse(await (await fetch(document.getElementById("test-save").href)).text()));
await visit("tested", { args: GPU, viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
  await checked(page);
  await page.locator("#test").click();
  await page.locator("#test-status").getByText(/^Testing .*…/).waitFor();
  assert.ok(await page.locator("#sweep").isDisabled());
  await page.locator("#test-send").waitFor(wait);
  const said = await text(page, "#test-status");
  console.log(said);
  assert.match(said, /^All [0-9,]+ results of a sample over all bit patterns have the CPU path's bits.* on .*, a GPU emulated in software\.$/);
  assert.ok(await page.locator("#sweep").isEnabled());
  const [report, ...others] = await reportOf(page);
  assert.deepEqual([report.schema, report.stopped, report.adapter.backend, others.length], [1, null, "WebGPU", 0]);
  assert.equal(report.rows.length, 341);
  assert.equal(report.speed.length, 8);
  for (const { gigabytes_per_second: ours, copy_gigabytes_per_second: copied } of report.speed) assert.ok(ours > 0 && copied > 0);
  await page.locator("#test-copy").click();
  await page.getByText("Copied.").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.deepEqual(JSON.parse(copied), [report]);
  writeFileSync(join(screenshots, "report.json"), copied);
  await page.locator("#test-issue").click();
  const issue = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(issue, /^Report of .* in .*Chrom.*\n\nAll [0-9,]+ results/);
  assert.ok(issue.includes("| wrong results ") && issue.includes('"schema":1'));
  assert.deepEqual(await inaccessible(page), []);
  assert.deepEqual(await faint(page), []);
  // Stopped half-way, it says what was done.
  await page.locator("#test").click();
  await page.locator("#test-status").getByText(/^Testing .*left\./).waitFor(wait);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("#test-send").waitFor(wait);
  assert.match(await text(page, "#test-status"), /^The [0-9,]+ results so far .* It ended early: it was interrupted\.$/);
  const [stopped] = await reportOf(page);
  assert.ok(stopped.rows.length > 0 && stopped.rows.length < 341 && stopped.stopped === "it was interrupted");
});
// A kernel with another constant, as a driver might have it.
const plantWrong = () => {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function ({ code }) {
    const isIt = globalThis.isPlanted && code.startsWith("// forward in f32, tensors separate: jax,");
    return createShaderModule.call(this, { code: isIt ? code.replace(/(const SIXTH: f32 = 0.1)6/, "$17") : code });
  };
};
await visit("wrong", { args: GPU, prepare: plantWrong, viewport: { width: 1280, height: 900 } }, async (page) => {
  await checked(page);
  await page.evaluate(() => (globalThis.isPlanted = true));
  await page.locator("#test").click();
  await page.locator("#test-send").waitFor(wait);
  assert.match(await text(page, "#test-status"), /is wrong: [0-9,]+ of [0-9,]+ results differ from the CPU path\.$/);
  assert.match(await text(page, "#test-report"), /Wrong: jax, y\[\d+\] of forward in f32 is .*, but has to be .*; x = /);
  const [{ rows }] = await reportOf(page);
  assert.deepEqual(rows.filter(({ differing }) => differing).map(({ operation, definition, dtype }) => [operation, definition, dtype]), [["forward", "jax", "f32"]]);
});

// The GPU is lost, and seen to be by whatever asks for it next.
const keepDevices = () => {
  const { requestDevice } = GPUAdapter.prototype;
  globalThis.devices = [];
  GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    devices.push(device);
    if (globalThis.isLosing) device.destroy();
    return device;
  };
};
await visit("lost-in-a-test", { args: GPU, prepare: keepDevices }, async (page) => {
  await checked(page);
  await page.locator("#test").click();
  await page.locator("#test-status").getByText(/^Testing .*left\./).waitFor(wait);
  await page.evaluate(() => devices.forEach((device) => device.destroy()));
  await page.locator("#test-send").waitFor(wait);
  assert.match(await text(page, "#test-status"), /^The [0-9,]+ results so far .* It ended early: .*(lost|destroyed)/);
});
await visit("lost", { args: GPU, prepare: keepDevices }, async (page) => {
  for (const ask of ["#presets button:first-child", "#sweep", "file"]) {
    await page.reload();
    await ready(page);
    await checked(page);
    const before = await curve(page);
    await page.evaluate(() => {
      globalThis.isLosing = true;
      for (const device of devices) device.destroy();
    });
    if (ask === "file") await roundTrip(page, golden("x.npy"));
    else await page.locator(ask).click();
    await page.getByText(/^The CPU, in WebAssembly, because .*(lost|destroyed)/).waitFor();
    console.log(await text(page, "#device"));
    await page.locator("#check[data-state=done]").waitFor();
    assert.equal(await text(page, "#check"), REFERENCE);
    assert.ok(await page.locator("#status").isHidden());
    if (ask.startsWith("#presets")) assert.notEqual(await curve(page), before);
    // Another try fails, and the next one doesn't.
    await page.locator("#use-gpu").click();
    await page.locator("#use-gpu:enabled").waitFor();
    await page.getByText(/^The CPU, in WebAssembly, because .*(lost|destroyed)/).waitFor();
    await page.evaluate(() => (globalThis.isLosing = false));
    await page.locator("#use-gpu").click();
    await page.getByText(/through WebGPU\.$/).waitFor();
    await checked(page);
  }
});

// If one of two runs at a time fails, the other doesn't take its error.
await visit("at-once", { args: GPU }, async (page) => {
  await checked(page);
  const ends = await page.evaluate(async () => {
    const { Gpu } = await import("./devices.js");
    const gpu = await Gpu.open(await import("./hard-sigmoid/index.js"));
    const run = () => gpu.run("forward", "pytorch", [Float32Array.of(1, 2)]);
    const { kernels } = gpu;
    gpu.kernels = { prepare: (...all) => (gpu.device.createBuffer({ size: 4, usage: 0 }), kernels.prepare(...all)) };
    const failing = run();
    gpu.kernels = kernels;
    return (await Promise.allSettled([failing, run()])).map(({ status }) => status);
  });
  assert.deepEqual(ends, ["rejected", "fulfilled"]);
});

// The module itself fails, as it does without memory, and the page says so.
const failOnFiles = () => {
  const { instantiateStreaming } = WebAssembly;
  WebAssembly.instantiateStreaming = async (...options) => {
    const { instance, module } = await instantiateStreaming(...options);
    const npy = () => {
      throw new WebAssembly.RuntimeError("unreachable");
    };
    return { instance: { exports: { ...instance.exports, npy } }, module };
  };
};
await visit("failed", { args: GPU, prepare: failOnFiles, expected: /^RuntimeError: / }, async (page) => {
  await checked(page);
  await page.locator("#file").setInputFiles(golden("x.npy"));
  await page.getByText("x.npy… failed").waitFor();
  assert.match(await text(page, "#status"), /^Something failed: .* Reload the page to go on\.$/);
  assert.ok(await page.getByRole("alert").isVisible());
  const { top } = await page.locator("#status").evaluate((status) => status.getBoundingClientRect());
  assert.ok(top >= 0 && top < 900, "the failure is said where it is seen");
});
await visit("failed-identify", { args: GPU, prepare: failOnFiles, expected: /^RuntimeError: / }, async (page) => {
  await checked(page);
  for (const slot of ["x", "y"]) await page.locator(`[data-slot=${slot}]`).setInputFiles(golden("x.npy"));
  await page.getByText("Comparing… failed").waitFor();
});
// If the module fails at the start, the page doesn't say that anything goes on.
await visit("failed-start", { args: GPU, isSlow: true, expected: /404|CompileError|WebAssembly|wasm/ }, async (page) => {
  await page.route("**/*.wasm", (route) => route.fulfill({ status: 404, body: "" }));
  await page.reload();
  await page.getByText(/^Something failed: /).waitFor();
  const waiting = await page.locator("main p").evaluateAll((all) => all.map((one) => one.textContent).filter((text) => text.endsWith("…")));
  assert.deepEqual(waiting, []);
  assert.equal(await text(page, "#device"), "Loading… failed");
});
// Without its one-liners the page does the rest, and has what the package writes.
await visit("no-snippets", { args: GPU, isSlow: true, expected: /404/ }, async (page) => {
  await page.route("**/snippets.json", (route) => route.fulfill({ status: 404, body: "" }));
  await page.reload();
  await ready(page);
  await checked(page);
  assert.deepEqual(await page.locator("#language option").allTextContents(), ["JavaScript", "WGSL, short", "WGSL, exact"]);
  assert.ok(await page.locator("#status").isHidden());
  assert.match(await text(page, "#device"), /through WebGPU/);
});
// A page that is opened as a file says what it needs.
{
  const browser = await launch(modules, []);
  const page = await browser.newPage();
  await page.goto(`file://${resolve(site)}/index.html`);
  await page.waitForTimeout(1000);
  assert.match(await text(page, "#status"), /^The explorer needs a web server/);
  await browser.close();
  console.log("file: passed");
}

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
await visit("phone", { args: GPU, ...phone, hash: "#affine(0.3, 0.4, inclusive)", colorScheme: "dark" }, async (page) => {
  assert.equal(await text(page, "#formula"), "y = clamp(0.3·x + 0.4, 0, 1)");
  await checked(page);
  // A phone widens its view to what doesn't fit.
  const [wide, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.deepEqual([wide, view], [390, 390]);
  // The picture comes before the table.
  const tops = await page.evaluate(() => ["h1", "header pre", "header figure", "#who"].map((one) => document.querySelector(one).getBoundingClientRect().top));
  assert.deepEqual(tops, [...tops].sort((a, b) => a - b));
  // A long name doesn't widen the page, and neither does a narrow view.
  await page.setViewportSize({ width: 340, height: 800 });
  await drop(page, "#identify", [named(`${"long".repeat(40)}.npy`, "x.npy")]);
  await page.locator("#file").setInputFiles(named(`${"long".repeat(40)}.npy`, "x.npy"));
  await page.getByText(/is ready\.$/).waitFor();
  assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]), [340, 340]);
  await page.setViewportSize(phone.viewport);
  // A tap reads the curve.
  await page.locator("#gradients").tap({ position: { x: 200, y: 40 } });
  assert.match(await text(page, "#readout"), /^x .*: y .*0x[0-9a-f]{8}/);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await inaccessible(page), [], colorScheme);
    await page.screenshot({ path: join(screenshots, `phone-${colorScheme}.png`), fullPage: true });
  }
  // A finger beside a dot finds it.
  for (const id of ["alpha-handle", "beta-handle"]) {
    const found = await page.locator(`#${id} .dot`).evaluate((dot) => {
      const { x, y, width, height } = dot.getBoundingClientRect();
      return document.elementFromPoint(x + width / 2 + 16, y + height / 2)?.parentElement.id;
    });
    assert.equal(found, id);
  }
  // Labels aren't cut, however large.
  for (const [hash, label] of [["#affine(-1.5e30, 0, strict)", "−1.5e30"], ["#affine(1200, 0, strict)", "1200"]]) {
    await type(page, hash);
    await page.locator("#gradients").getByText(label, { exact: true }).waitFor();
    const labels = page.locator("#gradients text");
    const left = await labels.evaluateAll((labels) => Math.min(...labels.map((label) => label.getBBox().x)));
    assert.ok(left >= 0, `labels for ${hash} begin at ${left}`);
  }
});

await visit("cpu", { args: ["--disable-features=WebGPU"], viewport: { width: 1280, height: 900 } }, async (page) => {
  assert.match(await text(page, "#device"), /^The CPU, in WebAssembly, because (this browser has no WebGPU|WebGPU found no adapter)/);
  assert.equal(await page.locator("#use-gpu").isDisabled(), await page.evaluate(() => !navigator.gpu));
  assert.ok(await page.locator("#sweep").isDisabled());
  assert.equal(await text(page, "#check"), REFERENCE);
  const { bytes } = await roundTrip(page, golden("x.npy"));
  assert.ok(equal(elements(bytes), elements(readFileSync(golden("pytorch.y.npy")))));
});
// Without JavaScript the answer is there, and a word on what isn't. Chromium preloads no modules then.
await visit("no-javascript", { args: GPU, javaScriptEnabled: false, expected: /\.js$/ }, async (page) => {
  for (const selector of ["h1", "#who", "#curves", "noscript p"]) assert.ok(await page.locator(selector).isVisible(), selector);
  assert.ok(await page.locator("main").isHidden());
});

// On a slow line there is a curve before WebAssembly, and its bits follow.
await visit("slow", { args: GPU, isSlow: true, hash: "#affine(1.5, 0.25, half)" }, async (page) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/*.wasm", async (route) => {
    await held;
    await route.continue();
  });
  await page.reload({ waitUntil: "commit" });
  await page.locator("#values polyline.own[points]").waitFor({ state: "attached" });
  const sketched = await curve(page);
  assert.equal(sketched.split(" ").length, 1281);
  assert.equal(await text(page, "#name"), "affine(1.5, 0.25, half)");
  // The curve can be read already, without the bits.
  await page.getByRole("slider", { name: "x at which the curve is read" }).press("End");
  assert.equal(await text(page, "#readout"), "x 5: logistic 0.993307");
  assert.ok(await page.locator("#test").isDisabled());
  // What can't be done yet isn't offered.
  assert.ok(await page.locator("#loading").isVisible());
  // It says how much is to come.
  const wasm = readFileSync(join(site, "hard-sigmoid/native_bg.wasm"));
  for (const [i, bytes] of [wasm, gzipSync(wasm)].entries()) {
    const said = Number((await text(page, "#loading")).match(/\d+(?= kB)/g)[i]);
    assert.ok(Math.abs(bytes.length / said / 1000 - 1) < 0.05, `${said} kB are said, but there are ${bytes.length} bytes`);
  }
  assert.equal(await page.locator("main [inert]").count(), 4);
  release();
  await ready(page);
  assert.equal(await curve(page), sketched);
  await checked(page);
  assert.equal(await page.locator("main [inert]").count(), 0);
  assert.ok(await page.locator("#loading").isHidden());
});

// A module that doesn't arrive is complained of.
await visit("module-lost", { args: GPU, isSlow: true, expected: /ERR_FAILED|compare\.js/ }, async (page) => {
  await page.route("**/compare.js", (route) => route.abort());
  await page.reload();
  await page.getByText("A part of the explorer didn't arrive.").waitFor();
});

// The picture of a link that is posted needs a whole address.
await visit("posted", { args: GPU }, async (page) => {
  const image = await page.locator("meta[property='og:image']").getAttribute("content");
  assert.equal(image, "https://example.org/page/curves-light.png");
  const url = await page.locator("meta[property='og:url']").getAttribute("content");
  assert.equal(url, "https://example.org/page/");
});
close();
console.log(`screenshots in ${screenshots}`);
