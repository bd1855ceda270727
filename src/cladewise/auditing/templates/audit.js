const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const tree = new Tree(data.tree);
const KEEP = "keep", RELABEL = "label", REMOVE = "remove", UNSURE = "unsure";
const MARKS = { keep: "✓", label: "→", remove: "×", unsure: "?" };
const KEY = `cladewise-audit:${data.key}`;
const percent = share => share >= 0.9995 ? "100%" : share < 0.0005 ? "<0.1%" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
const pathOf = node => tree.path(node) || "root";

/* ---- decisions: by path, kept in the browser, and by the server if there is one ---- */
const isServed = location.protocol.startsWith("http") && new URLSearchParams(location.search).has("token");
const decided = new Map(Object.entries(data.decided));
const labels = new Map();
for (const list of data.lists) for (const item of list.items)
  for (const image of [item, item.beside]) if (image) labels.set(image.path, image.label);
function recall() {
  try {
    for (const [path, [action, node]] of JSON.parse(localStorage.getItem(KEY) ?? "[]"))
      if (action === null) decided.delete(path); else decided.set(path, [action, node]);
  } catch { /* a browser that keeps nothing for files: decisions last until the page is closed */ }
}
if (!isServed) recall();
const history = [];
const unsent = new Map();
let sending = false, unkept = false;
addEventListener("storage", event => { // another tab with this page
  if (isServed || event.key !== KEY || !data.lists.length) return;
  recall();
  tabs();
  film();
  if (!byId("search")) draw();
});
addEventListener("beforeunload", event => { if (unsent.size || unkept) event.preventDefault(); });

function keep(path) {
  if (isServed) { unsent.set(path, decided.get(path) ?? null); return send(); }
  try {
    const kept = new Map(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
    kept.set(path, decided.get(path) ?? [null, -1]);
    localStorage.setItem(KEY, JSON.stringify([...kept]));
    tell("");
  } catch {
    unkept = true;
    tell("not kept by this browser: save before you close the page");
  }
}
async function send() {
  if (sending) return;
  sending = true;
  while (unsent.size) {
    const [path, decision] = unsent.entries().next().value;
    try {
      const answer = await fetch("corrections", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Token": new URLSearchParams(location.search).get("token") },
        body: JSON.stringify({ path, action: decision?.[0] ?? null, node: decision?.[1] ?? -1 }),
      });
      if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
      if (unsent.get(path) === decision) unsent.delete(path);
      byId("download").hidden = true;
      tell("saved");
    } catch (error) {
      if (unsent.get(path) === decision) { // the others do not wait for it
        unsent.delete(path);
        unsent.set(path, decision);
      }
      byId("download").hidden = false;
      tell(`${unsent.size} not saved (${error.message}); trying again`);
      await new Promise(wait => setTimeout(wait, 2000));
    }
  }
  sending = false;
}
const tell = text => { byId("state").textContent = text; };

function decide(path, action, node = -1) {
  history.push([path, decided.get(path), at.list, at.place]);
  decided.delete(path); // so that the table has the order of the decisions
  if (action) decided.set(path, [action, node]);
  keep(path);
}
function undo() {
  if (!history.length) return;
  const [path, before, list, place] = history.pop();
  if (before) decided.set(path, before); else decided.delete(path);
  keep(path);
  show(list, place);
}

