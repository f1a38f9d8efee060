// What the parts of the page share.

export const $ = (id) => document.getElementById(id);

const view = new DataView(new ArrayBuffer(4));
/** The bits of a float32. */
export function bitsOf(value) {
  view.setFloat32(0, value);
  return view.getUint32(0);
}
export function fromBits(bits) {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
export const hex = (value) => `0x${bitsOf(value).toString(16).padStart(8, "0")}`;

/** The shortest decimal that reads back as this float32; nine digits are enough for each. */
export function short(number) {
  let digits = 1;
  while (digits < 9 && Math.fround(Number(number.toPrecision(digits))) !== number) digits++;
  return String(Number(number.toPrecision(digits))).replaceAll("-", "−");
}
export const count = (number) => number.toLocaleString("en");

/** Upstream gradients of 1, as many as there are data. */
export const ones = (data, dtype = "f32") => new data.constructor(data.length).fill({ f32: 1, f16: 0x3c00, bf16: 0x3f80 }[dtype]);

/** Whether the WebAssembly module itself failed; then it can't be used any more. */
export const isModules = (error) => error instanceof WebAssembly.RuntimeError;

/** Copies a text; if the browser refuses, selects it in `element`. Returns what to say. */
export async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    element.textContent = text;
    getSelection().selectAllChildren(element);
    return "Copying was refused; the text is selected.";
  }
}

/** An element with a text or other content. */
export function made(name, ...content) {
  const element = document.createElement(name);
  element.append(...content);
  return element;
}
/** The rows of a table with these heads. A cell is a text, or a list of what it contains. */
export function rowsOf(heads, rows) {
  const row = (name, cells) => made("tr", ...cells.map((cell) => made(name, ...[cell].flat())));
  const head = row("th", heads);
  for (const cell of head.children) cell.scope = "col";
  return [head, ...rows.map((cells) => row("td", cells))];
}

/** Reads a NumPy file, its bytes too. Throws an Error that names the file. */
export async function readFile(hs, file, mebibytes) {
  if (file.size > mebibytes * 2 ** 20) {
    throw new Error(`${file.name} has ${count(file.size)} bytes, but at most ${mebibytes} MiB are read here`);
  }
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return { bytes, ...hs.readNpy(bytes) };
  } catch (error) {
    if (isModules(error)) throw error;
    throw new Error(`${file.name}: ${error.message}`);
  }
}
