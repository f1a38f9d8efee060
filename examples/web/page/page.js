// The page. Its first curve is drawn from the formula; when the package hard-sigmoid has arrived, every value comes from it.
import { $, copy, count, hex, isModules, made, ones, readFile, short } from "./common.js";
import { startCompare } from "./compare.js";
import { Cpu, Gpu } from "./devices.js";
import { startIdentify } from "./identify.js";
import { haveModel, startInspect } from "./inspect.js";
import { HIGH, LOW, POINTS, Plot, xs } from "./plot.js";
import { issue, tables, toJson, verdict, verify } from "./verify.js";

// --- plots ---------------------------------------------------------------------------------------------------------

document.querySelector("main").hidden = false;
const logistic = (x) => 1 / (1 + Math.exp(-x));
const values = new Plot($("values"), ["logistic", "own"], () => placeHandles());
const gradients = new Plot($("gradients"), ["logistic", "own"]);
/** The functions: their operations in the package, the smooth curve that each replaces with its gradient, and where they usually lie. */
const FUNCTIONS = {
  hard_sigmoid: {
    ...{ operations: ["forward", "backward"], words: "hard sigmoid of x", smooth: "logistic sigmoid", short: "logistic" },
    curves: [logistic, (x) => logistic(x) * (1 - logistic(x))],
    ranges: [[-0.1, 1.1, [0, 0.5, 1]], [-0.1, 0.6, [0, 0.25, 0.5]]],
  },
  hard_swish: {
    ...{ operations: ["hard_swish", "hard_swish_backward"], words: "x · hard sigmoid of x", smooth: "swish", short: "swish" },
    curves: [(x) => x * logistic(x), (x) => logistic(x) * (1 + x * (1 - logistic(x)))],
    ranges: [[-1, 5.2, [0, 2.5, 5]], [-0.6, 1.6, [0, 1]]],
  },
};
let kind = FUNCTIONS.hard_sigmoid;
/** Draws y and its gradient. What doesn't lie where it usually does gets more room, and so does the slope, at which x there may be none. */
function drawCurves(curves, slope, kind) {
  for (const [i, plot] of [values, gradients].entries()) {
    const [low, high, ticks] = kind.ranges[i];
    const all = i ? [...curves[i], slope] : curves[i];
    const [least, most] = [Math.min(...all), Math.max(...all)];
    if (least >= low && most <= high) plot.show(low, high, ticks);
    else {
      const farthest = -least > most ? least : most;
      plot.show(Math.min(low, 1.1 * least), Math.max(high, 1.1 * most), [0, Number(farthest.toPrecision(2))]);
    }
    plot.draw("logistic", Array.from(xs, kind.curves[i]));
    plot.draw("own", curves[i]);
  }
  $("of-values").textContent = `y = ${kind.words}`;
  $("over-values").textContent = kind.smooth;
  $("values").setAttribute("aria-label", `The curve, over the ${kind.smooth}`);
  $("gradients").setAttribute("aria-label", `The gradient, over that of the ${kind.smooth}`);
  $("over-gradients").textContent = `that of the ${kind.smooth}`;
}

// What is wider than its place says so: in the next frame, since that changes its height.
for (const one of document.querySelectorAll(".scroll")) {
  const say = () => one.classList.toggle("cut", one.scrollWidth > one.clientWidth);
  new ResizeObserver(() => requestAnimationFrame(say)).observe(one);
}

// --- what is shown ------------------------------------------------------------------------------------------------

let hs; // The package, once it is there.
let device;
let gpu;
let cpu;
let whyNoGpu;
let definition;
let shown; // [y, gradient] of the curves drawn.

