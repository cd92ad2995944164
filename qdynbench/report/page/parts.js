// What all parts of a page are drawn with. `page.py` joins these files into one script: parts, run, together, start.
// Everything from outside is set as text, never as HTML.
const ROWS = 50, MOST_ROWS = 1000;
const $ = (root, what) => root.querySelector(what), $$ = (root, what) => [...root.querySelectorAll(what)];

// --- numbers in words -------------------------------------------------------------------------------------------
// The same rules as those of `text.py`, so that page and terminal write a number alike.
const exponentOf = value => value ? Number(Math.abs(value).toExponential(6).split("e")[1]) : 0;
const scientific = (value, digits) => value.toExponential(Math.max(0, digits - 1)).replace("e+", "e");
function significant(value, digits = 3) {
  if (value === null || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const exponent = exponentOf(Number(value.toExponential(digits - 1)));
  return exponent >= -2 && exponent < 4 ? Number(value.toPrecision(digits)).toFixed(Math.max(0, digits - 1 - exponent)) : scientific(value, digits);
}
function interval(value, low, high, digits = 4) {
  if (value === null) return "–";
  if (low === null || high === null) return significant(value);
  const half = Math.max(high - value, value - low);
  if (!(half > Math.abs(value) * 0.5 * 10 ** (1 - digits))) return significant(value);
  if (half >= Math.abs(value)) return `${significant(value, 1)} (${significant(low, 1)}..${significant(high, 1)})`;
  const rough = half.toExponential(1), first = exponentOf(Number(rough));
  const last = Math.max(rough.startsWith("1") ? first - 1 : first, exponentOf(value) - digits + 1);
  const unit = 10 ** last, round = number => Number((Math.round(number / unit) * unit).toPrecision(12));
  const exponent = exponentOf(round(value)), places = Math.max(0, -last);
  if (exponent >= -2 && exponent < 4) return `${round(value).toFixed(places)}±${round(half).toFixed(places)}`;
  const width = exponentOf(round(half));
  return `${(value / 10 ** exponent).toFixed(Math.max(0, exponent - last))}e${exponent}±${scientific(round(half), width - last + 1)}`;
}
const UNITS = [[7200, 3600, "h"], [600, 60, "min"], [1, 1, "s"], [1e-3, 1e-3, "ms"], [1e-6, 1e-6, "µs"], [0, 1e-9, "ns"]];
function duration(value, low = null, high = null) {
  if (value === null) return "–";
  const [, unit, name] = UNITS.find(([start]) => value >= 0.9995 * start);
  return `${interval(value / unit, low === null ? null : low / unit, high === null ? null : high / unit, 3)} ${name}`;
}
function memory(value) {
  if (value === null) return "–";
  const [unit, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([start]) => value >= start) ?? [1, "B"];
  return `${significant(value / unit)} ${name}`;
}
const count = value => value < 1e7 ? Math.round(value).toLocaleString("en-US") : significant(value, 2);
const about = value => count(value < 1 ? 1 : Number(value.toPrecision(2)));  // a number of trajectories
function roundedUp(value) {
  const scale = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return significant(Math.ceil(value / scale - 1e-9) * scale, 1);
}

// --- parts of the page -------------------------------------------------------------------------------------------
function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function shape(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, typeof value === "number" ? +value.toFixed(2) : value);
  if (text) made.textContent = text;
  return made;
}
function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], {type}));
  const link = node("a", {href: url, download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
function csv(rows) {
  // A text that a spreadsheet would take for a formula gets a quotation mark before it.
  const entry = value => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map(row => row.map(entry).join(",")).join("\r\n") + "\r\n";
}
const STYLED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "paint-order", "font-family", "font-size"];
function saved(svg) {
  const copy = svg.cloneNode(true), from = [svg, ...$$(svg, "*")], to = [copy, ...$$(copy, "*")];
  from.forEach((one, number) => {
    const style = getComputedStyle(one);
    for (const name of STYLED) to[number].setAttribute(name, style.getPropertyValue(name));
    to[number].removeAttribute("class");
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.prepend(shape("rect", {width: "100%", height: "100%", fill: getComputedStyle(document.body).backgroundColor}));
  copy.setAttribute("width", svg.viewBox.baseVal.width);
  copy.setAttribute("height", svg.viewBox.baseVal.height);
  return new XMLSerializer().serializeToString(copy);
}

// --- charts ------------------------------------------------------------------------------------------------------
const SUPERSCRIPT = {"-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹"};
const power = exponent => exponent === 0 ? "1" : exponent === 1 ? "10" : `10${[...String(exponent)].map(one => SUPERSCRIPT[one]).join("")}`;
function log(low, high, from, to, most) {
  const first = Math.floor(Math.log10(low) + 1e-9), last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const at = value => from + (to - from) * (Math.log10(Math.min(Math.max(value, 10 ** first), 10 ** last)) - first) / (last - first);
  const every = Math.ceil((last - first) / most), ticks = [];
  for (let exponent = last; exponent >= first; exponent -= every) ticks.push([10 ** exponent, power(exponent)]);
  return {at, ticks, low: 10 ** first, high: 10 ** last};
}
function linear(low, high, from, to, most, whole = false) {
  const at = value => from + (to - from) * (value - low) / (high - low || 1);
  const rough = (high - low || 1) / most, unit = 10 ** Math.floor(Math.log10(rough));
  let every = [1, 2, 5, 10].map(one => one * unit).find(one => one >= rough);
  if (whole) every = Math.max(1, Math.round(every));
  const ticks = [];
  for (let tick = Math.ceil(low / every - 1e-9) * every; tick <= high + 1e-9 * every; tick += every) ticks.push([tick, String(+tick.toPrecision(6))]);
  return {at, ticks, low, high};
}
const MARKS = [
  (x, y) => shape("circle", {cx: x, cy: y, r: 5}),
  (x, y) => shape("rect", {x: x - 4.5, y: y - 4.5, width: 9, height: 9}),
  (x, y) => shape("path", {d: `M${x - 6} ${y}L${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}Z`}),
  (x, y) => shape("path", {d: `M${x - 5.5} ${y + 4.5}L${x} ${y - 5.5}L${x + 5.5} ${y + 4.5}Z`}),
  (x, y) => shape("path", {d: `M${x - 5.5} ${y - 4.5}L${x} ${y + 5.5}L${x + 5.5} ${y - 4.5}Z`}),
];
const paper = {on: false};  // a sheet is not measured, since it has no layout yet when charts are drawn for it
class Chart {
  constructor(place, height, said, {left = 62, right = 14, top = 10, bottom = 44} = {}) {
    this.width = paper.on ? place.closest(".charts") ? 450 : 900 : Math.max(280, place.clientWidth || 600);
    Object.assign(this, {height, left, top, right: this.width - right, bottom: height - bottom});
    this.svg = shape("svg", {viewBox: `0 0 ${this.width} ${height}`, role: "img", "aria-label": said});
    place.replaceChildren(this.svg);
  }
  add(name, attributes, text) { const made = shape(name, attributes, text); this.svg.append(made); return made; }
  axes(x, y, xTitle, yTitle) {
    for (const [value, text] of x.ticks) {
      this.add("line", {class: "grid", x1: x.at(value), x2: x.at(value), y1: this.top, y2: this.bottom});
      this.add("text", {x: x.at(value), y: this.bottom + 16, "text-anchor": "middle"}, text);
    }
    for (const [value, text] of y.ticks) {
      this.add("line", {class: "grid", x1: this.left, x2: this.right, y1: y.at(value), y2: y.at(value)});
      this.add("text", {x: this.left - 7, y: y.at(value) + 4, "text-anchor": "end"}, text);
    }
    this.add("path", {class: "axis", d: `M${this.left} ${this.top}V${this.bottom}H${this.right}`});
    this.add("text", {x: (this.left + this.right) / 2, y: this.height - 6, "text-anchor": "middle"}, xTitle);
    this.add("text", {transform: `translate(13 ${(this.top + this.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, yTitle);
  }
  mark(number, x, y, colour, open, title) {
    const made = MARKS[number % MARKS.length](x, y);
    made.setAttribute("class", `dot ${colour}${open ? " open" : ""}`);
    made.append(shape("title", {}, title));
    this.svg.append(made);
  }
  path(points, kind, colour) {
    if (points.length) this.add("path", {class: `${kind} ${colour}`, d: points.map(([x, y], number) => `${number ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") + (kind === "band" ? "Z" : "")});
  }
  labels(found) {  // [x, y, text]: beside the point, none over another, and inside the chart
    const step = 13, heights = [];
    found.sort((one, other) => one[1] - other[1]).forEach(([, y], number) => heights.push(Math.max(y + 4, (heights[number - 1] ?? -Infinity) + step)));
    for (let number = heights.length - 1, lowest = this.bottom - 4; number >= 0; number -= 1, lowest -= step) heights[number] = Math.min(heights[number], lowest = Math.min(lowest, heights[number]));
    for (const [number, [x, , text]] of found.entries()) {
      const width = 6.3 * text.length, left = x + 10 + width > this.right, at = heights[number];
      this.add("text", {class: "label", x: left ? x - 10 : x + 10, y: at, "text-anchor": left ? "end" : "start"}, text);
    }
  }
}
const shorter = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

// --- the view, which the address keeps ---------------------------------------------------------------------------
const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
function visit(place) {
  place.scrollIntoView();
  place.tabIndex = -1;
  place.focus({preventScroll: true});
}
function save() {
  history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  viewed();
}
function viewed() {  // the view in the commands beside the figures
  for (const at of $$(document, "[data-view]")) at.textContent = state.size ? `#${state}` : "";
}

// What a button saves: a table as CSV or Parquet, a chart as SVG.
function give(stem, {text, table, svg}, rows, chart) {
  if (text) download(`${stem}-${text}.csv`, "text/csv", csv(rows(text)));
  else if (table) download(`${stem}-${table}.parquet`, "application/vnd.apache.parquet", parquet(rows(table)));
  else if (svg) download(`${stem}-${svg}.svg`, "image/svg+xml", saved($(chart(svg), "svg")));
}