/* ---- the table ---- */
const cell = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
function table() {
  const rows = [...decided].map(([path, [action, node]]) => {
    const label = action === RELABEL ? node : labels.get(path);
    return [path, label === undefined ? "" : pathOf(label), action].map(cell).join(",");
  });
  return ["path,label,action", ...rows, ""].join("\n");
}
byId("download").addEventListener("click", () => {
  const link = element("a", { href: URL.createObjectURL(new Blob([table()], { type: "text/csv" })), download: "corrections.csv" });
  link.click();
  unkept = false;
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
byId("undo").addEventListener("click", undo);

/* ---- drawing ---- */
const steps = names => names.flatMap((name, k) => k ? [element("span", { class: "step", text: "/" }), name] : [name]);
function pathway(node, other, tag) { // the steps that two paths share are faint
  const one = node ? tree.steps(node) : ["root"], two = other === null || other === undefined ? [] : tree.steps(other);
  let common = 0;
  while (common < one.length && common < two.length && one[common] === two[common]) common++;
  const box = element("dd");
  if (common) box.append(element("span", { class: "common" }, ...steps(one.slice(0, common))));
  if (common && common < one.length) box.append(element("span", { class: "step", text: "/" }));
  if (common < one.length) box.append(element(tag, {}, ...steps(one.slice(common))));
  return box;
}
const picture = image => image.picture ? element("img", { src: image.picture, alt: "" }) : element("span", { class: "no-picture", text: "no picture" });
function frame(image, text) {
  const caption = element("figcaption", {}, element("bdi", { text: image.path }), ` · ${image.split}`);
  if (text) caption.append(element("br"), text);
  return element("figure", {}, picture(image), caption);
}
const at = { list: 0, place: 0 };
const item = () => data.lists[at.list]?.items[at.place];

function evidence(one) {
  if (one.beside) return one.beside.text;
  if (one.gain) return `The label is ${percent(one.p)} probable; the proposal adds ${one.gain.toFixed(1)} bits.`;
  const sure = `The model gives the label ${percent(one.p)}; given the label itself too, it is wrong with probability ${percent(one.wrong)}. Expected false information: ${one.bits.toFixed(2)} bits.`;
  return one.open ? `${sure} The evidence is not enough for ${one.proposal === null ? "any label" : "a label this fine"}.` : sure;
}
function draw() {
  const one = item(), stage = byId("stage");
  const decision = decided.get(one.path);
  stage.classList.toggle("decided", Boolean(decision));
  const paths = element("dl", { class: "paths" }, element("dt", { text: "label" }), pathway(one.label, one.proposal, "s"));
  if (one.proposal !== null) paths.append(element("dt", { text: one.beside ? "the other" : "proposal" }), pathway(one.proposal, one.label, "ins"));
  if (decision) paths.append(element("dt", { text: "decided" }), element("dd", {}, element("b", { text: decision[0] === RELABEL ? pathOf(decision[1]) : decision[0] })));
  const leaves = element("ul", { class: "leaves" }, ...(one.top ?? []).map(([node, p], k) => {
    const button = element("button", { type: "button", onclick: () => relabel(node) },
      element("kbd", { text: k + 1 }), element("span", {}, ...steps(tree.steps(node))), element("small", { text: percent(p) }));
    button.style.setProperty("--share", p);
    return element("li", {}, button);
  }));
  const choice = (text, key, action, act) => element("button", {
    type: "button", "aria-pressed": String(decision?.[0] === action), onclick: act }, text + " ", element("kbd", { text: key }));
  const buttons = element("div", { class: "decide" },
    one.proposal === null ? "" : choice("Accept", "A", "accepted", accept),
    choice("Keep", "K", KEEP, () => next(KEEP)), choice("Other label", "L", RELABEL, edit),
    choice("Unsure", "U", UNSURE, () => next(UNSURE)), choice("Remove", "R", REMOVE, () => next(REMOVE)));
  const frames = element("div", { class: "frames" }, frame(one));
  if (one.beside) frames.append(frame(one.beside, pathOf(one.beside.label)));
  stage.replaceChildren(frames, element("div", {}, paths, element("p", { class: "why", text: evidence(one) }), leaves, buttons));
}
function film() {
  const items = data.lists[at.list].items, start = Math.max(0, Math.min(at.place - 6, items.length - 16));
  byId("film").replaceChildren(...items.slice(start, start + 16).map((one, k) => {
    const decision = decided.get(one.path);
    return element("button", {
      type: "button", class: decision ? "done" : false, "data-mark": decision ? MARKS[decision[0]] : false,
      "aria-current": String(start + k === at.place), "aria-label": `image ${start + k + 1}: ${one.path}`,
      onclick: () => show(at.list, start + k),
    }, one.picture ? element("img", { src: one.picture, alt: "" }) : "no picture");
  }));
}
function tabs() {
  byId("tabs").replaceChildren(...data.lists.map((list, k) => {
    const open = list.items.filter(one => !decided.has(one.path)).length;
    return element("button", { type: "button", role: "tab", "aria-selected": String(k === at.list), onclick: () => show(k, 0) },
      list.title, element("small", { text: open ? `${open} of ${list.items.length}` : "done" }));
  }));
}
function show(list, place) {
  const items = data.lists[list].items;
  Object.assign(at, { list, place: Math.max(0, Math.min(place, items.length - 1)) });
  byId("lead").textContent = `${data.lists[list].lead} ${at.place + 1} of ${items.length}.`;
  byId("undo").disabled = !history.length;
  tabs();
  draw();
  film();
  byId("stage").focus({ preventScroll: true });
}
function nextOpen() {
  const items = data.lists[at.list].items;
  for (let k = 1; k <= items.length; k++) {
    const place = (at.place + k) % items.length;
    if (!decided.has(items[place].path)) return show(at.list, place);
  }
  show(at.list, at.place);
}
function next(action, node = -1) { decide(item().path, action, node); nextOpen(); }
const relabel = node => next(node === item().label ? KEEP : RELABEL, node === item().label ? -1 : node);
function accept() { if (item().proposal !== null) relabel(item().proposal); }

/* ---- another label: names are searched, homonyms shown with their path ---- */
function edit() {
  if (byId("search")) return byId("search").focus();
  const list = element("ul", { role: "listbox" }), input = element("input", { id: "search", type: "search", placeholder: "name or part of a path", "aria-label": "new label", autocomplete: "off" });
  let found = [], marked = 0;
  const mark = place => {
    marked = Math.max(0, Math.min(place, found.length - 1));
    [...list.children].forEach((row, k) => row.setAttribute("aria-selected", String(k === marked)));
  };
  input.addEventListener("input", () => {
    found = search(input.value.trim().toLowerCase());
    list.replaceChildren(...found.map(node => element("li", { role: "option", onclick: () => relabel(node) },
      tree.names[node], element("small", { text: tree.steps(node).slice(0, -1).join(" / ") }))));
    if (input.value.trim() && !found.length) list.append(element("li", { class: "who", text: "no such name" }));
    mark(0);
  });
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(marked - 1);
    else if (event.key === "Enter" && found.length) relabel(found[marked]);
    else if (event.key === "Escape") { box.remove(); byId("stage").focus(); }
    else return;
    event.preventDefault();
  });
  const box = element("div", { class: "editor" }, input, list);
  byId("stage").lastElementChild.append(box);
  input.focus();
}
function search(wanted) {
  if (!wanted) return [];
  const found = [];
  tree.lower.forEach((path, node) => { if (node >= tree.first && path.includes(wanted)) found.push(node); });
  const rank = node => { const name = tree.names[node].toLowerCase(); return name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3; };
  const ranks = new Map(found.map(node => [node, rank(node)]));
  return found.sort((a, b) => ranks.get(a) - ranks.get(b) || tree.lower[a].length - tree.lower[b].length).slice(0, 10);
}

const KEYS = {
  a: accept, k: () => next(KEEP), u: () => next(UNSURE), r: () => next(REMOVE), l: edit, z: undo, n: nextOpen,
  ArrowRight: () => show(at.list, at.place + 1), ArrowLeft: () => show(at.list, at.place - 1),
};
document.addEventListener("keydown", event => {
  if (!data.lists.length || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  const leaf = /^[1-5]$/.test(event.key) && item().top?.[event.key - 1];
  if (leaf) relabel(leaf[0]);
  else if (KEYS[event.key] ?? KEYS[event.key.toLowerCase()]) (KEYS[event.key] ?? KEYS[event.key.toLowerCase()])();
  else return;
  event.preventDefault();
});
function begin() {
  if (!data.lists.length) { byId("nothing").hidden = false; return; }
  byId("walk").hidden = false;
  show(0, 0);
  if (decided.has(item().path)) nextOpen();
}
if (isServed) {
  byId("download").hidden = true;
  fetch(`corrections${location.search}`).then(answer => answer.json()).then(made => {
    decided.clear();
    for (const [path, decision] of Object.entries(made)) decided.set(path, decision);
    tell("decisions are written to corrections.csv");
  }).catch(() => tell("the server does not answer")).finally(begin);
} else begin();