const addressed = () => {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
};
const SLOPES = { keras: 0.2, onnx: 0.2, courbariaux: 0.5, tangent: 0.25, pytorch: 1 / 6, jax: 1 / 6, keras3: 1 / 6, sparse: 0.5 };
/** Draws the line of the address before the package has arrived: only to look at. */
function sketch() {
  const [, ...own] = (/^affine\(([^,]+),([^,)]+)/.exec(addressed()) ?? []).map(Number);
  const isOwn = own.length > 0 && own.every(Number.isFinite);
  const name = Object.hasOwn(SLOPES, addressed()) ? addressed() : "pytorch";
  const [alpha, beta] = isOwn ? own : [SLOPES[name], 0.5];
  $("name").textContent = isOwn ? addressed() : name;
  const y = Array.from(xs, (x) => Math.min(Math.max(alpha * x + beta, 0), 1));
  drawCurves([y, y.map((y) => (y > 0 && y < 1 ? alpha : 0))], alpha, kind);
}

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
      const [drawn, of, on] = [definition, kind, device];
      const [forward, backward] = of.operations;
      let curves;
      try {
        curves = [await on.run(forward, drawn, [xs]), await on.run(backward, drawn, [xs, ones(xs)])];
      } catch (error) {
        giveUpGpu(on, error);
        continue;
      }
      drawCurves(curves, drawn.slope, of);
      shown = curves;
      read();
    }
  } finally {
    isDrawing = false;
  }
}

/** Takes a HardSigmoid, or a text that it reads. */
function choose(wanted) {
  definition = new hs.HardSigmoid(wanted);
  const { text, slope, shift, kinks, kinkRule } = definition;
  $("unknown").hidden = true;
  $("name").textContent = text;
  $("formula").textContent = kind === FUNCTIONS.hard_swish ? `y = x · hs(x), hs(x) = ${definition.formula}` : `y = ${definition.formula}`;
  $("source").textContent = definition.source ?? "ONNX HardSigmoid(alpha, beta)";
  for (const [id, value] of [["alpha", slope], ["beta", shift]]) {
    $(id).value = value;
    $(`${id}-value`).textContent = short(value);
    // A slider's own value is rounded to its steps, and limited.
    for (const slider of [$(id), $(`${id}-handle`)]) slider.setAttribute("aria-valuetext", short(value));
    $(`${id}-handle`).setAttribute("aria-valuenow", moved(value, id));
  }
  document.querySelector(`[name=kinks][value=${kinkRule}]`).checked = true;
  $("kinks").textContent = kinks
    ? `Kinks at ${short(kinks[0])} and ${short(kinks[1])}; the value at 0 is ${short(Math.min(Math.max(shift, 0), 1))}.`
    : "A constant: no kinks.";
  for (const button of $("presets").children) button.setAttribute("aria-pressed", button.dataset.text === definition.text);
  showSnippet();
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
const affine = (alpha, beta) => hs && choose(hs.HardSigmoid.affine(alpha, beta, chosenKinkRule()));
const moveAlpha = (alpha) => affine(moved(alpha, "alpha"), definition.shift);
const moveBeta = (beta) => affine(definition.slope, moved(beta, "beta"));
$("alpha").addEventListener("input", () => hs && moveAlpha(Number($("alpha").value)));
$("beta").addEventListener("input", () => hs && moveBeta(Number($("beta").value)));
for (const radio of document.querySelectorAll("[name=kinks]"))
  radio.addEventListener("change", () => hs && affine(definition.slope, definition.shift));
for (const radio of document.querySelectorAll("[name=function]")) {
  radio.addEventListener("change", () => {
    kind = FUNCTIONS[radio.value];
    choose(definition);
  });
}

// The dot on the axis moves beta, the one on the upper kink alpha.
function addHandle(id, label) {
  const aria = { "aria-label": label, "aria-valuemin": $(id).min, "aria-valuemax": $(id).max, "aria-valuenow": 0 };
  const handle = values.add("g", { id: `${id}-handle`, class: "handle", role: "slider", tabindex: 0, visibility: "hidden", ...aria });
  values.add("circle", { class: "reach", r: 22 }, handle);
  values.add("circle", { class: "dot", r: 9 }, handle);
  return handle;
}
const betaHandle = addHandle("beta", "beta, the value at 0");
const alphaHandle = addHandle("alpha", "alpha, by the upper kink");
/** Whether the upper kink is in the plot, and apart from the other dot. */
const isKinkSeen = (alpha, beta) => Math.abs(1 - beta) >= 0.02 && Math.abs((1 - beta) / alpha) <= HIGH;
function placeHandles() {
  const axis = { x: values.x(LOW), y: values.height - 24, width: values.x(HIGH) - values.x(LOW), height: 22 };
  for (const [key, value] of Object.entries(axis)) readerRect.setAttribute(key, value);
  for (const handle of [betaHandle, alphaHandle]) handle.setAttribute("visibility", "hidden");
  // The dots are on the hard sigmoid alone.
  if (!definition || kind !== FUNCTIONS.hard_sigmoid) return;
  const { slope, shift } = definition;
  const place = (handle, x, y) => {
    handle.setAttribute("visibility", "visible");
    handle.setAttribute("transform", `translate(${values.x(x)} ${values.y(y)})`);
  };
  place(betaHandle, 0, Math.min(Math.max(shift, values.low), values.high));
  if (isKinkSeen(slope, shift)) place(alphaHandle, (1 - shift) / slope, 1);
}
/** Moves the kink by alpha, but not where its dot would vanish, and the focus with it. */
const moveKink = (alpha) => isKinkSeen(moved(alpha, "alpha"), definition.shift) && moveAlpha(alpha);
function draggable(handle, move, set, value) {
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) move(...values.at(event));
  });
  const step = { ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01, PageUp: 0.1, PageDown: -0.1 };
  const end = { Home: "aria-valuemin", End: "aria-valuemax" };
  handle.addEventListener("keydown", (event) => {
    if (event.key in step) {
      const [now, by] = [value(), step[event.key]];
      const [least, most] = ["aria-valuemin", "aria-valuemax"].map((name) => Number(handle.getAttribute(name)));
      // Beyond its range a dot doesn't jump back when it is moved farther.
      if ((now <= most || by < 0) && (now >= least || by > 0)) set(now + by);
    } else if (event.key in end) set(Number(handle.getAttribute(end[event.key])));
    else return;
    event.preventDefault();
  });
}
draggable(betaHandle, (_, y) => moveBeta(y), moveBeta, () => definition.shift);
// Not quite to the plot's ends: alpha is rounded.
const [FIRST, LAST] = [0.98 * LOW, 0.98 * HIGH];
draggable(
  alphaHandle,
  (x) => Math.abs(x) > 0.05 && moveKink((1 - definition.shift) / Math.min(Math.max(x, FIRST), LAST)),
  moveKink,
  () => definition.slope,
);

