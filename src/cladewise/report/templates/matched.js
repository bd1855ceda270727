const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const KINDS = data.changes, MERGED = 4, SPLIT = 5, ADDED = 6, REMOVED = 7;
const OPEN = "open", KEPT = "kept", DROPPED = "dropped";
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

const old = new Tree(data.old), fresh = new Tree(data.new);

/* ---- the rows: those of pairs are edited, those of nodes without a counterpart follow ---- */
let pairs = [];
const alone = { old: new Map(), new: new Map() }; // certainty of having no counterpart, as proposed
const asked = new Set(data.rows.ask);
data.rows.old.forEach((u, place) => {
  const v = data.rows.new[place], certainty = data.rows.certainty[place];
  if (u < 0 || v < 0) alone[u < 0 ? "new" : "old"].set(Math.max(u, v), certainty);
  else pairs.push({ u, v, certainty, why: data.evidence[data.rows.evidence[place]], state: asked.has(place) ? OPEN : KEPT, asked: asked.has(place) });
});
let rows = [], history = [];

function derive() {
  const held = pairs.filter(pair => pair.state !== DROPPED);
  const ofOld = new Int32Array(old.names.length), ofNew = new Int32Array(fresh.names.length);
  const known = new Set(), key = (u, v) => u * (fresh.names.length + 1) + v;
  for (const { u, v } of held) { ofOld[u]++; ofNew[v]++; known.add(key(u, v)); }
  if ((old.unnamed && !ofNew[0]) || (fresh.unnamed && !ofOld[0])) known.add(key(0, 0));
  rows = held.map(pair => {
    const { u, v } = pair, above = old.parents[u], over = fresh.parents[v];
    const renamed = old.names[u].normalize("NFC") !== fresh.names[v].normalize("NFC") ? 1 : 0;
    const moved = (above < 0 && over < 0) || known.has(key(above, over)) ? 0 : 2;
    return { u, v, pair, change: ofOld[u] > 1 ? SPLIT : ofNew[v] > 1 ? MERGED : renamed + moved, certainty: pair.certainty, why: pair.why };
  });
  for (let u = old.first; u < ofOld.length; u++)
    if (!ofOld[u]) rows.push({ u, v: -1, change: REMOVED, certainty: alone.old.get(u) ?? 1, why: alone.old.has(u) ? "" : "by hand" });
  for (let v = fresh.first; v < ofNew.length; v++)
    if (!ofNew[v]) rows.push({ u: -1, v, change: ADDED, certainty: alone.new.get(v) ?? 1, why: alone.new.has(v) ? "" : "by hand" });
  rows.sort((a, b) => (a.u < 0) - (b.u < 0) || a.u - b.u || a.v - b.v);
  const counterpart = new Map(held.map(({ u, v }) => [v, u]));
  for (const row of rows) { // an added node is shown in the branch that it was added to
    let at = row.v;
    while (row.u < 0 && at > 0 && !counterpart.has(at)) at = fresh.parents[at];
    row.place = row.u >= 0 ? row.u : counterpart.get(at) ?? 0;
  }
}

/* ---- what was done, and undoing it ---- */
function change(act) {
  history.push(pairs.map(pair => ({ ...pair })));
  if (history.length > 40) history.shift();
  act();
  refresh();
}
byId("undo").addEventListener("click", () => { pairs = history.pop(); refresh(); });
const decide = (pair, state) => change(() => { pair.state = pair.state === state ? OPEN : state; });
function replaceCounterpart(u, from, v) {
  change(() => {
    for (const pair of pairs) if (pair.u === u && (from < 0 || pair.v === from)) pair.state = DROPPED;
    if (v < 0) return;
    const there = pairs.find(pair => pair.u === u && pair.v === v);
    if (there) there.state = KEPT;
    else pairs.push({ u, v, certainty: 1, why: "by hand", state: KEPT, asked: false });
  });
}

