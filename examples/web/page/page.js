// The page: draws what the WebAssembly module computes, on the GPU or by the CPU path.
import init, { Definition, Device, Speed, comparisonSees } from "./hard_sigmoid_web.js";

const $ = (id) => document.getElementById(id);
const LOW = -5;
const HIGH = 5;
const POINTS = 1281;
const xs = Float32Array.from({ length: POINTS }, (_, i) => LOW + ((HIGH - LOW) * i) / (POINTS - 1));

// --- plots ---------------------------------------------------------------------------------------------------------

const MARGIN = { left: 52, right: 12, top: 18, bottom: 24 };

class Plot {
  constructor(svg, ofLogistic) {
    Object.assign(this, { svg, ys: Array.from(xs, ofLogistic) });
    [this.width, this.height] = svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
    this.frame = this.add("g", {});
    this.logistic = this.add("polyline", { class: "logistic" });
    this.own = this.add("polyline", { class: "own" });
    this.cursor = this.add("line", { class: "cursor", y1: MARGIN.top, y2: this.height - MARGIN.bottom, visibility: "hidden" });
  }
  /** Shows what lies between low and high. */
  show(low, high, ticks) {
    if (low === this.low && high === this.high) return;
    Object.assign(this, { low, high });
    this.frame.replaceChildren();
    for (const value of ticks) {
      this.line("grid", this.x(LOW), this.y(value), this.x(HIGH), this.y(value));
      this.text(value, { x: MARGIN.left - 6, y: this.y(value) + 4, "text-anchor": "end" });
    }
    for (let x = LOW; x <= HIGH; x++) {
      this.line(x === 0 ? "axis" : "grid", this.x(x), this.y(low), this.x(x), this.y(high));
      this.text(x, { x: this.x(x), y: this.height - 6, "text-anchor": "middle" });
    }
    this.draw(this.logistic, this.ys);
  }
  add(name, attributes, parent = this.svg) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  }
  line(style, x1, y1, x2, y2) {
    this.add("line", { class: style, x1, y1, x2, y2 }, this.frame);
  }
  text(value, attributes) {
    const text = this.add("text", attributes, this.frame);
    const isLarge = Math.abs(value) >= 1e4;
    text.textContent = (isLarge ? value.toExponential().replace("+", "") : String(value)).replace("-", "−");
    // What is too long for the margin is squeezed into it.
    const room = MARGIN.left - 8;
    if (text.getComputedTextLength() > room) {
      text.setAttribute("textLength", room);
      text.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }
  x(x) {
    return MARGIN.left + ((x - LOW) / (HIGH - LOW)) * (this.width - MARGIN.left - MARGIN.right);
  }
  y(y) {
    return MARGIN.top + ((this.high - y) / (this.high - this.low)) * (this.height - MARGIN.top - MARGIN.bottom);
  }
  draw(line, ys) {
    const points = Array.from(ys, (y, i) => `${this.x(xs[i]).toFixed(2)},${this.y(y).toFixed(2)}`);
    line.setAttribute("points", points.join(" "));
  }
  /** Where in the plot's units a pointer is. */
  at(event) {
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const across = (x * this.width - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const down = (y * this.height - MARGIN.top) / (this.height - MARGIN.top - MARGIN.bottom);
    return [LOW + across * (HIGH - LOW), this.high - down * (this.high - this.low)];
  }
}

const logistic = (x) => 1 / (1 + Math.exp(-x));
const values = new Plot($("values"), logistic);
const gradients = new Plot($("gradients"), (x) => logistic(x) * (1 - logistic(x)));
values.show(-0.1, 1.1, [0, 0.5, 1]);
/** A steep gradient is alpha, and needs more room than the others. */
function showGradients(alpha) {
  if (alpha >= -0.05 && alpha <= 0.55) gradients.show(-0.1, 0.6, [0, 0.25, 0.5]);
  else gradients.show(Math.min(-0.1, 1.1 * alpha), Math.max(0.6, 1.1 * alpha), [0, Number(alpha.toPrecision(2))]);
}

// --- what is shown ------------------------------------------------------------------------------------------------

let device;
let gpu;
let cpu;
let gpuName;
let whyNoGpu;
let definition;
let shown; // [y, gradient] of the curves drawn.

const count = (number) => number.toLocaleString("en");
const short = (number) => String(Number(number.toPrecision(7))).replace("-", "−");

/** Only the last of the drawings asked for while one is under way is done. */
let isDrawing = false;
let isStale = false;
async function draw() {
  isStale = true;
  if (isDrawing) return;
  isDrawing = true;
  try {
    while (isStale) {
      isStale = false;
      const [drawn, on] = [definition, device];
      let y, gradient;
      try {
        y = await on.forward(drawn, xs);
        gradient = await on.gradient(drawn, xs);
      } catch (error) {
        if (on === cpu) throw error;
        giveUpGpu(on, error);
        continue;
      }
      showGradients(drawn.alpha);
      values.draw(values.own, y);
      gradients.draw(gradients.own, gradient);
      shown = [y, gradient];
      read();
    }
  } finally {
    isDrawing = false;
  }
}

/** Takes a text that Definition reads. */
function choose(text) {
  definition = new Definition(text);
  const { name, beta, kinks, kinkRule } = definition;
  $("name").textContent = name === "affine" ? "any other" : name;
  $("formula").textContent = `y = ${definition.formula}`;
  $("source").textContent = definition.source ?? "ONNX HardSigmoid(alpha, beta)";
  for (const id of ["alpha", "beta"]) {
    const value = definition[id];
    $(id).value = value;
    $(`${id}-value`).textContent = short(value);
    // A slider's own value is rounded to its steps, and limited.
    for (const slider of [$(id), $(`${id}-handle`)]) slider.setAttribute("aria-valuetext", short(value));
    $(`${id}-handle`).setAttribute("aria-valuenow", moved(value, id));
  }
  document.querySelector(`[name=kinks][value=${kinkRule}]`).checked = true;
  $("kinks").textContent = kinks.length
    ? `Kinks at ${short(kinks[0])} and ${short(kinks[1])}; value at 0 is ${short(Math.min(Math.max(beta, 0), 1))}.`
    : "A constant: no kinks.";
  for (const button of $("presets").children) button.setAttribute("aria-pressed", button.dataset.text === definition.text);
  placeHandles();
  scheduleCheck();
  return draw();
}

const chosenKinkRule = () => document.querySelector("[name=kinks]:checked").value;
/** What a slider or a drag gave, within the slider's range. */
function moved(value, id) {
  const limited = Math.min(Math.max(value, Number($(id).min)), Number($(id).max));
  return Math.round(limited * 1000) / 1000;
}
const affine = (alpha, beta) => choose(`affine(${alpha}, ${beta}, ${chosenKinkRule()})`);
const moveAlpha = (alpha) => affine(moved(alpha, "alpha"), definition.beta);
const moveBeta = (beta) => affine(definition.alpha, moved(beta, "beta"));
$("alpha").addEventListener("input", () => moveAlpha(Number($("alpha").value)));
$("beta").addEventListener("input", () => moveBeta(Number($("beta").value)));
for (const radio of document.querySelectorAll("[name=kinks]"))
  radio.addEventListener("change", () => affine(definition.alpha, definition.beta));

// The dot on the axis moves beta, the one on the upper kink alpha.
function addHandle(id, label) {
  const aria = { "aria-label": label, "aria-valuemin": $(id).min, "aria-valuemax": $(id).max };
  const handle = values.add("g", { id: `${id}-handle`, class: "handle", role: "slider", tabindex: 0, ...aria });
  values.add("circle", { class: "reach", r: 22 }, handle);
  values.add("circle", { class: "dot", r: 9 }, handle);
  return handle;
}
const betaHandle = addHandle("beta", "beta, the value at 0");
const alphaHandle = addHandle("alpha", "alpha, by the upper kink");
/** Whether the upper kink is in the plot, and apart from the other dot. */
const isKinkSeen = (alpha, beta) => Math.abs(1 - beta) >= 0.02 && Math.abs((1 - beta) / alpha) <= HIGH;
function placeHandles() {
  const { alpha, beta } = definition;
  const place = (handle, x, y) => handle.setAttribute("transform", `translate(${values.x(x)} ${values.y(y)})`);
  place(betaHandle, 0, Math.min(Math.max(beta, values.low), values.high));
  const isSeen = isKinkSeen(alpha, beta);
  alphaHandle.setAttribute("visibility", isSeen ? "visible" : "hidden");
  if (isSeen) place(alphaHandle, (1 - beta) / alpha, 1);
}
/** Not where its dot would vanish, and the focus with it. */
const moveKink = (alpha) => isKinkSeen(moved(alpha, "alpha"), definition.beta) && moveAlpha(alpha);
function draggable(handle, move, step) {
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) move(...values.at(event));
  });
  handle.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (direction) {
      event.preventDefault();
      step(direction * 0.01);
    }
  });
}
draggable(betaHandle, (_, y) => moveBeta(y), (by) => moveBeta(definition.beta + by));
// Not quite to the plot's ends: alpha is rounded.
const [FIRST, LAST] = [0.98 * LOW, 0.98 * HIGH];
draggable(
  alphaHandle,
  (x) => Math.abs(x) > 0.05 && moveKink((1 - definition.beta) / Math.min(Math.max(x, FIRST), LAST)),
  (by) => moveKink(definition.alpha + by),
);

