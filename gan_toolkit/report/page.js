"use strict";

// Curves, the slider of samples, buttons that copy. Everything else on the page works without.

const SVG = "http://www.w3.org/2000/svg";
const payload = JSON.parse(document.getElementById("payload").textContent);

function make(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function shown(value) {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  return value.toLocaleString("en", { maximumSignificantDigits: size < 1000 ? 4 : 7 });
}

function tick(value) {
  const size = Math.abs(value);
  if (size > 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(0);
  if (size >= 1e6) return value / 1e6 + "M";
  return size >= 10000 ? value / 1000 + "k" : String(Number(value.toPrecision(6)));
}

// Round values from low to high, about so many.
function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= rough);
  const ticks = [];
  for (let place = Math.ceil(low / step); place * step <= high + step * 1e-9; place++) {
    ticks.push(place * step);
  }
  return ticks;
}

function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const parts = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7];
  const ticks = [];
  const every = Math.max(1, Math.ceil(decades / 6));
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += every) {
    for (const part of parts) {
      const value = part * 10 ** power;
      if (value >= low && value <= high) ticks.push(value);
    }
  }
  return ticks;
}

// The mean of the values around each, over a share of the curve.
function smooth(values) {
  const half = Math.floor(values.length / 60);
  return values.map((_, place) => {
    const near = values.slice(Math.max(0, place - half), place + half + 1);
    return near.reduce((sum, each) => sum + each / near.length, 0);
  });
}

function nearest(values, wanted) {
  let low = 0;
  let high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle;
    else high = middle;
  }
  return wanted - values[low] <= values[high] - wanted ? low : high;
}

