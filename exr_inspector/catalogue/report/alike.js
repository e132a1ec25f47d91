// The map of what was made alike.

const PALETTE = ["#3f8fd2", "#e0a100", "#1fa37d", "#cf78a8", "#6cc0ee", "#dd6a1f", "#a8a02a", "#8f6fd6"];
const OTHER_COLOUR = "#8c96a3";
const EDGE = 40;
const TALLEST = 480;
const NARROWEST = 300;
const NAMES = 14;
const HITS = 40;
let chosen = null;
let drawnAt = 0;

const colourOf = (show) => PALETTE[data.colours.indexOf(show)] ?? OTHER_COLOUR;
const labelOf = (point) => [placeOf(point), point.layer, point.version].filter(Boolean).join(" ");
const wanted = () => stateOf("map.q").trim().toLowerCase();
const group = () => stateOf("group");
const textOfPoint = (point) => `${labelOf(point)} ${point.key} ${point.file_id}`.toLowerCase();

function matches(point) {
  if (wanted() && !textOfPoint(point).includes(wanted())) return false;
  if (group() && String(point.group) !== group()) return false;
  return !stateOf("show") || point.show === stateOf("show");
}

// From the map's coordinates to those of the drawing, the same scale on both axes.
function scaleOf(points) {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const width = Math.max(NARROWEST, find("map").clientWidth);
  const unit = Math.min((width - 2 * EDGE) / Math.max(right - left, data.map.apart), TALLEST / Math.max(high - low, data.map.apart / 4));
  const height = (high - low) * unit + 2 * EDGE + 30;
  const spare = (width - 2 * EDGE - (right - left) * unit) / 2;
  return { unit, width, height, x: (value) => EDGE + spare + (value - left) * unit, y: (value) => height - EDGE - 30 - (value - low) * unit };
}

function circle(point, at, scale, faulty) {
  const kind = [faulty.has(point.key) ? "fault" : "", matches(point) ? (wanted() ? "found" : "") : "dim"].join(" ").trim();
  return svg("circle", { cx: scale.x(point.x).toFixed(1), cy: scale.y(point.y).toFixed(1), r: 4 + Math.min(4, Math.log2(point.files) / 2), fill: colourOf(point.show), class: kind, "data-at": at });
}

// The box that the points of each group take.
function boxes(scale) {
  const found = new Map();
  data.map.points.forEach((point) => {
    const [x, y] = [scale.x(point.x), scale.y(point.y)];
    const box = found.get(point.group) ?? { left: x, right: x, top: y, bottom: y };
    found.set(point.group, { left: Math.min(box.left, x), right: Math.max(box.right, x), top: Math.min(box.top, y), bottom: Math.max(box.bottom, y) });
  });
  return found;
}

const cover = (one, other) => one.left < other.right + 8 && other.left < one.right + 8 && one.top < other.bottom + 8 && other.top < one.bottom + 8;

// Where a name can stand: at its group's points, else further above or below.
function placesOf(one, box, half, scale) {
  const x = Math.min(Math.max(scale.x(one.x), half + 6), scale.width - half - 6);
  const middle = (box.top + box.bottom) / 2 + 4;
  const near = [[x, box.top - 17], [x, box.bottom + 26], [box.right + 16 + half, middle], [box.left - 16 - half, middle]];
  return [...near, ...[18, 36, 54, 72, 90].flatMap((step) => [[x, box.top - 17 - step], [x, box.bottom + 26 + step]])];
}

// Names of the largest groups, where neither points nor another name are in the way.
function groupNames(scale) {
  const ends = boxes(scale);
  const taken = [...ends.values()];
  const inside = ([x, y], half) => x - half > 2 && x + half < scale.width - 2 && y > 14 && y < scale.height - 36;
  return data.map.groups.slice(0, NAMES).flatMap((one, at) => {
    const text = `${one.name} (${one.count})`;
    const half = 3.6 * text.length;
    const boxOf = ([x, y]) => ({ left: x - half, right: x + half, top: y - 9, bottom: y });
    const box = ends.get(at);
    const place = placesOf(one, box, half, scale).find((one) => inside(one, half) && taken.every((other) => other === box || !cover(other, boxOf(one))));
    if (!place) return [];
    const [x, y] = place;
    taken.push(boxOf(place));
    const end = y < box.top ? box.top - 6 : box.bottom + 6;
    const far = y < box.top - 24 || y > box.bottom + 34;
    const lead = far ? [svg("line", { class: "lead", x1: scale.x(one.x), y1: end, x2: x, y2: y < box.top ? y + 4 : y - 12 })] : [];
    return [...lead, svg("text", { x, y, "text-anchor": "middle" }, text)];
  });
}

function scaleBar(scale) {
  const length = data.map.apart * scale.unit;
  const y = scale.height - 16;
  return [svg("line", { x1: EDGE, x2: EDGE + length, y1: y, y2: y }), svg("line", { x1: EDGE, x2: EDGE, y1: y - 5, y2: y + 5 }), svg("line", { x1: EDGE + length, x2: EDGE + length, y1: y - 5, y2: y + 5 }),
    svg("text", { x: EDGE + length + 10, y: y + 4, class: "soft" }, scale.width > 600 ? "this far apart: another setup" : "another setup")];
}

