"use strict";
// every chart of the page, drawn in its colours: what is drawn where, and a promise for each
const { charts, ready } = (() => {
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
  const ready = [];
  for (const holder of document.querySelectorAll(".chart")) {
    const key = holder.id.replace("chart-", "");
    const { figure, views } = JSON.parse(document.getElementById(`data-${key}`).textContent);
    charts.set(key, { holder, views: views.data });
    ready.push(
      Plotly.newPlot(holder, figure.data, figure.layout, config).then(() => Plotly.relayout(holder, themed(figure.layout))),
    );
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { holder } of charts.values()) Plotly.relayout(holder, themed(holder.layout));
  });
  return { charts, ready };
})();