// --- reading the curve: by pointer, tap or keys -------------------------------------------------------------------

let pointed; // Which of the points is read.
const reader = values.add("g", {
  ...{ id: "reader", role: "slider", tabindex: 0, "aria-label": "x at which the curve is read" },
  ...{ "aria-valuemin": LOW, "aria-valuemax": HIGH, "aria-valuenow": 0, "aria-valuetext": "0" },
});
const readerRect = values.add("rect", {}, reader);
values.svg.insertBefore(reader, betaHandle);
function point(index) {
  pointed = Math.min(Math.max(Math.round(index), 0), POINTS - 1);
  for (const plot of [values, gradients]) plot.point(pointed);
  reader.setAttribute("aria-valuenow", xs[pointed]);
  read();
}
function read() {
  if (pointed === undefined) return;
  const x = xs[pointed];
  const told = [`${kind.short} ${kind.curves[0](x).toFixed(6).replace("-", "−")}`];
  if (shown) told.unshift(...["y", "dy/dx"].map((name, i) => `${name} ${short(shown[i][pointed])} (${hex(shown[i][pointed])})`));
  const text = `x ${short(x)}: ${told.join(", ")}`;
  $("readout").textContent = text;
  reader.setAttribute("aria-valuetext", text);
}
for (const plot of [values, gradients]) {
  for (const type of ["pointermove", "pointerdown"])
    plot.svg.addEventListener(type, (event) => point(((plot.at(event)[0] - LOW) / (HIGH - LOW)) * (POINTS - 1)));
}
reader.addEventListener("keydown", (event) => {
  const now = pointed ?? (POINTS - 1) / 2;
  // A tenth of x is 12.8 points.
  const to = {
    ...{ ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1 },
    ...{ PageUp: now + 64, PageDown: now - 64, Home: 0, End: POINTS - 1 },
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  point(to);
});

// --- one-liners ---------------------------------------------------------------------------------------------------

let snippets; // The one-liners of each definition, once they are there.
let wantedLanguage;
const HAS = { "y and dx": "The same bits of y and gradient", y: "The same bits of y", none: "The same function; roundings may differ" };
/** What is so of each line in a language. */
const OF_LANGUAGE = { "Keras 2": "Up to TensorFlow 2.15 tf_keras is tf.keras." };
/** Texts for every definition, by the package. */
const WRITTEN = [
  {
    ...{ language: "JavaScript", bits: "y and dx", note: "Of the npm package hard-sigmoid; backward() and hardSwishBackward() give dx." },
    write: () => `new HardSigmoid("${definition.text}").${kind === FUNCTIONS.hard_swish ? "hardSwish" : "forward"}(x)`,
  },
  { language: "WGSL, short", write: () => scalar("short"), bits: "none" },
  {
    ...{ language: "WGSL, exact", write: () => scalar("exact"), bits: "y", where: "on every driver tested" },
    note: "scalar() of the npm package has gradients and halves too; wgsl() has whole kernels.",
  },
];
const scalar = (text) => hs.scalar(kind.operations[0], definition, { text }).trim();
/** The frameworks' lines for what is shown. Those of affine are written for any alpha and beta. */
function ofFrameworks() {
  const { name, text, kinkRule, slope, shift } = definition;
  const key = kind === FUNCTIONS.hard_swish ? `${text}, hard_swish` : name === "affine" ? `affine, ${kinkRule}` : text;
  const filled = (code) => code.replaceAll("ALPHA", plain(slope)).replaceAll("BETA", plain(shift));
  return (snippets[key] ?? []).map((one) => {
    // A factor below 0 makes -0 of the gradient 0.
    const signs = name === "affine" && slope < 0 && one.bits === "y and dx" ? { bits: "y", note: `${one.note} Its gradient 0 is −0.` } : {};
    return { ...one, ...signs, write: () => filled(one.code) };
  });
}
/** A number as programs spell it. */
const plain = (number) => short(number).replaceAll("−", "-");
function showSnippet() {
  $("code").hidden = !snippets;
  if (!snippets) return;
  const all = [...ofFrameworks(), ...WRITTEN];
  const { language, write, bits, where, note } = all.find(({ language }) => language === wantedLanguage) ?? all[0];
  $("language").replaceChildren(...all.map(({ language }) => new Option(language)));
  $("language").value = language;
  $("snippet").textContent = write();
  const others = kind === FUNCTIONS.hard_swish && "In other frameworks take x times the line for the hard sigmoid; last bits may differ.";
  $("snippet-note").textContent = [`${HAS[bits]}${where ? `, ${where}` : ""}.`, note, OF_LANGUAGE[language], others].filter(Boolean).join(" ");
  $("copied").textContent = "";
}
$("language").addEventListener("change", () => {
  wantedLanguage = $("language").value;
  showSnippet();
});
$("copy").addEventListener("click", async () => {
  $("copied").textContent = await copy($("snippet").textContent, $("snippet"));
});

// --- the device ---------------------------------------------------------------------------------------------------

async function use(chosen) {
  device = chosen;
  const isGpu = device === gpu;
  $("device").textContent = isGpu
    ? `${gpu.name}${gpu.isSoftware ? ", a GPU emulated in software" : ""}, through WebGPU.`
    : `The CPU, in WebAssembly${whyNoGpu ? `, because ${whyNoGpu}` : ""}.`;
  $("use-gpu").setAttribute("aria-pressed", isGpu);
  $("use-cpu").setAttribute("aria-pressed", !isGpu);
  $("use-gpu").disabled = !navigator.gpu;
  $("use-cpu").disabled = false;
  enable();
  if (!definition) return;
  scheduleCheck();
  await draw();
}
/** A test and a sweep would slow each other down. */
function enable() {
  $("test").disabled = Boolean(sweep) || (device === cpu && !test);
  $("sweep").disabled = Boolean(test) || device === cpu;
}
const because = (error) => error.message.split("\n")[0].replace(/\.$/, "");
/** Opens a GPU unless there is one, and computes on it if that goes well. */
async function openGpu() {
  $("use-gpu").disabled = true;
  try {
    gpu ??= await Gpu.open(hs);
    whyNoGpu = undefined;
  } catch (error) {
    whyNoGpu = because(error);
  }
  await use(gpu ?? cpu);
}
/** Goes on by the CPU path after a failure on a GPU. Throws what is no failure of a GPU. */
function giveUpGpu(on, error) {
  if (on === cpu || isModules(error)) throw error;
  // Several calls may fail of one cause.
  if (on !== gpu) return;
  gpu = undefined;
  whyNoGpu = because(error);
  use(cpu);
}
$("use-gpu").addEventListener("click", openGpu);
$("use-cpu").addEventListener("click", () => use(cpu));

// --- checks -------------------------------------------------------------------------------------------------------

/** Bits that seem to have nothing to do with these; each comes from one pattern. */
const otherBits = (bits) => Math.imul(bits, 0x9e3779b9) + 0x7f4a7c15;

/** Adds what differs from the CPU path, forward and backward, to `sums`. */
async function compare(on, checked, kind, inputs, dtype, sums) {
  const [forward, backward] = kind.operations;
  for (const [operation, operands] of [[forward, inputs.slice(0, 1)], [backward, inputs]]) {
    const result = await on.run(operation, checked, operands, { dtype });
    const found = hs.check(operation, checked, operands, [result], { dtype });
    for (const key of Object.keys(sums)) sums[key] += found[key];
  }
}
/** Float32 numbers of `count` bit patterns from `start` on, and upstream gradients. */
function patterns(start, step, count) {
  const [x, g] = [new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    x[i] = start + i * step;
    g[i] = otherBits(x[i]);
  }
  return [x, g].map((words) => new Float32Array(words.buffer));
}
function halfPatterns() {
  const x = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);
  return [x, x.map((bits) => otherBits(bits) >>> 16)];
}
const zeros = () => ({ compared: 0, differing: 0, flushed: 0 });

