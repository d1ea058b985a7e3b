// A time axis in the viewer's zone: the server writes it in its own (time_axis.py).

const STEPS = [3600, 10800, 21600, 43200, ...[1, 2, 7, 14, 30, 61, 365, 1825].map((days) => days * 86400)], MOST = 8;

/** Round moments between two times, at most one more than MOST, with what they say. */
export function ticks(from, to) {
  const step = STEPS.find((s) => (to - from) / s <= MOST) ?? STEPS.at(-1), width = to - from;
  const shift = -new Date(from * 1000).getTimezoneOffset() * 60;
  const made = [];
  for (let at = Math.ceil((from + shift) / step) * step - shift, i = 0; at <= to; at += step, i += 1) {
    const d = new Date(at * 1000), ofDay = step < 86400 && (d.getHours() || d.getMinutes());
    if (at - from > width * .01 && at - from < width * .97) made.push({ place: `${((at - from) / width * 100).toFixed(2)}%`, words: ofDay ? window.quota.time(d) : window.quota.date(d), minor: i % 2 === 1 });
  }
  return made;
}

/** Draws them into the two drawings of a frame: lines behind the lanes, words below. */
export function draw(grid, axis, from, to) {
  const marks = ticks(from, to);
  grid.replaceChildren(...marks.map((m) => svg("line", { x1: m.place, x2: m.place, y1: 0, y2: "100%", ...(m.minor && { class: "minor" }) })));
  axis.replaceChildren(...marks.map((m) => svg("text", { x: m.place, y: 13, ...(m.minor && { class: "minor" }) }, m.words)));
}

function svg(name, attributes, words = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = words;
  return made;
}