/* ---- drawing ---- */
const steps = names => names.flatMap((name, k) => k ? [element("span", { class: "step", text: "/" }), name] : [name]);
function pathway(u, v, hidden = 0) { // the first steps are hidden below a title that names them
  const box = element("div", { class: "pathway" });
  const one = u < 0 ? [] : old.steps(u), two = v < 0 ? [] : fresh.steps(v);
  let common = 0;
  if (u >= 0 && v >= 0) while (common < Math.min(one.length, two.length) && one[common] === two[common]) common++;
  const equal = u >= 0 && v >= 0 && common === one.length && common === two.length;
  const most = Math.max(one.length, two.length);
  if (u < 0 || v < 0) common = most - 1;
  if (equal) common = most - 1;
  else if (common === Math.min(one.length, two.length)) common--;
  const shared = (one.length ? one : two).slice(Math.min(hidden, Math.max(common, 0)), Math.max(common, 0));
  if (shared.length) box.append(element("span", { class: "common" }, ...steps(shared), element("span", { class: "step", text: "/" })));
  const last = (names, tag) => element(tag, {}, ...steps(names.slice(Math.max(common, 0))));
  if (u >= 0) box.append(last(one, "s"));
  if (u >= 0 && v >= 0 && !equal) box.append(element("span", { class: "arrow", text: "→" }));
  if (v >= 0 && !equal) box.append(last(two, "ins"));
  return box;
}
function meter(certainty) {
  const bar = element("i");
  bar.style.setProperty("--share", certainty);
  return element("div", { class: certainty < 0.75 ? "meter weak" : "meter", title: "certainty" }, bar, certainty.toFixed(2));
}
const kindBadge = row => element("span", { class: "kind", "data-kind": KINDS[row.change], text: KINDS[row.change] });
const why = row => element("div", { class: "why" }, meter(row.certainty), element("div", { class: "evidence", text: row.why }));

function editor(u, from, done) {
  const list = element("ul"), input = element("input", { type: "search", placeholder: "part of a path of the new tree", "aria-label": "new counterpart" });
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase(), found = [];
    if (wanted.length > 1) {
      const texts = fresh.lower;
      for (let v = fresh.first; v < texts.length && found.length < 400; v++) if (texts[v].includes(wanted)) found.push(v);
      found.sort((a, b) => (fresh.names[b].toLowerCase() === wanted) - (fresh.names[a].toLowerCase() === wanted) || texts[a].length - texts[b].length);
    }
    list.replaceChildren(...found.slice(0, 8).map(v => element("li", {}, element("button", { type: "button", text: fresh.path(v), onclick: () => { done(); replaceCounterpart(u, from, v); } }))));
    if (wanted.length > 1 && !found.length) list.append(element("li", { class: "who", text: "no such path" }));
  });
  const box = element("div", { class: "editor" }, element("p", { text: "Counterpart in the new tree:" }), input,
    element("button", { type: "button", text: "none", onclick: () => { done(); replaceCounterpart(u, from, -1); } }), " ",
    element("button", { type: "button", text: "cancel", onclick: done }), list);
  setTimeout(() => input.focus());
  return box;
}
function editButton(holder, u, from) {
  const button = element("button", { type: "button", class: "edit", text: "change" });
  let box = null;
  button.addEventListener("click", () => {
    if (box) { box.remove(); box = null; return; }
    box = editor(u, from, () => { box?.remove(); box = null; });
    holder.append(box);
  });
  return button;
}