/** Shows how a check goes. At its end, those who listen are told once. */
function reportCheck(name, { compared, differing, flushed }, isDone) {
  const verdict = document.createElement("span");
  verdict.className = differing ? "bad" : "good";
  verdict.textContent = `${count(differing)} of ${count(compared)} results differ`;
  const tiny = flushed ? ` In ${count(flushed)} more a subnormal counted as zero, which WGSL allows.` : "";
  $("check").replaceChildren(`${name}: `, verdict, ` from the CPU path in any bit.${tiny}`);
  if (isDone) endCheck();
}
function endCheck() {
  $("check").dataset.state = "done";
  $("check-status").textContent = $("check").textContent;
}

/** A duration in words, for people who wait. */
function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

let checkTimer;
let sweep; // The sweep under way.
let test; // The test under way.
/** Waits until what is shown has come to rest. Then writes its address, sends the file through it, and checks it. */
function scheduleCheck() {
  clearTimeout(checkTimer);
  $("check").dataset.state = "running";
  if (device === cpu) {
    $("sweep-time").textContent = "";
    $("check").textContent = "This is the CPU path itself, the reference that the GPU is compared with.";
  } else if (!sweep) $("check").textContent = "Checking…";
  checkTimer = setTimeout(() => {
    writeAddress();
    transform();
    check();
  }, 400);
}
/** Checks 2^18 f32 across all bit patterns, and all halves, forward and backward. */
async function check() {
  if (sweep) return;
  const [checked, of, on] = [definition, kind, device];
  if (on === cpu) return endCheck();
  const sums = zeros();
  let took;
  try {
    // Round numbers, with infinities and kinks, and ones with all their bits, whose sums are rounded.
    await compare(on, checked, of, patterns(0, 1 << 15, 1 << 17), "f32", sums);
    await compare(on, checked, of, patterns(0, 32771, 1 << 17), "f32", sums);
    for (const dtype of ["f16", "bf16"]) await compare(on, checked, of, halfPatterns(), dtype, sums);
    // This run is warm, so it is the one that is timed.
    const start = performance.now();
    await compare(on, checked, of, patterns(1, 32771, 1 << 17), "f32", zeros());
    took = performance.now() - start;
  } catch (error) {
    return giveUpGpu(on, error);
  }
  if (checked !== definition || on !== device || sweep) return;
  reportCheck(`2¹⁸ f32, all f16, all bf16, ${of.operations.join(" and ")}`, sums, true);
  $("sweep-time").textContent = `All 2³² take about ${duration((took / 1000) * 2 ** 15)} here.`;
}

