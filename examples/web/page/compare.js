// Compares two definitions: where they differ, by how much, and in which bits.
import { $, bitsOf, count, fromBits, hex, made, ones, rowsOf, short } from "./common.js";
import { HIGH, LOW, Plot, xs } from "./plot.js";

/** Neighbouring float32 numbers have neighbouring numbers here. */
function ordinal(value) {
  const bits = bitsOf(value) | 0;
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}
/** The float32 number that lies some steps above. */
function stepped(value, steps) {
  const moved = ordinal(value) + steps;
  return fromBits(moved < 0 ? -moved | 0x80000000 : moved);
}

/** Numbers between -5 and 5 whose sums are rounded, and the neighbours of both definitions' kinks. */
const SAMPLES = 1 << 18;
function sample(definitions) {
  const even = Array.from({ length: SAMPLES }, (_, i) => LOW + ((HIGH - LOW) * (i + 0.37)) / SAMPLES);
  const kinks = new Set(definitions.flatMap((one) => one.kinks ?? []));
  const near = [...kinks].flatMap((kink) => Array.from({ length: 9 }, (_, i) => stepped(kink, i - 4)));
  return Float32Array.from([...even, ...near]);
}

/** Where each operation's curves lie, and what it is called. */
const SHOWN = {
  forward: { range: [-0.1, 1.1, [0, 0.5, 1]], words: "y" },
  backward: { range: [-0.1, 0.6, [0, 0.25, 0.5]], words: "dy/dx" },
  hard_swish: { range: [-1, 5.2, [0, 2.5, 5]], words: "y of the hard swish" },
  hard_swish_backward: { range: [-0.6, 1.6, [-0.5, 0, 0.5, 1, 1.5]], words: "dy/dx of the hard swish" },
};
/** The y and the dy/dx of the function that an operation belongs to. */
const PAIRS = [["forward", "backward"], ["hard_swish", "hard_swish_backward"]];

/** Who writes it, since ONNX files are full of it: PyTorch's exporter. */
const EXPORTED = "affine(0.16666667, 0.5, strict)";

export function startCompare(hs) {
  const both = new Plot($("both"), ["a", "b"]);
  const difference = new Plot($("difference"), ["own"]);
  const names = [...hs.HardSigmoid.presets.map(({ text }) => text), EXPORTED];
  for (const [id, chosen] of [["a", "pytorch"], ["b", "jax"]]) {
    $(id).replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
  }
  const chosen = () => ["a", "b"].map((id) => new hs.HardSigmoid($(id).value));
  /** y, or dy/dx. */
  const results = (operation, definition, x) =>
    hs.compute(operation, definition, operation.endsWith("backward") ? [x, ones(x)] : [x])[0];
  const updateNeighbours = () => {
    const [a, b] = chosen();
    const pair = PAIRS.find((pair) => pair.includes($("what").value));
    listNeighbours(results, pair, $("whose").value === "a" ? a : b, Number($("kink").value), a, b);
  };
  const update = () => {
    const [a, b] = chosen();
    const operation = $("what").value;
    for (const [id, { text }] of [["of-a", a], ["of-b", b]]) $(id).textContent = `${id.slice(3).toUpperCase()}: ${text}`;
    both.show(...SHOWN[operation].range);
    both.draw("a", results(operation, a, xs));
    both.draw("b", results(operation, b, xs));
    const x = sample([a, b]);
    const found = summary(x, results(operation, a, x), results(operation, b, x));
    const [ofA, ofB] = [a, b].map((one) => results(operation, one, xs));
    $("unit").textContent = drawDifference(difference, found, ofB.map((value, i) => value - ofA[i]));
    $("verdict").textContent = inWords(SHOWN[operation].words, a, b, found);
    updateNeighbours();
  };
  for (const id of ["a", "b", "what"]) $(id).addEventListener("change", update);
  for (const id of ["kink", "whose"]) $(id).addEventListener("change", updateNeighbours);
  update();
}

/** A difference below this is one of roundings. */
const ROUNDINGS = 1e-5;
/** The most x of which each has a point of its own. */
const MOST_POINTS = 150;