/* questions: rows that share a node are one card */
function questions() {
  const open = pairs.filter(pair => pair.asked), group = new Map();
  const find = node => { while (group.get(node) !== node) node = group.get(node); return node; };
  const join = node => { if (!group.has(node)) group.set(node, node); return find(node); };
  for (const { u, v } of open) group.set(join(`o${u}`), join(`n${v}`));
  const cards = new Map();
  for (const pair of open) {
    const card = find(`o${pair.u}`);
    if (!cards.has(card)) cards.set(card, []);
    cards.get(card).push(pair);
  }
  return [...cards.values()].sort((a, b) => a[0].u - b[0].u);
}
/* questions about one pair each, for the same reasons, are one card */
const reasons = pair => pair.why.replace(/'.*?'(?=;|$)/g, "…").replace(/\d+(\.\d+)?( of \d+)?/g, "…");
function cards() {
  const single = new Map(), found = [];
  for (const pairs of questions()) {
    const same = pairs.length === 1 && old.path(pairs[0].u) === fresh.path(pairs[0].v);
    if (pairs.length > 1) { found.push({ pairs }); continue; }
    const key = `${same}|${reasons(pairs[0])}`;
    if (!single.has(key)) { single.set(key, { pairs: [], same, single: true }); found.push(single.get(key)); }
    single.get(key).pairs.push(pairs[0]);
  }
  return found;
}
function question({ pairs, same, single }) {
  const olds = new Set(pairs.map(pair => pair.u)).size, news = new Set(pairs.map(pair => pair.v)).size;
  if (single) return pairs.length === 1 ? (same ? "Is this still the same?" : "Do these two correspond?")
    : same ? `Are these ${pairs.length} still the same?` : `Do these ${pairs.length} pairs correspond?`;
  return olds === 1 ? `Which of these ${news} does it become?` : news === 1 ? `Which of these ${olds} does it come from?` : "Which of these correspond?";
}
let shownCards = 20, shownRows = 200;
const unfolded = new Set(), FOLDED = 6;
function drawQuestions() {
  const all = cards();
  byId("questions").hidden = !all.length;
  byId("cards").replaceChildren(...all.slice(0, shownCards).map(card => {
    const { pairs, single } = card, left = pairs.filter(pair => pair.state === OPEN).length, key = pairs[0].u;
    const box = element("div", { class: `question${left ? "" : " closed"}` });
    const head = element("h3", {}, element("span", { text: question(card) }));
    const decideAll = state => change(() => { for (const pair of pairs) if (pair.state === OPEN) pair.state = state; });
    if (left && single && pairs.length > 1) head.append(element("span", { class: "decide" },
      element("button", { type: "button", text: `keep all ${left} left`, onclick: () => decideAll(KEPT) }), element("button", { type: "button", text: `drop all ${left}`, onclick: () => decideAll(DROPPED) })));
    if (!left) head.append(element("small", { text: "decided" }));
    box.append(head);
    const shown = single && !unfolded.has(key) ? pairs.slice(0, FOLDED) : pairs;
    for (const pair of shown) {
      const line = element("div", { class: `candidate ${pair.state === OPEN ? "" : pair.state}`, "data-kind": "renamed" });
      const button = (state, text, kind) => element("button", { type: "button", class: kind, text, "aria-pressed": String(pair.state === state), onclick: () => decide(pair, state) });
      const way = pathway(pair.u, pair.v);
      if (!way.querySelector(".arrow")) way.append(element("span", { class: "arrow", text: "stays" }));
      line.append(way, why(pair), element("span", { class: "decide" }, button(KEPT, "keep", "yes"), button(DROPPED, "drop", "no"), editButton(line, pair.u, pair.v)));
      box.append(line);
    }
    if (shown.length < pairs.length) box.append(element("p", { class: "more" }, element("button", { type: "button", text: `Show the ${count(pairs.length - shown.length, "other pair")}`, onclick: () => { unfolded.add(key); drawQuestions(); } })));
    return box;
  }));
  more("more-cards", all.length - shownCards, "question", () => { shownCards += 40; drawQuestions(); });
}
function more(id, left, noun, act) {
  const button = byId(id);
  button.hidden = left <= 0;
  button.textContent = `Show more of the ${count(Math.max(left, 0), "other " + noun)}`;
  button.onclick = act;
}

