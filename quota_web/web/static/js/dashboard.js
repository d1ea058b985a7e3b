// The page "Now": live, with a list that can be searched and sorted without leaving the page.
import { start, swap } from "./live.js";

const { _ } = window.quota;

start();

// What draws the trends is fetched when they come into view; until then a new page's replace them.
let lanes = null;
const watcher = new IntersectionObserver(async (seen) => {
  if (!seen.some((entry) => entry.isIntersecting)) return;
  watcher.disconnect();
  lanes = await import("./lanes.js");
  lanes.start();
}, { rootMargin: "100px" });
function watch() {
  const trends = document.getElementById("history");
  if (trends?.dataset.library) watcher.observe(trends);
}
watch();
document.addEventListener("swapped", (event) => {
  const trends = event.detail.getElementById("history");
  if (lanes || !trends) return;
  watcher.disconnect();
  window.quota.localise(trends);
  document.getElementById("history")?.replaceWith(document.adoptNode(trends));
  watch();
});

/** Shows another order or filter: the address changes, the server draws, the time of the lanes stays. */
function go(address) {
  const next = new URL(address, location.href), here = new URL(location.href).searchParams;
  for (const key of ["from", "to", "range"]) {
    next.searchParams.delete(key);
    here.getAll(key).forEach((value) => next.searchParams.append(key, value));
  }
  next.hash = "";
  history.replaceState(null, "", next);
  return swap();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#live .seg a, #live thead a, #live .chip, #live a[data-here], #live .nothing a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.href);
});

let typing = 0;
function search(form) {
  clearTimeout(typing);
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  go(`${form.action.split("?")[0]}?${query}`);
}
document.addEventListener("input", (event) => {
  if (event.target.id !== "q") return;
  clearTimeout(typing);
  typing = setTimeout(() => search(event.target.form), 180);
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "search") return;
  event.preventDefault();
  search(event.target);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-text]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copyText);
    button.textContent = _("Copied");
  } catch {
    button.textContent = button.dataset.copyText; // no clipboard over plain http
  }
});
