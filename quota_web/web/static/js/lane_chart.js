// One lane as a chart: what lane_svg.py draws, with a cursor and zoom. Knows uPlot; everything else speaks of moments and percents.

import { ink } from "./canvas.js";

/** Where things stand, as shares of a lane's height; the same as in lane_svg.py. */
const BAND_TOP = .02, BAND_HEIGHT = .14, AREA_TOP = .21, AREA_HEIGHT = .63;
const AREA_END = AREA_TOP + AREA_HEIGHT;
const RESET_RISE = 3, LOW = 15, NAMED_FROM = .2, GROUND = .09;

/** The colours of the style sheet, now that the scheme is decided. */
export const inks = () => Object.fromEntries(["ink", "soft", "sheet", "edge", "fine", "brand", "low", "bad"].map((name) => [name, ink("", `var(--${name})`)]));

/** The slots as points: a value holds to the end of its slot, also where nothing follows. */
function corners({ t, to, step }, area) {
  const xs = [], ys = [];
  t.forEach((at, i) => {
    xs.push(at);
    ys.push(area[i]);
    if (area[i] !== null && (area[i + 1] ?? null) === null) {
      xs.push(Math.min(to, at + step) - 1);
      ys.push(area[i]);
    }
  });
  return [xs, ys];
}

export class LaneChart {
  /** host: the element of the plot; shared: {t, to, step}; lane: its part of lanes.json; on: {cursor(index or null), zoom(from, to)}. */
  constructor(host, shared, lane, on, colours) {
    Object.assign(this, { host, shared, lane, on, colours, had: false });
    host.classList.add("drawn");
    this.chart = new uPlot(this.#options(), corners(shared, lane.area), host);
  }

  destroy() {
    this.chart.destroy();
    this.host.classList.remove("drawn");
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.host;
    // Being observed tells of the present size as well, and a new size would take the cursor away.
    if (width !== this.chart.width || height !== this.chart.height) this.chart.setSize({ width, height });
  }

  setCursor(index) {
    const left = index === null ? -10 : this.chart.valToPos(this.shared.t[index] + this.shared.step / 2, "x");
    this.chart.setCursor({ left, top: 10 }, index !== null, true);
  }

  /** A chart that was just made says that it has no cursor: that takes none away from the others; nor does one without scales know a place. */
  #cursor(u) {
    if (u.scales.x.min === null) return;
    const index = u.cursor.left < 0 ? null : this.#slot(u.posToVal(u.cursor.left, "x"));
    if (index === null && !this.had) return;
    this.had = index !== null;
    this.on.cursor(index);
  }