const bits = new DataView(new ArrayBuffer(4));
const hex = (value) => {
  bits.setFloat32(0, value);
  return `0x${bits.getUint32(0).toString(16).padStart(8, "0")}`;
};
let pointed; // Which of the points is read.
function read() {
  if (!shown || pointed === undefined) return;
  const [x, y, gradient] = [xs[pointed], shown[0][pointed], shown[1][pointed]];
  $("readout").textContent =
    `x ${short(x)}: y ${short(y)} (${hex(y)}), dy/dx ${short(gradient)} (${hex(gradient)}), ` +
    `logistic ${logistic(x).toFixed(6)}`;
}
for (const plot of [values, gradients]) {
  plot.svg.addEventListener("pointermove", (event) => {
    const across = (plot.at(event)[0] - LOW) / (HIGH - LOW);
    pointed = Math.min(Math.max(Math.round(across * (POINTS - 1)), 0), POINTS - 1);
    for (const { cursor } of [values, gradients]) {
      cursor.setAttribute("visibility", "visible");
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, values.x(xs[pointed]));
    }
    read();
  });
}

// --- the device ---------------------------------------------------------------------------------------------------

async function use(chosen) {
  device = chosen;
  const isGpu = device === gpu;
  $("device").textContent = isGpu
    ? `${gpuName}${gpu.isSoftware ? ", a GPU emulated in software" : ""}, through WebGPU.`
    : `The CPU, in WebAssembly${whyNoGpu ? `, since ${whyNoGpu}` : ""}.`;
  $("use-gpu").setAttribute("aria-pressed", isGpu);
  $("use-cpu").setAttribute("aria-pressed", !isGpu);
  $("use-gpu").disabled = !gpu;
  $("sweep").disabled = !isGpu;
  if (!definition) return;
  scheduleCheck();
  await draw();
}
/** Goes on by the CPU path after a failure on a GPU. */
function giveUpGpu(on, error) {
  // Several calls may fail of one cause.
  if (on !== gpu) return;
  gpu = undefined;
  whyNoGpu = "the GPU was lost";
  $("device").title = error?.message ?? String(error);
  use(cpu);
}
$("use-gpu").addEventListener("click", () => use(gpu));
$("use-cpu").addEventListener("click", () => use(cpu));

