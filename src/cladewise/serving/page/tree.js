/* A label tree: nodes in pre-order, so that a subtree is a range. */
const MOST_CRUMBS = 5; // names above a node that are shown beside it
const folded = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

export class Tree {
  constructor({ name, parent, level }) {
    const size = parent.length;
    Object.assign(this, { names: name, originals: name, parent, level, size });
    this.isNamed = Boolean(name[0]) && name[0] !== "root"; // whether the root is an answer, or only holds the tree together
    this.end = new Int32Array(size).fill(1);
    this.depth = new Int32Array(size);
    this.leaves = new Int32Array(size); // at or under each node
    for (let v = size - 1; v > 0; v--) this.end[parent[v]] += this.end[v];
    for (let v = 0; v < size; v++) {
      this.leaves[v] = this.end[v] === 1 ? 1 : 0;
      this.end[v] += v;
      if (v) this.depth[v] = this.depth[parent[v]] + 1;
    }
    for (let v = size - 1; v > 0; v--) this.leaves[parent[v]] += this.leaves[v];
    this.maxDepth = this.depth.reduce((most, depth) => Math.max(most, depth), 0);
  }
  /** Shows other names, such as those of another language; the nodes stay. */
  rename(names) { this.names = names; this.searched = null; }

  isLeaf(v) { return this.end[v] === v + 1; }
  inside(v, branch) { return branch <= v && v < this.end[branch]; }
  children(v) {
    const found = [];
    for (let child = v + 1; child < this.end[v]; child = this.end[child]) found.push(child);
    return found;
  }
  numChildren(v) {
    let found = 0;
    for (let child = v + 1; child < this.end[v]; child = this.end[child]) found++;
    return found;
  }
  /** Nodes from below the root down to a node. */
  path(v) {
    const found = [];
    for (let at = v; at > 0; at = this.parent[at]) found.push(at);
    return found.reverse();
  }
  /** The name of a node; an unnamed root is no answer. */
  name(v) { return v === 0 && !this.isNamed ? "No answer" : this.names[v] || "unnamed"; }
  above(v) { return this.path(v).slice(0, -1).map(node => this.name(node)); }
  /** The names above a node, without those in the middle of a long path. */
  crumbs(v) {
    const found = this.above(v);
    if (found.length > MOST_CRUMBS) found.splice(1, found.length - MOST_CRUMBS + 1, "…");
    return found;
  }
  /** A path as the server writes and reads it, in the tree's own names. */
  key(v) { return this.path(v).map(node => this.originals[node].replace(/\/|\\(?=[\\/]|$)/g, "\\$&")).join("/"); }
  sameAs(other) {
    return this === other || (this.size === other.size && this.parent.every((u, v) => u === other.parent[v]) && this.originals.every((name, v) => name === other.originals[v]));
  }

  get lower() { return this.searched ??= this.names.map(name => folded(name ?? "")); }
  /**
   * Nodes whose path has all the words, one of them in the node's own name: whole names first, then beginnings of names,
   * then beginnings of words.
   */
  search(text, limit = 60) {
    const wanted = folded(text.trim()), words = wanted.split(/[\s/›]+/).filter(Boolean);
    if (!words.length) return [];
    const { lower, parent, size } = this, everything = (1 << words.length) - 1;
    const seen = new Int32Array(size), found = [];
    for (let v = 1; v < size; v++) {
      let own = 0;
      for (let k = 0; k < words.length; k++) if (lower[v].includes(words[k])) own |= 1 << k;
      seen[v] = own | seen[parent[v]];
      if (own && seen[v] === everything ) found.push(v);
    }
    const last = words[words.length - 1];
    const rank = v => {
      const name = lower[v];
      if (name === wanted) return 0;
      if (name === last && words.length > 1) return 1;
      if (name.startsWith(wanted)) return 2;
      return words.some(word => name.startsWith(word) || name.includes(` ${word}`) || name.includes(`-${word}`)) ? 3 : 4;
    };
    const ranks = new Map(found.map(v => [v, rank(v)]));
    found.sort((u, v) => ranks.get(u) - ranks.get(v) || lower[u].length - lower[v].length || u - v);
    const listed = found.slice(0, limit), same = listed.filter(v => ranks.get(v) < 2); // and what is below a node of that name
    for (const v of same) for (const child of this.children(v)) if (listed.length < limit && !ranks.has(child)) listed.push(child);
    return listed;
  }
  /** Nodes that have exactly this name or path, in the names shown or in the tree's own. */
  called(text) {
    const wanted = folded(text.trim()), found = [];
    for (let v = 1; v < this.size; v++) if (this.lower[v] === wanted || folded(this.originals[v]) === wanted) found.push(v);
    if (!found.length && wanted.includes("/")) for (let v = 1; v < this.size; v++) if (folded(this.key(v)) === wanted) found.push(v);
    return found;
  }
}
