"use strict";
window.addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });

let data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const root = document.documentElement;
const NO_SHOW = "(no show)";

// What is drawn, by section: a section is drawn again when the state that it shows has changed.
const drawers = {};
const drawAll = () => Object.values(drawers).forEach((draw) => draw());

// ---- Elements. Text goes through textContent alone: names come from paths, and may be anything.

function element(name, properties, ...children) {
  const made = document.createElement(name);
  Object.entries(properties ?? {}).forEach(([key, value]) => {
    if (value === undefined || value === null) return;
    if (key === "text") made.textContent = value;
    else if (key === "class") made.className = value;
    else if (key === "click") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  });
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const button = (text, click, properties) => element("button", { type: "button", text, click, ...properties });

function svg(name, properties, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(properties).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== undefined) made.textContent = text;
  return made;
}

function copyButton(text, what) {
  const made = button(what, async () => {
    await copyText(text);
    made.textContent = "copied";
    setTimeout(() => { made.textContent = what; }, 1500);
  }, { title: text, "aria-label": `copy ${what}: ${text}` });
  return made;
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", {});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

const commandLine = (text) => element("div", { class: "command" }, element("code", { text }), copyButton(text, "copy"));

// ---- Values as people read them.

const numberFormat = new Intl.NumberFormat("en");
const count = (value) => numberFormat.format(Math.round(value ?? 0));
const plural = (value, noun) => `${count(value)} ${noun}${Math.round(value) === 1 ? "" : "s"}`;

function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let size = Number(value ?? 0);
  let at = 0;
  while (size >= 999.5 && at < units.length - 1) { size /= 1000; at += 1; }
  return `${size.toFixed(size < 9.95 && at ? 1 : 0)} ${units[at]}`;
}

function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 90) return `${value.toFixed(0)} s`;
  return value < 5400 ? `${(value / 60).toFixed(1)} min` : `${(value / 3600).toFixed(1)} h`;
}

const hours = (value) => (value === null || value === undefined ? "" : value < 9.95 ? `${value.toFixed(1)} h` : `${count(value)} h`);
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(part && part < whole / 10 ? 1 : 0)} %` : "");
const moment = (text) => (text ? text.slice(0, 16).replace("T", " ") : "");
const range = ([first, last]) => (first === last ? `${first}` : `${first}–${last}`);

function ranges(frames, most = 6) {
  const more = frames.length > most ? ` and ${frames.length - most} more` : "";
  return frames.slice(0, most).map(range).join(", ") + more;
}

const placeOf = (row) => [row.show, row.sequence, row.shot].filter((name) => name && name !== NO_SHOW).join(" ");

// ---- The state of the page is in its address: #at=SECTION&show=...

const read = () => new URLSearchParams(location.hash.slice(1));
const stateOf = (key) => read().get(key) ?? "";

function changed(values) {
  const state = read();
  Object.entries(values).forEach(([key, value]) => (value ? state.set(key, value) : state.delete(key)));
  return `#${state}`;
}

// Writes the state without a new entry of the history, and draws the sections that show it.
function change(values, ...sections) {
  history.replaceState(null, "", changed(values));
  (sections.length ? sections.map((name) => drawers[name]) : Object.values(drawers)).forEach((draw) => draw());
  drawers.sections();
  drawers.figures();
}

// A link to another state; what it does not name stays as it is.
const link = (text, values, properties) => element("a", { href: changed(values), text, ...properties });

const ofShow = (rows, key = "show") => {
  const show = stateOf("show");
  return show ? rows.filter((row) => row[key] === show) : rows;
};
