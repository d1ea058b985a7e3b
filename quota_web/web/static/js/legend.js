// The charts of several accounts with their legend.
import { begin } from "./history.js";

export const draw = () => begin(legend);

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