/** How many results of a sample differ, by how much, and where. */
function summary(x, ofA, ofB) {
  const found = { compared: x.length, differing: 0, from: Infinity, to: -Infinity, largest: 0, at: undefined, steps: 0 };
  // The indices of those that differ by roundings, and by more, with their differences.
  Object.assign(found, { roundings: [], more: [] });
  for (let i = 0; i < x.length; i++) {
    if (Object.is(ofA[i], ofB[i])) continue;
    found.differing++;
    [found.from, found.to] = [Math.min(found.from, x[i]), Math.max(found.to, x[i])];
    const by = ofB[i] - ofA[i];
    if (Math.abs(by) >= found.largest) [found.largest, found.at] = [Math.abs(by), x[i]];
    found.steps = Math.max(found.steps, Math.abs(ordinal(ofB[i]) - ordinal(ofA[i])));
    found[Math.abs(by) < ROUNDINGS ? "roundings" : "more"].push([i, x[i], by]);
  }
  return found;
}

/** A round number that isn't smaller. */
function ceil(number) {
  const unit = 10 ** Math.floor(Math.log10(number));
  return Number((unit * [1, 2, 5, 10].find((times) => times * unit >= number)).toPrecision(1));
}

/** Draws a curve where the functions differ, and else points. Returns what they are. */
function drawDifference(plot, { roundings, more }, curve) {
  const isCurve = more.length > MOST_POINTS;
  const all = roundings.length ? roundings : more;
  // As dense as the x that differ. They may come in a rhythm, and so they are drawn by lot.
  const every = Math.ceil(all.length / MOST_POINTS);
  const points = isCurve ? [] : all.filter(([i]) => (Math.imul(i, 0x9e3779b1) >>> 0) < 2 ** 32 / every);
  const heights = isCurve ? curve : points.map(([, , by]) => by);
  const tallest = heights.reduce((tallest, by) => Math.max(tallest, Math.abs(by)), 0);
  const tick = tallest ? ceil(tallest) : 1;
  plot.show(-1.2 * tick, 1.2 * tick, tallest ? [-tick, 0, tick] : [0]);
  plot.draw("own", isCurve ? curve : []);
  plot.mark(points.map(([, x, by]) => [x, by]), every === 1);
  if (isCurve) return "";
  if (!all.length) return "nowhere";
  return every > 1 ? `a point for one in ${every} of the x that differ` : "a point for each x that differs";
}

function inWords(what, a, b, { compared, differing, from, to, largest, at, steps, roundings, more }) {
  const names = `${what} of ${a.text} and ${b.text}`;
  if (a.text === b.text) return "A and B are the same definition.";
  if (!differing) return `${names} has the same bits at all ${count(compared)} x between −5 and 5 that were compared.`;
  const share = ((100 * differing) / compared).toPrecision(2);
  const inSteps = steps < 1000 ? `; no more than ${count(steps)} float32 ${steps === 1 ? "step" : "steps"} anywhere` : "";
  const large = roundings.length && more.length ? ` At ${count(more.length)} x it differs by more than roundings.` : "";
  return (
    `${names} differs at ${count(differing)} of ${count(compared)} x between −5 and 5 (${share}%), from x = ${short(from)} to ${short(to)}. ` +
    `The largest difference is ${largest.toPrecision(3)}, at x = ${short(at)}${inSteps}.${large}`
  );
}

function listNeighbours(results, operations, whose, which, a, b) {
  const kink = whose.kinks[which];
  const x = Float32Array.from({ length: 9 }, (_, i) => stepped(kink, i - 4));
  const columns = [a, b].flatMap((one) => operations.map((operation) => results(operation, one, x)));
  const [yA, dA, yB, dB] = columns;
  const cell = (text, isMarked) => (isMarked ? [made("mark", text)] : text);
  const heads = ["x", ...["y", "dy/dx"].flatMap((what) => [a, b].map(({ name }) => `${what} of ${name}`))];
  const rows = Array.from(x, (value, i) => {
    const [y, d] = [!Object.is(yA[i], yB[i]), !Object.is(dA[i], dB[i])];
    return [short(value), cell(hex(yA[i]), y), cell(hex(yB[i]), y), cell(short(dA[i]), d), cell(short(dB[i]), d)];
  });
  $("neighbours").replaceChildren(...rowsOf(heads, rows));
}
