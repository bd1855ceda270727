/* The page: what is chosen, and every part of it drawn from that. */
import { Known, answerAt, boldest, positionAt, relation, stops } from "./answers.js";
import { Branches } from "./branches.js";
import { setUpCamera } from "./camera.js";
import { Corrector } from "./correct.js";
import { Crown } from "./crown.js";
import { byId, count, make, number, once, open, percent, sentence, share } from "./dom.js";
import { takeIn } from "./intake.js";
import { Picture, Queue } from "./pictures.js";
import * as server from "./server.js";
import { Tree } from "./tree.js";

const TOP = 100; // leaves per result, from which the probabilities beside the path are summed
const STARTS_AT = 0.9; // promised share that the slider starts at, if it can be promised

const models = new Map(); // by name: what the server tells of it, its tree and slider
const pictures = [];
let canKeep = false, stop = null, chosen = null, allowedText = "", allowedBranches = new Set();
let panels = [];

/* ---- what is asked of the server ---- */
const shownModels = () => [byId("model").value, byId("beside").value].filter((name, place, all) => name && all.indexOf(name) === place && models.get(name)?.tree);
let asked = null; // made anew when a choice changes
const questions = () => asked ??= shownModels().map(name => {
  const { tree } = models.get(name), allowed = allowedIn(tree);
  return { model: name, decision: "expected-information", allowed, top: Math.min(TOP, tree.leaves[0]), key: JSON.stringify([name, allowed]) };
});
const questionOf = name => questions().find(question => question.model === name);
function allowedIn(tree) {
  const nodes = new Set(tree.children(0).filter(node => allowedBranches.has(tree.key(node))));
  for (const line of allowedText.split("\n")) if (line.trim()) for (const node of tree.called(line)) nodes.add(node);
  return [...nodes].sort((a, b) => a - b).map(node => tree.key(node));
}
const queue = new Queue(pictures, () => questions().filter(question => !models.get(question.model).isStale));

/** What one model answers to one picture at the present stop. */
function answered(picture, name) {
  const slot = picture.slots.get(questionOf(name)?.key);
  if (slot?.state !== "done") return { slot };
  const { slider } = models.get(name);
  return { slot, answer: answerAt(slot.result, positionAt(slider, stop)), goal: boldest(slot.result) };
}
function knownOf(slot, tree) {
  return slot.known ??= new Known(slot.result, tree);
}
/** How the two models' answers to a picture relate, told by paths since their trees may differ; null if not both are there. */
function difference(picture) {
  const [one, two] = shownModels();
  if (!two) return null;
  const first = answered(picture, one).answer, second = answered(picture, two).answer;
  if (first?.node === undefined || second?.node === undefined) return null;
  const treeA = models.get(one).tree, treeB = models.get(two).tree;
  if (treeA.sameAs(treeB)) return relation(treeA, first.node, second.node);
  const a = treeA.key(first.node), b = treeB.key(second.node);
  if (a === b) return "same";
  if (a === "" || b.startsWith(`${a}/`)) return "finer";
  return b === "" || a.startsWith(`${b}/`) ? "coarser" : "apart";
}

