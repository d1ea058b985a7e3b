// What every page needs at once: the chosen colour scheme before the first paint, and times in the viewer's zone.
// A plain script, not a module, because modules run after the first paint.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

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
  });
  addEventListener("afterprint", () => apply(onScreen));
  addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue));

  function wireSwitch() {
    const button = document.getElementById("theme");
    if (!button) return;
    const name = () => {
      const words = `Colours: ${root.dataset.theme ?? "system"}`;
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

  // Times: written as the server writes them (formats.py), in the viewer's zone
  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (n) => String(n).padStart(2, "0");
  const time = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;
  const date = (d, now = new Date()) => `${d.getDate()} ${months[d.getMonth()]}${d.getFullYear() === now.getFullYear() ? "" : ` ${d.getFullYear()}`}`;
  const clock = (d, now = new Date()) => (d.toDateString() === now.toDateString() ? time(d) : `${days[d.getDay()]} ${date(d, now)}, ${time(d)}`);
  function span(seconds) {
    let m = Math.floor(Math.abs(seconds) / 60);
    const d = Math.floor(m / 1440), h = Math.floor(m / 60) % 24;
    m %= 60;
    if (d) return h && d < 30 ? `${d} d ${h} h` : `${d} d`;
    if (h) return m ? `${h} h ${m} m` : `${h} h`;
    return m ? `${m} m` : "<1 m";
  }
  const kinds = {
    clock,
    countdown: (d, now) => (d > now ? `in ${span((d - now) / 1000)}` : "due"),
    ago: (d, now) => (now - d < 60000 ? "just now" : `${span((now - d) / 1000)} ago`),
  };
  function localise(within = document) {
    const now = new Date();
    for (const element of within.querySelectorAll("time[data-t]")) {
      const d = new Date(element.dateTime);
      if (Number.isNaN(d.getTime())) continue;
      const words = kinds[element.dataset.t](d, now);
      if (element.textContent !== words) element.textContent = words;
      element.title = `${days[d.getDay()]} ${date(d, now)}, ${time(d)}:${two(d.getSeconds())}`;
    }
  }
  window.quota = { clock, date, days, localise, months, span, time, two };

  document.addEventListener("DOMContentLoaded", () => {
    wireSwitch();
    localise();
    const zone = document.getElementById("zone-note");
    if (zone) zone.textContent = `Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone || "your zone"}`;
    setInterval(() => document.hidden || localise(), 20000);
    document.addEventListener("visibilitychange", () => document.hidden || localise());
  });
})();
