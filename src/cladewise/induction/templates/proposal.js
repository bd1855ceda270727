"use strict";
(() => {
  const { nodes: given, columns } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const said = byId("said");
  let serial = given.length, selected = new Set(), closed = new Set(), past = [], future = [];

  // a node: { key, name, isClass, certainty, evidence, further, children }; the root has key 0
  const made = given.map((node, key) => ({ ...node, key, children: [] }));
  made.forEach((node) => { if (node.parent >= 0) made[node.parent].children.push(node); });
  made.forEach((node) => delete node.parent);
  let root = made[0];

  const copied = (node) => ({ ...node, children: node.children.map(copied) });
  const walk = (node, visit, above = null) => { visit(node, above); node.children.forEach((child) => walk(child, visit, node)); };
  const index = () => { const found = new Map(); walk(root, (node, above) => found.set(node.key, { node, above })); return found; };
  const size = (node) => node.isClass ? 1 : node.children.reduce((sum, child) => sum + size(child), 0);
  const tell = (text, bad = false) => { said.textContent = text; said.classList.toggle("bad", bad); };

  function edit(what, change) {
    const before = copied(root);
    const problem = change(index());
    if (problem) { root = before; tell(problem, true); draw(); return false; }
    past.push({ tree: before, what });
    future = [];
    tell(what);
    draw();
    return true;
  }

  const nameIsTaken = (parent, name, but) => parent.children.some((child) => child !== but && child.name === name);

  function rename(key, name) {
    const text = name.trim();
    const current = index().get(key);
    if (text === current.node.name) { draw(); return; }
    edit(`Renamed ${current.node.name} to ${text}`, (found) => {
      const { node, above } = found.get(key);
      if (!text) return "A group needs a name.";
      if (nameIsTaken(above, text, node)) return `There is a ${text} beside it already.`;
      node.name = text;
    });
  }

  function move(keys, target) {
    const names = index();
    const chosen = [...keys].filter((key) => key !== 0 && names.has(key));
    const where = target === 0 ? "the top" : names.get(target).node.name;
    const what = chosen.length === 1 ? names.get(chosen[0]).node.name : `${chosen.length} nodes`;
    if (!chosen.length) return;
    edit(`Moved ${what} to ${where}`, (found) => {
      const goal = found.get(target).node;
      let moved = 0;
      for (const key of chosen) {
        const { node } = found.get(key);
        const inside = new Set();
        walk(node, (each) => inside.add(each.key));
        if (inside.has(target)) return `${node.name} cannot be moved into itself.`;
        const { above } = index().get(key);
        if (above === goal) continue;
        if (nameIsTaken(goal, node.name)) return `There is a ${node.name} in ${where} already.`;
        above.children.splice(above.children.indexOf(node), 1);
        goal.children.push(node);
        moved += 1;
      }
      if (!moved) return `It is in ${where} already.`;
      selected.clear();
    });
  }

  function freshName(parent) {
    let number = 1;
    while (nameIsTaken(parent, `new group ${number}`)) number += 1;
    return `new group ${number}`;
  }

  function insert(parentKey, keys = []) {
    let key = null;
    edit("Made a new group", (found) => {
      const parent = found.get(parentKey).node;
      const group = { key: serial++, name: freshName(parent), isClass: false, certainty: null, evidence: "made by hand", further: columns.map(() => ""), children: [] };
      key = group.key;
      for (const each of keys) {
        const { node } = found.get(each);
        const inside = new Set();
        walk(node, (one) => inside.add(one.key));
        if (inside.has(parentKey)) return `${node.name} cannot be moved into itself.`;
        const { above } = index().get(each);
        above.children.splice(above.children.indexOf(node), 1);
        group.children.push(node);
      }
      parent.children.unshift(group);
      selected.clear();
    });
    const label = document.querySelector(`[data-key="${key}"] .name`);
    if (label) startRenaming(label, key);
  }

  function remove(key) {
    const { node: shown } = index().get(key);
    edit(`Deleted ${shown.name}; its members moved up`, (found) => {
      const { node, above } = found.get(key);
      const twice = node.children.find((child) => nameIsTaken(above, child.name, node));
      if (twice) return `There is a ${twice.name} above already.`;
      above.children.splice(above.children.indexOf(node), 1, ...node.children);
      selected.delete(key);
    });
  }

  function commonGroup(keys) {
    const found = index();
    const chain = (key) => { const path = []; for (let at = found.get(key).above; at; at = found.get(at.key).above) path.unshift(at.key); return path; };
    return [...keys].map(chain).reduce((shared, path) => shared.filter((key, place) => path[place] === key)).at(-1);
  }

  function step(from, to) {
    const last = from.pop();
    if (!last) return;
    to.push({ tree: root, what: last.what });
    root = last.tree;
    const there = index();
    selected = new Set([...selected].filter((key) => there.has(key)));
    tell(`${from === past ? "Undone" : "Done again"}: ${last.what}`);
    draw();
  }

  // ---------------------------------------------------------------- drawing

  const element = (tag, className, text) => { const made = document.createElement(tag); if (className) made.className = className; if (text !== undefined) made.textContent = text; return made; };

  function sureness(node) {
    if (node.certainty === null || node.certainty === undefined) return null;
    const kind = node.certainty >= 0.75 ? "right" : node.certainty >= 0.5 ? "coarser" : "wrong";
    const badge = element("b", `sure ${kind}`, node.certainty.toFixed(2).replace(/^0/, ""));
    badge.title = `certainty ${node.certainty.toFixed(2)}`;
    return badge;
  }

  function startRenaming(label, key) {
    const field = element("input", "name");
    field.value = index().get(key).node.name;
    field.setAttribute("aria-label", "Name of the group");
    let done = false;
    const finish = (keep) => { if (done) return; done = true; if (keep) rename(key, field.value); else draw(); };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
      event.stopPropagation();
    });
    field.addEventListener("blur", () => finish(true));
    label.replaceWith(field);
    field.focus();
    field.select();
  }

  function draggable(shown, key) {
    shown.draggable = true;
    shown.addEventListener("dragstart", (event) => {
      event.stopPropagation();
      const keys = selected.has(key) ? [...selected] : [key];
      event.dataTransfer.setData("text/plain", keys.join(","));
      event.dataTransfer.effectAllowed = "move";
    });
  }

  function droppable(shown, key) {
    shown.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); shown.classList.add("over"); });
    shown.addEventListener("dragleave", () => shown.classList.remove("over"));
    shown.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      shown.classList.remove("over");
      move(event.dataTransfer.getData("text/plain").split(",").map(Number), key);
    });
  }

  function toggle(key) {
    if (selected.has(key)) selected.delete(key); else selected.add(key);
    draw();
    document.querySelector(`.class[data-key="${key}"]`)?.focus();
  }

  function drawnClass(node) {
    const item = element("li");
    const shown = element("button", "class");
    shown.type = "button";
    shown.dataset.key = node.key;
    shown.setAttribute("aria-pressed", selected.has(node.key));
    shown.append(element("bdi", "", node.name));
    if (node.certainty !== null && node.certainty < 0.75) shown.append(sureness(node));
    if (node.evidence) shown.title = node.evidence;
    shown.addEventListener("click", () => toggle(node.key));
    draggable(shown, node.key);
    item.append(shown);
    return item;
  }

  function drawnGroup(node) {
    const shown = element("div", "group");
    shown.dataset.key = node.key;
    const isTop = node.key === 0;
    if (isTop) shown.classList.add("top");
    if (selected.has(node.key)) shown.classList.add("selected");
    const head = element("div", "group-head");
    if (!isTop) {
      const grip = element("span", "grip", "⠿");
      grip.title = "Drag the group; click to select it";
      grip.addEventListener("click", () => toggle(node.key));
      draggable(grip, node.key);
      const label = element("button", "name");
      label.type = "button";
      label.append(element("bdi", "", node.name));
      label.title = "Rename";
      label.addEventListener("click", () => startRenaming(label, node.key));
      const fold = element("button", "fold", closed.has(node.key) ? "▸" : "▾");
      fold.type = "button";
      fold.setAttribute("aria-expanded", !closed.has(node.key));
      fold.setAttribute("aria-label", `Members of ${node.name}`);
      fold.addEventListener("click", () => { if (!closed.delete(node.key)) closed.add(node.key); draw(); });
      head.append(grip, fold, label);
    } else {
      head.append(element("span", "who", "top"));
    }
    const badge = sureness(node);
    const count = size(node);
    head.append(element("span", "who", `${count} class${count === 1 ? "" : "es"}`));
    if (badge) head.append(badge);
    const tools = element("span", "tools");
    const add = element("button", "add", "+ group");
    add.type = "button";
    add.addEventListener("click", () => insert(node.key));
    tools.append(add);
    if (!isTop) {
      const drop = element("button", "delete", "delete");
      drop.type = "button";
      drop.title = "Delete the group; its members move up";
      drop.addEventListener("click", () => remove(node.key));
      tools.append(drop);
    }
    head.append(tools);
    shown.append(head);
    if (node.evidence && !isTop) shown.append(element("p", "evidence", node.evidence));
    const children = closed.has(node.key) ? [] : node.children;
    const classes = children.filter((child) => child.isClass);
    if (classes.length) {
      const list = element("ul", "classes");
      list.append(...classes.map(drawnClass));
      shown.append(list);
    }
    shown.append(...children.filter((child) => !child.isClass).map(drawnGroup));
    droppable(shown, node.key);
    return shown;
  }

  function draw() {
    const place = window.scrollY;
    byId("root").replaceChildren(drawnGroup(root));
    byId("undo").disabled = !past.length;
    byId("redo").disabled = !future.length;
    byId("count").textContent = selected.size;
    for (const id of ["move", "group", "clear"]) byId(id).disabled = !selected.size;
    const target = byId("target"), kept = target.value;
    target.replaceChildren();
    const listed = (node, depth) => {
      if (node.isClass) return;
      const option = element("option", "", `${"\u2003".repeat(depth)}${node.key === 0 ? "the top" : node.name}`);
      option.value = node.key;
      target.append(option);
      node.children.forEach((child) => listed(child, depth + 1));
    };
    listed(root, 0);
    if ([...target.options].some((option) => option.value === kept)) target.value = kept;
    window.scrollTo(0, place);
  }

  // ---------------------------------------------------------------- the file

  const cell = (text) => /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

  function csv() {
    const hasIds = columns.includes("id");
    const rows = [];
    let deepest = 0, groups = 0, empty = 0;
    const ids = new Set(hasIds ? made.filter((node) => node.isClass).map((node) => node.further[columns.indexOf("id")]) : []);
    const add = (node, parent, depth) => {
      if (!node.isClass && node.key !== 0 && !size(node)) { empty += 1; return; }
      let id = String(rows.length);
      if (hasIds && node.isClass) id = node.further[columns.indexOf("id")];
      else if (hasIds) { id = ""; while (node.key !== 0 && (!id || ids.has(id))) id = `group_${++groups}`; }
      deepest = Math.max(deepest, depth);
      rows.push({ node, id, parent, depth });
      node.children.forEach((child) => add(child, id, depth + 1));
    };
    add(root, "", 0);
    const levels = Array.from({ length: deepest }, (_, k) => `level_${k + 1}`);
    const kept = columns.map((name, place) => [name, place]).filter(([name]) => name !== "id");
    const lines = [["id", "parent", "name", "level", ...kept.map(([name]) => name), "certainty", "evidence"]];
    for (const { node, id, parent, depth } of rows) {
      const sure = node.certainty === null ? "" : node.certainty.toFixed(3);
      lines.push([id, parent, node.name, depth ? levels[depth - 1] : levels.join(" > "), ...kept.map(([, place]) => node.further[place]), sure, node.evidence]);
    }
    return { text: lines.map((line) => line.map(cell).join(",")).join("\n") + "\n", empty };
  }

  function download() {
    const { text, empty } = csv();
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = "classes.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    tell(empty ? `Saved classes.csv without ${empty} empty group${empty === 1 ? "" : "s"}.` : "Saved classes.csv.");
  }

  byId("undo").addEventListener("click", () => step(past, future));
  byId("redo").addEventListener("click", () => step(future, past));
  byId("move").addEventListener("click", () => move(selected, Number(byId("target").value)));
  byId("group").addEventListener("click", () => insert(commonGroup(selected), [...selected]));
  byId("clear").addEventListener("click", () => { selected.clear(); draw(); });
  byId("download").addEventListener("click", download);
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) step(future, past); else step(past, future);
  });
  window.addEventListener("beforeunload", (event) => { if (past.length) event.preventDefault(); });
  draw();
})();
