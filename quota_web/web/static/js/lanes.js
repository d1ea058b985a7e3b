// The lanes of a page: pictures at first, charts in their places while they are in view, one cursor through all. Range and zoom are in the address.
import { draw as drawAxis } from "./axis.js";
import { load } from "./canvas.js";

const { _ } = window.quota;
const $ = (id) => document.getElementById(id);
const section = () => $("history");
let lane, colours, watcher, resizer, at = null;
/** Lanes in view by their element; what lanes.json said of accounts by name; and those that are asked for. */
const live = new Map(), known = new Map();
let shared = null, turn = 0, asking = 0;

const number = (name) => Number(section().dataset[name]);
const list = () => [...section().querySelectorAll(".lane:has(.lane-plot)")];

/** Begins once the section comes into view, so that nobody loads what is not looked at. */
export function start() {
  if (!section()?.dataset.lanes) return;
  paint();
  document.documentElement.addEventListener("colours", recolour);
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  document.addEventListener("swapped", refresh);
  addEventListener("beforeprint", () => [...live.keys()].forEach(leave));
  addEventListener("popstate", () => section() && show(location.href, false));
}

function paint() {
  themed();
  drawAxis(section().querySelector(".lane-grid"), section().querySelector(".lane-axis"), number("from"), number("to"));
  if (!section().dataset.library) return;
  watcher?.disconnect();
  watcher = new IntersectionObserver((seen) => seen.forEach((entry) => (entry.isIntersecting ? enter(entry.target) : leave(entry.target))), { rootMargin: "60px" });
  resizer ??= new ResizeObserver(() => live.forEach((chart) => chart?.resize()));
  list().forEach((item) => watcher.observe(item));
}

/** Pictures know the system's colours; where the viewer chose others, they are named. */
function themed() {
  const theme = document.documentElement.dataset.theme;
  for (const source of section().querySelectorAll(".lane-plot source")) source.media = theme === "light" ? "not all" : theme === "dark" ? "screen" : "screen and (prefers-color-scheme: dark)";
}

function recolour() {
  if (!section()?.dataset.lanes) return;
  themed();
  if (lane) colours = lane.inks();
  const drawn = [...live.keys()];
  drawn.forEach(leave);
  drawn.forEach(enter);
}

/** Puts a chart into a lane that has come into view. */
async function enter(item) {
  if (live.has(item)) return;
  live.set(item, null);
  try {
    lane ??= await import("./lane_chart.js");
    await load(section().dataset.library);
  } catch {
    section().dataset.charts = "missing";
    return fault(_("The interactive charts could not be loaded. python scripts/assets.py fetches them."));
  }
  colours ??= lane.inks();
  ask();
}

function leave(item) {
  live.get(item)?.destroy();
  live.delete(item);
  resizer?.unobserve(item);
}

/** Asks once for all lanes that came into view together. */
function ask() {
  cancelAnimationFrame(asking);
  asking = requestAnimationFrame(async () => {
    const mine = turn, missing = [...live.keys()].map((item) => item.dataset.account).filter((name) => !known.has(name));
    if (missing.length) {
      const query = new URLSearchParams({ from: number("from"), to: number("to"), step: number("step") });
      missing.forEach((name) => query.append("account", name));
      try {
        const response = await fetch(`${section().dataset.lanes}?${query}`, { headers: { Accept: "application/json" } });
        if (!response.ok) throw new Error(response.status);
        const body = await response.json();
        if (mine !== turn) return;
        shared = body;
        for (const one of body.lanes) known.set(one.account, one);
      } catch (error) {
        return fault(error.message);
      }
    }
    fill();
  });
}

function fill() {
  let made = null;
  for (const [item, chart] of live) {
    const one = known.get(item.dataset.account);
    if (!one?.key || chart?.lane === one) continue;
    chart?.destroy();
    const host = item.querySelector(".lane-plot"), picture = host.querySelector("img");
    // Paper is white and does not wait for pictures: the light one is to be there by then.
    if (picture.currentSrc.endsWith("theme=dark")) new Image().src = picture.src;
    live.set(item, new lane.LaneChart(host, shared, one, { cursor: moved, zoom }, colours));
    host.setAttribute("role", "img");
    host.setAttribute("aria-label", `${one.account}. ${one.gist}`);
    resizer.observe(host);
    made = item;
  }
  // The scales of all new charts stand once their own first tasks are done; one tells the others.
  if (made) queueMicrotask(() => at !== null && live.get(made)?.setCursor(at));
  section().dataset.charts = "drawn";
}