// --- checks -------------------------------------------------------------------------------------------------------

function reportCheck(name, { compared, differing, flushed }, isDone) {
  const verdict = document.createElement("span");
  verdict.className = differing ? "bad" : "good";
  verdict.textContent = `${count(differing)} of ${count(compared)} results differ`;
  const tiny = flushed ? `, except for ${count(flushed)} where a subnormal counted as zero, as WGSL allows` : "";
  $("check").replaceChildren(`${name}: `, verdict, ` from the CPU path in any bit${tiny}.`);
  $("check").dataset.state = isDone ? "done" : "running";
}

let checkTimer;
/** Once what is shown has come to rest: writes its address, sends the file through it, and checks it. */
function scheduleCheck() {
  clearTimeout(checkTimer);
  $("check").dataset.state = "running";
  if (device === cpu) $("check").textContent = "This is the CPU path itself, the reference that the GPU is compared with.";
  else if (!sweep) $("check").textContent = "Checking…";
  checkTimer = setTimeout(() => {
    writeAddress();
    transform();
    check();
  }, 400);
}
/** Checks 2^18 f32 across all bit patterns, and all halves, forward and backward. */
async function check() {
  if (sweep) return;
  const [checked, on] = [definition, device];
  if (on === cpu) {
    $("check").dataset.state = "done";
    return;
  }
  let single, odd, halves;
  try {
    // Round numbers, with infinities and kinks, and ones with all their bits, whose sums are rounded.
    single = await on.check(checked, 0, 1 << 15, 1 << 17);
    odd = await on.check(checked, 0, 32771, 1 << 17);
    halves = await on.checkHalves(checked);
  } catch (error) {
    giveUpGpu(on, error);
    return;
  }
  if (checked !== definition || on !== device || sweep) return;
  const sum = (key) => single[key] + odd[key] + halves[key];
  const all = { compared: sum("compared"), differing: sum("differing"), flushed: sum("flushed") };
  reportCheck("2¹⁸ f32, all f16, all bf16, forward and backward", all, true);
}