$("sweep").addEventListener("click", async () => {
  if (sweep) {
    sweep.isStopped = true;
    return;
  }
  const own = (sweep = {});
  const [checked, of, on] = [definition, kind, device];
  const PART = 1 << 22;
  const sums = zeros();
  const begun = performance.now();
  $("sweep").textContent = "Stop";
  enable();
  $("sweep-progress").hidden = false;
  try {
    for (let start = 0; start < 2 ** 32; start += PART) {
      await compare(on, checked, of, patterns(start, 1, PART), "f32", sums);
      if (on !== device) break;
      const done = (start + PART) / 2 ** 32;
      $("sweep-progress").value = done;
      const left = ((performance.now() - begun) / 1000) * (1 / done - 1);
      $("sweep-time").textContent = left > 0 ? `About ${duration(left)} left.` : "";
      reportCheck(`${checked.text}, f32, ${of.operations.join(" and ")}`, sums, false);
      // Lets the page react.
      await new Promise((resolve) => setTimeout(resolve));
      if (own.isStopped) break;
    }
  } catch (error) {
    giveUpGpu(on, error);
  } finally {
    endCheck();
    $("sweep").textContent = "Check all 2³² inputs";
    $("sweep-progress").hidden = true;
    $("sweep-time").textContent = "";
    sweep = undefined;
    enable();
    if (checked !== definition || on !== device) scheduleCheck();
  }
});

