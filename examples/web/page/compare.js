// Compares two definitions: where they differ, by how much, and in which bits.
import { $, bitsOf, count, fromBits, hex, ones, short } from "./common.js";
import { Plot, xs } from "./plot.js";

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

/** Numbers between -4 and 4 whose sums are rounded, and the neighbours of both definitions' kinks. */
const SAMPLES = 1 << 18;
function sample(definitions) {
  const even = Array.from({ length: SAMPLES }, (_, i) => -4 + (8 * (i + 0.37)) / SAMPLES);
  const kinks = definitions.flatMap((one) => one.kinks ?? []);
  const near = kinks.flatMap((kink) => Array.from({ length: 9 }, (_, i) => stepped(kink, i - 4)));
  return Float32Array.from([...even, ...near]);
}

/** y, or dy/dx, of a definition. */
function results(operation, definition, x) {
  return operation === "forward" ? definition.forward(x) : definition.backward(x, ones(x));
}

/** Numbers for an axis from -largest to largest. */
function ticks(largest) {
  const rounded = Number(largest.toPrecision(2));
  return [-rounded, 0, rounded];
}

export function startCompare(hs) {
  const both = new Plot($("both"), ["a", "b"]);
  const difference = new Plot($("difference"), ["own"]);
  for (const [id, chosen] of [["a", "pytorch"], ["b", "jax"]]) {
    $(id).replaceChildren(...hs.HardSigmoid.presets.map(({ name }) => new Option(name, name, false, name === chosen)));
  }
  const chosen = () => ["a", "b"].map((id) => new hs.HardSigmoid($(id).value));
  const updateNeighbours = () => {
    const [a, b] = chosen();
    listNeighbours($("whose").value === "a" ? a : b, Number($("kink").value), a, b);
  };
  const update = () => {
    const [a, b] = chosen();
    const operation = $("what").value;
    for (const [id, { name }] of [["of-a", a], ["of-b", b]]) $(id).textContent = `${id.slice(3).toUpperCase()}: ${name}`;
    drawBoth(both, operation, a, b);
    const found = summary(operation, a, b);
    drawDifference(difference, operation, a, b, found);
    $("verdict").textContent = inWords(operation, a, b, found);
    updateNeighbours();
  };
  for (const id of ["a", "b", "what"]) $(id).addEventListener("change", update);
  for (const id of ["kink", "whose"]) $(id).addEventListener("change", updateNeighbours);
  update();
}

function drawBoth(plot, operation, a, b) {
  if (operation === "forward") plot.show(-0.1, 1.1, [0, 0.5, 1]);
  else plot.show(-0.1, 0.6, [0, 0.25, 0.5]);
  plot.draw("a", results(operation, a, xs));
  plot.draw("b", results(operation, b, xs));
}

/** How many results of a sample differ, by how much at most, and where. */
function summary(operation, a, b) {
  const x = sample([a, b]);
  const [ofA, ofB] = [a, b].map((one) => results(operation, one, x));
  const found = { compared: x.length, differing: 0, largest: 0, at: undefined, steps: 0 };
  for (let i = 0; i < x.length; i++) {
    if (Object.is(ofA[i], ofB[i])) continue;
    found.differing++;
    const by = Math.abs(ofB[i] - ofA[i]);
    if (by >= found.largest) [found.largest, found.at] = [by, x[i]];
    found.steps = Math.max(found.steps, Math.abs(ordinal(ofB[i]) - ordinal(ofA[i])));
  }
  return found;
}

/** A difference below this is one of roundings, and is drawn in steps of float32. */
const ROUNDINGS = 1e-5;

function drawDifference(plot, operation, a, b, { largest }) {
  const [ofA, ofB] = [a, b].map((one) => results(operation, one, xs));
  const isInSteps = largest < ROUNDINGS;
  const by = ofB.map((value, i) => (isInSteps ? ordinal(value) - ordinal(ofA[i]) : value - ofA[i]));
  const tallest = by.reduce((tallest, value) => Math.max(tallest, Math.abs(value)), 0) || (isInSteps ? 1 : largest || 1);
  plot.show(-1.15 * tallest, 1.15 * tallest, ticks(tallest));
  plot.draw("own", by);
  $("unit").textContent = isInSteps ? "in steps from one float32 to the next" : "";
}

function inWords(operation, a, b, { compared, differing, largest, at, steps }) {
  const what = operation === "forward" ? "y" : "dy/dx";
  if (a.text === b.text) return "A and B are the same definition.";
  if (!differing) return `${what} of ${a.name} and ${b.name} has the same bits at all ${count(compared)} x between −4 and 4 that were compared.`;
  const share = ((100 * differing) / compared).toPrecision(2);
  const inSteps = steps < 1000 ? `; no more than ${count(steps)} float32 ${steps === 1 ? "step" : "steps"} anywhere` : "";
  return (
    `${what} of ${a.name} and ${b.name} differs at ${count(differing)} of ${count(compared)} x between −4 and 4 (${share}%). ` +
    `The largest difference is ${largest.toPrecision(3)}, at x = ${short(at)}${inSteps}.`
  );
}

function listNeighbours(whose, which, a, b) {
  const kink = whose.kinks[which];
  const x = Float32Array.from({ length: 9 }, (_, i) => stepped(kink, i - 4));
  const columns = [a, b].flatMap((one) => ["forward", "backward"].map((operation) => results(operation, one, x)));
  const [yA, dA, yB, dB] = columns;
  const cell = (name, text, isMarked) => {
    const made = document.createElement(name);
    const content = isMarked ? document.createElement("mark") : made;
    content.textContent = text;
    if (isMarked) made.append(content);
    if (name === "th") made.scope = "col";
    return made;
  };
  const row = (cells) => {
    const made = document.createElement("tr");
    made.append(...cells);
    return made;
  };
  const heads = ["x", `y of ${a.name}`, `y of ${b.name}`, `dy/dx of ${a.name}`, `dy/dx of ${b.name}`];
  const rows = Array.from(x, (value, i) => {
    const [y, d] = [!Object.is(yA[i], yB[i]), !Object.is(dA[i], dB[i])];
    const cells = [cell("td", short(value)), cell("td", hex(yA[i]), y), cell("td", hex(yB[i]), y)];
    return row([...cells, cell("td", short(dA[i]), d), cell("td", short(dB[i]), d)]);
  });
  $("neighbours").replaceChildren(row(heads.map((text) => cell("th", text))), ...rows);
}