/* ---- pictures come and go ---- */
async function take(files) {
  if (!files.length) return;
  const added = files.map(file => new Picture(file));
  pictures.push(...added);
  choose(added[0]);
  say(`${count(files.length, "picture")} added.`);
  queue.pump();
  for (const picture of added) {
    await picture.thumbnail();
    refresh();
  }
}
function remove(picture) {
  const place = pictures.indexOf(picture);
  if (place < 0) return;
  pictures.splice(place, 1);
  URL.revokeObjectURL(picture.url);
  byId(`picture-${picture.id}`)?.remove();
  if (chosen === picture) chosen = pictures[Math.min(place, pictures.length - 1)] ?? null;
  say(`${picture.name} removed.`);
  refresh();
}
function choose(picture) {
  chosen = picture;
  refresh();
  byId(`picture-${picture.id}`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
function move(by) {
  if (!pictures.length) return;
  const place = Math.max(0, Math.min(pictures.length - 1, pictures.indexOf(chosen) + by));
  choose(pictures[place]);
  sayAnswer();
}

/* ---- words for screen readers ---- */
function say(text) { byId("said").textContent = text; }
function sayAnswer(picture = chosen) {
  if (!picture) return;
  const parts = shownModels().map(name => {
    const { slot, answer } = answered(picture, name), { tree, title } = models.get(name);
    const who = shownModels().length > 1 ? `${title}: ` : "";
    if (slot?.state === "failed") return `${who}${slot.error}`;
    if (!answer) return `${who}no answer yet`;
    return `${who}${words(tree, answer)}`;
  });
  say(`${picture.name}: ${parts.join("; ")}`);
}
function words(tree, answer) {
  if (answer.nodes) return answer.nodes.map(node => tree.name(node)).join(" or ") || "none of the labels";
  const level = tree.level[answer.node];
  return [tree.name(answer.node), level, answer.node || tree.isNamed ? percent(answer.probability) : ""].filter(Boolean).join(", ");
}

/* ---- the strip of pictures ---- */
const drawnItems = new WeakMap();
function drawStrip() {
  const strip = byId("strip"), names = shownModels(), language = byId("names").value;
  let before = null, done = 0, failed = 0, again = 0, differing = 0;
  for (const picture of pictures) {
    let item = byId(`picture-${picture.id}`);
    if (!item) {
      item = make("li", { role: "option", id: `picture-${picture.id}` },
        make("span", { class: "thumb" }), make("span", { class: "of" }, make("span", { class: "file" }, make("bdi", { text: picture.name })), make("span", { class: "answers" })));
      item.addEventListener("click", () => { choose(picture); sayAnswer(); });
      if (before) before.after(item); else strip.prepend(item);
    }
    before = item;
    const states = names.map(name => answered(picture, name));
    for (const { slot } of states) {
      if (slot?.state === "done") done++;
      else if (slot?.state === "failed") { failed++; if (!slot.final) again++; }
    }
    const how = names.length > 1 ? difference(picture) : null, differs = how !== null && how !== "same";
    if (differs) differing++;
    const drawn = JSON.stringify([picture === chosen, Boolean(picture.thumb), Boolean(picture.kept), differs, language, states.map(({ slot, answer }) => [slot?.question.model, slot?.state, slot?.slow, slot?.error, answer?.node, answer?.nodes])]);
    if (drawnItems.get(item) === drawn) continue; // of hundreds, few change at a time
    drawnItems.set(item, drawn);
    const thumb = item.firstElementChild;
    if (picture.thumb && !thumb.firstChild) thumb.append(make("img", { src: picture.thumb, alt: "" }));
    item.setAttribute("aria-selected", String(picture === chosen));
    const lines = states.map(({ slot, answer }, k) => {
      const { tree } = models.get(names[k]);
      if (slot?.state === "failed") return make("span", { class: "bad", text: slot.error });
      if (!answer) return make("span", { class: "wait", text: slot?.state === "sending" ? (slot.slow ? "still waiting" : "asking") : "waiting" });
      const line = make("span", { class: answer.node === 0 && !tree.isNamed ? "none" : "" });
      if (names.length > 1) line.append(make("i", { class: `swatch m${k}`, "aria-hidden": "true" }));
      line.append(make("bdi", { text: answer.nodes ? words(tree, answer) : tree.name(answer.node) }));
      return line;
    });
    item.lastElementChild.lastElementChild.replaceChildren(...lines);
    item.classList.toggle("failed", states.some(({ slot }) => slot?.state === "failed"));
    item.classList.toggle("busy", states.some(({ slot }) => !slot || slot.state === "waiting" || slot.state === "sending"));
    item.classList.toggle("differs", differs);
    item.classList.toggle("is-kept", Boolean(picture.kept));
    item.setAttribute("aria-label", `${picture.name}: ${lines.map(line => line.textContent).join("; ")}${differs ? "; the models differ" : ""}${picture.kept ? "; label kept" : ""}`);
  }
  if (chosen) strip.setAttribute("aria-activedescendant", `picture-${chosen.id}`);
  else strip.removeAttribute("aria-activedescendant");

  const all = pictures.length * names.length, progress = byId("progress");
  byId("tally").textContent = names.length > 1 && done === all ? `${number(differing)} of ${count(pictures.length, "picture")} differ` : count(pictures.length, "picture");
  progress.hidden = done + failed === all || all < 2;
  progress.max = all || 1;
  progress.value = done + failed;
  byId("retry-all").hidden = !again;
  byId("retry-all").textContent = again ? `Try ${count(again, "failed one")} again` : "";
}

/* ---- the chosen picture and its answers ---- */
function drawPicture() {
  const photo = byId("photo"), unseen = byId("unseen");
  if (photo.dataset.of !== String(chosen.id)) {
    photo.dataset.of = chosen.id;
    photo.src = chosen.url;
  }
  photo.alt = chosen.name;
  photo.hidden = chosen.unreadable;
  unseen.hidden = !chosen.unreadable;
  unseen.textContent = chosen.unreadable ? "The browser cannot show this file." : "";
  byId("file-name").replaceChildren(make("bdi", { text: chosen.name }));
}

class Panel {
  constructor(name, place) {
    Object.assign(this, { name, place });
    const { title, method } = models.get(name);
    this.who = make("header", { class: "who" }, make("i", { class: `swatch m${place}`, "aria-hidden": "true" }), make("b", { text: title }), make("span", { class: "soft", text: method && !title.includes(method) ? method : "" }));
    this.verdict = make("div", { class: "verdict" });
    this.list = make("ul", { role: "tree", class: "tree", "aria-label": `Labels around the answer${panels.length ? ` of ${title}` : ""}` });
    this.box = make("article", { class: `model m${place}` }, this.who, this.verdict, this.list);
    this.branches = new Branches(this.list, canKeep ? node => this.correct(node) : null);
    this.shown = "";
  }
  get model() { return models.get(this.name); }
  draw() {
    const { slot, answer, goal } = answered(chosen, this.name), { tree } = this.model;
    const text = JSON.stringify([chosen.id, slot?.state, slot?.error, slot?.slow, answer, chosen.kept?.node, byId("names").value, queue.corrections.filter(one => one.picture === chosen).map(one => one.state)]);
    this.who.hidden = shownModels().length < 2;
    if (text !== this.shown) {
      const act = document.activeElement?.dataset?.act && this.verdict.contains(document.activeElement) ? document.activeElement.dataset.act : null;
      this.shown = text;
      this.verdict.replaceChildren(...this.said(slot, answer));
      if (act) this.verdict.querySelector(`[data-act="${act}"]`)?.focus();
    }
    this.list.hidden = answer?.node === undefined;
    if (answer?.node !== undefined) this.branches.show({ tree, known: knownOf(slot, tree), node: answer.node, goal, subject: `${chosen.id} ${slot.question.key} ${byId("names").value}` });
  }
  said(slot, answer) {
    const { tree } = this.model;
    if (!slot || slot.state === "waiting" || slot.state === "sending") {
      const text = queue.trouble ? (queue.trouble.kind === "key" ? "Waiting for a key" : "Waiting for the server") : slot?.slow ? "The server takes its time" : "Looking";
      return [make("p", { class: "crumbs", text: " " }), make("h2", { class: "looking", text }), make("p", { class: "sure", text: " " })];
    }
    if (slot.state === "failed") {
      const again = slot.final ? null : make("button", { type: "button", class: "main", "data-act": "retry", text: "Try again", onclick: () => queue.retry(chosen) });
      return [make("h2", { class: "failed", text: "No answer" }), make("p", { class: "error", text: slot.error }), make("div", { class: "acts" }, again)];
    }
    const isNothing = answer.node === 0 && !tree.isNamed;
    const crumbs = make("p", { class: "crumbs" });
    crumbs.title = tree.above(answer.node ?? 0).join(" › "); // the whole path is in the tree below, too
    for (const name of tree.crumbs(answer.node ?? 0)) crumbs.append(make("bdi", { text: name }), "\u00a0", make("i", { "aria-hidden": "true", text: "›" }), " ");
    const title = make("h2", { class: isNothing ? "nothing" : "" }, make("bdi", { text: answer.nodes ? words(tree, answer) : tree.name(answer.node) }));
    const sure = make("p", { class: "sure" });
    if (isNothing) sure.append("Nothing can be said this carefully.");
    else if (answer.node !== undefined) {
      sure.append(make("span", {}, make("b", { text: percent(answer.probability) }), " probable"));
      const level = tree.level[answer.node], inside = tree.leaves[answer.node];
      if (level) sure.append(make("span", { text: level }));
      if (inside > 1) sure.append(make("span", { text: `${number(inside)} classes below` }));
    }
    sure.append(make("span", { class: "took", text: `${slot.seconds < 10 ? slot.seconds.toFixed(slot.seconds < 1 ? 2 : 1) : Math.round(slot.seconds)} s` }));
    const parts = [crumbs, title, sure];
    if (answer.node !== undefined) parts.push(this.acts(answer));
    return parts;
  }
  acts(answer) {
    const mine = queue.corrections.find(one => one.picture === chosen && one.model === this.name);
    const acts = make("div", { class: "acts" });
    if (canKeep) {
      const label = mine ? `${{ kept: "Kept as", failed: "Not kept:", sending: "Keeping as", waiting: "To be kept as" }[mine.state]} ${mine.tree.name(mine.node)}` : "";
      const isRight = mine?.node === answer.node && mine.state === "kept";
      acts.append(make("button", { type: "button", class: "plain", "data-act": "right", disabled: answer.node === 0, "aria-pressed": String(isRight), title: "Keep this answer as the label (y)", text: "✓ Right", onclick: () => this.right() }),
        make("button", { type: "button", class: "plain", "data-act": "correct", title: "Choose the right label (c)", text: "Correct…", onclick: () => this.correct() }));
      if (mine) acts.append(make("span", { class: `note ${mine.state}` }, make("bdi", { text: label })));
    } else {
      acts.append(make("span", { class: "note", text: "Corrections are off: the server was started without a folder to keep them in (--keep)." }));
    }
    return acts;
  }
  likely() {
    const { slot, answer } = answered(chosen, this.name), { tree } = this.model, { result } = slot;
    const found = [answer.node, ...(result.leaves ?? []).slice(0, 6).map(leaf => leaf.node), ...(result.ladder ?? []).map(rung => rung.node), ...tree.path(answer.node).reverse()]; // the root is no label
    return [...new Set(found)].filter(node => node > 0);
  }
  right() {
    const { answer } = answered(chosen, this.name), { tree } = this.model;
    if (!canKeep || !answer?.node) return;
    keepLabel({ picture: chosen, model: this.name, tree, node: answer.node, predicted: answer.node });
  }
  correct(node = null) {
    const { slot, answer } = answered(chosen, this.name), { tree } = this.model;
    if (!canKeep || answer?.node === undefined) return;
    corrector.ask({ picture: chosen, model: this.name, tree, known: knownOf(slot, tree), node: answer.node, likely: this.likely(), chosen: node });
  }
}
function drawDifference() {
  const how = difference(chosen), box = byId("difference"), [first, second] = shownModels().map(name => models.get(name).title);
  const text = how && { same: "Both give the same answer", finer: `${second} is finer than ${first}`, coarser: `${first} is finer than ${second}`, apart: "The answers differ" }[how];
  box.hidden = !text;
  box.className = how ?? "";
  box.textContent = text ?? "";
}
function keepLabel(correction) {
  queue.correct(correction);
  refresh();
}
const corrector = new Corrector(keepLabel);

/* ---- the whole tree above all ---- */
const crowns = new Map();
function drawCrowns() {
  const names = shownModels(), box = byId("crowns");
  const wanted = names.length ? names : [];
  if (box.dataset.of !== JSON.stringify(wanted)) {
    box.dataset.of = JSON.stringify(wanted);
    crowns.clear();
    box.replaceChildren(...wanted.map((name, place) => {
      const inner = make("div", { class: `crown m${place}` });
      crowns.set(name, { box: inner });
      return inner;
    }));
    for (const name of wanted) {
      const crown = new Crown(crowns.get(name).box, models.get(name).tree, id => choose(pictures.find(picture => picture.id === id)));
      crowns.set(name, crown);
      crown.draw();
    }
  }
  for (const [name, crown] of crowns) {
    const marks = [];
    let goal = 0, text = "";
    for (const picture of pictures) {
      const found = answered(picture, name);
      if (found.answer?.node === undefined) continue;
      marks.push({ id: picture.id, node: found.answer.node, chosen: picture === chosen });
      if (picture === chosen) { goal = found.goal; text = models.get(name).tree.name(found.answer.node); }
    }
    crown.show(marks, goal, text);
  }
}

/* ---- from bold to careful ---- */
function setStops() {
  const sliders = shownModels().map(name => models.get(name).slider), all = stops(sliders), range = byId("caution");
  range.max = all.length - 1;
  let place = stop ? all.findIndex(one => one.share === stop.share && one.caution === stop.caution) : all.findIndex(one => one.share !== null && one.share >= STARTS_AT);
  if (place < 0) place = stop?.share ? Math.max(0, all.findLastIndex(one => one.share !== null && one.share <= stop.share)) : 0;
  range.value = place;
  stop = all[place];
  byId("ticks").replaceChildren(...all.map((one, k) => {
    const tick = make("span", { text: one.share === null ? "" : share(one.share) });
    tick.style.setProperty("--at", all.length > 1 ? k / (all.length - 1) : 0);
    return tick;
  }));
  byId("ticks").classList.toggle("many", all.length > 7);
  range.dataset.stops = JSON.stringify(all);
}
function promiseText() {
  const names = shownModels(), sliders = names.map(name => models.get(name).slider);
  const restricted = Boolean(allowedText.trim() || allowedBranches.size);
  if (stop.caution !== undefined) return stop.caution ? "More careful, without a promise: the model has too few labelled pictures to measure one on." : "Bold: the most informative answer. No promise can be made for this model.";
  if (stop.share === null) return "Bold: the most informative answer, without a promise.";
  if (restricted) return `Careful, but without a promise: ${share(stop.share)} was measured with all classes allowed.`;
  const lines = sliders.map(slider => {
    const position = positionAt(slider, stop);
    if (position.share === null) return "no promise";
    return `right at least ${share(position.share)} of the time, measured on ${count(slider.images, "picture")}, at ${share(slider.confidence)} confidence`;
  });
  if (new Set(lines).size === 1) return sentence(`${lines.length > 1 ? "both " : ""}${lines[0]}`);
  return lines.map((line, k) => `${models.get(names[k]).title}: ${line}.`).join(" ");
}
function drawDock() {
  byId("dock").hidden = !pictures.length;
  const text = promiseText(), range = byId("caution");
  byId("promise").textContent = text;
  const place = Number(range.value), last = Number(range.max);
  range.setAttribute("aria-valuetext", stop.share === null ? (place ? `step ${place} of ${last}` : "bold") : share(stop.share));
  range.style.setProperty("--filled", last ? place / last : 0);
}
function setPlace(place) {
  const range = byId("caution"), all = JSON.parse(range.dataset.stops);
  const to = Math.max(0, Math.min(all.length - 1, place));
  range.value = to;
  stop = all[to];
  refresh();
  sayAnswer();
}
const step = by => setPlace(Number(byId("caution").value) + by);

/* ---- what was kept ---- */
function drawKept() {
  const { corrections } = queue;
  byId("kept").hidden = !corrections.length;
  const kept = corrections.filter(one => one.state === "kept").length;
  byId("kept-title").textContent = `Kept for the next training${kept ? `: ${number(kept)}` : ""}`;
  byId("kept-list").replaceChildren(...corrections.map(one => {
    const { tree, node, predicted, picture, state } = one;
    const path = tree.path(node).map(v => tree.name(v)).join(" › ");
    const item = make("li", { class: state }, make("span", { class: "thumb" }, picture.thumb ? make("img", { src: picture.thumb, alt: "" }) : ""),
      make("span", { class: "of" }, make("b", {}, make("bdi", { text: path || tree.name(node) })),
        make("span", { class: "soft" }, make("bdi", { text: node === predicted ? "as answered" : `answered ${tree.name(predicted)}` }), " · ", make("bdi", { text: picture.name })),
        state === "failed" ? make("span", { class: "bad", text: one.error }) : state === "kept" ? "" : make("span", { class: "wait", text: queue.trouble ? "waiting for the server" : "being kept" })));
    if (state === "failed") item.append(make("button", { type: "button", class: "plain small", text: "Try again", onclick: () => { one.state = "waiting"; queue.pump(); } }));
    return item;
  }));
}

/* ---- when the server fails ---- */
function drawTrouble() {
  const { trouble } = queue, box = byId("trouble");
  const isShown = Boolean(trouble) && !(trouble.kind === "key" && byId("key").open);
  if (box.hidden === isShown) box.hidden = !isShown;
  if (!trouble) return;
  const { pictures: waiting, corrections } = queue.left;
  const kept = [waiting ? count(waiting, "picture") : "", corrections ? count(corrections, "correction") : ""].filter(Boolean).join(" and ");
  const seconds = Math.max(1, Math.ceil((queue.until - performance.now()) / 1000));
  const text = sentence(trouble.message);
  if (byId("trouble-text").textContent !== text) byId("trouble-text").textContent = text;
  byId("trouble-kept").textContent = `${kept ? `${kept} kept here; ` : ""}${trouble.kind === "key" ? "a key is needed to go on." : `trying again in ${seconds} s.`}`.replace(/^./, first => first.toUpperCase());
  byId("trouble-again").textContent = trouble.kind === "key" ? "Give a key" : "Try now";
}
setInterval(() => { if (queue.trouble) drawTrouble(); }, 1000);
function askForKey(message) {
  byId("key-why").textContent = server.key() ? `${message} Please check the key.` : "Whoever runs the server has it. It is remembered until this tab closes.";
  byId("key-value").value = "";
  open(byId("key"));
  byId("key-value").focus();
}

/* ---- everything ---- */
const refresh = once(() => {
  if (!shownModels().length) return;
  document.body.classList.toggle("empty", !pictures.length);
  document.body.classList.toggle("comparing", shownModels().length > 1);
  byId("welcome").hidden = Boolean(pictures.length);
  byId("work").hidden = !pictures.length;
  drawDock();
  if (pictures.length) drawStrip();
  drawCrowns();
  if (chosen) {
    drawPicture();
    const names = shownModels();
    if (panels.map(panel => panel.name).join("\n") !== names.join("\n")) {
      panels = [];
      for (const [place, name] of names.entries()) panels.push(new Panel(name, place));
      byId("models").replaceChildren(...panels.map(panel => panel.box));
    }
    for (const panel of panels) panel.draw();
    drawDifference();
  }
  drawKept();
  drawTrouble();
});
queue.addEventListener("change", refresh);
queue.addEventListener("trouble", ({ detail }) => {
  if (detail?.kind === "key") askForKey(detail.message);
  refresh();
});
queue.addEventListener("answer", ({ detail }) => {
  performance.mark(`answered-${detail.picture.id}`);
  if (detail.picture === chosen) requestAnimationFrame(() => sayAnswer());
});
queue.addEventListener("kept", ({ detail }) => say(`Kept: ${detail.picture.name} as ${detail.tree.name(detail.node)}.`));

/* ---- a model that was replaced while this page was open ---- */
let renewed = -Infinity;
/** Whether a result is of the tree that is known here; if not, the tree is read and the pictures are asked again. */
queue.fits = (name, { node, label_path: path }) => {
  const { tree } = models.get(name);
  if (!node || !path || (node < tree.size && tree.key(node) === path)) return true;
  if (performance.now() - renewed < 10_000) return true; // once is enough
  renewed = performance.now();
  models.get(name).isStale = true;
  for (const picture of pictures) for (const [key, slot] of picture.slots) if (slot.question.model === name) picture.slots.delete(key);
  say("The model was replaced; all pictures are asked again.");
  change();
  return false;
};

/* ---- choices ---- */
async function load(name) {
  const model = models.get(name);
  if (!model.tree || model.isStale) {
    const [tree, slider] = await Promise.all([server.tree(name), server.slider(name)]);
    model.slider = slider;
    model.tree = new Tree(tree.nodes);
    model.isStale = false;
    model.shownNames = "";
  }
  const language = byId("names").value;
  if ((model.shownNames ?? "") !== language) {
    model.tree.rename(language && model.languages?.includes(language) ? (await server.tree(name, language)).nodes.name : model.tree.originals);
    model.shownNames = language;
  }
}
/** Loads what the choices need; the server may be away, so it is tried until it is there. */
async function change() {
  asked = null;
  try {
    for (const name of [byId("model").value, byId("beside").value]) if (name) await load(name);
  } catch (error) {
    return later(error, change);
  }
  asked = null;
  document.body.classList.remove("loading");
  for (const option of byId("beside").options) option.disabled = option.value === byId("model").value;
  if (byId("beside").value === byId("model").value) byId("beside").value = "";
  setLanguages();
  setStops();
  drawWelcome();
  byId("allow").hidden = false;
  const isRestricted = Boolean(allowedText.trim() || allowedBranches.size);
  byId("allow").textContent = isRestricted ? `Only ${count(allowedIn(models.get(shownModels()[0]).tree).length, "class")}` : "All classes";
  byId("allow").classList.toggle("on", isRestricted);
  panels = [];
  for (const picture of pictures) for (const slot of picture.slots.values()) slot.known = null;
  byId("crowns").dataset.of = "";
  queue.pump();
  refresh();
}
let laterTimer = 0, tries = 0;
function later(error, act) {
  if (!(error instanceof server.Trouble)) throw error;
  clearTimeout(laterTimer);
  const box = byId("trouble");
  box.hidden = false;
  byId("trouble-text").textContent = sentence(error.message);
  if (error.kind === "key") {
    byId("trouble-kept").textContent = "A key is needed to go on.";
    byId("trouble-again").textContent = "Give a key";
    askForKey(error.message);
  } else {
    byId("trouble-kept").textContent = "This page waits and tries again.";
    byId("trouble-again").textContent = "Try now";
    laterTimer = setTimeout(() => again?.(), Math.min(10_000, 1_000 * 1.6 ** tries++));
  }
  again = () => { clearTimeout(laterTimer); again = null; box.hidden = true; act(); };
}
let again = null;

async function begin() {
  let told;
  try { told = await server.models(); } catch (error) { return later(error, begin); }
  canKeep = Boolean(told.can_keep);
  queue.limits = told.limits ?? {};
  for (const model of told.models) models.set(model.name, { ...model, title: model.title || model.name, tree: null });
  const first = told.models.find(model => model.default) ?? told.models[0];
  byId("model").replaceChildren(...told.models.map(model => make("option", { value: model.name, text: models.get(model.name).title })));
  byId("model").value = first.name;
  byId("beside").replaceChildren(make("option", { value: "", text: "compare with…" }), ...told.models.map(model => make("option", { value: model.name, text: models.get(model.name).title })));
  byId("beside").value = "";
  byId("model-choice").hidden = false;
  byId("beside-choice").hidden = told.models.length < 2;
  change();
}
function setLanguages() {
  const names = byId("names"), before = names.value, languages = [...new Set(shownModels().flatMap(name => models.get(name).languages ?? []))];
  const inWords = code => { try { return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code; } catch { return code; } };
  names.replaceChildren(make("option", { value: "", text: "as trained" }), ...languages.map(code => make("option", { value: code, text: inWords(code) })));
  names.value = languages.includes(before) ? before : "";
  byId("names-choice").hidden = !languages.length;
}
function drawWelcome() {
  const { tree, title } = models.get(shownModels()[0]), { maxDepth } = tree;
  document.title = `${title} · cladewise`;
  const perLevel = new Map();
  for (let v = 1; v < tree.size; v++) { const level = tree.level[v]; if (level) perLevel.set(level, (perLevel.get(level) ?? 0) + 1); }
  const levels = perLevel.size && perLevel.size <= 8 ? [...perLevel] : [["levels", maxDepth], ["nodes", tree.size - 1], ["leaves", tree.leaves[0]]];
  byId("welcome-text").textContent = `${title} finds the place of each among ${number(tree.leaves[0])} classes, and stops where it is not sure.`;
  byId("levels").classList.toggle("counts", !perLevel.size || perLevel.size > 8);
  byId("levels").replaceChildren(...levels.map(([level, nodes]) => make("div", {}, make("dd", { text: number(nodes) }), make("dt", {}, make("bdi", { text: level })))));
}

/* ---- allowed classes ---- */
function askAllowed() {
  const { tree } = models.get(shownModels()[0]), branches = tree.children(0);
  const listed = branches.length <= 40 ? branches : [];
  byId("allowed-branches").hidden = !listed.length;
  byId("allowed-branches").replaceChildren(...listed.map(node => {
    const key = tree.key(node), input = make("input", { type: "checkbox", value: key, checked: allowedBranches.has(key), onchange: tellAllowed });
    return make("label", { class: "check" }, input, make("bdi", { text: tree.name(node) }));
  }));
  byId("allowed-text").value = allowedText;
  tellAllowed();
  open(byId("allowed"));
}
const ticked = () => [...byId("allowed-branches").querySelectorAll("input:checked")].map(input => input.value);
function tellAllowed() {
  const { tree } = models.get(shownModels()[0]), lines = byId("allowed-text").value.split("\n").map(line => line.trim()).filter(Boolean);
  const unknown = lines.filter(line => !tree.called(line).length), nodes = new Set(lines.flatMap(line => tree.called(line)));
  const branches = new Set(ticked());
  for (const node of tree.children(0)) if (branches.has(tree.key(node))) nodes.add(node);
  let leaves = 0, end = 0;
  for (const v of [...nodes].sort((a, b) => a - b)) if (v >= end) { leaves += tree.leaves[v]; end = tree.end[v]; }
  byId("allowed-said").textContent = unknown.length ? `Not in the tree: ${unknown.slice(0, 4).join(", ")}${unknown.length > 4 ? ` and ${unknown.length - 4} more` : ""}.`
    : nodes.size ? `${number(leaves)} of ${number(tree.leaves[0])} leaves.` : "Nothing chosen: all classes.";
  byId("allowed-said").classList.toggle("bad", unknown.length > 0);
  byId("allowed-use").disabled = unknown.length > 0;
}
function setAllowed(text, branches) {
  allowedText = text;
  allowedBranches = new Set(branches);
  byId("allowed").close();
  change();
}

/* ---- theme ---- */
function toggleTheme() {
  const root = document.documentElement, isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("cladewise-theme", root.dataset.theme); } catch { /* for this visit alone */ }
  redraw();
}
function redraw() {
  for (const crown of crowns.values()) crown.draw();
  refresh();
}

/* ---- keys ---- */
const panel = () => panels.find(one => one.box.contains(document.activeElement)) ?? panels[0];
const chooseFiles = () => byId("files").click();
const openCamera = setUpCamera(take);
function nextDifference() {
  const at = pictures.indexOf(chosen), order = [...pictures.slice(at + 1), ...pictures.slice(0, at + 1)];
  const found = order.find(picture => { const how = difference(picture); return how && how !== "same"; });
  if (found) { choose(found); sayAnswer(); } else say("The models agree on all pictures.");
}
const KEYS = [
  ["o", "choose pictures", chooseFiles],
  ["p", "take a picture with the camera", openCamera],
  ["← →", "previous or next picture"],
  ["-  +", "bolder or more careful"],
  ["y", "the answer is right: keep it", () => panel()?.right()],
  ["c", "correct the answer", () => panel()?.correct()],
  ["t", "into the tree; arrows move in it, Enter takes a label", () => panel()?.list.querySelector('[tabindex="0"]')?.focus()],
  ["r", "try failed pictures again", () => pictures.forEach(picture => queue.retry(picture))],
  ["Delete", "remove the picture"],
  ["n", "next picture on which the models differ", nextDifference],
  ["a", "allowed classes", () => { if (shownModels().length) askAllowed(); }],
  ["d", "light or dark", toggleTheme],
  ["?", "this list", () => open(byId("keys"))],
  ["Esc", "close"],
];
byId("keys-list").replaceChildren(...KEYS.map(([key, text]) => make("div", {}, make("dt", {}, ...key.split(/\s+/).map(one => make("kbd", { text: one }))), make("dd", { text }))));
const singleKeys = byId("keys-on");
try { singleKeys.checked = localStorage.getItem("cladewise-keys") !== "off"; } catch { /* on */ }
singleKeys.addEventListener("change", () => { try { localStorage.setItem("cladewise-keys", singleKeys.checked ? "on" : "off"); } catch { /* for this visit alone */ } });

addEventListener("keydown", event => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const { target, key } = event, isTyping = target.matches("input:not([type=range]):not([type=checkbox]), textarea, select");
  if (isTyping || !singleKeys.checked) return;
  const isRange = target.matches("input[type=range]"), inTree = Boolean(target.closest?.("[role=tree]"));
  const act = KEYS.find(([name, , run]) => run && name === key)?.[2];
  if (act) act();
  else if (key === "+" || key === "=") step(1);
  else if (key === "-") step(-1);
  else if ((key === "ArrowLeft" || key === "ArrowRight") && !isRange && !inTree && target.id !== "strip") move(key === "ArrowRight" ? 1 : -1);
  else if (key === "Delete" && chosen && !inTree) remove(chosen);
  else return;
  event.preventDefault();
});
byId("strip").addEventListener("keydown", event => {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity }[event.key];
  if (by !== undefined) move(by === -Infinity ? -pictures.length : by === Infinity ? pictures.length : by);
  else if (event.key === "Delete" && chosen) remove(chosen);
  else return;
  event.preventDefault();
});

