// What the parts of the page share.

export const $ = (id) => document.getElementById(id);

const bits = new DataView(new ArrayBuffer(4));

export const short = (number) => String(Number(number.toPrecision(7))).replaceAll("-", "−");
export const hex = (value) => {
  bits.setFloat32(0, value);
  return `0x${bits.getUint32(0).toString(16).padStart(8, "0")}`;
};
export const count = (number) => number.toLocaleString("en");

/** Whether the WebAssembly module itself failed; then it can't be used any more. */
export const isModules = (error) => error instanceof WebAssembly.RuntimeError;
