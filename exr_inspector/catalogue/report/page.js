"use strict";
window.addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const KINDS = {
  present: ["#4c8bd6", ""], missing: ["#c9352b", "x"], broken: ["#e08a00", "/"], duplicate: ["#8e5bd0", "."],
  mixed: ["#a0522d", "+"],
};
const PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89f00", "#7f5fc0"];
const OTHER = "(other shows)";
const HITS = 40;

// Plotly reads a few tags in texts; names from paths are never meant so.
const literal = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const short = (text, size) => (text.length > size ? "…" + text.slice(text.length - size + 1) : text);

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = Number(count ?? 0);
  let at = 0;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${value.toFixed(value < 10 && at ? 1 : 0)} ${units[at]}`;
}

function seconds(value) {
  if (value === null) return "";
  return value < 90 ? `${value.toFixed(0)} s` : value < 5400 ? `${(value / 60).toFixed(1)} min` : `${(value / 3600).toFixed(1)} h`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function button(text, action, className) {
  const made = element("button", text, className);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

// columns: [heading, row -> text or element, row -> class of the cell]
function table(id, columns, rows) {
  const head = element("tr");
  columns.forEach(([heading, , kind]) => {
    const cell = element("th", heading, kind && kind({}) === "number" ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  });
  const thead = element("thead");
  thead.append(head);
  const body = element("tbody");
  rows.forEach((row) => {
    const line = element("tr");
    columns.forEach(([, content, kind]) => {
      const cell = element("td", "", kind ? kind(row) : "");
      cell.append(content(row) ?? "");
      line.append(cell);
    });
    body.append(line);
  });
  find(id).replaceChildren(thead, body);
}

const asNumber = () => "number";
const fault = (key) => (row) => (row[key] > 0 ? "number bad" : "number");
const warning = (key) => (row) => (row[key] > 0 ? "number warn" : "number");
const count = (key) => (row) => number.format(row[key] ?? 0);

const colourOf = (show) => {
  const at = data.colours.indexOf(show);
  return at < 0 ? "#8a93a0" : PALETTE[at];
};

// Plotly gives every entry of a legend the width of the longest; the legend stands above the plot, however many rows it takes.
function legendRows(names, width) {
  const entry = 46 + 7.5 * Math.max(...names.map((name) => name.length));
  return Math.ceil(names.length / Math.max(1, Math.floor((width - 20) / entry)));
}

function layout(extra, top) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const line = style.getPropertyValue("--line").trim();
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 },
    legend: { orientation: "h", x: 0, xref: "container", y: 1, yref: "container", yanchor: "top", traceorder: "normal" }, dragmode: false,
    ...extra, margin: { l: 50, r: 12, b: 40, t: top, ...extra.margin }, xaxis: { ...axis, ...extra.xaxis }, yaxis: { ...axis, ...extra.yaxis },
  };
}

function plot(id, traces, extra) {
  const names = traces.filter((trace) => trace.showlegend !== false).map((trace) => trace.name);
  const legend = names.length > 1 ? 16 + 20 * legendRows(names, find(id).clientWidth) : 12;
  const top = legend + (extra.xaxis?.side === "top" ? 40 : 0);
  return Plotly.react(find(id), traces, layout(extra, top), { responsive: true, displaylogo: false, displayModeBar: false });
}

function bar(name, x, y, color, more) {
  return { type: "bar", name, x, y, marker: { color }, ...more };
}

function drawShows() {
  const shows = data.shows.map((row) => literal(row.show));
  return plot("shows-chart", [
    bar("ok", data.shows.map((row) => row.ok), shows, "#3d9a63", { orientation: "h" }),
    bar("incomplete", data.shows.map((row) => row.incomplete), shows, "#e08a00", { orientation: "h" }),
    bar("damaged", data.shows.map((row) => row.damaged), shows, "#8e5bd0", { orientation: "h" }),
    bar("unreadable", data.shows.map((row) => row.unreadable), shows, "#c9352b", { orientation: "h" }),
  ], { barmode: "stack", height: 140 + 28 * shows.length, xaxis: { title: { text: "files" } }, yaxis: { autorange: "reversed" } });
}

const placeOf = (row) => [row.show, row.sequence, row.shot].filter((name) => name && name !== "(no show)").join(" ");
const shotLink = (row) => button(row.shot, () => showStrips(`${placeOf(row)} `), "link");

function sequenceLink(row) {
  const point = data.map.find((one) => one.sequence_key === row.sequence_key);
  return point ? button(row.label, () => showOnMap(point), "link") : row.label;
}

function drawTables() {
  table("shots-table", [
    ["show", (row) => row.show], ["sequence", (row) => row.sequence ?? ""], ["shot", shotLink], ["files", count("files"), asNumber],
    ["incomplete", count("incomplete"), fault("incomplete")], ["damaged", count("damaged"), fault("damaged")],
    ["unreadable", count("unreadable"), fault("unreadable")],
    ["missing frames", count("missing"), fault("missing")], ["duplicates", count("duplicates"), warning("duplicates")],
    ["failed validation", count("failed"), fault("failed")], ["warned", count("warned"), warning("warned")],
    ["size", (row) => bytes(row.bytes), asNumber],
  ], data.shots);
  table("compression-table", [
    ["show", (row) => row.show], ["compression", (row) => row.compression], ["files", count("files"), asNumber],
    ["stored", (row) => bytes(row.stored), asNumber], ["uncompressed", (row) => (row.logical ? bytes(row.logical) : ""), asNumber],
    ["ratio", (row) => (row.logical ? (row.logical / row.stored).toFixed(2) : ""), asNumber],
  ], data.compression);
  table("rules-table", [
    ["policy", (row) => row.policy], ["rule", (row) => row.rule], ["failed", count("failed"), fault("failed")],
    ["warned", count("warned"), warning("warned")], ["passed", count("passed"), asNumber],
  ], data.rules);
  table("renderers-table", [
    ["renderer", (row) => row.software], ["files", count("files"), asNumber], ["10 % below", (row) => seconds(row.low), asNumber],
    ["median", (row) => seconds(row.middle), asNumber], ["90 % below", (row) => seconds(row.high), asNumber],
    ["peak memory", (row) => (row.memory === null ? "" : bytes(row.memory * 1048576)), asNumber],
  ], data.renderers);
}

function spans(strip, kind, count) {
  if (strip.runs.some((run) => run.kind === "mixed")) return count ? `${number.format(count)} in many places` : "";
  return strip.runs.filter((run) => run.kind === kind).map((run) => (run.first === run.last ? `${run.first}` : `${run.first}–${run.last}`)).join(", ");
}

function chosenStrips() {
  const wanted = find("strip-filter").value.toLowerCase();
  const faulty = find("only-faults").checked;
  return data.strips.filter((strip) =>
    (!faulty || strip.missing + strip.broken + strip.duplicates > 0) && `${strip.label} ${strip.sequence_key}`.toLowerCase().includes(wanted.trimStart()));
}

function drawStrips() {
  const strips = chosenStrips();
  const names = strips.map((strip, at) => `${at + 1} `);
  const traces = Object.entries(KINDS).map(([kind, [color, shape]]) => {
    const bars = strips.flatMap((strip, at) => strip.runs.filter((run) => run.kind === kind).map((run) => ({ at, strip, run })));
    return bar(kind === "mixed" ? "partly missing or broken" : kind, bars.map(({ run }) => run.last - run.first + 1), bars.map(({ at }) => names[at]), color, {
      orientation: "h", base: bars.map(({ run }) => run.first - 0.5), showlegend: kind !== "mixed" || bars.length > 0,
      // One frame of thousands is thinner than a pixel; its outline is not.
      marker: { color, pattern: { shape, size: 5, fillmode: "overlay", fgcolor: "#ffffff" }, line: { color, width: kind === "present" ? 0 : 1.5 } },
      customdata: bars.map(({ strip, run }) => [literal(strip.label), run.first, run.last]),
      hovertemplate: `%{customdata[0]}<br>${kind}: %{customdata[1]} to %{customdata[2]}<extra></extra>`,
    });
  });
  const labels = strips.map((strip) => literal(short(strip.label, window.innerWidth < 700 ? 24 : 64)));
  table("strips-table", [
    ["sequence", sequenceLink], ["first", (row) => row.first, asNumber], ["last", (row) => row.last, asNumber],
    ["present", count("present"), asNumber], ["missing", (row) => spans(row, "missing", row.missing), (row) => (row.missing ? "bad" : "")],
    ["broken", (row) => spans(row, "broken", row.broken), (row) => (row.broken ? "bad" : "")],
    ["duplicate", (row) => spans(row, "duplicate", row.duplicates), (row) => (row.duplicates ? "warn" : "")],
  ], strips);
  return plot("strips-chart", traces, {
    barmode: "overlay", bargap: 0.25, height: 110 + 20 * Math.max(1, strips.length), margin: { l: 10, b: 10 },
    xaxis: { title: { text: "frame" }, tickformat: "d", side: "top" },
    yaxis: { type: "category", categoryarray: names, autorange: "reversed", tickvals: names, ticktext: labels, tickfont: { size: 11 } },
  });
}

function drawSizes() {
  const kinds = data.compressions.map((row) => literal(row.compression));
  const first = plot("compression-chart", [
    bar("stored", kinds, data.compressions.map((row) => row.stored / 1e9), "#4c8bd6"),
    bar("uncompressed", kinds, data.compressions.map((row) => (row.logical ?? 0) / 1e9), "#9aa7b5"),
  ], { barmode: "group", yaxis: { title: { text: "GB" } } });
  const shows = [...data.colours, OTHER].filter((show) => data.sizes.some((row) => row.show === show));
  const second = plot("sizes-chart", shows.map((show) => {
    const rows = data.sizes.filter((row) => row.show === show);
    return { type: "bar", name: literal(show), marker: { color: colourOf(show) }, x: rows.map((row) => 2 ** (row.step / 2) / 1e6), y: rows.map((row) => row.files),
      width: rows.map((row) => 0.4 * 2 ** (row.step / 2) / 1e6) };
  }), { barmode: "stack", xaxis: { title: { text: "MB a file" }, type: "log", dtick: 1 }, yaxis: { title: { text: "files" } } });
  return Promise.all([first, second]);
}

function drawRules() {
  const names = data.rules.map((row) => literal(`${row.policy} ${row.rule}`));
  return plot("rules-chart", [
    bar("failed", data.rules.map((row) => row.failed), names, "#c9352b", { orientation: "h" }),
    bar("warned", data.rules.map((row) => row.warned), names, "#e08a00", { orientation: "h", marker: { color: "#e08a00", pattern: { shape: "/", fillmode: "overlay", fgcolor: "#ffffff" } } }),
  ], { barmode: "stack", height: 140 + 24 * names.length, xaxis: { title: { text: "files" } }, yaxis: { autorange: "reversed" } });
}

function drawRenderers() {
  const names = data.renderers.map((row) => literal(short(row.software, 32)));
  const timed = data.renderers.filter((row) => row.middle !== null);
  const first = plot("builds-chart", [bar("files", data.renderers.map((row) => row.files), names, "#4c8bd6", { orientation: "h" })],
    { height: 140 + 24 * names.length, xaxis: { title: { text: "files" } }, yaxis: { autorange: "reversed" } });
  const second = plot("times-chart", [{
    type: "scatter", mode: "markers", name: "median", marker: { color: "#3d9a63", size: 9 },
    x: timed.map((row) => row.middle / 60), y: timed.map((row) => literal(short(row.software, 32))),
    error_x: { type: "data", symmetric: false, array: timed.map((row) => (row.high - row.middle) / 60),
      arrayminus: timed.map((row) => (row.middle - row.low) / 60) },
  }], { height: 140 + 24 * timed.length, xaxis: { title: { text: "minutes a frame" }, rangemode: "tozero" }, yaxis: { autorange: "reversed" } });
  return Promise.all([first, second]);
}

function matches(point, wanted) {
  return wanted !== "" && `${point.label} ${point.file_path} ${point.file_id}`.toLowerCase().includes(wanted);
}

let chosen = null;

function mapTrace(show, at, wanted) {
  const points = data.map.filter((point) => (data.colours.includes(point.show) ? point.show : OTHER) === show).sort((a, b) => a.faults - b.faults);
  return {
    type: "scatter", mode: "markers", name: literal(show), legendrank: at === 0 ? 2000 : 1000, x: points.map((point) => point.x), y: points.map((point) => point.y),
    text: points.map((point) => literal(point.label)),
    customdata: points.map((point) => [point.at, point.files, point.faults, literal(short(point.file_path, 90))]),
    hovertemplate: "<b>%{text}</b><br>%{customdata[3]}<br>files: %{customdata[1]}, faults: %{customdata[2]}<extra></extra>",
    marker: {
      color: colourOf(show), symbol: at % 8,
      size: points.map((point) => 6 + Math.min(6, Math.log2(point.files))),
      opacity: points.map((point) => (wanted === "" || matches(point, wanted) ? 0.85 : 0.15)),
      line: { width: points.map((point) => (point.faults > 0 ? 2 : 0)), color: "#c9352b" },
    },
  };
}

// Above the points, so that none of them hides it.
function rings(name, points, size) {
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  return {
    type: "scatter", mode: "markers", name, showlegend: false, hoverinfo: "skip", x: points.map((point) => point.x), y: points.map((point) => point.y),
    marker: { symbol: "circle-open", size, color: ink, line: { width: 2.5 } },
  };
}

function drawMap() {
  const wanted = find("map-search").value.trim().toLowerCase();
  // What shares a colour is drawn first, beneath the others, and named last.
  const traces = [OTHER, ...data.colours].map((show, at) => mapTrace(show, at, wanted)).filter((trace) => trace.x.length > 0);
  traces.push(rings("found", data.map.filter((point) => matches(point, wanted)), 15), rings("chosen", chosen ? [chosen] : [], 24));
  drawHits(wanted);
  const hidden = { showticklabels: false, zeroline: false };
  return plot("map-chart", traces, { height: 520, hovermode: "closest", xaxis: hidden, yaxis: hidden, margin: { l: 10, b: 10 } });
}

function drawHits(wanted) {
  const found = data.map.filter((point) => matches(point, wanted));
  const items = found.slice(0, HITS).map((point) => {
    const item = element("li");
    item.append(button(`${point.label} (${number.format(point.files)} files)`, () => choose(point)));
    return item;
  });
  if (found.length > HITS) items.push(element("li", `and ${number.format(found.length - HITS)} more on the map`));
  if (wanted && found.length === 0) items.push(element("li", "nothing on the map matches"));
  find("map-hits").replaceChildren(...items);
}

function choose(point) {
  chosen = point;
  const shown = find("chosen");
  shown.replaceChildren(
    element("b", point.label), element("div", point.file_path),
    element("div", `files: ${number.format(point.files)}, faults: ${number.format(point.faults)}`),
    element("code", `scripts/find_similar.py ${point.file_id}`),
  );
  if (data.strips.some((strip) => strip.sequence_key === point.sequence_key)) {
    shown.append(button("show its frames", () => showStrips(point.sequence_key)));
  }
  return drawMap();
}

function showStrips(wanted) {
  find("only-faults").checked = false;
  find("strip-filter").value = wanted;
  drawStrips();
  find("coverage").scrollIntoView();
  find("strip-filter").focus({ preventScroll: true });
}

function showOnMap(point) {
  find("map-search").value = "";
  choose(point);
  find("alike").scrollIntoView();
  find("map-chart").focus({ preventScroll: true });
}

// With the keyboard: the points from left to right, those that match where something is looked for.
function walk(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const wanted = find("map-search").value.trim().toLowerCase();
  const points = data.map.filter((point) => wanted === "" || matches(point, wanted)).sort((a, b) => a.x - b.x || a.y - b.y);
  if (!step || points.length === 0) return;
  event.preventDefault();
  const at = points.indexOf(chosen);
  choose(points[at < 0 ? (step > 0 ? 0 : points.length - 1) : (at + step + points.length) % points.length]);
}

function note(id, key, what) {
  if (data.omitted[key] > 0) find(id).textContent = `${number.format(data.omitted[key])} more ${what} are not listed here.`;
}

function drawNumbers() {
  const totals = data.totals;
  const entries = [
    ["files", number.format(totals.files)], ["shows", number.format(totals.shows)], ["shots", number.format(totals.shots)],
    ["sequences of frames", number.format(totals.sequences)], ["stored", bytes(totals.bytes)],
    ["incomplete", number.format(totals.incomplete), totals.incomplete], ["damaged", number.format(totals.damaged), totals.damaged],
    ["unreadable", number.format(totals.unreadable), totals.unreadable],
    ["missing frames", number.format(totals.missing), totals.missing], ["duplicate frames", number.format(totals.duplicates), totals.duplicates],
    ["failed validation", number.format(totals.failed), totals.failed],
  ];
  find("numbers").replaceChildren(...entries.map(([what, text, bad]) => {
    const item = element("li", what, bad ? "bad" : "");
    item.prepend(element("b", text));
    return item;
  }));
  find("place").textContent = `${data.place}, ${data.generated}`;
}

function drawAll() {
  return Promise.all([drawShows(), drawStrips(), drawSizes(), drawRules(), drawRenderers(), drawMap()]);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  return drawAll();
}

data.map.forEach((point, at) => { point.at = at; });
drawNumbers();
drawTables();
note("shows-note", "shows", "shows");
note("compression-note", "compression", "rows");
note("shots-note", "shots", "shots");
note("strips-note", "strips", "sequences");
note("rules-note", "rules", "rules");
note("renderers-note", "renderers", "renderers");
note("map-note", "map", "points");
setTheme(dark.matches ? "dark" : "light").then(() => {
  find("map-chart").on("plotly_click", (event) => choose(data.map[event.points[0].customdata[0]]));
  find("map-chart").addEventListener("keydown", walk);
  document.documentElement.dataset.ready = "yes";
});
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
find("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
find("only-faults").addEventListener("change", drawStrips);
find("strip-filter").addEventListener("input", drawStrips);
find("map-search").addEventListener("input", drawMap);
