// The one place that knows uPlot: panels on one time axis, with one cursor. Everything else speaks of windows, accounts and values.

import { ink, load } from "./canvas.js";

export { load };

const { _ } = window.quota;

/** Window lengths in seconds, for telling a reset from noise; others carry theirs in the key. */
const LENGTHS = { five_hour: 18000, daily: 86400, weekly: 604800, monthly: 2592000 };
/** As wide as a chart can be on A4 and Letter. */
const PAPER = 650;
const RESET_RISE = 3, COLOURS = 8, DASHES = [[], [9, 3], [4, 3], [12, 3, 3, 3]];

/** Which dash pattern goes with a line's slot, so that colour never tells alone. */
const dash = (slot) => DASHES[(slot + Math.floor(slot / COLOURS)) % DASHES.length];

/** Whether a slot of the axis is too wide to show single cycles of a window: then its lowest value is drawn. */
export function coarse(window, step) {
  const word = window.split(":").pop();
  const length = LENGTHS[word] ?? Number(word);
  return length > 0 && step * 5 > length;
}

/** The column of a series that is drawn. */
export const column = (one, step) => (coarse(one.window, step) ? one.min : one.remaining);

export class Charts {
  /** plots: elements with data-window, top to bottom. on: {zoom(from, to), cursor(index or null), step(index)}. */
  constructor(plots, on, band = false) {
    Object.assign(this, { plots, on, band, charts: [], index: null });
    this.observer = new ResizeObserver(() => this.charts.forEach((chart) => chart.setSize(size(chart.root.parentElement))));
    plots.forEach((plot) => this.observer.observe(plot));
    // Afterwards they are drawn anew in the screen's colours, and so in its size.
    addEventListener("beforeprint", () => this.charts.forEach((chart) => chart.setSize({ ...size(chart.root.parentElement), width: PAPER })));
    document.documentElement.addEventListener("colours", () => this.history && this.draw(this.history, this.lines));
  }

  /** history: an /api/history answer; lines: [{account, slot}] in the order of drawing. */
  draw(history, lines) {
    Object.assign(this, { history, lines });
    this.inks = { soft: ink("", "var(--soft)"), rule: ink("", "var(--rule)") };
    this.charts.forEach((chart) => chart.destroy());
    const seen = this.plots.filter((plot) => !plot.closest("figure").hidden);
    this.charts = seen.map((plot, at) => this.#panel(plot, at === seen.length - 1));
  }

  #panel(plot, last) {
    const { t, step_seconds: step, series } = this.history;
    const mine = this.lines.map((line) => [line, series.find((s) => s.account === line.account && s.window === plot.dataset.window)]).filter(([, s]) => s);
    const opts = [{}], data = [t], bands = [];
    for (const [line, one] of mine) {
      const colour = ink(`line-${line.slot % COLOURS}`);
      if (this.band && !coarse(one.window, step) && one.max.some((high, i) => high - one.min[i] >= 1)) {
        bands.push({ series: [data.length, data.length + 1], fill: colour.replace("rgb(", "rgba(").replace(")", ", .16)") });
        for (const edge of ["max", "min"]) data.push(one[edge]), opts.push({ width: 0, stroke: "transparent", paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } });
      }
      data.push(column(one, step));
      opts.push(this.#line(line, one, colour, step));
    }
    plot.setAttribute("role", "img");
    plot.tabIndex = 0;
    plot.setAttribute("aria-label", gist(plot.dataset.title, mine, step));
    plot.onkeydown = (event) => this.#key(event);
    return new uPlot({ ...size(plot), series: opts, bands, ...this.#frame(last) }, data, plot);
  }

  #line(line, one, colour, step) {
    const breaks = coarse(one.window, step) ? [] : one.remaining.flatMap((v, i, all) => (i && v !== null && all[i - 1] !== null && v - all[i - 1] >= RESET_RISE ? [i] : []));
    return {
      account: line.account, label: line.account, stroke: colour, width: coarse(one.window, step) && this.lines.length > 4 ? 1 : 1.5, dash: dash(line.slot), points: { show: false },
      paths: uPlot.paths.stepped({ align: 1 }), fill: this.band ? colour.replace("rgb(", "rgba(").replace(")", ", .09)") : undefined,
      gaps: (u, at, from, to, gaps) => {
        const half = 2 * devicePixelRatio;
        const resets = breaks.filter((i) => i >= from && i <= to).map((i) => u.valToPos(u.data[0][i], "x", true)).map((x) => [x - half, x + half]);
        // A gap's end is widened too: the riser out of it would shine through.
        return gaps.map(([a, b]) => [a, b + half]).concat(resets).sort((a, b) => a[0] - b[0]);
      },
    };
  }

  #frame(last) {
    const look = { stroke: () => this.inks.soft, font: `11px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
    const [from, to] = [this.history.from, this.history.to].map((iso) => Date.parse(iso) / 1000);
    return {
      legend: { show: false },
      padding: [8, 12, last ? 0 : 8, 0],
      scales: { x: { time: true, range: () => [from, to] }, y: { range: () => [-1, 101] } },
      axes: [
        { ...look, grid: { show: false }, size: last ? 26 : 0, show: last, gap: 6, space: 70, values: (u, marks, axis, space, step) => marks.map((s) => (s > to - (to - from) / 40 ? "" : mark(s, step))) },
        { ...look, grid: { stroke: () => this.inks.rule, width: 1 }, size: 34, gap: 6, splits: () => [0, 25, 50, 75, 100], values: (u, marks) => marks.map((v) => (v % 50 ? "" : v)) },
      ],
      cursor: { sync: { key: "quota" }, y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7, width: 0 } },
      hooks: { setCursor: [(u) => this.#moved(u)], setSelect: [(u) => this.#selected(u)] },
    };
  }

  #moved(u) {
    if (u.cursor.idx !== this.index) this.on.cursor((this.index = u.cursor.idx ?? null));
  }

  #selected(u) {
    const { left, width } = u.select;
    if (width < 6) return;
    const [from, to] = [left, left + width].map((x) => Math.round(u.posToVal(x, "x")));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (to - from >= 600) this.on.zoom(from, to);
  }

  #key(event) {
    const end = this.history.t.length - 1;
    const leap = event.shiftKey ? 12 : 1;
    const to = { ArrowLeft: (this.index ?? end + 1) - leap, ArrowRight: (this.index ?? -1) + leap, Home: 0, End: end }[event.key];
    if (to === undefined || end < 0) return;
    event.preventDefault();
    const at = Math.min(end, Math.max(0, to));
    const chart = this.charts[0];
    chart.setCursor({ left: chart.valToPos(this.history.t[at], "x"), top: 20 }, true, true);
    this.on.step(at);
  }
}

const size = (plot) => ({ width: plot.clientWidth, height: plot.clientHeight });

function mark(seconds, step) {
  const d = new Date(seconds * 1000), { date, time } = window.quota;
  return step < 86400 && (d.getHours() || d.getMinutes()) ? time(d) : date(d);
}

function gist(name, mine, step) {
  const words = mine.slice(0, 8).map(([line, one]) => {
    const known = column(one, step).filter((v) => v !== null);
    return known.length
      ? _("%(account)s lowest %(lowest)s %%, last %(last)s %%", { account: line.account, lowest: Math.min(...known), last: one.remaining.findLast((v) => v !== null) })
      : _("%(account)s no readings", { account: line.account });
  });
  const lines = words.join("; ") || _("no lines");
  return _("Quota left, %(window)s: %(lines)s. Arrow keys read single moments.", { window: name, lines });
}
