"use strict";
(() => {
  const press = (button) => {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".tabs button");
    if (!button || button.closest("[data-point], [data-confusion]")) return;
    press(button);
    if (button.dataset.chart) {
      const { holder, views } = charts.get(button.dataset.chart);
      const { marker, customdata } = views[Number(button.dataset.view)];
      Plotly.restyle(holder, { "marker.colors": [marker.colors], customdata: [customdata] }, [0]);
    } else {
      for (const panel of button.closest(".panels").querySelectorAll(".panel"))
        panel.hidden = panel.id !== button.dataset.panel;
      // what was drawn while it was hidden knew no width
      for (const holder of document.getElementById(button.dataset.panel).querySelectorAll(".chart")) Plotly.Plots.resize(holder);
    }
  });

  // which lines are shown: one state for all charts whose traces name their group and inference
  const isShown = { group: new Map(), inference: new Map() };
  for (const button of document.querySelectorAll(".toggles [data-toggle]"))
    isShown[button.parentElement.dataset.kind].set(Number(button.dataset.toggle), button.getAttribute("aria-pressed") === "true");
  const filter = () => {
    for (const button of document.querySelectorAll(".toggles [data-toggle]"))
      button.setAttribute("aria-pressed", String(isShown[button.parentElement.dataset.kind].get(Number(button.dataset.toggle))));
    for (const { holder } of charts.values()) {
      const places = holder.data.map((trace, place) => place).filter((place) => holder.data[place].meta?.group !== undefined);
      if (!places.length) continue;
      const visible = places.map((place) => {
        const { group, inference } = holder.data[place].meta;
        return (isShown.group.get(group) ?? true) && (isShown.inference.get(inference) ?? true);
      });
      Plotly.restyle(holder, { visible }, places);
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".toggles button");
    if (!button) return;
    const shown = isShown[button.parentElement.dataset.kind];
    if (button.dataset.all) for (const key of shown.keys()) shown.set(key, button.dataset.all === "true");
    else shown.set(Number(button.dataset.toggle), !shown.get(Number(button.dataset.toggle)));
    filter();
  });

  // the slider: numbers, the dots on the curves, and the answers to the example images
  const source = document.getElementById("data-point");
  if (!source) return;
  const point = JSON.parse(source.textContent);
  const slider = document.getElementById("threshold");
  const STATUS = [
    ["right", "right"],
    ["coarser", "right but coarser"],
    ["wrong", "wrong"],
  ];
  const chosen = { group: point.lines[0].group, inference: point.lines[0].inference };
  const lineOf = ({ group, inference }) =>
    point.lines.find((line) => line.group === group && line.inference === inference) ?? point.lines.find((line) => line.group === group);
  const percent = (share) => (100 * share).toFixed(share < 0.1 || (share > 0.99 && share < 1) ? 1 : 0) + "%";
  const thresholdText = (value) => (value === 0 ? "0" : value > 0.99 && value < 1 ? String(value) : value.toFixed(2));
  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.textContent = text;
    return made;
  };
  const name = (text) => {
    const holder = document.createElement("bdi");
    holder.textContent = text;
    return holder;
  };

  const writeTrail = (trail, names, target, kind) => {
    let shared = 0;
    while (shared < names.length && names[shared] === target[shared]) shared += 1;
    const marked = kind === "wrong" ? shared : Math.max(0, names.length - 1);
    trail.className = `trail answer ${kind}`;
    trail.replaceChildren();
    names.forEach((text, place) => {
      if (place) trail.append(element("i", "›"));
      if (place < marked) return trail.append(name(text));
      const strong = element("b", "");
      strong.append(name(text));
      trail.append(strong);
    });
    if (!names.length) trail.append(element("b", "the root"));
  };

  const show = () => {
    const line = lineOf(chosen);
    const stop = Number(slider.value);
    const threshold = point.thresholds[stop];
    slider.style.setProperty("--point", line.color);
    slider.setAttribute("aria-valuetext", `threshold ${thresholdText(threshold)}`);
    document.getElementById("threshold-value").textContent = thresholdText(threshold);
    document.getElementById("point-rule").textContent = String(+threshold.toFixed(6));
    for (const key of ["correct", "recall", "leaves"])
      document.getElementById(`point-${key}`).replaceChildren(line[key][stop].toFixed(1), element("small", "%"));
    document.getElementById("point-depth").replaceChildren(line.depth[stop].toFixed(2), element("small", ` of ${point.deepest}`));
    for (const tabs of document.querySelectorAll("[data-point]")) {
      const kind = tabs.dataset.point;
      for (const button of tabs.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.value) === line[kind]));
        if (kind === "inference")
          button.disabled = !point.lines.some((other) => other.group === line.group && other.inference === Number(button.dataset.value));
      }
    }
    const counts = [0, 0, 0];
    for (const card of document.querySelectorAll("[data-example]")) {
      const example = Number(card.dataset.example);
      const { node, probability, status } = line.answers[example];
      let place = 0;
      while (place + 1 < node.length && probability[place + 1] >= threshold) place += 1;
      const [kind, text] = STATUS[status[place]];
      counts[status[place]] += 1;
      const badge = card.querySelector(".badge");
      badge.className = `badge ${kind}`;
      badge.textContent = text;
      card.querySelector(".confidence").textContent = `${percent(probability[place])} sure`;
      writeTrail(card.querySelector(".answer"), point.names[node[place]], point.targets[example], kind);
    }
    document
      .getElementById("point-tally")
      .replaceChildren(...STATUS.map(([kind, text], status) => element("span", `${counts[status]} ${text}`, `badge ${kind}`)));
    for (const { holder } of charts.values()) {
      const place = holder.data.findIndex((trace) => trace.meta?.role === "point");
      if (place < 0) continue;
      const value = line[holder.data[place].meta.measure][stop];
      Plotly.restyle(holder, { x: [[line.recall[stop]]], y: [[value]], "marker.color": line.color }, [place]);
    }
  };
  const goal = document.getElementById("goal-correct");
  const goalSaid = document.getElementById("goal-said");
  slider.addEventListener("input", () => {
    goalSaid.textContent = "";
    show();
  });
  // the most specific threshold whose answers are correct often enough
  document.getElementById("goal").addEventListener("submit", (event) => {
    event.preventDefault();
    const line = lineOf(chosen);
    const wanted = Number(goal.value);
    const stop = line.correct.findLastIndex((correct) => correct >= wanted);
    if (stop < 0) {
      goalSaid.textContent = `No threshold of ${line.label} reaches ${wanted}% on these images; the maximum is ${Math.max(...line.correct).toFixed(1)}%.`;
      return;
    }
    slider.value = String(stop);
    show();
    const told = line.recall[stop] > 0 ? `${line.leaves[stop].toFixed(1)}% of the answers are leaves` : "but every answer is the root, which carries no information";
    goalSaid.textContent = `Threshold ${thresholdText(point.thresholds[stop])}: ${line.correct[stop].toFixed(1)}% correct, ${told}.`;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-point] button");
    if (!button) return;
    const kind = button.parentElement.dataset.point;
    Object.assign(chosen, { group: lineOf(chosen).group, inference: lineOf(chosen).inference, [kind]: Number(button.dataset.value) });
    goalSaid.textContent = "";
    show();
  });
  Promise.all(ready).then(() => {
    for (const { holder } of charts.values()) {
      if (!holder.data.some((trace) => trace.meta?.role === "point")) continue;
      holder.on("plotly_click", ({ points }) => {
        const { data, customdata } = points[0];
        if (!customdata || !lineOf(data.meta ?? {})) return;
        Object.assign(chosen, { group: data.meta.group, inference: data.meta.inference });
        const threshold = Number(customdata[0]);
        const distance = point.thresholds.map((value) => Math.abs(value - threshold));
        slider.value = String(distance.indexOf(Math.min(...distance)));
        goalSaid.textContent = "";
        show();
      });
    }
    show();
  });
})();
