// Puts the page together, and keeps it at what its address says.

const SECTIONS = [["attention", "Needs attention"], ["trend", "Trend"], ["shots", "Shots and versions"], ["coverage", "Frames"], ["cost", "Cost"], ["delivery", "Delivery"], ["alike", "Made alike"]];
const LISTS = {
  problems: "problem", versions: "version", strips: "sequence", costs: "shot", savings: "idea to save", judged: "show", compression: "row", renderers: "renderer", rules: "rule",
  mended: "mended problem", map: "point",
};
const CUT_WORDS = { versions: "in the grid of shots", strips: "in the list of frames", costs: "in the table of cost", savings: "in the table of savings", judged: "in the table of delivery", compression: "in the table of compression", map: "on the map", mended: "in the table of what is mended" };
const system = matchMedia("(prefers-color-scheme: dark)");

drawers.sections = () => {
  find("sections").replaceChildren(...SECTIONS.map(([at, text]) => link(text, { at }, stateOf("at") === at ? { "aria-current": "true" } : {})));
};

drawers.shows = () => {
  const shows = data.shows.map((row) => row.show);
  const options = [["", "all shows"], ...shows.map((show) => [show, show])].map(([value, text]) => element("option", { value, text }));
  find("show").replaceChildren(...options);
  find("show").value = stateOf("show");
};

drawers.theme = () => {
  root.dataset.theme = stateOf("theme") || (system.matches ? "dark" : "light");
  find("theme").textContent = root.dataset.theme === "dark" ? "Light" : "Dark";
};

const placeAtStart = () => data.place[0].toUpperCase() + data.place.slice(1);

drawers.place = () => {
  find("place").textContent = `${placeAtStart()}, ${moment(data.generated)} UTC${root.dataset.refresh > 0 ? ", live" : ""}`;
};

drawers.cut = () => {
  const cut = Object.entries(data.omitted).map(([list, left]) => `${plural(left, LISTS[list] ?? "row")} more ${left === 1 ? "is" : "are"} not listed ${CUT_WORDS[list] ?? ""}. What needs attention comes first.`);
  const most = `Of the answer to one question at most ${count(data.most_rows)} rows are taken.`;
  const all = cut.length ? cut : ["Nothing is cut: every row that the questions gave is here."];
  find("cut").replaceChildren(...[...all, most, "It knows what was inspected and stored, and nothing of files that never arrived."].map((text) => element("li", { text })));
};

function arrive() {
  drawAll();
  const at = find(stateOf("at"));
  if (at) at.scrollIntoView();
}

// The page of a server: new data in the place of the old, where somebody is and looks stays.
async function refresh() {
  try {
    const answer = await fetch("data.json");
    if (!answer.ok) throw new Error(await answer.text());
    data = await answer.json();
    chosen = null;
    drawAll();
  } catch (error) {
    find("place").textContent = `${placeAtStart()}, ${moment(data.generated)} UTC; no newer data: ${error.message}`;
  }
}

makeProblems();
makeMended();
makeStrips();
makeCosts();
makeDelivery();
makeMap();
system.addEventListener("change", drawers.theme);
find("theme").addEventListener("click", () => change({ theme: root.dataset.theme === "dark" ? "light" : "dark" }, "theme"));
find("show").addEventListener("change", (event) => change({ show: event.target.value }));
addEventListener("hashchange", arrive);
// A link to where the page is already: the address does not change, and whoever scrolled away wants to go there all the same.
addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#']")?.getAttribute("href") === location.hash) arrive();
});
arrive();
if (root.dataset.refresh > 0) setInterval(refresh, 1000 * root.dataset.refresh);
root.dataset.ready = "yes";
