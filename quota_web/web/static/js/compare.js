// The ticked accounts in one chart, over the time of the lanes.

const $ = (id) => document.getElementById(id);
let charts = null, turn = 0;

/** Draws the comparison, where there is one; *library*: the address of the chart library, *zoom*: what a drag does. */
export async function draw(library, zoom) {
  const place = $("compare"), mine = ++turn;
  charts = null;
  if (!place) return;
  try {
    if (!library) throw new Error("none");
    const kit = await import("./charts.js");
    await kit.load(library);
    const section = $("history").dataset, query = new URLSearchParams({ from: section.from, to: section.to });
    const names = [...new Set([...place.querySelectorAll("[data-line]")].map((cell) => cell.dataset.line))];
    const plots = [...place.querySelectorAll(".plot")];
    names.forEach((name) => query.append("account", name));
    plots.forEach((plot) => query.append("window", plot.dataset.window));
    const response = await fetch(`${place.dataset.api}?${query}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    const answer = await response.json();
    if (mine !== turn) return;
    const write = (index) => values(place, answer, kit, index);
    charts = new kit.Charts(plots, { zoom, cursor: write, step: write });
    charts.draw(answer, names.map((account, slot) => ({ account, slot })));
    write(null);
    place.dataset.charts = "drawn";
  } catch {
    place.dataset.charts = "missing";
  }
}

/** Writes what is left at one place of the axis, or at its end, beside the names. */
function values(place, answer, kit, index) {
  for (const cell of place.querySelectorAll("[data-line]")) {
    const one = answer.series.find((s) => s.account === cell.dataset.line && s.window === cell.dataset.value);
    const column = one && (index === null ? one.remaining : kit.column(one, answer.step_seconds));
    const value = column?.[index ?? column.length - 1];
    cell.textContent = one ? window.quota.percent(value) : "";
  }
}
