// The numbers behind the charts as a table, at most 48 moments, newest first.

const { _ } = window.quota;
const MOST_ROWS = 48;

/** Fills an element with the drawn column of each series of an /api/history answer, for the accounts that are shown; names: window → its word. */
export function fill(place, history, shown, column, names) {
  const series = history.series.filter((one) => shown.includes(one.account));
  const made = document.createElement("table");
  made.className = "numbers";
  const several = new Set(series.map((one) => one.account)).size > 1;
  row(made.createTHead(), [_("When"), ...series.map((one) => [several && one.account, names.get(one.window) ?? one.window].filter(Boolean).join(" "))], "th", "col");
  const body = made.createTBody(), stride = Math.max(1, Math.ceil(history.t.length / MOST_ROWS));
  for (let at = history.t.length - 1; at >= 0; at -= stride) {
    const values = series.map((one) => column(one, history.step_seconds)[at]);
    row(body, [window.quota.clock(new Date(history.t[at] * 1000)), ...values.map((v) => (v === null ? "–" : `${Math.round(v * 10) / 10} %`))], "td", null);
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
