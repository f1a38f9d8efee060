// Which hard sigmoid made the visitor's data? Files are read here and never leave the page.
import { $, count, isModules, readFile } from "./common.js";

const SLOTS = ["x", "y", "g", "dx"];
/** The largest file in MiB. A file is in memory a few times. */
const LARGEST_FILE = 128;

/** The slot that a file's name says, if it says one. */
function namedSlot({ name }) {
  const [, end] = /(?:^|[._-])(dx|x|y|g)\.npy$/.exec(name.toLowerCase()) ?? [];
  return /grad/i.test(name) ? ({ x: "dx", y: "g" }[end] ?? end) : end;
}

/** Lines without the spaces that all have in common, except two in a row. */
function narrowed(lines) {
  const isGap = (at) => lines.every((line) => (line[at] ?? " ") === " ");
  return lines.map((line) => [...line].filter((_, at) => ![at, at + 1, at + 2].every(isGap)).join(""));
}

/** Shows a report: sentences, and the table among them. */
function showReport(report) {
  const lines = report.split("\n");
  const from = lines.findIndex((line) => line.startsWith("definition "));
  const end = lines.indexOf("", from);
  const to = end < 0 ? lines.length : end;
  const [before, table, after] = $("identify-report").children;
  before.textContent = lines.slice(0, from).join("\n").trim();
  table.textContent = narrowed(lines.slice(from, to)).join("\n");
  after.textContent = lines.slice(to).join("\n").trim();
}

export function startIdentify(hs) {
  let files = {};
  const inputs = new Map([...document.querySelectorAll("[data-slot]")].map((input) => [input.dataset.slot, input]));
  let last = 0;
  const update = async () => {
    const own = ++last;
    for (const [slot, input] of inputs) input.parentElement.firstChild.textContent = files[slot] ? `${slot}: ${files[slot].name}` : slot;
    const say = (text, report) => {
      if (own !== last) return;
      $("identify-status").textContent = text;
      $("identify-report").hidden = !report;
      if (report) showReport(report);
    };
    const given = SLOTS.filter((slot) => files[slot]);
    if (!given.length) return say("");
    const missing = ["x", "y"].filter((slot) => !files[slot]);
    if (!files.g !== !files.dx) missing.push(files.g ? "dx" : "g");
    if (missing.length) return say(`Still missing: ${missing.join(" and ")}.`);
    say("Comparing…");
    // Lets that be seen: the comparison blocks the page.
    await new Promise((resolve) => setTimeout(resolve, 50));
    try {
      const arrays = {};
      for (const slot of given) arrays[slot] = await readFile(hs, files[slot], LARGEST_FILE);
      const { report } = hs.identify(arrays, { atol: Number($("atol").value) });
      const [verdict, ...rest] = report.split("\n");
      const elements = arrays.x.data.length;
      const halves = given.filter((slot) => arrays[slot].dtype === "bf16");
      const note = halves.length ? `; uint16 of ${halves.join(", ")} was read as bfloat16` : "";
      say(`${verdict} — from ${count(elements)} ${elements === 1 ? "element" : "elements"}${note}`, rest.join("\n").trim());
    } catch (error) {
      if (isModules(error)) throw error;
      say(error.message);
    }
  };
  /** Puts files where they belong, and says where that is. */
  const take = (given) => {
    const placed = given.map(({ slot, file }) => {
      const free = slot ?? SLOTS.find((one) => !files[one] && !given.some(({ slot }) => slot === one));
      if (free) files[free] = file;
      return free ? `${file.name} is ${free}.` : `${file.name} was not taken, since every place has a file: clear them first.`;
    });
    $("identify-files").textContent = placed.join(" ");
    update();
  };
  for (const [slot, input] of inputs) {
    input.addEventListener("change", () => {
      if (input.files[0]) take([{ slot, file: input.files[0] }]);
      input.value = "";
    });
  }
  $("clear").addEventListener("click", () => {
    files = {};
    take([]);
  });
  $("atol").addEventListener("change", update);
  return (dropped) => {
    const given = dropped.map((file) => ({ slot: namedSlot(file), file }));
    // A new x and y, as it seems.
    if (given.length > 1 && given.every(({ slot }) => !slot)) files = {};
    take(given);
  };
}