drawers.map = () => {
  const { points } = data.map;
  if (document.activeElement !== find("map-search")) find("map-search").value = stateOf("map.q");
  drawHits();
  if (points.length === 0) { find("map").replaceChildren(element("p", { class: "note", text: "No vectors of this version are stored." })); return; }
  const scale = scaleOf(points);
  drawnAt = find("map").clientWidth;
  const faulty = new Set(data.problems.map((row) => row.key));
  const drawing = svg("svg", { viewBox: `0 0 ${scale.width} ${scale.height.toFixed(0)}`, role: "img", "aria-label": `${plural(points.length, "point")} in ${plural(data.map.groups.length, "group")}` });
  const order = points.map((point, at) => [point, at]).sort((a, b) => faulty.has(a[0].key) - faulty.has(b[0].key));
  drawing.append(...order.map(([point, at]) => circle(point, at, scale, faulty)), ...groupNames(scale), ...scaleBar(scale));
  if (chosen) drawing.append(svg("circle", { class: "ring", cx: scale.x(chosen.x), cy: scale.y(chosen.y), r: 12 }));
  find("map").replaceChildren(drawing);
  const shows = [...new Set(points.map((point) => (data.colours.includes(point.show) ? point.show : "others")))].sort();
  find("map-legend").replaceChildren(...shows.map((show) => legendEntry(show)));
};

function legendEntry(show) {
  const mark = element("i");
  mark.style.background = colourOf(show);
  return element("li", {}, mark, show);
}

function drawHits() {
  const found = wanted() ? data.map.points.filter(matches) : [];
  const items = found.slice(0, HITS).map((point) => element("li", {}, button(`${labelOf(point)} (${plural(point.files, "file")})`, () => choose(point))));
  if (found.length > HITS) items.push(element("li", { text: `and ${count(found.length - HITS)} more on the map` }));
  if (wanted() && found.length === 0) items.push(element("li", { text: "nothing on the map matches" }));
  find("hits").replaceChildren(...items);
}

function choose(point) {
  chosen = point;
  const name = data.map.groups[point.group].name;
  const strip = data.strips.find((one) => one.sequence_key === point.key);
  const faults = data.problems.filter((row) => row.key === point.key).length;
  find("chosen").replaceChildren(
    element("b", { text: labelOf(point) }), element("div", { text: point.key }), element("div", { text: `${plural(point.files, "file")}, made like the group “${name}”` }),
    commandLine(`exr-inspector similar ${point.file_id}`),
    strip ? link("show its frames", { at: "coverage", "strips.q": point.key, faults: "" }) : "", " ",
    faults ? link(plural(faults, "problem"), { at: "attention", "problems.q": point.key, kind: "" }) : "",
  );
  drawers.map();
}

function showOnMap(point) {
  change({ "map.q": "", group: "", at: "alike" }, "map");
  choose(point);
  find("alike").scrollIntoView();
  find("map").focus({ preventScroll: true });
}

// With the keyboard: the points from left to right, those that match where something is looked for.
function walk(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const points = data.map.points.filter(matches).sort((a, b) => a.x - b.x || a.y - b.y);
  if (!step || points.length === 0) return;
  event.preventDefault();
  const at = points.indexOf(chosen);
  choose(points[at < 0 ? (step > 0 ? 0 : points.length - 1) : (at + step + points.length) % points.length]);
}

function hover(event) {
  const tip = find("tip");
  const point = data.map.points[event.target.dataset?.at];
  tip.hidden = !point;
  if (!point) return;
  tip.replaceChildren(element("b", { text: labelOf(point) }), element("div", { text: point.key }), element("div", { text: plural(point.files, "file") }));
  tip.style.left = `${Math.min(event.pageX + 14, scrollX + root.clientWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${event.pageY + 14}px`;
}

function makeMap() {
  find("map").addEventListener("pointermove", hover);
  find("map").addEventListener("pointerleave", () => { find("tip").hidden = true; });
  find("map").addEventListener("click", (event) => { const point = data.map.points[event.target.dataset?.at]; if (point) choose(point); });
  find("map").addEventListener("keydown", walk);
  new ResizeObserver(() => { if (find("map").clientWidth !== drawnAt) drawers.map(); }).observe(find("map"));
  find("map-search").addEventListener("input", (event) => change({ "map.q": event.target.value }, "map"));
  new Table("groups", [
    { label: "Group", value: (row) => row.name, cell: (row) => button(row.name, () => change({ group: group() === String(row.at) ? "" : String(row.at) }, "map", "groups"), { class: "link", "aria-pressed": group() === String(row.at) }) },
    { label: "Show", value: (row) => row.show ?? "several" }, whole("Sequences and files", "count"),
  ], { rows: () => data.map.groups.map((row, at) => ({ ...row, at })), noun: "group" });
}
