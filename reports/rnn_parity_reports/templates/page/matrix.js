// The table of cases and backends: built once, then filtered, ordered and walked through.

const VERDICTS = ["fail", "error", "inconclusive", "consistent", "pass", "gap", "absent"];
const FIRST_ROWS = 400; // more only when asked for, so that a large report opens at once

class Matrix {
  constructor(report) {
    this.report = report;
    this.limit = FIRST_ROWS;
    this.rows = report.cases.map((name, index) => ({ name, index, results: new Map() }));
    for (const result of report.results) this.rows[result.case].results.set(result.backend, result);
    for (const row of this.rows) row.words = this.searched(row);
    this.bar();
    this.show();
    byId("matrix").addEventListener("keydown", (event) => this.walk(event));
  }

  searched(row) {
    const words = [row.name];
    for (const result of row.results.values()) words.push(this.report.backends[result.backend], result.detail, ...(result.explanations ?? []));
    return words.join("\n").toLowerCase();
  }

  bar() {
    const count = (verdict) => this.report.results.filter((r) => r.verdict === verdict).length;
    const chip = (value, label) => el("label", { class: "chip" }, el("input", { type: "checkbox", value, checked: true }), label);
    for (const verdict of VERDICTS)
      if (count(verdict)) byId("verdicts").append(chip(verdict, `${verdict === "consistent" ? "consistent (estimate)" : verdict} ${count(verdict)}`));
    this.report.backends.forEach((name, index) => byId("columns").append(chip(index, clean(name))));
    const again = () => { this.limit = FIRST_ROWS; this.show(); };
    byId("search").addEventListener("input", again);
    byId("order").addEventListener("change", again);
    byId("verdicts").addEventListener("change", again);
    byId("columns").addEventListener("change", again);
  }

  chosen(id) {
    return [...byId(id).querySelectorAll("input:checked")].map((input) => input.value);
  }

  found() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(this.chosen("verdicts"));
    this.shownBackends = this.chosen("columns").map(Number);
    const kept = (row) => words.every((word) => row.words.includes(word))
      && this.shownBackends.some((b) => verdicts.has(row.results.get(b)?.verdict));
    const rows = this.rows.filter(kept);
    if (byId("order").value === "worst") rows.sort((a, b) => this.weight(b) - this.weight(a) || a.index - b.index);
    return rows;
  }

  weight(row) {
    const of = (result) => result === undefined ? -1
      : result.verdict === "fail" ? 1e300 : result.verdict === "error" ? 1e299 : result.verdict === "inconclusive" ? 1e298 : result.number ?? -1;
    return Math.max(...this.shownBackends.map((b) => of(row.results.get(b))));
  }

  show() {
    this.order = this.found();
    const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "case"),
      ...this.shownBackends.map((b) => el("th", { scope: "col" }, clean(this.report.backends[b])))));
    const body = el("tbody");
    for (const row of this.order.slice(0, this.limit)) body.append(this.row(row));
    const left = this.order.length - this.limit;
    if (left > 0) body.append(this.rest(left));
    const table = byId("matrix");
    table.replaceChildren(table.caption, head, body);
    table.querySelector("tbody a.cell")?.setAttribute("tabindex", "0");
    byId("shown").textContent = `${this.order.length} of ${this.rows.length} cases`;
  }

  rest(left) {
    const all = () => {
      const at = this.limit;
      this.limit = Infinity;
      this.show();
      byId("matrix").rows[at + 1]?.querySelector("a")?.focus();
    };
    return el("tr", { class: "rest" }, el("td", { colspan: this.shownBackends.length + 1 },
      el("button", { type: "button", id: "all", onclick: all }, `Show ${left} more cases`)));
  }

  row(row) {
    const cells = this.shownBackends.map((b) => el("td", {}, row.results.has(b) ? this.cell(row, b) : null));
    const name = el("a", { href: link(row.name), tabindex: "-1" }, clean(row.name));
    return el("tr", {}, el("th", { scope: "row" }, name), ...cells);
  }

  cell(row, backend) {
    const result = row.results.get(backend);
    const name = this.report.backends[backend];
    return el("a", {
      class: `cell ${result.verdict}`, tabindex: "-1", href: link(row.name, name),
      style: shade(result),
      "aria-label": clean(`${result.word}${result.number === null ? "" : `, ${short(result.number)} of what may be`}: ${name}, ${row.name}`),
    }, said(result));
  }

  // Arrow keys move from cell to cell: one stop for Tab, however large the table.
  walk(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const td = event.target.closest("td, th");
    if (!step || !td || event.ctrlKey || event.metaKey || event.altKey) return;
    let [row, column] = [td.parentElement.rowIndex, td.cellIndex];
    let next;
    do {
      [row, column] = [row + step[0], column + step[1]];
      next = byId("matrix").rows[row]?.cells[column];
    } while (next && !next.querySelector("a, button"));
    if (!next) return;
    event.preventDefault();
    event.target.setAttribute("tabindex", "-1");
    const target = next.querySelector("a, button");
    target.setAttribute("tabindex", "0");
    target.focus();
  }

  beside(name, step) {
    const at = this.order.findIndex((row) => row.name === name);
    return at < 0 ? undefined : this.order[at + step]?.name;
  }
}