class Chart {
  constructor(figure, chart) {
    this.figure = figure;
    this.curves = chart.curves.map((curve) => ({ ...curve, smooth: smooth(curve.y) }));
    this.log = false;
    this.at = null;
    const all = this.curves.flatMap((curve) => [...curve.y, ...(curve.low || []), ...(curve.high || [])]);
    this.low = all.reduce((least, each) => Math.min(least, each), Infinity);
    this.high = all.reduce((most, each) => Math.max(most, each), -Infinity);
    const steps = this.curves.flatMap((curve) => [curve.x[0], curve.x[curve.x.length - 1]]);
    this.first = Math.min(...steps);
    this.last = Math.max(...steps);
    this.steps = [...new Set(this.curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
    this.build(chart.title);
    this.draw();
  }

  build(title) {
    this.legend = element("div", "legend");
    this.where = element("span", "where");
    this.values = this.curves.map((curve) => {
      const entry = element("span", "entry");
      const value = element("b");
      entry.append(element("span", `swatch c${curve.colour}`), curve.name.replaceAll("_", " "), " ", value);
      this.legend.append(entry);
      return value;
    });
    this.legend.append(this.where);
    if (this.low > 0 && this.high / this.low > 5) this.figure.prepend(this.toggle());
    this.svg = make("svg", { tabindex: 0, role: "img", "aria-label": `${title}. ${this.told()}` });
    this.figure.append(this.legend, this.svg);
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.read(null));
    this.svg.addEventListener("blur", () => this.read(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  told() {
    return this.curves
      .map((curve) => {
        const end = curve.x.length - 1;
        const from = `${shown(curve.y[0])} at step ${curve.x[0]}`;
        return `${curve.name}: from ${from} to ${shown(curve.y[end])} at step ${curve.x[end]}`;
      })
      .join("; ");
  }

  toggle() {
    const button = element("button", "scale", "log");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", "logarithmic scale");
    button.addEventListener("click", () => {
      this.log = !this.log;
      button.setAttribute("aria-pressed", String(this.log));
      this.draw();
    });
    return button;
  }

  range() {
    if (this.log) return [this.low / 1.1, this.high * 1.1];
    if (this.low === this.high) return this.low < 0 ? [this.low * 2, 0] : [0, this.low * 2 || 1];
    const fromZero = this.low >= 0 && this.low < 0.6 * this.high;
    const margin = (this.high - this.low) * 0.06;
    return [fromZero ? 0 : this.low - margin, this.high + margin];
  }

  draw() {
    const width = this.svg.clientWidth || 320;
    const height = this.svg.clientHeight || 200;
    const [low, high] = this.range();
    const ticks = this.log ? logTicks(low, high) : linearTicks(low, high, 5);
    const left = 14 + 7 * Math.max(...ticks.map((each) => tick(each).length));
    this.box = { left, right: width - 8, top: 8, bottom: height - 22 };
    const spread = this.log ? Math.log(high / low) : high - low;
    this.y = (value) => {
      const share = (this.log ? Math.log(value / low) : value - low) / spread;
      return this.box.bottom - share * (this.box.bottom - this.box.top);
    };
    const span = this.last - this.first || 1;
    this.x = (step) => left + ((step - this.first) / span) * (this.box.right - left);
    this.step = (place) => this.first + ((place - left) / (this.box.right - left)) * span;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren();
    this.axes(ticks, width);
    this.marks();
    for (const curve of this.curves) this.line(curve);
    this.cursor = make("g", { class: "cursor" }, this.svg);
    this.read(this.at);
  }

  axes(ticks, width) {
    const { left, right, bottom } = this.box;
    for (const value of ticks) {
      const y = this.y(value);
      make("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }, this.svg);
      make("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, this.svg).textContent = tick(value);
    }
    if (this.first === this.last) return;
    for (const step of linearTicks(this.first, this.last, Math.max(2, Math.floor(width / 60)))) {
      if (!Number.isInteger(step)) continue;
      const x = this.x(step);
      const anchor = x > right - 20 ? "end" : "middle";
      const label = make("text", { x: Math.min(x, right), y: bottom + 16, "text-anchor": anchor }, this.svg);
      label.textContent = tick(step);
    }
  }

  marks() {
    for (const mark of payload.marks) {
      if (mark.step < this.first || mark.step > this.last) continue;
      const x = this.x(mark.step);
      const { top, bottom } = this.box;
      const line = make("line", { class: `mark ${mark.severity}`, x1: x, x2: x, y1: top, y2: bottom }, this.svg);
      make("title", {}, line).textContent = `${mark.name} since step ${mark.step}`;
    }
  }

  line(curve) {
    const points = (values) => curve.x.map((step, place) => [this.x(step), this.y(values[place])]);
    const path = (list) => "M" + list.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
    const group = make("g", { class: `c${curve.colour}` }, this.svg);
    if (curve.x.length === 1) {
      make("circle", { cx: this.x(curve.x[0]), cy: this.y(curve.y[0]), r: 3, class: "dot" }, group);
      return;
    }
    if (curve.low) {
      const around = [...points(curve.low), ...points(curve.high).reverse()];
      make("path", { d: path(around) + "Z", class: "band" }, group);
    }
    if (curve.x.length >= 60) make("path", { d: path(points(curve.y)), class: "faint" }, group);
    make("path", { d: path(points(curve.smooth)), class: "strong" }, group);
  }

  point(place) {
    this.read(Math.min(this.last, Math.max(this.first, this.step(place))));
  }

  key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -1e9, End: 1e9 };
    if (event.key === "Escape") this.read(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const now = this.at === null ? this.steps.length - 1 : nearest(this.steps, this.at);
    const next = Math.min(this.steps.length - 1, Math.max(0, now + moves[event.key]));
    this.read(this.at === null && moves[event.key] > 0 ? this.steps[now] : this.steps[next]);
  }

  // Show the values at a step, or the last ones.
  read(step) {
    this.at = step;
    this.cursor.replaceChildren();
    const told = [];
    this.curves.forEach((curve, number) => {
      const place = step === null ? curve.x.length - 1 : nearest(curve.x, step);
      this.values[number].textContent = shown(curve.y[place]);
      told.push(curve.x[place]);
      if (step === null) return;
      make("circle", { cx: this.x(curve.x[place]), cy: this.y(curve.y[place]), r: 3.5, class: `dot c${curve.colour}` }, this.cursor);
    });
    this.where.textContent = step === null ? "last" : `step ${Math.max(...told).toLocaleString("en")}`;
    if (step === null) return;
    const x = this.x(step);
    this.cursor.prepend(make("line", { x1: x, x2: x, y1: this.box.top, y2: this.box.bottom }));
  }
}

class Timeline {
  constructor(node, charts) {
    this.charts = charts;
    this.frames = [...node.querySelectorAll(".frames")].map((each) => [...each.children]);
    this.controls = node.querySelector(".controls");
    this.slider = node.querySelector("input");
    this.label = node.querySelector("output");
    this.button = node.querySelector(".play");
    this.steps = this.slider.dataset.steps.split(" ").map(Number);
    this.timer = 0;
    this.controls.hidden = this.steps.length < 2;
    this.tell();
    this.slider.addEventListener("input", () => this.show());
    this.button.addEventListener("click", () => this.play());
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && !event.altKey && !event.ctrlKey && !event.metaKey) this.key(event);
    });
  }

  tell() {
    const step = this.steps[Number(this.slider.value)];
    this.label.textContent = `step ${step.toLocaleString("en")}`;
    this.slider.setAttribute("aria-valuetext", `step ${step}`);
    return step;
  }

  show() {
    const step = this.tell();
    for (const images of this.frames) {
      const past = images.filter((image) => Number(image.dataset.step) <= step);
      const current = past.length ? past[past.length - 1] : images[0];
      for (const image of images) image.hidden = image !== current;
    }
    for (const chart of this.charts) chart.read(Math.min(chart.last, Math.max(chart.first, step)));
  }

  move(by) {
    const next = Number(this.slider.value) + by;
    if (next < 0 || next >= this.steps.length) return false;
    this.slider.value = String(next);
    this.show();
    return true;
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && this.move(by)) event.preventDefault();
  }

  play() {
    if (this.timer) {
      this.stop();
      return;
    }
    if (Number(this.slider.value) === this.steps.length - 1) this.slider.value = "0";
    this.show();
    this.button.textContent = "Stop";
    this.timer = setInterval(() => this.move(1) || this.stop(), 150);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.button.textContent = "Play";
  }
}

function copies(button) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: the text is chosen instead
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

const charts = [...document.querySelectorAll("[data-chart]")].map(
  (figure) => new Chart(figure, payload.charts[Number(figure.dataset.chart)]),
);
for (const node of document.querySelectorAll(".timeline")) new Timeline(node, charts);
for (const button of document.querySelectorAll(".copy")) copies(button);

let width = document.documentElement.clientWidth;
addEventListener("resize", () => {
  if (width === document.documentElement.clientWidth) return;
  width = document.documentElement.clientWidth;
  for (const chart of charts) chart.draw();
});
