// One case: what each backend did, the network, every step, every pair, how to run it again.

class CaseView {
  constructor(report, matrix) {
    Object.assign(this, { report, matrix });
    this.pairs = new Map();
    for (const pair of report.pairs) {
      if (!this.pairs.has(pair[0])) this.pairs.set(pair[0], []);
      this.pairs.get(pair[0]).push(pair);
    }
  }

  // Result → the errors of its steps; unpacked with the first case that is looked at.
  async points(result) {
    this.series ??= new Map(JSON.parse(await unpacked("steps")).map(([index, ...lists]) => [index, lists]));
    const [step, error, bound] = this.series.get(result.index) ?? [];
    return step?.map((t, i) => ({ step: t, error: error[i], bound: bound[i] }));
  }

  async open(name, backendName) {
    const row = this.matrix.rows.find((candidate) => candidate.name === name);
    if (!row) return false;
    const results = [...row.results.values()];
    const wanted = this.report.backends.indexOf(backendName);
    const chosen = row.results.get(wanted) ?? results.find((r) => r.verdict === "fail") ?? results.find((r) => r.verdict === "error") ?? results.find((r) => r.verdict === "inconclusive") ?? results[0];
    const points = await this.points(chosen);
    byId("case").replaceChildren(
      this.navigation(name),
      el("h2", { id: "case-title", tabindex: "-1" }, clean(name)),
      el("p", { class: "soft" }, this.words(row.index)),
      el("div", { class: "tabs", role: "group", "aria-label": "Backends" }, ...results.map((r) => this.tab(name, r, r === chosen))),
      this.verdict(row, chosen),
      ...this.drawings(row, chosen, points),
    );
    return true;
  }

  navigation(name) {
    const go = (step, words) => {
      const other = this.matrix.beside(name, step);
      return other === undefined ? null : el("a", { href: link(other), rel: step > 0 ? "next" : "prev" }, words);
    };
    return el("nav", { "aria-label": "Cases" }, el("a", { href: "#" }, "All cases"), go(-1, "← previous"), go(1, "next →"));
  }

  words(index) {
    const it = this.report.described[index];
    if (!it) return "";
    const options = [it.direction, it.bias === false ? "no biases" : null, it.time_major ? "time-major" : null, it.zero_length ? "with a row of length 0" : null, it.probe ? "a probe, which shows every weight" : null, it.gain && it.gain !== 1 ? `recurrent gain ${it.gain}` : null, it.task && it.task !== "forward" ? `task ${it.task}` : null];
    const many = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
    const sizes = [many(it.batch, "row"), many(it.steps, "step"), many(it.features, "feature"), many(it.units, "unit")].join(", ") + (it.projection ? `, projected to ${it.projection}` : "") + (it.vocabulary ? `, ${it.vocabulary} tokens` : "") + (it.layers ? `, ${it.layers} layers` : "");
    return [`${it.cell}, ${it.variant}, ${it.dtype}`, sizes, ...options].filter(Boolean).join("; ");
  }

  tab(name, result, pressed) {
    const backend = this.report.backends[result.backend];
    const go = () => { location.hash = link(name, backend); };
    return el("button", { type: "button", class: `cell ${result.verdict}`, style: shade(result), "aria-pressed": String(pressed), onclick: go }, `${clean(backend)} ${said(result)}`);
  }

  verdict(row, result) {
    const backend = clean(this.report.backends[result.backend]);
    const headline = {
      pass: result.bound_ratio === null ? `${backend} passes` : `${backend} passes: its worst step takes ${short(result.bound_ratio)} of its bound`,
      consistent: `${backend} is consistent (estimate): no bound shows that it is right`,
      inconclusive: `${backend}: inconclusive, neither right nor wrong`,
      fail: `${backend} differs${result.word === "fail" ? "" : " (estimate)"}`, error: `${backend} crashed, hung or raised`, gap: `${backend} declares that it does not do this`, absent: `${backend} is not installed here`,
    }[result.verdict];
    const lines = [el("p", { class: "big" }, headline)];
    const bad = result.first_bad;
    if (bad) lines.push(el("p", { id: "first-bad" }, `The first bad step is ${bad.step}: row ${bad.row}, unit ${bad.unit}, layer ${bad.layer}` + (bad.direction ? `, ${bad.direction}` : "") + (bad.gate ? `, gate ${bad.gate}` : "") + (bad.times_bound ? `; ${short(bad.times_bound)} times its bound` : "")));
    if (result.explanations?.length) lines.push(el("p", { id: "explanation" }, el("b", {}, "Matches if: "), clean(result.explanations.join(" or: "))));
    const rest = this.rest(result);
    if (rest) lines.push(el("p", {}, clean(rest)));
    if (result.verdict === "consistent") lines.push(el("p", { id: "estimate" }, clean(`${result.estimate?.where ?? ""}: ${result.estimated}`)));
    if (result.next_steps?.length) lines.push(el("p", {}, "What would show more, any of:"), el("ul", { id: "next-steps" }, ...result.next_steps.map((step) => el("li", {}, clean(step)))));
    const odd = this.report.outliers[row.name];
    if (odd !== undefined) lines.push(el("p", {}, clean(`${odd} is an outlier: it differs from all others, which agree`)));
    for (const note of result.not_shown ?? []) lines.push(el("p", { class: "soft" }, clean(`Not shown: ${note}`)));
    const broken = Object.entries(result.fixed_tolerances ?? {}).filter(([, passes]) => !passes).map(([name]) => name);
    if (result.fixed_tolerances && Object.keys(result.fixed_tolerances).length) lines.push(el("p", { class: "soft" }, clean(broken.length ? `Fixed tolerances that would fail this: ${broken.join(", ")}` : `All fixed tolerances would pass this: ${Object.keys(result.fixed_tolerances).join(", ")}`)));
    return el("div", { class: `said ${result.verdict}` }, ...lines);
  }

