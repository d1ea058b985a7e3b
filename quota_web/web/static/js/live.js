// Keeps a page current: asks /api/results whether anything changed, and if so takes the server's own new rendering of #live.
// No second rendering in the browser, so the page can never disagree with the server. The new part is parsed as an inert document.

const { _ } = window.quota;
const live = () => document.getElementById("live");
let hush = 0;
function say(words) {
  clearTimeout(hush);
  document.getElementById("said").textContent = words;
  hush = setTimeout(() => say(""), 9000);
}
const EVERY = 15000, SOON = 2000;
let etag = null;
let timer = 0;
let swapping = false, again = false;

/** Asks for the latest results; null when nothing changed since the last time. */
async function results(signal) {
  const response = await fetch(live().dataset.results, { headers: { Accept: "application/json", ...(etag && { "If-None-Match": etag }) }, cache: "no-store", signal });
  if (response.status === 401) location.reload(); // signed out meanwhile: the server sends us to the sign-in
  if (!response.ok) return null;
  etag = response.headers.get("ETag");
  return response.json();
}

/** Puts the server's present rendering of this address in the place of #live. Asked for meanwhile, it does so once more: the address may have changed. */
export async function swap() {
  again = swapping;
  if (swapping) return;
  swapping = true;
  try {
    do {
      again = false;
      await replace();
    } while (again);
  } finally {
    swapping = false;
  }
}

async function replace() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  const fresh = response.ok && new DOMParser().parseFromString(await response.text(), "text/html");
  const part = fresh && fresh.getElementById("live");
  if (!part) return location.reload();
  // Another set of charts needs another page: an account's first answer, or a window that came or went.
  const charts = (page) => page.getElementById("history")?.dataset.panels;
  if (charts(fresh) !== charts(document)) return location.reload();
  const focus = remember();
  const folds = new Map([...live().querySelectorAll("[data-fold]")].map((box) => [box.dataset.fold, box.checked]));
  const before = texts();
  for (const box of part.querySelectorAll("[data-fold]")) box.checked = folds.get(box.dataset.fold) ?? box.checked;
  window.quota.localise(part);
  live().replaceWith(document.adoptNode(part));
  const age = fresh.getElementById("updated");
  if (age) {
    window.quota.localise(age);
    document.getElementById("updated")?.replaceWith(document.adoptNode(age));
  }
  document.title = fresh.title;
  for (const [name, row] of rows()) if (before.has(name) && before.get(name) !== row.textContent) row.classList.add("fresh");
  recall(focus);
  document.dispatchEvent(new CustomEvent("swapped", { detail: fresh }));
}

const rows = () => [...live().querySelectorAll("tr[data-account]")].map((row) => [row.dataset.account, row]);
const texts = () => new Map(rows().map(([name, row]) => [name, row.textContent]));

function remember() {
  const active = document.activeElement;
  if (!live().contains(active)) return null;
  const all = [...live().querySelectorAll("a, button, input")];
  return { at: all.indexOf(active), id: active.id, value: active.value, from: active.selectionStart };
}

function recall(focus) {
  if (!focus) return;
  const target = (focus.id && document.getElementById(focus.id)) || live().querySelectorAll("a, button, input")[focus.at];
  target?.focus({ preventScroll: true });
  if (target?.type === "search") {
    target.value = focus.value;
    target.setSelectionRange(focus.from, focus.from);
  }
}

async function poll() {
  clearTimeout(timer);
  if (!document.hidden) {
    try {
      if (await results()) await swap();
    } catch {
      // The server is away for a moment: the page keeps what it has and asks again.
    }
  }
  // A person who has just added an account waits for its first answer.
  timer = setTimeout(poll, live().dataset.pending ? SOON : EVERY);
}

/** When each account was asked last, by name. */
async function asked(signal) {
  const response = await fetch(live().dataset.results, { headers: { Accept: "application/json" }, cache: "no-store", signal });
  return new Map(response.ok ? (await response.json()).results.map((r) => [r.account, r.attempted_at]) : []);
}

/** What the refresh came to, in the page's language. */
function summary(headers) {
  const words = headers.get("X-Quota-Refresh-Words");
  return words ? decodeURIComponent(words) : headers.get("X-Quota-Refresh");
}

/** A refresh button: sends, counts answers as they come in, says how it went. */
async function refresh(event) {
  if (!event.target.matches("[data-refresh]")) return;
  event.preventDefault();
  const form = event.target, button = form.querySelector("button");
  busy(button, true);
  say(_("Refreshing."));
  const stop = new AbortController();
  const before = asked(stop.signal).catch(() => new Map());
  const watch = setInterval(async () => {
    const [then, now] = [await before, await asked(stop.signal).catch(() => null)];
    const done = now && [...now].filter(([name, at]) => at !== then.get(name)).length;
    if (done && !stop.signal.aborted) say(_("%(count)s answered…", { count: done }));
  }, 1500);
  try {
    await before;
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
    stop.abort();
    clearInterval(watch);
    await swap();
    say(response.ok ? _("%(sentence)s.", { sentence: summary(response.headers) }) : _("The refresh failed (%(status)s).", { status: response.status }));
  } catch {
    say(_("The server cannot be reached."));
  } finally {
    clearInterval(watch);
    busy(button, false);
  }
}

function busy(button, is) {
  button.disabled = is;
  button.classList.toggle("busy", is);
}

/** Starts the polling; a page without #live (no account yet) stays as it is. */
export function start() {
  if (!live()) return;
  etag = live().dataset.etag || null;
  document.addEventListener("submit", refresh);
  // The server did not know the viewer's zone: what it drew, and did not write, is drawn once more.
  if (!window.quota.isKnown) swap();
  timer = setTimeout(poll, live().dataset.pending ? SOON : EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || poll());
}
