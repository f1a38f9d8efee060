// A chart of functions of x, as SVG.

export const LOW = -5;
export const HIGH = 5;
export const POINTS = 1281;
/** Where functions are drawn. */
export const xs = Float32Array.from({ length: POINTS }, (_, i) => LOW + ((HIGH - LOW) * i) / (POINTS - 1));

const MARGIN = { left: 52, right: 12, top: 18, bottom: 24 };

export class Plot {
  /** Draws a curve of each class, the first at the back. */
  constructor(svg, classes) {
    this.svg = svg;
    [this.width, this.height] = svg.getAttribute("viewBox").split(" ").slice(2).map(Number);
    this.frame = this.add("g", {});
    this.curves = new Map(classes.map((name) => [name, this.add("polyline", { class: name })]));
    this.cursor = this.add("line", { class: "cursor", y1: MARGIN.top, y2: this.height - MARGIN.bottom, visibility: "hidden" });
  }
  /** Shows the y between low and high; returns whether they are new. */
  show(low, high, ticks) {
    if (low === this.low && high === this.high) return false;
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
    return true;
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
    const size = Math.abs(value);
    const isShort = value === 0 || (size < 1e4 && size >= 1e-3);
    text.textContent = (isShort ? String(value) : value.toExponential().replace("+", "")).replaceAll("-", "−");
    // A label that is too long for the margin is squeezed into it.
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
  draw(name, ys) {
    const points = Array.from(ys, (y, i) => `${this.x(xs[i]).toFixed(2)},${this.y(y).toFixed(2)}`);
    this.curves.get(name).setAttribute("points", points.join(" "));
  }
  point(i) {
    this.cursor.setAttribute("visibility", "visible");
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(xs[i]));
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
