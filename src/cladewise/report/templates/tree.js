"use strict";
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/* ---- the trees: nodes in pre-order, so that a subtree is a range ---- */
class Tree {
  constructor(read) {
    Object.assign(this, read);
    const size = this.names.length;
    this.end = new Int32Array(size).fill(1);
    for (let node = size - 1; node > 0; node--) this.end[this.parents[node]] += this.end[node];
    for (let node = 0; node < size; node++) this.end[node] += node;
    this.first = this.unnamed ? 1 : 0;
    this.children = null;
  }
  steps(node) {
    const found = [];
    for (let at = node; at >= this.first; at = this.parents[at]) found.push(this.names[at]);
    return found.reverse();
  }
  path(node) { return this.steps(node).map(name => name.replace(/\/|\\(?=[\\/]|$)/g, "\\$&")).join("/"); }
  below(node) {
    if (!this.children) {
      this.children = this.names.map(() => []);
      for (let at = 1; at < this.names.length; at++) this.children[this.parents[at]].push(at);
    }
    return this.children[node];
  }
  inside(node, branch) { return branch <= node && node < this.end[branch]; }
  get lower() { return this.lowered ??= this.names.map((_, node) => this.path(node).toLowerCase()); }
}