$("test").addEventListener("click", async () => {
  if (test) {
    test.isStopped = true;
    return;
  }
  const own = (test = {});
  $("test").textContent = "Stop";
  for (const id of ["test-report", "test-send"]) $(id).hidden = true;
  $("test-progress").hidden = false;
  enable();
  const begun = performance.now();
  let shownAt = -Infinity;
  const report = await verify(hs, gpu, (done) => {
    const now = performance.now();
    if (now > shownAt + 500) {
      shownAt = now;
      $("test-progress").value = done;
      const left = done && ((now - begun) / 1000) * (1 / done - 1);
      $("test-status").textContent = `Testing ${gpu?.name ?? "the GPU"}…${left > 1 ? ` About ${duration(left)} left.` : ""}`;
    }
    return own.isStopped;
  });
  test = undefined;
  $("test").textContent = "Test this GPU";
  $("test-progress").hidden = true;
  const { text, isGood } = verdict(report);
  $("test-status").textContent = text;
  $("test-status").className = isGood ? "good" : "bad";
  $("test-report").textContent = tables(report);
  const json = toJson(report);
  if (savedAt) URL.revokeObjectURL(savedAt);
  savedAt = URL.createObjectURL(new Blob([json], { type: "application/json" }));
  $("test-save").href = savedAt;
  texts = { "test-copy": json, "test-issue": issue(report) };
  for (const id of ["test-report", "test-send"]) $(id).hidden = false;
  $("test-copied").textContent = "";
  enable();
});
let savedAt;
let texts;
for (const id of ["test-copy", "test-issue"]) {
  $(id).addEventListener("click", async () => {
    $("test-copied").textContent = await copy(texts[id], $("test-report"));
  });
}

// --- files --------------------------------------------------------------------------------------------------------

/** The largest file in MiB. The module's memory ends at 4 GiB, and holds a file a few times. */
const LARGEST_FILE = 512;
let chosenFile;
let address;
let transforming; // The last one begun; what an earlier one gives is old.
async function transform() {
  if (!chosenFile) return;
  const own = (transforming = {});
  const say = (text) => own === transforming && ($("file-status").textContent = text);
  $("download").hidden = true;
  say(`${chosenFile.name}…`);
  const [chosen, wantsGradient, { name: given }] = [definition, $("wanted").value === "gradient", chosenFile];
  const [operation, wantsSwish] = [kind.operations[wantsGradient ? 1 : 0], kind === FUNCTIONS.hard_swish];
  let file;
  try {
    file = await readFile(hs, chosenFile, LARGEST_FILE);
  } catch (error) {
    if (isModules(error)) throw error;
    return say(error.message);
  }
  const { bytes, dtype, data, start, isBigEndian } = file;
  if (dtype === "f64") return say(`${given}: its dtype is float64; save array.astype(numpy.float32)`);
  const on = device;
  let result;
  try {
    const operands = wantsGradient ? [data, ones(data, dtype)] : [data];
    result = await on.run(operation, chosen, operands, { dtype });
  } catch (error) {
    // Comes again on the CPU path. There a file may be too much for the memory.
    if (on === cpu && !isModules(error)) return say(`${given}: ${error.message}`);
    return giveUpGpu(on, error);
  }
  if (own !== transforming) return;
  // The result is little-endian: the header says so by a < in place of the >, the only one behind the magic number.
  if (isBigEndian) bytes[bytes.indexOf(0x3e, 10)] = 0x3c;
  bytes.set(new Uint8Array(result.buffer, result.byteOffset, result.byteLength), start);
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const name = given.replace(/(\.npy)?$/, `.${chosen.name}${wantsSwish ? ".hard_swish" : ""}.${wantsGradient ? "gradient" : "y"}.npy`);
  Object.assign($("download"), { href: address, download: name, hidden: false });
  say(`${name}, ${count(bytes.length)} bytes, is ready${dtype === "bf16" ? "; uint16 was read as bfloat16" : ""}.`);
}
const take = (file) => {
  chosenFile = file;
  return transform();
};
$("file").addEventListener("change", () => {
  const file = $("file").files[0];
  // Without this, the file couldn't be chosen again.
  $("file").value = "";
  if (file && hs) take(file);
});
$("wanted").addEventListener("change", transform);

