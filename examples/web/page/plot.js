// A chart of functions of x, as SVG. Its units are the page's pixels, so that its text is as large as the page's.

export const LOW = -5;
export const HIGH = 5;
export const POINTS = 1281;
/** Where functions are drawn. */
export const xs = Float32Array.from({ length: POINTS }, (_, i) => LOW + ((HIGH - LOW) * i) / (POINTS - 1));

const MARGIN = { left: 56, right: 10, top: 12, bottom: 28 };

export class Plot {
  /** Has a curve of each class, the first at the back. `onLayout` is called when the plot has another size. */
  constructor(svg, classes, onLayout) {
    this.svg = svg;
    this.frame = this.add("g", {});
    this.marks = this.add("g", {});
    this.curves = new Map(classes.map((name) => [name, this.add("polyline", { class: name })]));
    this.drawn = new Map();
    this.cursor = this.add("line", { class: "cursor", visibility: "hidden" });
    this.measure();
    new ResizeObserver(() => {
      if (!this.measure()) return;
      this.layOut();
      onLayout?.();
    }).observe(svg);
  }
  /** Takes the size that the page gives it; returns whether it is new. What is hidden has none. */
  measure() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (!width || (width === this.width && height === this.height)) return false;
    Object.assign(this, { width, height });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    return true;
  }
  layOut() {
    if (this.low === undefined) return;
    this.frame.replaceChildren();
    for (const value of this.ticks) {
      this.line("grid", this.x(LOW), this.y(value), this.x(HIGH), this.y(value));
      this.text(value, { x: MARGIN.left - 8, y: this.y(value) + 5, "text-anchor": "end" });
    }
    for (let x = LOW; x <= HIGH; x++) {
      this.line(x === 0 ? "axis" : "grid", this.x(x), this.y(this.low), this.x(x), this.y(this.high));
      this.text(x, { x: this.x(x), y: this.height - 6, "text-anchor": "middle" });
    }
    for (const [name, ys] of this.drawn) this.draw(name, ys);
    this.mark(...(this.marked ?? []));
    if (this.pointed !== undefined) this.point(this.pointed);
  }
  /** Shows the y between low and high. */
  show(low, high, ticks) {
    if (low === this.low && high === this.high) return;
    Object.assign(this, { low, high, ticks });
    this.layOut();
  }
  add(name, attributes, parent = this.svg) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  }
  line(style, x1, y1, x2, y2, parent = this.frame) {
    this.add("line", { class: style, x1, y1, x2, y2 }, parent);
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
  /** Draws a curve through its y at every one of `xs`; none without them. */
  draw(name, ys = []) {
    this.drawn.set(name, ys);
    const points = Array.from(ys, (y, i) => `${this.x(xs[i]).toFixed(2)},${this.y(y).toFixed(2)}`);
    this.curves.get(name).setAttribute("points", points.join(" "));
  }
  /** Draws points, which stand on 0 if they have stems. */
  mark(points = [], haveStems = false) {
    this.marked = [points, haveStems];
    this.marks.replaceChildren();
    for (const [x, y] of points) {
      if (haveStems) this.line("own", this.x(x), this.y(0), this.x(x), this.y(y), this.marks);
      this.add("circle", { cx: this.x(x), cy: this.y(y), r: haveStems ? 4 : 2 }, this.marks);
    }
  }
  point(i) {
    this.pointed = i;
    const at = { visibility: "visible", x1: this.x(xs[i]), x2: this.x(xs[i]), y1: MARGIN.top, y2: this.height - MARGIN.bottom };
    for (const [key, value] of Object.entries(at)) this.cursor.setAttribute(key, value);
  }
  /** The x and y at which a pointer is. */
  at(event) {
    const box = this.svg.getBoundingClientRect();
    const across = (event.clientX - box.left - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    const down = (event.clientY - box.top - MARGIN.top) / (this.height - MARGIN.top - MARGIN.bottom);
    return [LOW + across * (HIGH - LOW), this.high - down * (this.high - this.low)];
  }
}
