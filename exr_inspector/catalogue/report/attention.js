// The figures at the top, what needs attention, and what is new or mended.

const kindOf = (name) => data.kinds.find((kind) => kind.name === name) ?? { name, label: name, gravity: 0 };
const dot = (gravity) => element("i", { class: `dot g${gravity}`, title: data.gravities[gravity] });

function figure(text, label, href, kind, more) {
  return element("li", { class: kind }, element("a", { href }, element("b", { text }), element("span", { text: label }), more ? element("small", { text: more }) : null));
}

const earlier = (key) => {
  const before = data.previous?.totals[key];
  const step = before === undefined ? 0 : data.totals[key] - before;
  return step ? `${step > 0 ? "+" : "−"}${count(Math.abs(step))} since the earlier page` : undefined;
};

// What is wrong, in three columns: a kind, how often, and of how many frames; each leads to its rows.
function gravityPanel(words, gravity) {
  const kinds = data.kinds.filter((kind) => kind.gravity === gravity && data.counts[kind.name]);
  const names = kinds.map((kind) => kind.name).join(",");
  const total = kinds.reduce((sum, kind) => sum + data.counts[kind.name].problems, 0);
  const lines = kinds.map((kind) => {
    const { problems, frames } = data.counts[kind.name];
    const more = frames > problems ? plural(frames, "frame") : "";
    return element("li", {}, link(kind.label, rowsOf(kind.name)), element("span", { class: "soft short", text: more }), element("b", { text: count(problems) }));
  });
  const head = total ? link(plural(total, "problem"), rowsOf(names)) : "no problems";
  return element("section", { class: `g${gravity}`, "aria-label": words }, element("h2", {}, dot(gravity), `${words[0].toUpperCase()}${words.slice(1)}: `, head), element("ul", {}, ...lines));
}

const rowsOf = (kind) => ({ at: "attention", kind, state: "", "problems.q": "", "problems.sort": "" });

drawers.figures = () => {
  const { totals } = data;
  const judged = totals.judged ? `${count(totals.judged)} judged, ${count(totals.files - totals.judged)} not judged` : "nothing was judged yet";
  find("figures").replaceChildren(
    figure(count(totals.files), totals.files === 1 ? "file" : "files", changed({ at: "shots" }), "", earlier("files")),
    figure(count(totals.shots), totals.shots === 1 ? "shot" : "shots", changed({ at: "shots" }), "", `in ${plural(totals.shows, "show")}`),
    figure(count(totals.sequences), totals.sequences === 1 ? "sequence of frames" : "sequences of frames", changed({ at: "coverage" })),
    figure(bytes(totals.bytes), "stored", changed({ at: "cost" })),
    figure(hours(totals.hours ?? 0), "of rendering", changed({ at: "cost" }), "", "as the headers say"),
    figure(totals.judged ? count(totals.failed) : "not judged", totals.judged ? "failed delivery" : "for delivery", changed({ at: "delivery" }), totals.failed ? "g0" : "", judged),
  );
  find("gravities").replaceChildren(...data.gravities.map(gravityPanel));
};

// ---- The list.

const kindsWanted = () => stateOf("kind").split(",").filter(Boolean);

function chosenProblems() {
  const kinds = kindsWanted();
  const state = stateOf("state");
  return ofShow(data.problems).filter((row) => (kinds.length === 0 || kinds.includes(row.kind)) && (!state || row.state === state));
}

function whereCell(row) {
  const place = [row.show, row.sequence, row.shot].filter((name) => name && name !== NO_SHOW).join(" / ") || "no show";
  const name = [row.layer, row.version].filter(Boolean).join(" ");
  const strip = data.strips.some((one) => one.sequence_key === row.key);
  const below = name ? element("span", {}, strip ? link(name, { at: "coverage", "strips.q": row.key, faults: "" }, { title: "Show its frames" }) : name) : null;
  return [element("b", { text: place }), below];
}

