// The history of all accounts: lanes, their states at the cursor, and the comparison of those that are ticked.
import { show, start, zoom } from "./lanes.js";
import { start as poll } from "./live.js";

const $ = (id) => document.getElementById(id);
const compare = async () => $("compare") && (await import("./compare.js")).draw($("history").dataset.library, zoom);

start();
poll();
compare();
document.addEventListener("lanes", compare);

// A tick shows at once; more than there may be are not taken.
document.addEventListener("change", (event) => {
  if (!event.target.matches(".lane [name=line]")) return;
  const form = $("compare-form"), ticked = new FormData(form).getAll("line"), most = Number($("compare-hint").dataset.most);
  if (ticked.length > most) {
    event.target.checked = false;
    return;
  }
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  show(`${form.action}?${query}`);
});
document.addEventListener("change", (event) => event.target.id === "hours-of" && event.target.form.requestSubmit());

/** The states at the cursor, and a line through the strips. */
document.addEventListener("lane-cursor", ({ detail }) => {
  const frame = $("lanes"), strips = frame.querySelector(".strips");
  if (!strips) return;
  const words = JSON.parse(strips.dataset.words), box = strips.querySelector(".strip")?.getBoundingClientRect();
  let line = frame.querySelector(".lane-cursor");
  if (!line) frame.append((line = Object.assign(document.createElement("div"), { className: "lane-cursor" })));
  line.hidden = !detail || !box;
  if (detail && box) line.style.left = `${box.left - frame.getBoundingClientRect().left + box.width * detail.share}px`;
  for (const item of frame.querySelectorAll(".strips li")) {
    const cell = item.querySelector(".lane-values");
    cell.dataset.now ??= cell.textContent;
    const run = detail && item.dataset.runs.split(" ").map((one) => one.split(":")).find(([end]) => detail.index < Number(end));
    cell.textContent = detail ? (run ? words[run[1]] : "–") : cell.dataset.now;
  }
});
