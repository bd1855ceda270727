/* The part of the tree around a picture's path, as an outline with probabilities; a tree for the keyboard and screen readers. */
import { make, number, percent } from "./dom.js";

const LIKELY = 0.005, SIBLINGS = 3, MORE = 40;

export class Branches {
  /** @param pick called with the node whose label a picture should have, or null where nothing can be kept */
  constructor(box, pick) {
    Object.assign(this, { box, pick, focused: null, opened: new Map(), extra: new Map(), subject: null });
    box.addEventListener("keydown", event => this.press(event));
    box.addEventListener("click", event => this.click(event));
    box.addEventListener("dblclick", event => {
      const item = event.target.closest("[data-node]");
      if (item && this.pick && item.dataset.node !== "0") this.pick(Number(item.dataset.node));
    });
  }
  /** Shows the answer `node` of a result; a new subject (a picture and what was asked) closes what was opened by hand. */
  show({ tree, known, node, goal, subject }) {
    if (subject !== this.subject) {
      this.opened.clear();
      this.extra.clear();
      this.subject = subject;
      this.focused = null;
    }
    if (tree === this.tree && known === this.known && node === this.node && goal === this.goal && this.box.firstChild) return;
    const isOther = node !== this.node || known !== this.known;
    Object.assign(this, { tree, known, node, goal });
    this.lit = new Set([0, ...tree.path(node)]);
    this.ahead = new Set([0, ...tree.path(goal)]);
    this.draw();
    if (isOther) this.reveal(this.item(node));
  }
  isOpen(v) { return this.opened.get(v) ?? (this.ahead.has(v) || (this.lit.has(v) && v !== this.node)); }

  /** Children of a node that are shown, the probable ones first, and what is left. */
  listed(v) {
    const { known, tree } = this, rated = [], others = [];
    for (const child of tree.children(v)) {
      const p = known.of(child);
      if (this.lit.has(child) || this.ahead.has(child) || (p ?? 0) >= LIKELY) rated.push(child);
      else others.push(child);
    }
    const first = child => this.lit.has(child) || this.ahead.has(child);
    rated.sort((a, b) => first(b) - first(a) || (known.of(b) ?? 0) - (known.of(a) ?? 0) || a - b); // the path in one line
    const extra = this.extra.get(v) ?? 0;
    const room = this.opened.get(v) === true ? Math.max(SIBLINGS + 1, 8) : SIBLINGS + 1;
    const shown = rated.filter((child, k) => first(child) || k < room + extra);
    const left = [...rated.filter(child => !shown.includes(child)), ...others];
    const fill = Math.max(0, Math.min(left.length, room + extra - shown.length));
    if (this.opened.get(v) === true || extra) shown.push(...left.splice(0, fill));
    if (left.length === 1) shown.push(left.pop());
    return { shown, left };
  }
  draw() {
    const hadFocus = this.box.contains(document.activeElement), { tree } = this;
    const roots = tree.isNamed ? [0] : this.listed(0);
    const list = Array.isArray(roots) ? roots.map(v => this.node_(v, 1, 1, 1)) : this.group(0, 1, roots);
    this.box.replaceChildren(...list);
    const deepest = Math.max(...this.rows().map(row => row.ariaLevel)), step = 0.42 * this.box.clientWidth / deepest;
    this.box.style.setProperty("--step", `${Math.max(5, Math.min(20, step))}px`);
    this.box.classList.toggle("tight", step < 13);
    const rows = this.rows();
    const at = rows.find(row => row.dataset.key === this.focused) ?? this.item(this.node) ?? rows[0];
    if (at) { at.tabIndex = 0; if (hadFocus) at.focus({ preventScroll: true }); }
  }
  group(v, level, { shown, left } = this.listed(v)) {
    const total = shown.length + (left.length ? 1 : 0);
    const made = shown.map((child, k) => this.node_(child, level, k + 1, total));
    if (left.length) made.push(this.rest(v, left, level, total));
    return made;
  }
  node_(v, level, place, total) {
    const { tree, known } = this, p = v === 0 ? 1 : known.of(v), hasChildren = !tree.isLeaf(v), isOpen = hasChildren && this.isOpen(v);
    const isAnswer = v === this.node, name = tree.name(v);
    const said = [name, tree.level[v], p === undefined ? "" : percent(p), isAnswer ? "the answer" : ""].filter(Boolean).join(", ");
    const row = make("div", { class: "row" },
      make("span", { class: "twist", "aria-hidden": "true" }),
      make("span", { class: "name" }, make("bdi", { text: name })),
      make("span", { class: "meter", "aria-hidden": "true" }, make("i")),
      make("span", { class: "p", text: p === undefined ? "" : percent(p) }));
    if (this.pick && v) row.append(make("button", { class: "pick", type: "button", tabindex: "-1", "aria-hidden": "true", title: `Keep “${name}” as the right answer`, text: "✓" }));
    row.querySelector("i").style.setProperty("--p", p ?? 0);
    const item = make("li", {
      role: "treeitem", class: ["node", this.lit.has(v) && "lit", this.ahead.has(v) && !this.lit.has(v) && "ahead", isAnswer && "answer", (p ?? 0) < LIKELY && "unlikely"].filter(Boolean).join(" "),
      "data-node": v, "data-key": `n${v}`, tabindex: "-1", "aria-level": level, "aria-posinset": place, "aria-setsize": total, "aria-label": said,
      "aria-selected": String(isAnswer), "aria-expanded": hasChildren ? String(isOpen) : null,
    }, row);
    item.style.setProperty("--level", level - 1);
    if (isOpen) item.append(make("ul", { role: "group" }, ...this.group(v, level + 1)));
    return item;
  }
  rest(v, left, level, total) {
    const { known } = this, mass = left.reduce((sum, child) => sum + (known.of(child) ?? 0), 0);
    const text = `${number(left.length)} more`, p = known.addsUp && mass > 0 ? `, ${percent(mass)} together` : "";
    const item = make("li", { role: "treeitem", class: "rest", "data-rest": v, "data-key": `r${v}`, tabindex: "-1", "aria-level": level, "aria-posinset": total, "aria-setsize": total, "aria-label": `${text}${p}; Enter shows them` },
      make("div", { class: "row" }, make("span", { class: "twist", "aria-hidden": "true" }), make("span", { class: "name", text: `+${text}` }), make("span", { class: "p", text: p ? percent(mass) : "" })));
    item.style.setProperty("--level", level - 1);
    return item;
  }

