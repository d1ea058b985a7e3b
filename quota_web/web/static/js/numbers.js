// The numbers behind the charts as a table, at most 48 moments, newest first.

const { _ } = window.quota;
const MOST_ROWS = 48;

/** Fills an element with the drawn column of each series of an account's /api/history; names: window → its word. */
export function fill(place, history, column, names) {
  const { series } = history;
  const made = document.createElement("table");
  made.className = "numbers";
  row(made.createTHead(), [_("When"), ...series.map((one) => names.get(one.window) ?? one.window)], "th", "col");
  const body = made.createTBody(), stride = Math.max(1, Math.ceil(history.t.length / MOST_ROWS));
  for (let at = history.t.length - 1; at >= 0; at -= stride) {
    const values = series.map((one) => column(one, history.step_seconds)[at]);
    row(body, [window.quota.clock(new Date(history.t[at] * 1000)), ...values.map(window.quota.percent)], "td", null);
  }
  place.replaceChildren(made);
}

function row(part, words, cell, scope) {
  const made = part.insertRow();
  words.forEach((text, at) => {
    const one = document.createElement(at === 0 ? "th" : cell);
    if (scope || at === 0) one.scope = scope ?? "row";
    one.textContent = text;
    made.append(one);
  });
}