function framesCell(row) {
  if (row.frames.length === 0) return row.count ? plural(row.count, row.key === row.path ? "file" : "frame") : "all";
  const spanned = row.frames.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const more = row.count < spanned ? `${row.count} of them` : row.count > 1 ? plural(row.count, "frame") : null;
  return [ranges(row.frames), more ? element("div", { class: "soft", text: more }) : null].filter(Boolean);
}

const whatCell = (row) => element("span", { class: "short" }, dot(kindOf(row.kind).gravity), kindOf(row.kind).label);
const sinceCell = (row) => [moment(row.since), row.state === "new" ? element("div", {}, element("span", { class: "tag new", text: "new" })) : null].filter(Boolean);
const copiesCell = (row) => [row.path ? copyButton(row.path, "path") : null, copyButton(row.command, "command")].filter(Boolean);

const CSV_PROBLEMS = [
  { label: "kind", value: (row) => kindOf(row.kind).label }, { label: "gravity", value: (row) => data.gravities[kindOf(row.kind).gravity] },
  plain("show", "show"), plain("sequence", "sequence"), plain("shot", "shot"), plain("layer", "layer"), plain("version", "version"),
  { label: "frames", value: (row) => row.frames.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(",") },
  plain("count", "count"), plain("since", "since"), plain("state", "state"), plain("why", "why"), plain("what to do", "todo"),
  plain("path", "path"), plain("command", "command"),
];

function problemGroup(row) {
  const kind = kindOf(row.kind);
  const { problems } = data.counts[row.kind];
  return { key: row.kind, content: [dot(kind.gravity), `${kind.label} `, element("span", { class: "soft", text: `${count(problems)}, ${data.gravities[kind.gravity]}` })] };
}

function makeProblems() {
  const column = (label, value, cell, kind) => ({ label, value, cell, kind });
  const stateFilter = element("select", { "aria-label": "New or still there" }, ...[["", "new and still there"], ["new", "new"], ["still", "still there"]].map(option));
  const kindFilter = element("select", { "aria-label": "Kind of problem" });
  stateFilter.addEventListener("change", () => change({ state: stateFilter.value }, "problems"));
  kindFilter.addEventListener("change", () => change({ kind: kindFilter.value }, "problems"));
  const table = new Table("problems", [
    column("What", (row) => kindOf(row.kind).label, whatCell, "what"), column("Where", (row) => `${placeOf(row)} ${row.layer ?? ""}`, whereCell, "where"),
    column("Frames", (row) => row.frames[0]?.[0] ?? null, framesCell, "frames"), column("Since", (row) => row.since, sinceCell, "soft short"),
    column("Why", (row) => row.why, undefined, "why"), column("What to do", (row) => row.todo, undefined, "todo"),
    column("", () => "", copiesCell, "copies"),
  ], { rows: chosenProblems, csv: CSV_PROBLEMS, group: problemGroup, noun: "problem", nothing: "Nothing needs attention.", filters: [kindFilter, stateFilter] });
  const draw = drawers.problems;
  drawers.problems = () => {
    stateFilter.value = stateOf("state");
    kindFilter.replaceChildren(...kindOptions().map(option));
    kindFilter.value = stateOf("kind");
    draw();
  };
  return table;
}

const option = ([value, text]) => element("option", { value, text });

// Every kind that is there; and several, where the address names several.
function kindOptions() {
  const kinds = data.kinds.filter((kind) => data.counts[kind.name]);
  const several = kindsWanted().length > 1 ? [[stateOf("kind"), kindsWanted().map((name) => kindOf(name).label).join(", ")]] : [];
  return [["", "all kinds"], ...several, ...kinds.map((kind) => [kind.name, `${kind.label} (${count(data.counts[kind.name].problems)})`])];
}

// A label within a sentence; "NaN" stays as it is.
const inSentence = (label) => label.replace(/^[A-Z][a-z]*(?= |$)/, (word) => word.toLowerCase());

