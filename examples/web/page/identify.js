// Which hard sigmoid made the visitor's data? Files are read here and never leave the page.
import { $, count, isModules } from "./common.js";

const SLOTS = ["x", "y", "g", "dx"];
/** A file is in memory a few times. */
const LARGEST_FILE = 128 * 2 ** 20;

export function startIdentify(hs) {
  const files = {};
  const labels = new Map([...document.querySelectorAll("[data-slot]")].map((input) => [input.dataset.slot, input]));
  const take = (slot, file) => {
    files[slot] = file;
    labels.get(slot).parentElement.firstChild.textContent = `${slot}: ${file.name}`;
  };
  let last = 0;
  const update = async () => {
    const own = ++last;
    const say = (text, report) => {
      if (own !== last) return;
      $("identify-status").textContent = text;
      $("identify-report").hidden = !report;
      $("identify-report").textContent = report ?? "";
    };
    const missing = ["x", "y"].filter((slot) => !files[slot]);
    if (!files.g !== !files.dx) missing.push(files.g ? "dx" : "g");
    if (missing.length) return say(`Still missing: ${missing.join(" and ")}.`);
    say("Comparing…");
    // Lets that be seen: the comparison blocks the page.
    await new Promise((resolve) => setTimeout(resolve, 50));
    try {
      const given = SLOTS.filter((slot) => files[slot]);
      const arrays = {};
      for (const slot of given) arrays[slot] = await read(hs, files[slot]);
      for (const slot of given) {
        const [found, wanted] = [arrays[slot], arrays.x].map(({ shape }) => `(${shape.join(", ")})`);
        if (found !== wanted) throw new Error(`${files[slot].name} has shape ${found}, but x has ${wanted}`);
      }
      const found = hs.identify(arrays, { atol: Number($("atol").value) });
      const [verdict, ...rest] = found.report.split("\n");
      say(`${verdict} — from ${count(arrays.x.data.length)} ${arrays.x.data.length === 1 ? "element" : "elements"}`, rest.join("\n").trim());
    } catch (error) {
      if (isModules(error)) throw error;
      say(error.message);
    }
  };
  for (const [slot, input] of labels) {
    input.addEventListener("change", () => {
      if (input.files[0]) take(slot, input.files[0]);
      input.value = "";
      update();
    });
  }
  $("atol").addEventListener("change", () => files.x && files.y && update());
  return (dropped) => {
    for (const file of dropped) {
      const named = /(?:^|[._-])(dx|x|y|g)\.npy$/i.exec(file.name)?.[1].toLowerCase();
      const slot = named ?? SLOTS.find((one) => !files[one]);
      if (slot) take(slot, file);
    }
    update();
  };
}

async function read(hs, file) {
  if (file.size > LARGEST_FILE) throw new Error(`${file.name} has ${count(file.size)} bytes; at most 128 MiB are read here`);
  try {
    return hs.readNpy(await file.arrayBuffer());
  } catch (error) {
    if (isModules(error)) throw error;
    throw new Error(`${file.name}: ${error.message}`);
  }
}
