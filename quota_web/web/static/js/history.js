// The history section of an account's page: range and zoom, both kept in the address.
// Charts are fetched when the section comes into view, so that nothing is loaded that is not looked at.

const { _ } = window.quota;
const section = document.getElementById("history");
const $ = (id) => document.getElementById(id);
let view, known, kit, charts, answer, turn = 0;

/** What the address asks for. */
function read(search) {
  const asked = new URLSearchParams(search);
  return { range: asked.get("range") ?? known.range, from: Number(asked.get("from")) || null, to: Number(asked.get("to")) || null };
}

function write() {
  const here = new URL(location.href), query = here.searchParams;
  for (const key of ["from", "to", "range"]) query.delete(key);
  if (view.range !== "24h") query.set("range", view.range);
  if (view.from) { query.set("from", view.from); query.set("to", view.to); }
  history.replaceState(null, "", here);
}

async function load() {
  const mine = ++turn;
  const query = new URLSearchParams({ points: Math.min(600, Math.max(200, Math.round($("charts").clientWidth / 2))) });
  if (view.from) { query.set("from", view.from); query.set("to", view.to); } else query.set("range", view.range);
  for (const plot of plots()) query.append("window", plot.dataset.window);
  query.append("account", known.account);
  plots().forEach((plot) => plot.classList.add("busy"));
  const response = await fetch(`${section.dataset.api}?${query}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error((await response.json().catch(() => null))?.error?.message ?? _("The server answered %(status)s.", { status: response.status }));
  const body = await response.json();
  if (mine !== turn) return; // something else has been asked for since
  answer = body;
  paint();
}

const plots = () => [...section.querySelectorAll(".plot")];

/** A chart without a value is left out; if that is all of them, their axes stand empty. */
function leaveOut() {
  const drawn = new Set(answer.series.filter((s) => s.remaining.some((v) => v !== null)).map((s) => s.window));
  plots().forEach((plot) => { plot.closest("figure").hidden = drawn.size > 0 && !drawn.has(plot.dataset.window); });
}

function paint() {
  leaveOut();
  charts.draw(answer, [{ account: known.account, slot: 0 }]);
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
  if (answer) fill($("numbers").querySelector(".scroll"), answer, kit.column, new Map(known.panels));
}

/** Writes the values at one place of the axis beside the charts' names, or what is left at its end. */
function values(index) {
  const at = index ?? answer.t.length - 1;
  $("cursor-time").textContent = index === null && !view.from ? _("latest") : window.quota.clock(new Date(index === null ? answer.to : answer.t[at] * 1000));
  const words = (key) => {
    const one = answer.series.find((s) => s.window === key);
    const value = one && (index === null ? one.remaining : kit.column(one, answer.step_seconds))[at];
    return window.quota.percent(value);
  };
  section.querySelectorAll("[data-value]").forEach((cell) => { cell.textContent = words(cell.dataset.value); });
}

function speak(index) {
  const cells = [...section.querySelectorAll("[data-value]")].slice(0, 16);
  $("said").textContent = `${window.quota.clock(new Date(answer.t[index] * 1000))}: ${cells.map((c) => `${c.dataset.spoken} ${c.textContent}`).join(", ")}`;
}

async function change(next) {
  Object.assign(view, next);
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

async function begin() {
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
  charts = new kit.Charts(plots(), { zoom, cursor: values, step: speak }, true);
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
