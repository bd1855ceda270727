// the confusion matrix: pairs of one level and group as a table of the chosen classes
(() => {
  const source = document.getElementById("data-confusion");
  if (!source) return;
  const { levels } = JSON.parse(source.textContent);
  const table = document.getElementById("confusion-matrix");
  const part = document.getElementById("confusion-part");
  const said = document.getElementById("confusion-said");
  const chosen = { level: levels.length - 1, group: 0, unit: "count" };
  const MOST_STOPS = 6;
  const KINDS = { right: "right", coarser: "right but coarser", wrong: "wrong" };

  const make = (name, text = "", kind = "") => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.textContent = text;
    return made;
  };
  const named = (holder, text) => {
    const name = make("bdi", text);
    holder.append(name);
    return holder;
  };
  const worth = (level, label, answer) => {
    if (answer === label) return "right";
    if (answer < level.classes) return "wrong";
    const [start, end] = level.covers[answer - level.classes];
    return start <= label && label < end ? "coarser" : "wrong";
  };

  // counts of the chosen rows, by the answers: the chosen classes, where answers stop, and everything else
  const gather = (level, group, rows) => {
    const wanted = new Set(rows);
    const totals = new Map(group.totals);
    const stops = new Map();
    const pairs = [];
    for (let i = 0; i < group.label.length; i += 1) {
      if (!wanted.has(group.label[i])) continue;
      pairs.push([group.label[i], group.answer[i], group.count[i]]);
      if (group.answer[i] >= level.classes) stops.set(group.answer[i], (stops.get(group.answer[i]) ?? 0) + group.count[i]);
    }
    const common = [...stops.keys()].sort((a, b) => stops.get(b) - stops.get(a)).slice(0, MOST_STOPS).sort((a, b) => a - b);
    const columns = [
      ...rows.map((node) => ({ node, title: level.names[node], path: level.paths[node] })),
      ...common.map((node) => ({ node, title: `stops at ${level.names[node]}`, path: level.paths[node], parted: node === common[0] })),
    ];
    const rest = { title: "other answers", path: group.cut ? "classes outside this selection, and the rarest pairs" : "nodes outside this selection", parted: true };
    const at = new Map(columns.map(({ node }, index) => [node, index]));
    const cells = new Map(rows.map((node) => [node, new Map()]));
    const coarser = new Map();
    for (const [label, answer, count] of pairs) {
      const kind = worth(level, label, answer);
      if (at.has(answer)) cells.get(label).set(at.get(answer), { count, kind });
      else if (kind === "coarser") coarser.set(label, (coarser.get(label) ?? 0) + count);
    }
    let others = 0;
    for (const node of rows) {
      const shown = [...cells.get(node).values()].reduce((sum, cell) => sum + cell.count, 0);
      const left = (totals.get(node) ?? 0) - shown;
      if (left) cells.get(node).set(columns.length, { count: left, kind: left === coarser.get(node) ? "coarser" : "wrong" });
      others += left;
    }
    if (others) columns.push(rest);
    return { columns, cells, totals };
  };

  const text = (count, total) => {
    if (chosen.unit === "count") return count.toLocaleString("en");
    const percent = (100 * count) / total;
    return percent > 0 && percent < 1 ? "<1" : percent > 99 && percent < 100 ? ">99" : percent.toFixed(0);
  };

  const draw = () => {
    const level = levels[chosen.level];
    const group = level.groups[chosen.group];
    const rows = level.parts[Number(part.value)].of;
    const { columns, cells, totals } = gather(level, group, rows);
    const head = make("tr");
    head.append(make("th", "true class", "corner"));
    for (const column of columns) {
      const cell = make("th", "", column.parted ? "parted" : "");
      cell.scope = "col";
      cell.title = column.path;
      cell.append(named(make("span"), column.title));
      head.append(cell);
    }
    const sum = make("th", "", "parted");
    sum.scope = "col";
    sum.append(make("span", "images"));
    head.append(sum);
    const body = make("tbody");
    for (const node of rows) {
      const total = totals.get(node) ?? 0;
      const row = make("tr");
      const name = named(make("th"), level.names[node]);
      name.scope = "row";
      name.title = level.paths[node];
      row.append(name);
      columns.forEach((column, index) => {
        const found = cells.get(node).get(index);
        const cell = make("td", found ? text(found.count, total) : "", `cell ${found ? found.kind : ""}${column.parted ? " parted" : ""}`);
        if (found) cell.style.setProperty("--share", (found.count / total).toFixed(4));
        const share = found ? ` (${((100 * found.count) / total).toFixed(1)}%)` : "";
        const answered = column.node === undefined ? `answered with ${column.path}` : column.node < level.classes ? `answered with ${column.path}` : `left at ${column.path}`;
        const kind = found && column.node !== undefined ? `, ${KINDS[found.kind]}` : "";
        cell.dataset.said = `${level.paths[node]}: ${(found?.count ?? 0).toLocaleString("en")} of ${total.toLocaleString("en")}${share} ${answered}${kind}`;
        cell.tabIndex = -1;
        row.append(cell);
      });
      row.append(make("td", total.toLocaleString("en"), "parted total"));
      body.append(row);
    }
    const thead = make("thead");
    thead.append(head);
    table.replaceChildren(thead, body);
    const first = table.querySelector(".cell");
    if (first) first.tabIndex = 0;
    const cut = document.getElementById("confusion-cut");
    cut.hidden = !group.cut;
    cut.textContent = `The ${group.cut.toLocaleString("en")} rarest pairs of this level are counted under "other answers"; confusion.csv has them all.`;
    for (const panel of document.querySelectorAll(".confused")) panel.hidden = panel.id !== `confused-${chosen.level}-${chosen.group}`;
    for (const tabs of document.querySelectorAll("[data-confusion]"))
      for (const button of tabs.querySelectorAll("button"))
        button.setAttribute("aria-pressed", String(button.dataset.value === String(chosen[tabs.dataset.confusion])));
  };
  const fill = () => {
    part.replaceChildren(
      ...levels[chosen.level].parts.map(({ name, of }, index) => {
        const option = make("option", index ? `${name} (${of.length})` : name);
        option.value = String(index);
        return option;
      }),
    );
    part.disabled = levels[chosen.level].parts.length < 2;
    draw();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-confusion] button");
    if (!button) return;
    const kind = button.parentElement.dataset.confusion;
    chosen[kind] = kind === "unit" ? button.dataset.value : Number(button.dataset.value);
    if (kind === "level") fill();
    else draw();
  });
  part.addEventListener("change", draw);

  const tell = (cell) => {
    said.textContent = cell.dataset.said;
    for (const old of table.querySelectorAll('.cell[tabindex="0"]')) old.tabIndex = -1;
    cell.tabIndex = 0;
  };
  table.addEventListener("focusin", (event) => event.target.closest(".cell") && tell(event.target.closest(".cell")));
  table.addEventListener("pointerover", (event) => event.target.closest(".cell") && tell(event.target.closest(".cell")));
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = event.target.closest(".cell");
    if (!step || !cell) return;
    const row = cell.parentElement;
    const next = table.rows[row.rowIndex + step[0]]?.cells[cell.cellIndex + step[1]];
    if (!next?.classList.contains("cell")) return;
    event.preventDefault();
    next.focus();
  });
  fill();
})();