// "None" has to say of how many files it is known.
drawers.lead = () => {
  const absent = data.kinds.filter((kind) => !data.counts[kind.name]).map((kind) => inSentence(kind.label));
  const measured = data.measured.reduce((sum, row) => sum + row.measured_count, 0);
  const nothing = absent.length ? ` No problems of these kinds: ${absent.join(", ")}.` : "";
  const pixels = measured === data.totals.files ? "" : ` NaN, black frames, jumps of brightness and repeated pictures are known of ${count(measured)} of ${plural(data.totals.files, "file")}, whose pixels were measured.`;
  find("attention-lead").textContent = `${plural(Object.values(data.counts).reduce((sum, one) => sum + one.problems, 0), "problem")}, the gravest first.${nothing}${pixels}`;
};

// ---- The trend.

function trendFigures() {
  const states = Object.groupBy(data.problems, (row) => row.state);
  return [
    figure(count(states.new?.length), "new", changed({ at: "attention", state: "new", kind: "" }), states.new?.length ? "g0" : ""),
    figure(count(data.mended.length), "mended", changed({ at: "mended" }), data.mended.length ? "good" : ""),
    figure(count(states.still?.length), "still there", changed({ at: "attention", state: "still", kind: "" }), states.still?.length ? "g1" : ""),
  ];
}

const ONE_DAY = "one day so far";

// Days side by side; the height is the value's share of the largest. What is said of a single one is `ofOne`.
function columnChart(rows, caption, text, kind, ofOne = "") {
  const most = Math.max(...rows.map((row) => row.value), 1e-9);
  const columns = rows.map((row) => {
    const column = element("i", { title: `${row.label}: ${text(row.value)}`, class: kind });
    column.style.height = `${row.value ? Math.max(2, (100 * row.value) / most) : 0}%`;
    return column;
  });
  const ends = rows.length ? [rows[0].label, rows.length > 1 ? rows[rows.length - 1].label : ofOne] : [];
  return [
    element("figcaption", {}, caption, rows.length ? `; ${rows.length > 1 ? "at most " : ""}${text(most)}` : ""),
    element("div", { class: rows.length > 1 ? "columns" : "columns single", role: "img", "aria-label": `${caption}: ${rows.map((row) => `${row.label} ${text(row.value)}`).join(", ")}` }, ...columns),
    element("div", { class: "ticks" }, ...ends.map((label) => element("span", { text: label }))),
  ];
}

function daysBetween(first, last) {
  const days = [];
  for (let day = new Date(`${first}T00:00:00Z`); day <= new Date(`${last}T00:00:00Z`) && days.length < 400; day = new Date(day.getTime() + 86400000)) days.push(day.toISOString().slice(0, 10));
  return days;
}

function perDay(rows, dayOf, valueOf) {
  const sums = new Map();
  rows.forEach((row) => sums.set(dayOf(row), (sums.get(dayOf(row)) ?? 0) + valueOf(row)));
  const known = [...sums.keys()].filter(Boolean).sort();
  return known.length ? daysBetween(known[0], known[known.length - 1]).map((label) => ({ label, value: sums.get(label) ?? 0 })) : [];
}

drawers.trend = () => {
  find("trend-lead").textContent = data.previous
    ? `Compared with the page of ${moment(data.previous.generated)} UTC about ${data.previous.place}.`
    : "Without an earlier page (--since-report FILE), new is what was written within a day before this page, and mended are broken files that were written again.";
  find("trend-figures").replaceChildren(...trendFigures());
  const dated = ofShow(data.problems).filter((row) => row.since);
  find("began").replaceChildren(element("figure", {}, ...columnChart(perDay(dated, (row) => row.since.slice(0, 10), () => 1), "Problems that are there, by the day their files were written", (value) => count(value), "g0", ONE_DAY)));
};

function makeMended() {
  return new Table("mended", [
    { label: "What", value: (row) => kindOf(row.kind).label }, { label: "Where", value: (row) => [placeOf(row), row.layer, row.version].filter(Boolean).join(" ") },
    { label: "Frames", value: (row) => row.frames.map(range).join(", "), kind: "frames" }, plain("Why", "why"),
  ], { rows: () => ofShow(data.mended), noun: "mended problem", nothing: "Nothing was mended since then." });
}
