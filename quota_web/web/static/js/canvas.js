// What every chart needs: the library, and the colours of the style sheet.

/** Loads the library once; rejects when it is not there. */
let library;
export const load = (address) => (library ??= Promise.all([
  fetched("link", { rel: "stylesheet", href: new URL("../css/uplot.css", import.meta.url) }), fetched("script", { src: address }),
]));
const fetched = (kind, attributes) => new Promise((resolve, reject) => {
  document.head.append(Object.assign(document.createElement(kind), attributes, { onload: resolve, onerror: reject }));
});

/** A colour of the style sheet as the canvas wants it, now that the scheme is decided. */
export function ink(className, colour = "") {
  const probe = Object.assign(document.createElement("i"), { className });
  probe.style.color = colour;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