let sweep; // The sweep under way.
$("sweep").addEventListener("click", async () => {
  if (sweep) {
    sweep.isStopped = true;
    return;
  }
  const own = (sweep = {});
  const [checked, on] = [definition, device];
  const PART = 1 << 22;
  const all = { compared: 0, differing: 0, flushed: 0 };
  $("sweep").textContent = "Stop";
  $("sweep-progress").hidden = false;
  try {
    for (let start = 0; start < 2 ** 32; start += PART) {
      const part = await on.check(checked, start, 1, PART);
      if (on !== device) break;
      for (const key of Object.keys(all)) all[key] += part[key];
      $("sweep-progress").value = (start + PART) / 2 ** 32;
      reportCheck(`${checked.text}, f32, forward and backward`, all, false);
      // Lets the page react.
      await new Promise((resolve) => setTimeout(resolve));
      if (own.isStopped) break;
    }
  } catch (error) {
    giveUpGpu(on, error);
  } finally {
    $("check").dataset.state = "done";
    $("sweep").textContent = "Check all 2³² inputs";
    $("sweep-progress").hidden = true;
    sweep = undefined;
    if (checked !== definition || on !== device) scheduleCheck();
  }
});

$("measure").addEventListener("click", async () => {
  const on = device;
  $("measure").disabled = true;
  $("speed").textContent = "Measuring…";
  // Lets that be seen: the CPU path blocks the page.
  await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    const { kernel, copy, cpu: cpuPath } = await Speed.measure(definition, on === cpu);
    const onCpu = `The CPU path, one core in WebAssembly: ${cpuPath.toFixed(2)} GB/s.`;
    $("speed").textContent = kernel
      ? `Forward kernel ${kernel.toFixed(1)} GB/s, ${(kernel / copy).toFixed(2)} of a copy there (${copy.toFixed(1)} GB/s). ${onCpu}`
      : onCpu;
  } catch (error) {
    $("speed").textContent = error.message ?? error;
    if (on !== cpu && error instanceof Error) giveUpGpu(on, error);
  }
  $("measure").disabled = false;
});

// --- files --------------------------------------------------------------------------------------------------------

