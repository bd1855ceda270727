/* The whole tree as one drawing, grown from its root: every picture is a dot at its answer, the chosen one a lit path. */
import { draw, make } from "./dom.js";

const SIDE = 14, NAMED_SIDE = 84, TOP = 16, BOTTOM = 12, ROOMY = 560;

export class Crown {
  constructor(box, tree, choose) {
    Object.assign(this, { box, tree, choose, dots: new Map(), shown: "" });
    this.canvas = make("canvas");
    this.over = draw("svg");
    this.faint = draw("path", { class: "way" });
    this.lit = draw("path", { class: "way lit" });
    this.marks = draw("g");
    this.over.append(this.faint, this.lit, this.marks);
    this.label = make("span", { class: "crown-label" });
    this.levels = make("div", { class: "crown-levels" });
    box.replaceChildren(this.canvas, this.levels, this.over, this.label);
    this.lay();
  }
  /** Places of the nodes: leaves in order from left to right, the others above the middle of theirs. */
  lay() {
    const { tree } = this, first = new Float32Array(tree.size), last = new Float32Array(tree.size);
    let leaf = 0;
    for (let v = 0; v < tree.size; v++) {
      first[v] = leaf;
      if (tree.isLeaf(v)) last[v] = leaf++;
    }
    for (let v = tree.size - 1; v > 0; v--) last[tree.parent[v]] = Math.max(last[tree.parent[v]], last[v]);
    this.across = first.map((from, v) => (from + last[v] + 1) / 2 / leaf);
    const bend = tree.maxDepth > 5 ? 0.75 : 1; // deep trees have more room where their boughs part
    this.up = Float32Array.from(tree.depth, depth => (depth / Math.max(1, tree.maxDepth)) ** bend);
  }
  x(v) { return this.left + this.across[v] * (this.width - this.left - SIDE); }
  y(v) { return this.height - BOTTOM - this.up[v] * (this.height - TOP - BOTTOM); }
  step(u, v) { // from a parent to its child
    const x = this.x(u), y = this.y(u), to = this.x(v), end = this.y(v), bend = y + (end - y) * 0.55;
    return [x, bend, to, y + (end - y) * 0.35, to, end];
  }

  /** Draws the tree anew for the present size and colours. */
  draw() {
    const { width, height } = this.box.getBoundingClientRect();
    if (!width || !height) return;
    Object.assign(this, { width, height });
    const levels = width > ROOMY ? this.namedLevels() : [];
    this.left = levels.length ? NAMED_SIDE : SIDE;
    const scale = Math.min(3, devicePixelRatio || 1), { canvas, tree } = this;
    canvas.width = width * scale;
    canvas.height = height * scale;
    this.over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.lineCap = "round";
    context.strokeStyle = getComputedStyle(canvas).color;
    const total = tree.leaves[0], thin = Math.max(0.3, Math.min(1.1, width / total / 4)), bands = new Map();
    for (let v = 1; v < tree.size; v++) { // as in trees, a branch is as thick as what it bears
      const band = Math.round(Math.sqrt(tree.leaves[v] / total) * 10);
      if (!bands.has(band)) bands.set(band, new Path2D());
      const path = bands.get(band), u = tree.parent[v];
      path.moveTo(this.x(u), this.y(u));
      path.bezierCurveTo(...this.step(u, v));
    }
    for (const [band, path] of [...bands].sort((a, b) => a[0] - b[0])) {
      context.lineWidth = thin + band * 0.42;
      context.globalAlpha = total > 2000 && band === 0 ? 0.5 : 0.9;
      context.stroke(path);
    }
    context.lineWidth = thin + 4.4;
    context.globalAlpha = 0.85;
    context.beginPath();
    context.moveTo(this.x(0), height);
    context.lineTo(this.x(0), this.y(0));
    context.stroke();
    this.levels.replaceChildren(...levels.map(([level, v]) => {
      const line = make("span", { text: level });
      line.style.top = `${this.y(v)}px`;
      return line;
    }));
    this.shown = this.drawn = "";
  }
  /** Levels with one of their nodes each, if all nodes of every level have the same depth and there is room for the names. */
  namedLevels() {
    const { tree } = this, depths = new Map();
    for (let v = 1; v < tree.size; v++) {
      const level = tree.level[v];
      if (level === null || level === undefined) continue;
      if (!depths.has(level)) depths.set(level, v);
      else if (depths.get(level) >= 0 && tree.depth[depths.get(level)] !== tree.depth[v]) depths.set(level, -1);
    }
    const levels = [...depths];
    return levels.length < (this.height - TOP) / 18 && levels.every(([, v]) => v >= 0) ? levels : [];
  }

