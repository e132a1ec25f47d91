// Frames of each sequence, on an axis of its own.

const STRIP_KINDS = [["present", "there"], ["missing", "missing"], ["broken", "broken"], ["duplicate", "there twice"], ["mixed", "partly missing or broken"]];

// The runs between gaps beside stray frames.
function stretches(runs) {
  const found = [[]];
  runs.forEach((run) => (run[0] === "gap" ? found.push(run, []) : found[found.length - 1].push(run)));
  return found.filter((part) => part.length > 0);
}

const lengthOf = ([, first, last]) => last - first + 1;

function runBar([kind, first, last]) {
  const words = STRIP_KINDS.find(([name]) => name === kind)[1];
  const bar = element("i", { class: kind, title: `${range([first, last])}: ${words}` });
  bar.style.flex = `${last - first + 1} 1 0`;
  return bar;
}

function stretch(runs) {
  const first = runs[0][1];
  const last = runs[runs.length - 1][2];
  const middle = Math.round((first + last) / 2);
  const ticks = last - first > 20 ? [first, middle, last] : first === last ? [first] : [first, last];
  const made = element("div", { class: `stretch${ticks.length > 1 ? " wide" : ""}` }, element("div", { class: "bar" }, ...runs.map(runBar)), element("div", { class: "ticks" }, ...ticks.map((tick) => element("span", { text: tick }))));
  made.style.flex = `${runs.reduce((sum, run) => sum + lengthOf(run), 0)} 1 0`;
  return made;
}

function stripCell(row) {
  const parts = stretches(row.runs).map((part) => (part[0] === "gap" ? element("div", { class: "gap", text: `${count(lengthOf(part))} between`, title: range([part[1], part[2]]) }) : stretch(part)));
  const words = ["missing", "broken", "duplicate"].map((kind) => spans(row, kind)).filter(Boolean).join("; ");
  return element("div", { class: "axis", role: "img", "aria-label": `Frames ${range([row.first, row.last])}. ${words}` }, ...parts);
}

function spans(row, kind) {
  const total = { missing: row.missing, broken: row.broken, duplicate: row.duplicates }[kind];
  if (row.runs.some(([name]) => name === "mixed")) return total ? `${count(total)} in many places` : "";
  return ranges(row.runs.filter(([name]) => name === kind).map(([, first, last]) => [first, last]));
}

// What is neither missing nor broken, in words.
const other = (row) => [[spans(row, "duplicate"), "twice"], [ranges(row.stray), "stray"]].filter(([text]) => text).map(([text, words]) => `${text} ${words}`).join(", ");
const isFaulty = (row) => row.missing + row.broken + row.duplicates + row.stray.length > 0;

const spanColumn = (label, kind, style) => ({ label, value: (row) => spans(row, kind), kind: (row) => (spans(row, kind) ? `frames ${style}` : "") });

function nameCell(row) {
  const point = data.map.points.find((one) => one.key === row.sequence_key);
  const name = element("b", { text: placeOf(row) || NO_SHOW });
  return [name, element("span", {}, point ? button(row.name, () => showOnMap(point), { class: "link", title: "Show on the map" }) : row.name)];
}

function makeStrips() {
  const only = element("input", { type: "checkbox", id: "faults" });
  only.addEventListener("change", () => change({ faults: only.checked ? "1" : "" }, "strips"));
  new Table("strips", [
    { label: "Sequence", value: (row) => `${placeOf(row)} ${row.name}`, cell: nameCell, kind: "where" },
    { label: "Axis", value: (row) => row.first, cell: stripCell, kind: "strip" },
    { ...whole("There", "present") }, spanColumn("Missing", "missing", "bad"), spanColumn("Broken", "broken", "bad"), { label: "Other", value: other, kind: (row) => (other(row) ? "frames warn" : "") },
  ], {
    rows: () => ofShow(data.strips).filter((row) => !stateOf("faults") || isFaulty(row)),
    noun: "sequence", filters: [element("label", {}, only, "only with faults")], nothing: "No sequences of frames.",
    csv: [plain("show", "show"), plain("sequence", "sequence"), plain("shot", "shot"), plain("first", "first"), plain("last", "last"), plain("there", "present"),
      { label: "missing", value: (row) => spans(row, "missing") }, { label: "broken", value: (row) => spans(row, "broken") },
      { label: "other", value: other }, plain("path", "sequence_key")],
  });
  const draw = drawers.strips;
  drawers.strips = () => { only.checked = Boolean(stateOf("faults")); draw(); };
  find("strip-legend").replaceChildren(...STRIP_KINDS.map(([kind, text]) => element("li", {}, element("i", { class: kind }), text)));
}