function fault(words) {
  const place = $("history-fault");
  place.textContent = words ?? "";
  place.hidden = !words;
}

/** Writes the values at one place of the axis beside the lanes in view, or what is left now. */
function moved(index) {
  if (index === at) return;
  at = index;
  $("cursor-time").textContent = index === null ? "" : window.quota.clock(new Date(shared.t[index] * 1000));
  for (const item of live.keys()) {
    const one = known.get(item.dataset.account);
    for (const cell of item.querySelectorAll("[data-value]")) {
      cell.dataset.now ??= cell.textContent;
      const column = one?.[cell.dataset.value];
      cell.textContent = index === null || !column?.length ? cell.dataset.now : window.quota.percent(column[index]);
    }
  }
  document.dispatchEvent(new CustomEvent("lane-cursor", { detail: index === null ? null : { index, share: (shared.t[index] + shared.step / 2 - shared.from) / (shared.to - shared.from) } }));
}

function pressed(event) {
  if (!event.target.closest?.("#lanes") || !shared) return;
  const end = shared.t.length - 1, leap = event.shiftKey ? 12 : 1;
  const to = { ArrowLeft: (at ?? end + 1) - leap, ArrowRight: (at ?? -1) + leap, Home: 0, End: end }[event.key];
  const first = [...live.values()].find(Boolean);
  if (event.key === "Escape") first?.setCursor(null);
  if (to === undefined || !first) return;
  event.preventDefault();
  first.setCursor(Math.min(end, Math.max(0, to)));
  speak();
}

function speak() {
  const said = [...live.keys()].slice(0, 8).map((item) => `${item.dataset.account} ${[...item.querySelectorAll("[data-value]")].map((cell) => `${cell.title} ${cell.textContent}`).join(" ")}`);
  const place = $("lanes-said");
  if (place) place.textContent = `${$("cursor-time").textContent}: ${said.join(", ")}`;
}

function clicked(event) {
  const link = event.target.closest?.("#ranges a, #unzoom");
  if (!link || !section().contains(link) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.href);
}

export function zoom(from, to) {
  const here = new URL(location.href);
  here.searchParams.delete("range");
  here.searchParams.set("from", from);
  here.searchParams.set("to", to);
  show(here.href);
}

/** Shows another time: the server draws, only the lanes change. */
export async function show(address, remember = true) {
  const mine = ++turn;
  section().classList.add("busy");
  const response = await fetch(address, { headers: { Accept: "text/html" }, cache: "no-store" });
  const fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html");
  if (mine !== turn) return;
  const target = new URL(address);
  target.hash = "";
  if (remember) history.pushState(null, "", target);
  if (!take(fresh)) location.reload();
}

/** Puts the lanes of a page of the server in the place of these. */
function take(fresh) {
  const part = fresh && fresh.getElementById("history");
  if (!part) return false;
  [...live.keys()].forEach(leave);
  known.clear();
  shared = at = null;
  window.quota.localise(part);
  section().replaceWith(document.adoptNode(part));
  paint();
  document.dispatchEvent(new Event("lanes"));
  return true;
}

/** New readings: asks for the page again, unless it is here, and changes what changed of it. */
async function refresh(event) {
  const mine = ++turn;
  let fresh = event.detail;
  if (!fresh) {
    const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html");
  }
  const part = fresh && fresh.getElementById("history");
  if (mine !== turn || !part?.dataset.lanes) return;
  const shape = (of) => JSON.stringify([of.dataset.from, of.dataset.to, [...of.querySelectorAll(".lane")].map((item) => item.dataset.account)]);
  if (shape(part) === shape(section())) update(part);
  else if (at === null) take(fresh);
}

/** The same lanes with other readings: those that changed are drawn anew. */
function update(part) {
  const now = [...section().querySelectorAll(".lane")];
  [...part.querySelectorAll(".lane")].forEach((next, i) => {
    const item = now[i];
    if (item.dataset.version === next.dataset.version) return;
    Object.assign(item.dataset, { version: next.dataset.version, group: next.dataset.group });
    item.querySelector(".lane-values").replaceWith(document.adoptNode(next.querySelector(".lane-values")));
    const [plot, other] = [item, next].map((one) => one.querySelector(".lane-plot picture"));
    if (plot && other) plot.replaceWith(document.adoptNode(other));
    known.delete(item.dataset.account);
  });
  const next = part.querySelectorAll(".strips");
  if (at === null) section().querySelectorAll(".strips").forEach((one, i) => next[i] && one.replaceWith(document.adoptNode(next[i])));
  themed();
  if (live.size && lane) ask();
}