/** The module's memory ends at 4 GiB, and holds a file three times. */
const LARGEST_FILE = 512 * 2 ** 20;
let chosenFile;
let address;
let transforming; // The last one begun, until it ends; what an earlier one gives is old.
async function transform() {
  if (!chosenFile) return;
  const own = (transforming = {});
  $("download").hidden = true;
  $("file-status").textContent = `${chosenFile.name}…`;
  let on;
  try {
    if (chosenFile.size > LARGEST_FILE) throw `it has ${count(chosenFile.size)} bytes; this page takes up to 512 MiB`;
    const [chosen, wantsGradient] = [definition, $("wanted").value === "gradient"];
    const bytes = new Uint8Array(await chosenFile.arrayBuffer());
    on = device;
    const result = await on.transformNpy(chosen, wantsGradient, $("bf16").checked, bytes);
    if (own !== transforming) return;
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([result], { type: "application/octet-stream" }));
    const name = chosenFile.name.replace(/(\.npy)?$/, `.${chosen.name}.${wantsGradient ? "gradient" : "y"}.npy`);
    Object.assign($("download"), { href: address, download: name, hidden: false });
    $("file-status").textContent = `${name}, ${count(result.length)} bytes, is ready.`;
  } catch (error) {
    // Comes again on the CPU path.
    if (on && on !== cpu && error instanceof Error) giveUpGpu(on, error);
    else if (own === transforming) $("file-status").textContent = `${chosenFile.name}: ${error.message ?? error}`;
  }
  if (own === transforming) transforming = undefined;
}
const take = (file) => {
  chosenFile = file;
  return transform();
};
$("file").addEventListener("change", () => {
  const file = $("file").files[0];
  // So that the same file can be chosen again.
  $("file").value = "";
  if (file) take(file);
});
for (const id of ["wanted", "bf16"]) $(id).addEventListener("change", transform);
$("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
$("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});

// A file dropped beside it doesn't take the page's place.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

// --- start --------------------------------------------------------------------------------------------------------

function fail(error) {
  $("status").hidden = false;
  $("status").className = "bad";
  $("status").textContent = `Something failed: ${error?.message ?? error}. Reload the page to go on.`;
  if (transforming) $("file-status").textContent = `${chosenFile.name}: failed`;
  transforming = undefined;
}
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
// Where the module fails, its promises are never settled.
window.addEventListener("error", (event) => fail(event.error ?? event.message));

/** The definition that the address names, if it names one. */
function wished() {
  try {
    return new Definition(decodeURIComponent(location.hash.slice(1))).text;
  } catch {
    return undefined;
  }
}

/** Browsers refuse this where it comes too often. */
function writeAddress() {
  try {
    history.replaceState(null, "", `#${definition.text}`);
  } catch {
    // The next one will do.
  }
}

async function start() {
  await init();
  const { compared, differing, flushed } = comparisonSees();
  if (compared !== 8 || differing !== 4 || flushed !== 3) throw new Error("the comparison doesn't see differences");
  cpu = await Device.cpu();
  try {
    gpu = await Device.gpu();
    // Browsers often tell no more than its maker and family.
    const { vendor = "", architecture = "" } = (await navigator.gpu.requestAdapter())?.info ?? {};
    gpuName = gpu.adapter || `${vendor} ${architecture}`.trim() || "An adapter without a name";
  } catch (error) {
    whyNoGpu = navigator.gpu ? "WebGPU found no adapter" : "this browser has no WebGPU, or has it for https and localhost only";
    // All that wgpu tried.
    $("device").title = error.message;
  }
  for (const preset of Definition.presets()) {
    const button = document.createElement("button");
    button.textContent = preset.name;
    button.dataset.text = preset.text;
    button.title = preset.source;
    button.addEventListener("click", () => choose(preset.text));
    $("presets").append(button);
  }
  document.querySelector("main").hidden = false;
  await use(gpu ?? cpu);
  await choose(wished() ?? "pytorch");
  window.addEventListener("hashchange", () => (wished() ? choose(wished()) : writeAddress()));
  $("status").hidden = true;
}
start().catch(fail);
