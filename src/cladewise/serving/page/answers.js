/* Which node answers a picture, how sure it is, and what is promised: arithmetic on results, without the page. */

/** The rung of a ladder that answers at a caution: the last whose caution has been reached. */
export function rungAt(ladder, caution) {
  let found = ladder[0];
  for (const rung of ladder) if ((rung.caution ?? Infinity) <= caution) found = rung;
  return found;
}

/** Stops of the slider for some models: bold, then every share that one of them can promise. */
export function stops(sliders) {
  const shares = new Set(sliders.flatMap(slider => slider.positions.map(position => position.share).filter(share => share !== null)));
  const found = [{ share: null }, ...[...shares].sort((a, b) => a - b).map(share => ({ share }))];
  if (found.length === 1) return [0, 1, 4, 16, 64].map(caution => ({ share: null, caution })); // nothing can be promised
  return found;
}

/** A model's position at a stop: its own, or its next more careful one, or its most careful one. */
export function positionAt(slider, stop) {
  if (stop.caution !== undefined) return { share: null, caution: stop.caution };
  if (stop.share === null) return slider.positions.find(position => position.share === null) ?? { share: null, caution: 0 };
  const promised = slider.positions.filter(position => position.share !== null).sort((a, b) => a.share - b.share);
  return promised.find(position => position.share >= stop.share) ?? promised.at(-1) ?? { share: null, caution: 0 };
}

/** The answer to a result at a position: `{node, probability}`, or `{nodes}` for rules that answer with several. */
export function answerAt(result, position) {
  if (result.ladder?.length) {
    const rung = rungAt(result.ladder, position.caution);
    return { node: rung.node, probability: rung.probability };
  }
  if (typeof result.node === "number") return { node: result.node, probability: result.probability };
  const several = result.labels ?? result.levels ?? [];
  return { nodes: several.map(one => (typeof one === "number" ? one : one?.node)).filter(node => typeof node === "number") };
}

/** The boldest answer, which the path leads to. */
export const boldest = result => (result.ladder?.length ? result.ladder[0].node : (result.node ?? 0));

/**
 * The probabilities that a result tells: of its path, ladder and best leaves, and sums of leaves for what is above them.
 * Sums are kept apart where a head's probabilities do not add up, since they then say nothing.
 */
export class Known {
  constructor(result, tree) {
    this.tree = tree;
    this.told = new Map([[0, 1]]);
    for (const { node, probability } of [...(result.leaves ?? []), ...(result.path ?? []), ...(result.ladder ?? [])])
      if (typeof node === "number" && probability !== null && probability !== undefined) this.told.set(node, probability);
    this.sums = new Map();
    for (const { node, probability } of result.leaves ?? [])
      for (let at = node; at >= 0; at = tree.parent[at]) this.sums.set(at, (this.sums.get(at) ?? 0) + probability);
    this.addsUp = [...this.sums].every(([node, sum]) => !this.told.has(node) || sum <= this.told.get(node) + 0.02);
  }
  of(node) { return this.told.get(node) ?? (this.addsUp ? this.sums.get(node) : undefined); }
}

/** How two answers in one tree relate: "same", "finer" (the second is), "coarser", or "apart". */
export function relation(tree, first, second) {
  if (first === second) return "same";
  if (tree.inside(second, first)) return "finer";
  return tree.inside(first, second) ? "coarser" : "apart";
}