/* filters */
let branch = 0, wanted = new Set(KINDS.slice(1).concat("ask")), hasChanges = false;
function visible() {
  const text = byId("search").value.trim().toLowerCase();
  const found = rows.filter(row => old.inside(row.place, branch)
    && (wanted.has(KINDS[row.change]) || (wanted.has("ask") && row.pair?.state === OPEN))
    && (!text || (row.u >= 0 && old.lower[row.u].includes(text)) || (row.v >= 0 && fresh.lower[row.v].includes(text))));
  const sort = byId("sort").value, sign = sort === "least" ? 1 : -1;
  if (sort !== "tree") found.sort((a, b) => sign * (a.certainty - b.certainty) || a.place - b.place);
  else found.sort((a, b) => titleOf(a) - titleOf(b) || a.place - b.place || (a.u < 0) - (b.u < 0) || a.v - b.v);
  return found;
}
const titleOf = row => row.u >= 0 ? old.parents[row.u] : row.place; // the node below which a row is shown
function drawRows() {
  const found = visible(), nested = byId("sort").value === "tree";
  const drawn = [];
  let title = null;
  for (const row of found.slice(0, shownRows)) {
    const at = titleOf(row);
    if (nested && at !== title) {
      title = at;
      drawn.at(-1)?.classList.add("last");
      drawn.push(element("div", { class: "branch-title", text: at >= old.first ? old.steps(at).join(" / ") : "at the top" }));
    }
    const line = element("div", { class: row.pair?.state === OPEN ? "row asked" : "row", "data-kind": KINDS[row.change] });
    line.append(kindBadge(row), pathway(row.u, row.v, nested ? old.steps(at).length : 0), why(row), row.u >= 0 ? editButton(line, row.u, row.v) : element("span"));
    drawn.push(line);
  }
  if (!found.length) drawn.push(element("p", { class: "nothing", text: hasChanges ? "No row of these kinds here." : "The two trees are the same." }));
  byId("rows").replaceChildren(...drawn);
  byId("shown").textContent = count(found.length, "row");
  more("more-rows", found.length - shownRows, "row", () => { shownRows += 400; drawRows(); });
}
function tally(list) {
  const number = KINDS.map(() => 0);
  for (const row of list) number[row.change]++;
  return number;
}
const bar = (number, name, from = 0) => {
  const box = element("div", { class: name });
  number.forEach((amount, kind) => { if (amount && kind >= from) { const part = element("i", { "data-kind": KINDS[kind], title: `${KINDS[kind]}: ${amount}` }); part.style.flex = `${amount} 0 0`; box.append(part); } });
  return box;
};
function drawBranches() {
  const box = byId("branches"), crumbs = element("p");
  const chain = [];
  for (let at = branch; at >= 0; at = old.parents[at]) chain.unshift(at);
  chain.forEach((node, k) => {
    const name = k || !old.unnamed ? old.names[node] : "all branches";
    crumbs.append(k ? element("span", { class: "step", text: " / " }) : "", node === branch ? element("b", { text: name }) : element("button", { type: "button", text: name, onclick: () => open(node) }));
  });
  const numbers = new Map(old.below(branch).map(child => [child, KINDS.map(() => 0)]));
  const parts = old.below(branch);
  for (const row of rows) {
    if (!row.change || !old.inside(row.place, branch) || row.place === branch) continue;
    let low = 0, high = parts.length - 1; // the child whose range holds the place
    while (low < high) { const middle = (low + high + 1) >> 1; if (parts[middle] <= row.place) low = middle; else high = middle - 1; }
    numbers.get(parts[low])[row.change]++;
  }
  const list = [...numbers].map(([child, number]) => ({ child, number, sum: number.reduce((a, b) => a + b, 0) })).filter(part => part.sum);
  list.sort((a, b) => b.sum - a.sum || a.child - b.child);
  box.replaceChildren(crumbs, element("ul", {}, ...list.map(({ child, number, sum }) => element("li", {},
    element("button", { type: "button", onclick: () => open(child), title: old.names[child] }, element("span", { text: old.names[child] }), element("small", { text: count(sum, "change") }), bar(number, "bar", 1))))));
  box.hidden = !list.length && branch === 0;
}
function open(node) { branch = node; shownRows = 200; drawBranches(); drawRows(); }

