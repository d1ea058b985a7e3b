// The dashboard: live, with a table that can be searched and sorted without leaving the page, and the legend of its charts.
import { draw } from "./history.js";
import { start, swap } from "./live.js";

start();
draw(legend);

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

function element(name, className, words) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (words !== undefined) made.textContent = words;
  return made;
}

function swatch() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 22 10");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M0 5H22");
  svg.append(path);
  return svg;
}

/** One row an account with its colour and its values at the cursor, to switch lines on and off.
    names: all accounts; panels: the charts, each with key and title; view.shown: accounts that are drawn. page: {dash, slot, change(next), focus(account)}. */
function legend({ names, panels }, view, page) {
  const list = document.getElementById("lines"), tools = document.querySelector(".legend-tools");
  const rows = new Map();

  function paint() {
    for (const [name, { box, mark }] of rows) {
      box.checked = view.shown.has(name);
      mark.setAttribute("class", box.checked ? `swatch line-${page.slot(name) % 8}` : "swatch");
      mark.firstChild.setAttribute("stroke-dasharray", box.checked ? page.dash(page.slot(name)).join(" ") : "");
    }
  }

  function show(shown) {
    page.change({ shown: new Set(shown), asked: true }).then(paint);
  }

  // Shown lines stand first where there are many, each in the order of names.
  const order = names.length > 12 ? [...names.filter((n) => view.shown.has(n)), ...names.filter((n) => !view.shown.has(n))] : names;
  for (const name of order) {
    const item = element("li"), label = element("label"), box = element("input"), mark = swatch();
    box.type = "checkbox";
    label.append(box, mark, element("span", "name", name));
    for (const panel of panels.slice(0, 4)) {
      const cell = element("span", "val");
      Object.assign(cell.dataset, { line: name, value: panel.key, spoken: `${name} ${panel.title.toLowerCase()}` });
      label.append(cell);
    }
    label.title = name;
    item.append(label);
    list.append(item);
    rows.set(name, { box, mark, item });
    box.addEventListener("change", () => {
      const shown = new Set(view.shown);
      if (box.checked) shown.add(name);
      else shown.delete(name);
      show(names.filter((n) => shown.has(n)));
    });
    item.addEventListener("pointerenter", () => view.shown.has(name) && view.shown.size > 1 && page.focus(name));
    item.addEventListener("pointerleave", () => page.focus(null));
  }

  if (names.length > 12) {
    tools.hidden = false;
    document.getElementById("no-lines").addEventListener("click", () => show([]));
    document.getElementById("line-q").addEventListener("input", (event) => {
      const wanted = event.target.value.trim().toLowerCase();
      for (const [name, { item }] of rows) item.hidden = !name.toLowerCase().includes(wanted);
    });
  }
  paint();
}
