// The dashboard: live, with a table that can be searched and sorted without leaving the page. What draws its charts is fetched when they come into view.
import { start, swap } from "./live.js";

start();
const charts = document.getElementById("history");
if (charts?.dataset.library) {
  new IntersectionObserver(async (seen, observer) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    (await import("./legend.js")).draw();
  }, { rootMargin: "100px" }).observe(charts);
}

/** Shows another order or filter: the address changes, the server draws, lines and range of the charts stay. */
function go(address) {
  const next = new URL(address, location.href), here = new URL(location.href).searchParams;
  for (const key of ["line", "from", "to", "range"]) {
    next.searchParams.delete(key);
    here.getAll(key).forEach((value) => next.searchParams.append(key, value));
  }
  next.hash = "";
  history.replaceState(null, "", next);
  return swap();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#live .tabs a, #live thead a, #live .facts a[data-here], #live .nothing a, #grouping");
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
