// Which hard sigmoids are in the visitor's model? It is read here and never leaves the page.
import { $, copy, count, isModules, made, rowsOf } from "./common.js";

const MODEL = /\.(onnx|keras|h5|hdf5|json|tflite|pb|pt|pt2|pth)$/i;
/** Whether files have a model among them: then the others lie beside it. */
export const haveModel = (files) => files.some(({ name }) => MODEL.test(name));

export function startInspect(hs) {
  let last;
  const take = async (files) => {
    const model = (last = files.find(({ name }) => MODEL.test(name)) ?? files[0]);
    const say = (text) => {
      $("inspect-status").textContent = text;
      $("inspect-result").hidden = true;
    };
    $("model").hidden = false;
    say(`Looking into ${model.name}…`);
    try {
      // Of the files only what is needed is read.
      const beside = Object.fromEntries(files.filter((file) => file !== model).map((file) => [file.name, file]));
      const found = await hs.inspect(model, { beside });
      if (last === model) showFound(found, model);
    } catch (error) {
      if (isModules(error)) throw error;
      if (last === model) say(`${model.name}: ${error.message}`);
    }
  };
  $("model-file").addEventListener("change", () => {
    const files = [...$("model-file").files];
    $("model-file").value = "";
    if (files.length) take(files);
  });
  return take;
}

const several = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
/** A difference as a short number. */
const by = (largest) => (largest ? `by up to ${largest < 1e-3 ? largest.toExponential(0) : Number(largest.toPrecision(2))}` : "in the sign of zero");

/** The names of definitions, each a link to its curve. */
function names(definitions) {
  if (!definitions.length) return ["none"];
  return definitions.flatMap((text) => [" or ", Object.assign(made("a", text), { href: `#${text}` })]).slice(1);
}

function showFound(found, file) {
  const { report, ...json } = found;
  const { activations, totals, format, made_by: maker, note } = json;
  const of = (name) => totals.filter((one) => one.function === name).reduce((sum, one) => sum + one.count, 0);
  const all = `${several(of("hard_sigmoid"), "hard sigmoid", "hard sigmoids")} and ${several(of("hard_swish"), "hard swish", "hard swishes")}`;
  $("inspect-status").textContent = `${all} in ${file.name}: ${format}${maker ? `, made by ${maker}` : ""}`;
  const times = ({ times }) => (times > 1 ? `, ${times} times` : "");
  const rows = activations.map((one) => [one.name, words(one.function), `${one.written}${times(one)}`, names(one.definitions)]);
  fill("inspect-table", ["where", "function", "written as", "name here"], rows);
  // Many activations have the same results.
  const results = activations.flatMap((one) => one.computed.map((computed) => [`${one.function} ${JSON.stringify(computed)}`, one.function, computed]));
  const distinct = [...new Map(results.map(([key, ...rest]) => [key, rest])).values()];
  const computed = distinct.map(([name, { operations, computed_by: who, compared, exact, roundings }]) => [
    `${words(name)}: ${operations}`,
    who.join("; ") || "any",
    names(exact),
    roundings.map(({ definition, differing, largest }) => `${definition} at ${count(differing)} of ${count(compared)} x, ${by(largest)}`).join("; ") || "none",
  ]);
  fill("inspect-computed", ["computed as", "by", "has the bits of", "same on paper, other roundings"], computed);
  $("inspect-notes").replaceChildren(...[note, ...activations.flatMap(notesOf)].filter(Boolean).map((text) => made("li", text)));
  $("inspect-result").hidden = false;
  $("inspect-copied").textContent = "";
  $("inspect-copy").onclick = async () => {
    $("inspect-copied").textContent = await copy(JSON.stringify([{ file: file.name, ...json }], null, 2), $("inspect-json"));
  };
}

const words = (name) => name.replace("_", " ");
function fill(id, heads, rows) {
  $(id).replaceChildren(...(rows.length ? rowsOf(heads, rows) : []));
}

/** What has to be known of an activation besides. */
function notesOf({ name, warning, gradient, dtype, quantized }) {
  const bytes = quantized?.elsewhere.map(({ framework, differing, largest, why }) =>
    `${framework} ${why ?? `has another byte than ONNX Runtime at ${differing} of 256 x${differing ? `, by at most ${largest}` : ""}`}`);
  return [
    warning,
    gradient,
    dtype && `the model computes it in ${dtype}, but it was compared in float32`,
    bytes && `in 8 bits, ${bytes.join(", and ")}`,
  ].filter(Boolean).map((text) => `${name}: ${text}`);
}
