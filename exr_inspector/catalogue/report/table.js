// A table that sorts, filters and exports what it shows; at a narrow window each row is a card.
// A column: label, value(row) for sorting, filtering and CSV, and if it looks otherwise: cell(row), kind(row) or kind.

const narrow = matchMedia("(max-width: 760px)");
const rowsAtFirst = () => (narrow.matches ? 12 : 40);
const textOf = (value) => (value === null || value === undefined ? "" : String(value));
// Spreadsheets take a cell that begins so for a formula, and run it.
const guard = (text) => (/^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text);
const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function csvOf(columns, rows) {
  const line = (values) => values.map((value) => quote(guard(textOf(value)))).join(",");
  return [line(columns.map((column) => column.label)), ...rows.map((row) => line(columns.map((column) => column.value(row))))].join("\r\n") + "\r\n";
}

function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function compare(one, other) {
  if (one === null || one === undefined || one === "") return other === null || other === undefined || other === "" ? 0 : 1;
  if (other === null || other === undefined || other === "") return -1;
  return typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
}

// options: rows() gives the rows, csv the columns of the export, group(row) a heading, below(row) what stands under a row,
// noun what a row is, filters more controls.
class Table {
  constructor(id, columns, options) {
    this.id = id;
    this.columns = columns;
    this.options = { noun: "row", ...options };
    this.all = false;
    this.build();
    drawers[id] = () => this.draw();
  }

  build() {
    this.search = element("input", { type: "search", placeholder: "any word", "aria-label": `Filter ${this.id}` });
    this.search.addEventListener("input", () => change({ [`${this.id}.q`]: this.search.value }, this.id));
    this.counter = element("span", { class: "count", role: "status" });
    const csv = button("CSV", () => this.export(), { title: "Save these rows as CSV" });
    this.head = element("thead");
    this.body = element("tbody");
    this.foot = element("p", { class: "more" });
    this.tools = element("div", { class: "tools" }, element("label", {}, "Filter ", this.search), ...(this.options.filters ?? []), csv, this.counter);
    this.table = element("table", {}, this.head, this.body);
    find(this.id).replaceChildren(this.tools, this.table, this.foot);
  }

  get sort() {
    const text = stateOf(`${this.id}.sort`);
    if (!text) return null;
    const at = this.columns.findIndex((column) => column.label === text.replace(/^-/, ""));
    return at < 0 ? null : { column: this.columns[at], sign: text.startsWith("-") ? -1 : 1 };
  }

  matching() {
    const words = stateOf(`${this.id}.q`).toLowerCase().split(/\s+/).filter(Boolean);
    const columns = this.options.csv ?? this.columns;
    const rows = this.options.rows().filter((row) => {
      if (words.length === 0) return true;
      const text = columns.map((column) => textOf(column.value(row))).join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const sort = this.sort;
    return sort ? rows.toSorted((a, b) => sort.sign * compare(sort.column.value(a), sort.column.value(b))) : rows;
  }

  export() {
    save(`${this.id}.csv`, csvOf(this.options.csv ?? this.columns, this.matching()));
  }

  draw() {
    const rows = this.matching();
    const whole = this.options.rows().length;
    if (document.activeElement !== this.search) this.search.value = stateOf(`${this.id}.q`);
    this.counter.textContent = rows.length === whole ? plural(whole, this.options.noun) : `${count(rows.length)} of ${plural(whole, this.options.noun)}`;
    this.tools.hidden = this.head.hidden = whole === 0;
    this.table.className = this.options.group && !this.sort ? "grouped" : "";
    this.drawHead();
    const shown = this.all ? rows : rows.slice(0, rowsAtFirst());
    this.body.replaceChildren(...this.lines(shown));
    if (rows.length === 0) this.body.append(this.across(whole ? "Nothing matches." : this.options.nothing ?? "Nothing here."));
    this.foot.replaceChildren();
    if (rows.length > rowsAtFirst()) this.foot.append(button(this.all ? "Show fewer" : `Show all ${count(rows.length)}`, () => { this.all = !this.all; this.draw(); }));
  }

  drawHead() {
    const sort = this.sort;
    const cells = this.columns.map((column) => {
      const cell = element("th", { scope: "col", class: column.head ?? (typeof column.kind === "string" ? column.kind : undefined) });
      if (!column.label) return cell;
      const down = sort?.column === column && sort.sign === 1;
      const next = sort?.column === column && sort.sign === -1 ? "" : (down ? "-" : "") + column.label;
      cell.append(button(column.label, () => change({ [`${this.id}.sort`]: next }, this.id)));
      if (sort?.column === column) cell.setAttribute("aria-sort", down ? "ascending" : "descending");
      return cell;
    });
    this.head.replaceChildren(element("tr", {}, ...cells));
  }

  lines(rows) {
    const lines = [];
    let group = null;
    rows.forEach((row) => {
      const heading = this.sort || !this.options.group ? null : this.options.group(row);
      if (heading && heading.key !== group) {
        group = heading.key;
        lines.push(element("tr", { class: "group" }, element("th", { colspan: this.columns.length, scope: "colgroup" }, ...heading.content)));
      }
      lines.push(this.line(row));
    });
    return lines;
  }

  line(row) {
    return element("tr", {}, ...this.columns.map((column) => {
      const kind = typeof column.kind === "function" ? column.kind(row) : column.kind;
      const content = column.cell ? column.cell(row) : textOf(column.value(row));
      return element("td", { class: kind, "data-label": column.label }, ...(Array.isArray(content) ? content : [content]));
    }));
  }

  across(text) {
    return element("tr", {}, element("td", { colspan: this.columns.length, class: "soft", text }));
  }
}

const plain = (label, key) => ({ label, value: (row) => row[key] });
const whole = (label, key, kind) => ({ label, head: "number", kind: kind ?? "number", value: (row) => row[key], cell: (row) => count(row[key]) });
const measure = (label, key, format) => ({ label, kind: "number", value: (row) => row[key], cell: (row) => format(row[key]) });
