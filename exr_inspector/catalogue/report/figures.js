// Cost and delivery.

function share(part, whole) {
  const bar = element("i", { class: "share" });
  bar.style.width = `${Math.max(1, (70 * part) / (whole || 1))}px`;
  return bar;
}

drawers.cost = () => {
  const costs = ofShow(data.costs, "show_name");
  const superseded = costs.reduce((sum, row) => sum + row.superseded_bytes, 0);
  const overwritten = costs.reduce((sum, row) => sum + (row.overwritten_hours ?? 0), 0);
  const total = costs.reduce((sum, row) => sum + row.total_bytes, 0);
  find("cost-lead").textContent = `${bytes(total)} in ${plural(costs.length, "shot")}, of which ${bytes(superseded)} belong to versions that have a later one. ${overwritten ? `${hours(overwritten)} of rendering were overwritten.` : ""}`;
  const days = ofShow(data.days, "show_name");
  find("days").replaceChildren(...columnChart(perDay(days, (row) => row.day, (row) => row.render_hours ?? 0), "Hours of rendering, by the day the files were written", (value) => hours(value), undefined, ONE_DAY));
  find("sizes").replaceChildren(...columnChart(sizeRows(), "Files by size", (value) => plural(value, "file")));
};

function sizeRows() {
  const steps = new Map(data.sizes.map((row) => [row.step, row.files]));
  const known = [...steps.keys()];
  if (known.length === 0) return [];
  const first = Math.min(...known);
  return Array.from({ length: Math.max(...known) - first + 1 }, (_, at) => ({ label: `${bytes(2 ** ((first + at) / 2))} and more`, value: steps.get(first + at) ?? 0 }));
}

function makeCosts() {
  const most = () => Math.max(...data.costs.map((row) => row.render_hours ?? 0));
  new Table("costs", [
    plain("Show", "show_name"), plain("Sequence", "sequence_name"), plain("Shot", "shot_name"), whole("Files", "file_count"), measure("Size", "total_bytes", bytes),
    measure("Superseded", "superseded_bytes", bytes), { ...measure("Rendering", "render_hours", hours), cell: (row) => [share(row.render_hours ?? 0, most()), hours(row.render_hours)] },
    measure("A frame", "seconds_a_frame", seconds), measure("Longest", "worst_seconds", seconds), { label: "", value: (row) => row.worst_path ?? "", cell: (row) => (row.worst_path ? copyButton(row.worst_path, "longest") : ""), kind: "copies" },
  ], { rows: () => ofShow(data.costs, "show_name"), noun: "shot", nothing: "No files of a shot." });
  new Table("savings", [
    plain("Show", "show_name"), plain("Sequence", "sequence_name"), plain("Shot", "shot_name"), plain("Idea", "idea"), whole("Files", "file_count"),
    measure("Stored", "stored_bytes", bytes), measure("Could save", "saved_bytes", bytes), { label: "Share", kind: "number", value: (row) => row.saved_bytes / row.stored_bytes, cell: (row) => percent(row.saved_bytes, row.stored_bytes) },
  ], { rows: () => ofShow(data.savings, "show_name"), noun: "idea", nothing: "Nothing to save by compression, half floats or overscan." });
  new Table("renderers", [
    plain("Renderer", "software"), whole("Files", "files"), measure("Rendering", "hours", hours), measure("10 % below", "low", seconds), measure("Median", "middle", seconds),
    measure("90 % below", "high", seconds), measure("Peak memory", "memory", (value) => (value === null ? "" : bytes(value * 1048576))),
  ], { rows: () => data.renderers, noun: "renderer" });
  new Table("compression", [
    plain("Show", "show"), plain("Compression", "compression"), whole("Files", "files"), measure("Stored", "stored", bytes),
    measure("Uncompressed", "logical", (value) => (value ? bytes(value) : "")), { label: "Ratio", kind: "number", value: (row) => (row.logical ? row.logical / row.stored : null), cell: (row) => (row.logical ? (row.logical / row.stored).toFixed(2) : "") },
  ], { rows: () => ofShow(data.compression), noun: "row" });
}

// ---- Delivery: what was judged, and what was not.

const PARTS = [["bad", "failed"], ["warned", "warned"], ["passed", "passed"], ["unjudged", "not judged"]];

function splitBar(row) {
  const sizes = { bad: row.failed, warned: row.warned, passed: row.judged - row.failed - row.warned, unjudged: row.files - row.judged };
  const bars = PARTS.filter(([kind]) => sizes[kind] > 0).map(([kind, words]) => {
    const bar = element("i", { class: kind === "bad" ? "missing" : kind, title: `${count(sizes[kind])} ${words}` });
    bar.style.flex = `${sizes[kind]} 1 0`;
    return bar;
  });
  return element("div", { class: "split", role: "img", "aria-label": PARTS.map(([kind, words]) => `${count(sizes[kind])} ${words}`).join(", ") }, ...bars);
}

drawers.delivery = () => {
  const rows = ofShow(data.judged);
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  const [files, judged, failed] = [sum("files"), sum("judged"), sum("failed")];
  const verdict = judged ? ` ${count(failed)} of the judged failed.` : " Whether anything would fail delivery is not known.";
  find("delivery-lead").textContent = `Judged ${count(judged)} of ${plural(files, "file")}; ${count(files - judged)} not judged.${verdict}`;
  const how = [element("p", { text: "Judge what is stored, and store what is found; headers are read again:" }), commandLine("exr-inspector backfill --from-catalog --policy default")];
  const legend = element("ul", { class: "legend" }, ...PARTS.map(([kind, text]) => element("li", {}, element("i", { class: kind === "bad" ? "missing" : kind }), text)));
  find("how").replaceChildren(legend, ...(judged < files ? how : []), element("p", {}, failed ? link("What failed, and what to do about it", { at: "attention", kind: "delivery,cryptomatte" }) : ""));
};

function makeDelivery() {
  const failed = (row) => (row.failed ? "number bad" : "number");
  const warned = (row) => (row.warned ? "number warn" : "number");
  new Table("judged", [
    plain("Show", "show"), { label: "Share", value: (row) => row.judged / row.files, cell: splitBar }, whole("Files", "files"), whole("Judged", "judged"),
    { label: "Not judged", kind: "number", value: (row) => row.files - row.judged, cell: (row) => count(row.files - row.judged) }, whole("Failed", "failed", failed), whole("Warned", "warned", warned),
  ], { rows: () => ofShow(data.judged), noun: "show" });
  new Table("rules", [plain("Policy", "policy"), plain("Rule", "rule"), whole("Judged", "judged"), whole("Failed", "failed", failed), whole("Warned", "warned", warned)],
    { rows: () => data.rules, noun: "rule", nothing: "No policy was applied: nothing was judged." });
}