  #slot(moment) {
    return Math.min(this.shared.t.length - 1, Math.max(0, Math.floor((moment - this.shared.from) / this.shared.step)));
  }

  #options() {
    const { from, to } = this.shared;
    const above = AREA_TOP / AREA_HEIGHT * 100, below = (1 - AREA_END) / AREA_HEIGHT * 100;
    return {
      width: this.host.clientWidth, height: this.host.clientHeight, padding: [0, 0, 0, 0], legend: { show: false },
      scales: { x: { time: true, range: () => [from, to] }, y: { range: () => [-below, 100 + above] } },
      axes: [{ show: false }, { show: false }],
      series: [{}, this.#line()],
      cursor: { sync: { key: "lanes" }, y: false, drag: { x: true, y: false, setScale: false }, points: { size: 6, width: 0 } },
      hooks: {
        drawClear: [(u) => this.#holes(u)], draw: [(u) => this.#marks(u)],
        setCursor: [(u) => this.#cursor(u)],
        setSelect: [(u) => this.#selected(u)],
      },
    };
  }

  #line() {
    const { fine, brand } = this.colours;
    return {
      stroke: brand, width: 1.5, points: { show: false }, fill: fine.replace("rgb(", "rgba(").replace(")", ", .22)"), fillTo: 0,
      paths: uPlot.paths.stepped({ align: 1 }),
      gaps: (u, at, start, end, gaps) => {
        const half = devicePixelRatio, values = u.data[at];
        const breaks = this.lane.is_lowest ? [] : values.flatMap((v, i) => (i && v !== null && values[i - 1] !== null && v - values[i - 1] >= RESET_RISE ? [i] : []));
        const resets = breaks.filter((i) => i >= start && i <= end).map((i) => u.valToPos(u.data[0][i], "x", true)).map((x) => [x - half, x + half]);
        return gaps.concat(resets).sort((a, b) => a[0] - b[0]);
      },
    };
  }

  #selected(u) {
    const { left, width } = u.select;
    if (width < 6) return;
    const [from, to] = [left, left + width].map((x) => Math.round(u.posToVal(x, "x")));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    if (to - from >= 1800) this.on.zoom(from, to);
  }

  /** What stands behind the area: why nothing is known where nothing is. */
  #holes(u) {
    const { ctx, bbox } = u, scale = devicePixelRatio;
    for (const { start, end, why, words } of this.lane.holes) {
      const left = Math.max(bbox.left, u.valToPos(start, "x", true)), right = Math.min(bbox.left + bbox.width, u.valToPos(end, "x", true));
      const top = bbox.height * BAND_TOP, bottom = bbox.height * AREA_END;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, top, right - left, bottom - top);
      ctx.clip();
      why === "paused" ? this.#dots(ctx, left, right, top, bottom, scale) : this.#hatch(ctx, left, right, top, bottom, scale, why === "failing");
      ctx.restore();
      if (right - left >= bbox.width * NAMED_FROM) this.#name(ctx, words, (left + right) / 2, bbox.height * .54, scale);
    }
  }

  #hatch(ctx, left, right, top, bottom, scale, failing) {
    const high = bottom - top, gap = 8.5 * scale;
    ctx.strokeStyle = failing ? this.colours.bad : this.colours.edge;
    ctx.globalAlpha = failing ? 1 : .6;
    ctx.lineWidth = (failing ? 1.6 : 1) * scale;
    ctx.beginPath();
    for (let x = left - high - ((left - high) % gap); x < right + gap; x += gap) {
      ctx.moveTo(x, failing ? top : bottom);
      ctx.lineTo(x + high, failing ? bottom : top);
    }
    ctx.stroke();
  }

  #dots(ctx, left, right, top, bottom, scale) {
    ctx.fillStyle = this.colours.edge;
    const gap = 6 * scale;
    for (let x = left + gap / 2; x < right; x += gap) for (let y = top + gap / 2; y < bottom; y += gap) ctx.fillRect(x, y, 1.6 * scale, 1.6 * scale);
  }

  #name(ctx, words, x, y, scale) {
    ctx.save();
    ctx.font = `${10 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    Object.assign(ctx, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4 * scale, strokeStyle: this.colours.sheet, fillStyle: this.colours.soft });
    ctx.strokeText(words, x, y);
    ctx.fillText(words, x, y);
    ctx.restore();
  }

  /** What stands before it: the band of the five-hour window, and the resets. */
  #marks(u) {
    this.#band(u);
    this.#ground(u);
    for (const { at, how } of this.lane.resets) this.#reset(u, u.valToPos(at, "x", true), how === "provider");
  }

  #band(u) {
    const { ctx, bbox } = u, { band } = this.lane, { t, step } = this.shared, high = bbox.height * BAND_HEIGHT, ground = bbox.height * BAND_TOP + high;
    ctx.save();
    ctx.globalAlpha = .75;
    band.forEach((value, i) => {
      if (value === null) return;
      const left = Math.round(u.valToPos(t[i], "x", true)), right = Math.round(u.valToPos(t[i] + step, "x", true));
      ctx.fillStyle = value <= 0 ? this.colours.edge : value < LOW ? this.colours.low : this.colours.fine;
      const size = value <= 0 ? high : high * value / 100;
      ctx.fillRect(left, ground - size, right - left, size);
    });
    ctx.restore();
  }

  /** Used up is something else than unknown: a ground to stand on. */
  #ground(u) {
    const { ctx, bbox } = u, { t, step } = this.shared, high = bbox.height * AREA_HEIGHT * GROUND;
    ctx.fillStyle = this.colours.edge;
    this.lane.area.forEach((value, i) => {
      if (value === null || value > 0) return;
      const left = Math.round(u.valToPos(t[i], "x", true)), right = Math.round(u.valToPos(t[i] + step, "x", true));
      ctx.fillRect(left, bbox.height * AREA_END - high, right - left, high);
    });
  }

  #reset(u, x, forAll) {
    const { ctx, bbox } = u, scale = devicePixelRatio, top = bbox.height * AREA_END;
    ctx.save();
    ctx.translate(x, top);
    ctx.scale(scale, scale);
    ctx.fillStyle = forAll ? this.colours.ink : this.colours.soft;
    ctx.fill(new Path2D(forAll ? STAR : TRIANGLE));
    ctx.restore();
    if (!forAll) return;
    ctx.save();
    ctx.strokeStyle = this.colours.ink;
    ctx.setLineDash([scale, 2 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.height * AREA_TOP);
    ctx.lineTo(x, top);
    ctx.stroke();
    ctx.restore();
  }
}

const TRIANGLE = "M0 0L4.5 8H-4.5Z", STAR = "M0 -.5L1.5 2.7 5 3.1 2.4 5.4 3.2 9 0 7.1 -3.2 9 -2.4 5.4 -5 3.1 -1.5 2.7Z";