/** Files dropped on an element go to `take`. */
function droppable(element, take) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    if (hs && event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}
droppable($("drop"), ([file]) => take(file));
// A file dropped beside them doesn't take the page's place.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

// --- start --------------------------------------------------------------------------------------------------------

function fail(error) {
  complain(`Something failed: ${error?.message ?? error}. Reload the page to go on.`);
  // What waits for something says so by an ellipsis, and waits in vain.
  for (const one of document.querySelectorAll("main p")) if (one.textContent.endsWith("…")) one.append(" failed");
  $("check").dataset.state = "done";
}
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
window.addEventListener("error", (event) => fail(event.error ?? event.message));

/** The definition that the address names, if it names one. */
function wished() {
  try {
    return new hs.HardSigmoid(addressed());
  } catch (error) {
    if (isModules(error)) throw error;
    return undefined;
  }
}

/** Says that the address names nothing, and what it may name. */
function sayUnknown(name) {
  const link = (text) => Object.assign(made("a", text), { href: `#${text}` });
  const links = [...hs.HardSigmoid.presets.map(({ text }) => text), "affine(0.3, 0.5, strict)"].flatMap((text) => [", ", link(text)]);
  $("unknown").replaceChildren(`No hard sigmoid is called “${name}”; shown is ${definition.text}. The names are `, ...links.slice(1), ", the last with any alpha and beta, and strict, inclusive or half.");
  $("unknown").hidden = false;
}

/** Browsers refuse this where it comes too often. */
function writeAddress() {
  try {
    history.replaceState(null, "", `#${definition.text}`);
  } catch {
    // The next one will do.
  }
}

/** A comparison that sees no difference would prove nothing. */
function checkCheck() {
  const sixth = hs.compute("backward", "pytorch", [Float32Array.of(0, 0), Float32Array.of(6, 6e-39)])[0];
  const found = hs.check("backward", "pytorch", [new Float32Array(2), Float32Array.of(6, 6e-39)], [Float32Array.of(sixth[0] + 1e-7, 0)]);
  if (found.compared !== 2 || found.differing !== 1 || found.flushed !== 1) throw new Error("the comparison doesn't see differences");
}

async function start() {
  sketch();
  // The page does without: then it has no one-liners.
  const arriving = fetch("snippets.json").then((response) => response.json()).catch(() => ({}));
  hs = await import("./hard-sigmoid/index.js");
  checkCheck();
  cpu = new Cpu(hs);
  for (const { name, text, source } of hs.HardSigmoid.presets) {
    const button = document.createElement("button");
    Object.assign(button, { textContent: name, title: source });
    button.dataset.text = text;
    button.addEventListener("click", () => choose(text));
    $("presets").append(button);
  }
  await use(cpu);
  const [named, wish] = [addressed(), wished()];
  await choose(wish ?? "pytorch");
  if (named && !wish) sayUnknown(named);
  window.addEventListener("hashchange", () => {
    const [named, wish] = [addressed(), wished()];
    if (wish) {
      $("explore").scrollIntoView();
      return choose(wish);
    }
    writeAddress();
    if (!named) return;
    sayUnknown(named);
    $("unknown").scrollIntoView();
  });
  startCompare(hs);
  const [takeData, takeModel] = [startIdentify(hs), startInspect(hs)];
  droppable($("identify"), (files) => (haveModel(files) ? takeModel(files) : takeData(files)));
  for (const section of document.querySelectorAll("[inert]")) section.inert = false;
  $("loading").hidden = true;
  snippets = await arriving;
  showSnippet();
  await openGpu();
  document.body.dataset.state = "ready";
}
start().catch(fail);