  way(to) {
    let text = `M${this.x(0)} ${this.height}L${this.x(0)} ${this.y(0)}`;
    let u = 0;
    for (const v of this.tree.path(to)) {
      text += `C${this.step(u, v).map(part => part.toFixed(1)).join(" ")}`;
      u = v;
    }
    return text;
  }
  /**
   * Shows answers: `marks` are `{id, node, chosen}`; the chosen one's path is lit up to its answer, and faint from there to
   * `goal`, its boldest answer.
   */
  show(marks, goal, text) {
    if (!this.width) this.draw();
    if (!this.width) return;
    const chosen = marks.find(mark => mark.chosen), now = JSON.stringify([chosen?.node, goal, text]);
    this.mark(marks);
    if (now === this.drawn) return;
    this.drawn = now;
    this.faint.setAttribute("d", chosen ? this.way(goal) : "");
    if (chosen) {
      const along = this.tree.inside(goal, chosen.node) ? goal : chosen.node, whole = this.way(along);
      this.lit.setAttribute("d", this.way(chosen.node));
      const reach = this.lit.getTotalLength();
      const isNew = this.shown !== whole;
      this.lit.setAttribute("d", whole);
      const length = this.lit.getTotalLength();
      this.lit.style.strokeDasharray = `${length} ${length}`;
      if (isNew) { // grows from the root
        this.lit.style.transition = "none";
        this.lit.style.strokeDashoffset = length;
        this.lit.getBoundingClientRect();
        this.lit.style.transition = "";
      }
      this.lit.style.strokeDashoffset = length - reach;
      this.shown = whole;
    } else {
      this.lit.setAttribute("d", "");
      this.shown = "";
    }
    this.tell(chosen, text);
  }
  mark(marks) {
    const together = new Map();
    for (const mark of marks) together.set(mark.node, [...(together.get(mark.node) ?? []), mark]);
    const left = new Set(this.dots.keys());
    for (const [node, same] of together) {
      const gap = Math.min(8, 120 / same.length);
      same.forEach((mark, k) => {
        if (!this.dots.has(mark.id)) {
          const dot = draw("circle", { r: 4 });
          dot.addEventListener("click", () => this.choose(mark.id));
          this.dots.set(mark.id, dot);
          this.marks.append(dot);
        }
        left.delete(mark.id);
        const dot = this.dots.get(mark.id), x = this.x(node) + (mark.chosen ? 0 : (k - (same.length - 1) / 2) * gap);
        const place = `translate(${Math.max(6, Math.min(this.width - 6, x)).toFixed(1)}px, ${this.y(node).toFixed(1)}px)`;
        if (dot.place === place && dot.chosen === mark.chosen) return; // of hundreds, few move at a time
        Object.assign(dot, { place, chosen: mark.chosen });
        dot.style.transform = place;
        dot.setAttribute("class", `dot${mark.chosen ? " chosen" : ""}`);
        dot.setAttribute("r", mark.chosen ? 6.5 : 4);
        if (mark.chosen && this.marks.lastChild !== dot) this.marks.append(dot);
      });
    }
    for (const id of left) { this.dots.get(id).remove(); this.dots.delete(id); }
  }
  tell(chosen, text) {
    this.label.textContent = chosen ? text : "";
    if (!chosen) return;
    const x = this.x(chosen.node), width = this.label.offsetWidth, isLeft = x + width + 18 > this.width; // beside the dot
    const top = Math.max(0, Math.min(this.height - 22, this.y(chosen.node) - 11));
    this.label.style.transform = `translate(${Math.max(0, isLeft ? x - width - 12 : x + 12).toFixed(1)}px, ${top.toFixed(1)}px)`;
  }
}
