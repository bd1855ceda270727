/* The right label of a picture: any node of the tree, found by words, homonyms told apart by their paths. */
import { byId, count, make, number, open, percent } from "./dom.js";

export class Corrector {
  constructor(done) {
    Object.assign(this, { done, active: -1, options: [], tree: null });
    this.dialog = byId("correct");
    this.input = byId("correct-search");
    this.list = byId("correct-list");
    this.chosen = null;
    this.input.addEventListener("input", () => { this.chosen = null; this.find(); });
    this.input.addEventListener("keydown", event => this.press(event));
    byId("correct-keep").addEventListener("click", () => this.finish());
    this.list.addEventListener("mousedown", event => event.preventDefault()); // the input keeps the focus
    this.list.addEventListener("click", event => {
      const option = event.target.closest("[role=option]");
      if (option) this.activate(Number(option.dataset.place));
    });
    this.list.addEventListener("dblclick", event => { if (event.target.closest("[role=option]")) this.finish(); });
  }
  /** @param likely nodes to propose before anything is typed, the best first */
  ask({ picture, model, tree, known, node, likely, chosen = null }) {
    Object.assign(this, { picture, model, tree, known, node, likely, chosen });
    byId("correct-name").textContent = picture.name;
    const face = byId("correct-picture");
    face.hidden = !picture.thumb;
    if (picture.thumb) face.src = picture.thumb;
    this.input.value = "";
    open(this.dialog);
    this.find();
    this.input.focus();
  }
  find() {
    const text = this.input.value.trim(), { tree } = this;
    let found = text ? tree.search(text) : [...this.likely];
    if (this.chosen !== null) found = [this.chosen, ...found.filter(node => node !== this.chosen)];
    this.options = found;
    this.list.replaceChildren(...found.map((node, place) => this.option(node, place)));
    byId("correct-none").hidden = found.length > 0;
    byId("correct-none").textContent = text ? `No name among ${number(tree.size - 1)} has “${text}”.` : "Type a part of a name.";
    byId("correct-hint").textContent = text ? `${number(found.length)}${found.length === 60 ? " first" : ""} found` : "Likely ones; type to search all names.";
    this.activate(found.length ? 0 : -1);
  }
  option(node, place) {
    const { tree } = this, p = this.known.of(node);
    return make("li", { role: "option", id: `option-${place}`, "data-place": place, "aria-selected": "false" },
      make("span", { class: "name" }, make("bdi", { text: tree.name(node) })),
      make("span", { class: "p", text: node === this.node ? `answered${p === undefined ? "" : ` · ${percent(p)}`}` : percent(p) }),
      make("span", { class: "where" }, make("bdi", { text: [tree.above(node).join(" › ") || tree.level[node], tree.isLeaf(node) ? "" : `${count(tree.leaves[node], "class")} below`].filter(Boolean).join(" · ") })));
  }
  activate(place) {
    this.list.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
    this.active = place;
    const option = this.list.children[place];
    const keep = byId("correct-keep");
    keep.disabled = !option;
    if (!option) { this.input.removeAttribute("aria-activedescendant"); keep.textContent = "Keep"; return; }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
    keep.textContent = `Keep “${this.tree.name(this.options[place])}”`;
  }
  press(event) {
    const last = this.options.length - 1;
    if (event.key === "ArrowDown") this.activate(Math.min(last, this.active + 1));
    else if (event.key === "ArrowUp") this.activate(Math.max(0, this.active - 1));
    else if (event.key === "PageDown") this.activate(Math.min(last, this.active + 6));
    else if (event.key === "PageUp") this.activate(Math.max(0, this.active - 6));
    else if (event.key === "Enter" && !event.isComposing) this.finish();
    else return;
    event.preventDefault();
  }
  finish() {
    const node = this.options[this.active];
    if (node === undefined) return;
    this.dialog.close();
    this.done({ picture: this.picture, model: this.model, tree: this.tree, node, predicted: this.node });
  }
}
