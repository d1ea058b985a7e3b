// What every page needs at once: the chosen colour scheme before the first paint, words in the page's language, and
// times in the viewer's zone.
// A plain script, not a module, because modules run after the first paint.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  // Words: `_("Copied")`, with named places `_("%(count)s answered…", { count })`. The page brings the translations.
  let translations;
  function _(message, data = {}) {
    translations ??= JSON.parse(document.getElementById("words")?.textContent ?? "{}");
    return (translations[message] ?? message).replace(/%(?:\((\w+)\)s|%)/g, (place, name) => (name ? data[name] ?? "" : "%"));
  }
  const language = root.lang || "en", isEnglish = language === "en";

  // Colours: system, light or dark
  const themes = ["system", "light", "dark"];
  const stored = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.dispatchEvent(new Event("colours"));
  };
  apply(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => root.dispatchEvent(new Event("colours")));
  // Paper is white, whatever the screen is.
  let onScreen;
  addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    apply("light");
    document.querySelectorAll(".still source[media*=dark]").forEach((source) => source.remove());
    // It is kept for longer than a day.
    document.querySelectorAll("#updated > time").forEach((one) => (one.textContent = dated(new Date(one.dateTime), new Date(0))));
  });
  addEventListener("afterprint", () => {
    apply(onScreen);
    localise();
  });
  addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue));

  function wireSwitch() {
    const button = document.getElementById("theme");
    if (!button) return;
    const name = () => {
      const words = { system: _("Colours: system"), light: _("Colours: light"), dark: _("Colours: dark") }[root.dataset.theme ?? "system"];
      button.querySelector(".sr").textContent = words;
      button.title = words;
    };
    button.hidden = false;
    name();
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % themes.length];
      try { localStorage.setItem("theme", next); } catch { /* private window: for this page only */ }
      apply(next);
      name();
    });
  }

  // Times: written as the server writes them (formats.py), in the viewer's zone; by the browser where it is not English
  const local = (options) => new Intl.DateTimeFormat(language, options);
  const forms = isEnglish ? null : { day: local({ month: "short", day: "numeric" }), year: local({ year: "numeric", month: "short", day: "numeric" }), week: local({ weekday: "short" }) };
  const unit = (count, name) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short" }).format(count);
  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (n) => String(n).padStart(2, "0");
  const time = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;
  const isOfYear = (d, now) => d.getFullYear() === now.getFullYear();
  const date = (d, now = new Date()) => (forms ? forms[isOfYear(d, now) ? "day" : "year"].format(d) : `${d.getDate()} ${months[d.getMonth()]}${isOfYear(d, now) ? "" : ` ${d.getFullYear()}`}`);
  const dated = (d, now) => (forms ? `${date(d, now)}${forms.week.format(d)} ${time(d)}` : `${days[d.getDay()]} ${date(d, now)}, ${time(d)}`);
  const clock = (d, now = new Date()) => (d.toDateString() === now.toDateString() ? time(d) : dated(d, now));
  function span(seconds) {
    let m = Math.floor(Math.abs(seconds) / 60);
    const d = Math.floor(m / 1440), h = Math.floor(m / 60) % 24;
    m %= 60;
    if (d) return lengths([d, "day"], [d < 30 ? h : 0, "hour"]);
    if (h) return lengths([h, "hour"], [m, "minute"]);
    return m ? lengths([m, "minute"]) : `<${lengths([1, "minute"])}`;
  }
  function lengths(...parts) {
    const words = parts.filter(([count]) => count).map(([count, name]) => (isEnglish ? `${count} ${name[0]}` : unit(count, name)));
    return words.length > 1 ? _("%(longer)s %(shorter)s", { longer: words[0], shorter: words[1] }) : words[0];
  }
  /** As little as tells the moment. */
  function short(d, now) {
    const noon = (day) => Date.UTC(day.getFullYear(), day.getMonth(), day.getDate());
    const away = Math.abs(noon(d) - noon(now)) / 864e5;
    if (!away) return time(d);
    if (away < 7) return `${forms ? forms.week.format(d) : days[d.getDay()]} ${time(d)}`;
    return forms ? forms.day.format(d) : `${d.getDate()} ${months[d.getMonth()]}`;
  }
  const kinds = {
    clock,
    short,
    countdown: (d, now) => (d > now ? _("in %(span)s", { span: span((d - now) / 1000) }) : _("due")),
    ago: (d, now) => {
      if (d - now > 120000) return _("ahead of the clock");
      return now - d < 60000 ? _("just now") : _("%(span)s ago", { span: span((now - d) / 1000) });
    },
  };
  function localise(within = document) {
    const now = new Date();
    for (const element of within.querySelectorAll("time[data-t]")) {
      const d = new Date(element.dateTime);
      if (Number.isNaN(d.getTime())) continue;
      const words = kinds[element.dataset.t](d, now);
      if (element.textContent !== words) element.textContent = words;
    }
  }
  // The whole moment and how far away it is, once somebody points at a time.
  document.addEventListener("pointerover", (event) => {
    const element = event.target.closest?.("time[data-t]");
    if (!element) return;
    const d = new Date(element.dateTime), now = new Date();
    element.title = `${dated(d, now)}:${two(d.getSeconds())} · ${kinds[d > now ? "countdown" : "ago"](d, now)}`;
  });

  // The zone: the server writes times in it once it knows its name, so that nothing moves.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isKnown = !zone || root.dataset.zone === zone;
  if (!isKnown) {
    const base = new URL(document.currentScript.src).pathname.replace(/\/static\/.*/, "/");
    document.cookie = `codex_quota_zone=${zone}; path=${base}; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  }
  // What was not measured is a dash, never 0.
  const percent = (value) => (value === null || value === undefined ? "–" : `${Math.round(value * 10) / 10}${isEnglish ? "\u202f" : ""}%`);
  window.quota = { _, clock, date, days, isKnown, localise, months, percent, span, time, two };

  document.addEventListener("DOMContentLoaded", () => {
    wireSwitch();
    localise();
    const note = document.getElementById("zone-note");
    if (note && !isKnown) note.textContent = _("Times in %(zone)s", { zone });
    setInterval(() => document.hidden || localise(), 20000);
    document.addEventListener("visibilitychange", () => document.hidden || localise());
  });
})();