function drawHead() {
  const number = tally(rows), open = pairs.filter(pair => pair.state === OPEN).length, all = pairs.filter(pair => pair.asked).length;
  hasChanges = number.slice(1).some(Boolean);
  const shares = bar(number, "shares");
  byId("shares").replaceChildren(...shares.children);
  byId("shares").setAttribute("aria-label", KINDS.map((kind, k) => `${kind}: ${number[k]}`).join(", "));
  const tile = (kind, value, act) => element("button", { type: "button", class: "tile", "data-kind": kind, onclick: act }, element("span", { class: "tile-metric", text: kind === "ask" ? "to decide" : kind }), element("span", { class: "tile-value", text: value.toLocaleString("en") }));
  const only = kind => { wanted = new Set([kind]); drawKinds(); drawRows(); byId("changes").scrollIntoView({ behavior: "smooth" }); };
  const tiles = KINDS.flatMap((kind, k) => number[k] ? [tile(kind, number[k], () => only(kind))] : []);
  if (all) tiles.unshift(tile("ask", open, () => byId("questions").scrollIntoView({ behavior: "smooth" })));
  byId("tiles").replaceChildren(...tiles);
  byId("progress").textContent = all ? `${all - open} of ${count(all, "row")} decided` : "Nothing to decide.";
  byId("undo").disabled = !history.length;
}
function drawKinds() {
  const number = tally(rows), toggle = kind => { if (wanted.has(kind)) wanted.delete(kind); else wanted.add(kind); shownRows = 200; drawKinds(); drawRows(); };
  const made = KINDS.flatMap((kind, k) => number[k] ? [element("button", { type: "button", "aria-pressed": String(wanted.has(kind)), "data-kind": kind, onclick: () => toggle(kind) }, Object.assign(element("span", { class: "swatch" }), { style: "background: var(--kind)" }), `${kind} ${number[k].toLocaleString("en")}`)] : []);
  byId("kinds").replaceChildren(element("span", { class: "who", text: "show" }), ...made);
}
function refresh() { derive(); drawHead(); drawKinds(); drawQuestions(); drawBranches(); drawRows(); }

/* ---- the table ---- */
function table() {
  const cell = text => /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
  const ids = ["old", "new"].filter(side => Object.keys(data[side].ids).length);
  const lines = [["old", "new", "change", "certainty", "evidence", "ask", ...ids.map(side => `${side}_id`)]];
  for (const row of rows) {
    const known = { old: data.old.ids[row.u] ?? "", new: data.new.ids[row.v] ?? "" };
    lines.push([row.u < 0 ? "" : old.path(row.u), row.v < 0 ? "" : fresh.path(row.v), KINDS[row.change], String(row.certainty), row.why, row.pair?.state === OPEN ? "yes" : "", ...ids.map(side => known[side])]);
  }
  return lines.map(line => line.map(cell).join(",")).join("\n") + "\n";
}
let saved = true;
byId("download").addEventListener("click", () => {
  const link = element("a", { href: URL.createObjectURL(new Blob([table()], { type: "text/csv" })), download: "matched.csv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  saved = true;
});
document.addEventListener("click", event => { if (event.target.closest(".decide, .editor li, .editor button")) saved = false; });
window.addEventListener("beforeunload", event => { if (!saved && history.length) event.preventDefault(); });

let typing = 0;
byId("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => { shownRows = 200; drawRows(); }, 150); });
byId("sort").addEventListener("change", () => { shownRows = 200; drawRows(); });
refresh();