  // The detail without what stands above it in words of its own.
  rest(result) {
    const parts = (result.detail ?? "").replace(/ \[[^\]]*\]$/, "").split("; ");
    const above = (part) => (result.first_bad && part.startsWith("the first bad step"))
      || (result.explanations?.length && part.startsWith("matches if"));
    return parts.filter((part) => !above(part)).join("; ");
  }

  drawings(row, result, points) {
    const it = this.report.described[row.index];
    const parts = [];
    if (it) parts.push(el("h3", {}, "The network"), network(it, result, points));
    const left = el("div"), right = el("div");
    this.steps(left, result, points);
    this.figures(left, result);
    this.pair(right, row);
    this.changes(right, result);
    parts.push(el("div", { class: "columns" }, left, right), ...this.again(row, result));
    return parts;
  }

  steps(into, result, points) {
    if (result.bound_ratio === null && !points) return;
    into.append(el("h3", {}, "Error of every step, and its bound"));
    if (!points) {
      into.append(el("p", { class: "soft" }, "Left out to keep this file small; report.json has them."));
      return;
    }
    const target = el("div", { class: "chart", id: "steps-chart" });
    if (!points.some((p) => p.bound && p.error)) target.textContent = "Every step is exact, or no number: there is nothing to draw.";
    else if (points.length === 1) target.textContent = `There is one step: its worst error is ${short(points[0].error)}, where ${short(points[0].bound)} may be.`;
    else draw(target, "steps", points.map((p) => ({ ...p, error: p.error || null, bound: p.bound || null, over: p.error === null || p.error > p.bound })));
    const rows = points.map((p) => [p.step, short(p.error), short(p.bound), p.bound ? short(p.error / p.bound) : "–"]);
    into.append(target, this.details("The same as a table", ["step", "error", "bound", "share"], rows));
  }

  figures(into, result) {
    const rows = Object.entries(result.figures ?? {}).map(([name, f]) => [clean(name), short(f.max_abs), short(f.max_rel), short(f.max_ulp), short(f.rms), `${f.mismatched} of ${f.total}`, (f.worst_at ?? []).join(", ")]);
    if (!rows.length) return;
    into.append(el("h3", {}, "Plain deviations from a float64 trajectory"), this.table(["array", "max abs", "max rel", "max ulp", "rms", "outside", "worst at"], rows));
  }

  pair(into, row) {
    const pairs = this.pairs.get(row.index) ?? [];
    if (!pairs.length) return;
    const name = (index) => clean(this.report.backends[index]);
    const share = new Map(pairs.flatMap(([, first, second, ...rest]) => [[`${first},${second}`, rest], [`${second},${first}`, rest]]));
    const compared = [...row.results.keys()].filter((b) => pairs.some((pair) => pair[1] === b || pair[2] === b));
    const values = compared.flatMap((a) => compared.map((b) => {
      const [bound_ratio, apart] = share.get(`${a},${b}`) ?? [0, 0];
      return { a: name(a), b: name(b), share: bound_ratio ?? 1e9, apart: a === b ? "" : short(apart) };
    }));
    const target = el("div", { class: "chart", id: "pairs-chart" });
    draw(target, "pairs", values);
    const rows = pairs.map(([, first, second, bound_ratio, max_abs, max_ulp]) => [`${name(first)} and ${name(second)}`, short(max_abs), short(max_ulp), short(bound_ratio)]);
    into.append(el("h3", {}, "Every two backends: how far outputs are apart"), target, this.details("The same as a table", ["backends", "max abs", "max ulp", "share of both bounds"], rows));
  }

  changes(into, result) {
    const rows = Object.entries(result.sensitivity ?? {}).map(([kind, least]) => [clean(kind), least === null ? "not even twice" : short(least)]);
    if (rows.length) into.append(el("h3", {}, "Smallest relative change of weights that would have failed"), this.table(["weight", "change"], rows));
  }

  again(row, result) {
    const parts = [];
    if (result.reproduce) parts.push(el("h3", {}, "Run it again"), this.command(clean(result.reproduce)));
    const given = this.report.described[row.index]?.given; // no ID builds such a case
    if (!given && /^[\w.-]+$/.test(row.name)) parts.push(el("h3", {}, "See the graph that each backend runs"), this.command(`rnn-parity graph ${row.name}`));
    return parts;
  }

  command(words) {
    const button = el("button", { type: "button", onclick: () => copy(words, button) }, "Copy");
    return el("div", { class: "copy" }, el("code", {}, words), button);
  }

  details(words, head, rows) {
    return el("details", {}, el("summary", {}, words), this.table(head, rows));
  }

  table(head, rows) {
    return el("div", { class: "wide" }, el("table", { class: "numbers" }, el("thead", {}, el("tr", {}, ...head.map((w) => el("th", { scope: "col" }, w)))), el("tbody", {}, ...rows.map((r) => el("tr", {}, ...r.map((w, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, String(w))))))));
  }
}

async function copy(words, button) {
  try {
    await navigator.clipboard.writeText(words);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.previousSibling);
    button.textContent = "Selected: press Ctrl-C";
  }
}
