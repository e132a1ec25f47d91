// A grid for each show: a shot a row, a layer a column, in each cell the latest version; beneath a shot all versions of a layer.

const layersOf = (rows) => [...new Set(rows.map((row) => row.layer))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

// show -> "sequence shot" -> layer -> versions, the latest first
function shotsOf(rows) {
  const shots = new Map();
  rows.forEach((row) => {
    const name = [row.sequence_name, row.shot_name].filter(Boolean).join(" ") || "no shot";
    const layers = shots.get(name) ?? new Map();
    layers.set(row.layer, [...(layers.get(row.layer) ?? []), row]);
    shots.set(name, layers);
  });
  return shots;
}

function problemsOf(version) {
  return data.problems.filter((row) => row.layer_key === version.layer_key && row.version === version.version);
}

const worst = (version, problems) => Math.min(version.worst_status === "ok" ? 3 : 0, ...problems.map((row) => kindOf(row.kind).gravity));

function framesOf(version) {
  if (version.first_frame === null) return plural(version.frame_count, "file");
  const length = version.last_frame - version.first_frame + 1;
  return version.frame_count === length ? plural(length, "frame") : `${version.frame_count} of ${plural(length, "frame")}`;
}

function stateWords(version, problems) {
  if (problems.length) return plural(problems.length, "problem");
  return version.worst_status === "ok" ? "ok" : version.worst_status;
}

function versionCell(versions) {
  const [latest] = versions;
  const problems = problemsOf(latest);
  const gravity = worst(latest, problems);
  const key = latest.layer_key;
  const open = stateOf("layer") === key;
  const more = versions.length > 1 ? ` of ${versions.length}` : "";
  const cell = button("", () => change({ layer: open ? "" : key }, "grid"), { class: `cell g${gravity}`, "aria-expanded": open });
  cell.append(
    element("b", { text: latest.version }), element("span", { class: "soft", text: more, style: "display: inline" }),
    gravity < 3 ? element("span", { class: `tag g${gravity}`, text: stateWords(latest, problems), style: "float: right" }) : element("span", { text: "ok", style: "float: right" }),
    element("span", { text: [framesOf(latest), bytes(latest.total_bytes), hours(latest.render_hours)].filter(Boolean).join(" · ") }),
  );
  return cell;
}

function versionCard(version) {
  const problems = problemsOf(version);
  const facts = [
    ["frames", version.first_frame === null ? framesOf(version) : `${range([version.first_frame, version.last_frame])}, ${framesOf(version)}`],
    ["channels", count(version.channel_count)], ["size", bytes(version.total_bytes)], ["rendering", hours(version.render_hours) || "not in the headers"],
    ["written", moment(version.last_written)], ["changed", version.changed ?? "the first one here"],
  ];
  const list = element("dl", {}, ...facts.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]));
  const lines = problems.map((row) => element("div", {}, dot(kindOf(row.kind).gravity), link(kindOf(row.kind).label, { at: "attention", kind: row.kind, "problems.q": placeOf(row) }), ` ${ranges(row.frames, 2)}`));
  return element("div", {}, element("b", { text: version.version }), problems.length ? null : element("span", { class: "soft", text: ` ${stateWords(version, problems)}` }), list, ...lines);
}

function shotRows(name, layers, columns) {
  const cells = columns.map((layer) => element("td", { "data-label": layers.has(layer) ? layer : "" }, ...(layers.has(layer) ? [versionCell(layers.get(layer))] : [])));
  const lines = [element("tr", {}, element("th", { scope: "row", text: name }), ...cells)];
  const open = [...layers.values()].find(([latest]) => latest.layer_key === stateOf("layer"));
  if (open) {
    const sides = element("div", { class: "sides", id: "versions" }, ...open.map(versionCard));
    lines.push(element("tr", {}, element("td", { colspan: columns.length + 1 }, sides, element("p", { class: "note" }, commandLine(askVersions(open[0]))))));
  }
  return lines;
}

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\"'\"'")}'`);
const askVersions = (row) => ["exr-inspector ask versions", row.show_name && `--show ${shell(row.show_name)}`, row.shot_name && `--shot ${shell(row.shot_name)}`].filter(Boolean).join(" ");

const open = new Set();
const shotsAtFirst = () => (narrow.matches ? 6 : 24);

function showGrid(show, rows) {
  const columns = layersOf(rows);
  const shots = [...shotsOf(rows)];
  const shown = open.has(show) ? shots : shots.slice(0, shotsAtFirst());
  const head = element("tr", {}, element("th", { scope: "col", text: "shot" }), ...columns.map((text) => element("th", { scope: "col", text })));
  const grid = element("table", { class: "grid" }, element("thead", {}, head), element("tbody", {}, ...shown.flatMap(([name, layers]) => shotRows(name, layers, columns))));
  const more = shots.length > shotsAtFirst() ? button(open.has(show) ? "Show fewer" : `Show all ${plural(shots.length, "shot")}`, () => { open[open.has(show) ? "delete" : "add"](show); drawers.grid(); }) : null;
  return element("div", {}, element("h3", { text: `${show}, ${plural(shots.length, "shot")}` }), grid, more);
}

const CSV_VERSIONS = [
  plain("show", "show_name"), plain("sequence", "sequence_name"), plain("shot", "shot_name"), plain("layer", "layer"), plain("version", "version"),
  plain("files", "frame_count"), plain("first frame", "first_frame"), plain("last frame", "last_frame"), plain("channels", "channel_count"),
  plain("bytes", "total_bytes"), plain("render hours", "render_hours"), plain("state", "worst_status"), plain("written", "last_written"), plain("changed", "changed"),
];

function chosenVersions() {
  const words = stateOf("grid.q").toLowerCase().split(/\s+/).filter(Boolean);
  return ofShow(data.versions, "show_name").filter((row) => {
    const text = [row.show_name, row.sequence_name, row.shot_name, row.layer, row.version].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const gridSearch = element("input", { type: "search", placeholder: "shot, layer", "aria-label": "Filter shots" });
gridSearch.addEventListener("input", () => change({ "grid.q": gridSearch.value }, "grid"));
const gridTools = element("div", { class: "tools" }, element("label", {}, "Filter ", gridSearch), button("CSV", () => save("versions.csv", csvOf(CSV_VERSIONS, chosenVersions()))));

drawers.grid = () => {
  if (document.activeElement !== gridSearch) gridSearch.value = stateOf("grid.q");
  const shows = Object.entries(Object.groupBy(chosenVersions(), (row) => row.show_name ?? NO_SHOW));
  const nothing = data.versions.length ? "Nothing matches." : "No files with a version in their path: docs/PATHS.md says how paths are read.";
  const grids = shows.length ? shows.map(([show, rows]) => showGrid(show, rows)) : [element("p", { text: nothing })];
  const old = find("grid").children;
  if (old[0] !== gridTools) find("grid").replaceChildren(gridTools);
  [...old].slice(1).forEach((child) => child.remove());
  find("grid").append(...grids);
};
