"use strict";
(() => {
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const config = { responsive: true, displayModeBar: false, displaylogo: false };

  // colours that depend on light or dark: plotly's figures carry none of them
  const themed = (layout) => {
    const axis = { gridcolor: style("--grid"), linecolor: style("--line"), tickcolor: style("--line") };
    const changes = {
      "font.color": style("--text"),
      "font.family": getComputedStyle(document.body).fontFamily,
      "hoverlabel.bgcolor": style("--card"),
      "hoverlabel.bordercolor": style("--line"),
      "hoverlabel.font.color": style("--text"),
      "hoverlabel.font.family": getComputedStyle(document.body).fontFamily,
    };
    for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name)))
      for (const [name, value] of Object.entries(axis)) changes[`${key}.${name}`] = value;
    return changes;
  };

  const charts = new Map();
  for (const holder of document.querySelectorAll(".chart")) {
    const key = holder.id.replace("chart-", "");
    const { figure, views } = JSON.parse(document.getElementById(`data-${key}`).textContent);
    charts.set(key, { holder, views: views.data });
    Plotly.newPlot(holder, figure.data, figure.layout, config).then(() => Plotly.relayout(holder, themed(figure.layout)));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { holder } of charts.values()) Plotly.relayout(holder, themed(holder.layout));
  });

  const press = (button) => {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".tabs button");
    if (!button) return;
    press(button);
    if (button.dataset.chart) {
      const { holder, views } = charts.get(button.dataset.chart);
      const { marker, customdata } = views[Number(button.dataset.view)];
      Plotly.restyle(holder, { "marker.colors": [marker.colors], customdata: [customdata] }, [0]);
    } else {
      for (const panel of button.closest(".panels").querySelectorAll(".panel"))
        panel.hidden = panel.id !== button.dataset.panel;
    }
  });
})();