/* ---- what is wired once ---- */
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", { choose: chooseFiles, camera: openCamera, "choose-instead": () => { byId("camera").close(); chooseFiles(); } }[button.dataset.do]);
}
for (const button of document.querySelectorAll("dialog .close")) button.addEventListener("click", () => button.closest("dialog").close());
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
byId("key").addEventListener("close", drawTrouble);
byId("key-form").addEventListener("submit", event => {
  event.preventDefault();
  server.setKey(byId("key-value").value.trim());
  byId("key").close();
  if (again) again();
  else queue.resume();
});
byId("trouble-again").addEventListener("click", () => {
  if (byId("trouble-again").textContent === "Give a key") askForKey("The server refused the key.");
  else if (again) again();
  else queue.resume();
});
byId("caution").addEventListener("input", () => setPlace(Number(byId("caution").value)));
byId("model").addEventListener("change", change);
byId("beside").addEventListener("change", change);
byId("names").addEventListener("change", change);
byId("allow").addEventListener("click", askAllowed);
byId("allowed-text").addEventListener("input", tellAllowed);
byId("allowed-use").addEventListener("click", () => setAllowed(byId("allowed-text").value, ticked()));
byId("allowed-all").addEventListener("click", () => setAllowed("", []));
byId("remove").addEventListener("click", () => remove(chosen));
byId("retry-all").addEventListener("click", () => pictures.forEach(picture => queue.retry(picture)));
byId("theme").addEventListener("click", toggleTheme);
byId("help").addEventListener("click", () => open(byId("keys")));
byId("photo").addEventListener("error", () => { if (chosen) { chosen.unreadable = true; refresh(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new ResizeObserver(once(redraw)).observe(byId("crowns"));
addEventListener("beforeunload", event => { if (queue.left.corrections) event.preventDefault(); });
takeIn(byId("files"), take);
begin();
