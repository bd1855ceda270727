(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { rules, levels, numImages, unit, examples, names } = data;
  const byId = (id) => document.getElementById(id);
  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const percent = (share, digits = 1) => {
    if (share === 0 || share === 1) return String(100 * share);
    const text = (100 * share).toFixed(digits);
    if (Number(text) === 100) return `>${(100 - 10 ** -digits).toFixed(digits)}`;
    return Number(text) === 0 ? `<${10 ** -digits}` : text;
  };
  const ofThousand = (count) => {
    const number = Math.round((1000 * count) / numImages);
    return count && !number ? "<1" : number.toLocaleString("en");
  };

  /* ---- what is chosen: a share of right answers, or a rule by hand ---- */
  const goals = [];
  for (let per = 500; per < 1000; per += per >= 990 ? 1 : per >= 900 ? 5 : 10) goals.push(per / 1000);
  const state = { goal: goals.indexOf(0.95), byHand: null, other: null, shown: 6 };
  const slider = byId("goal");
  slider.max = String(goals.length - 1);
  slider.value = String(state.goal);
  const mostSpecific = (goal) =>
    rules.reduce((best, rule, place) => {
      const counts = rule.assured >= goal && !rule.isSeen && rule.specificity > 0;
      return counts && (best < 0 || rule.specificity > rules[best].specificity) ? place : best;
    }, -1);
  const surest = () => rules.reduce((best, rule, place) => (rule.specificity > 0 && !rule.isSeen && (best < 0 || rule.assured > rules[best].assured) ? place : best), -1);

  const badge = (rule) => {
    if (rule.promise === null) return element("span", "none", "who");
    const [kind, text] = rule.held ? ["right", "held"] : rule.held === false ? ["wrong", "not held"] : ["coarser", "open"];
    return element("span", `${+(100 * rule.promise).toFixed(2)}% ${text}`, `badge ${kind}`);
  };
  const measure = (id, value, unit, detail) => {
    const parts = [value];
    if (unit) parts.push(element("small", unit));
    if (detail) parts.push(element("span", detail, "interval-inline"));
    byId(id).replaceChildren(...parts);
  };
  const showStops = (rule) => {
    const rows = [];
    const most = Math.max(...rule.answers);
    for (let level = levels.length - 1; level >= 0; level--) {
      const count = rule.answers[level], wrong = rule.wrong[level];
      if (!count) continue;
      const bar = element("div", undefined, "bar");
      const part = (number, kind) => {
        const made = element("i", undefined, kind);
        made.style.width = `${(100 * number) / most}%`;
        return made;
      };
      bar.append(part(count - wrong, ""), part(wrong, "wrong"));
      const said = element("span", undefined, "count");
      said.append(element("b", ofThousand(count)), level ? " stop here, " : " stay at the root", ...(level ? [element("span", `${ofThousand(wrong)} wrong`, wrong ? "wrongs" : "who")] : []));
      const row = element("div", undefined, "stop");
      row.append(element("span", level ? levels[level] : "no answer", "level"), bar, said);
      rows.push(row);
    }
    byId("stops").replaceChildren(...rows);
  };

  // a rule that promises the share itself, for those who would rather not choose by these images
  const showPromising = (goal, one) => {
    const box = byId("promising");
    const kept = rules.map((rule, place) => place).filter((place) => rules[place].confidence !== null && rules[place].promise >= goal - 1e-9 && rules[place].held !== false && !rules[place].isSeen && rules[place].specificity > 0);
    const least = Math.min(...kept.map((place) => rules[place].promise));
    const near = kept.filter((place) => rules[place].promise === least);
    const place = near.reduce((best, each) => (best < 0 || rules[each].specificity > rules[best].specificity ? each : best), -1);
    box.hidden = place < 0 || place === one;
    if (box.hidden) return;
    const rule = rules[place];
    const button = element("button", "copy", "copy");
    Object.assign(button, { type: "button" });
    button.dataset.copy = rule.rule;
    box.replaceChildren(
      `Or a rule that promises ${+(100 * rule.promise).toFixed(2)}% by itself: `, element("code", rule.rule, "text"), button,
      ` — ${percent(rule.correct)}% right here, ${percent(rule.specificity, 0)}% specific, promised from ${rule.numFitted.toLocaleString("en")} ${unit} of ${rule.fittedOn}. `, badge(rule),
    );
  };

  /* ---- example images ---- */
  const status = (example, place) => {
    if (example.right[place] !== "1") return "wrong";
    return example.answers[place] === example.target ? "right" : names[example.answers[place]].length < names[example.target].length ? "coarser" : "right";
  };
  const trail = (node, kind) => {
    const made = element("span", undefined, `trail ${kind}`);
    const steps = names[node];
    steps.forEach((name, place) => {
      if (place) made.append(element("i", "›"));
      const holder = element(place === steps.length - 1 ? "b" : "bdi");
      if (place === steps.length - 1) holder.append(element("bdi", name));
      else holder.textContent = name;
      made.append(holder);
    });
    if (!steps.length) made.append(element("b", levels[0]));
    return made;
  };
  const line = (who, node, kind) => {
    const made = element("p", undefined, "place");
    made.append(element("span", who, "who"), trail(node, kind));
    return made;
  };
  const hasPictures = examples.some((example) => example.picture);
  const card = (example, one, other) => {
    const made = element("figure", undefined, "card");
    if (example.picture) {
      const image = element("img");
      image.src = example.picture;
      image.alt = "";
      made.append(image);
    } else if (hasPictures) made.append(element("div", "no picture", "no-picture"));
    const caption = element("figcaption");
    const file = element("p", undefined, "file");
    file.title = example.path;
    file.append(element("bdi", example.path));
    caption.append(line("is", example.target, "label"), line("chosen", example.answers[one], status(example, one)), line("other", example.answers[other], status(example, other)), file);
    made.append(caption);
    return made;
  };
  const showExamples = (one) => {
    if (!examples.length) return;
    const select = byId("other");
    if (state.other === null || state.other === one) {
      const near = rules.map((_, place) => place).filter((place) => place !== one && !rules[place].isBeaten);
      state.other = near.length ? near[0] : (one + 1) % rules.length;
    }
    select.replaceChildren(
      ...rules.flatMap((rule, place) => {
        if (place === one) return [];
        const option = element("option", `${rule.rule} (${percent(rule.correct)}% right)`);
        option.value = String(place);
        option.selected = place === state.other;
        return [option];
      }),
    );
    byId("one").textContent = rules[one].rule;
    const found = examples.filter((example) => example.answers[one] !== example.answers[state.other]);
    byId("differ").textContent = found.length ? `${found.length} of the ${examples.length} example images get another answer` : "";
    const cards = byId("cards");
    cards.classList.toggle("plain", !hasPictures);
    cards.replaceChildren(...found.slice(0, state.shown).map((example) => card(example, one, state.other)));
    if (!found.length) cards.append(element("p", "Both rules answer the same for all example images.", "nothing"));
    byId("more").hidden = found.length <= state.shown;
  };

  /* ---- the page follows what is chosen ---- */
  let drawn = false;
  const holder = byId("chart-rules");
  const mark = (role, place) => {
    if (!drawn) return;
    const trace = holder.data.findIndex((each) => each.meta?.role === role);
    const rule = place === null || place < 0 ? null : rules[place];
    const color = getComputedStyle(document.documentElement).getPropertyValue(role === "chosen" ? "--text" : "--soft").trim();
    Plotly.restyle(holder, { x: [[rule ? 100 * rule.specificity : null]], y: [[rule ? 100 * rule.correct : null]], "marker.line.color": color }, [trace]);
  };
  const show = () => {
    const goal = goals[state.goal];
    byId("goal-value").textContent = `${+(100 * goal).toFixed(1)}%`;
    slider.setAttribute("aria-valuetext", `at least ${+(100 * goal).toFixed(1)} percent right`);
    const picked = mostSpecific(goal);
    let one = state.byHand ?? picked;
    const said = byId("said");
    byId("result").classList.toggle("none", state.byHand === null && picked < 0);
    if (state.byHand !== null) said.textContent = "The rule that you took:";
    else if (picked >= 0) said.textContent = `The most specific rule that is right at least ${+(100 * goal).toFixed(1)}% of the time:`;
    else {
      one = surest();
      if (one < 0) one = 0;
      said.textContent = `On ${numImages.toLocaleString("en")} ${unit} no rule can be said to be right ${+(100 * goal).toFixed(1)}% of the time, apart from answers at the root. The surest, of ${percent(rules[one].assured)}%:`;
    }
    const rule = rules[one];
    byId("rule").textContent = rule.rule;
    byId("copy").dataset.copy = rule.rule;
    byId("about").textContent = rule.about;
    measure("m-correct", percent(rule.correct), "%", `${percent(rule.low)} to ${percent(rule.high)}; sure of ${percent(rule.assured)}`);
    measure("m-specificity", percent(rule.specificity, 0), "%", "of the information of a leaf");
    measure("m-leaves", percent(rule.leaves, 0), "%", "of the answers are leaves");
    byId("m-promise").replaceChildren(badge(rule), ...(rule.fittedOn ? [element("span", `from ${rule.numFitted.toLocaleString("en")} ${unit} of ${rule.fittedOn}`, "interval-inline")] : []));
    showStops(rule);
    showPromising(goal, one);
    byId("severity").textContent = rule.severity === null ? "No answer is wrong." : `A wrong answer and its label meet ${rule.severity.toFixed(2)} edges above the leaves on average; 1 is a sibling of the label.`;
    for (const place of document.querySelectorAll(".put-rule")) place.textContent = rule.rule;
    for (const row of document.querySelectorAll("#table [data-rule]")) row.classList.toggle("taken-row", Number(row.dataset.rule) === one);
    showExamples(one);
    mark("chosen", one);
    mark("other", examples.length ? state.other : null);
    state.one = one;
  };
  slider.addEventListener("input", () => {
    Object.assign(state, { goal: Number(slider.value), byHand: null, shown: 6 });
    show();
  });
  byId("other")?.addEventListener("change", (event) => {
    Object.assign(state, { other: Number(event.target.value), shown: 6 });
    show();
  });
  byId("more")?.addEventListener("click", () => {
    state.shown += 12;
    show();
  });
  byId("all").addEventListener("change", (event) => byId("table").classList.toggle("with-beaten", event.target.checked));
  byId("table").addEventListener("click", (event) => {
    const row = event.target.closest("[data-rule]");
    if (!row || event.target.closest(".copy")) return;
    state.byHand = Number(row.dataset.rule);
    show();
  });

  /* ---- copying, also where the clipboard is not to be had ---- */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element("textarea", text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    await copy(button.dataset.copy);
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1400);
  });

  show();
  Promise.all(ready).then(() => {
    drawn = true;
    holder.on("plotly_click", ({ points }) => {
      const place = points.find((point) => point.data.meta?.role === "rules")?.customdata[0];
      if (place === undefined) return;
      state.byHand = place;
      show();
    });
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
})();
