// Draws a case's network, unrolled: layers upwards, steps to the right; the cells of the
// last layer are coloured by how their step fares on one backend.

const BOX = { width: 62, height: 32, across: 104, up: 58, left: 118, lane: 16 };
const MOST_COLUMNS = 10;
const WAYS = { forward: ["forward"], reverse: ["reverse"], bidirectional: ["forward", "reverse"] };

function columnsOf(steps, bad) {
  const all = [...Array(steps).keys()];
  if (steps <= MOST_COLUMNS) return all;
  const wanted = new Set([0, 1, 2, steps - 2, steps - 1]);
  for (const t of bad === null ? [3] : [bad - 1, bad, bad + 1]) wanted.add(t);
  return all.filter((t) => wanted.has(t));
}

function network(it, result, points) {
  const bad = result.first_bad;
  return el("div", { class: "network", tabindex: "0", role: "group", "aria-label": "The network" },
    new Drawing(it, bad, points, result.number === result.bound_ratio).svg);
}

class Drawing {
  constructor(it, bad, points, shown) {
    Object.assign(this, { it, bad, points, shown });
    this.ways = WAYS[it.direction ?? "forward"];
    this.layers = it.layers ?? 1;
    this.columns = columnsOf(it.steps, bad ? bad.step : null);
    this.height = this.layers * this.ways.length * BOX.up + this.layers * 22 + 62;
    const width = BOX.left + this.columns.length * BOX.across + 40;
    this.svg = el("svg", { width, height: this.height, viewBox: `0 0 ${width} ${this.height}`, role: "img", "aria-label": this.words() });
    this.svg.append(el("defs", {}, el("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, el("path", { d: "M0 0L8 4L0 8z" }))));
    for (let layer = 0; layer < this.layers; layer++) this.layer(layer);
    this.columns.forEach((t, column) => this.ends(t, column));
  }

  words() {
    const { it, bad } = this;
    const where = bad ? `; the first bad step is ${bad.step} of layer ${bad.layer}` : "";
    return `${this.layers} ${this.layers === 1 ? "layer" : "layers"} of ${it.cell}, ${this.ways.join(" and ")}, ${it.steps} steps of ${it.batch} rows, ${it.features} features, ${it.units} units${where}`;
  }

  x(column) { return BOX.left + column * BOX.across; }
  middle(column) { return this.x(column) + BOX.width / 2; }
  // Below a layer, where what it reads comes from; above it is that of the next layer.
  joint(layer) { return this.height - 36 - layer * (this.ways.length * BOX.up + 22); }
  y(layer, number) { return this.joint(layer) - 22 - number * BOX.up - BOX.height; }

  path(d, extra = "") { this.svg.append(el("path", { d, class: extra, "marker-end": extra.includes("plain") ? null : "url(#arrow)" })); }
  text(x, y, words, extra = "", anchor = "middle") { this.svg.append(el("text", { x, y, "text-anchor": anchor, class: extra }, words)); }

  layer(layer) {
    this.ways.forEach((way, number) => {
      const level = this.y(layer, number) + BOX.height / 2;
      this.text(BOX.left - 34, level - 4, `layer ${layer}`, "soft", "end");
      this.text(BOX.left - 34, level + 11, way === "forward" ? "forward →" : "reverse ←", "soft", "end");
      this.state(way, level);
      this.columns.forEach((t, column) => {
        this.wires(layer, number, column);
        this.svg.append(this.box(layer, number, way, t, column));
      });
    });
  }

  // The state goes from step to step; dashed where steps between are not drawn.
  state(way, level) {
    for (let column = -1; column < this.columns.length; column++) {
      const from = column < 0 ? BOX.left - 28 : this.x(column) + BOX.width + 1;
      const to = column === this.columns.length - 1 ? this.x(column) + BOX.width + 28 : this.x(column + 1) - 1;
      const left = this.columns[column + 1] - this.columns[column] > 1;
      this.path(way === "forward" ? `M${from} ${level}H${to - 1}` : `M${to} ${level}H${from + 1}`, left ? "dashed" : "");
    }
  }

  // Each direction reads what is below the layer and gives to what is above it, round the other one.
  wires(layer, number, column) {
    const [middle, top, bottom] = [this.middle(column), this.y(layer, number), this.y(layer, number) + BOX.height];
    const [below, above] = [this.joint(layer), this.joint(layer + 1)];
    const [left, right] = [this.x(column) - BOX.lane, this.x(column) + BOX.width + BOX.lane];
    if (number === 0) this.path(`M${middle} ${below}V${bottom + 2}`);
    else this.path(`M${middle} ${below - 6}H${left}V${bottom + 12}H${middle}V${bottom + 2}`);
    if (number === this.ways.length - 1) this.path(`M${middle} ${top}V${above + 2}`, layer < this.layers - 1 ? "plain" : "");
    else this.path(`M${middle} ${top}V${top - 8}H${right}V${above + 8}H${middle}`, "plain");
  }

  box(layer, number, way, t, column) {
    const last = layer === this.layers - 1;
    const point = last ? this.points?.findLast((candidate) => candidate.step <= t) : undefined;
    const at = this.bad;
    const first = at && at.step === t && at.layer === layer && (!at.direction || at.direction === way);
    const over = point && (point.error === null || point.bound === null || point.error > point.bound);
    const state = first || over ? "bad" : point && this.shown ? "ok" : "";
    const words = (first ? "The first bad step. " : "") + (point ? `Step ${t}: error ${short(point.error)}, bound ${short(point.bound)}` : `Step ${t}`);
    const [x, y] = [this.x(column), this.y(layer, number)];
    return el("g", {}, el("title", {}, words),
      el("rect", { class: `box ${state} ${first ? "first" : ""}`, x, y, width: BOX.width, height: BOX.height, rx: 7 }),
      el("text", { x: x + BOX.width / 2, y: y + 20, "text-anchor": "middle" }, this.it.cell.replace(/_.*/, "")));
  }

  ends(t, column) {
    const middle = this.middle(column);
    const fed = this.it.variant === "variable_output";
    this.text(middle, this.height - 16, fed ? `token${sub(t)}` : `x${sub(t)}`);
    this.path(`M${middle} ${this.height - 30}V${this.joint(0)}`, "plain");
    this.text(middle, this.joint(this.layers) - 6, `y${sub(t)}`);
    if (column && this.columns[column - 1] !== t - 1) this.text((this.middle(column - 1) + middle) / 2, this.height - 16, "…", "soft");
  }
}

function sub(t) {
  return [...String(t)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}