  item(v) { return this.box.querySelector(`[data-node="${v}"]`); }
  rows() { return [...this.box.querySelectorAll("[role=treeitem]")]; }
  reveal(item) {
    if (!item) return;
    const row = item.firstElementChild.getBoundingClientRect(), box = this.box.getBoundingClientRect();
    if (row.top < box.top || row.bottom > box.bottom) this.box.scrollTop += row.top - box.top - box.height * 0.55;
  }
  focus(item) {
    if (!item) return;
    for (const row of this.box.querySelectorAll('[tabindex="0"]')) row.tabIndex = -1;
    item.tabIndex = 0;
    this.focused = item.dataset.key;
    item.focus({ preventScroll: true });
    item.firstElementChild.scrollIntoView({ block: "nearest" });
  }
  toggle(v, isOpen) {
    this.opened.set(v, isOpen);
    this.draw();
  }
  unfold(v) {
    const before = new Set(this.rows().map(row => row.dataset.key));
    this.extra.set(v, (this.extra.get(v) ?? 0) + MORE);
    this.draw();
    return this.rows().find(row => !before.has(row.dataset.key) && row.dataset.node);
  }
  click(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item) return;
    if (item.dataset.rest) { this.unfold(Number(item.dataset.rest)); return; }
    const v = Number(item.dataset.node);
    if (event.target.closest(".pick")) { this.pick(v); return; }
    this.focus(item);
    if (item.hasAttribute("aria-expanded")) {
      this.toggle(v, item.getAttribute("aria-expanded") !== "true");
      this.focus(this.item(v));
    }
  }
  press(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.rows(), at = rows.indexOf(item), v = Number(item.dataset.node), { key } = event;
    const state = item.getAttribute("aria-expanded"), isRest = item.dataset.rest !== undefined;
    const to = target => { this.focus(target); };
    if (key === "ArrowDown") to(rows[at + 1]);
    else if (key === "ArrowUp") to(rows[at - 1]);
    else if (key === "Home") to(rows[0]);
    else if (key === "End") to(rows.at(-1));
    else if (isRest && (key === "ArrowRight" || key === "Enter" || key === " ")) to(this.unfold(Number(item.dataset.rest)));
    else if (key === "ArrowRight" && state === "false") { this.focused = item.dataset.key; this.toggle(v, true); }
    else if (key === "ArrowRight" && state === "true") to(rows[at + 1]);
    else if (key === "ArrowLeft" && state === "true") { this.focused = item.dataset.key; this.toggle(v, false); }
    else if (key === "ArrowLeft") to(item.parentElement.closest("[role=treeitem]"));
    else if (key === "Enter" && this.pick && v) this.pick(v);
    else if (key === " " && state !== null) { this.focused = item.dataset.key; this.toggle(v, state !== "true"); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
