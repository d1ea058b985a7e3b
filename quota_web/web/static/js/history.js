// The history section of the dashboard and of an account's page: range, zoom and lines, all kept in the address.
// Charts are fetched when the section comes into view, so that a long table loads nothing that nobody looks at.

const { _ } = window.quota;
const section = document.getElementById("history");
const $ = (id) => document.getElementById(id);
const ALL_UP_TO = 12, FIRST = 6;
const slots = new Map(); // account → its slot of colour and dash, while it is shown
let view, known, kit, charts, answer, turn = 0;

/** What the address asks for. `line` repeats; one empty `line` means none. */
function read(search) {
  const asked = new URLSearchParams(search);
  const lines = asked.getAll("line");
  const first = known.names.length <= ALL_UP_TO ? known.names : known.first.slice(0, FIRST);
  const shown = lines.length ? lines.filter((name) => known.names.includes(name)) : first;
  return { range: asked.get("range") ?? known.range, from: Number(asked.get("from")) || null, to: Number(asked.get("to")) || null, shown: new Set(shown), asked: lines.length > 0 };
}

function write() {
  const here = new URL(location.href), query = here.searchParams;
  for (const key of ["line", "from", "to", "range"]) query.delete(key);
  if (view.range !== "24h") query.set("range", view.range);
  if (view.from) { query.set("from", view.from); query.set("to", view.to); }
  if (view.asked) for (const name of view.shown.size ? view.shown : [""]) query.append("line", name);
  history.replaceState(null, "", here);
}

async function load() {
  const mine = ++turn;
  const query = new URLSearchParams({ points: Math.min(600, Math.max(200, Math.round($("charts").clientWidth / 2))) });
  if (view.from) { query.set("from", view.from); query.set("to", view.to); } else query.set("range", view.range);
  for (const plot of plots()) query.append("window", plot.dataset.window);
  // Without a line there are still axes to draw.
  for (const name of view.shown.size ? view.shown : known.names.slice(0, 1)) query.append("account", name);
  plots().forEach((plot) => plot.classList.add("busy"));
  const response = await fetch(`${section.dataset.api}?${query}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error((await response.json().catch(() => null))?.error?.message ?? _("The server answered %(status)s.", { status: response.status }));
  const body = await response.json();
  if (mine !== turn) return; // something else has been asked for since
  answer = body;
  paint();
}

const plots = () => [...section.querySelectorAll(".plot")];
const lines = () => [...view.shown].map((account) => ({ account, slot: slot(account) }));

function slot(account) {
  if (!slots.has(account)) {
    const taken = new Set(slots.values());
    let free = 0;
    while (taken.has(free)) free += 1;
    slots.set(account, free);
  }
  return slots.get(account);
}

/** A chart that none of the shown accounts has a value for is left out; if that is all of them, their axes stand empty. */
function leaveOut() {
  const drawn = new Set(answer.series.filter((s) => view.shown.has(s.account) && s.remaining.some((v) => v !== null)).map((s) => s.window));
  plots().forEach((plot) => { plot.closest("figure").hidden = drawn.size > 0 && !drawn.has(plot.dataset.window); });
}

function paint() {
  leaveOut();
  charts.draw(answer, lines());
  section.dataset.charts = "drawn";
  plots().forEach((plot) => {
    plot.classList.remove("busy");
    const note = section.querySelector(`[data-note="${CSS.escape(plot.dataset.window)}"]`);
    note.textContent = kit.coarse(plot.dataset.window, answer.step_seconds) ? _("lowest in each %(span)s", { span: window.quota.span(answer.step_seconds) }) : "";
  });
  $("unzoom").hidden = !view.from;
  $("zoom-hint").hidden = Boolean(view.from);
  document.querySelectorAll("#ranges a").forEach((a) => (!view.from && a.dataset.range === view.range ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
  values(null);
  if ($("numbers").open) table();
}

async function table() {
  const { fill } = await import("./numbers.js");
  if (answer) fill($("numbers").querySelector(".scroll"), answer, [...view.shown], kit.column, new Map(known.panels.map((p) => [p.key, p.short])));
}

/** Writes the values at one place of the axis beside their lines, or what is left at its end. */
function values(index) {
  const at = index ?? answer.t.length - 1;
  $("cursor-time").textContent = index === null && !view.from ? _("latest") : window.quota.clock(new Date(index === null ? answer.to : answer.t[at] * 1000));
  const words = (account, key) => {
    const one = answer.series.find((s) => s.account === account && s.window === key);
    const value = one && (index === null ? one.remaining : kit.column(one, answer.step_seconds))[at];
    return value === null || value === undefined ? "–" : window.quota.percent(value);
  };
  section.querySelectorAll("[data-line][data-value]").forEach((cell) => {
    cell.textContent = view.shown.has(cell.dataset.line) ? words(cell.dataset.line, cell.dataset.value) : "";
  });
}

function speak(index) {
  const cells = [...section.querySelectorAll("[data-line][data-value]")].filter((cell) => cell.textContent).slice(0, 16);
  $("said").textContent = `${window.quota.clock(new Date(answer.t[index] * 1000))}: ${cells.map((c) => `${c.dataset.spoken} ${c.textContent}`).join(", ")}`;
}

async function change(next) {
  Object.assign(view, next);
  for (const account of slots.keys()) if (!view.shown.has(account)) slots.delete(account);
  write();
  const fault = $("history-fault");
  try {
    await load();
    fault.hidden = true;
  } catch (error) {
    fault.textContent = _("The history cannot be shown: %(reason)s", { reason: error.message });
    fault.hidden = false;
  }
}

/** Draws the section; *legend* builds the switches of the lines, where there are several. */
export async function begin(legend) {
  known = JSON.parse($("history-data").textContent);
  view = read(location.search);
  try {
    kit = await import("./charts.js");
    await kit.load(section.dataset.library);
  } catch {
    $("charts").hidden = true;
    section.dataset.charts = "missing";
    $("history-fault").textContent = _("The interactive charts could not be loaded. python scripts/assets.py fetches them.");
    $("history-fault").hidden = false;
    return;
  }
  // Both charts tell of a drag over one of them.
  const zoom = (from, to) => (from !== view.from || to !== view.to) && change({ from, to });
  charts = new kit.Charts(plots(), { zoom, cursor: values, step: speak }, section.classList.contains("single"));
  legend?.(known, view, { dash: kit.dash, slot, change, focus: (account) => charts.focus(account) });
  $("ranges").addEventListener("click", (event) => {
    const range = event.target.closest("a")?.dataset.range;
    if (!range || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    change({ range, from: null, to: null });
  });
  $("unzoom").addEventListener("click", () => change({ from: null, to: null }));
  plots().forEach((plot) => plot.addEventListener("dblclick", () => view.from && change({ from: null, to: null })));
  $("numbers").addEventListener("toggle", () => $("numbers").open && table());
  await change({});
  document.addEventListener("swapped", () => view.from || load());
}

/** Draws the section once it comes into view. */
export function draw() {
  if (!section?.dataset.library) return;
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  }, { rootMargin: "100px" }).observe(section);
}
